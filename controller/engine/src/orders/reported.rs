//! Orders that a till only reports: `order.paid` and `order.refunded` as events. The order's id and the return's id are
//! one key with the till's own calls, so nothing counts twice.

use super::{
    Booking,
    booking::Awaited,
    facts, is_awaited,
    returns::{self, Back},
};
use crate::{
    Halt, attribution, days, earn,
    ingest::{self, Decided},
    tx::Tx,
};
use fanfare_core::{
    cart::{Cart, Evaluation, LINES_MAX, Line, PricedLine},
    ids::{Name, OrderId, StoreId},
    mechanic::Paid,
    money::{Currency, Minor, allocate},
    segment::{ORDER_PAID, ORDER_REFUNDED},
};
use fanfare_store::rows::{Event, Order, OrderState};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest id of an order or a return, in bytes.
const ID_MAX_BYTES: usize = 128;
/// The largest quantity of a line, as of a cart's.
const QUANTITY_MAX: i64 = 1_000_000;
/// The most refunds that wait for one order.
const AWAITED_MAX: usize = 50;

/// What became of a reported order or refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It counts.
    New(Paid),
    /// It counts already, by an event or by the till's own call.
    Known,
    /// Its data is wrong, in a sentence.
    Wrong(String),
}

/// The order that an event is about.
pub(crate) fn order_of(kind: &str, data: &Value) -> Option<OrderId> {
    let about_order = kind == ORDER_PAID || kind == ORDER_REFUNDED;
    data.get("orderId").and_then(Value::as_str).filter(|_| about_order).map(OrderId::from)
}

/// The data of both events.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    order_id: String,
    return_id: Option<String>,
    total: Option<String>,
    currency: Option<String>,
    store_id: Option<String>,
    channel: Option<String>,
    #[serde(default)]
    lines: Vec<DataLine>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataLine {
    id: Option<String>,
    sku: Option<String>,
    quantity: Option<i64>,
    unit_price: Option<String>,
    category: Option<String>,
    brand: Option<String>,
}

/// Reads an event's data against the namespace's currency.
fn read(event: &Event, currency: &Currency) -> Result<(Data, Option<Minor>, Vec<Line>), String> {
    let data: Data = Data::deserialize(&*event.data).map_err(|error| {
        format!("its data is no order: {error}; send orderId, total, currency, storeId, channel, lines")
    })?;
    for (name, id) in [("orderId", Some(&data.order_id)), ("returnId", data.return_id.as_ref())] {
        if id.is_some_and(|id| id.is_empty() || id.len() > ID_MAX_BYTES || id.contains(char::is_control)) {
            return Err(format!("its {name} is empty, longer than {ID_MAX_BYTES} bytes or has control characters"));
        }
    }
    if let Some(code) = data.currency.as_deref().filter(|code| *code != currency.code()) {
        return Err(format!("its currency is {code}; this namespace takes {}", currency.code()));
    }
    if data.lines.len() > LINES_MAX {
        return Err(format!("it has more than {LINES_MAX} lines"));
    }
    let total = match &data.total {
        Some(text) => Some(currency.amount(text).map_err(|error| format!("its total: {error}"))?),
        None => None,
    };
    let mut lines = Vec::with_capacity(data.lines.len());
    for (index, line) in data.lines.iter().enumerate() {
        let unit_price = match &line.unit_price {
            Some(text) => currency.amount(text).map_err(|error| format!("unitPrice of its line {index}: {error}"))?,
            None => Minor::ZERO,
        };
        let quantity = line.quantity.unwrap_or(1);
        if !(1..=QUANTITY_MAX).contains(&quantity) {
            return Err(format!("quantity of its line {index} is not from 1 to {QUANTITY_MAX}"));
        }
        lines.push(Line {
            id: line.id.clone().unwrap_or_else(|| (index + 1).to_string()),
            sku: line.sku.clone().unwrap_or_default(),
            quantity,
            unit_price,
            category: line.category.clone(),
            brand: line.brand.clone(),
            cost: None,
        });
    }
    Ok((data, total, lines))
}

/// Takes `order.paid`: the order counts for its campaigns, unless it does already.
pub(crate) fn paid(tx: &mut Tx<'_>, event: &Event) -> Result<Taken, Halt> {
    let currency = tx.runtime()?.currency.clone();
    let (data, total, lines) = match read(event, &currency) {
        Ok(read) => read,
        Err(detail) => return Ok(Taken::Wrong(detail)),
    };
    let Some(net) = total else { return Ok(Taken::Wrong("it has no total; send what was paid".into())) };
    let id = OrderId::from(data.order_id);
    let known = tx.order(&id)?.cloned();
    // Refunds that came first wait on, until all that the order brings is counted: see [`progressed`].
    let awaited = match &known {
        Some(order) if is_awaited(order) => Booking::of(order).awaited,
        Some(_) => return Ok(Taken::Known),
        None => Vec::new(),
    };
    let before: Minor = lines.iter().map(Line::total).sum();
    let before = before.max(net);
    let cart = Cart {
        member: event.member.clone(),
        store: data.store_id.map(StoreId::from),
        channel: data.channel.unwrap_or_default(),
        at: None,
        lines,
        codes: Vec::new(),
        reservations: Vec::new(),
        card: None,
    };
    let sale =
        attribution::Sale { order: &id, member: event.member.as_ref(), net, at: event.time, on_it: &BTreeSet::new() };
    let mut booking = Booking { sales: attribution::paid(tx, sale)?, awaited, ..Booking::default() };
    let mut order = Order {
        id: id.clone(),
        state: OrderState::Committed,
        digest: event.digest.clone(),
        evaluation: as_paid(&cart, before, net),
        cart,
        revision: tx.plans.digest.clone(),
        booking: Value::Null,
        expires_at: None,
        receipt_number: None,
        business_date: None,
        occurred_at: event.time,
        committed_at: Some(event.time),
        returns: Vec::new(),
        exception: None,
        reported: true,
    };
    earn::on_order(tx, &mut order, &mut booking, event.time)?;
    days::sold(tx, &mut order, &mut booking, event.time)?;
    order.booking = booking.to_value();
    if known.is_some() {
        tx.put_order(order);
    } else {
        tx.new_order(order);
    }
    Ok(Taken::New(Paid { before, after: net, evaluated: false }))
}

/// The evaluation of an order that was paid elsewhere: what was paid, spread over its lines.
fn as_paid(cart: &Cart, total: Minor, payable: Minor) -> Evaluation {
    let weights: Vec<i64> = cart.lines.iter().map(|line| line.total().0).collect();
    let lines = cart.lines.iter().zip(allocate(payable, &weights)).map(|(line, payable)| {
        let total = line.total().max(payable);
        PricedLine { id: line.id.clone(), total, discount: total.minus(payable), paid: Minor::ZERO, payable }
    });
    Evaluation {
        total,
        discount: total.minus(payable),
        paid: Minor::ZERO,
        payable,
        lines: lines.collect(),
        discounts: Vec::new(),
        earned: Vec::new(),
        points: 0,
        available: Vec::new(),
        rejected: Vec::new(),
    }
}

/// Notes which campaigns counted a reported order, so that a return counts back; then does what came back before it.
pub(crate) fn progressed(tx: &mut Tx<'_>, event: &Event, decided: &[Decided]) -> Result<(), Halt> {
    let Some(id) = order_of(&event.kind, &event.data).filter(|_| event.kind == ORDER_PAID) else { return Ok(()) };
    let Some(mut order) = tx.order(&id)?.cloned() else { return Ok(()) };
    let mut booking = Booking::of(&order);
    let before = booking.to_value();
    facts::note(&mut booking, decided);
    let asked = tx.plans.campaigns.values().filter(|campaign| ingest::concerns(&campaign.plan, &event.kind));
    let asked: BTreeSet<Name> = asked.map(|campaign| campaign.plan.name.clone()).collect();
    let (member, on_it) = (event.member.as_ref(), &BTreeSet::new());
    let sale = attribution::Sale { order: &id, member, net: order.evaluation.payable, at: event.time, on_it };
    attribution::paid_also(tx, sale, &asked, &mut booking.sales)?;
    let after = booking.to_value();
    if after != before {
        order.booking = after;
        tx.put_order(order.clone());
    }
    refund_awaited(tx, &mut order)
}

/// Applies the refunds that came before their order, once it is paid and all that it brings is counted.
pub(crate) fn refund_awaited(tx: &mut Tx<'_>, order: &mut Order) -> Result<(), Halt> {
    let mut booking = Booking::of(order);
    let awaited = std::mem::take(&mut booking.awaited);
    if awaited.is_empty() {
        return Ok(());
    }
    order.booking = booking.to_value();
    tx.put_order(order.clone());
    for back in &awaited {
        refund(tx, order, back)?;
    }
    Ok(())
}

/// Takes `order.refunded`. One that comes before its order waits for it.
pub(crate) fn refunded(tx: &mut Tx<'_>, event: &Event) -> Result<Taken, Halt> {
    let currency = tx.runtime()?.currency.clone();
    let (data, total, lines) = match read(event, &currency) {
        Ok(read) => read,
        Err(detail) => return Ok(Taken::Wrong(detail)),
    };
    let id = OrderId::from(data.order_id);
    let back = Awaited {
        return_id: data.return_id.unwrap_or_else(|| event.id.clone()),
        total,
        lines: lines.into_iter().map(|line| (line.id, line.quantity)).collect(),
        store: data.store_id.map(StoreId::from),
        at: Some(event.time),
    };
    let part = Paid { before: total.unwrap_or_default(), after: total.unwrap_or_default(), evaluated: false };
    match tx.order(&id)?.cloned() {
        None => {
            tx.new_order(known_by_its_refund(&id, event, &Booking { awaited: vec![back], ..Booking::default() }));
            Ok(Taken::New(part))
        }
        Some(mut order) if is_awaited(&order) => {
            let mut booking = Booking::of(&order);
            if booking.awaited.iter().any(|other| other.return_id == back.return_id) {
                return Ok(Taken::Known);
            }
            if booking.awaited.len() >= AWAITED_MAX {
                return Ok(Taken::Wrong("too many refunds wait for this order; send order.paid first".into()));
            }
            booking.awaited.push(back);
            order.booking = booking.to_value();
            tx.put_order(order);
            Ok(Taken::New(part))
        }
        Some(order) if order.returns.iter().any(|other| other.id == back.return_id) => Ok(Taken::Known),
        Some(mut order) => match order.state {
            OrderState::Committed | OrderState::PartiallyReturned | OrderState::Returned => {
                match refund(tx, &mut order, &back)? {
                    Some(wrong) => Ok(Taken::Wrong(wrong)),
                    None => Ok(Taken::New(part)),
                }
            }
            OrderState::Reserved | OrderState::Voided | OrderState::Lapsed => {
                Ok(Taken::Wrong("this order was not paid; commit it first".into()))
            }
        },
    }
}

/// Applies a refund; answers what is wrong with it.
fn refund(tx: &mut Tx<'_>, order: &mut Order, back: &Awaited) -> Result<Option<String>, Halt> {
    let booking = Booking::of(order);
    let left = rest(order, &booking);
    let paid_back: Minor = order.returns.iter().map(|back| back.refund).sum();
    let open = order.evaluation.payable.minus(paid_back);
    if back.total.is_some_and(|total| total > open) {
        return Ok(Some("more is refunded than is left of what was paid".into()));
    }
    let named = back.lines.iter().all(|(id, quantity)| left.iter().any(|(line, has)| line == id && has >= quantity));
    let whole = back.total.is_none_or(|total| total >= open);
    let lines = match () {
        () if !back.lines.is_empty() && named => back.lines.clone(),
        () if !back.lines.is_empty() && back.total.is_none() => {
            return Ok(Some("it names lines or quantities that are not left of this order".into()));
        }
        // Lines of a report need not be those of the order; money is what counts then.
        () if whole => left,
        () => Vec::new(),
    };
    let told = Back {
        return_id: &back.return_id,
        lines: &lines,
        reason: ORDER_REFUNDED,
        paid_back: back.total,
        store: back.store.as_ref(),
        business_date: None,
        at: back.at.unwrap_or(tx.now),
    };
    if lines.is_empty() {
        returns::money_only(tx, order, told)?;
    } else {
        returns::apply(tx, order, told)?;
    }
    Ok(None)
}

/// The units of each line that did not come back yet.
fn rest(order: &Order, booking: &Booking) -> Vec<(String, i64)> {
    let left = |line: &Line| {
        let back = booking.returned.iter().find(|(id, _)| *id == line.id).map_or(0, |(_, quantity)| *quantity);
        (line.id.clone(), line.quantity - back)
    };
    order.cart.lines.iter().map(left).filter(|(_, quantity)| *quantity > 0).collect()
}

/// Stands for an order of which only a refund is known, until the order comes.
fn known_by_its_refund(id: &OrderId, event: &Event, booking: &Booking) -> Order {
    let cart = Cart {
        member: event.member.clone(),
        store: None,
        channel: String::new(),
        at: None,
        lines: Vec::new(),
        codes: Vec::new(),
        reservations: Vec::new(),
        card: None,
    };
    Order {
        id: id.clone(),
        state: OrderState::Returned,
        digest: String::new(),
        evaluation: as_paid(&cart, Minor::ZERO, Minor::ZERO),
        cart,
        revision: String::new(),
        booking: booking.to_value(),
        expires_at: None,
        receipt_number: None,
        business_date: None,
        occurred_at: event.time,
        committed_at: None,
        returns: Vec::new(),
        exception: None,
        reported: true,
    }
}
