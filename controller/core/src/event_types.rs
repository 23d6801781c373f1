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

use FieldKind::{Flag, Number, Text};

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
/// A member's way to the next goal of a mechanic that it has not reached, or to the last.
const GOAL: Fields = &[
    ("goal", Text),
    ("current", Number),
    ("target", Number),
    ("left", Number),
    ("unit", Text),
    ("percent", Number),
    ("completed", Flag),
];
const SEGMENT: Fields = &[("segment", Text), ("title", Text)];
const BUDGET: Fields = &[
    ("campaign", Text),
    ("title", Text),
    ("threshold", Text),
    ("limit", Number),
    ("spent", Number),
    ("remaining", Number),
    ("currency", Text),
];
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
    ("campaign.joined", &[CAMPAIGN]),
    ("campaign.progressed", &[CAMPAIGN, GOAL]),
    ("campaign.completed", &[CAMPAIGN]),
    ("campaign.converted", &[CAMPAIGN]),
    ("grant.issued", &[GRANT, CAMPAIGN, PLACE]),
    ("grant.claimed", &[GRANT, CAMPAIGN, PLACE]),
    ("grant.expiring", &[GRANT, CAMPAIGN, END]),
    ("grant.expired", &[GRANT, CAMPAIGN, PLACE]),
    ("grant.revoked", &[GRANT, CAMPAIGN, PLACE]),
    ("redemption.committed", &[GRANT, CAMPAIGN, ORDER, PLACE, &[("amount", Number)]]),
    ("redemption.reversed", &[GRANT, CAMPAIGN, ORDER, PLACE, &[("amount", Number)]]),
    ("segment.entered", &[SEGMENT]),
    ("segment.left", &[SEGMENT]),
    ("budget.threshold", &[BUDGET]),
];

/// Where events of a type come from, and so who learns of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Whoever sends them. They are kept, counted and told to Automations.
    Sent,
    /// The system, which keeps them like those that are sent.
    Kept,
    /// The system, which tells Automations and keeps nothing, so that nothing counts them.
    Told,
    /// Nobody: the name is the system's own, and no member is told.
    Reserved,
}

/// The types that are not sent. The engine's `emitted` makes those that are told, its `thresholds` the one that is kept.
const OWN: [(&str, Origin); 17] = [
    ("budget.threshold", Origin::Kept),
    ("campaign.joined", Origin::Told),
    ("campaign.progressed", Origin::Told),
    ("campaign.completed", Origin::Told),
    ("campaign.converted", Origin::Told),
    ("grant.issued", Origin::Told),
    ("grant.claimed", Origin::Told),
    ("grant.expiring", Origin::Told),
    ("grant.expired", Origin::Told),
    ("grant.revoked", Origin::Told),
    ("redemption.committed", Origin::Told),
    ("redemption.reversed", Origin::Told),
    ("segment.entered", Origin::Told),
    ("segment.left", Origin::Told),
    ("campaign.started", Origin::Reserved),
    ("campaign.ended", Origin::Reserved),
    ("experiment.decided", Origin::Reserved),
];

/// Where events of a type come from.
pub fn origin(event: &str) -> Origin {
    OWN.iter().find(|(name, _)| *name == event).map_or(Origin::Sent, |(_, origin)| *origin)
}

/// The types that the system tells Automations without keeping them.
pub fn told() -> impl Iterator<Item = &'static str> {
    OWN.iter().filter(|(_, origin)| *origin == Origin::Told).map(|(name, _)| *name)
}

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

#[cfg(test)]
mod tests {
    use super::{Origin, fields_of, known, origin, told};

    #[test]
    fn whatever_is_told_or_kept_says_its_fields_and_what_is_reserved_has_none() {
        for name in told().chain(["budget.threshold"]) {
            assert!(fields_of(name).is_some(), "{name}");
        }
        for name in known() {
            assert_ne!(origin(name), Origin::Reserved, "{name}");
        }
        assert_eq!(origin("order.paid"), Origin::Sent);
        assert_eq!(origin("coupon.used"), Origin::Sent, "any other type is the shop's");
    }
}
