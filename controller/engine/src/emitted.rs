//! What the system does is an event that Automations hear: a member joins or converts, a reward is issued, claimed, over or
//! taken back, a redemption committed or reversed. Each is told once, in the transaction that makes it, from the rows that
//! the command changed: no command has to think of it. That a reward will be over, its job tells; how far a member has come
//! towards its goals, [`crate::reached`].

use crate::{
    Halt, audience,
    give::is_nobody,
    journeys::{Heard, heard},
    tx::Tx,
};
use chrono::SecondsFormat;
use fanfare_core::{
    ids::MemberId,
    journey::{exits, starts},
    time::{Span, Ts},
};
use fanfare_store::rows::{Grant, GrantState, Happening, Participation, Redemption, RedemptionState};
use serde_json::{Value, json};

const JOINED: &str = "campaign.joined";
const CONVERTED: &str = "campaign.converted";
const ISSUED: &str = "grant.issued";
const CLAIMED: &str = "grant.claimed";
const EXPIRING: &str = "grant.expiring";
const EXPIRED: &str = "grant.expired";
const REVOKED: &str = "grant.revoked";
const COMMITTED: &str = "redemption.committed";
const REVERSED: &str = "redemption.reversed";

/// Every type that is told here.
const KINDS: [&str; 8] = [JOINED, CONVERTED, ISSUED, CLAIMED, EXPIRED, REVOKED, COMMITTED, REVERSED];

/// One event.
#[derive(Clone, Debug)]
struct Told {
    member: MemberId,
    /// The row that it is about.
    of: String,
    kind: &'static str,
    data: Value,
}

/// Tells what the command at hand changed.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn tell(tx: &mut Tx<'_>) -> Result<(), Halt> {
    if !is_heard(tx, &KINDS) {
        return Ok(());
    }
    let mut all: Vec<Told> = tx.changed_grants().filter_map(|(before, row)| of_grant(before, row)).collect();
    all.extend(tx.changed_participations().flat_map(|(before, row)| of_participation(before, row)));
    for (before, row) in tx.changed_redemptions() {
        all.extend(of_redemption(tx, before, row)?);
    }
    // Paper is held by nobody until somebody uses it.
    all.retain(|one| !is_nobody(&one.member));
    // The same rows tell in the same order, however often a command is decided.
    all.sort_by(|one, other| (&one.member, &one.of, one.kind).cmp(&(&other.member, &other.of, other.kind)));
    for Told { member, kind, data, of: _ } in &all {
        heard(tx, Heard { member, kind, at: tx.now, data, late: false })?;
    }
    Ok(())
}

/// Whether an Automation listens to one of these types.
pub(crate) fn is_heard(tx: &Tx<'_>, kinds: &[&str]) -> bool {
    let listens = |kind: &&str| tx.plans.automations.values().any(|plan| starts(plan, kind) || exits(plan, kind));
    kinds.iter().any(listens)
}

/// Tells that a grant ends at `end`, `before` of it. Its job does: no row changes.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn expiring(tx: &mut Tx<'_>, grant: &Grant, end: Ts, before: Span) -> Result<(), Halt> {
    let end = end.with_timezone(&audience::zone_of(tx.plans));
    let more = json!({
        "code": grant.code,
        "expiresAt": end.to_rfc3339_opts(SecondsFormat::Secs, false),
        "expiresOn": end.format("%Y-%m-%d %H:%M").to_string(),
        "before": before.to_string(),
    });
    let Told { member, kind, data, .. } = told(grant, EXPIRING, grant.id.as_str(), None, more);
    if is_nobody(&member) {
        return Ok(());
    }
    heard(tx, Heard { member: &member, kind, at: tx.now, data: &data, late: false })
}

fn of_grant(before: Option<&Grant>, row: &Grant) -> Option<Told> {
    let was = before.map(|before| before.state);
    use GrantState::{Claimed, Granted, Pending, Redeemed, Reserved};
    let kind = match (was, row.state) {
        (None | Some(Pending), Granted | Claimed | Reserved | Redeemed) => ISSUED,
        (Some(Granted), Claimed | Redeemed) => CLAIMED,
        (Some(was), GrantState::Expired) if was != GrantState::Expired => EXPIRED,
        (Some(was), GrantState::Revoked) if was != GrantState::Revoked => REVOKED,
        _ => return None,
    };
    let last = row.history.last();
    Some(told(row, kind, row.id.as_str(), last, json!({})))
}

fn of_redemption(tx: &Tx<'_>, before: Option<&Redemption>, row: &Redemption) -> Result<Option<Told>, Halt> {
    let was = before.map(|before| before.state);
    let kind = match row.state {
        RedemptionState::Committed if was != Some(RedemptionState::Committed) => COMMITTED,
        RedemptionState::Reversed if was != Some(RedemptionState::Reversed) => REVERSED,
        _ => return Ok(None),
    };
    let Some(grant) = tx.grant(&row.grant)? else { return Ok(None) };
    let amount = tx.runtime()?.currency.format(row.amount);
    let more = json!({ "orderId": row.order, "storeId": row.store, "amount": amount });
    Ok(Some(told(grant, kind, row.id.as_str(), None, more)))
}

fn told(grant: &Grant, kind: &'static str, of: &str, last: Option<&Happening>, more: Value) -> Told {
    let mut data = json!({
        "grant": grant.id,
        "reward": grant.terms.name,
        "title": grant.terms.title,
        "campaign": grant.campaign,
        "mechanic": grant.mechanic,
        "storeId": last.and_then(|last| last.store.as_ref()),
        "orderId": last.and_then(|last| last.order.as_ref()),
    });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
        data.retain(|_, value| !value.is_null());
    }
    Told { member: grant.member.clone(), of: of.to_owned(), kind, data }
}

fn of_participation(before: Option<&Participation>, row: &Participation) -> Vec<Told> {
    let joined = before.is_none().then_some(JOINED);
    let converted = (row.converted && !before.is_some_and(|before| before.converted)).then_some(CONVERTED);
    let told = |kind| Told {
        member: row.member.clone(),
        of: row.campaign.to_string(),
        kind,
        data: json!({ "campaign": row.campaign }),
    };
    [joined, converted].into_iter().flatten().map(told).collect()
}
