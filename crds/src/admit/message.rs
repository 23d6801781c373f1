//! MessageTemplate and MessageChannel → their plans.

use fanfare_core::ids::Name;
use fanfare_core::message::check_template;
use fanfare_core::model::message as plan;
use fanfare_core::model::{ChannelPlan, TemplatePlan};
use handlebars::Template;

use super::context::{Context, in_two};
use super::error::{Path, code};
use super::names;
use crate::wire::message as wire;

/// Compiles the specification of a template. What is wrong goes to `context`; then the plan is of no use.
pub(crate) fn template(name: &str, spec: &wire::MessageTemplateSpec, context: &mut Context<'_>) -> TemplatePlan {
    let wire::MessageTemplateSpec { category, kind, locales } = spec;
    let path = Path::SPEC.field("locales");
    names::locales(locales.keys(), context, path);
    for (locale, text) in locales {
        let at = path.field(locale);
        if let Some(subject) = &text.subject {
            source(subject, context, at.field("subject"));
        }
        source(&text.body, context, at.field("body"));
    }
    TemplatePlan {
        name: Name::from(name),
        category: match category {
            wire::Category::Marketing => plan::Category::Marketing,
            wire::Category::Transactional => plan::Category::Transactional,
        },
        medium: match kind {
            wire::TemplateKind::Email => plan::Medium::Email,
            wire::TemplateKind::InApp => plan::Medium::InApp,
        },
        locales: locales
            .iter()
            .map(|(locale, wire::MessageText { subject, body })| {
                (locale.clone(), plan::Source { subject: subject.clone().unwrap_or_default(), body: body.clone() })
            })
            .collect(),
    }
}

fn source(text: &str, context: &mut Context<'_>, path: Path<'_>) {
    // The library says where; the core says what else a template of ours cannot have.
    if let Err(error) = Template::compile(text) {
        let place =
            error.pos().map(|(line, column)| format!(" in its line {line}, column {column}")).unwrap_or_default();
        let reason = format!("the template cannot be read{place}: {}", error.reason()).replace('\n', " ");
        let remedy = "close what {{ opens, and each {{#if}} with {{/if}}";
        context.findings.push(path, code::MALFORMED, reason, remedy);
    } else if let Err(error) = check_template(text) {
        let (reason, remedy) = in_two(&error.to_string(), "write the text out");
        context.findings.push(path, code::MALFORMED, reason, remedy);
    }
}

/// Compiles the specification of a channel; `None` where it has not exactly one means.
pub(crate) fn channel(name: &str, spec: &wire::MessageChannelSpec, context: &mut Context<'_>) -> Option<ChannelPlan> {
    let wire::MessageChannelSpec { smtp, in_app, unit_cost } = spec;
    let means = match (smtp, in_app) {
        (Some(smtp), None) => self::smtp(smtp, context),
        (None, Some(wire::InApp {})) => plan::Means::InApp,
        _ => {
            context.contradiction(Path::SPEC);
            return None;
        }
    };
    let cost_at = Path::SPEC.field("unitCost");
    let cost = unit_cost.as_ref().map(|cost| &cost.amount);
    let unit_cost = context.money_or_zero(cost, cost_at.field("amount"));
    Some(ChannelPlan { name: Name::from(name), means, unit_cost })
}

fn smtp(smtp: &wire::Smtp, context: &mut Context<'_>) -> plan::Means {
    let wire::Smtp { host, port, security, from, credentials } = smtp;
    let security = match security {
        Some(wire::SmtpSecurity::None) => plan::Security::None,
        Some(wire::SmtpSecurity::Tls) => plan::Security::Tls,
        Some(wire::SmtpSecurity::StartTls) | None => plan::Security::StartTls,
    };
    let usual = match security {
        plan::Security::None => 25,
        plan::Security::StartTls => 587,
        plan::Security::Tls => 465,
    };
    if !is_mailbox(from) {
        let path = Path::SPEC.field("smtp");
        let reason = format!("`{from}` is not a sender");
        context.findings.push(path.field("from"), code::MALFORMED, reason, "write such as `Shop <news@example.com>`");
    }
    plan::Means::Smtp {
        host: host.clone(),
        port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual),
        security,
        from: from.clone(),
        credentials: credentials.as_ref().map(|wire| Name::from(wire.secret_ref.name.as_str())),
    }
}

/// A plain check of `address` or `Name <address>`; the mail library reads it exactly when it sends.
fn is_mailbox(text: &str) -> bool {
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or(""),
        None => text,
    };
    let clean = !text.contains(['\r', '\n']) && !address.contains([' ', '<', '>', ',']);
    clean
        && address
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}
