//! The one place where conditions are set: kstatus types, a time that moves only when the status flips.

use serde::{Deserialize, Serialize};

/// A condition as the status carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Such as `Ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// A constant, one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// When the status last flipped, in real time.
    pub last_transition_time: String,
    /// Which generation it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What a condition should say, before it is compared with what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Such as `Ready`.
    pub kind: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// A constant, one word.
    pub reason: &'static str,
    /// In a sentence, at most [`MESSAGE_MAX`] characters.
    pub message: String,
}

/// The longest message of a condition, as the schema bounds it.
pub const MESSAGE_MAX: usize = 4_096;

/// The conditions after these claims: the time of each moves only when its status flips.
pub fn set(former: &[Condition], claims: &[Claim], generation: i64, now: &str) -> Vec<Condition> {
    claims
        .iter()
        .map(|claim| {
            let status = if claim.holds { "True" } else { "False" };
            let same = former.iter().find(|condition| condition.kind == claim.kind && condition.status == status);
            Condition {
                kind: claim.kind.into(),
                status: status.into(),
                reason: claim.reason.into(),
                message: claim.message.chars().take(MESSAGE_MAX).collect(),
                last_transition_time: same.map_or_else(|| now.to_owned(), |c| c.last_transition_time.clone()),
                observed_generation: Some(generation),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_moves_only_when_the_status_flips() {
        let claim = |holds, reason| Claim { kind: "Ready", holds, reason, message: "m".into() };
        let first = set(&[], &[claim(true, "Published")], 1, "t1");
        let again = set(&first, &[claim(true, "Other")], 2, "t2");
        let flipped = set(&again, &[claim(false, "Invalid")], 3, "t3");
        assert_eq!(again[0].last_transition_time, "t1");
        assert_eq!((again[0].reason.as_str(), again[0].observed_generation), ("Other", Some(2)));
        assert_eq!(flipped[0].last_transition_time, "t3");
    }
}
