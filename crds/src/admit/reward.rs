//! A Reward's specification → its plan.

use fanfare_core::cart::Items;
use fanfare_core::codes::{QUANTITY_ASSUMED, is_long_enough, normalise, shortest_for};
use fanfare_core::ids::{Name, Revision};
use fanfare_core::model::RewardPlan;
use fanfare_core::model::campaign::{Combine, Counted, Limit, Per};
use fanfare_core::model::reward as plan;
use fanfare_core::money::Minor;
use fanfare_core::time::{Every, Span};

use super::context::{Context, PlacesAt, items};
use super::error::{Path, code};
use super::limits;
use crate::wire::{reward as wire, text};

/// How long a code is kept for an unpaid order, where neither the Reward nor a Runtime says.
const RESERVE_DEFAULT: Span = Span::seconds(900);
/// The shortest life of a rotating payload: a scanner and a request have to fit in.
const ROTATE_MIN_S: i64 = 5;
/// The longest: more is worth little against a screenshot.
const ROTATE_MAX_S: i64 = 600;
/// How long after an offline acceptance a till may report it, where the Reward does not say.
const GRACE_DEFAULT: Span = Span::seconds(3_600);
/// The longest that it may say: how far back any till may place what it did.
const GRACE_MAX_S: i64 = 72 * 3_600;

/// Compiles `spec`. What is wrong goes to `context`; then the plan is of no use.
pub(crate) fn compile(name: &str, spec: &wire::RewardSpec, context: &mut Context<'_>) -> Option<RewardPlan> {
    let wire::RewardSpec {
        title,
        points,
        voucher,
        free_item,
        access,
        badge,
        gift_card,
        codes,
        quantity,
        limits,
        claim,
        claim_within,
        validity,
        remind_before,
        redemption,
        stacking,
        unit_cost,
        suspend,
    } = spec;
    let path = Path::SPEC;
    let kind = match (points, voucher, free_item, access, badge, gift_card) {
        (Some(points), None, None, None, None, None) => self::points(points, context, path.field("points")),
        (None, Some(voucher), None, None, None, None) => {
            plan::RewardKind::Voucher(self::voucher(voucher, context, path.field("voucher"))?)
        }
        (None, None, Some(wire::FreeItemReward { sku, quantity }), None, None, None) => {
            plan::RewardKind::FreeItem { sku: sku.0.clone(), quantity: quantity.unwrap_or(1) }
        }
        (None, None, None, Some(access), None, None) => plan::RewardKind::Access { key: access.key.0.clone() },
        (None, None, None, None, Some(wire::BadgeReward {}), None) => plan::RewardKind::Badge,
        (None, None, None, None, None, Some(wire::GiftCardReward { amount })) => {
            let amount = context.money_above_zero(amount, path.field("giftCard").field("amount"));
            plan::RewardKind::GiftCard { amount }
        }
        _ => {
            context.contradiction(path);
            return None;
        }
    };
    let shared = codes.as_ref().and_then(|codes| codes.shared.as_ref());
    if shared.is_some() {
        nobody_holds_it(spec, context);
    }
    let unit_cost = match unit_cost {
        Some(cost) => context.money(&cost.amount, path.field("unitCost").field("amount")),
        None => estimated_cost(&kind, context),
    };
    let claim_within = claim_within.as_ref().map(|span| context.span_above_zero(span, path.field("claimWithin")));
    let validity = match access {
        Some(access) => lasting(access, context, path.field("access")),
        None => self::validity(validity.as_ref(), context, path.field("validity")),
    };
    let remind_before = reminders(remind_before, (&kind, claim_within, &validity), context, path.field("remindBefore"));
    Some(RewardPlan {
        name: Name::from(name),
        revision: Revision::from(""),
        title: title.clone(),
        codes: codes
            .as_ref()
            .map(|codes| self::codes(codes, *quantity, context, path.field("codes")))
            .unwrap_or_default(),
        quantity: shared.map_or(*quantity, |shared| Some(quantity.map_or(shared.max, |all| all.min(shared.max)))),
        limits: self::limits(limits::of_reward(limits, context, path.field("limits")), &kind),
        claim: match claim {
            Some(wire::Claim::Manual) => plan::Claim::Manual,
            Some(wire::Claim::Auto) | None => plan::Claim::Auto,
        },
        claim_within,
        validity,
        remind_before,
        redemption: self::redemption(redemption.as_ref(), &kind, context, path.field("redemption")),
        stacking: stacking.as_ref().map(|wire::RewardStacking { group, combine }| plan::VoucherStacking {
            group: group.0.clone(),
            combine: match combine {
                wire::RewardCombine::Exclusive => Combine::Exclusive,
                wire::RewardCombine::All => Combine::All,
            },
        }),
        kind,
        unit_cost,
        suspended: suspend.unwrap_or(false),
    })
}

/// When a member is reminded, longest first. What never ends has nothing to be reminded of, and nobody is reminded of what
/// was not given yet.
fn reminders(
    written: &[text::Span],
    (kind, claim_within, validity): (&plan::RewardKind, Option<Span>, &plan::Validity),
    context: &mut Context<'_>,
    path: Path<'_>,
) -> Vec<Span> {
    let seconds = |span: Span| span.days.saturating_mul(86_400).saturating_add(span.seconds);
    let ends = claim_within.is_some() || validity.lasts.is_some() || validity.until.is_some();
    let lasts = if validity.until.is_some() { None } else { claim_within.max(validity.lasts) };
    let mut spans: Vec<Span> = Vec::with_capacity(written.len());
    for (index, written) in written.iter().enumerate() {
        let at = path.index(index);
        let span = context.span_above_zero(written, at);
        let fault = match kind {
            plan::RewardKind::Points { .. } | plan::RewardKind::Badge => Some((
                code::NOT_ALLOWED,
                "is not for points and badges",
                "leave it out; `GET /v1/points` tells when points lapse",
            )),
            _ if !ends => {
                Some((code::NOT_ALLOWED, "reminds of an end, and this reward has none", "add validity or claimWithin"))
            }
            _ if lasts.is_some_and(|lasts| seconds(span) >= seconds(lasts)) => {
                Some((code::OUT_OF_RANGE, "is as long as the reward itself lasts", "write a shorter time"))
            }
            _ if spans.iter().any(|other| seconds(*other) == seconds(span)) => {
                Some((code::DUPLICATE, "stands twice", "write each time once"))
            }
            _ => None,
        };
        match fault {
            Some((code, what, remedy)) => context.findings.push(at, code, what, remedy),
            None => spans.push(span),
        }
    }
    spans.sort_by_key(|span| std::cmp::Reverse(seconds(*span)));
    spans
}

fn points(points: &wire::PointsReward, context: &mut Context<'_>, path: Path<'_>) -> plan::RewardKind {
    let wire::PointsReward { amount, expire_after } = points;
    plan::RewardKind::Points {
        amount: *amount,
        expire_after: expire_after.as_ref().map(|span| context.span_above_zero(span, path.field("expireAfter"))),
    }
}

fn voucher(voucher: &wire::VoucherReward, context: &mut Context<'_>, path: Path<'_>) -> Option<plan::Voucher> {
    let wire::VoucherReward { amount_off, percent_off, fixed_price, shipping, max_amount, min_spend, items: written } =
        voucher;
    let max = max_amount.as_ref().map(|amount| context.money_above_zero(amount, path.field("maxAmount")));
    let worth = match (amount_off, percent_off, fixed_price, shipping) {
        (Some(amount), None, None, None) => {
            plan::VoucherWorth::Amount(context.money_above_zero(amount, path.field("amountOff")))
        }
        (None, Some(share), None, None) => {
            plan::VoucherWorth::Percent { share: context.share_above_zero(share, path.field("percentOff")), max }
        }
        (None, None, Some(price), None) => {
            plan::VoucherWorth::FixedPrice { price: context.money(price, path.field("fixedPrice")), max }
        }
        (None, None, None, Some(_)) => plan::VoucherWorth::Shipping { max },
        _ => {
            context.contradiction(path);
            return None;
        }
    };
    Some(plan::Voucher {
        worth,
        min_spend: context.money_or_zero(min_spend.as_ref(), path.field("minSpend")),
        items: written.as_ref().map_or_else(Items::default, items),
    })
}

/// The most that one can cost where the author gives no estimate: a budget must never be surprised.
fn estimated_cost(kind: &plan::RewardKind, context: &Context<'_>) -> Minor {
    match kind {
        plan::RewardKind::Points { amount, .. } => {
            context.runtime.map_or(Minor::ZERO, |runtime| runtime.worth_of_points(*amount))
        }
        kind => fanfare_core::reward::worth_of_use(kind, Minor::ZERO),
    }
}

/// The limits that are written; a badge is given to each member once.
fn limits(written: Vec<Limit>, kind: &plan::RewardKind) -> Vec<Limit> {
    let once = Limit { count: Counted::Rewards, per: Per::Member, every: Every::Lifetime, max: 1 };
    written.into_iter().chain(matches!(kind, plan::RewardKind::Badge).then_some(once)).collect()
}

/// How long access lasts.
fn lasting(access: &wire::AccessReward, context: &mut Context<'_>, path: Path<'_>) -> plan::Validity {
    let lasts = Some(context.span_above_zero(&access.lasts, path.field("for")));
    plan::Validity { from: plan::ValidFrom::Claim, lasts, until: None, not_before: None }
}

fn codes(codes: &wire::Codes, quantity: Option<i64>, context: &mut Context<'_>, path: Path<'_>) -> plan::CodeRule {
    let usual = plan::CodeRule::default();
    match codes {
        wire::Codes { generate: Some(generate), import: None, shared: None } => {
            generated(generate, quantity, context, path.field("generate"))
        }
        wire::Codes { generate: None, import: Some(wire::ImportCodes { file }), shared: None } => {
            if let Some(file) = file {
                inside_the_folder(file, context, path.field("import").field("file"));
            }
            plan::CodeRule { source: plan::CodeSource::Imported, ..usual }
        }
        wire::Codes { generate: None, import: None, shared: Some(wire::SharedCode { code, max: _ }) } => {
            plan::CodeRule { source: plan::CodeSource::Shared(normalise(code.as_str())), ..usual }
        }
        _ => {
            context.contradiction(path);
            usual
        }
    }
}

fn generated(
    generate: &wire::GenerateCodes,
    quantity: Option<i64>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> plan::CodeRule {
    let wire::GenerateCodes { length, alphabet, prefix } = generate;
    let usual = plan::CodeRule::default();
    let rule = plan::CodeRule {
        length: length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usual.length),
        alphabet: match alphabet {
            Some(wire::Alphabet::Digits) => plan::Alphabet::Digits,
            Some(wire::Alphabet::Crockford) | None => plan::Alphabet::Crockford,
        },
        prefix: prefix.as_ref().map_or(usual.prefix, |prefix| prefix.0.clone()),
        source: plan::CodeSource::Drawn,
    };
    let many = quantity.unwrap_or(QUANTITY_ASSUMED);
    if !is_long_enough(rule.alphabet, rule.length, many) {
        let longer = shortest_for(rule.alphabet, many).map(|length| format!("write length: {length} or more"));
        let remedy = match (longer, rule.alphabet) {
            (Some(longer), plan::Alphabet::Digits) => format!("{longer}, or alphabet: Crockford"),
            (Some(longer), plan::Alphabet::Crockford) => longer,
            (None, _) => "write a smaller quantity".to_owned(),
        };
        let how_many = match quantity {
            Some(many) => many.to_string(),
            None => format!("the {many} reckoned with where there is no quantity"),
        };
        let reason = format!("codes of {} characters are too easy to guess for {how_many}", rule.length);
        context.findings.push(path.field("length"), code::OUT_OF_RANGE, reason, remedy);
    }
    rule
}

/// A file of codes is read by `fanfare up` from the folder that it runs, never from beside it.
fn inside_the_folder(file: &str, context: &mut Context<'_>, path: Path<'_>) {
    let leaves = file.starts_with(['/', '\\', '~']) || file.split(['/', '\\']).any(|part| part == "..");
    if leaves {
        let remedy = "write a path inside the folder, such as `codes/partner.csv`";
        context.findings.push(path, code::NOT_ALLOWED, "the file is outside the folder", remedy);
    }
}

/// A shared code is used the moment it is typed, so nobody claims it, holds it or shows it on a phone.
fn nobody_holds_it(spec: &wire::RewardSpec, context: &mut Context<'_>) {
    let mut refuse = |path: Path<'_>, remedy: &str| {
        context.findings.push(path, code::CONFLICT, "nobody holds a shared code before it is used", remedy);
    };
    if spec.claim == Some(wire::Claim::Manual) {
        refuse(Path::SPEC.field("claim"), "remove claim, or let codes be generated");
    }
    if spec.gift_card.is_some() || spec.access.is_some() {
        refuse(Path::SPEC.field("codes").field("shared"), "give a voucher or a freeItem, or let codes be generated");
    }
    let redemption = Path::SPEC.field("redemption");
    let guarded = spec.redemption.as_ref();
    if guarded.is_some_and(|redemption| redemption.uses.is_some_and(|uses| uses > 1)) {
        refuse(redemption.field("uses"), "remove uses; codes.shared.max says how often it is used");
    }
    if guarded.is_some_and(|redemption| redemption.rotate.is_some()) {
        refuse(redemption.field("rotate"), "remove rotate, or let codes be generated");
    }
    if guarded.is_some_and(|redemption| redemption.holder_only == Some(true)) {
        refuse(redemption.field("holderOnly"), "limit it with limits per Member instead, or let codes be generated");
    }
}

fn validity(validity: Option<&wire::Validity>, context: &mut Context<'_>, path: Path<'_>) -> plan::Validity {
    let Some(wire::Validity { from, lasts, until, not_before }) = validity else {
        return plan::Validity { from: plan::ValidFrom::Issue, lasts: None, until: None, not_before: None };
    };
    let zone = context.zone();
    let until = until.as_ref().map(|at| context.instant(at, zone, path.field("until")));
    let not_before = not_before.as_ref().map(|at| context.instant(at, zone, path.field("notBefore")));
    if let (Some(until), Some(not_before)) = (until, not_before)
        && until <= not_before
    {
        let remedy = "move until later or notBefore earlier";
        context.findings.push(path.field("until"), code::CONFLICT, "until is not after notBefore", remedy);
    }
    plan::Validity {
        from: match from {
            Some(wire::ValidFrom::Claim) => plan::ValidFrom::Claim,
            Some(wire::ValidFrom::Issue) | None => plan::ValidFrom::Issue,
        },
        lasts: lasts.as_ref().map(|span| context.span_above_zero(span, path.field("for"))),
        until,
        not_before,
    }
}

fn redemption(
    redemption: Option<&wire::Redemption>,
    kind: &plan::RewardKind,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> plan::Redemption {
    let usual = wire::Redemption::default();
    let wire::Redemption { channels, stores, symbology, reserve_for, uses, rotate, holder_only, offline, on_reversal } =
        redemption.unwrap_or(&usual);
    let otherwise = context.runtime.map_or(RESERVE_DEFAULT, |runtime| runtime.reserve_for);
    plan::Redemption {
        places: context.places(&PlacesAt { channels, stores, groups: &[] }, path),
        symbology: match symbology {
            Some(wire::Symbology::Code128) => plan::Symbology::Code128,
            Some(wire::Symbology::Qr) | None => plan::Symbology::Qr,
        },
        reserve_for: context.span_or(reserve_for.as_ref(), otherwise, path.field("reserveFor")),
        on_reversal: match on_reversal {
            Some(wire::OnReversal::Forfeit) => plan::OnReversal::Forfeit,
            Some(wire::OnReversal::Restore) | None => plan::OnReversal::Restore,
        },
        uses: match kind {
            plan::RewardKind::GiftCard { .. } => None,
            plan::RewardKind::Access { .. } => *uses,
            _ => Some(uses.unwrap_or(1)),
        },
        guard: plan::Guard {
            rotate: rotate.as_ref().map(|span| {
                context.span_within(
                    span,
                    Span::seconds(ROTATE_MIN_S),
                    Span::seconds(ROTATE_MAX_S),
                    path.field("rotate"),
                )
            }),
            holder_only: holder_only.unwrap_or(false),
            offline: offline.as_ref().map(|offline| self::offline(offline, context, path.field("offline"))),
        },
    }
}

fn offline(offline: &wire::Offline, context: &mut Context<'_>, path: Path<'_>) -> plan::Offline {
    let wire::Offline { max_amount, grace_for } = offline;
    let most = Span::seconds(GRACE_MAX_S);
    plan::Offline {
        max_amount: context.money_above_zero(max_amount, path.field("maxAmount")),
        grace_for: grace_for
            .as_ref()
            .map_or(GRACE_DEFAULT, |span| context.span_within(span, Span::seconds(1), most, path.field("graceFor"))),
    }
}
