//! What giving back lines of an order comes to: the refund, the discount that goes with it, what was earned for too
//! little now, and the vouchers that come back. In any order of partial returns, the parts sum exactly to the whole.
//!
//! Each share of a line is given back by the units returned *so far*, less what was given back before, so rounding
//! never adds up; and after each return refund and discounts are together what its units cost (see `shares`).

mod shares;

use crate::{
    cart::{Discount, Earned, Evaluation, Line},
    ids::{GrantId, Name, OrderId},
    mechanic::{Clawback, Effect, basket::CountedBy},
    model::reward::OnReversal,
    money::{Minor, portion},
    pricing::{Consumed, Priced},
    reason::{Reason, Refusal},
};

/// An order as it was sold, with what came back before.
pub struct Sold<'a> {
    /// Which.
    pub order: &'a OrderId,
    /// What was sold.
    pub lines: &'a [Line],
    /// For how much and why.
    pub priced: &'a Priced,
    /// Units per line that came back before, by line id.
    pub returned: &'a [(String, i64)],
    /// How many of each of `evaluation.earned` were called back before, in its order; missing ones are 0.
    pub called_back: &'a [i64],
}

/// What one return comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenBack {
    /// What the shopper gets back.
    pub refund: Minor,
    /// What these units cost before discounts.
    pub total: Minor,
    /// Per returned line, in the order's order.
    pub lines: Vec<ReturnedLine>,
    /// How much of each discount is taken back with them, by index into `evaluation.discounts`.
    pub discounts: Vec<(usize, Minor)>,
    /// What is taken back of each campaign's own discounts (not of vouchers), for its budget.
    pub campaigns: Vec<(Name, Minor)>,
    /// Earned rewards whose ground is gone, by index into `evaluation.earned`.
    pub clawbacks: Vec<(usize, Clawback)>,
    /// Vouchers that can be used again.
    pub restored: Vec<GrantId>,
    /// Vouchers that are gone.
    pub forfeited: Vec<GrantId>,
    /// The counters to move back.
    pub effects: Vec<Effect>,
    /// Everything of the order has come back.
    pub complete: bool,
}

/// What comes back of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct ReturnedLine {
    pub id: String,
    pub quantity: i64,
    pub refund: Minor,
}

/// Gives back `lines` (line id and quantity) of an order. `on_reversal` says what becomes of a voucher: it comes back,
/// or is forfeited, when everything has come back of the lines that it was used on.
///
/// # Errors
/// `return-exceeds-order` for an unknown line, a quantity that is not positive, or more than is left.
pub fn give_back(
    sold: &Sold<'_>,
    lines: &[(String, i64)],
    on_reversal: &dyn Fn(&GrantId) -> OnReversal,
) -> Result<GivenBack, Refusal> {
    let steps = steps(sold, lines)?;
    let evaluation = &sold.priced.evaluation;
    let moved: Vec<&Step<'_>> = steps.iter().filter(|step| step.after > step.before).collect();
    let returned_lines: Vec<ReturnedLine> = moved
        .iter()
        .map(|step| {
            let payable = evaluation.lines.iter().find(|line| line.id == step.line.id).map(|line| line.payable);
            let (id, quantity) = (step.line.id.clone(), step.after - step.before);
            ReturnedLine { id, quantity, refund: step.part(payable.unwrap_or_default()) }
        })
        .collect();
    let discounts: Vec<(usize, Minor)> = evaluation
        .discounts
        .iter()
        .enumerate()
        .map(|(index, _)| (index, back_of(&steps, evaluation, index)))
        .filter(|(_, amount)| *amount > Minor::ZERO)
        .collect();
    let complete = steps.iter().all(|step| step.after == step.line.quantity);
    let (restored, forfeited) = vouchers(&evaluation.discounts, &steps, on_reversal);
    Ok(GivenBack {
        refund: returned_lines.iter().map(|line| line.refund).sum(),
        total: moved.iter().map(|step| step.part(step.line.total())).sum(),
        lines: returned_lines,
        campaigns: by_campaign(&evaluation.discounts, &discounts),
        discounts,
        clawbacks: clawbacks(sold.priced, &steps, sold.called_back),
        restored,
        forfeited,
        effects: effects(sold.priced, &steps, complete),
        complete,
    })
}

/// One line of the order with the units returned before and after this return.
struct Step<'a> {
    line: &'a Line,
    before: i64,
    after: i64,
}

impl Step<'_> {
    /// What this return takes of something that the whole line has.
    fn part(&self, whole: Minor) -> Minor {
        portion(whole, self.after, self.line.quantity).minus(portion(whole, self.before, self.line.quantity))
    }

    /// What this return takes of the line's share of a discount.
    fn back_of(&self, evaluation: &Evaluation, index: usize) -> Minor {
        let on_line = |discount: &Discount| -> Minor {
            discount.lines.iter().filter(|share| share.id == self.line.id).map(|share| share.amount).sum()
        };
        let all: Vec<Minor> = evaluation.discounts.iter().map(on_line).collect();
        let payable = evaluation.lines.iter().find(|line| line.id == self.line.id).map(|line| line.payable);
        let given = |units: i64| {
            let shares = shares::given_back(payable.unwrap_or_default(), &all, units, self.line.quantity);
            shares.get(index).copied().unwrap_or_default()
        };
        given(self.after).minus(given(self.before))
    }

    /// What is left of it afterwards.
    fn left(&self, whole: Minor) -> Minor {
        whole.minus(portion(whole, self.after, self.line.quantity))
    }
}

fn steps<'a>(sold: &Sold<'a>, lines: &[(String, i64)]) -> Result<Vec<Step<'a>>, Refusal> {
    let refuse = |detail: String| Refusal::new(Reason::ReturnExceedsOrder, detail);
    for (id, quantity) in lines {
        if *quantity < 1 {
            return Err(refuse(format!("Line {id}: the quantity must be at least 1.")));
        }
        if !sold.lines.iter().any(|line| line.id == *id) {
            return Err(refuse(format!("The order has no line {id}.")));
        }
    }
    let of = |pairs: &[(String, i64)], id: &str| -> i64 {
        pairs.iter().filter(|(line, _)| line == id).map(|(_, quantity)| *quantity).fold(0, i64::saturating_add)
    };
    sold.lines
        .iter()
        .map(|line| {
            let before = of(sold.returned, &line.id);
            let after = before.saturating_add(of(lines, &line.id));
            if after > line.quantity {
                let left = line.quantity - before;
                return Err(refuse(format!(
                    "Line {}: only {left} of {} can still be returned.",
                    line.id, line.quantity
                )));
            }
            Ok(Step { line, before, after })
        })
        .collect()
}

fn step_of<'s, 'a>(steps: &'s [Step<'a>], id: &str) -> Option<&'s Step<'a>> {
    steps.iter().find(|step| step.line.id == id)
}

/// What of the discount at `index` goes with these units.
fn back_of(steps: &[Step<'_>], evaluation: &Evaluation, index: usize) -> Minor {
    steps.iter().map(|step| step.back_of(evaluation, index)).sum()
}

fn by_campaign(all: &[Discount], back: &[(usize, Minor)]) -> Vec<(Name, Minor)> {
    let mut sums: Vec<(Name, Minor)> = Vec::new();
    for (index, amount) in back {
        let Some(Discount { campaign: Some(campaign), grant: None, .. }) = all.get(*index) else { continue };
        match sums.iter_mut().find(|(name, _)| name == campaign) {
            Some((_, sum)) => *sum = sum.plus(*amount),
            None => sums.push((campaign.clone(), *amount)),
        }
    }
    sums
}

/// The vouchers all of whose lines are back by this return, and were not before. A gift card gets back its share of each
/// line, so it is none of them.
fn vouchers(
    discounts: &[Discount],
    steps: &[Step<'_>],
    on_reversal: &dyn Fn(&GrantId) -> OnReversal,
) -> (Vec<GrantId>, Vec<GrantId>) {
    let all_back = |discount: &Discount, units: &dyn Fn(&Step<'_>) -> i64| {
        discount
            .lines
            .iter()
            .filter_map(|share| step_of(steps, &share.id))
            .all(|step| units(step) == step.line.quantity)
    };
    let freed = discounts
        .iter()
        .filter(|discount| !discount.payment)
        .filter(|discount| all_back(discount, &|step| step.after) && !all_back(discount, &|step| step.before))
        .filter_map(|discount| discount.grant.clone());
    freed.partition(|grant| on_reversal(grant) == OnReversal::Restore)
}

/// What a threshold needed is no longer spent: as many rewards as it now falls short of, less those called back before.
fn clawbacks(priced: &Priced, steps: &[Step<'_>], before: &[i64]) -> Vec<(usize, Clawback)> {
    let mut clawbacks = Vec::new();
    for (index, earned) in priced.evaluation.earned.iter().enumerate() {
        let Some(threshold) = earned.threshold.filter(|threshold| *threshold > Minor::ZERO) else { continue };
        let counted = earned.counted.iter().filter_map(|share| Some(step_of(steps, &share.id)?.left(share.amount)));
        let spend: Minor = counted.sum();
        let holds = (spend.0.max(0) / threshold.0).min(earned.quantity);
        let quantity = earned.quantity - holds - before.get(index).copied().unwrap_or(0);
        if quantity > 0 {
            let Earned { campaign, mechanic, reward, .. } = earned.clone();
            let each = counted_for(priced, index);
            let back = Clawback { campaign, mechanic, reward, quantity, together: false, each };
            clawbacks.push((index, back));
        }
    }
    clawbacks
}

/// What one of an earned reward counts, given back.
fn counted_for(priced: &Priced, index: usize) -> Vec<Effect> {
    let counts = priced.consumed.iter().flat_map(|consumed| &consumed.counts);
    let of_it = counts.filter(|counts| counts.by == CountedBy::Earned(index));
    of_it.map(|counts| Effect::Count { key: counts.key.clone(), delta: -1, cap: None }).collect()
}

fn effects(priced: &Priced, steps: &[Step<'_>], complete: bool) -> Vec<Effect> {
    let mut moves = crate::pricing::Moves::default();
    for Consumed { discount, counts, .. } in &priced.consumed {
        let amount = || discount.map_or(0, |index| back_of(steps, &priced.evaluation, index).0);
        let discount = discount.and_then(|index| priced.evaluation.discounts.get(index));
        for counts in counts {
            let back = match &counts.by {
                CountedBy::Order if complete => counts.delta,
                CountedBy::Order | CountedBy::Day | CountedBy::Earned(_) | CountedBy::Kept => 0,
                CountedBy::Amount => amount(),
                CountedBy::Units(sku) => discount.map_or(0, |discount| units_back(discount, sku, steps)),
            };
            moves.add(&counts.key, -back, None);
        }
    }
    moves.into_effects()
}

/// Of a line's units, those with the sale's price come back in proportion, and all of them with the last one.
fn units_back(discount: &Discount, sku: &str, steps: &[Step<'_>]) -> i64 {
    let priced = Minor(crate::pricing::units_of(discount, sku));
    let touched = || discount.lines.iter().filter_map(|share| step_of(steps, &share.id)).filter(|s| s.line.sku == sku);
    let all: i64 = touched().map(|step| step.line.quantity).sum();
    let before: i64 = touched().map(|step| step.before).sum();
    let after: i64 = touched().map(|step| step.after).sum();
    portion(priced, after, all).minus(portion(priced, before, all)).0
}

#[cfg(test)]
mod tests;
