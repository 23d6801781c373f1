//! Which other resources a specification names, read from the raw document, so that an object is looked at again when
//! one of them comes, changes or goes.

use fanfare_core::model::Kind;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every (kind, name) that the specification of a resource of `kind` names.
pub fn of(kind: Kind, spec: &Value) -> BTreeSet<(Kind, String)> {
    let mut found = BTreeSet::new();
    match kind {
        Kind::Campaign | Kind::Segment | Kind::Automation => walk(spec, &mut found),
        Kind::Reward | Kind::MessageTemplate | Kind::MessageChannel | Kind::CampaignRuntime => {}
    }
    found
}

/// A reference is a string under one of these keys. A key that means something else elsewhere costs a look, no more.
fn walk(value: &Value, found: &mut BTreeSet<(Kind, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let kind = match key.as_str() {
                    "segment" => Some(Kind::Segment),
                    "reward" => Some(Kind::Reward),
                    "template" => Some(Kind::MessageTemplate),
                    "channel" => Some(Kind::MessageChannel),
                    _ => None,
                };
                match (kind, value) {
                    (Some(kind), Value::String(name)) => drop(found.insert((kind, name.clone()))),
                    _ => walk(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_campaign_names_its_segments_and_rewards() {
        let spec = json!({
            "audience": {"include": [{"segment": "members"}]},
            "mechanics": [{"name": "m", "spendThreshold": {"tiers": [{"spend": "1", "reward": "coupon"}]}}]
        });
        let found = of(Kind::Campaign, &spec);
        assert_eq!(found, [(Kind::Segment, "members".into()), (Kind::Reward, "coupon".into())].into());
        assert!(of(Kind::Reward, &spec).is_empty());
    }
}
