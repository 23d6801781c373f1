use super::*;

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec((1..6_i64, 0..5_000_i64, 0..3_usize), 1..6).prop_map(|lines| {
        let skus = ["TEA", "CUP", "GIFT"];
        let numbered = lines.into_iter().enumerate();
        numbered.map(|(id, (quantity, price, sku))| line(&id.to_string(), skus[sku], quantity, price)).collect()
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let how = prop_oneof![
        (0..10_000_i64).prop_map(|share| discount::Off::Percent(BasisPoints(share))),
        (0..20_000_i64).prop_map(|amount| discount::Off::Amount(Minor(amount))),
        (0..5_000_i64).prop_map(|price| discount::Off::FixedPrice(Minor(price))),
    ];
    let max =
        prop::option::of((0..5_000_i64, prop_oneof![Just(MaxPer::Line), Just(MaxPer::Order), Just(MaxPer::Member)]));
    let discounts = (how, max, 0..3_000_i64, 0..4_000_i64).prop_map(|(how, max, floor, least)| {
        let max = max.map(|(max, per)| (Minor(max), per));
        Rule::Discount(discount::Discount { max, floor_price: Minor(floor), min_spend: Minor(least), ..off(how) })
    });
    let thresholds = (1..8_000_i64, 1..8_000_i64, 0..9_000_i64, any::<bool>(), any::<bool>()).prop_map(
        |(first, more, amount, repeat, all)| {
            let tiers =
                vec![(first, Gives::AmountOff(Minor(amount))), (first + more, Gives::PercentOff(BasisPoints(amount)))];
            threshold(Basis::AfterDiscounts, if all { Award::All } else { Award::Highest }, repeat, tiers)
        },
    );
    let flash = (0..3_000_i64, 0..5_i64, prop::option::of(0..4_i64)).prop_map(|(price, stock, per_member)| {
        let item = Item { sku: "TEA".into(), price: Minor(price), stock, stock_per_store: None };
        Rule::FlashSale(FlashSale { items: vec![item], per_member, reserve_for: Span::seconds(60) })
    });
    prop_oneof![discounts, thresholds, flash]
}

proptest! {
    #[test]
    fn every_price_adds_up_and_its_void_leaves_no_trace(
        lines in any_lines(), rules in prop::collection::vec(prop::collection::vec(any_rule(), 1..3), 1..4),
    ) {
        let plans: Vec<CampaignPlan> =
            rules.into_iter().enumerate().map(|(id, rules)| campaign(&format!("c{id}"), rules)).collect();
        let campaigns: Vec<&CampaignPlan> = plans.iter().collect();
        let memory = Memory::default();
        let priced = price(&memory, &campaigns, &cart(lines));
        memory.apply(&priced.effects());
        memory.apply(&priced.undo());
        prop_assert!(memory.all_zero());
    }

    #[test]
    fn one_discount_never_takes_a_unit_below_its_floor(lines in any_lines(), how in any_rule()) {
        let Rule::Discount(rule) = &how else { return Ok(()) };
        let floor = rule.floor_price;
        let cart = cart(lines);
        let priced = price(&Memory::default(), &[&campaign("c", vec![how])], &cart);
        for (line, priced) in cart.lines.iter().zip(&priced.evaluation.lines) {
            prop_assert!(priced.payable >= floor.times(line.quantity).min(line.total()), "{line:?} {priced:?}");
        }
    }

    #[test]
    fn stacked_discounts_and_vouchers_never_take_a_line_below_a_floor(
        lines in any_lines(),
        stacked in prop::collection::vec(prop::collection::vec(any_rule(), 1..3), 1..4),
        voucher_off in 1..20_000_i64,
    ) {
        let plans: Vec<CampaignPlan> =
            stacked.into_iter().enumerate().map(|(id, rules)| campaign(&format!("c{id}"), rules)).collect();
        let cart = Cart { codes: vec![Code::from("V1")], ..cart(lines) };
        let wallet = Wallet::new("V1", reward("v", amount_voucher(voucher_off, 0)));
        let view = wallet.view(GrantState::Claimed);
        let memory = Memory::default();
        let campaigns: Vec<&CampaignPlan> = plans.iter().collect();
        let ask = Ask { cart: &cart, visit: memory.visit(), campaigns: &campaigns, grants: &[view], holds: &[] };
        let priced = evaluate(&ask).unwrap();
        let floor_of = |discount: &Discount| {
            let plan = plans.iter().find(|plan| Some(&plan.name) == discount.campaign.as_ref())?;
            let mechanic = plan.mechanics.iter().find(|of| Some(&of.name) == discount.mechanic.as_ref())?;
            let Rule::Discount(rule) = &mechanic.rule else { return None };
            Some(rule.floor_price)
        };
        for (line, paid) in cart.lines.iter().zip(&priced.evaluation.lines) {
            let touching = priced.evaluation.discounts.iter().filter(|d| d.lines.iter().any(|of| of.id == line.id));
            let floor = touching.filter_map(floor_of).max().unwrap_or_default();
            prop_assert!(paid.payable >= floor.times(line.quantity), "{floor:?} {line:?} {paid:?}");
            prop_assert!(paid.payable >= Minor::ZERO);
        }
    }

    #[test]
    fn all_discounts_together_never_take_a_line_below_its_margin(
        lines in any_lines(),
        costs in prop::collection::vec(prop::option::of(0..4_000_i64), 6),
        margin in 0..9_999_i64,
        stacked in prop::collection::vec(prop::collection::vec(any_rule(), 1..3), 1..4),
        voucher_off in 1..20_000_i64,
    ) {
        let plans: Vec<CampaignPlan> =
            stacked.into_iter().enumerate().map(|(id, rules)| campaign(&format!("c{id}"), rules)).collect();
        let costed = lines.into_iter().zip(costs).map(|(line, cost)| Line { cost: cost.map(Minor), ..line });
        let cart = Cart { codes: vec![Code::from("V1")], ..cart(costed.collect()) };
        let wallet = Wallet::new("V1", reward("v", amount_voucher(voucher_off, 0)));
        let view = wallet.view(GrantState::Claimed);
        let mut memory = Memory::default();
        memory.runtime.margin_floor = Some(BasisPoints(margin));
        let campaigns: Vec<&CampaignPlan> = plans.iter().collect();
        let ask = Ask { cart: &cart, visit: memory.visit(), campaigns: &campaigns, grants: &[view], holds: &[] };
        let priced = evaluate(&ask).unwrap();
        adds_up(&priced, &cart);
        for (line, paid) in cart.lines.iter().zip(&priced.evaluation.lines) {
            let Some(cost) = line.cost else { continue };
            // What is left above the cost is the margin's share of the price, or nothing was taken off at all.
            let above = i128::from(paid.payable.0 - cost.0 * line.quantity) * 10_000;
            let kept = above >= i128::from(paid.payable.0) * i128::from(margin);
            prop_assert!(kept || paid.payable == line.total(), "{line:?} {paid:?}");
        }
    }

    #[test]
    fn the_best_of_a_group_saves_at_least_as_much_as_each(lines in any_lines(), rules in prop::collection::vec(any_rule(), 2..5)) {
        let cart = cart(lines);
        let stacking = |priority| Some(Stacking { group: "g".into(), priority, combine: Combine::BestOf });
        let plans: Vec<CampaignPlan> = rules
            .into_iter()
            .enumerate()
            .map(|(id, rule)| CampaignPlan { stacking: stacking(id as i64), ..campaign(&format!("c{id}"), vec![rule]) })
            .collect();
        let memory = Memory::default();
        let together = price(&memory, &plans.iter().collect::<Vec<_>>(), &cart).evaluation.discount;
        for plan in &plans {
            prop_assert!(together >= price(&memory, &[plan], &cart).evaluation.discount);
        }
    }
}
