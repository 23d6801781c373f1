//! Whether somebody may take part in a campaign or a mechanic, here and now: an ordered chain of pure checks.
//!
//! Each answers a [`Refusal`] with what would make it pass, or nothing. "Not eligible" is a value, not an error.

use crate::{
    ids::Name,
    mechanic::{Effect, Missing, key},
    model::{
        CampaignPlan,
        campaign::{Audience, Counted, Limit, Mechanic, Per, Places},
        schedule::Phase,
    },
    reason::{Reason, Refusal},
    schedule,
    segment::{Asked, belongs},
    time::{Every, Ts, Tz},
    world::Visit,
};

/// Why nothing of the campaign is given now: not running, suspended, or between its windows.
pub fn running(plan: &CampaignPlan, visit: &Visit<'_>) -> Option<Refusal> {
    let now = visit.now();
    match schedule::phase(&plan.schedule, plan.suspended, false, now) {
        Phase::Active if schedule::is_open(&plan.schedule, &[], now) => None,
        Phase::Active => Some(outside(plan, &[], visit)),
        Phase::Paused => {
            Some(Refusal::new(Reason::CampaignPaused, format!("{} is suspended; try again later.", plan.title)))
        }
        Phase::Draft | Phase::Scheduled | Phase::Teaser => {
            let start = visit.time(plan.schedule.start_at);
            Some(Refusal::new(Reason::CampaignNotActive, format!("{} starts on {start}.", plan.title)))
        }
        Phase::CoolDown | Phase::Settling | Phase::Ended => {
            Some(Refusal::new(Reason::CampaignNotActive, format!("{} is over.", plan.title)))
        }
    }
}

/// Why a member is not in an audience.
pub fn audience(audience: &Audience, visit: &Visit<'_>) -> Option<Refusal> {
    if audience.is_everyone() {
        return None;
    }
    let Some(who) = visit.who else {
        return Some(Refusal::new(Reason::MemberRequired, "Only for members; log in or show the member code."));
    };
    let asked =
        Asked { facts: who.facts, catalogue: visit.world.catalogue, now: visit.now(), zone: visit.world.runtime.zone };
    if !audience.include.is_empty() && !audience.include.iter().any(|segment| belongs(segment, &asked)) {
        let detail = format!("Only for members of: {}.", names(&audience.include));
        return Some(Refusal::new(Reason::NotQualified, detail));
    }
    let excluded = audience.exclude.iter().find(|segment| belongs(segment, &asked))?;
    Some(Refusal::new(Reason::NotQualified, format!("Not for members of: {excluded}.")))
}

/// Why not at this store or through this channel.
pub fn places(places: &Places, visit: &Visit<'_>) -> Option<Refusal> {
    if let Some(channel) = visit.channel.filter(|channel| !places.has_channel(channel)) {
        let detail = format!("Not through {channel}; it works through: {}.", places.channels.join(", "));
        return Some(Refusal::new(Reason::WrongChannel, detail));
    }
    if places.has_store(visit.store) {
        return None;
    }
    let stores: Vec<String> = places.stores.iter().flatten().map(ToString::to_string).collect();
    let detail = match visit.store {
        Some(store) => format!("Not at {store}; it works at: {}.", stores.join(", ")),
        None => format!("Only at a store; it works at: {}.", stores.join(", ")),
    };
    Some(Refusal { valid_stores: stores, ..Refusal::new(Reason::WrongStore, detail) })
}

/// Every reason why the visitor does not qualify for a campaign, whether or not it runs now: audience and places. What
/// a feed shows as `qualification`; an anonymous visitor is not asked about the audience of a Public campaign there,
/// but is refused by it here.
pub fn campaign(plan: &CampaignPlan, visit: &Visit<'_>) -> Vec<Refusal> {
    [audience(&plan.audience, visit), places(&plan.participation.places, visit)].into_iter().flatten().collect()
}

/// Why a mechanic, whose campaign runs and has let the visitor in, gives nothing here and now: its own windows,
/// audience and places. Limits are [`within_limits`].
pub fn mechanic(plan: &CampaignPlan, mechanic: &Mechanic, visit: &Visit<'_>) -> Option<Refusal> {
    let scope = &mechanic.scope;
    if !schedule::is_open(&plan.schedule, &scope.windows, visit.now()) {
        return Some(outside(plan, &scope.windows, visit));
    }
    audience(&scope.audience, visit).or_else(|| places(&scope.places, visit))
}

fn outside(plan: &CampaignPlan, extra: &[crate::model::schedule::Window], visit: &Visit<'_>) -> Refusal {
    let opens = schedule::next_boundary(&plan.schedule, extra, visit.now()).filter(|(open, _)| *open);
    let when = opens.map_or_else(|| "It does not open again".into(), |(_, at)| format!("It opens {}", visit.time(at)));
    Refusal::new(Reason::OutsideWindow, format!("Outside the hours. {when}."))
}

/// Why `quantity` more of something would go beyond a limit of the campaign (without `mechanic`) or of that mechanic
/// alone; an order counts once for the campaign and once for each mechanic that gives something. Without a member, a
/// limit per member refuses with `member-required`.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn within_limits(
    plan: &CampaignPlan,
    mechanic: Option<&Mechanic>,
    counted: Counted,
    quantity: i64,
    visit: &Visit<'_>,
) -> Result<Option<Refusal>, Missing> {
    for limited in limited(plan, mechanic, counted, visit) {
        let Some(counter) = limited.counter(plan, visit) else {
            return Ok(Some(Refusal::new(Reason::MemberRequired, "Only for members; log in or show the member code.")));
        };
        if counter.value(visit)?.saturating_add(quantity) > limited.limit.max {
            return Ok(Some(Refusal::new(Reason::LimitReached, limit_detail(limited.limit))));
        }
    }
    Ok(None)
}

/// What `quantity` counts against the limits of the campaign (without `mechanic`) or of that mechanic alone.
pub fn consumes(
    plan: &CampaignPlan,
    mechanic: Option<&Mechanic>,
    counted: Counted,
    quantity: i64,
    visit: &Visit<'_>,
) -> Vec<Effect> {
    limited(plan, mechanic, counted, visit)
        .filter_map(|limited| {
            let counter = limited.counter(plan, visit)?;
            let cap = Some(counter.cap(limited.limit.max, visit));
            Some(Effect::Count { key: counter.key, delta: quantity, cap })
        })
        .collect()
}

/// The limits of the campaign alone, or of the mechanic alone.
pub fn limits_of<'a>(plan: &'a CampaignPlan, mechanic: Option<&'a Mechanic>) -> &'a [Limit] {
    mechanic.map_or(&plan.participation.limits, |mechanic| &mechanic.scope.limits)
}

/// Whether a limit counts this visit at all: one per device or address only what comes from a shopper's own, one per card
/// only what a till says is paid by card, one per order only what an order brings.
pub fn counts(limit: &Limit, visit: &Visit<'_>) -> bool {
    match limit.per {
        Per::Order => visit.order.is_some(),
        Per::Member | Per::Store | Per::Campaign | Per::Reward => true,
        Per::Device => visit.origin.is_some_and(|origin| origin.device.is_some()),
        Per::Address => visit.origin.is_some_and(|origin| origin.address.is_some()),
        Per::Card => visit.origin.is_some_and(|origin| origin.card.is_some()),
    }
}

/// A limit and whose it is.
struct Limited<'a> {
    limit: &'a Limit,
    mechanic: Option<&'a Name>,
}

fn limited<'a>(
    plan: &'a CampaignPlan,
    mechanic: Option<&'a Mechanic>,
    counted: Counted,
    visit: &'a Visit<'_>,
) -> impl Iterator<Item = Limited<'a>> {
    let limits = limits_of(plan, mechanic);
    let name = mechanic.map(|mechanic| &mechanic.name);
    limits
        .iter()
        .filter(move |limit| limit.count == counted && counts(limit, visit))
        .map(move |limit| Limited { limit, mechanic: name })
}

impl Limited<'_> {
    /// The counter's key; nothing where it counts per member and nobody is known.
    fn counter(&self, plan: &CampaignPlan, visit: &Visit<'_>) -> Option<Counter> {
        counter(&plan.name, self.mechanic, self.limit, plan.schedule.zone, visit)
    }
}

/// The counter of a limit for one visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Where this visit is counted.
    pub key: String,
    /// What is counted together with it: earlier parts of a length that moves with time.
    pub earlier: Vec<String>,
}

impl Counter {
    /// The counter of a stretch: `key` makes a key of the stretch's name.
    pub fn of(limit: &Limit, zone: Tz, now: Ts, key: impl Fn(&str) -> String) -> Self {
        let mut names = limit.every.buckets(now, zone).into_iter();
        let first = names.next().unwrap_or_default();
        Self { key: key(&first), earlier: names.map(|name| key(&name)).collect() }
    }

    /// Everything that is counted together.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.key).chain(&self.earlier)
    }

    /// How far it has counted.
    ///
    /// # Errors
    /// [`Missing`] when a counter is not loaded.
    pub fn value(&self, visit: &Visit<'_>) -> Result<i64, Missing> {
        Ok(visit.count(&self.key)?.saturating_add(self.before(visit)?))
    }

    /// How far [`Self::key`] alone may count, so that all together stay within `max`. Whoever asks has asked for the value
    /// before.
    pub fn cap(&self, max: i64, visit: &Visit<'_>) -> i64 {
        max.saturating_sub(self.before(visit).unwrap_or(0))
    }

    fn before(&self, visit: &Visit<'_>) -> Result<i64, Missing> {
        self.earlier.iter().try_fold(0, |sum: i64, key| Ok(sum.saturating_add(visit.count(key)?)))
    }
}

/// A limit's counter for this visit; nothing where it counts per member and nobody is known.
pub fn counter(
    campaign: &Name,
    mechanic: Option<&Name>,
    limit: &Limit,
    zone: Tz,
    visit: &Visit<'_>,
) -> Option<Counter> {
    let holder = match limit.per {
        Per::Member => format!("member:{}", visit.member()?),
        // Orders without a store share one allowance, so that leaving the store out gains nothing.
        Per::Store => visit.store.map_or_else(|| "store:".into(), |store| format!("store:{store}")),
        Per::Campaign | Per::Reward => "campaign".into(),
        Per::Device => format!("device:{}", visit.origin?.device.as_deref()?),
        Per::Address => format!("address:{}", visit.origin?.address.as_deref()?),
        Per::Card => format!("card:{}", visit.origin?.card.as_deref()?),
        Per::Order => format!("order:{}", visit.order?),
    };
    // Two limits of one kind over different stretches, such as per day and per lifetime, have different stretch names.
    let word = counted_word(limit.count);
    Some(Counter::of(limit, zone, visit.now(), |stretch| key::limit(campaign, mechanic, word, &holder, stretch)))
}

fn counted_word(counted: Counted) -> &'static str {
    match counted {
        Counted::Joins => "joins",
        Counted::Orders => "orders",
        Counted::Rewards => "rewards",
        Counted::Entries => "entries",
    }
}

/// A limit as a sentence. Of one per device or address no number is told: it is there against those who try.
pub fn limit_detail(limit: &Limit) -> String {
    let Limit { count, per, every, max } = limit;
    let whose = match per {
        Per::Member => " per member",
        Per::Store => " per store",
        // Tills alone say cards, and are told what holds.
        Per::Card => " per payment card",
        Per::Order => return format!("At most {max} {} an order; that is reached.", counted_word(*count)),
        Per::Campaign | Per::Reward => "",
        Per::Device | Per::Address => return "That was done as often as is allowed; try again later.".into(),
    };
    format!("At most {max} {}{whose}{}; that is reached.", counted_word(*count), stretch_words(*every))
}

/// A stretch as the end of a sentence, such as ` a day`.
pub(crate) fn stretch_words(every: Every) -> String {
    match every {
        Every::Hour => " an hour".into(),
        Every::Day => " a day".into(),
        Every::Week => " a week".into(),
        Every::Month => " a month".into(),
        Every::Lifetime => " in all".into(),
        Every::Within(span) => format!(" within {span}"),
    }
}

fn names(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
