//! A till's commit is the event `order.paid`, and a return `order.refunded`: facts of the member, heard by campaigns and
//! Automations as if they had been sent.

use super::Booking;
use crate::{
    Halt,
    ingest::{self, Decided},
    tx::Tx,
};
use fanfare_core::{
    ids::{Name, OrderId},
    mechanic::Paid,
    money::Currency,
    segment::{ORDER_PAID, ORDER_REFUNDED},
};
use fanfare_store::rows::{Event, Order};
use serde_json::{Value, json};

/// The source of events that orders are. No sender has it: theirs come through the API under names of their own.
pub const SOURCE: &str = "fanfare/orders";

/// The source of events that returns of one order are. Each order has one of its own: ids may have any sign in them, so
/// that an id made of an order's and a return's could be that of another order or return.
fn source_of_returns(order: &OrderId) -> String {
    format!("fanfare/returns/{order}")
}

/// Makes the commit of an order an event, and notes which campaigns counted it.
pub(crate) fn paid(tx: &mut Tx<'_>, order: &Order, booking: &mut Booking) -> Result<(), Halt> {
    let Some(member) = order.cart.member.clone() else { return Ok(()) };
    let currency = tx.runtime()?.currency.clone();
    let lines: Vec<Value> = order.cart.lines.iter().map(|line| as_data(line, line.quantity, &currency)).collect();
    let event = Event {
        source: SOURCE.to_owned(),
        id: order.id.to_string(),
        kind: ORDER_PAID.to_owned(),
        member: Some(member),
        time: order.committed_at.unwrap_or(tx.now),
        digest: order.digest.clone(),
        data: json!({
            "orderId": order.id,
            "total": currency.format(order.evaluation.price()),
            "currency": currency.code(),
            "storeId": order.cart.store,
            "channel": order.cart.channel,
            "lines": lines,
        })
        .into(),
        decisions: Value::Array(Vec::new()),
    };
    let paid = Paid { before: order.evaluation.total, after: order.evaluation.price(), evaluated: true };
    let decided = happen(tx, event, Some(paid))?;
    note(booking, &decided);
    Ok(())
}

/// Makes a return of an order an event.
pub(crate) fn refunded(tx: &mut Tx<'_>, order: &Order, return_id: &str) -> Result<(), Halt> {
    let Some(member) = order.cart.member.clone() else { return Ok(()) };
    let Some(back) = order.returns.iter().find(|back| back.id == return_id) else { return Ok(()) };
    let currency = tx.runtime()?.currency.clone();
    let line = |(id, quantity): &(String, i64)| {
        let line = order.cart.lines.iter().find(|line| line.id == *id)?;
        Some(as_data(line, *quantity, &currency))
    };
    let lines: Vec<Value> = back.lines.iter().filter_map(line).collect();
    let event = Event {
        source: source_of_returns(&order.id),
        id: return_id.to_owned(),
        kind: ORDER_REFUNDED.to_owned(),
        member: Some(member),
        time: tx.now,
        digest: String::new(),
        data: json!({
            "orderId": order.id,
            "returnId": return_id,
            "total": currency.format(back.net()),
            "currency": currency.code(),
            "storeId": back.store,
            "lines": lines,
        })
        .into(),
        decisions: Value::Array(Vec::new()),
    };
    happen(tx, event, None).map(drop)
}

fn happen(tx: &mut Tx<'_>, mut event: Event, paid: Option<Paid>) -> Result<Vec<Decided>, Halt> {
    if tx.event(&event.source, &event.id)?.is_some() {
        return Ok(Vec::new());
    }
    // Written first, so that whatever is decided on it knows of it.
    tx.new_event(event.clone());
    let decided = ingest::happened(tx, &event, paid)?;
    event.decisions = serde_json::to_value(&decided).unwrap_or_default();
    tx.new_event(event);
    Ok(decided)
}

/// Notes which campaigns counted an order as an event.
pub(crate) fn note(booking: &mut Booking, decided: &[Decided]) {
    let campaigns = decided.iter().map(|decided| decided.campaign.clone());
    let known: Vec<Name> = campaigns.filter(|campaign| !booking.progressed.contains(campaign)).collect();
    for campaign in known {
        if !booking.progressed.contains(&campaign) {
            booking.progressed.push(campaign);
        }
    }
}

fn as_data(line: &fanfare_core::cart::Line, quantity: i64, currency: &Currency) -> Value {
    json!({
        "id": line.id,
        "sku": line.sku,
        "quantity": quantity,
        "unitPrice": currency.format(line.unit_price),
        "category": line.category,
        "brand": line.brand,
    })
}
