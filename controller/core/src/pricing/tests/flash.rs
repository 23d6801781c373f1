use super::*;
use crate::{
    decide,
    fixtures::Seeded,
    ids::HoldId,
    mechanic::{Act, Effect, flash_sale::give_back},
};

fn sale(stock: i64, per_member: Option<i64>) -> CampaignPlan {
    let item = Item { sku: "TEA".into(), price: Minor(99), stock, stock_per_store: None };
    campaign("c", vec![Rule::FlashSale(FlashSale { items: vec![item], per_member, reserve_for: Span::seconds(600) })])
}

fn reserve(memory: &Memory, plan: &CampaignPlan, quantity: i64) -> Result<Hold, Refusal> {
    let id = HoldId::from("h1");
    let act = Act::Reserve { sku: "TEA", quantity, store: None, id: id.clone() };
    let acted = decide::act(plan, &plan.mechanics[0], &memory.visit(), &act, &mut Seeded(1)).unwrap().unwrap()?;
    memory.apply(&acted.outcome.effects);
    assert!(acted.outcome.effects.iter().any(|effect| matches!(effect, Effect::Hold { .. })));
    let (id, expires_at) = acted.reservation.unwrap();
    Ok(Hold {
        id,
        campaign: plan.name.clone(),
        mechanic: plan.mechanics[0].name.clone(),
        member: "m1".into(),
        sku: "TEA".into(),
        quantity,
        store: None,
        expires_at,
        open: true,
    })
}

#[test]
fn free_stock_is_given_as_far_as_it_goes() {
    for (stock, per_member, wanted, expect) in
        [(5, None, 2, 2), (1, None, 2, 1), (5, Some(1), 3, 1), (0, None, 1, 0), (5, Some(0), 1, 0)]
    {
        let memory = Memory::default();
        let plan = sale(stock, per_member);
        let lines = cart(vec![line("1", "TEA", wanted, 150), line("2", "CUP", 1, 80)]);
        let priced = price(&memory, &[&plan], &lines);
        assert_eq!(priced.evaluation.discount, Minor(expect * 51), "{stock} {per_member:?} {wanted}");
        memory.apply(&priced.effects());
        memory.apply(&priced.undo());
        assert!(memory.all_zero());
        if expect == 0 {
            assert_eq!(reasons(&priced), [if stock == 0 { "sold-out" } else { "limit-reached" }]);
        }
    }
}

#[test]
fn two_lines_of_one_item_share_its_stock() {
    let plan = sale(3, None);
    let priced = price(&Memory::default(), &[&plan], &cart(vec![line("1", "TEA", 2, 150), line("2", "TEA", 2, 150)]));
    assert_eq!(priced.evaluation.discount, Minor(3 * 51));
}

#[test]
fn a_reservation_holds_units_until_it_is_used_released_or_lapsed() {
    let memory = Memory::default();
    let plan = sale(2, None);
    let hold = reserve(&memory, &plan, 2).unwrap();
    assert_eq!(reserve(&memory, &plan, 1).unwrap_err().reason, Reason::SoldOut);
    memory.apply(&give_back(&hold));
    assert!(memory.all_zero());
    let once = sale(5, Some(1));
    assert_eq!(reserve(&memory, &once, 2).unwrap_err().reason, Reason::LimitReached);
    assert!(reserve(&memory, &once, 1).is_ok());
    assert_eq!(reserve(&memory, &once, 1).unwrap_err().reason, Reason::LimitReached);
}

#[test]
fn a_cart_uses_its_reservation_and_returns_what_it_does_not_take() {
    let plan = sale(2, Some(2));
    for (quantity, used) in [(1, 1), (2, 2), (3, 2)] {
        let memory = Memory::default();
        let holds = [reserve(&memory, &plan, 2).unwrap()];
        let mut lines = cart(vec![line("1", "TEA", quantity, 150)]);
        lines.reservations = vec![holds[0].id.clone()];
        let ask = Ask { cart: &lines, visit: memory.visit(), campaigns: &[&plan], grants: &[], holds: &holds };
        let priced = evaluate(&ask).unwrap();
        adds_up(&priced, &lines);
        assert_eq!(priced.evaluation.discount, Minor(used * 51), "{quantity}");
        assert_eq!(priced.evaluation.discounts[0].hold, Some(holds[0].id.clone()));
        memory.apply(&priced.effects());
        memory.apply(&priced.undo());
        assert!(memory.all_zero(), "{quantity}: {:?}", memory.counters);
    }
}

#[test]
fn a_reservation_that_fails_is_refused_by_its_name() {
    let plan = sale(5, None);
    let memory = Memory::default();
    let hold = reserve(&memory, &plan, 1).unwrap();
    let tea = || vec![line("1", "TEA", 1, 150)];
    let strange = Hold { member: "m2".into(), ..hold.clone() };
    let lapsed = Hold { expires_at: memory.now, ..hold.clone() };
    let used = Hold { open: false, ..hold.clone() };
    let paused = CampaignPlan { suspended: true, ..plan.clone() };
    for (plan, holds, lines, expect) in [
        (&plan, vec![], tea(), Reason::ReservationUnknown),
        (&plan, vec![strange], tea(), Reason::ReservationUnknown),
        (&plan, vec![lapsed], tea(), Reason::ReservationExpired),
        (&plan, vec![used], tea(), Reason::ReservationExpired),
        (&plan, vec![hold.clone()], vec![line("1", "CUP", 1, 80)], Reason::ItemsNotEligible),
        (&paused, vec![hold.clone()], tea(), Reason::CampaignPaused),
    ] {
        let mut lines = cart(lines);
        lines.reservations = vec![hold.id.clone()];
        let ask = Ask { cart: &lines, visit: memory.visit(), campaigns: &[plan], grants: &[], holds: &holds };
        let priced = evaluate(&ask).unwrap();
        let named: Vec<_> = priced.evaluation.rejected.iter().filter(|r| r.subject.was_named()).collect();
        assert_eq!(named.len(), 1, "{priced:?}");
        assert_eq!(named[0].reason, expect);
    }
}
