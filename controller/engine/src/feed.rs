//! The feed: which campaigns a shopper sees, and one of them in full.
//!
//! What does not depend on the shopper is written once per campaign and locale when the campaign is published ([`Face`]);
//! a read appends the rest from memory. Phases come from the clock at each read, so a campaign starts and ends on time
//! although nobody writes anything.

use crate::{
    Engine,
    audience::Record,
    plans::{Campaign, Plans},
    progress,
};
use fanfare_core::{
    decide,
    ids::{MemberId, Name, StoreId},
    message::locale_chain,
    model::{
        CampaignPlan,
        campaign::{Asset, Objective, Text, Visibility},
        schedule::Phase,
    },
    qualify,
    reason::Refusal,
    schedule::phase,
    time::{Ts, Tz},
    world::Visit,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The most campaigns of one page.
pub const PAGE_MAX: usize = 100;

/// Which part of a campaign's life is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Running, also between its windows.
    #[default]
    Active,
    /// Announced.
    Upcoming,
    /// Over.
    Past,
}

impl View {
    fn shows(self, phase: Phase) -> bool {
        match phase {
            Phase::Active => self == Self::Active,
            Phase::Teaser => self == Self::Upcoming,
            Phase::CoolDown | Phase::Settling | Phase::Ended => self == Self::Past,
            Phase::Draft | Phase::Scheduled | Phase::Paused => false,
        }
    }
}

/// In which order campaigns come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By their start, earliest first.
    #[default]
    StartAt,
    /// What the member can use first: qualified before not, joined before not, ending soonest first.
    Recommended,
}

/// What is asked of the feed.
#[derive(Clone, Debug, Default)]
pub struct FeedQuery {
    /// For whom; nobody sees public campaigns only, without qualification.
    pub member: Option<MemberId>,
    /// Which part of their life.
    pub view: View,
    /// With this tag.
    pub tag: Option<String>,
    /// For this.
    pub objective: Option<Objective>,
    /// With a mechanic of this kind, such as `flashSale`.
    pub mechanic: Option<String>,
    /// Usable through this channel.
    pub channel: Option<String>,
    /// Usable in this store.
    pub store: Option<StoreId>,
    /// In which order.
    pub sort: Sort,
    /// Locales that the reader understands, best first, such as `th-TH`.
    pub locales: Vec<String>,
    /// 1 to [`PAGE_MAX`].
    pub limit: usize,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// A campaign's page in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The JSON body.
    pub body: Vec<u8>,
}

/// What a campaign shows to everyone, written down per locale.
#[derive(Debug, Default)]
pub struct Face {
    texts: Vec<Written>,
    /// The one that stands in for a missing locale.
    fallback: Option<usize>,
    /// The kinds of its mechanics.
    kinds: Vec<&'static str>,
}

/// A campaign in one locale, as JSON.
#[derive(Debug)]
struct Written {
    locale: String,
    /// The start of a list's item, left open.
    item: Vec<u8>,
    /// The fields that the detail adds.
    more: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    name: &'a Name,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    objective: Objective,
    start_at: String,
    end_at: Option<String>,
    tags: &'a [String],
    benefits: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    how_to_join: Option<&'a str>,
    assets: &'a BTreeMap<String, Asset>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct More<'a> {
    terms: Option<&'a str>,
    share_text: Option<&'a str>,
    revision: &'a str,
}

impl Face {
    /// Writes a campaign's face.
    pub(crate) fn of(plan: &CampaignPlan) -> Self {
        let none = Text::default();
        let mut texts: Vec<(String, &Text)> =
            plan.content.locales.iter().map(|(locale, text)| (locale.replace('_', "-"), text)).collect();
        if texts.is_empty() {
            texts.push((String::new(), &none));
        }
        let default = plan.content.default_locale.as_deref();
        let fallback =
            texts.iter().position(|(locale, _)| default.is_some_and(|name| locale.eq_ignore_ascii_case(name)));
        let texts = texts.into_iter().map(|(locale, text)| {
            let (item, more) = written(plan, text);
            Written { locale, item, more }
        });
        Self { texts: texts.collect(), fallback, kinds: plan.mechanics.iter().map(|m| m.rule.kind()).collect() }
    }

    /// What the reader sees: the first locale wanted that is there, else the campaign's own default, else the Runtime's.
    fn text(&self, wanted: &[String], runtime: &[String]) -> (&[u8], &[u8]) {
        let find = |wanted: &String| self.texts.iter().position(|text| text.locale.eq_ignore_ascii_case(wanted));
        let found = wanted.iter().find_map(find).or(self.fallback).or_else(|| runtime.iter().find_map(find));
        match self.texts.get(found.unwrap_or(0)) {
            Some(Written { locale: _, item, more }) => (item, more),
            None => (b"{", b""),
        }
    }
}

/// The open start of a list's item, and what the detail adds to it.
fn written(plan: &CampaignPlan, text: &Text) -> (Vec<u8>, Vec<u8>) {
    let Text { title, summary, benefits, how_to_join, terms, share_text } = text;
    let zone = plan.schedule.zone;
    let item = Item {
        name: &plan.name,
        title: title.as_deref().unwrap_or(&plan.title),
        summary: summary.as_deref(),
        objective: plan.objective,
        start_at: local(plan.schedule.start_at, zone),
        end_at: plan.schedule.end_at.map(|end| local(end, zone)),
        tags: &plan.tags,
        benefits,
        how_to_join: how_to_join.as_deref(),
        assets: &plan.content.assets,
    };
    let more = More { terms: terms.as_deref(), share_text: share_text.as_deref(), revision: plan.revision.as_str() };
    // Plain structs of texts and numbers always serialise; an empty object would still be valid JSON.
    let mut item = serde_json::to_vec(&item).unwrap_or_else(|_| b"{}".to_vec());
    item.pop();
    let more = serde_json::to_vec(&more).unwrap_or_default();
    let inner = more.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or_default();
    (item, inner.to_vec())
}

/// An instant with the campaign's offset.
fn local(at: Ts, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// What a read knows of the reader.
struct Reader<'a> {
    plans: &'a Plans,
    record: Option<&'a Record>,
    /// The reader as decisions see it; nothing while there is no Runtime.
    visit: Option<Visit<'a>>,
    now: Ts,
    wanted: Vec<String>,
    runtime: Vec<String>,
}

/// A campaign that is shown, with what was found of the reader.
struct Shown<'a> {
    campaign: &'a Campaign,
    phase: Phase,
    reasons: Vec<Refusal>,
}

impl Engine {
    /// A page of the feed as its JSON body.
    pub fn feed(&self, query: &FeedQuery) -> Vec<u8> {
        let plans = self.plans();
        self.read_as(&plans, query.member.as_ref(), &query.locales, |reader| reader.page(query))
    }

    /// A campaign in full as its JSON body; `None` when the reader may not know of it.
    pub fn campaign(&self, name: &Name, member: Option<&MemberId>, locales: &[String]) -> Option<Detail> {
        let plans = self.plans();
        let campaign = plans.campaigns.get(name)?;
        self.read_as(&plans, member, locales, |reader| reader.detail(campaign))
    }

    fn read_as<T>(
        &self,
        plans: &Plans,
        member: Option<&MemberId>,
        locales: &[String],
        read: impl FnOnce(&Reader<'_>) -> T,
    ) -> T {
        let now = self.clock().now();
        let wanted = locales.iter().flat_map(|locale| locale_chain(locale, "")).collect();
        let runtime = plans.runtime.as_ref().map_or_else(Vec::new, |runtime| locale_chain(&runtime.default_locale, ""));
        let read_with = |who: Option<(&MemberId, &Record)>| {
            progress::remembered(plans, who, now, |visit| {
                read(&Reader { plans, record: who.map(|(_, record)| record), visit, now, wanted, runtime })
            })
        };
        match member {
            None => read_with(None),
            Some(id) => self.audience().with(id, |record| read_with(Some((id, record)))),
        }
    }
}

impl Reader<'_> {
    fn page(&self, query: &FeedQuery) -> Vec<u8> {
        // Without a Runtime nothing is served.
        let served = self.visit.iter().flat_map(|_| self.plans.campaigns.values());
        let matching = served.filter_map(|campaign| {
            let plan = &campaign.plan;
            let phase = phase(&plan.schedule, plan.suspended, campaign.settled, self.now);
            (query.view.shows(phase) && matches(query, campaign)).then_some((campaign, phase))
        });
        let mut found: Vec<(&Campaign, Phase)> = matching.collect();
        found.sort_by(|(left, _), (right, _)| place(left).cmp(&place(right)));
        let limit = query.limit.clamp(1, PAGE_MAX);
        let mut skipped = 0;
        let (page, more) = match query.sort {
            Sort::StartAt => {
                let after = query.after.as_deref().and_then(read_cursor);
                let rest = found.iter().filter(|(c, _)| after.as_ref().is_none_or(|last| place(c) > (last.0, &last.1)));
                let mut page: Vec<Shown<'_>> =
                    rest.filter_map(|(campaign, phase)| self.shown(campaign, *phase)).take(limit + 1).collect();
                let more = page.len() > limit;
                page.truncate(limit);
                (page, more)
            }
            Sort::Recommended => {
                let mut all: Vec<Shown<'_>> = found.iter().filter_map(|(c, phase)| self.shown(c, *phase)).collect();
                all.sort_by_key(|shown| self.rank(shown));
                let after = query.after.as_deref().and_then(read_cursor);
                let skip = after.and_then(|(_, name)| all.iter().position(|s| s.campaign.plan.name == name));
                skipped = skip.map_or(0, |at| at + 1);
                let rest = all.split_off(skipped);
                let more = rest.len() > limit;
                (rest.into_iter().take(limit).collect(), more)
            }
        };
        let mut body = Vec::with_capacity(256 + page.len() * 1024);
        body.extend_from_slice(b"{\"items\":[");
        for (at, shown) in page.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            self.item(&mut body, shown);
            if query.sort == Sort::Recommended && self.record.is_some() {
                put(
                    &mut body,
                    "recommendation",
                    &serde_json::json!({ "rank": skipped + at + 1, "reason": self.why_ranked(shown) }),
                );
            }
            body.push(b'}');
        }
        body.push(b']');
        let next = page.last().filter(|_| more).map(|shown| cursor(shown.campaign));
        put(&mut body, "next", &next);
        body.push(b'}');
        body
    }

    fn detail(&self, campaign: &Campaign) -> Option<Detail> {
        let plan = &campaign.plan;
        let phase = phase(&plan.schedule, plan.suspended, campaign.settled, self.now);
        match phase {
            Phase::Draft | Phase::Scheduled | Phase::Paused => return None,
            Phase::Teaser | Phase::Active | Phase::CoolDown | Phase::Settling | Phase::Ended => {}
        }
        let visit = self.visit.as_ref()?;
        if !decide::is_visible(plan, visit) {
            return None;
        }
        let shown = Shown { campaign, phase, reasons: self.reasons(plan) };
        let mut body = Vec::with_capacity(4 * 1024);
        self.item(&mut body, &shown);
        let (_, more) = campaign.face.text(&self.wanted, &self.runtime);
        body.push(b',');
        body.extend_from_slice(more);
        put(&mut body, "mechanics", &progress::mechanics(campaign, phase, visit));
        body.push(b'}');
        Some(Detail { body })
    }

    /// The campaign with what was found of the reader, unless it is not shown in a list.
    fn shown<'b>(&self, campaign: &'b Campaign, phase: Phase) -> Option<Shown<'b>> {
        let reasons = match (campaign.plan.visibility, self.record) {
            (Visibility::Public, _) => self.reasons(&campaign.plan),
            (Visibility::Targeted, Some(_)) => {
                let reasons = self.reasons(&campaign.plan);
                if !reasons.is_empty() {
                    return None;
                }
                reasons
            }
            (Visibility::Targeted, None) | (Visibility::Unlisted, _) => return None,
        };
        Some(Shown { campaign, phase, reasons })
    }

    fn reasons(&self, plan: &CampaignPlan) -> Vec<Refusal> {
        match (&self.visit, self.record) {
            (Some(visit), Some(_)) => qualify::audience(&plan.audience, visit).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The item, left open for more fields.
    fn item(&self, body: &mut Vec<u8>, shown: &Shown<'_>) {
        let Shown { campaign, phase, reasons } = shown;
        body.extend_from_slice(campaign.face.text(&self.wanted, &self.runtime).0);
        body.extend_from_slice(b",\"phase\":\"");
        body.extend_from_slice(phase.as_str().as_bytes());
        body.push(b'"');
        let Some(record) = self.record else { return };
        let joined = record.participations.contains_key(&campaign.plan.name);
        body.extend_from_slice(if joined { b",\"joined\":true" } else { b",\"joined\":false" });
        if reasons.is_empty() {
            body.extend_from_slice(b",\"qualification\":{\"qualified\":true,\"reasons\":[]}");
        } else {
            let told: Vec<_> =
                reasons.iter().map(|r| serde_json::json!({ "code": r.reason, "detail": r.detail })).collect();
            put(body, "qualification", &serde_json::json!({ "qualified": false, "reasons": told }));
        }
        let goals =
            self.visit.as_ref().and_then(|visit| progress::goals(&campaign.plan, visit).ok()).unwrap_or_default();
        if goals.is_empty() {
            body.extend_from_slice(b",\"progress\":[]");
        } else {
            put(body, "progress", &goals);
        }
    }

    fn rank(&self, shown: &Shown<'_>) -> (bool, bool, Ts, Name) {
        let plan = &shown.campaign.plan;
        let joined = self.record.is_some_and(|record| record.participations.contains_key(&plan.name));
        (!shown.reasons.is_empty(), !joined, plan.schedule.end_at.unwrap_or(Ts::MAX_UTC), plan.name.clone())
    }

    fn why_ranked(&self, shown: &Shown<'_>) -> &'static str {
        match self.rank(shown) {
            (true, ..) => "not-qualified",
            (false, false, ..) => "joined",
            (false, true, ..) => "qualified",
        }
    }
}

fn matches(query: &FeedQuery, campaign: &Campaign) -> bool {
    let plan = &campaign.plan;
    let places = &plan.participation.places;
    query.tag.as_ref().is_none_or(|tag| plan.tags.contains(tag))
        && query.objective.is_none_or(|objective| plan.objective == objective)
        && query.mechanic.as_ref().is_none_or(|kind| campaign.face.kinds.contains(&kind.as_str()))
        && query.channel.as_ref().is_none_or(|channel| places.has_channel(channel))
        && query.store.as_ref().is_none_or(|store| places.has_store(Some(store)))
}

/// By what campaigns are ordered.
fn place(campaign: &Campaign) -> (Ts, &Name) {
    (campaign.plan.schedule.start_at, &campaign.plan.name)
}

fn cursor(campaign: &Campaign) -> String {
    let (start, name) = place(campaign);
    format!("{}.{name}", start.timestamp_millis())
}

/// Whether a page can begin after this: it is the `next` of some page.
pub fn is_cursor(text: &str) -> bool {
    read_cursor(text).is_some()
}

fn read_cursor(text: &str) -> Option<(Ts, Name)> {
    let (start, name) = text.split_once('.')?;
    let name = Some(name).filter(|name| !name.is_empty())?;
    Some((Ts::from_timestamp_millis(start.parse().ok()?)?, name.into()))
}

/// Appends `,"name":value`.
fn put(body: &mut Vec<u8>, name: &str, value: &impl Serialize) {
    body.push(b',');
    body.push(b'"');
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(b"\":");
    let before = body.len();
    if serde_json::to_writer(&mut *body, value).is_err() {
        body.truncate(before);
        body.extend_from_slice(b"null");
    }
}
