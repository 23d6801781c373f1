//! Reports for finance: each reads one consistent cut of the kept data and names its position.
//!
//! Nothing is decided here and nothing written. Money is in minor units of the Runtime's currency.

use crate::{
    CallError, Engine,
    days::{self, DayFigures},
};
use fanfare_core::{
    ids::{Name, StoreId},
    ledger::POINTS,
    model::{RuntimePlan, reward::RewardKind},
    money::Minor,
    reward,
    time::Ts,
};
use fanfare_store::{
    Position,
    reports::{Asked, Cut, GrantSum, Sum},
    rows::GrantState,
};
use std::{collections::BTreeMap, sync::Arc};

/// The account that stands for all wallets in a cut.
const WALLETS: &str = "wallet/*";
/// The account that stands for all gift cards in a cut.
const GIFT_CARDS: &str = "giftcard/*";

/// A report of one cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<T> {
    /// Everything up to here is in it, nothing behind.
    pub position: Position,
    /// Business time of the cut.
    pub as_of: Ts,
    /// What it says.
    pub lines: Vec<T>,
}

/// What is owed, or no longer, for one kind of value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// `points` in wallets, `giftCard`, or the kind of a reward that waits to be used: `voucher`, `freeItem`, `points`.
    pub kind: &'static str,
    /// The reward; nothing for what wallets and cards hold.
    pub reward: Option<Name>,
    /// Who pays for it.
    pub campaign: Option<Name>,
    /// Points, uses of vouchers, or minor units on gift cards.
    pub quantity: i64,
    /// Points at the Runtime's worth, each use of a reward at its `unitCost` (else its worth), cards as they stand.
    pub worth: Minor,
}

impl Engine {
    /// The sums of all accounts. Wallets are one line together, and so are gift cards.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn trial_balance(&self) -> Result<Report<Sum>, CallError> {
        let (cut, as_of) = self.cut(&Asked { balances: true, ..Asked::default() }).await?;
        Ok(Report { position: cut.position, as_of, lines: cut.balances })
    }

    /// What members may still claim: points, gift cards and unused rewards. It reads every grant.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn liability(&self) -> Result<Report<Claim>, CallError> {
        let (cut, as_of) = self.cut(&Asked { balances: true, grants: true, ..Asked::default() }).await?;
        let runtime = self.plans().runtime.clone();
        let mut lines = Vec::new();
        for (account, kind) in [(WALLETS, "points"), (GIFT_CARDS, "giftCard")] {
            for sum in cut.balances.iter().filter(|sum| sum.account == account) {
                lines.extend(held(kind, &sum.unit, sum.amount, runtime.as_deref()));
            }
        }
        lines.extend(granted(&cut, |state| state != GrantState::Expired, runtime));
        Ok(Report { position: cut.position, as_of, lines })
    }

    /// What expired unspent. It reads every grant.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn breakage(&self) -> Result<Report<Claim>, CallError> {
        let asked = Asked { balances: true, lapses: true, grants: true, ..Asked::default() };
        let (cut, as_of) = self.cut(&asked).await?;
        let runtime = self.plans().runtime.clone();
        let mut lines = Vec::new();
        for (unit, amount) in &cut.lapses {
            lines.extend(held("points", unit, *amount, runtime.as_deref()));
        }
        for sum in &cut.balances {
            let reward = sum.account.strip_prefix("giftcards/").and_then(|rest| rest.strip_suffix("/breakage"));
            let left = held("giftCard", &sum.unit, sum.amount, runtime.as_deref()).filter(|_| reward.is_some());
            lines.extend(left.map(|left| Claim { reward: reward.map(Name::from), ..left }));
        }
        lines.extend(granted(&cut, |state| state == GrantState::Expired, runtime));
        Ok(Report { position: cut.position, as_of, lines })
    }

    /// What each store with a record did on a business day (`YYYY-MM-DD`), or one store, which has a line in any case.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn reconciliation(
        &self,
        business_date: &str,
        store: Option<&StoreId>,
    ) -> Result<Report<DayFigures>, CallError> {
        let asked = Asked { counters: Some(days::prefix(business_date)), ..Asked::default() };
        let (cut, as_of) = self.cut(&asked).await?;
        let mut lines = days::read(business_date, &cut.counters);
        if let Some(store) = store {
            lines.retain(|day| day.store.as_ref() == Some(store));
            if lines.is_empty() {
                lines.push(DayFigures::empty(store, business_date));
            }
        }
        Ok(Report { position: cut.position, as_of, lines })
    }

    async fn cut(&self, asked: &Asked) -> Result<(Cut, Ts), CallError> {
        let as_of = self.clock().now();
        Ok((self.store().cut(self.namespace(), asked).await?, as_of))
    }
}

/// What wallets or cards hold; nothing where it is nothing.
fn held(kind: &'static str, unit: &str, amount: i64, runtime: Option<&RuntimePlan>) -> Option<Claim> {
    let worth = match runtime.filter(|_| unit == POINTS) {
        Some(runtime) => runtime.worth_of_points(amount),
        None if unit == POINTS => Minor::ZERO,
        None => Minor(amount),
    };
    (amount != 0).then_some(Claim { kind, reward: None, campaign: None, quantity: amount, worth })
}

/// Grants in some states, by reward and campaign. Each is worth what its own terms say.
fn granted(cut: &Cut, of: impl Fn(GrantState) -> bool, runtime: Option<Arc<RuntimePlan>>) -> Vec<Claim> {
    let Some(runtime) = runtime else { return Vec::new() };
    let mut claims: BTreeMap<(Name, Option<Name>, &'static str), (i64, Minor)> = BTreeMap::new();
    // What is on a gift card is in the ledger, to the last minor unit.
    let counted = |sum: &&GrantSum| of(sum.state) && !sum.terms.kind.is_payment();
    for GrantSum { terms, campaign, state: _, grants: _, uses } in cut.grants.iter().filter(counted) {
        let key = (terms.name.clone(), campaign.clone(), RewardKind::as_str(&terms.kind));
        let (quantity, worth) = claims.entry(key).or_default();
        *quantity += uses;
        *worth = worth.plus(Minor(reward::cost_of_use(terms, &runtime).0.saturating_mul(*uses)));
    }
    let claim =
        |((reward, campaign, kind), (quantity, worth))| Claim { kind, reward: Some(reward), campaign, quantity, worth };
    claims.into_iter().map(claim).collect()
}
