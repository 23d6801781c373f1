//! Roll-ups: what the status of a resource shows, from the ledger's balances and counters at one position.
//!
//! Each is a command that changes nothing, so that all its figures are of one cut: those of the batch that answers it,
//! whose position comes with the answer. Rates and sums of money as text are `core::metrics`'.

use crate::{Command, Engine, Halt, plans::Plans, suspend, thresholds, tx::Tx};
use fanfare_core::{
    ids::Name,
    ledger::{account, stock_unit},
    mechanic::{State, key},
    model::{CampaignPlan, reward::RewardKind},
    money::{BasisPoints, Minor},
    time::Ts,
};
use fanfare_store::{Keys, Position};

/// The figures of a campaign. Money is in minor units of the Runtime's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignFigures {
    /// Of when.
    pub as_of: Ts,
    /// Members who joined or took part.
    pub participants: i64,
    /// Members of the audience, counted over memory.
    pub audience: i64,
    /// Participants with an attributed order.
    pub conversions: i64,
    /// Attributed orders.
    pub orders: i64,
    /// What was paid for them, less refunds.
    pub revenue: Minor,
    /// Grants.
    pub issued: i64,
    /// Grants that were claimed.
    pub claimed: i64,
    /// Grants that were redeemed.
    pub redeemed: i64,
    /// Booked cost of rewards.
    pub cost_rewards: Minor,
    /// Booked cost of messages.
    pub cost_messages: Minor,
    /// Booked fixed costs.
    pub cost_fixed: Minor,
    /// Money off, which stands apart, since revenue is net of it.
    pub discounts: Minor,
    /// The budget, where it has one.
    pub budget: Option<BudgetFigures>,
    /// What of revenue is profit.
    pub margin: BasisPoints,
    /// Whether it was settled for good.
    pub settled: bool,
    /// Whether the budget or a person suspended it.
    pub suspended: bool,
}

impl CampaignFigures {
    /// Rewards, messages and fixed costs together.
    pub fn cost_total(&self) -> Minor {
        self.cost_rewards.plus(self.cost_messages).plus(self.cost_fixed)
    }
}

/// Where a budget stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetFigures {
    /// What may be spent in all.
    pub limit: Minor,
    /// Set aside and not used yet.
    pub reserved: Minor,
    /// Spent.
    pub actual: Minor,
    /// What was set aside and came back, and at settlement what was left.
    pub released: Minor,
    /// What may still be reserved.
    pub remaining: Minor,
    /// When it first ran out.
    pub exhausted_at: Option<Ts>,
    /// The largest share of the limit that was told to be reached.
    pub reached: Option<BasisPoints>,
    /// Whether it suspended its campaign.
    pub suspended: bool,
}

impl BudgetFigures {
    /// Reserved and actual together.
    pub fn spent(&self) -> Minor {
        self.reserved.plus(self.actual)
    }
}

/// Asks the figures of a campaign.
#[derive(Clone, Debug)]
struct AskCampaign {
    name: Name,
    audience: i64,
}

/// Accounts of a campaign that the figures read, in the order of [`AskCampaign::run`].
fn accounts(name: &Name) -> [String; 8] {
    [
        account::sales_revenue(name),
        account::cost(name, "rewards"),
        account::cost(name, "messages"),
        account::cost(name, "fixed"),
        account::cost(name, "discounts"),
        account::budget_reserved(name),
        account::budget_actual(name),
        account::budget_available(name),
    ]
}

/// Counters of a campaign that the figures read.
const COUNTS: [&str; 8] =
    ["participants", "conversions", "orders", "issued", "claimed", "redeemed", "released", "exhausted"];

impl Command for AskCampaign {
    type Answer = Option<CampaignFigures>;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        if let Some(runtime) = &plans.runtime {
            let money = runtime.currency.code();
            keys.balances.extend(accounts(&self.name).map(|account| (account, money.to_owned())));
        }
        keys.counters.extend(COUNTS.map(|what| key::metric(&self.name, what)));
        keys.counters.insert(suspend::limit_key(&self.name));
        if let Some(plan) = plans.campaigns.get(&self.name).map(|campaign| &campaign.plan) {
            keys.counters.extend(told(plan).map(|(key, _)| key));
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<CampaignFigures>, Halt> {
        let Some(campaign) = tx.plans.campaigns.get(&self.name).cloned() else { return Ok(None) };
        let runtime = tx.runtime()?;
        let (money, margin) = (runtime.currency.code().to_owned(), runtime.margin);
        let mut balances = [Minor::ZERO; 8];
        for (place, account) in balances.iter_mut().zip(accounts(&self.name)) {
            *place = Minor(tx.balance(&account, &money)?);
        }
        let mut counts = [0; 8];
        for (place, what) in counts.iter_mut().zip(COUNTS) {
            *place = tx.count(&key::metric(&self.name, what))?;
        }
        let [revenue, cost_rewards, cost_messages, cost_fixed, discounts, reserved, actual, remaining] = balances;
        let [participants, conversions, orders, issued, claimed, redeemed, released, exhausted] = counts;
        let exhausted_at = if exhausted > 0 { Ts::from_timestamp(exhausted, 0) } else { None };
        let suspended = tx.count(&suspend::limit_key(&self.name))? > 0;
        let mut reached = None;
        for (key, share) in told(&campaign.plan) {
            if tx.count(&key)? > 0 {
                reached = reached.max(Some(share));
            }
        }
        let budget = campaign.plan.budget.map(|budget| BudgetFigures {
            limit: budget.limit,
            reserved,
            actual,
            released: Minor(released),
            remaining,
            exhausted_at,
            reached,
            suspended,
        });
        Ok(Some(CampaignFigures {
            as_of: tx.now,
            participants,
            audience: self.audience,
            conversions,
            orders,
            revenue,
            issued,
            claimed,
            redeemed,
            cost_rewards,
            cost_messages,
            cost_fixed,
            discounts,
            budget,
            margin,
            settled: campaign.settled,
            suspended: campaign.plan.suspended,
        }))
    }
}

/// The counters that say which shares of the budget's limit were told to be reached.
fn told(plan: &CampaignPlan) -> impl Iterator<Item = (String, BasisPoints)> {
    let shares = plan.budget.iter().flat_map(|budget| plan.notify_at.iter().map(move |share| (budget, *share)));
    shares.map(|(budget, share)| (thresholds::told_key(plan, budget, share), share))
}

/// The figures of a reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RewardFigures {
    /// Of when.
    pub as_of: Ts,
    /// Given.
    pub issued: i64,
    /// Claimed.
    pub claimed: i64,
    /// Redeemed.
    pub redeemed: i64,
    /// How many are left, where there is a quantity.
    pub left: Option<i64>,
    /// What was really given, in minor units.
    pub cost: Minor,
    /// `points`, `voucher` or `freeItem`.
    pub kind: &'static str,
}

#[derive(Clone, Debug)]
struct AskReward(Name);

impl Command for AskReward {
    type Answer = Option<RewardFigures>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.counters.extend(["issued", "claimed", "redeemed", "cost"].map(|what| key::reward(&self.0, what)));
        keys.balances.insert((account::stock_available(&self.0), stock_unit(&self.0)));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<RewardFigures>, Halt> {
        let Some(plan) = tx.plans.rewards.get(&self.0).cloned() else { return Ok(None) };
        let count = |what| tx.count(&key::reward(&self.0, what));
        let left = tx.balance(&account::stock_available(&self.0), &stock_unit(&self.0))?;
        Ok(Some(RewardFigures {
            as_of: tx.now,
            issued: count("issued")?,
            claimed: count("claimed")?,
            redeemed: count("redeemed")?,
            left: plan.quantity.map(|_| left.max(0)),
            cost: Minor(count("cost")?),
            kind: RewardKind::as_str(&plan.kind),
        }))
    }
}

/// The figures of an automation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutomationFigures {
    /// Of when.
    pub as_of: Ts,
    /// Runs that began.
    pub entered: i64,
    /// Runs under way.
    pub active: i64,
    /// Runs that went through.
    pub completed: i64,
    /// Runs that an exit event ended.
    pub exited: i64,
    /// Runs that were stopped.
    pub stopped: i64,
}

/// The figures of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelFigures {
    /// Of when.
    pub as_of: Ts,
    /// Messages that left.
    pub sent: i64,
    /// Messages that could not be sent, or of which nobody knows.
    pub failed: i64,
    /// Messages that were not sent for another reason, such as missing consent.
    pub dropped: i64,
}

/// Reads counters of one kind and name.
#[derive(Clone, Debug)]
struct AskFigures {
    kind: &'static str,
    name: Name,
    what: &'static [&'static str],
}

impl Command for AskFigures {
    type Answer = (Ts, Vec<i64>);

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.counters.extend(self.what.iter().map(|what| key::figure(self.kind, &self.name, what)));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<(Ts, Vec<i64>), Halt> {
        let counts = self.what.iter().map(|what| tx.count(&key::figure(self.kind, &self.name, what)));
        Ok((tx.now, counts.collect::<Result<_, _>>()?))
    }
}

impl Engine {
    /// The figures of a campaign; `None` when it is not served, or without a Runtime.
    ///
    /// # Errors
    /// [`crate::CallError`] when the database does not answer.
    pub async fn campaign_status(&self, name: &Name) -> Result<Option<(CampaignFigures, Position)>, crate::CallError> {
        let audience = self.audience_size(name).unwrap_or(0);
        let (answer, position) = self.execute(AskCampaign { name: name.clone(), audience }).await?;
        Ok(answer.ok().flatten().map(|figures| (figures, position)))
    }

    /// The figures of a reward; `None` when it is not served.
    ///
    /// # Errors
    /// [`crate::CallError`] when the database does not answer.
    pub async fn reward_status(&self, name: &Name) -> Result<Option<(RewardFigures, Position)>, crate::CallError> {
        let (answer, position) = self.execute(AskReward(name.clone())).await?;
        Ok(answer.ok().flatten().map(|figures| (figures, position)))
    }

    /// The figures of an automation.
    ///
    /// # Errors
    /// [`crate::CallError`] when the database does not answer.
    pub async fn automation_status(&self, name: &Name) -> Result<(AutomationFigures, Position), crate::CallError> {
        let what = &["entered", "completed", "exited", "stopped"];
        let (answer, position) = self.execute(AskFigures { kind: "automation", name: name.clone(), what }).await?;
        let figures = match answer.as_ref().map(|(as_of, counts)| (as_of, counts.as_slice())) {
            Ok((as_of, &[entered, completed, exited, stopped])) => {
                let active = entered - completed - exited - stopped;
                AutomationFigures { as_of: *as_of, entered, active, completed, exited, stopped }
            }
            _ => AutomationFigures::default(),
        };
        Ok((figures, position))
    }

    /// The figures of a channel.
    ///
    /// # Errors
    /// [`crate::CallError`] when the database does not answer.
    pub async fn channel_status(&self, name: &Name) -> Result<(ChannelFigures, Position), crate::CallError> {
        let what = &["sent", "failed", "dropped"];
        let (answer, position) = self.execute(AskFigures { kind: "channel", name: name.clone(), what }).await?;
        let figures = match answer.as_ref().map(|(as_of, counts)| (as_of, counts.as_slice())) {
            Ok((as_of, &[sent, failed, dropped])) => ChannelFigures { as_of: *as_of, sent, failed, dropped },
            _ => ChannelFigures::default(),
        };
        Ok((figures, position))
    }
}
