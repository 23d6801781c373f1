//! `lottery`: entries, earned by an event or bought with points, are drawn for prizes at once, from a seeded source.

use super::{Act, Acted, Behaviour, Effect, Goal, Happened, Missing, Outcome, Scene, Unit, key};
use crate::{
    decide,
    ids::{MemberId, Name},
    model::campaign::{Counted, Limit},
    money::Minor,
    qualify::{self, Counter},
    random::Random,
    reason::{Reason, Refusal},
    time::Every,
};
use serde::{Deserialize, Serialize};

/// A draw for prizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lottery {
    /// How a member gets an entry.
    pub entry: Entry,
    /// How many entries count (`Counted::Entries`).
    pub limits: Vec<Limit>,
    /// What can be drawn; at least one with weight.
    pub prizes: Vec<Prize>,
    /// After so many draws of a member without a reward, the next gives one.
    pub guaranteed_after: Option<i64>,
}

/// How a member gets an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// By an event of this type.
    Event(String),
    /// By paying so many points for a draw.
    Points(i64),
}

/// What can be drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prize {
    /// Its name within the lottery.
    pub name: Name,
    /// What it gives; without it, nothing.
    pub reward: Option<Name>,
    /// How likely, against the sum of the weights that are left.
    pub weight: i64,
    /// How many there are; without it, no end.
    pub quantity: Option<i64>,
    /// How many on one day of the campaign's zone.
    pub per_day: Option<i64>,
}

impl Behaviour for Lottery {
    fn kind(&self) -> &'static str {
        "lottery"
    }

    fn actions(&self) -> &'static [&'static str] {
        &["draw"]
    }

    fn needs_member(&self) -> bool {
        true
    }

    fn on_event(&self, scene: &Scene<'_>, happened: &Happened<'_>) -> Result<Option<Outcome>, Missing> {
        let (Entry::Event(kind), Some(member)) = (&self.entry, scene.visit.member()) else { return Ok(None) };
        if kind != happened.kind || !concerns(scene, happened) {
            return Ok(None);
        }
        if let Some(refusal) = self.entry_refused(scene)? {
            let outcome = refusal.reason.code().into();
            return Ok(Some(Outcome { outcome, effects: Vec::new(), takes_part: false }));
        }
        let mut effects = vec![Effect::Count { key: entries_key(scene, member), delta: 1, cap: None }];
        effects.extend(self.entry_counts(scene));
        Ok(Some(Outcome { outcome: "entered".into(), effects, takes_part: true }))
    }

    fn act(
        &self,
        scene: &Scene<'_>,
        act: &Act<'_>,
        random: &mut dyn Random,
    ) -> Result<Option<Result<Acted, Refusal>>, Missing> {
        match act {
            Act::Draw => self.draw(scene, random).map(Some),
            Act::Reserve { .. } | Act::Release { .. } => Ok(None),
        }
    }

    fn progress(&self, scene: &Scene<'_>) -> Result<Vec<Goal>, Missing> {
        let (Entry::Event(_), Some(member)) = (&self.entry, scene.visit.member()) else { return Ok(Vec::new()) };
        let entries = scene.visit.count(&entries_key(scene, member))?;
        Ok(vec![Goal::new("entries", entries, 1, Unit::Entries)])
    }
}

impl Lottery {
    fn draw(&self, scene: &Scene<'_>, random: &mut dyn Random) -> Result<Result<Acted, Refusal>, Missing> {
        let Some(who) = scene.visit.who else {
            return Ok(Err(Refusal::new(Reason::MemberRequired, "Log in to draw.")));
        };
        let mut effects = match self.pay_entry(scene, who.id, who.points)? {
            Ok(effects) => effects,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let misses_key = key::member(&scene.campaign.name, &scene.mechanic.name, who.id, "misses");
        let misses = scene.visit.count(&misses_key)?;
        let mut chances = self.chances(scene)?;
        let is_due = self.guaranteed_after.is_some_and(|after| misses >= after);
        if is_due && chances.iter().any(|chance| chance.prize.reward.is_some()) {
            chances.retain(|chance| chance.prize.reward.is_some());
        }
        let Some(drawn) = pick(&chances, random) else {
            return Ok(Err(Refusal::new(Reason::OutOfStock, "All prizes are gone; your entry is kept.")));
        };
        // After a win the count starts again from nothing.
        let delta = if drawn.prize.reward.is_some() { -misses } else { 1 };
        effects.push(Effect::Count { key: misses_key, delta, cap: None });
        effects.extend(drawn.effects.iter().cloned());
        effects.retain(|effect| !matches!(effect, Effect::Count { delta: 0, .. }));
        let prize = drawn.prize.name.clone();
        let outcome = Outcome { outcome: prize.to_string(), effects, takes_part: true };
        Ok(Ok(Acted { outcome, prize: Some(prize), reservation: None }))
    }

    fn pay_entry(
        &self,
        scene: &Scene<'_>,
        member: &MemberId,
        points: i64,
    ) -> Result<Result<Vec<Effect>, Refusal>, Missing> {
        match &self.entry {
            Entry::Event(kind) => {
                let key = entries_key(scene, member);
                if scene.visit.count(&key)? < 1 {
                    let detail = format!("No entry left; each {kind} gives one.");
                    return Ok(Err(Refusal::new(Reason::NoEntries, detail)));
                }
                Ok(Ok(vec![Effect::Count { key, delta: -1, cap: None }]))
            }
            Entry::Points(price) => {
                if let Some(refusal) = self.entry_refused(scene)? {
                    return Ok(Err(refusal));
                }
                if points < *price {
                    let detail = format!("A draw costs {price} points; {} are missing.", price - points);
                    return Ok(Err(Refusal::new(Reason::NoEntries, detail)));
                }
                let mut effects = vec![Effect::SpendPoints { points: *price }];
                effects.extend(self.entry_counts(scene));
                Ok(Ok(effects))
            }
        }
    }

    /// The lottery's own limits stand beside those of the scope, under a name of their own, so that a limit written in
    /// both places is not counted twice in one counter.
    fn own_limits<'a>(&'a self, scene: &'a Scene<'_>) -> impl Iterator<Item = (&'a Limit, Option<Counter>)> {
        let own = Name::from(format!("{}/entry", scene.mechanic.name));
        let entries = self.limits.iter().filter(|limit| limit.count == Counted::Entries);
        entries.map(move |limit| {
            let zone = scene.campaign.schedule.zone;
            (limit, qualify::counter(&scene.campaign.name, Some(&own), limit, zone, &scene.visit))
        })
    }

    fn entry_refused(&self, scene: &Scene<'_>) -> Result<Option<Refusal>, Missing> {
        for scoped in [None, Some(scene.mechanic)] {
            let refusal = qualify::within_limits(scene.campaign, scoped, Counted::Entries, 1, &scene.visit)?;
            if refusal.is_some() {
                return Ok(refusal);
            }
        }
        for (limit, counter) in self.own_limits(scene) {
            let Some(counter) = counter else { continue };
            if counter.value(&scene.visit)? >= limit.max {
                return Ok(Some(Refusal::new(Reason::LimitReached, qualify::limit_detail(limit))));
            }
        }
        Ok(None)
    }

    fn entry_counts(&self, scene: &Scene<'_>) -> Vec<Effect> {
        let own = self.own_limits(scene).filter_map(|(limit, counter)| {
            let counter = counter?;
            let cap = Some(counter.cap(limit.max, &scene.visit));
            Some(Effect::Count { key: counter.key, delta: 1, cap })
        });
        let mut effects: Vec<Effect> = own.collect();
        effects.extend(qualify::consumes(scene.campaign, None, Counted::Entries, 1, &scene.visit));
        effects.extend(qualify::consumes(scene.campaign, Some(scene.mechanic), Counted::Entries, 1, &scene.visit));
        effects
    }

    /// The prizes that can be drawn now: with weight, not gone, and with a reward that can really be given.
    fn chances(&self, scene: &Scene<'_>) -> Result<Vec<Chance<'_>>, Missing> {
        let mut chances = Vec::new();
        for prize in self.prizes.iter().filter(|prize| prize.weight > 0) {
            let counts = prize_counts(prize, scene);
            let mut left = true;
            for (key, max) in &counts {
                left = left && scene.visit.count(key)? < *max;
            }
            if !left {
                continue;
            }
            let mut effects: Vec<Effect> =
                counts.into_iter().map(|(key, max)| Effect::Count { key, delta: 1, cap: Some(max) }).collect();
            if let Some(reward) = &prize.reward {
                match decide::grant(scene, reward, 1, Minor::ZERO)? {
                    Ok(granted) => effects.extend(granted),
                    Err(_) => continue,
                }
            }
            chances.push(Chance { prize, effects });
        }
        Ok(chances)
    }
}

/// A prize that can be drawn, and what drawing it does.
struct Chance<'a> {
    prize: &'a Prize,
    effects: Vec<Effect>,
}

fn pick<'c, 'p>(chances: &'c [Chance<'p>], random: &mut dyn Random) -> Option<&'c Chance<'p>> {
    let weight = |chance: &Chance<'_>| u64::try_from(chance.prize.weight).unwrap_or(0);
    let total = chances.iter().map(weight).fold(0, u64::saturating_add);
    let mut at = random.below(total);
    chances.iter().find(|chance| {
        let hit = at < weight(chance);
        at = at.saturating_sub(weight(chance));
        hit
    })
}

/// A bounded prize's counters, each with its bound: in all, and today.
fn prize_counts(prize: &Prize, scene: &Scene<'_>) -> Vec<(String, i64)> {
    let (campaign, mechanic) = (&scene.campaign.name, &scene.mechanic.name);
    let today = Every::Day.bucket(scene.visit.now(), scene.campaign.schedule.zone);
    let in_all = prize.quantity.map(|max| (key::mechanic(campaign, mechanic, &format!("prize:{}", prize.name)), max));
    let by_day =
        prize.per_day.map(|max| (key::mechanic(campaign, mechanic, &format!("prize:{}@{today}", prize.name)), max));
    [in_all, by_day].into_iter().flatten().collect()
}

/// An event that names a campaign in its data concerns only that one.
fn concerns(scene: &Scene<'_>, happened: &Happened<'_>) -> bool {
    match happened.event.field("campaign") {
        Some(crate::model::segment::Scalar::Text(named)) => named == scene.campaign.name.as_str(),
        Some(_) | None => true,
    }
}

fn entries_key(scene: &Scene<'_>, member: &MemberId) -> String {
    key::member(&scene.campaign.name, &scene.mechanic.name, member, "entries")
}
