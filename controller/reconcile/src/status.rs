//! When a status is written: at once on a transition, figures at most so often, and only when a shown digit changed.

use crate::queue::Key;
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// How often one object's figures are written at most.
pub const FIGURES_EVERY: Duration = Duration::from_secs(15);
/// How many statuses are written in a second for figures alone, over all objects.
pub const FIGURES_PER_SECOND: u32 = 20;

/// Fields that name when something was true: on their own they are no change.
const STAMPS: [&str; 2] = ["asOf", "position"];
/// Parts of a status that are figures: a change in them alone waits its turn.
pub const FIGURES: [&str; 19] = [
    "metrics",
    "budget",
    "audience",
    "size",
    "reachable",
    "reachableTotal",
    "entered24h",
    "left24h",
    "changed",
    "issued",
    "claimed",
    "redeemed",
    "left",
    "codes",
    "cost",
    "entered",
    "active",
    "completed",
    "campaigns",
];
/// Counts of channels, which are figures too.
const MORE_FIGURES: [&str; 2] = ["sent", "failed"];

/// How a new status differs from the one that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not at all, but for stamps.
    None,
    /// In figures only.
    Figures,
    /// In a phase, a condition or a revision.
    Transition,
}

/// Compares a status with the one that is shown.
pub fn compare(shown: &Value, wanted: &Value) -> Change {
    let (shown, wanted) = (without(shown, &STAMPS), without(wanted, &STAMPS));
    if shown == wanted {
        return Change::None;
    }
    let strip = |value: &Value| {
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|key, _| !FIGURES.contains(&key.as_str()) && !MORE_FIGURES.contains(&key.as_str()));
        }
        value
    };
    if strip(&shown) == strip(&wanted) { Change::Figures } else { Change::Transition }
}

/// What turns the status that is shown into the new one, as a merge patch.
pub fn changes(shown: &Value, wanted: &Value) -> Value {
    let (Value::Object(shown), Value::Object(wanted)) = (shown, wanted) else { return wanted.clone() };
    let gone = shown.keys().filter(|name| !wanted.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let new = wanted.iter().filter_map(|(name, value)| match shown.get(name) {
        Some(known) if known == value => None,
        Some(known) => Some((name.clone(), changes(known, value))),
        None => Some((name.clone(), value.clone())),
    });
    Value::Object(gone.chain(new).collect())
}

fn without(value: &Value, names: &[&str]) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !names.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key.clone(), without(value, names))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| without(item, names)).collect()),
        other => other.clone(),
    }
}

/// Remembers when figures were last written and how often an object failed. Memory only: after a start everything may be
/// written at once.
#[derive(Debug, Default)]
pub struct Pace {
    state: Mutex<PaceState>,
}

#[derive(Debug, Default)]
struct PaceState {
    written: HashMap<Key, Instant>,
    failures: HashMap<Key, u32>,
    /// Turns that were given out and not used yet, in the order in which they were asked for: nobody is passed over.
    turns: HashMap<Key, Instant>,
    /// The first turn that is free.
    free: Option<Instant>,
}

impl Pace {
    /// Whether figures of this object may be written now; if not, when to ask again. Whoever has to wait because so many
    /// are written gets a turn of its own.
    ///
    /// # Errors
    /// How long to wait.
    pub fn figures(&self, key: &Key, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock();
        if let Some(next) = state.written.get(key).map(|at| *at + FIGURES_EVERY).filter(|next| *next > now) {
            return Err(next - now);
        }
        let turn = match state.turns.get(key) {
            Some(turn) => *turn,
            None => {
                let turn = state.free.map_or(now, |free| free.max(now));
                state.free = Some(turn + Duration::from_secs(1) / FIGURES_PER_SECOND);
                turn
            }
        };
        if turn > now {
            state.turns.insert(key.clone(), turn);
            return Err(turn - now);
        }
        state.turns.remove(key);
        state.written.insert(key.clone(), now);
        Ok(())
    }

    /// Whether this object's figures were last written long enough ago.
    pub fn is_due(&self, key: &Key) -> bool {
        self.state.lock().written.get(key).is_none_or(|at| at.elapsed() >= FIGURES_EVERY)
    }

    /// Notes that a status was written because of a transition, which carries the figures along.
    pub fn wrote(&self, key: &Key) {
        let mut state = self.state.lock();
        state.written.insert(key.clone(), Instant::now());
        state.turns.remove(key);
        state.failures.remove(key);
    }

    /// An object is gone, or well again.
    pub fn forget(&self, key: &Key) {
        let mut state = self.state.lock();
        state.written.remove(key);
        state.turns.remove(key);
        state.failures.remove(key);
    }

    /// How long to wait before the next try: doubling, up to `most`.
    pub fn backoff(&self, key: &Key, most: Duration) -> Duration {
        let mut state = self.state.lock();
        let failures = state.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        let doubled = Duration::from_millis(250).saturating_mul(2_u32.saturating_pow((*failures).min(16) - 1));
        doubled.min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_of_the_changes_makes_the_wanted_status() {
        let cases = [
            (json!({}), json!({"a": 1}), json!({"a": 1})),
            (json!({"a": 1, "b": {"c": 1, "d": 2}}), json!({"a": 1, "b": {"c": 3}}), json!({"b": {"c": 3, "d": null}})),
            (json!({"a": [1, 2], "b": 1}), json!({"a": [2]}), json!({"a": [2], "b": null})),
            (json!({"a": {"x": 1}}), json!({"a": "text"}), json!({"a": "text"})),
            (json!({"a": "text"}), json!({"a": {"x": {}}}), json!({"a": {"x": {}}})),
            (json!({"a": 1}), json!({"a": 1}), json!({})),
        ];
        for (shown, wanted, expect) in cases {
            let patch = changes(&shown, &wanted);
            assert_eq!(patch, expect, "{shown} to {wanted}");
            let mut patched = shown;
            json_patch::merge(&mut patched, &patch);
            assert_eq!(patched, wanted);
        }
    }
    use fanfare_core::model::Kind;
    use serde_json::json;

    #[test]
    fn a_stamp_alone_is_no_change_and_a_phase_is_a_transition() {
        let shown = json!({"phase": "Active", "metrics": {"participants": 1, "asOf": "a", "position": 1}});
        let cases = [
            (json!({"phase": "Active", "metrics": {"participants": 1, "asOf": "b", "position": 2}}), Change::None),
            (json!({"phase": "Active", "metrics": {"participants": 2, "asOf": "b"}}), Change::Figures),
            (json!({"phase": "Paused", "metrics": {"participants": 2}}), Change::Transition),
        ];
        for (wanted, change) in cases {
            assert_eq!(compare(&shown, &wanted), change, "{wanted}");
        }
    }

    #[test]
    fn figures_of_one_object_wait_and_all_together_are_bounded_and_nobody_is_passed_over() {
        let pace = Pace::default();
        let start = Instant::now();
        let key = |n: u32| Key { kind: Kind::Campaign, namespace: "n".into(), name: n.to_string() };
        assert_eq!(pace.figures(&key(0), start), Ok(()));
        assert_eq!(pace.figures(&key(0), start), Err(FIGURES_EVERY));
        let turns: Vec<Duration> = (1..=100).map(|n| pace.figures(&key(n), start).unwrap_err()).collect();
        let apart = Duration::from_secs(1) / FIGURES_PER_SECOND;
        assert_eq!(turns, (1..=100).map(|n| apart * n).collect::<Vec<_>>());
        // Whoever asks again keeps its turn, and whoever comes later does not get it.
        assert_eq!(pace.figures(&key(100), start + apart), Err(apart * 99));
        assert_eq!(pace.figures(&key(101), start + apart), Err(apart * 100));
        let in_a_second = (1..=101).filter(|n| pace.figures(&key(*n), start + Duration::from_secs(1)).is_ok()).count();
        assert_eq!(in_a_second, FIGURES_PER_SECOND as usize);
        assert_eq!(pace.figures(&key(0), start + Duration::from_secs(16)), Ok(()), "nobody waits any more");
        assert_eq!(pace.figures(&key(50), start + Duration::from_secs(16)), Ok(()), "its turn has come");
    }
}
