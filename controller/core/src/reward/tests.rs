use super::*;
use crate::{
    fixtures::{Memory, amount_voucher, bangkok, line, name, reward},
    model::{campaign::Limit, reward::Voucher},
    money::BasisPoints,
    time::{Every, Span},
};

#[test]
fn terms_follow_claim_and_validity() {
    let now = bangkok("2026-11-11T10:00");
    let day = |text: &str| Some(bangkok(text));
    let zone = Tz::Asia__Bangkok;
    let mut plan = reward("r", amount_voucher(100, 0));
    plan.validity.lasts = Some(Span::days(14));
    let expect = Terms { claim_by: None, valid_from: Some(now), valid_until: day("2026-11-25T10:00") };
    assert_eq!(terms(&plan, now, zone), expect, "claimed when issued");

    plan.claim = Claim::Manual;
    plan.claim_within = Some(Span::days(3));
    assert_eq!(terms(&plan, now, zone), Terms { claim_by: day("2026-11-14T10:00"), ..expect }, "valid from issue");

    plan.validity.from = ValidFrom::Claim;
    let issued = terms(&plan, now, zone);
    assert_eq!(issued, Terms { claim_by: day("2026-11-14T10:00"), valid_from: None, valid_until: None });
    let later = bangkok("2026-11-13T00:00");
    let after = claimed(&plan, issued, later, zone);
    assert_eq!((after.valid_from, after.valid_until), (Some(later), day("2026-11-27T00:00")), "valid from the claim");

    plan.validity.until = day("2026-11-12T00:00");
    plan.validity.not_before = day("2026-11-11T20:00");
    let bounded = terms(&plan, now, zone);
    assert_eq!((bounded.claim_by, bounded.valid_until), (day("2026-11-12T00:00"), day("2026-11-12T00:00")));
    plan.validity.from = ValidFrom::Issue;
    assert_eq!(terms(&plan, now, zone).valid_from, day("2026-11-11T20:00"));
    plan.validity.until = None;
    let waits = terms(&plan, now, zone);
    assert_eq!(waits.valid_until, day("2026-11-25T20:00"), "what cannot be used yet does not run out yet");
}

#[test]
fn days_are_days_of_the_calendar_in_the_zone() {
    let mut plan = reward("r", amount_voucher(100, 0));
    plan.validity.lasts = Some(crate::time::Span::days(1));
    let local = |text: &str, zone| crate::time::resolve(crate::time::parse_local(text).unwrap(), zone);
    // New York and Lord Howe change their clocks in these nights, the latter by half an hour; Bangkok never does.
    for (zone, from, until, hours_e1) in [
        (Tz::Asia__Bangkok, "2026-10-31T21:00", "2026-11-01T21:00", 240),
        (Tz::America__New_York, "2026-10-31T21:00", "2026-11-01T21:00", 250),
        (Tz::America__New_York, "2026-03-07T21:00", "2026-03-08T21:00", 230),
        (Tz::America__New_York, "2026-03-07T02:30", "2026-03-08T03:00", 235),
        (Tz::Australia__Lord_Howe, "2026-04-04T21:00", "2026-04-05T21:00", 245),
        (Tz::Australia__Lord_Howe, "2026-10-03T21:00", "2026-10-04T21:00", 235),
    ] {
        let now = local(from, zone);
        let end = terms(&plan, now, zone).valid_until.unwrap();
        assert_eq!((end, (end - now).num_minutes()), (local(until, zone), hours_e1 * 6), "{zone} {from}");
    }
}

#[test]
fn several_uses_are_worth_and_cost_as_often() {
    let memory = Memory::default();
    let mut plan = reward("r", amount_voucher(100, 0));
    plan.redemption.uses = Some(3);
    assert_eq!((worth(&plan, &memory.runtime), cost(&plan, &memory.runtime)), (Minor(300), Minor(300)));
    plan.unit_cost = Minor(40);
    assert_eq!((worth(&plan, &memory.runtime), cost(&plan, &memory.runtime)), (Minor(300), Minor(120)));
    let card = reward("c", RewardKind::GiftCard { amount: Minor(500) });
    assert_eq!(cost(&card, &memory.runtime), Minor(500));
}

#[test]
fn a_claim_is_refused_with_its_reason() {
    let now = bangkok("2026-11-11T10:00");
    let open = Terms { claim_by: Some(bangkok("2026-11-11T10:01")), ..Terms::default() };
    let closed = Terms { claim_by: Some(now), ..Terms::default() };
    for (state, suspended, terms, expect) in [
        (GrantState::Granted, false, open, None),
        (GrantState::Granted, false, closed, Some(Reason::ClaimClosed)),
        (GrantState::Granted, true, open, Some(Reason::Suspended)),
        (GrantState::Claimed, true, closed, None),
        (GrantState::Redeemed, false, open, Some(Reason::AlreadyRedeemed)),
        (GrantState::Revoked, false, open, Some(Reason::Revoked)),
        (GrantState::Expired, false, open, Some(Reason::ClaimClosed)),
    ] {
        let reason = claimable(state, suspended, terms, now).err().map(|refusal| refusal.reason);
        assert_eq!(reason, expect, "{state:?} {suspended}");
    }
}

#[test]
fn a_voucher_s_refusals_come_in_their_order() {
    let memory = Memory::default();
    let now = memory.now;
    let id = GrantId::from("g");
    let mut plan = reward("r", amount_voucher(100, 0));
    plan.redemption.places.stores = Some(vec!["bkk-01".into()]);
    plan.redemption.places.channels = vec!["pos".into()];
    let (past, future) = (Some(bangkok("2026-11-11T10:00")), Some(bangkok("2026-11-11T10:01")));
    let store = crate::ids::StoreId::from("bkk-01");
    let other = crate::ids::StoreId::from("bkk-02");
    let fine = Terms { claim_by: None, valid_from: past, valid_until: future };
    assert_eq!(past, Some(now));
    for (state, suspended, terms, store, channel, expect) in [
        (GrantState::Claimed, false, fine, Some(&store), "pos", None),
        (GrantState::Redeemed, true, Terms { valid_until: past, ..fine }, None, "x", Some(Reason::AlreadyRedeemed)),
        (GrantState::Claimed, true, Terms { valid_until: past, ..fine }, None, "x", Some(Reason::Expired)),
        (GrantState::Revoked, true, Terms { valid_from: future, ..fine }, None, "x", Some(Reason::NotStarted)),
        (GrantState::Revoked, true, fine, None, "x", Some(Reason::Revoked)),
        (GrantState::Granted, true, fine, None, "x", Some(Reason::Suspended)),
        (GrantState::Granted, false, fine, None, "x", Some(Reason::NotClaimed)),
        (GrantState::Reserved, false, fine, Some(&other), "x", Some(Reason::WrongStore)),
        (GrantState::Reserved, false, fine, None, "x", Some(Reason::WrongStore)),
        (GrantState::Reserved, false, fine, Some(&store), "x", Some(Reason::WrongChannel)),
        (GrantState::Reserved, false, fine, Some(&store), "pos", Some(Reason::ReservedElsewhere)),
    ] {
        let view = GrantView {
            id: &id,
            code: None,
            member: None,
            campaign: None,
            mechanic: None,
            plan: &plan,
            suspended,
            state,
            terms,
            barred: None,
            balance: None,
        };
        let visit = Visit { store, channel: Some(channel), ..memory.visit() };
        let refusal = usable(&view, &visit).err();
        assert_eq!(refusal.as_ref().map(|r| r.reason), expect, "{state:?} {store:?} {channel}");
        if let Some(refusal) = refusal.filter(|refusal| refusal.reason == Reason::WrongStore) {
            assert_eq!(refusal.valid_stores, ["bkk-01"]);
        }
    }
}

#[test]
fn a_percentage_voucher_stops_at_its_maximum_and_an_amount_at_the_cart() {
    let memory = Memory::default();
    let id = GrantId::from("g");
    let lines = [line("1", "TEA", 1, 101), line("2", "CUP", 1, 99)];
    let left = [Minor(101), Minor(99)];
    let percent = |max| VoucherWorth::Percent { share: BasisPoints(5_000), max };
    for (worth, expect) in [
        (percent(None), vec![51, 50]),
        (percent(Some(Minor(11))), vec![6, 5]),
        (VoucherWorth::Amount(Minor(20)), vec![10, 10]),
        (VoucherWorth::Amount(Minor(900)), vec![101, 99]),
    ] {
        let kind = RewardKind::Voucher(Voucher { worth, min_spend: Minor(200), items: crate::cart::Items::default() });
        let plan = reward("r", kind);
        let view = GrantView {
            id: &id,
            code: None,
            member: None,
            campaign: None,
            mechanic: None,
            plan: &plan,
            suspended: false,
            state: GrantState::Claimed,
            terms: Terms::default(),
            barred: None,
            balance: None,
        };
        let shares: Vec<i64> = off(&view, &lines, &left, &memory.visit()).unwrap().iter().map(|m| m.0).collect();
        assert_eq!(shares, expect, "{worth:?}");
        let less = off(&view, &lines, &[Minor(101), Minor(98)], &memory.visit()).unwrap_err();
        assert_eq!(less.reason, Reason::MinSpendNotMet);
        assert!(less.detail.contains("0.01 THB are missing"), "{}", less.detail);
    }
}

#[test]
fn stock_and_limits_bound_what_can_be_given() {
    let mut plan = reward("r", RewardKind::Points { amount: 50, expire_after: None });
    plan.quantity = Some(10);
    let limit = |per, max| Limit { count: Counted::Rewards, per, every: Every::Lifetime, max };
    plan.limits = vec![limit(Per::Member, 2), limit(Per::Campaign, 3)];
    let memory = Memory { left: 2, ..Memory::default() };
    let give = |quantity, campaign: &str| {
        let visit = memory.visit();
        let refusal = issuable(&plan, quantity, Some(&name(campaign)), &visit).unwrap();
        refusal.map_or_else(
            || {
                memory.apply(&consumes(&plan, quantity, Some(&name(campaign)), &visit));
                None
            },
            |refusal| Some(refusal.reason),
        )
    };
    assert_eq!(give(3, "c"), Some(Reason::OutOfStock));
    assert_eq!(give(2, "c"), None);
    assert_eq!(give(1, "d"), Some(Reason::LimitReached));
    assert_eq!(worth(&plan, &memory.runtime), Minor(100));
    let plan = RewardPlan { unit_cost: Minor(7), ..plan };
    assert_eq!(cost(&plan, &memory.runtime), Minor(7));
}

/// Whether a personal voucher of m1 may be used by whoever is named, with or without the payload of m1's app.
#[test]
fn a_personal_voucher_is_for_its_holder_or_whoever_shows_the_holders_app() {
    let payload = Payload {
        key: [0; 4],
        grant: "01J9Z3N5T8V2X4B6C8D0E2F4G6".into(),
        issued_ms: 0,
        life_s: 30,
        nonce: 0,
        offline_max: None,
        grace_s: 0,
    };
    let (typed, shown) = (Code::from("ABCD"), payload.to_code().unwrap());
    let (holder, other) = (MemberId::from("m1"), MemberId::from("m2"));
    let mut plan = reward("coupon", amount_voucher(100, 0));
    plan.redemption.guard.holder_only = true;
    let check = |code: &Code, member: Option<&MemberId>, plan: &RewardPlan, expect: Option<Reason>| {
        let view = GrantView {
            id: &payload.grant,
            code: Some(code),
            member: Some(&holder),
            campaign: None,
            mechanic: None,
            plan,
            suspended: false,
            state: GrantState::Claimed,
            terms: Terms::default(),
            balance: None,
            barred: None,
        };
        assert_eq!(held(&view, member).err().map(|no| no.reason), expect, "{code:?} {member:?}");
    };
    check(&typed, None, &plan, Some(Reason::NotHolder));
    check(&typed, Some(&other), &plan, Some(Reason::NotHolder));
    check(&typed, Some(&holder), &plan, None);
    check(&shown, None, &plan, None);
    check(&shown, Some(&holder), &plan, None);
    check(&shown, Some(&other), &plan, Some(Reason::NotHolder));
    plan.redemption.guard.holder_only = false;
    check(&typed, Some(&other), &plan, None);
}
