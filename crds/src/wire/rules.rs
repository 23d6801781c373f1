//! The rules across fields, as CEL that stands in the schema (`x-kubernetes-validations`).
//!
//! `admit` runs these very rules, so the pull request, `kubectl apply` and the reconciler say the same words. A
//! message has two parts, the reason and the remedy, parted by `"; "`. Keep rules cheap: an API server refuses a
//! schema whose estimated cost is too high.

use serde_json::{Value, json};

/// Parts the reason from the remedy in a rule's message.
pub(crate) const REASON_REMEDY: &str = "; ";

fn rule(rule: String, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

fn at(field: &str, rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message, "fieldPath": format!(".{field}")})
}

fn count_set(fields: &[&str]) -> String {
    let set: Vec<String> = fields.iter().map(|field| format!("has(self.{field})")).collect();
    format!("[{}].filter(x, x).size()", set.join(", "))
}

/// CEL writes fields that are its own keywords with underscores; a person never sees that.
fn plain(fields: &[&str]) -> String {
    fields.iter().map(|field| field.trim_matches('_')).collect::<Vec<_>>().join(", ")
}

fn exactly_one(what: &str, fields: &[&str]) -> Value {
    rule(
        format!("{} == 1", count_set(fields)),
        &format!("{what} needs exactly one of: {}; keep one of them", plain(fields)),
    )
}

/// Like `exactly_one`, in a list whose items have a `name`.
fn exactly_one_named(what: &str, fields: &[&str]) -> Value {
    let rest = format!("needs exactly one of: {}; keep one of them", plain(fields));
    json!({
        "rule": format!("{} == 1", count_set(fields)),
        "messageExpression": format!("\"{what} '\" + self.name + \"' {rest}\""),
        "message": format!("{what} {rest}"),
    })
}

fn needs(field: &str, other: &str, message: &str) -> Value {
    at(field, &format!("!has(self.{field}) || has(self.{other})"), message)
}

pub(super) fn schedule() -> Value {
    json!([
        at(
            "endAt",
            "!has(self.endAt) || self.endAt > self.startAt",
            "endAt is not after startAt; move endAt later or startAt earlier"
        ),
        at(
            "publishAt",
            "!has(self.publishAt) || self.publishAt <= self.startAt",
            "publishAt is after startAt; publish at the start or before it"
        ),
        needs("coolDown", "endAt", "coolDown needs endAt; say when the campaign ends, or remove coolDown"),
    ])
}

pub(super) fn window() -> Value {
    json!([at("to", "self.from != self.to", "the window is empty, since from and to are equal; give it a length")])
}

pub(super) fn limit() -> Value {
    json!([
        at(
            "per",
            "self.count != 'Joins' || self.per != 'Store'",
            "members join the campaign, not a store; use per: Member or Campaign, or count Orders or Rewards"
        ),
        at(
            "per",
            "self.count != 'Joins' || self.per != 'Card'",
            "nobody pays to join; count Orders or Rewards per Card, or use per: Device"
        ),
        at(
            "per",
            "self.count == 'Rewards' || self.per != 'Order'",
            "one order gives rewards and nothing else that is counted; count Rewards, or use another per"
        ),
        order_has_no_period(),
        one_period(),
    ])
}

/// For limits that an order can be counted by.
pub(super) fn limit_of_reward() -> Value {
    json!([order_has_no_period(), one_period()])
}

/// For limits that count in a period alone.
pub(super) fn period() -> Value {
    json!([rule("has(self.every) != has(self.within)".into(), ONE_PERIOD)])
}

const ONE_PERIOD: &str = "a limit needs either every or within; keep one of the two";

fn one_period() -> Value {
    rule("self.per == 'Order' || has(self.every) != has(self.within)".into(), ONE_PERIOD)
}

fn order_has_no_period() -> Value {
    at(
        "per",
        "self.per != 'Order' || (!has(self.within) && (!has(self.every) || self.every == 'Lifetime'))",
        "an order is counted by itself, in no period; remove every and within",
    )
}

pub(super) fn mechanic() -> Value {
    json!([
        exactly_one_named("mechanic", &["discount", "spendThreshold", "flashSale", "lottery"]),
        at(
            "limits",
            "!has(self.limits) || self.limits.all(l, l.count != 'Joins')",
            "members join the campaign, not a mechanic; move the limit to participation.limits"
        ),
    ])
}

pub(super) fn items() -> Value {
    json!([
        rule(
            "has(self.all) != (has(self.skus) || has(self.categories) || has(self.brands))".into(),
            "items needs either all: true or lists of skus, categories or brands; keep one of the two",
        ),
        at(
            "all",
            "!has(self.all) || self.all",
            "all can only be true; write all: true, or list skus, categories or brands"
        ),
    ])
}

pub(super) fn discount() -> Value {
    json!([
        exactly_one("a discount", &["percentOff", "amountOff", "fixedPrice"]),
        needs(
            "maxAmountPer",
            "maxAmount",
            "maxAmountPer needs maxAmount; say how much at most, or remove maxAmountPer"
        ),
    ])
}

pub(super) fn tier() -> Value {
    json!([exactly_one("a tier", &["reward", "amountOff", "percentOff"])])
}

pub(super) fn entry() -> Value {
    json!([exactly_one("an entry", &["event", "points"])])
}

pub(super) fn prize() -> Value {
    json!([needs("perDay", "quantity", "perDay needs quantity; say how many there are in all, or remove perDay")])
}

pub(super) fn lottery() -> Value {
    json!([at(
        "prizes",
        "self.prizes.exists(p, has(p.reward))",
        "no prize has a reward; name a Reward in at least one prize"
    )])
}

pub(super) fn content() -> Value {
    json!([at(
        "defaultLocale",
        "self.defaultLocale in self.locales",
        "defaultLocale is not one of locales; add its texts or choose another"
    )])
}

const LEAVES: [&str; 11] = [
    "attribute",
    "behavior",
    "sequence",
    "lifecycle",
    "location",
    "tags",
    "interests",
    "list",
    "segment",
    "preset",
    "everyone",
];

/// A condition that may also nest `deeper` ones.
pub(super) fn condition(deeper: &[&str]) -> Value {
    let fields: Vec<&str> = deeper.iter().copied().chain(LEAVES).collect();
    json!([
        exactly_one("a condition", &fields),
        at(
            "everyone",
            "!has(self.everyone) || self.everyone",
            "everyone can only be true; to leave people out, use not"
        ),
    ])
}

/// Exactly one of some fields, of which each pair of bounds counts as one.
fn one_of(what: &str, fields: &[&str], pairs: &[[&str; 2]]) -> Value {
    let set = fields.iter().map(|field| format!("has(self.{field})"));
    let bounds = pairs.iter().map(|[least, most]| format!("has(self.{least}) || has(self.{most})"));
    let set: Vec<String> = set.chain(bounds).collect();
    let names = fields.iter().map(|field| field.trim_matches('_').to_owned());
    let pairs = pairs.iter().map(|[least, most]| format!("{least} with or without {most}"));
    let names: Vec<String> = names.chain(pairs).collect();
    rule(
        format!("[{}].filter(x, x).size() == 1", set.join(", ")),
        &format!("{what} needs exactly one of: {}; keep one of them", names.join(", ")),
    )
}

pub(super) fn attribute() -> Value {
    let fields =
        ["__in__", "notIn", "equals", "exists", "anniversary", "anniversaryWithin", "withinLast", "withinNext"];
    json!([one_of("an attribute", &fields, &[["atLeast", "atMost"], ["ageAtLeast", "ageAtMost"]])])
}

pub(super) fn behavior() -> Value {
    let measures = ["sum", "average", "min", "max", "distinct"];
    let measured: Vec<String> = measures.iter().map(|field| format!("has(self.{field})")).collect();
    let fields: Vec<&str> = measures.into_iter().chain(["pick"]).collect();
    json!([
        one_of("a behavior", &fields, &[["countAtLeast", "countAtMost"]]),
        rule(
            format!("({}) == (has(self.atLeast) || has(self.atMost))", measured.join(" || ")),
            "atLeast and atMost belong to sum, average, min, max and distinct; give one of these with at least one bound, or use countAtLeast or countAtMost",
        ),
    ])
}

pub(super) fn field_test() -> Value {
    json!([one_of("a field", &["__in__", "notIn", "equals", "exists"], &[["atLeast", "atMost"]])])
}

pub(super) fn location() -> Value {
    json!([
        exactly_one("a location", &["near", "nearStore", "region", "preferredStore"]),
        at(
            "radius",
            "has(self.radius) == (has(self.near) || has(self.nearStore))",
            "radius and a point belong together; give radius with near or nearStore, or remove it"
        ),
    ])
}

pub(super) fn tag_test() -> Value {
    json!([exactly_one("tags", &["any", "all", "none"])])
}

pub(super) fn reward() -> Value {
    json!([
        exactly_one("a reward", &["points", "voucher", "freeItem", "access", "badge", "giftCard"]),
        at("codes", "!(has(self.codes) && has(self.points))", "points have no codes; remove codes"),
        at(
            "redemption",
            "!(has(self.redemption) && has(self.points))",
            "points are not redeemed at a till; remove redemption"
        ),
        at(
            "validity",
            "!(has(self.validity) && has(self.points))",
            "points have no validity; use points.expireAfter instead"
        ),
        at("codes", "!(has(self.codes) && has(self.badge))", "a badge has no code; remove codes"),
        at(
            "redemption",
            "!(has(self.redemption) && has(self.badge))",
            "a badge is not redeemed at a till; remove redemption"
        ),
        at("validity", "!(has(self.validity) && has(self.badge))", "a badge is kept for ever; remove validity"),
        at(
            "validity",
            "!(has(self.validity) && has(self.access))",
            "access says itself how long it lasts; use access.for instead"
        ),
        at(
            "redemption.uses",
            "!(has(self.giftCard) && has(self.redemption) && has(self.redemption.uses))",
            "a gift card is used until nothing is left; remove uses"
        ),
        at(
            "claimWithin",
            "!has(self.claimWithin) || (has(self.claim) && self.claim == 'Manual')",
            "claimWithin needs claim: Manual; members do not claim this reward themselves"
        ),
    ])
}

pub(super) fn earn() -> Value {
    json!([
        at(
            "perSpend",
            "!has(self.perSpend) || self.event == 'order.paid'",
            "perSpend is only for order.paid; remove it, and each event gives its points"
        ),
        needs("rounding", "perSpend", "rounding needs perSpend; without it there is nothing to round"),
    ])
}

pub(super) fn import() -> Value {
    json!([rule("!has(self.file) || !has(self.secretRef)".into(), "codes come from one place; keep file or secretRef")])
}

pub(super) fn codes() -> Value {
    json!([exactly_one("codes", &["generate", "__import__", "shared"])])
}

pub(super) fn redemption() -> Value {
    json!([
        needs("offline", "rotate", "offline needs rotate; a till without a network can only check a signed payload"),
        at(
            "rotate",
            "!has(self.rotate) || !has(self.symbology) || self.symbology == 'Qr'",
            "rotate needs symbology: Qr; a signed payload is too long for a barcode"
        ),
    ])
}

pub(super) fn voucher() -> Value {
    json!([
        exactly_one("a voucher", &["amountOff", "percentOff", "fixedPrice", "shipping"]),
        at(
            "maxAmount",
            "!(has(self.maxAmount) && has(self.amountOff))",
            "maxAmount needs percentOff, fixedPrice or shipping; an amount off is its own maximum"
        ),
        at("shipping", "!has(self.shipping) || self.shipping", "shipping can only be true; write shipping: true"),
        at("items", "!(has(self.items) && has(self.shipping))", "free shipping is not for goods; remove items"),
    ])
}

pub(super) fn validity() -> Value {
    json!([
        exactly_one("validity", &["__for__", "until"]),
        at(
            "until",
            "!has(self.until) || !has(self.notBefore) || self.until > self.notBefore",
            "until is not after notBefore; move until later or notBefore earlier"
        ),
    ])
}

pub(super) fn step() -> Value {
    json!([exactly_one_named("step", &["send", "wait", "issue"])])
}

pub(super) fn wait() -> Value {
    json!([rule(
        "has(self.__for__) || has(self.until)".into(),
        "a wait needs for, until or both; say how long to wait",
    )])
}

pub(super) fn occasion() -> Value {
    json!([exactly_one("this", &["event", "segment"])])
}

pub(super) fn reentry() -> Value {
    json!([at(
        "every",
        "!has(self.every) || self.policy == 'Always'",
        "every needs policy: Always; use Always, or remove every"
    )])
}

pub(super) fn template() -> Value {
    json!([at(
        "locales",
        "self.kind != 'Email' || self.locales.all(l, has(self.locales[l].subject))",
        "an Email needs a subject in each language; add it where it is missing"
    )])
}

pub(super) fn channel() -> Value {
    json!([exactly_one("a channel", &["smtp", "inApp"])])
}

pub(super) fn attribute_type() -> Value {
    json!([at(
        "values",
        "(self.type == 'Enum') == has(self.values)",
        "values belong to type: Enum, which needs them; add values or choose another type"
    )])
}
