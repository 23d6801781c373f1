//! The Segment: a group of members, described by conditions.
//!
//! `all`, `any` and `not` nest two levels. A schema cannot be recursive, so the levels are written out
//! (`Match` → `Condition` → `Leaf` → `Plain`), and only the first level carries descriptions, which keeps the
//! CRD small enough for `kubectl apply`.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rules;
use super::status::SegmentStatus;
use super::text::{Decimal, EventType, FieldName, Label, Name, Span};

/// Who belongs to the segment.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "Segment",
    plural = "segments",
    singular = "segment",
    shortname = "seg",
    category = "marketing",
    namespaced,
    derive = "PartialEq",
    status = "SegmentStatus",
    doc = "A segment: a group of members, described by what they are and what they did. It is always up to date.",
    printcolumn(name = "SIZE", type_ = "integer", json_path = ".status.size"),
    printcolumn(name = "REACHABLE", type_ = "integer", json_path = ".status.reachableTotal"),
    printcolumn(name = "CHANGED", type_ = "string", json_path = ".status.changed"),
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SegmentSpec {
    /// The name that your team uses, for example Big spenders in Bangkok.
    #[schemars(length(min = 1, max = 120))]
    pub title: String,
    /// The condition that a member must meet. Give exactly one; combine several with all, any and not.
    #[serde(rename = "match")]
    pub condition: Match,
}

/// A condition at the top: it may combine others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::condition(&["all", "any", "not"])), transform = quiet_below)]
pub struct Match {
    /// Every one of these conditions must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub all: Option<Vec<Condition>>,
    /// At least one of these conditions must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub any: Option<Vec<Condition>>,
    /// This condition must not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Condition>,
    /// What a member is, by an attribute that the Runtime declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<AttributeTest>,
    /// What a member did, counted or summed over events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorTest>,
    /// Tags of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagTest>,
    /// Members of an uploaded list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListTest>,
    /// Members of another Segment, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Name>,
    /// Every member. Write `everyone: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everyone: Option<bool>,
}

/// A condition on the first level: it may combine conditions that combine no further.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::condition(&["all", "any", "not"])), transform = quiet_below)]
pub struct Condition {
    /// Every one of these conditions must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub all: Option<Vec<Leaf>>,
    /// At least one of these conditions must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub any: Option<Vec<Leaf>>,
    /// This condition must not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Plain>,
    /// What a member is, by an attribute that the Runtime declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<AttributeTest>,
    /// What a member did, counted or summed over events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorTest>,
    /// Tags of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagTest>,
    /// Members of an uploaded list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListTest>,
    /// Members of another Segment, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Name>,
    /// Every member. Write `everyone: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everyone: Option<bool>,
}

/// A condition on the second level: a plain one or the opposite of a plain one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::condition(&["not"])))]
pub struct Leaf {
    /// This condition must not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Plain>,
    /// What a member is, by an attribute that the Runtime declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<AttributeTest>,
    /// What a member did, counted or summed over events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorTest>,
    /// Tags of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagTest>,
    /// Members of an uploaded list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListTest>,
    /// Members of another Segment, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Name>,
    /// Every member. Write `everyone: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everyone: Option<bool>,
}

/// A condition that combines nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::condition(&[])))]
pub struct Plain {
    /// What a member is, by an attribute that the Runtime declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<AttributeTest>,
    /// What a member did, counted or summed over events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorTest>,
    /// Tags of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagTest>,
    /// Members of an uploaded list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListTest>,
    /// Members of another Segment, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Name>,
    /// Every member. Write `everyone: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everyone: Option<bool>,
}

/// A test of one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::attribute()))]
pub struct AttributeTest {
    /// The attribute, for example tier. The Runtime must declare it.
    pub name: FieldName,
    /// The attribute has one of these values.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub is_in: Option<Vec<Label>>,
    /// The attribute has none of these values. Members without the attribute count too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub not_in: Option<Vec<Label>>,
    /// The attribute has exactly this value. Write numbers, dates and true or false in quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Label>,
    /// True: the member has the attribute. False: the member lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// The attribute is this number or date, or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Label>,
    /// The attribute is this number or date, or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Label>,
}

/// A test of what a member did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::behavior()))]
pub struct BehaviorTest {
    /// The type of event, for example order.paid.
    pub event: EventType,
    /// The event happened at least so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count_at_least: Option<i64>,
    /// The event happened at most so many times. 0 means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub count_at_most: Option<i64>,
    /// The field of the event that is added up, for example total. Refunds are subtracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<FieldName>,
    /// The sum is this much or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Decimal>,
    /// The sum is this much or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
    /// Only events of the last days or hours count, for example 30d. Leave it out for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// Only events whose fields pass these tests count, for example `storeId: {in: [bkk-01]}`.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub filter: BTreeMap<String, FieldTest>,
}

/// A test of one field of an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::field_test()))]
pub struct FieldTest {
    /// The field has one of these values.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub is_in: Option<Vec<Label>>,
    /// The field has exactly this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Label>,
    /// The field is this number or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Decimal>,
    /// The field is this number or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
}

/// A test of tags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::tag_test()))]
pub struct TagTest {
    /// The member has at least one of these tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub any: Option<Vec<Label>>,
    /// The member has every one of these tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub all: Option<Vec<Label>>,
    /// The member has none of these tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub none: Option<Vec<Label>>,
}

/// A test of membership in an uploaded list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListTest {
    /// The name of the uploaded list.
    pub name: Name,
}

/// Removes the descriptions inside `all`, `any` and `not`: they repeat what the level above says.
fn quiet_below(schema: &mut Schema) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for name in ["all", "any", "not"] {
        if let Some(fields) = properties.get_mut(name).and_then(Value::as_object_mut) {
            let inner =
                if fields.contains_key("items") { fields.get_mut("items") } else { fields.get_mut("properties") };
            inner.into_iter().for_each(strip_descriptions);
        }
    }
}

/// Removes each `description` that is a text, so a field that is called `description` would stay.
fn strip_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("description").is_some_and(Value::is_string) {
                fields.remove("description");
            }
            fields.values_mut().for_each(strip_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_descriptions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
