//! The Segment: a group of members, described by conditions.
//!
//! `all`, `any` and `not` nest two levels. A schema cannot be recursive, so the levels are written out
//! (`Match` → `Condition` → `Leaf` → `Plain`), and only the first level carries descriptions, which keeps the
//! CRD small enough for `kubectl apply`. What a condition can ask stands in `questions`.

mod questions;

pub use questions::{
    Anniversary, AttributeTest, BehaviorTest, ExclusionTest, FieldTest, LifecycleTest, ListTest, LocationTest, Period,
    Pick, Preset, SequenceTest, Stage, StepTest, TagTest, Until,
};

use kube::CustomResource;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rules;
use super::status::SegmentStatus;
use super::text::Name;

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

/// A level of conditions: what it combines, and every question that can be asked of a member.
macro_rules! level {
    ($(#[$meta:meta])* $level:ident { $($combines:tt)* }) => {
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        $(#[$meta])*
        #[serde(rename_all = "camelCase")]
        pub struct $level {
            $($combines)*
            /// What a member is, by an attribute that the Runtime declares.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub attribute: Option<AttributeTest>,
            /// What a member did, counted or measured over events.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub behavior: Option<BehaviorTest>,
            /// What a member did in which order.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub sequence: Option<SequenceTest>,
            /// The stage of a member's life with you, by the Runtime's lifecycle.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub lifecycle: Option<LifecycleTest>,
            /// Where a member is or shops.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub location: Option<LocationTest>,
            /// Tags of a member.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub tags: Option<TagTest>,
            /// What a member likes, learned from its orders by the Runtime's interests: categories and brands.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub interests: Option<TagTest>,
            /// Members of an uploaded list.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub list: Option<ListTest>,
            /// Members of another Segment, by its name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub segment: Option<Name>,
            /// Members of a ready-made segment: New, Active, HighValue, Dormant or ChurnRisk.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub preset: Option<Preset>,
            /// Every member. Write `everyone: true`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub everyone: Option<bool>,
        }

        impl $level {
            /// What it asks of a member, without what it combines.
            pub(crate) fn questions(&self) -> Questions<'_> {
                Questions {
                    attribute: self.attribute.as_ref(),
                    behavior: self.behavior.as_ref(),
                    sequence: self.sequence.as_ref(),
                    lifecycle: self.lifecycle.as_ref(),
                    location: self.location.as_ref(),
                    tags: self.tags.as_ref(),
                    interests: self.interests.as_ref(),
                    list: self.list.as_ref(),
                    segment: self.segment.as_ref(),
                    preset: self.preset,
                    everyone: self.everyone,
                }
            }
        }
    };
}

/// What a level asks of a member.
pub(crate) struct Questions<'a> {
    pub(crate) attribute: Option<&'a AttributeTest>,
    pub(crate) behavior: Option<&'a BehaviorTest>,
    pub(crate) sequence: Option<&'a SequenceTest>,
    pub(crate) lifecycle: Option<&'a LifecycleTest>,
    pub(crate) location: Option<&'a LocationTest>,
    pub(crate) tags: Option<&'a TagTest>,
    pub(crate) interests: Option<&'a TagTest>,
    pub(crate) list: Option<&'a ListTest>,
    pub(crate) segment: Option<&'a Name>,
    pub(crate) preset: Option<Preset>,
    pub(crate) everyone: Option<bool>,
}

level! {
    /// A condition at the top: it may combine others.
    #[schemars(extend("x-kubernetes-validations" = rules::condition(&["all", "any", "not"])), transform = quiet_below)]
    Match {
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
    }
}

level! {
    /// A condition on the first level: it may combine conditions that combine no further.
    #[schemars(extend("x-kubernetes-validations" = rules::condition(&["all", "any", "not"])), transform = quiet_below)]
    Condition {
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
    }
}

level! {
    /// A condition on the second level: a plain one or the opposite of a plain one.
    #[schemars(extend("x-kubernetes-validations" = rules::condition(&["not"])))]
    Leaf {
        /// This condition must not hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub not: Option<Plain>,
    }
}

level! {
    /// A condition that combines nothing.
    #[schemars(extend("x-kubernetes-validations" = rules::condition(&[])))]
    Plain {}
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
