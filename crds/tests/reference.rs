//! The reference of Segments is a test: each question that it shows is admitted, and means what is quoted below it.
//!
//! `FANFARE_REGENERATE=1 cargo test -p fanfare-crds --test reference` writes the quoted lines anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use fanfare_core::{model::Plan, segment::describe};
use fanfare_crds::admit::{Door, PlanSet, admit_one, admit_with};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

const RUNTIME: &str = r#"
apiVersion: fanfare.dev/v1alpha1
kind: CampaignRuntime
metadata: {name: shop}
spec:
  timeZone: Asia/Bangkok
  currency: THB
  locales: {default: en}
  attributes:
    tier: {type: Enum, values: [silver, gold, platinum]}
    city: {type: String}
    visits: {type: Number}
    birthDate: {type: Date}
    memberSince: {type: Date}
    renewsOn: {type: Date}
    home: {type: Location}
  stores:
    - {id: bkk-01, region: TH-10, location: {lat: 13.7466, lng: 100.5349}}
    - {id: bkk-02, region: TH-10}
  highValue: {spend: "10000"}
"#;

fn object(name: &str, condition: &Value) -> Value {
    json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": "Segment", "metadata": {"name": name},
        "spec": {"title": "Some", "match": condition}})
}

fn catalog(now: chrono::DateTime<chrono::Utc>) -> PlanSet {
    let mut catalog = PlanSet::default();
    let runtime: Value = serde_yaml::from_str(RUNTIME).unwrap();
    for object in [runtime, object("staff", &json!({"everyone": true}))] {
        let admitted = admit_one(&object, &Door::alone(now)).unwrap();
        catalog.insert(&admitted.name.clone(), admitted.plan);
    }
    catalog
}

#[test]
fn every_question_of_the_reference_is_admitted_and_means_what_is_quoted_below_it() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/segments.md");
    let text = fs::read_to_string(&file).unwrap();
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    let catalog = catalog(now);
    let (mut written, mut rest, mut questions) = (String::new(), text.as_str(), 0);
    while let Some((before, after)) = rest.split_once("```yaml\n") {
        let (yaml, after) = after.split_once("```\n").unwrap();
        let quoted = after.strip_prefix("> ").unwrap_or_else(|| panic!("nothing is quoted below {yaml}"));
        let (_, after) = quoted.split_once('\n').unwrap();
        let condition: Value = serde_yaml::from_str(yaml).unwrap();
        let admitted = admit_with(&object("some", &condition), &Door::alone(now), &catalog);
        let Plan::Segment(plan) = admitted.unwrap_or_else(|errors| panic!("{yaml}: {errors:?}")).plan else { panic!() };
        written.push_str(&format!("{before}```yaml\n{yaml}```\n> {}\n", describe(&plan.condition)));
        (rest, questions) = (after, questions + 1);
    }
    written.push_str(rest);
    if std::env::var_os("FANFARE_REGENERATE").is_some() {
        fs::write(&file, &written).unwrap();
    } else {
        assert_eq!(written, text, "run FANFARE_REGENERATE=1 cargo test -p fanfare-crds --test reference");
    }
    assert!(questions > 25, "{questions}");
}
