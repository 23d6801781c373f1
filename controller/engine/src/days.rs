//! The till's day: what a store sold, took back and redeemed on one business day, counted where it happens, so that it
//! equals the sum of the tills' own records.
//!
//! The day is the one that the till names, else the calendar day in the store's zone. It is kept in counters that no
//! decision reads, `day|<date>|<store>|<figure>`; the store is empty where none is named.

use crate::{Halt, orders::Booking, tx::Tx};
use fanfare_core::{
    ids::StoreId,
    money::Minor,
    time::{Ts, day_of},
};
use fanfare_store::rows::{Order, Redemption, Return};
use std::collections::BTreeMap;

/// What is counted of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Orders,
    Gross,
    Cards,
    Payable,
    Returns,
    Refunds,
    CardRefunds,
    Vouchers,
    VoucherAmount,
    Redemptions,
    Redeemed,
    Reversals,
    Reversed,
    Exceptions,
}

impl Figure {
    fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Gross => "gross",
            Self::Cards => "cards",
            Self::Payable => "payable",
            Self::Returns => "returns",
            Self::Refunds => "refunds",
            Self::CardRefunds => "card-refunds",
            Self::Vouchers => "vouchers",
            Self::VoucherAmount => "voucher-amount",
            Self::Redemptions => "redemptions",
            Self::Redeemed => "redeemed",
            Self::Reversals => "reversals",
            Self::Reversed => "reversed",
            Self::Exceptions => "exceptions",
        }
    }
}

/// What a store did on a business day. Money is in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayFigures {
    /// Where; nothing for orders that name no store.
    pub store: Option<StoreId>,
    /// `YYYY-MM-DD`.
    pub business_date: String,
    /// Orders that were committed or reported.
    pub orders: i64,
    /// What they cost before discounts.
    pub gross: Minor,
    /// What was taken off.
    pub discount: Minor,
    /// What gift cards paid.
    pub cards: Minor,
    /// What was still to be paid.
    pub payable: Minor,
    /// Returns that were taken here, wherever the order was.
    pub returns: i64,
    /// What they paid back.
    pub refunds: Minor,
    /// What they put back on gift cards, beside that.
    pub card_refunds: Minor,
    /// Vouchers that orders used.
    pub vouchers: i64,
    /// What those took off; part of the discount.
    pub voucher_amount: Minor,
    /// Redemptions without an order of ours.
    pub redemptions: i64,
    /// What those took off.
    pub redeemed: Minor,
    /// Reversals of such redemptions.
    pub reversals: i64,
    /// What those gave back.
    pub reversed: Minor,
    /// Exceptions that were booked.
    pub exceptions: i64,
}

impl DayFigures {
    /// A day on which nothing happened.
    pub(crate) fn empty(store: &StoreId, date: &str) -> Self {
        Self { store: Some(store.clone()), business_date: date.to_owned(), ..Self::default() }
    }

    /// What is left in the till of orders and returns: payable less refunds.
    pub fn net(&self) -> Minor {
        self.payable.minus(self.refunds)
    }
}

/// The prefix of all counters of a day.
pub(crate) fn prefix(date: &str) -> String {
    format!("day|{date}|")
}

/// Reads the figures of counters under [`prefix`], by store.
pub(crate) fn read(date: &str, counters: &[(String, i64)]) -> Vec<DayFigures> {
    let prefix = prefix(date);
    let mut days: BTreeMap<&str, DayFigures> = BTreeMap::new();
    for (key, value) in counters {
        let Some((store, figure)) = key.strip_prefix(&prefix).and_then(|rest| rest.rsplit_once('|')) else { continue };
        let day = days.entry(store).or_insert_with(|| DayFigures {
            store: Some(store).filter(|store| !store.is_empty()).map(StoreId::from),
            business_date: date.to_owned(),
            ..DayFigures::default()
        });
        match figure {
            "orders" => day.orders = *value,
            "gross" => day.gross = Minor(*value),
            "cards" => day.cards = Minor(*value),
            "payable" => day.payable = Minor(*value),
            "returns" => day.returns = *value,
            "refunds" => day.refunds = Minor(*value),
            "card-refunds" => day.card_refunds = Minor(*value),
            "vouchers" => day.vouchers = *value,
            "voucher-amount" => day.voucher_amount = Minor(*value),
            "redemptions" => day.redemptions = *value,
            "redeemed" => day.redeemed = Minor(*value),
            "reversals" => day.reversals = *value,
            "reversed" => day.reversed = Minor(*value),
            "exceptions" => day.exceptions = *value,
            _ => {}
        }
        day.discount = day.gross.minus(day.cards).minus(day.payable);
    }
    days.into_values().collect()
}

/// The business day: as the till says, else the calendar day of the store.
pub(crate) fn of(tx: &Tx<'_>, store: Option<&StoreId>, said: Option<&str>, at: Ts) -> Result<String, Halt> {
    Ok(match said {
        Some(date) => date.to_owned(),
        None => day_of(at, tx.runtime()?.zone_of(store)).to_string(),
    })
}

fn add(tx: &mut Tx<'_>, store: Option<&StoreId>, date: &str, figures: &[(Figure, i64)]) {
    let store = store.map_or("", StoreId::as_str);
    for (figure, delta) in figures.iter().filter(|(_, delta)| *delta != 0) {
        tx.tally(&format!("{}{store}|{}", prefix(date), figure.as_str()), *delta);
    }
}

/// Counts an order that was committed or reported `at`, once, and writes down its day.
pub(crate) fn sold(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, at: Ts) -> Result<(), Halt> {
    if booking.in_day {
        return Ok(());
    }
    let date = of(tx, order.cart.store.as_ref(), order.business_date.as_deref(), at)?;
    let evaluation = &order.evaluation;
    let vouchers = || evaluation.discounts.iter().filter(|discount| discount.grant.is_some() && !discount.payment);
    let off: Minor = vouchers().map(|voucher| voucher.amount).sum();
    let figures = [
        (Figure::Orders, 1),
        (Figure::Gross, evaluation.total.0),
        (Figure::Cards, evaluation.paid.0),
        (Figure::Payable, evaluation.payable.0),
        (Figure::Vouchers, i64::try_from(vouchers().count()).unwrap_or(i64::MAX)),
        (Figure::VoucherAmount, off.0),
    ];
    add(tx, order.cart.store.as_ref(), &date, &figures);
    order.business_date = Some(date);
    booking.in_day = true;
    Ok(())
}

/// Counts a return where it was taken.
pub(crate) fn returned(tx: &mut Tx<'_>, store: Option<&StoreId>, date: &str, back: &Return) {
    let to_cards: Minor = back.to_cards.iter().map(|(_, amount)| *amount).sum();
    let figures = [(Figure::Returns, 1), (Figure::Refunds, back.refund.0), (Figure::CardRefunds, to_cards.0)];
    add(tx, store, date, &figures);
}

/// Counts a redemption that no order of ours made.
pub(crate) fn redeemed(tx: &mut Tx<'_>, redemption: &Redemption, at: Ts) -> Result<(), Halt> {
    let date = of(tx, redemption.store.as_ref(), None, at)?;
    let figures = [(Figure::Redemptions, 1), (Figure::Redeemed, redemption.amount.0)];
    add(tx, redemption.store.as_ref(), &date, &figures);
    Ok(())
}

/// Counts a reversal of such a redemption where it was made.
pub(crate) fn reversed(tx: &mut Tx<'_>, store: Option<&StoreId>, amount: Minor) -> Result<(), Halt> {
    let date = of(tx, store, None, tx.now)?;
    add(tx, store, &date, &[(Figure::Reversals, 1), (Figure::Reversed, amount.0)]);
    Ok(())
}

/// Counts an exception.
pub(crate) fn excepted(tx: &mut Tx<'_>, store: Option<&StoreId>, date: &str) {
    add(tx, store, date, &[(Figure::Exceptions, 1)]);
}
