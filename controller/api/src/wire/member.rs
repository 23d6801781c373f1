//! Members as a CRM sends them and as they see themselves. What their attributes may hold is the engine's.

use crate::problem::{Code, FieldError, Problem};
use fanfare_core::model::segment::{Decimal, Scalar};
use fanfare_engine::{
    fault::Fault,
    members::{Profile, Unsaved},
    store::rows::{self, Member},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// What a member agreed to; what is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentBody {
    /// By channel, such as `email`.
    #[serde(default)]
    pub(crate) channels: BTreeMap<String, bool>,
    /// By topic.
    #[serde(default)]
    pub(crate) topics: BTreeMap<String, bool>,
}

impl From<ConsentBody> for rows::Consent {
    fn from(body: ConsentBody) -> Self {
        let ConsentBody { channels, topics } = body;
        Self { channels, topics }
    }
}

/// An identity of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityBody {
    /// `phone`, `email`, `wechat` or `card`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The number or address.
    pub(crate) value: String,
}

/// What a CRM says of a member. What is left out stays as it is; what is given replaces.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberBody {
    /// Values by name, as the Runtime declares them.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>)]
    pub(crate) attributes: Option<Map<String, Value>>,
    /// Free labels.
    #[serde(default)]
    pub(crate) tags: Option<BTreeSet<String>>,
    /// What the member agreed to.
    #[serde(default)]
    pub(crate) consent: Option<ConsentBody>,
    /// How the member is found.
    #[serde(default)]
    pub(crate) identities: Option<Vec<IdentityBody>>,
}

impl From<MemberBody> for Profile {
    fn from(body: MemberBody) -> Self {
        let MemberBody { attributes, tags, consent, identities } = body;
        let pair = |one: IdentityBody| (one.kind, one.value);
        Self {
            attributes,
            tags,
            consent: consent.map(Into::into),
            identities: identities.map(|all| all.into_iter().map(pair).collect()),
        }
    }
}

/// Why a member was not changed, as a problem.
pub(crate) fn unsaved(unsaved: Unsaved) -> Problem {
    match unsaved {
        Unsaved::Invalid(faults) => Problem::invalid(faults.into_iter().map(FieldError::from).collect()),
        Unsaved::Conflict(faults) => {
            let detail = faults.first().map_or_else(String::new, |fault| format!("{}; {}", fault.reason, fault.remedy));
            let errors = faults.into_iter().map(FieldError::from).collect();
            Problem { errors, ..Problem::new(Code::IdentityTaken, detail) }
        }
    }
}

impl From<Fault> for FieldError {
    fn from(fault: Fault) -> Self {
        let Fault { pointer, reason, remedy } = fault;
        Self { pointer, reason, remedy }
    }
}

/// A member as an integration reads it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberView {
    member_id: String,
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    attributes: BTreeMap<String, Value>,
    tags: BTreeSet<String>,
    consent: ConsentBody,
    /// Left out where a member reads itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    identities: Option<Vec<IdentityView>>,
}

/// An identity as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct IdentityView {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl MemberView {
    /// As the member sees itself.
    pub(crate) fn own(member: &Member) -> Self {
        let rows::Consent { channels, topics } = member.consent.clone();
        Self {
            member_id: member.id.to_string(),
            attributes: member.attributes.iter().map(|(name, value)| (name.clone(), scalar(value))).collect(),
            tags: member.tags.clone(),
            consent: ConsentBody { channels, topics },
            identities: None,
        }
    }

    /// As an integration sees it.
    pub(crate) fn full(member: &Member) -> Self {
        let identity = |(kind, value): &(String, String)| IdentityView { kind: kind.clone(), value: value.clone() };
        Self { identities: Some(member.identities.iter().map(identity).collect()), ..Self::own(member) }
    }
}

/// A stored value as JSON; a decimal number as a JSON number.
pub(crate) fn scalar(value: &Scalar) -> Value {
    match value {
        Scalar::Flag(flag) => Value::Bool(*flag),
        Scalar::Text(text) => Value::String(text.clone()),
        Scalar::Number(Decimal { e4 }) if e4 % 10_000 == 0 => Value::from(e4 / 10_000),
        Scalar::Number(Decimal { e4 }) => {
            let sign = if *e4 < 0 { "-" } else { "" };
            let (whole, part) = (e4.unsigned_abs() / 10_000, e4.unsigned_abs() % 10_000);
            let text = format!("{sign}{whole}.{part:04}");
            serde_json::from_str(text.trim_end_matches('0')).unwrap_or(Value::String(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stored_numbers_are_json_numbers() {
        for (e4, expect) in [(-12_500, json!(-1.25)), (410_000, json!(41)), (1, json!(0.0001)), (0, json!(0))] {
            assert_eq!(scalar(&Scalar::Number(Decimal { e4 })), expect);
        }
    }
}
