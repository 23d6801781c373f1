//! Label and field selectors, as list, watch and delete-collection take them.

use serde_json::Value;

use crate::json_path::text_of;
use crate::meta;
use crate::object::Stored;
use crate::registry::Resource;
use crate::status::ApiError;

#[derive(Debug, Clone, PartialEq)]
enum Labels {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    /// Whole numbers.
    Greater(String, i64),
    Less(String, i64),
}

impl Labels {
    fn matches(&self, object: &Stored) -> bool {
        match self {
            Self::In(key, values) => object.label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => !object.label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::Exists(key) => object.label(key).is_some(),
            Self::Absent(key) => object.label(key).is_none(),
            Self::Greater(key, limit) => number(object, key).is_some_and(|n| n > *limit),
            Self::Less(key, limit) => number(object, key).is_some_and(|n| n < *limit),
        }
    }

    fn key(&self) -> &str {
        match self {
            Self::In(key, _) | Self::NotIn(key, _) | Self::Exists(key) | Self::Absent(key) => key,
            Self::Greater(key, _) | Self::Less(key, _) => key,
        }
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
    labels: Vec<Labels>,
    fields: Vec<Field>,
}

impl Selector {
    /// # Errors
    /// 400 for text that is no selector and for fields that the resource cannot be selected by.
    pub(crate) fn parse(labels: &str, fields: &str, resource: &Resource) -> Result<Self, ApiError> {
        let labels: Vec<Labels> =
            split_outside_parentheses(labels).into_iter().map(parse_label).collect::<Result<_, _>>()?;
        if let Some(label) = labels.iter().find(|l| !meta::is_qualified(l.key())) {
            return Err(unparsable(label.key()));
        }
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

fn number(object: &Stored, key: &str) -> Option<i64> {
    object.label(key)?.parse().ok()
}

fn unparsable(text: &str) -> ApiError {
    ApiError::bad_request(format!("unable to parse requirement: {text}"))
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0i32, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|p| !p.is_empty()).collect()
}

fn parse_label(text: &str) -> Result<Labels, ApiError> {
    let owned = |s: &str| s.trim().to_owned();
    if let Some(inside) = text.strip_suffix(')') {
        let (head, values) = inside.split_once('(').ok_or_else(|| unparsable(text))?;
        let values = values.split(',').map(owned).collect();
        let words: Vec<&str> = head.split_whitespace().collect();
        return match words[..] {
            [key, "in"] => Ok(Labels::In(key.to_owned(), values)),
            [key, "notin"] => Ok(Labels::NotIn(key.to_owned(), values)),
            _ => Err(unparsable(text)),
        };
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Labels::NotIn(owned(key), vec![owned(value)]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Labels::In(owned(key), vec![owned(value)]));
    }
    let limit = |value: &str| value.trim().parse().map_err(|_| unparsable(text));
    if let Some((key, value)) = text.split_once('>') {
        return Ok(Labels::Greater(owned(key), limit(value)?));
    }
    if let Some((key, value)) = text.split_once('<') {
        return Ok(Labels::Less(owned(key), limit(value)?));
    }
    let (key, absent) = text.strip_prefix('!').map_or((text, false), |key| (key, true));
    let key = key.trim();
    if key.is_empty() || key.contains(|c: char| c.is_whitespace() || "()<>!".contains(c)) {
        return Err(unparsable(text));
    }
    Ok(if absent { Labels::Absent(key.to_owned()) } else { Labels::Exists(key.to_owned()) })
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
        let object = Stored::from_value(1, ObjectName::new("ns", "a"), &value).unwrap();
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
