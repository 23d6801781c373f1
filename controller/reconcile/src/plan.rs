//! What to do about one object, from values only.

use crate::conditions::Claim;
use fanfare_core::{
    ids::Revision,
    model::{Kind, Plan, schedule::Phase},
};

/// What was found wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The document itself is wrong: only a new generation mends it.
    Invalid(String),
    /// Something that it names is not there (yet): (condition reason, sentence).
    Waiting(&'static str, String),
}

/// What an object should become.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Serve this.
    Serve(Box<Plan>, Revision),
    /// Serve nothing new; what was served goes on.
    Keep(Fault),
}

/// The reasons of conditions: constants that alerts may match.
pub mod reason {
    /// The database serves this generation.
    pub const PUBLISHED: &str = "Published";
    /// The document is wrong.
    pub const INVALID: &str = "Invalid";
    /// A resource that it names is missing.
    pub const REFERENCE_MISSING: &str = "ReferenceMissing";
    /// The Secret of a channel's login or of a reward's codes is missing.
    pub const SECRET_MISSING: &str = "SecretMissing";
    /// Every code that a Secret declares is in the reward's pool.
    pub const IMPORTED: &str = "Imported";
    /// Some lines of a Secret with codes were not taken.
    pub const LINES_REFUSED: &str = "LinesRefused";
    /// The namespace has no CampaignRuntime.
    pub const RUNTIME_MISSING: &str = "RuntimeMissing";
    /// The budget does not cover what could be spent.
    pub const NOT_COVERED: &str = "BudgetNotCovered";
    /// There is another CampaignRuntime in the namespace.
    pub const RUNTIME_DUPLICATE: &str = "RuntimeDuplicate";
    /// Nothing is under way.
    pub const SETTLED: &str = "Reconciled";
    /// Waits for something else.
    pub const WAITING: &str = "Waiting";
    /// Not visible yet, or no longer.
    pub const NOT_VISIBLE: &str = "NotVisible";
    /// Within its budget.
    pub const WITHIN: &str = "WithinLimit";
    /// The budget is used up.
    pub const EXHAUSTED: &str = "BudgetExhausted";
    /// A share of the budget was reached that its author wants to be told of.
    pub const REACHED: &str = "ThresholdReached";
    /// The budget is used up, and the campaign was suspended for it.
    pub const SUSPENDED: &str = "SuspendedByBudget";
}

/// Where a campaign's budget stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing to be told.
    Within,
    /// This share of it was reached.
    Reached(String),
    /// It is used up.
    Exhausted,
    /// It is used up, and the campaign was suspended for it.
    Suspended,
}

/// The conditions that every kind has.
pub fn base_claims(verdict: &Verdict) -> Vec<Claim> {
    let claim = |kind, holds, reason, message: &str| Claim { kind, holds, reason, message: message.into() };
    match verdict {
        Verdict::Serve(..) => vec![
            claim("Ready", true, reason::PUBLISHED, "the database serves this generation"),
            claim("Reconciling", false, reason::SETTLED, "nothing is under way"),
            claim("Stalled", false, reason::SETTLED, "nothing is in the way"),
        ],
        Verdict::Keep(Fault::Invalid(message)) => vec![
            claim("Ready", false, reason::INVALID, message),
            claim("Reconciling", false, reason::SETTLED, "waits for a corrected specification"),
            claim("Stalled", true, reason::INVALID, message),
        ],
        Verdict::Keep(Fault::Waiting(why, message)) => vec![
            claim("Ready", false, why, message),
            claim("Reconciling", true, reason::WAITING, message),
            claim("Stalled", false, reason::SETTLED, "it goes on by itself once that is there"),
        ],
    }
}

/// The conditions that a Campaign has beside those.
pub fn campaign_claims(verdict: &Verdict, phase: Phase, standing: &Standing) -> Vec<Claim> {
    let visible = match phase {
        Phase::Teaser | Phase::Active | Phase::CoolDown | Phase::Settling | Phase::Ended => true,
        Phase::Draft | Phase::Scheduled | Phase::Paused => false,
    };
    let served = matches!(verdict, Verdict::Serve(..)) || phase != Phase::Draft;
    let published = served && visible;
    let (holds, why, budget) = match standing {
        Standing::Within => (true, reason::WITHIN, "the budget holds".to_owned()),
        Standing::Reached(share) => (true, reason::REACHED, format!("{share} of the budget was reached")),
        Standing::Exhausted => (false, reason::EXHAUSTED, "the budget is used up".to_owned()),
        Standing::Suspended => {
            let remedy = "raise spec.budget.limit, or run `fanfare resume`";
            (false, reason::SUSPENDED, format!("the budget is used up and the campaign was suspended; {remedy}"))
        }
    };
    vec![
        Claim {
            kind: "Published",
            holds: published,
            reason: if published { reason::PUBLISHED } else { reason::NOT_VISIBLE },
            message: format!("the campaign is in phase {}", phase.as_str()),
        },
        Claim { kind: "WithinBudget", holds, reason: why, message: budget },
    ]
}

/// Which kinds can name a resource of this kind, so that they are looked at again when it changes.
pub fn dependents(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Segment => &[Kind::Campaign, Kind::Segment],
        Kind::Reward => &[Kind::Campaign, Kind::Automation],
        Kind::MessageTemplate | Kind::MessageChannel => &[Kind::Automation],
        Kind::CampaignRuntime => &Kind::ALL,
        Kind::Campaign | Kind::Automation => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_document_stalls_and_a_missing_reference_waits() {
        let stalled = base_claims(&Verdict::Keep(Fault::Invalid("wrong".into())));
        let waiting = base_claims(&Verdict::Keep(Fault::Waiting(reason::REFERENCE_MISSING, "no Segment".into())));
        let of = |claims: &[Claim]| claims.iter().map(|c| (c.kind, c.holds)).collect::<Vec<_>>();
        assert_eq!(of(&stalled), [("Ready", false), ("Reconciling", false), ("Stalled", true)]);
        assert_eq!(of(&waiting), [("Ready", false), ("Reconciling", true), ("Stalled", false)]);
    }

    #[test]
    fn ready_does_not_depend_on_the_phase_or_the_budget() {
        let published =
            campaign_claims(&Verdict::Keep(Fault::Invalid(String::new())), Phase::Active, &Standing::Exhausted);
        assert_eq!((published[0].holds, published[1].holds), (true, false));
    }
}
