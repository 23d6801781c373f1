//! The door: what changes are refused, what waits for others, what a budget can hold, and what a plan says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeZone, Utc};
use fanfare_core::mechanic::Rule;
use fanfare_core::model::campaign::{Cover, Visibility};
use fanfare_core::model::{Kind, Plan};
use fanfare_core::money::Minor;
use fanfare_core::time::Span;
use fanfare_crds::admit::{Catalog, Door, FieldError, PlanSet, admit_all, admit_one, admit_to_store, admit_with, code};
use serde_json::{Value, json};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn before() -> DateTime<Utc> {
    at("2026-11-01T00:00:00Z")
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn runtime() -> Value {
    let spec = json!({
        "timeZone": "Asia/Bangkok", "currency": "THB", "locales": {"default": "en"}, "points": {"worth": "0.02"},
        "stores": [{"id": "bkk-01", "groups": ["bangkok"]}, {"id": "bkk-02", "groups": ["bangkok"]}, {"id": "cnx-01"}],
        "attributes": {"age": {"type": "Number"}, "born": {"type": "Date"}, "vip": {"type": "Boolean"}, "city": {"type": "String"}}
    });
    object("CampaignRuntime", "shop", spec)
}

fn half() -> Value {
    json!({"name": "half", "discount": {"percentOff": "50%", "items": {"all": true}}})
}

fn campaign(mechanics: Value) -> Value {
    let spec = json!({"title": "Sale", "objective": "Promotion", "schedule": {"startAt": "2026-11-11T00:00"}, "mechanics": mechanics});
    object("Campaign", "sale", spec)
}

fn catalog(others: &[Value]) -> PlanSet {
    let mut all = PlanSet::default();
    let objects: Vec<Value> = [runtime()].into_iter().chain(others.iter().cloned()).collect();
    for verdict in admit_all(&objects.iter().collect::<Vec<_>>(), before()) {
        all.insert(&verdict.name.unwrap(), verdict.result.unwrap());
    }
    all
}

fn paths(result: Result<impl Sized, Vec<FieldError>>) -> Vec<(String, &'static str)> {
    result.err().unwrap_or_default().into_iter().map(|error| (error.path, error.code)).collect()
}

fn plan(object: &Value, others: &[Value]) -> Plan {
    admit_with(object, &Door::alone(before()), &catalog(others)).unwrap().plan
}

#[test]
fn a_campaign_is_read_in_the_runtime_s_zone_and_currency() {
    let mut sale = campaign(json!([half()]));
    sale["spec"]["budget"] = json!({"limit": "1000.50"});
    sale["spec"]["participation"] = json!({"stores": ["cnx-01"], "storeGroups": ["bangkok"]});
    let Plan::Campaign(plan) = plan(&sale, &[]) else { panic!() };
    assert_eq!(plan.schedule.start_at, at("2026-11-10T17:00:00Z"));
    assert_eq!(plan.budget.unwrap().limit, Minor(100_050));
    assert_eq!(plan.budget.unwrap().cover, Cover::HardStop);
    assert_eq!(plan.participation.places.stores.unwrap().len(), 3);
    assert_eq!(plan.visibility, Visibility::Public);
    assert_eq!(plan.attribution_window, Span::days(7));
    assert!(matches!(plan.mechanics[0].rule, Rule::Discount(_)));
}

#[test]
fn a_revision_changes_with_the_plan_and_only_with_it() {
    let revision = |object: &Value| match plan(object, &[]) {
        Plan::Campaign(plan) => plan.revision,
        _ => panic!(),
    };
    let sale = campaign(json!([half()]));
    let mut notes = sale.clone();
    notes["spec"]["description"] = json!("Notes");
    let mut title = sale.clone();
    title["spec"]["title"] = json!("Another");
    let mut stopped = sale.clone();
    stopped["metadata"]["annotations"] = json!({"fanfare.dev/suspended": "wrong price"});
    assert_eq!(revision(&sale), revision(&notes));
    assert_ne!(revision(&sale), revision(&title));
    assert_ne!(revision(&sale), revision(&stopped));
    assert_eq!(revision(&sale).as_str().len(), 16);
}

#[test]
fn what_started_keeps_its_start_and_its_kinds() {
    let old = campaign(json!([half()]));
    let mut later = old.clone();
    later["spec"]["schedule"]["startAt"] = json!("2026-11-12T00:00");
    let other = campaign(json!([{"name": "half", "flashSale": {"items": [{"sku": "A", "price": "1", "stock": 1}]}}]));
    let all = catalog(&[]);
    let judge = |new: &Value, now: DateTime<Utc>| {
        let door = Door { old: Some(&old), runtime: all.runtime(), ..Door::alone(now) };
        paths(admit_one(new, &door))
    };
    // The start is midnight in Bangkok, which is 17:00 UTC of the day before.
    let (just_before, just_after) = (at("2026-11-10T16:59:59Z"), at("2026-11-10T17:00:00Z"));
    assert_eq!(judge(&later, just_before), []);
    assert_eq!(judge(&later, just_after), [("spec.schedule.startAt".into(), code::IMMUTABLE)]);
    assert_eq!(judge(&other, just_before), []);
    assert_eq!(judge(&other, just_after), [("spec.mechanics[0].flashSale".into(), code::IMMUTABLE)]);
    assert_eq!(judge(&old, just_after), []);
}

#[test]
fn the_currency_stays_once_money_has_moved() {
    let old = runtime();
    let mut new = old.clone();
    new["spec"]["currency"] = json!("USD");
    for (has_ledger, expect) in [(false, vec![]), (true, vec![("spec.currency".to_owned(), code::IMMUTABLE)])] {
        let door = Door { old: Some(&old), has_ledger, ..Door::alone(before()) };
        assert_eq!(paths(admit_one(&new, &door)), expect);
    }
}

#[test]
fn what_depends_on_others_waits_for_them() {
    let tiers = json!([{"name": "more", "spendThreshold": {"tiers": [{"spend": "5", "reward": "coupon"}]}}]);
    let sale = campaign(tiers);
    let result = admit_with(&sale, &Door::alone(before()), &catalog(&[])).unwrap_err();
    assert!(result.iter().all(|error| code::is_waiting(error.code)), "{result:?}");
    let coupon = object("Reward", "coupon", json!({"title": "Coupon", "voucher": {"amountOff": "5"}}));
    assert!(admit_with(&sale, &Door::alone(before()), &catalog(&[coupon])).is_ok());
    let alone = admit_with(&sale, &Door::alone(before()), &PlanSet::default());
    assert_eq!(paths(alone), [("spec".into(), code::RUNTIME)]);
}

#[test]
fn a_worst_case_counts_what_can_be_given_and_taken_off() {
    let coupon = |quantity: Option<i64>| {
        let mut spec = json!({"title": "Coupon", "voucher": {"amountOff": "200"}, "unitCost": {"amount": "120"}});
        if let Some(quantity) = quantity {
            spec["quantity"] = json!(quantity);
        }
        object("Reward", "coupon", spec)
    };
    let tier = json!({"name": "more", "spendThreshold": {"tiers": [{"spend": "500", "reward": "coupon"}]}});
    let prize = |quantity: i64| {
        json!({"name": "draw", "lottery": {"entry": {"points": 1}, "draw": "Instant",
            "prizes": [{"name": "a", "reward": "coupon", "weight": 1, "quantity": quantity}]}})
    };
    let capped = json!({"name": "off", "limits": [{"count": "Orders", "per": "Campaign", "every": "Lifetime", "max": 10}],
        "discount": {"percentOff": "50%", "items": {"all": true}, "maxAmount": "100"}});
    let cases = [
        ("a reward's quantity holds", json!([tier]), Some(50), None),
        (
            "one more does not",
            json!([tier]),
            Some(51),
            Some("set quantity of the Reward coupon to at most 50, or raise the limit to 10200.00"),
        ),
        ("nothing bounds the tier", json!([tier]), None, Some("give the Reward coupon a quantity")),
        ("a prize's quantity holds", json!([prize(50)]), None, None),
        (
            "a prize's quantity is too much",
            json!([prize(60)]),
            None,
            Some(
                "set the quantities of coupon in the mechanics together to at most 50, or raise the limit to 12000.00",
            ),
        ),
        ("money off and rewards together hold", json!([capped, prize(45)]), None, None),
        (
            "money off and rewards together do not",
            json!([capped, prize(46)]),
            None,
            Some(
                "set the quantities of coupon in the mechanics together to at most 45, or raise the limit to 10200.00",
            ),
        ),
        (
            "an unbounded discount",
            json!([half()]),
            Some(1),
            Some(
                "add maxAmount with maxAmountPer: Order, and a limit {count: Orders, per: Campaign, every: Lifetime, max: …}",
            ),
        ),
    ];
    for (name, mechanics, quantity, remedy) in cases {
        let mut sale = campaign(mechanics);
        sale["spec"]["budget"] = json!({"limit": "10000", "cover": "WorstCase"});
        let result = admit_with(&sale, &Door::alone(before()), &catalog(&[coupon(quantity)]));
        let remedies: Vec<String> = result.err().unwrap_or_default().into_iter().map(|error| error.remedy).collect();
        assert_eq!(remedies, remedy.into_iter().map(str::to_owned).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn values_of_attributes_take_the_type_that_the_runtime_declares() {
    let segment = |test: Value| object("Segment", "some", json!({"title": "Some", "match": {"attribute": test}}));
    for (test, expect) in [
        (json!({"name": "age", "atLeast": "18"}), None),
        (json!({"name": "age", "equals": "old"}), Some("spec.match.attribute.equals")),
        (json!({"name": "born", "atMost": "2008-01-01"}), None),
        (json!({"name": "born", "atMost": "2008-13-01"}), Some("spec.match.attribute.atMost")),
        (json!({"name": "vip", "equals": "true"}), None),
        (json!({"name": "vip", "equals": "maybe"}), Some("spec.match.attribute.equals")),
        (json!({"name": "city", "in": ["Bangkok"]}), None),
        (json!({"name": "city", "atLeast": "B"}), Some("spec.match.attribute.atLeast")),
        (json!({"name": "town", "exists": true}), Some("spec.match.attribute.name")),
    ] {
        let result = admit_with(&segment(test.clone()), &Door::alone(before()), &catalog(&[]));
        let found: Vec<String> = paths(result).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found.first().map(String::as_str), expect, "{test}");
    }
}

#[test]
fn what_another_resource_can_heal_is_stored_and_the_rest_is_not() {
    let all = catalog(&[]);
    let door = Door { runtime: all.runtime(), ..Door::alone(before()) };
    let mut sale = campaign(json!([half()]));
    sale["spec"]["participation"] = json!({"stores": ["new-store"]});
    assert_eq!(admit_to_store(&sale, &door), Ok(None));
    sale["spec"]["schedule"]["timeZone"] = json!("Asia/Bankok");
    assert_eq!(paths(admit_to_store(&sale, &door)).len(), 2);
    assert!(admit_to_store(&campaign(json!([half()])), &door).is_ok_and(|admitted| admitted.is_some()));
}

#[test]
fn a_message_must_fit_its_channel() {
    let channel = object("MessageChannel", "inbox", json!({"inApp": {}}));
    let template = |kind: &str| {
        let locales = json!({"en": {"subject": "Hello", "body": "Hello"}});
        object("MessageTemplate", "hello", json!({"category": "Transactional", "kind": kind, "locales": locales}))
    };
    let steps = json!([{"name": "hello", "send": {"channel": "inbox", "template": "hello"}}]);
    let automation =
        object("Automation", "welcome", json!({"trigger": {"event": "member.registered"}, "steps": steps}));
    for (kind, expect) in [("InApp", vec![]), ("Email", vec![("spec.steps[0].send.template".to_owned(), code::MISFIT)])]
    {
        let all = catalog(&[channel.clone(), template(kind)]);
        assert_eq!(paths(admit_with(&automation, &Door::alone(before()), &all)), expect);
    }
}

#[test]
fn namespaces_do_not_see_each_other() {
    let mut guests = object("Segment", "guests", json!({"title": "Guests", "match": {"segment": "members"}}));
    let mut members = object("Segment", "members", json!({"title": "Members", "match": {"everyone": true}}));
    guests["metadata"]["namespace"] = json!("a");
    members["metadata"]["namespace"] = json!("b");
    let verdicts = admit_all(&[&guests, &members], before());
    assert!(verdicts[0].result.is_err() && verdicts[1].result.is_ok());
    members["metadata"]["namespace"] = json!("a");
    assert!(admit_all(&[&guests, &members], before()).iter().all(|verdict| verdict.result.is_ok()));
    members["metadata"].as_object_mut().unwrap().remove("namespace");
    assert!(admit_all(&[&guests, &members], before()).iter().all(|verdict| verdict.result.is_ok()));
}

#[test]
fn a_name_is_taken_once_and_a_namespace_has_one_runtime() {
    let sale = campaign(json!([half()]));
    let mut second = runtime();
    second["metadata"]["name"] = json!("another");
    let first = runtime();
    let verdicts = admit_all(&[&first, &sale, &sale, &second], before());
    let codes: Vec<Vec<&str>> = verdicts
        .into_iter()
        .map(|verdict| verdict.result.err().unwrap_or_default().into_iter().map(|error| error.code).collect())
        .collect();
    assert_eq!(codes, [vec![], vec![], vec![code::DUPLICATE], vec![code::DUPLICATE]]);
}

#[test]
fn times_that_a_clock_change_skips_are_read() {
    let mut sale = campaign(json!([half()]));
    sale["spec"]["schedule"] = json!({"timeZone": "America/New_York", "startAt": "2027-03-14T02:30"});
    let Plan::Campaign(plan) = plan(&sale, &[]) else { panic!() };
    assert_eq!(plan.schedule.start_at, Utc.with_ymd_and_hms(2027, 3, 14, 7, 0, 0).unwrap());
}

#[test]
fn any_json_gets_an_answer() {
    let bases =
        [runtime(), campaign(json!([half()])), object("Reward", "r", json!({"title": "R", "points": {"amount": 5}}))];
    let strange = [
        json!(null),
        json!([]),
        json!({}),
        json!(1.5),
        json!(-1),
        json!("x"),
        json!(true),
        json!([[[]]]),
        json!(u64::MAX),
    ];
    for base in &bases {
        for pointer in [
            "",
            "/spec",
            "/metadata",
            "/metadata/name",
            "/spec/schedule",
            "/spec/schedule/startAt",
            "/spec/mechanics",
            "/spec/mechanics/0",
            "/spec/mechanics/0/discount",
            "/spec/stores",
            "/spec/points",
            "/spec/points/amount",
            "/kind",
            "/spec/title",
        ] {
            for value in &strange {
                let mut damaged = base.clone();
                let Some(place) = damaged.pointer_mut(pointer) else { continue };
                *place = value.clone();
                let result = admit_one(&damaged, &Door::alone(before()));
                let is_fine = (["/spec/title", "/metadata/name"].contains(&pointer) && value == "x")
                    || (pointer == "/spec/stores" && *value == json!([]));
                assert_eq!(result.is_ok(), is_fine, "{pointer} {value}");
            }
        }
    }
    assert_eq!(Kind::ALL.len(), 7);
}

fn reward(spec: &Value) -> Result<fanfare_core::model::RewardPlan, Vec<FieldError>> {
    let mut whole = json!({"title": "Coupon", "voucher": {"amountOff": "50"}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    match admit_with(&object("Reward", "coupon", whole), &Door::alone(before()), &catalog(&[]))?.plan {
        Plan::Reward(plan) => Ok(plan),
        other => panic!("{other:?}"),
    }
}

#[test]
fn codes_that_are_easy_to_guess_are_refused_with_the_length_that_fits() {
    for (length, alphabet, quantity, remedy) in [
        (8, "Crockford", Some(34_359), None),
        (8, "Crockford", Some(34_360), Some("write length: 9 or more")),
        (11, "Crockford", Some(100_000_000), None),
        (12, "Digits", Some(100_000), None),
        (12, "Digits", Some(100_001), Some("write length: 13 or more, or alphabet: Crockford")),
        (8, "Digits", None, Some("write length: 11 or more, or alphabet: Crockford")),
        (8, "Crockford", None, None),
    ] {
        let mut spec = json!({"codes": {"generate": {"length": length, "alphabet": alphabet}}});
        if let Some(quantity) = quantity {
            spec["quantity"] = json!(quantity);
        }
        let found = reward(&spec).err().unwrap_or_default();
        let said: Vec<(&str, &str)> = found.iter().map(|error| (error.path.as_str(), error.remedy.as_str())).collect();
        let expect: Vec<(&str, &str)> = remedy.map(|text| ("spec.codes.generate.length", text)).into_iter().collect();
        assert_eq!(said, expect, "{spec}");
    }
}

#[test]
fn a_shared_code_is_its_own_quantity_and_guards_are_read() {
    use fanfare_core::model::reward::Guard;
    let shared = json!({"codes": {"shared": {"code": "welcome-10", "max": 5000}}});
    let plan = reward(&shared).unwrap();
    assert_eq!((plan.shared_code().unwrap().as_str(), plan.quantity), ("WE1C0ME10", Some(5_000)));
    let mut fewer = shared;
    fewer["quantity"] = json!(10);
    assert_eq!(reward(&fewer).unwrap().quantity, Some(10));

    let guarded = json!({"redemption": {"rotate": "30s", "holderOnly": true, "offline": {"maxAmount": "20.50"}}});
    let Guard { rotate, holder_only, offline } = reward(&guarded).unwrap().redemption.guard;
    let offline = offline.unwrap();
    assert_eq!((rotate, holder_only), (Some(Span::seconds(30)), true));
    assert_eq!((offline.max_amount, offline.grace_for), (Minor(2_050), Span::seconds(3_600)));
    for (span, fits) in [("4s", false), ("5s", true), ("10m", true), ("601s", false)] {
        assert_eq!(reward(&json!({"redemption": {"rotate": span}})).is_ok(), fits, "{span}");
    }
}
