//! Shapes of the contract and their way to and from the values of `core`. Nothing is decided here.

pub(crate) mod adjustment;
pub(crate) mod cart;
pub(crate) mod evaluation;
pub(crate) mod grant;
pub(crate) mod member;
pub(crate) mod order;
pub(crate) mod redemption;

use crate::problem::{FieldError, Problem};
use chrono::DateTime;
use fanfare_core::{
    ids::StoreId,
    model::RuntimePlan,
    time::{Span, Ts, day_of},
};
use fanfare_engine::fault::nearest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest name, id or label in a body.
pub(crate) const TEXT_MAX: usize = 128;
/// The longest code in a body: a shown payload, with room for how a scanner frames it.
pub(crate) const CODE_MAX: usize = 200;
/// The longest sentence in a body, such as the reason of a return.
pub(crate) const SENTENCE_MAX: usize = 1_000;

/// The body of a call that says everything by its path.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

/// Whether value is only held or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Mode {
    /// Held, until it is committed, voided or lapses.
    Reserve,
    /// Used.
    Commit,
}

impl From<Mode> for fanfare_engine::redemptions::redeem::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Reserve => Self::Reserve,
            Mode::Commit => Self::Commit,
        }
    }
}

/// What is wrong with a body, gathered so that the caller sees all of it at once.
#[derive(Default)]
pub(crate) struct Faults(Vec<FieldError>);

impl Faults {
    /// Notes one.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(FieldError::new(pointer, reason, remedy));
    }

    /// 422 when there is one.
    pub(crate) fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }

    /// A name, id or label: 1 to [`TEXT_MAX`] characters without control characters.
    pub(crate) fn text(&mut self, pointer: impl Into<String>, text: &str) {
        self.bounded(pointer, text, TEXT_MAX);
    }

    /// The same up to `max` characters.
    pub(crate) fn bounded(&mut self, pointer: impl Into<String>, text: &str, max: usize) {
        if text.trim().is_empty() {
            self.add(pointer, "it is empty", "send a text, or leave the field out where it is optional");
        } else if text.chars().count() > max {
            self.add(pointer, "it is too long", format!("at most {max} characters"));
        } else if text.chars().any(char::is_control) {
            self.add(pointer, "it has control characters", "send plain text");
        }
    }

    /// An optional text.
    pub(crate) fn maybe(&mut self, pointer: impl Into<String>, text: Option<&String>) {
        if let Some(text) = text {
            self.text(pointer, text);
        }
    }

    /// A store, one of those that the Runtime lists where it lists any.
    pub(crate) fn store(&mut self, pointer: impl Into<String>, id: Option<&str>, runtime: &RuntimePlan) {
        let Some(id) = id else { return };
        if runtime.stores.is_empty() || id.trim().is_empty() || runtime.stores.contains_key(&StoreId::from(id)) {
            return self.text(pointer, id);
        }
        let remedy = match nearest(id, runtime.stores.keys().map(StoreId::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "the id of a store that the CampaignRuntime lists, or add it there".into(),
        };
        self.add(pointer, "the CampaignRuntime lists no such store", remedy);
    }

    /// A time, RFC 3339 with offset.
    pub(crate) fn time(&mut self, pointer: impl Into<String>, text: Option<&String>) -> Option<Ts> {
        let text = text?;
        match DateTime::parse_from_rfc3339(text) {
            Ok(at) => Some(at.to_utc()),
            Err(_) => {
                self.add(pointer, "it is no time", "RFC 3339 with offset, such as 2026-11-11T09:30:00+07:00");
                None
            }
        }
    }

    /// A day, `YYYY-MM-DD`.
    pub(crate) fn day(&mut self, pointer: impl Into<String>, text: Option<&String>) {
        let Some(text) = text else { return };
        let is_day = text.len() == 10 && text.parse::<chrono::NaiveDate>().is_ok();
        if !is_day {
            self.add(pointer, "it is no day", "such as 2026-11-11");
        }
    }

    /// The day of a store's till: at most a day ahead of the store's calendar, and no further back than events are taken.
    pub(crate) fn business_day(
        &mut self,
        text: Option<&String>,
        store: Option<&StoreId>,
        now: Ts,
        runtime: &RuntimePlan,
    ) {
        let pointer = "/businessDate";
        self.day(pointer, text);
        let Some(day) = text.and_then(|text| text.parse::<chrono::NaiveDate>().ok()) else { return };
        let zone = runtime.zone_of(store);
        let last = day_of(Span::days(1).after(now, zone), zone);
        let first = day_of(runtime.events.accept_past.before(now, zone), zone);
        if day > last {
            self.add(pointer, "it is after tomorrow", format!("a day up to {last}; check the till's clock"));
        }
        if day < first {
            self.add(
                pointer,
                "it is longer ago than the CampaignRuntime's events.acceptPast",
                format!("a day from {first}"),
            );
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use fanfare_core::{
        model::{RuntimePlan, runtime::EventRules},
        money::{BasisPoints, Currency},
        time::Span,
    };
    use std::collections::BTreeMap;

    /// A namespace of Bangkok that pays in THB.
    pub(crate) fn runtime() -> RuntimePlan {
        RuntimePlan {
            name: "main".into(),
            zone: "Asia/Bangkok".parse().unwrap(),
            currency: Currency::parse("THB").unwrap(),
            margin: BasisPoints::FULL,
            margin_floor: None,
            default_locale: "th".into(),
            other_locales: vec!["en".into()],
            attributes: BTreeMap::new(),
            stores: BTreeMap::new(),
            point_worth_e4: 20_000,
            points: fanfare_core::points::Rules::default(),
            dev_login: true,
            events: EventRules::default(),
            reserve_for: Span::seconds(900),
            approve_above: None,
            segments: fanfare_core::model::runtime::SegmentRules::default(),
        }
    }
}
