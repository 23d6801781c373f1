//! Keys of maps that authors name themselves. A structural schema cannot bound them, so they are checked here.

use std::sync::LazyLock;

use regex::Regex;

use super::context::Context;
use super::error::{Path, code};
use crate::wire::text::FORMS;

/// The form of a key, found by the noun in the table of forms.
struct KeyForm {
    noun: &'static str,
    remedy: &'static str,
    pattern: Option<Regex>,
    length_max: usize,
}

fn form(noun: &str, length_max: usize) -> KeyForm {
    FORMS.iter().find(|form| form.noun == noun).map_or(
        KeyForm { noun: "a name", remedy: "choose another", pattern: None, length_max },
        |form| KeyForm { noun: form.noun, remedy: form.remedy, pattern: Regex::new(form.pattern).ok(), length_max },
    )
}

static LOCALE: LazyLock<KeyForm> = LazyLock::new(|| form("a language", 35));
static NAME: LazyLock<KeyForm> = LazyLock::new(|| form("a name", 63));
static EVENT: LazyLock<KeyForm> = LazyLock::new(|| form("the type of an event", 100));
static FIELD: LazyLock<KeyForm> = LazyLock::new(|| form("the name of a field", 64));

pub(crate) fn locales<'k>(keys: impl Iterator<Item = &'k String>, context: &mut Context<'_>, path: Path<'_>) {
    check(keys, &LOCALE, context, path);
}

pub(crate) fn names<'k>(keys: impl Iterator<Item = &'k String>, context: &mut Context<'_>, path: Path<'_>) {
    check(keys, &NAME, context, path);
}

pub(crate) fn fields<'k>(keys: impl Iterator<Item = &'k String>, context: &mut Context<'_>, path: Path<'_>) {
    check(keys, &FIELD, context, path);
}

pub(crate) fn events<'k>(keys: impl Iterator<Item = &'k String>, context: &mut Context<'_>, path: Path<'_>) {
    check(keys, &EVENT, context, path);
}

fn check<'k>(keys: impl Iterator<Item = &'k String>, form: &KeyForm, context: &mut Context<'_>, path: Path<'_>) {
    for key in keys {
        let fits = form.pattern.as_ref().is_none_or(|pattern| pattern.is_match(key)) && key.len() <= form.length_max;
        if !fits {
            context.findings.push(
                path.field(key),
                code::MALFORMED,
                format!("`{key}` is not {}", form.noun),
                form.remedy,
            );
        }
    }
}

/// Whether `name` can be the name of a resource: it stands in addresses and codes.
pub(crate) fn is_resource_name(name: &str) -> bool {
    name.len() <= NAME.length_max && NAME.pattern.as_ref().is_none_or(|pattern| pattern.is_match(name))
}
