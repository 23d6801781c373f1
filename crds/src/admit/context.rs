//! What is known while a specification is compiled, and the reading of texts that need it: money, times, places.
//!
//! Without a Runtime, amounts are read with four decimals and zones default to UTC: good enough to find what one
//! document alone shows, never good enough for a plan that is served.

use std::str::FromStr;

use chrono::NaiveTime;
use fanfare_core::cart::{Choice, Items, Picks};
use fanfare_core::ids::{Name, StoreId};
use fanfare_core::model::RuntimePlan;
use fanfare_core::model::campaign::{Audience, Places};
use fanfare_core::model::schedule::Window;
use fanfare_core::model::segment::Decimal;
use fanfare_core::money::{BasisPoints, Minor, MoneyError};
use fanfare_core::recurrence::{RuleError, parse_rule};
use fanfare_core::time::{Span, Ts, Tz, parse_local, resolve};

use super::error::{Findings, Path, code};
use crate::nearest::did_you_mean;
use crate::wire::common as wire;
use crate::wire::text::{self, ClockTime, Label, LocalTime, Money, Percent, Zone};

/// What is known, and what was found wrong so far.
pub(crate) struct Context<'a> {
    pub(crate) runtime: Option<&'a RuntimePlan>,
    pub(crate) findings: Findings,
}

impl<'a> Context<'a> {
    pub(crate) fn new(runtime: Option<&'a RuntimePlan>) -> Self {
        Self { runtime, findings: Findings::default() }
    }

    /// What the schema's rules have refused already; says so only if they have not.
    pub(crate) fn contradiction(&mut self, path: Path<'_>) {
        self.findings.push(path, code::CONFLICT, "its fields contradict each other", "see the field's description");
    }

    /// The Runtime's zone.
    pub(crate) fn zone(&self) -> Tz {
        self.runtime.map_or(Tz::UTC, |runtime| runtime.zone)
    }

    pub(crate) fn money(&mut self, amount: &Money, path: Path<'_>) -> Minor {
        let Some(runtime) = self.runtime else {
            return Decimal::parse(amount.as_str()).map_or(Minor::ZERO, |decimal| Minor(decimal.e4));
        };
        runtime.currency.amount(amount.as_str()).unwrap_or_else(|error| {
            let remedy = match &error {
                MoneyError::Decimals { exponent: 0, .. } => "write whole units".to_owned(),
                MoneyError::Decimals { exponent, .. } => format!("write at most {exponent} decimals"),
                _ => "write a smaller amount, such as \"1250.50\"".to_owned(),
            };
            self.findings.push(path, code::MALFORMED, unquoted(&error.to_string()), remedy);
            Minor::ZERO
        })
    }

    pub(crate) fn money_above_zero(&mut self, amount: &Money, path: Path<'_>) -> Minor {
        let minor = self.money(amount, path);
        if Decimal::parse(amount.as_str()).is_some_and(|decimal| decimal.e4 == 0) {
            self.findings.push(path, code::OUT_OF_RANGE, "is nothing", "write an amount above zero");
        }
        minor
    }

    pub(crate) fn money_or_zero(&mut self, amount: Option<&Money>, path: Path<'_>) -> Minor {
        amount.map_or(Minor::ZERO, |amount| self.money(amount, path))
    }

    /// A share from nothing to everything.
    pub(crate) fn share(&mut self, percent: &Percent, path: Path<'_>) -> BasisPoints {
        match BasisPoints::parse(percent.as_str()) {
            Ok(share) if share <= BasisPoints::FULL => share,
            _ => {
                let reason = format!("`{}` is more than the whole", percent.as_str());
                self.findings.push(path, code::OUT_OF_RANGE, reason, "write at most \"100%\"");
                BasisPoints::FULL
            }
        }
    }

    pub(crate) fn share_above_zero(&mut self, percent: &Percent, path: Path<'_>) -> BasisPoints {
        let share = self.share(percent, path);
        if share.0 == 0 {
            self.findings.push(path, code::OUT_OF_RANGE, "takes nothing off", "write a percentage above zero");
        }
        share
    }

    pub(crate) fn span(&mut self, span: &text::Span, path: Path<'_>) -> Span {
        Span::parse(span.as_str()).unwrap_or_else(|_| {
            let reason = format!("`{}` is not a duration of at most ten years", span.as_str());
            self.findings.push(path, code::MALFORMED, reason, "write it such as `30d 12h 10m`");
            Span::default()
        })
    }

    pub(crate) fn span_or(&mut self, span: Option<&text::Span>, otherwise: Span, path: Path<'_>) -> Span {
        span.map_or(otherwise, |span| self.span_above_zero(span, path))
    }

    pub(crate) fn span_above_zero(&mut self, span: &text::Span, path: Path<'_>) -> Span {
        let known = self.findings.errors.len();
        let read = self.span(span, path);
        if read == Span::default() && self.findings.errors.len() == known {
            self.findings.push(path, code::OUT_OF_RANGE, "is no time at all", "write a duration above zero");
        }
        read
    }

    /// A span between two others, both included.
    pub(crate) fn span_within(&mut self, span: &text::Span, from: Span, to: Span, path: Path<'_>) -> Span {
        let known = self.findings.errors.len();
        let read = self.span(span, path);
        let seconds = |span: Span| span.days.saturating_mul(86_400).saturating_add(span.seconds);
        let fits = seconds(from) <= seconds(read) && seconds(read) <= seconds(to);
        if !fits && self.findings.errors.len() == known {
            let reason = format!("`{}` is too short or too long", span.as_str());
            self.findings.push(path, code::OUT_OF_RANGE, reason, format!("write a duration from {from} to {to}"));
        }
        read
    }

    pub(crate) fn zone_named(&mut self, zone: &Zone, path: Path<'_>) -> Tz {
        Tz::from_str(zone.as_str()).unwrap_or_else(|_| {
            let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            let remedy = did_you_mean(zone.as_str(), names, "write an IANA zone, such as `Asia/Bangkok`");
            self.findings.push(path, code::UNKNOWN_NAME, format!("there is no time zone `{}`", zone.as_str()), remedy);
            self.zone()
        })
    }

    pub(crate) fn instant(&mut self, local: &LocalTime, zone: Tz, path: Path<'_>) -> Ts {
        let Some(time) = parse_local(local.as_str()) else {
            let reason = format!("`{}` is no day and time of the calendar", local.as_str());
            self.findings.push(path, code::MALFORMED, reason, "write it such as \"2026-11-11T00:00\"");
            return Ts::UNIX_EPOCH;
        };
        resolve(time, zone)
    }

    pub(crate) fn clock_time(&mut self, time: &ClockTime, path: Path<'_>) -> NaiveTime {
        NaiveTime::parse_from_str(time.as_str(), "%H:%M").unwrap_or_else(|_| {
            let reason = format!("`{}` is not a time of day", time.as_str());
            self.findings.push(path, code::MALFORMED, reason, "write hours and minutes in quotes, such as \"20:00\"");
            NaiveTime::MIN
        })
    }

    pub(crate) fn windows(&mut self, windows: &[wire::Window], start: Ts, zone: Tz, path: Path<'_>) -> Vec<Window> {
        let anchor = start.with_timezone(&zone).naive_local();
        let mut read = Vec::with_capacity(windows.len());
        for (index, window) in windows.iter().enumerate() {
            let at = path.index(index);
            self.recurrence(&window.rrule, at.field("rrule"));
            let from = self.clock_time(&window.from, at.field("from"));
            let to = self.clock_time(&window.to, at.field("to"));
            read.push(Window { rule: window.rrule.clone(), anchor, from, to });
        }
        read
    }

    fn recurrence(&mut self, rule: &str, path: Path<'_>) {
        let Err(error) = parse_rule(rule) else { return };
        let usual = "write a rule such as `FREQ=DAILY` or `FREQ=WEEKLY;BYDAY=SA,SU`; the times stand in from and to";
        let (code, reason) = match &error {
            RuleError::Syntax(why) => (code::MALFORMED, format!("`{rule}` is not a recurrence rule ({why})")),
            RuleError::TooOften(_) => (code::OUT_OF_RANGE, "a window opens at most once a day".to_owned()),
            RuleError::TooLong | RuleError::Hours(_) | RuleError::Until(_) | RuleError::Never => {
                let (reason, remedy) = in_two(&error.to_string(), usual);
                self.findings.push(path, code::MALFORMED, reason, remedy);
                return;
            }
        };
        self.findings.push(path, code, reason, usual);
    }

    pub(crate) fn audience(audience: Option<&wire::Audience>) -> Audience {
        let names =
            |segments: &[wire::SegmentRef]| segments.iter().map(|entry| Name::from(entry.segment.as_str())).collect();
        audience.map_or_else(Audience::default, |audience| {
            let wire::Audience { include, exclude } = audience;
            Audience { include: names(include), exclude: names(exclude) }
        })
    }

    /// Where something applies. Stores and groups are checked when the Runtime is known.
    pub(crate) fn places(&mut self, places: &PlacesAt<'_>, path: Path<'_>) -> Places {
        let PlacesAt { channels, stores, groups } = *places;
        let channels = channels.iter().map(|channel| channel.0.clone()).collect();
        if stores.is_empty() && groups.is_empty() {
            return Places { channels, stores: None };
        }
        let mut chosen: Vec<StoreId> = Vec::new();
        let stores_at = path.field("stores");
        for (index, store) in stores.iter().enumerate() {
            self.store(store, stores_at.index(index));
            chosen.push(StoreId::from(store.as_str()));
        }
        let groups_at = path.field("storeGroups");
        for (index, group) in groups.iter().enumerate() {
            chosen.extend(self.stores_of(group, groups_at.index(index)));
        }
        chosen.sort();
        chosen.dedup();
        Places { channels, stores: Some(chosen) }
    }

    /// Whether the Runtime has the store, where it is known.
    pub(crate) fn store(&mut self, store: &Label, path: Path<'_>) {
        let Some(runtime) = self.runtime else { return };
        if !runtime.stores.contains_key(store.as_str()) {
            let known = runtime.stores.keys().map(StoreId::as_str);
            let remedy =
                did_you_mean(store.as_str(), known, "add it to stores of the CampaignRuntime, or remove it here");
            self.findings.push(path, code::NOT_FOUND, format!("the Runtime has no store `{}`", store.as_str()), remedy);
        }
    }

    fn stores_of(&mut self, group: &Label, path: Path<'_>) -> Vec<StoreId> {
        let Some(runtime) = self.runtime else { return Vec::new() };
        let in_group =
            |store: &fanfare_core::model::runtime::Store| store.groups.iter().any(|name| name == group.as_str());
        let stores: Vec<StoreId> =
            runtime.stores.iter().filter(|(_, store)| in_group(store)).map(|(id, _)| id.clone()).collect();
        if stores.is_empty() {
            let known = runtime.stores.values().flat_map(|store| store.groups.iter().map(String::as_str));
            let remedy = did_you_mean(group.as_str(), known, "add it to the groups of a store in the CampaignRuntime");
            self.findings.push(path, code::NOT_FOUND, format!("no store is in a group `{}`", group.as_str()), remedy);
        }
        stores
    }

    pub(crate) fn decimal(&mut self, number: &text::Decimal, path: Path<'_>) -> Decimal {
        Decimal::parse(number.as_str()).unwrap_or_else(|| {
            let reason = format!("`{}` is not a number", number.as_str());
            self.findings.push(path, code::MALFORMED, reason, "write digits in quotes, such as \"2000\"");
            Decimal { e4: 0 }
        })
    }
}

/// Channels, stores and groups of stores as they were written.
#[derive(Clone, Copy)]
pub(crate) struct PlacesAt<'a> {
    pub(crate) channels: &'a [Label],
    pub(crate) stores: &'a [Label],
    pub(crate) groups: &'a [Label],
}

pub(crate) fn labels(labels: &[Label]) -> Vec<String> {
    labels.iter().map(|label| label.0.clone()).collect()
}

pub(crate) fn items(items: &wire::Items) -> Items {
    let wire::Items { all, skus, categories, brands, except } = items;
    let only = match all {
        Some(true) => Choice::All,
        _ => Choice::Picked(picks(skus, categories, brands)),
    };
    let except = except.as_ref().map_or_else(Picks::default, |except| {
        let wire::ExceptItems { skus, categories, brands } = except;
        picks(skus, categories, brands)
    });
    Items { only, except }
}

fn picks(skus: &[Label], categories: &[Label], brands: &[Label]) -> Picks {
    Picks { skus: labels(skus), categories: labels(categories), brands: labels(brands) }
}

/// A message of core, parted into reason and remedy.
pub(crate) fn in_two(message: &str, otherwise: &str) -> (String, String) {
    let (reason, remedy) = message.split_once("; ").unwrap_or((message, otherwise));
    (unquoted(reason), unquoted(remedy))
}

/// Core's messages quote with `"`; ours with backticks, since values are often quoted themselves.
pub(super) fn unquoted(message: &str) -> String {
    message.replace('"', "`")
}
