//! The campaign repositories that the figures run on.

use anyhow::Result;
use std::{fmt::Write as _, fs, path::Path};

const RUNTIME: &str = r#"apiVersion: fanfare.dev/v1alpha1
kind: CampaignRuntime
metadata: {name: bench}
spec:
  timeZone: Asia/Bangkok
  currency: THB
  locales: {default: en}
  attributes:
    tier: {type: Enum, values: [silver, gold]}
    city: {type: String}
  stores: [{id: bkk-01}]
  login: {dev: true}
---
apiVersion: fanfare.dev/v1alpha1
kind: Segment
metadata: {name: gold-in-bangkok}
spec:
  title: Gold members in Bangkok
  match:
    all:
      - attribute: {name: tier, in: [gold]}
      - attribute: {name: city, equals: Bangkok}
      - not: {tags: {any: [staff]}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Reward
metadata: {name: voucher}
spec:
  title: 50 baht off
  voucher: {amountOff: "50"}
  codes: {generate: {length: 12}}
  unitCost: {amount: "50"}
"#;

/// Started long ago, without an end, so that a figure does not depend on the day.
fn campaign(name: &str, mechanic: &str) -> String {
    format!(
        r#"---
apiVersion: fanfare.dev/v1alpha1
kind: Campaign
metadata: {{name: {name}}}
spec:
  title: Buy more and save ({name})
  objective: Promotion
  tags: [seasonal]
  schedule: {{timeZone: Asia/Bangkok, startAt: "2020-01-01T00:00"}}
  audience: {{include: [{{segment: gold-in-bangkok}}]}}
  participation: {{join: Automatic}}
  mechanics:
    - {mechanic}
  budget: {{limit: "900000000"}}
  content:
    defaultLocale: en
    locales: {{en: {{title: Buy more and save, summary: All stores while the budget lasts, benefits: [50 baht off the next order]}}}}
"#
    )
}

/// A few campaigns for one audience, whose feed has about 2.2 KB.
pub(crate) fn feed(folder: &Path) -> Result<()> {
    let mut text = RUNTIME.to_owned();
    for number in 0..4 {
        let mechanic = r#"{name: ten-percent, discount: {percentOff: "10%", items: {all: true}}}"#;
        let _ = write!(text, "{}", campaign(&format!("feed-{number}"), mechanic));
    }
    Ok(fs::write(folder.join("bench.yaml"), text)?)
}

/// One campaign that gives one voucher for each order.
pub(crate) fn vouchers(folder: &Path) -> Result<()> {
    let mechanic = r#"{name: gift, spendThreshold: {tiers: [{spend: "1", reward: voucher}]}}"#;
    Ok(fs::write(folder.join("bench.yaml"), format!("{RUNTIME}{}", campaign("bench", mechanic)))?)
}

/// How many campaigns [`lanes`] has beside the hot one.
pub(crate) const SPREAD: usize = 10;

/// A hot campaign that gives each member of one tier a voucher for each order, and ten that give each member of the other
/// tier one each.
pub(crate) fn lanes(folder: &Path) -> Result<()> {
    let mechanic = r#"{name: gift, spendThreshold: {tiers: [{spend: "1", reward: voucher}]}}"#;
    let silver = RUNTIME.replace("in: [gold]", "in: [silver]").replace("gold-in-bangkok", "silver-in-bangkok");
    let segment = silver.split("---\n").find(|part| part.contains("kind: Segment")).unwrap_or_default();
    let mut text = format!("{RUNTIME}---\n{segment}{}", campaign("hot", mechanic));
    for number in 0..SPREAD {
        text += &campaign(&format!("spread-{number}"), mechanic).replace("gold-in-bangkok", "silver-in-bangkok");
    }
    Ok(fs::write(folder.join("bench.yaml"), text)?)
}

/// A segment that counts visits, so that each event changes an audience.
pub(crate) fn visits(folder: &Path) -> Result<()> {
    let segment = r#"---
apiVersion: fanfare.dev/v1alpha1
kind: Segment
metadata: {name: regulars}
spec:
  title: Came three times
  match: {all: [{behavior: {event: store.visited, countAtLeast: 3, within: 90d}}]}
"#;
    Ok(fs::write(folder.join("bench.yaml"), format!("{RUNTIME}{segment}"))?)
}

/// So many campaigns, one file each.
pub(crate) fn many(folder: &Path, count: usize) -> Result<()> {
    fs::write(folder.join("bench.yaml"), RUNTIME)?;
    for number in 0..count {
        let name = format!("c-{number:04}");
        let mechanic = r#"{name: gift, spendThreshold: {tiers: [{spend: "100", reward: voucher}]}}"#;
        fs::write(folder.join(format!("{name}.yaml")), campaign(&name, mechanic))?;
    }
    Ok(())
}
