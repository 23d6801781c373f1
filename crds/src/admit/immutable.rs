//! What cannot change any more once it has begun to matter.

use fanfare_core::model::Kind;
use fanfare_core::time::Tz;
use serde_json::Value;

use super::error::{FieldError, Findings, Path, code};
use super::{Door, campaign, mechanic, read};
use crate::wire::{CampaignRuntimeSpec, CampaignSpec};

/// Compares with the resource as it was accepted before. What cannot be read is judged elsewhere.
pub(super) fn check(kind: Kind, new: &Value, old: &Value, door: &Door<'_>) -> Vec<FieldError> {
    let mut findings = Findings::default();
    match kind {
        Kind::Campaign => {
            if let (Some(new), Some(old)) = (read(new), read(old)) {
                of_campaign(&new, &old, door, &mut findings);
            }
        }
        Kind::CampaignRuntime => {
            if let (Some(new), Some(old)) = (read(new), read(old)) {
                of_runtime(&new, &old, door, &mut findings);
            }
        }
        Kind::Segment | Kind::Reward | Kind::Automation | Kind::MessageTemplate | Kind::MessageChannel => {}
    }
    findings.errors
}

fn of_campaign(new: &CampaignSpec, old: &CampaignSpec, door: &Door<'_>, findings: &mut Findings) {
    let zone = door.runtime.map_or(Tz::UTC, |runtime| runtime.zone);
    let Some(started) = campaign::start_of(&old.schedule, zone).filter(|start| *start <= door.now) else { return };
    let path = Path::SPEC;
    if campaign::start_of(&new.schedule, zone).is_some_and(|start| start != started) {
        let schedule = path.field("schedule");
        let remedy =
            format!("leave it at \"{}\", or make a campaign with another name", old.schedule.start_at.as_str());
        findings.push(schedule.field("startAt"), code::IMMUTABLE, "the campaign has started", remedy);
    }
    let mechanics = path.field("mechanics");
    for (index, now) in new.mechanics.iter().enumerate() {
        let before = old.mechanics.iter().find(|mechanic| mechanic.name == now.name).and_then(mechanic::kind);
        if let (Some(before), Some(kind)) = (before, mechanic::kind(now))
            && before != kind
        {
            let at = mechanics.index(index);
            let reason = format!("`{}` has run as {before} since the campaign started", now.name.as_str());
            findings.push(at.field(kind), code::IMMUTABLE, reason, "give the new mechanic another name");
        }
    }
}

fn of_runtime(new: &CampaignRuntimeSpec, old: &CampaignRuntimeSpec, door: &Door<'_>, findings: &mut Findings) {
    if door.has_ledger && new.currency != old.currency {
        let remedy = format!("leave it at {}, or use another namespace", old.currency.as_str());
        findings.push(Path::SPEC.field("currency"), code::IMMUTABLE, "money has moved in this namespace", remedy);
    }
}
