//! What is allowed and hardly meant is told, in every format, and refuses nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use fanfare_crds::admit::code;
use fanfare_crds::files::{Colour, Format, Report, render, validate_text};
use serde_json::Value;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_500_000, 0).unwrap()
}

/// A campaign that ends on 2026-11-12 and gives a reward.
fn shop(schedule: &str, reward: &str) -> Report {
    let text = format!(
        "apiVersion: fanfare.dev/v1alpha1
kind: CampaignRuntime
metadata: {{name: shop}}
spec: {{timeZone: Asia/Bangkok, currency: THB, locales: {{default: en}}}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Reward
metadata: {{name: cup}}
spec:
  title: A cup
  {reward}
---
apiVersion: fanfare.dev/v1alpha1
kind: Campaign
metadata: {{name: sale}}
spec:
  title: Sale
  objective: Promotion
  schedule: {{timeZone: Asia/Bangkok, startAt: \"2026-11-11T00:00\"{schedule}}}
  participation: {{join: Automatic}}
  mechanics:
    - name: more
      spendThreshold: {{basis: AfterDiscounts, per: Order, award: Highest, tiers: [{{spend: \"100\", reward: cup}}]}}
"
    );
    let report = validate_text("shop.yaml", &text, now());
    assert_eq!(report.exit_code(), 0, "{}", render(&report, Format::Text(Colour::Plain)));
    report
}

const END: &str = ", endAt: \"2026-11-12T00:00\"";

#[test]
fn a_cool_down_that_is_over_before_the_reward_is_told_with_one_that_is_long_enough() {
    let voucher = "voucher: {amountOff: \"50\"}\n  validity: {from: Issue, for: 14d}";
    let claimed =
        "voucher: {amountOff: \"50\"}\n  claim: Manual\n  claimWithin: 3d\n  validity: {from: Claim, for: 14d}";
    let fixed = "voucher: {amountOff: \"50\"}\n  validity: {until: \"2026-12-01T12:00\"}";
    for (cool_down, reward, enough) in [
        ("", voucher, Some("14d")),
        (", coolDown: 13d", voucher, Some("14d")),
        (", coolDown: 14d", voucher, None),
        (", coolDown: 16d", claimed, Some("17d")),
        (", coolDown: 17d", claimed, None),
        (", coolDown: 19d", fixed, Some("20d")),
        (", coolDown: 20d", fixed, None),
        ("", "voucher: {amountOff: \"50\"}", None),
        ("", "points: {amount: 10, expireAfter: 30d}", None),
    ] {
        let report = shop(&format!("{END}{cool_down}"), reward);
        let told: Vec<(&str, &str)> =
            report.warnings.iter().map(|warning| (warning.path.as_str(), warning.code)).collect();
        let expect = enough.map(|_| ("spec.schedule.coolDown", code::SHORT_COOL_DOWN));
        assert_eq!(told, expect.into_iter().collect::<Vec<_>>(), "{cool_down} {reward}");
        if let (Some(enough), Some(warning)) = (enough, report.warnings.first()) {
            assert!(warning.remedy.starts_with(&format!("write {enough} or more")), "{}", warning.remedy);
        }
    }
    let open = shop("", voucher);
    assert!(open.warnings.is_empty(), "a campaign without an end is not settled");
}

#[test]
fn a_warning_is_no_problem_in_any_format() {
    let report = shop(END, "voucher: {amountOff: \"50\"}\n  validity: {from: Issue, for: 14d}");
    let text = render(&report, Format::Text(Colour::Plain));
    assert!(text.contains("`cup`") && text.contains("shop.yaml:20:3"), "{text}");
    assert!(report.warnings[0].reason.contains("until 2026-11-26T00:00"), "{}", report.warnings[0].reason);
    assert!(text.trim_end().ends_with("3 resources, nothing is wrong. 1 warning."), "{text}");
    let json: Value = serde_json::from_str(&render(&report, Format::Json)).unwrap();
    assert_eq!((json["ok"].clone(), json["findings"].clone()), (true.into(), Value::Array(Vec::new())));
    assert_eq!(json["warnings"][0]["path"], "spec.schedule.coolDown");
    let sarif: Value = serde_json::from_str(&render(&report, Format::Sarif)).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "warning");
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"], code::SHORT_COOL_DOWN);
    let github = render(&report, Format::Github);
    assert!(github.starts_with("::warning file=shop.yaml,"), "{github}");
}
