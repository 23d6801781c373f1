//! The one-member evaluator against a judge that is written straight from the definition, on generated members, events
//! and conditions, at generated times and just before, at and after every edge of a window.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod generate;
mod naive;

use fanfare_core::{
    ids::Name,
    model::{RewardPlan, segment::Condition},
    segment::{Asked, describe, holds, why},
    world::Catalogue,
};
use generate::{Dice, Person, edges};
use std::collections::BTreeMap;

/// How many conditions (`FANFARE_CONDITIONS` for more), and members for each.
const CONDITIONS: u64 = 500;
const MEMBERS: usize = 8;

pub(crate) struct Segments(pub(crate) BTreeMap<Name, Condition>);

impl Catalogue for Segments {
    fn condition(&self, segment: &Name) -> Option<&Condition> {
        self.0.get(segment)
    }
    fn reward(&self, _: &Name) -> Option<&RewardPlan> {
        None
    }
}

#[test]
fn one_member_s_evaluator_says_what_the_definition_says() {
    let (mut compared, mut held, mut at_edges) = (0_u64, 0_u64, 0_u64);
    let mut kinds: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    let conditions = std::env::var("FANFARE_CONDITIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(CONDITIONS);
    for seed in 0..conditions {
        let mut dice = Dice::new(seed);
        let zone = dice.zone();
        let now = dice.now(zone);
        let segments = Segments(dice.segments(zone));
        let condition = dice.condition(zone);
        for _ in 0..MEMBERS {
            let person = dice.person(now, zone);
            let facts = person.facts();
            let mut times = edges(&condition, &person, now, zone);
            dice.thin(&mut times, 10);
            at_edges += times.len() as u64;
            times.push(now);
            for at in times {
                let asked = Asked { facts: &facts, catalogue: &segments, now: at, zone };
                let expect = naive::holds(&condition, &person, at, zone, &segments.0);
                let found = holds(&condition, &asked);
                assert_eq!(found, expect, "{}", case(seed, &condition, &person, at, zone, &segments.0));
                let told = why(&condition, &asked);
                let all = told.iter().all(|part| part.holds);
                assert_eq!(all, expect, "why: {told:#?}\n{}", case(seed, &condition, &person, at, zone, &segments.0));
                compared += 1;
                held += u64::from(expect);
                generate::count_kinds(&condition, &mut |kind, leaf| {
                    let yes = naive::holds(leaf, &person, at, zone, &segments.0);
                    let (asked, held) = kinds.entry(kind).or_default();
                    *asked += 1;
                    *held += u64::from(yes);
                });
            }
        }
    }
    println!("{conditions} conditions, {compared} answers compared, {at_edges} of them at edges, {held} held");
    for (kind, (asked, held)) in &kinds {
        println!("  {kind}: {asked} asked, {held} held");
        // A property that never holds, or always does, would compare nothing.
        assert!(*held > 0 && held < asked, "{kind}: {held} of {asked}");
    }
    assert!(held > compared / 20 && held < compared - compared / 20);
}

fn case(
    seed: u64,
    condition: &Condition,
    person: &Person,
    now: fanfare_core::time::Ts,
    zone: fanfare_core::time::Tz,
    segments: &BTreeMap<Name, Condition>,
) -> String {
    format!("seed {seed} at {now:?} in {zone}\n{}\n{condition:#?}\n{person:#?}\n{segments:#?}", describe(condition))
}
