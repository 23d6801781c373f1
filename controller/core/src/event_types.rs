//! The types of events that the product knows, and the fields of their data: what admission checks a Segment's paths by,
//! and what the reference documents. Any other type is accepted and kept; its fields are the Runtime's to declare.

/// What a field of an event holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A text.
    Text,
    /// A number, also an amount of money.
    Number,
    /// Yes or no.
    Flag,
}

use FieldKind::{Number, Text};

type Fields = &'static [(&'static str, FieldKind)];

/// Where it happened: every type may say so.
const PLACE: Fields =
    &[("storeId", Text), ("channel", Text), ("location.lat", Number), ("location.lng", Number), ("deviceId", Text)];
const MONEY: Fields = &[("total", Number), ("currency", Text)];
const LINES: Fields = &[
    ("lines.id", Text),
    ("lines.sku", Text),
    ("lines.category", Text),
    ("lines.brand", Text),
    ("lines.quantity", Number),
    ("lines.unitPrice", Number),
    ("lines.total", Number),
];
const ORDER: Fields = &[("orderId", Text), ("receiptNumber", Text), ("businessDate", Text)];
const CAMPAIGN: Fields = &[("campaign", Text), ("mechanic", Text)];
const GRANT: Fields = &[("grant", Text), ("reward", Text), ("title", Text)];
const END: Fields = &[("code", Text), ("expiresAt", Text), ("expiresOn", Text), ("before", Text)];
const MESSAGE: Fields = &[("message", Text), ("template", Text), ("automation", Text), ("url", Text)];
const PLAN: Fields = &[("plan", Text), ("from", Text), ("to", Text)];

/// Each known type with the groups of its fields.
const KNOWN: &[(&str, &[Fields])] = &[
    ("member.registered", &[PLACE, CAMPAIGN, &[("source", Text), ("referrer", Text)]]),
    ("member.loggedIn", &[PLACE]),
    ("member.checkedIn", &[PLACE, CAMPAIGN]),
    ("member.located", &[PLACE]),
    ("order.paid", &[ORDER, MONEY, LINES, PLACE]),
    ("order.refunded", &[ORDER, MONEY, LINES, PLACE, &[("returnId", Text), ("reason", Text)]]),
    ("cart.abandoned", &[MONEY, LINES, PLACE, &[("cartId", Text)]]),
    ("store.visited", &[PLACE]),
    ("campaign.viewed", &[CAMPAIGN, PLACE]),
    ("campaign.shared", &[CAMPAIGN, PLACE]),
    ("referral.accepted", &[CAMPAIGN, PLACE, &[("code", Text)]]),
    ("message.opened", &[MESSAGE, CAMPAIGN, PLACE]),
    ("message.clicked", &[MESSAGE, CAMPAIGN, PLACE]),
    ("subscription.renewed", &[PLAN, MONEY, PLACE]),
    ("subscription.expiring", &[PLAN, MONEY, PLACE]),
    ("plan.upgraded", &[PLAN, MONEY, PLACE]),
    ("campaign.started", &[CAMPAIGN]),
    ("campaign.ended", &[CAMPAIGN]),
    ("campaign.joined", &[CAMPAIGN, PLACE]),
    ("campaign.progressed", &[CAMPAIGN, PLACE]),
    ("campaign.completed", &[CAMPAIGN, PLACE]),
    ("campaign.converted", &[CAMPAIGN, PLACE]),
    ("grant.issued", &[GRANT, CAMPAIGN, PLACE]),
    ("grant.claimed", &[GRANT, CAMPAIGN, PLACE]),
    ("grant.expiring", &[GRANT, CAMPAIGN, END]),
    ("grant.expired", &[GRANT, CAMPAIGN, PLACE]),
    ("grant.revoked", &[GRANT, CAMPAIGN, PLACE]),
    ("redemption.committed", &[GRANT, CAMPAIGN, ORDER, PLACE, &[("amount", Number)]]),
    ("redemption.reversed", &[GRANT, CAMPAIGN, ORDER, PLACE, &[("amount", Number)]]),
    ("segment.entered", &[&[("segment", Text)]]),
    ("segment.left", &[&[("segment", Text)]]),
];

/// Every known type.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The fields of a known type; nothing for any other.
pub fn fields_of(event: &str) -> Option<impl Iterator<Item = (&'static str, FieldKind)> + use<>> {
    let (_, groups) = KNOWN.iter().find(|(name, _)| *name == event)?;
    Some(groups.iter().flat_map(|group| group.iter().copied()))
}

/// The fields that any event may say, whatever its type.
pub fn common_fields() -> impl Iterator<Item = (&'static str, FieldKind)> {
    PLACE.iter().copied()
}
