//! Messages: the text in the reader's locale, filled in, bounded.
//!
//! A template is Handlebars without partials and decorators, since those can call themselves without end. An unknown
//! name is an error, not an empty place. It does not send anything.

use crate::model::message::{Medium, Source, TemplatePlan};
use handlebars::{
    Handlebars, no_escape,
    template::{Template, TemplateElement},
};
use std::{collections::BTreeMap, io};
use thiserror::Error;

/// The longest rendered subject or body, in bytes.
pub const RENDERED_MAX_BYTES: usize = 256 * 1024;
/// How deep blocks may stand in each other.
pub const BLOCK_DEPTH_MAX: usize = 16;

/// Why a message cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Not Handlebars.
    #[error("the template cannot be read: {0}")]
    Syntax(String),
    /// A partial or decorator.
    #[error("{0} is not supported in templates; write the text out")]
    Unsupported(&'static str),
    /// Blocks deeper than [`BLOCK_DEPTH_MAX`].
    #[error("blocks stand more than {BLOCK_DEPTH_MAX} deep in each other; simplify the template")]
    TooDeep,
    /// Longer than [`RENDERED_MAX_BYTES`].
    #[error("the rendered text is longer than {RENDERED_MAX_BYTES} bytes; shorten it")]
    TooLong,
    /// A name that the data does not have, or a helper that fails.
    #[error("the template cannot be filled in: {0}")]
    Render(String),
    /// No text in any locale of the chain.
    #[error("the template has no text for {0} nor for a locale that stands in for it; add one to locales")]
    NoLocale(String),
}

/// A message ready to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The locale that it is in.
    pub locale: String,
    /// Plain text on one line.
    pub subject: String,
    /// HTML for mail, plain text for the inbox.
    pub body: String,
}

/// Renders a template for a reader of `locale`. Values are HTML-escaped in a mail's body, and nowhere else.
///
/// # Errors
/// [`MessageError`]; the same input fails again, so it is no use to retry.
pub fn render(
    plan: &TemplatePlan,
    locale: &str,
    default_locale: &str,
    data: &serde_json::Value,
) -> Result<Rendered, MessageError> {
    let (locale, Source { subject, body }) =
        pick(&plan.locales, locale, default_locale).ok_or_else(|| MessageError::NoLocale(locale.into()))?;
    let escapes = match plan.medium {
        Medium::Email => Escapes::Html,
        Medium::InApp => Escapes::Nothing,
    };
    // A line break in a subject would start another mail header.
    let subject = fill(subject, Escapes::Nothing, data)?.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Rendered { locale: locale.into(), subject, body: fill(body, escapes, data)? })
}

/// The locales to try: as asked, then each shorter form, then the default: `th-TH`, `th`, `en`.
pub fn locale_chain(locale: &str, default_locale: &str) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    for start in [locale, default_locale] {
        let mut here = Some(start.trim()).filter(|text| !text.is_empty());
        while let Some(text) = here {
            if !chain.iter().any(|known| known.eq_ignore_ascii_case(text)) {
                chain.push(text.into());
            }
            here = text.rsplit_once(['-', '_']).map(|(shorter, _)| shorter).filter(|text| !text.is_empty());
        }
    }
    chain
}

/// The first locale of the chain that is there, ignoring case.
pub fn pick<'a, T>(texts: &'a BTreeMap<String, T>, locale: &str, default_locale: &str) -> Option<(&'a str, &'a T)> {
    locale_chain(locale, default_locale).iter().find_map(|wanted| {
        let found =
            texts.iter().find(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case(&wanted.replace('_', "-")));
        found.map(|(name, text)| (name.as_str(), text))
    })
}

/// Whether a text can be used as a template; what admission asks.
///
/// # Errors
/// [`MessageError`] saying what is wrong with it.
pub fn check_template(source: &str) -> Result<(), MessageError> {
    compile(source).map(|_| ())
}

fn compile(source: &str) -> Result<Template, MessageError> {
    let template = Template::compile(source).map_err(|error| MessageError::Syntax(one_line(&error.to_string())))?;
    check_elements(&template, 0)?;
    Ok(template)
}

fn check_elements(template: &Template, depth: usize) -> Result<(), MessageError> {
    if depth > BLOCK_DEPTH_MAX {
        return Err(MessageError::TooDeep);
    }
    for element in &template.elements {
        match element {
            TemplateElement::PartialExpression(_) | TemplateElement::PartialBlock(_) => {
                return Err(MessageError::Unsupported("a partial ({{> …}})"));
            }
            TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => {
                return Err(MessageError::Unsupported("a decorator ({{* …}})"));
            }
            TemplateElement::HelperBlock(block) => {
                for inner in [&block.template, &block.inverse].into_iter().flatten() {
                    check_elements(inner, depth + 1)?;
                }
            }
            TemplateElement::HtmlExpression(_) => {
                return Err(MessageError::Unsupported("a raw value ({{{ … }}}), which could carry a member's HTML,"));
            }
            TemplateElement::RawString(_) | TemplateElement::Expression(_) | TemplateElement::Comment(_) => {}
            // The library may learn new elements; none is let in unseen.
            _ => return Err(MessageError::Unsupported("this element")),
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escapes {
    Html,
    Nothing,
}

fn fill(source: &str, escapes: Escapes, data: &serde_json::Value) -> Result<String, MessageError> {
    let template = compile(source)?;
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    // `log` would let a template write into the operator's log.
    handlebars.unregister_helper("log");
    if escapes == Escapes::Nothing {
        handlebars.register_escape_fn(no_escape);
    }
    handlebars.register_template("text", template);
    let mut text = Bounded { bytes: Vec::new(), full: false };
    let outcome = handlebars.render_to_write("text", data, &mut text);
    match outcome {
        _ if text.full => Err(MessageError::TooLong),
        Err(error) => Err(MessageError::Render(one_line(&error.to_string()))),
        Ok(()) => String::from_utf8(text.bytes).map_err(|error| MessageError::Render(error.to_string())),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A buffer that refuses to grow beyond [`RENDERED_MAX_BYTES`].
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > RENDERED_MAX_BYTES {
            self.full = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
