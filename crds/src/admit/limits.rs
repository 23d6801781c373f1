//! Limits: at most so many per someone, in a calendar period or within a length that moves with time.

use fanfare_core::model::campaign::{Counted, Limit, Per};
use fanfare_core::time::{Every, Span};

use super::context::Context;
use super::error::Path;
use crate::wire::common::{CountLimit, CountPer, Limit as Written, LimitCount, LimitPer, Period};
use crate::wire::reward::{RewardLimit, RewardLimitPer};
use crate::wire::text;

/// The shortest length that a limit looks back over: shorter ones are the till's own business.
const WITHIN_MIN: Span = Span::seconds(10);
/// The longest; what is longer is a calendar period.
const WITHIN_MAX: Span = Span::days(30);

/// Limits of a campaign or of one mechanic.
pub(super) fn limits(limits: &[Written], context: &mut Context<'_>, path: Path<'_>) -> Vec<Limit> {
    let one = |(index, limit): (usize, &Written)| {
        let Written { count, per, every, within, max } = limit;
        let count = match count {
            LimitCount::Joins => Counted::Joins,
            LimitCount::Orders => Counted::Orders,
            LimitCount::Rewards => Counted::Rewards,
        };
        let per = match per {
            LimitPer::Member => Per::Member,
            LimitPer::Store => Per::Store,
            LimitPer::Campaign => Per::Campaign,
            LimitPer::Order => Per::Order,
            LimitPer::Device => Per::Device,
            LimitPer::Address => Per::Address,
            LimitPer::Card => Per::Card,
        };
        Limit { count, per, every: stretch(*every, within.as_ref(), context, path.index(index)), max: *max }
    };
    limits.iter().enumerate().map(one).collect()
}

/// Limits of a Reward: each counts what is given of it.
pub(super) fn of_reward(limits: &[RewardLimit], context: &mut Context<'_>, path: Path<'_>) -> Vec<Limit> {
    let one = |(index, limit): (usize, &RewardLimit)| {
        let RewardLimit { per, every, within, max } = limit;
        let per = match per {
            RewardLimitPer::Member => Per::Member,
            RewardLimitPer::Store => Per::Store,
            RewardLimitPer::Campaign => Per::Campaign,
            RewardLimitPer::Order => Per::Order,
            RewardLimitPer::Reward => Per::Reward,
            RewardLimitPer::Device => Per::Device,
            RewardLimitPer::Address => Per::Address,
            RewardLimitPer::Card => Per::Card,
        };
        let every = stretch(*every, within.as_ref(), context, path.index(index));
        Limit { count: Counted::Rewards, per, every, max: *max }
    };
    limits.iter().enumerate().map(one).collect()
}

/// Limits where it is clear what they count.
pub(super) fn of(count: Counted, limits: &[CountLimit], context: &mut Context<'_>, path: Path<'_>) -> Vec<Limit> {
    let one = |(index, limit): (usize, &CountLimit)| {
        let CountLimit { per, every, within, max } = limit;
        let per = match per {
            CountPer::Member => Per::Member,
            CountPer::Campaign => Per::Campaign,
        };
        Limit { count, per, every: stretch(*every, within.as_ref(), context, path.index(index)), max: *max }
    };
    limits.iter().enumerate().map(one).collect()
}

/// The stretch of a limit. One per order has none: there, an order is for ever.
fn stretch(every: Option<Period>, within: Option<&text::Span>, context: &mut Context<'_>, path: Path<'_>) -> Every {
    match (every, within) {
        (_, Some(span)) => Every::Within(context.span_within(span, WITHIN_MIN, WITHIN_MAX, path.field("within"))),
        (Some(Period::Hour), None) => Every::Hour,
        (Some(Period::Day), None) => Every::Day,
        (Some(Period::Week), None) => Every::Week,
        (Some(Period::Month), None) => Every::Month,
        (Some(Period::Lifetime) | None, None) => Every::Lifetime,
    }
}
