//! What a condition can ask of one member: one type a question.
//!
//! These stand nineteen times in the schema, so each is kept small; what spans fields and is no plain "one of these" is
//! checked by `admit` alone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::common::Point;
use crate::wire::rules;
use crate::wire::text::{Decimal, Distance, EventType, FieldName, Label, LocalTime, Name, Span};

/// A test of one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::attribute()))]
pub struct AttributeTest {
    /// The attribute, for example tier. The Runtime must declare it.
    pub name: FieldName,
    /// The attribute has one of these values.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub is_in: Option<Vec<Label>>,
    /// The attribute has none of these values. Members without the attribute count too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub not_in: Option<Vec<Label>>,
    /// The attribute has exactly this value. Write numbers, dates and true or false in quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Label>,
    /// True: the member has the attribute. False: the member lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// The attribute is this number or date, or more. Of an Enum, this value or one that stands after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Label>,
    /// The attribute is this number or date, or less. Of an Enum, this value or one that stands before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Label>,
    /// So many whole years or more have passed since the date, for example 18 for adults by birthDate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 200))]
    pub age_at_least: Option<i64>,
    /// So many whole years or less have passed since the date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 200))]
    pub age_at_most: Option<i64>,
    /// The date comes round, as a birthday does: Today, ThisWeek (from Monday) or ThisMonth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anniversary: Option<Anniversary>,
    /// The date comes round today or within so many days, for example 7d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anniversary_within: Option<Span>,
    /// The date is today or was within so many days, for example 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_last: Option<Span>,
    /// The date is today or comes within so many days, for example 14d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_next: Option<Span>,
}

/// When a date comes round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Anniversary {
    Today,
    ThisWeek,
    ThisMonth,
}

/// A test of what a member did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::behavior()))]
pub struct BehaviorTest {
    /// The type of event, for example order.paid. An order that was given back in full does not count.
    pub event: EventType,
    /// The event happened at least so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count_at_least: Option<i64>,
    /// The event happened at most so many times. 0 means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub count_at_most: Option<i64>,
    /// The field of the event that is added up, for example total, or lines.quantity. Refunds are subtracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<FieldName>,
    /// The field of the event whose average is taken, for example total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<FieldName>,
    /// The field of the event whose smallest value is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<FieldName>,
    /// The field of the event whose largest value is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<FieldName>,
    /// The field of the event whose different values are counted, for example storeId or lines.sku.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<FieldName>,
    /// The sum, average, min, max or number of different values is this much or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Decimal>,
    /// The sum, average, min, max or number of different values is this much or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
    /// The first or the last such event ever is meant alone: it must lie in the time and pass the tests given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
    /// Only events of the last days or hours count, for example 30d. Without any time, events of ever count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// Only events longer ago than this count, for example 60d; with `within`, from the one to the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Span>,
    /// Only events of this period of the calendar count: Today, Yesterday, ThisWeek, LastWeek, ThisMonth, LastMonth, ThisQuarter, LastQuarter, ThisYear or LastYear. Weeks begin on Monday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Only events from this local time on count, for example "2026-11-01T00:00".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LocalTime>,
    /// Only events before this local time count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<LocalTime>,
    /// Only events whose fields pass these tests count, for example `storeId: {in: [bkk-01]}`. Tests of `lines.sku`, `lines.category` and so on are about one line of an order.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub filter: BTreeMap<String, FieldTest>,
}

/// One of a member's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Pick {
    First,
    Last,
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Period {
    Today,
    Yesterday,
    ThisWeek,
    LastWeek,
    ThisMonth,
    LastMonth,
    ThisQuarter,
    LastQuarter,
    ThisYear,
    LastYear,
}

/// A test of one field of an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::field_test()))]
pub struct FieldTest {
    /// The field has one of these values.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub is_in: Option<Vec<Label>>,
    /// The field has none of these values. Events without the field count too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub not_in: Option<Vec<Label>>,
    /// The field has exactly this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Label>,
    /// True: the event has the field. False: it lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// The field is this number or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Decimal>,
    /// The field is this number or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
}

/// A test of what a member did in which order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SequenceTest {
    /// What the member did, one after the other.
    #[schemars(length(min = 1, max = 6))]
    pub steps: Vec<StepTest>,
    /// What the member must not have done after the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<ExclusionTest>,
}

/// A step of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepTest {
    /// The type of event.
    pub event: EventType,
    /// At most so long after the step before. The first step: at most so long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// At least so long after the step before. The first step: longer ago than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Span>,
    /// Only events whose fields pass these tests count.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub filter: BTreeMap<String, FieldTest>,
}

/// What a member must not have done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExclusionTest {
    /// The type of event.
    pub event: EventType,
    /// Until when it must not have happened: LastStep (in between) or Now (nor since). Default: LastStep, of a single step Now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Only events whose fields pass these tests count.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub filter: BTreeMap<String, FieldTest>,
}

/// How long an exclusion lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Until {
    LastStep,
    Now,
}

/// A test of a member's stage of life, by the Runtime's rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleTest {
    /// One of these stages: New, Active, Dormant, ChurnRisk or Churned.
    #[serde(rename = "in")]
    #[schemars(length(min = 1, max = 5))]
    pub is_in: Vec<Stage>,
}

/// A stage of a member's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Stage {
    New,
    Active,
    Dormant,
    ChurnRisk,
    Churned,
}

/// A test of where a member is or shops.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::location()))]
pub struct LocationTest {
    /// The member is near this point, such as `{lat: 13.74, lng: 100.53}`. Give radius too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Point>,
    /// The member is near this store of the Runtime. Give radius too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_store: Option<Label>,
    /// How far away is near, for example 5km or 800m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius: Option<Distance>,
    /// The member is in one of these regions, for example TH-10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub region: Option<Vec<Label>>,
    /// The member shops most in one of these stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub preferred_store: Option<Vec<Label>>,
    /// The attribute that says it. Default: the one of type Location, else region, else preferredStore, where the Runtime declares it. Members without it are where they were last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<FieldName>,
}

/// A test of tags, or of interests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::tag_test()))]
pub struct TagTest {
    /// The member has at least one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub any: Option<Vec<Label>>,
    /// The member has every one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub all: Option<Vec<Label>>,
    /// The member has none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub none: Option<Vec<Label>>,
}

/// A test of membership in an uploaded list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListTest {
    /// The name of the uploaded list.
    pub name: Name,
}

/// A ready-made condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    New,
    Active,
    HighValue,
    Dormant,
    ChurnRisk,
}
