//! Label and field selectors, as list, watch and delete-collection take them.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::json_path::text_of;
use crate::meta;
use crate::object::Stored;
use crate::registry::Resource;
use crate::status::ApiError;

/// One requirement on a label, and the comma after it.
static REQUIREMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let compared = r"(?P<op>==?|!=|<|>)\s*(?P<value>[^\s,()<>!=]*)";
    let among = r"(?P<set>in|notin)\s*\((?P<values>[^()]*)\)";
    Regex::new(&format!(r"^\s*(?P<not>!?)\s*(?P<key>[^\s,()<>!=]+)\s*(?:{compared}|{among})?\s*(?:,|$)")).ok()
});

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Anything,
    OneOf(Vec<String>),
    /// Whole numbers.
    Above(i64),
    Below(i64),
}

#[derive(Debug, Clone, PartialEq)]
struct Label {
    key: String,
    wanted: Wanted,
    negated: bool,
}

impl Label {
    fn matches(&self, object: &Stored) -> bool {
        let value = object.label(&self.key);
        let number = || value.and_then(|v| v.parse::<i64>().ok());
        let found = match &self.wanted {
            Wanted::Anything => value.is_some(),
            Wanted::OneOf(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
            Wanted::Above(limit) => number().is_some_and(|n| n > *limit),
            Wanted::Below(limit) => number().is_some_and(|n| n < *limit),
        };
        found != self.negated
    }
}

/// `field = value` or `field != value`.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    label: String,
    equal: bool,
    value: String,
}

/// What a request selects within a resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Selector {
    labels: Vec<Label>,
    fields: Vec<Field>,
}

impl Selector {
    /// # Errors
    /// 400 for text that is no selector and for fields that the resource cannot be selected by.
    pub(crate) fn parse(labels: &str, fields: &str, resource: &Resource) -> Result<Self, ApiError> {
        let labels = parse_labels(labels)?;
        let fields: Vec<Field> =
            fields.split(',').filter(|p| !p.trim().is_empty()).map(parse_field).collect::<Result<_, _>>()?;
        for field in &fields {
            let always = matches!(field.label.as_str(), "metadata.name" | "metadata.namespace");
            if !always && !resource.is_selectable(&field.label) {
                return Err(ApiError::bad_request(format!("field label not supported: {}", field.label)));
            }
        }
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Stored, resource: &Resource) -> bool {
        if !self.labels.iter().all(|l| l.matches(object)) {
            return false;
        }
        // Parsed only when a field beyond the name is asked for.
        let mut value: Option<Value> = None;
        self.fields.iter().all(|field| {
            let actual = match field.label.as_str() {
                "metadata.name" => object.name.name.to_string(),
                "metadata.namespace" => object.name.namespace.to_string(),
                label => {
                    let value = value.get_or_insert_with(|| object.value().unwrap_or_default());
                    resource.selectable_path(label).and_then(|p| p.first(value)).map(text_of).unwrap_or_default()
                }
            };
            (actual == field.value) == field.equal
        })
    }
}

fn parse_labels(mut text: &str) -> Result<Vec<Label>, ApiError> {
    let unparsable = |text: &str| ApiError::bad_request(format!("unable to parse requirement: {text}"));
    let mut labels = Vec::new();
    while !text.trim().is_empty() {
        let found = REQUIREMENT.as_ref().and_then(|r| r.captures(text)).ok_or_else(|| unparsable(text))?;
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        let limit = || part("value").parse().map_err(|_| unparsable(text));
        let (negated, wanted) = match (part("not"), part("op"), part("set")) {
            (not, "", "") => (not == "!", Wanted::Anything),
            ("", ">", _) => (false, Wanted::Above(limit()?)),
            ("", "<", _) => (false, Wanted::Below(limit()?)),
            ("", "", set) => {
                let values = part("values").split(',').map(|v| v.trim().to_owned());
                (set == "notin", Wanted::OneOf(values.collect()))
            }
            ("", op, _) => (op == "!=", Wanted::OneOf(vec![part("value").to_owned()])),
            _ => return Err(unparsable(text)),
        };
        let key = part("key").to_owned();
        if !meta::is_qualified(&key) {
            return Err(unparsable(&key));
        }
        labels.push(Label { key, wanted, negated });
        text = &text[found[0].len()..];
    }
    Ok(labels)
}

fn parse_field(text: &str) -> Result<Field, ApiError> {
    let (label, equal, value) = if let Some((label, value)) = text.split_once("!=") {
        (label, false, value)
    } else if let Some((label, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (label, true, value)
    } else {
        return Err(ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{text}'")));
    };
    Ok(Field { label: label.trim().to_owned(), equal, value: value.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::ObjectName;

    fn check(labels: &str, fields: &str, expect: bool) {
        let value = json!({"metadata": {"name": "a", "uid": "u", "labels": {"team": "crm", "tier": "gold"}}});
        let object = Stored::from_value(1, ObjectName::new("ns", "a"), &value);
        let resource = Resource::for_test("fanfare.dev", "Campaign", "campaigns");
        let selector = Selector::parse(labels, fields, &resource).unwrap();
        assert_eq!(selector.matches(&object, &resource), expect, "{labels} {fields}");
    }

    #[test]
    fn labels_select_by_equality_sets_and_presence() {
        check("team=crm,tier", "", true);
        check("team==crm,tier!=gold", "", false);
        check("team in (crm, web),!gone", "", true);
        check("team notin (crm)", "", false);
        check("missing!=x", "", true);
        check("tier>1", "", false);
    }

    #[test]
    fn fields_select_by_name_and_namespace() {
        check("", "metadata.name=a,metadata.namespace=ns", true);
        check("", "metadata.name!=a", false);
    }

    #[test]
    fn a_field_that_is_not_selectable_is_refused() {
        let resource = Resource::for_test("fanfare.dev", "Campaign", "campaigns");
        let error = Selector::parse("", "spec.x=1", &resource).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (400, "field label not supported: spec.x"));
    }
}
