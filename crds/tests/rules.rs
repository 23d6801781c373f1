//! The rules in the schema: each has a case that it refuses, and `admit` says the same of the same field.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use fanfare_core::model::Kind;
use fanfare_crds::admit::{Door, admit_one};
use fanfare_crds::generate::schema;
use kube::core::cel::Validator;
use serde_json::{Value, json};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_500_000, 0).unwrap()
}

fn object(kind: Kind, spec: &Value) -> Value {
    json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": "x"}, "spec": spec})
}

fn campaign(schedule: Value, mechanics: Value) -> Value {
    json!({"title": "Sale", "objective": "Promotion", "schedule": schedule, "mechanics": mechanics})
}

fn start() -> Value {
    json!({"startAt": "2026-11-11T00:00"})
}

fn with_mechanic(mechanic: Value) -> (Kind, Value) {
    (Kind::Campaign, campaign(start(), json!([mechanic])))
}

fn half() -> Value {
    json!({"name": "half", "discount": {"percentOff": "50%", "items": {"all": true}}})
}

fn limited(limit: Value) -> (Kind, Value) {
    let mut mechanic = half();
    mechanic["limits"] = json!([limit]);
    with_mechanic(mechanic)
}

fn segment(condition: Value) -> (Kind, Value) {
    (Kind::Segment, json!({"title": "Some", "match": condition}))
}

fn reward(fields: Value) -> (Kind, Value) {
    let mut spec = json!({"title": "A reward"});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    (Kind::Reward, spec)
}

fn automation(step: Value) -> (Kind, Value) {
    (Kind::Automation, json!({"trigger": {"event": "member.registered"}, "steps": [step]}))
}

/// Each specification breaks exactly one rule, at this path.
fn broken() -> Vec<(&'static str, (Kind, Value))> {
    let all = json!({"all": true});
    vec![
        (
            "spec.schedule.endAt",
            (
                Kind::Campaign,
                campaign(json!({"startAt": "2026-11-11T00:00", "endAt": "2026-11-11T00:00"}), json!([half()])),
            ),
        ),
        (
            "spec.schedule.publishAt",
            (
                Kind::Campaign,
                campaign(json!({"startAt": "2026-11-11T00:00", "publishAt": "2026-11-12T00:00"}), json!([half()])),
            ),
        ),
        (
            "spec.schedule.coolDown",
            (Kind::Campaign, campaign(json!({"startAt": "2026-11-11T00:00", "coolDown": "1d"}), json!([half()]))),
        ),
        (
            "spec.schedule.windows[0].to",
            (
                Kind::Campaign,
                campaign(
                    json!({"startAt": "2026-11-11T00:00", "windows": [{"rrule": "FREQ=DAILY", "from": "20:00", "to": "20:00"}]}),
                    json!([half()]),
                ),
            ),
        ),
        ("spec.mechanics[0]", with_mechanic(json!({"name": "none"}))),
        ("spec.mechanics[0].limits[0]", limited(json!({"count": "Orders", "per": "Member", "max": 1}))),
        (
            "spec.mechanics[0].limits[0]",
            limited(json!({"count": "Orders", "per": "Member", "every": "Day", "within": "10m", "max": 1})),
        ),
        ("spec.mechanics[0].limits[0].per", limited(json!({"count": "Orders", "per": "Order", "max": 1}))),
        (
            "spec.mechanics[0].limits[0].per",
            limited(json!({"count": "Rewards", "per": "Order", "within": "10m", "max": 1})),
        ),
        (
            "spec.mechanics[0].lottery.entry.limits[0]",
            with_mechanic(
                json!({"name": "a", "lottery": {"entry": {"points": 5, "limits": [{"per": "Member", "max": 1}]}, "draw": "Instant", "prizes": [{"name": "a", "reward": "r", "weight": 1}]}}),
            ),
        ),
        ("spec.limits[0]", reward(json!({"voucher": {"amountOff": "5"}, "limits": [{"per": "Member", "max": 1}]}))),
        (
            "spec.limits[0].per",
            reward(json!({"voucher": {"amountOff": "5"}, "limits": [{"per": "Order", "every": "Day", "max": 1}]})),
        ),
        ("spec.mechanics[0].discount", with_mechanic(json!({"name": "a", "discount": {"items": all}}))),
        (
            "spec.mechanics[0].discount",
            with_mechanic(json!({"name": "a", "discount": {"items": all, "percentOff": "5%", "amountOff": "5"}})),
        ),
        (
            "spec.mechanics[0].discount.maxAmountPer",
            with_mechanic(json!({"name": "a", "discount": {"items": all, "percentOff": "5%", "maxAmountPer": "Line"}})),
        ),
        (
            "spec.mechanics[0].discount.items",
            with_mechanic(
                json!({"name": "a", "discount": {"items": {"all": true, "skus": ["A"]}, "percentOff": "5%"}}),
            ),
        ),
        (
            "spec.mechanics[0].discount.items.all",
            with_mechanic(json!({"name": "a", "discount": {"items": {"all": false}, "percentOff": "5%"}})),
        ),
        (
            "spec.mechanics[0].spendThreshold.tiers[0]",
            with_mechanic(json!({"name": "a", "spendThreshold": {"tiers": [{"spend": "5"}]}})),
        ),
        (
            "spec.mechanics[0].lottery.entry",
            with_mechanic(
                json!({"name": "a", "lottery": {"entry": {}, "draw": "Instant", "prizes": [{"name": "a", "reward": "r", "weight": 1}]}}),
            ),
        ),
        (
            "spec.mechanics[0].lottery.prizes",
            with_mechanic(
                json!({"name": "a", "lottery": {"entry": {"points": 5}, "draw": "Instant", "prizes": [{"name": "a", "weight": 1}]}}),
            ),
        ),
        (
            "spec.mechanics[0].lottery.prizes[0].perDay",
            with_mechanic(
                json!({"name": "a", "lottery": {"entry": {"points": 5}, "draw": "Instant", "prizes": [{"name": "a", "reward": "r", "weight": 1, "perDay": 1}]}}),
            ),
        ),
        ("spec.mechanics[0].limits", {
            let mut mechanic = half();
            mechanic["limits"] = json!([{"count": "Joins", "per": "Member", "every": "Day", "max": 1}]);
            with_mechanic(mechanic)
        }),
        ("spec.participation.limits[0].per", {
            let mut spec = campaign(start(), json!([half()]));
            spec["participation"] = json!({"limits": [{"count": "Joins", "per": "Store", "every": "Day", "max": 1}]});
            (Kind::Campaign, spec)
        }),
        ("spec.participation.limits[0].per", {
            let mut spec = campaign(start(), json!([half()]));
            spec["participation"] = json!({"limits": [{"count": "Joins", "per": "Card", "every": "Day", "max": 1}]});
            (Kind::Campaign, spec)
        }),
        ("spec.content.defaultLocale", {
            let mut spec = campaign(start(), json!([half()]));
            spec["content"] = json!({"defaultLocale": "th", "locales": {"en": {"title": "Sale"}}});
            (Kind::Campaign, spec)
        }),
        ("spec.match", segment(json!({}))),
        ("spec.match", segment(json!({"everyone": true, "segment": "a"}))),
        ("spec.match.everyone", segment(json!({"everyone": false}))),
        ("spec.match.all[0]", segment(json!({"all": [{}]}))),
        ("spec.match.all[0].any[0]", segment(json!({"all": [{"any": [{}]}]}))),
        ("spec.match.all[0].any[0].not", segment(json!({"all": [{"any": [{"not": {}}]}]}))),
        ("spec.match.attribute", segment(json!({"attribute": {"name": "tier"}}))),
        ("spec.match.attribute", segment(json!({"attribute": {"name": "tier", "in": ["a"], "atLeast": "1"}}))),
        ("spec.match.behavior", segment(json!({"behavior": {"event": "order.paid"}}))),
        (
            "spec.match.behavior",
            segment(json!({"behavior": {"event": "order.paid", "countAtLeast": 1, "atLeast": "5"}})),
        ),
        (
            "spec.match.behavior.where.storeId",
            segment(json!({"behavior": {"event": "order.paid", "countAtLeast": 1, "where": {"storeId": {}}}})),
        ),
        ("spec.match.location", segment(json!({"location": {}}))),
        ("spec.match.location.radius", segment(json!({"location": {"region": ["a"], "radius": "5km"}}))),
        ("spec.match.location.radius", segment(json!({"location": {"near": {"lat": 1, "lng": 2}}}))),
        (
            "spec.match.sequence.without.where.storeId",
            segment(
                json!({"sequence": {"steps": [{"event": "a"}], "without": {"event": "b", "where": {"storeId": {}}}}}),
            ),
        ),
        ("spec.match.tags", segment(json!({"tags": {}}))),
        ("spec.match.interests", segment(json!({"interests": {"any": ["a"], "none": ["b"]}}))),
        ("spec", reward(json!({}))),
        ("spec.codes", reward(json!({"points": {"amount": 5}, "codes": {"generate": {}}}))),
        ("spec.codes", reward(json!({"voucher": {"amountOff": "5"}, "codes": {}}))),
        (
            "spec.codes.import",
            reward(
                json!({"voucher": {"amountOff": "5"}, "codes": {"import": {"file": "codes/a.csv", "secretRef": {"name": "a"}}}}),
            ),
        ),
        (
            "spec.codes",
            reward(
                json!({"voucher": {"amountOff": "5"}, "codes": {"generate": {}, "shared": {"code": "ABC", "max": 1}}}),
            ),
        ),
        (
            "spec.redemption.offline",
            reward(json!({"voucher": {"amountOff": "5"}, "redemption": {"offline": {"maxAmount": "5"}}})),
        ),
        (
            "spec.redemption.rotate",
            reward(json!({"voucher": {"amountOff": "5"}, "redemption": {"rotate": "30s", "symbology": "Code128"}})),
        ),
        ("spec.redemption", reward(json!({"points": {"amount": 5}, "redemption": {}}))),
        ("spec.validity", reward(json!({"points": {"amount": 5}, "validity": {"for": "5d"}}))),
        ("spec.claimWithin", reward(json!({"points": {"amount": 5}, "claimWithin": "5d"}))),
        ("spec.codes", reward(json!({"badge": {}, "codes": {"generate": {}}}))),
        ("spec.redemption", reward(json!({"badge": {}, "redemption": {}}))),
        ("spec.validity", reward(json!({"badge": {}, "validity": {"for": "5d"}}))),
        ("spec.validity", reward(json!({"access": {"key": "a", "for": "5d"}, "validity": {"for": "5d"}}))),
        ("spec.redemption.uses", reward(json!({"giftCard": {"amount": "5"}, "redemption": {"uses": 2}}))),
        ("spec.voucher.shipping", reward(json!({"voucher": {"shipping": false}}))),
        ("spec.voucher.items", reward(json!({"voucher": {"shipping": true, "items": {"all": true}}}))),
        ("spec.voucher", reward(json!({"voucher": {}}))),
        ("spec.voucher.maxAmount", reward(json!({"voucher": {"amountOff": "5", "maxAmount": "5"}}))),
        ("spec.validity", reward(json!({"voucher": {"amountOff": "5"}, "validity": {"from": "Issue"}}))),
        (
            "spec.validity.until",
            reward(
                json!({"voucher": {"amountOff": "5"}, "validity": {"until": "2026-01-01T00:00", "notBefore": "2026-01-02T00:00"}}),
            ),
        ),
        ("spec.steps[0]", automation(json!({"name": "a"}))),
        ("spec.steps[0].wait", automation(json!({"name": "a", "wait": {}}))),
        (
            "spec.reentry.every",
            (
                Kind::Automation,
                json!({"trigger": {"event": "a"}, "reentry": {"policy": "Once", "every": "5d"}, "steps": [{"name": "a", "wait": {"for": "1d"}}]}),
            ),
        ),
        ("spec.trigger", (Kind::Automation, json!({"trigger": {}, "steps": [{"name": "a", "wait": {"for": "1d"}}]}))),
        (
            "spec.locales",
            (
                Kind::MessageTemplate,
                json!({"category": "Marketing", "kind": "Email", "locales": {"en": {"body": "Hello"}}}),
            ),
        ),
        ("spec", (Kind::MessageChannel, json!({}))),
        (
            "spec.attributes.tier.values",
            (
                Kind::CampaignRuntime,
                json!({"timeZone": "Asia/Bangkok", "currency": "THB", "locales": {"default": "th"}, "attributes": {"tier": {"type": "Enum"}}}),
            ),
        ),
        ("spec.points.earn[0].perSpend", earn(json!({"event": "store.visited", "points": 1, "perSpend": "25"}))),
        ("spec.points.earn[0].rounding", earn(json!({"event": "order.paid", "points": 1, "rounding": "Up"}))),
    ]
}

fn earn(rule: Value) -> (Kind, Value) {
    let points = json!({"worth": "0.02", "earn": [rule]});
    let spec = json!({"timeZone": "Asia/Bangkok", "currency": "THB", "locales": {"default": "th"}, "points": points});
    (Kind::CampaignRuntime, spec)
}

#[test]
fn an_api_server_and_admit_refuse_the_same_field_in_the_same_words() {
    for (path, (kind, spec)) in broken() {
        let object = object(kind, &spec);
        let by_schema: Vec<(String, String)> = Validator::new()
            .validate(schema(kind), &object, None)
            .expect_err(&format!("{path}: {spec}"))
            .into_iter()
            .map(|failure| (failure.field_path, failure.message))
            .collect();
        let by_admit: Vec<(String, String)> = admit_one(&object, &Door::alone(now()))
            .expect_err(path)
            .into_iter()
            .map(|error| (error.path, format!("{}; {}", error.reason, error.remedy)))
            .collect();
        assert_eq!(by_schema, by_admit, "{spec}");
        assert_eq!(by_admit.len(), 1, "{by_admit:?}");
        assert_eq!(by_admit[0].0, path);
    }
}

#[test]
fn every_rule_has_a_case_that_it_refuses() {
    let mut refused: Vec<String> = Vec::new();
    for (path, (kind, spec)) in broken() {
        for failure in Validator::new().validate(schema(kind), &object(kind, &spec), None).expect_err(path) {
            refused.push(failure.rule);
        }
    }
    for kind in Kind::ALL {
        each_rule(schema(kind), &mut |rule| {
            assert!(refused.iter().any(|known| known == rule), "{}: no case breaks {rule}", kind.as_str());
        });
    }
}

fn each_rule(schema: &Value, check: &mut dyn FnMut(&str)) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        check(rule["rule"].as_str().unwrap());
    }
    for sub in schema["properties"].as_object().into_iter().flatten().map(|(_, sub)| sub) {
        each_rule(sub, check);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            each_rule(&schema[key], check);
        }
    }
}
