//! The Automation: when this happens, do these steps.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::status::AutomationStatus;
use super::text::{ClockTime, EventType, Name, Span};

/// When this happens, do these steps for the member.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "Automation",
    plural = "automations",
    singular = "automation",
    shortname = "auto",
    category = "marketing",
    namespaced,
    derive = "PartialEq",
    status = "AutomationStatus",
    doc = "An automation: when something happens, members go through steps such as wait, send and issue.",
    printcolumn(name = "TRIGGER", type_ = "string", json_path = ".status.trigger"),
    printcolumn(name = "ENTERED", type_ = "integer", json_path = ".status.entered"),
    printcolumn(name = "ACTIVE", type_ = "integer", json_path = ".status.active"),
    printcolumn(name = "COMPLETED", type_ = "integer", json_path = ".status.completed"),
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#)
)]
#[serde(rename_all = "camelCase")]
pub struct AutomationSpec {
    /// What lets a member enter.
    pub trigger: Occasion,
    /// Whether a member can enter again. Default: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reentry: Option<Reentry>,
    /// A member who does one of these leaves at once, whatever the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub exit: Vec<Occasion>,
    /// The steps, in this order unless a step says what is next.
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,
}

/// An event, or that a member comes into a Segment or goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::occasion()))]
pub struct Occasion {
    /// The type of event, for example member.registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventType>,
    /// The Segment whose members change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Crossing>,
}

/// A Segment's members change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Crossing {
    /// The name of a Segment.
    pub name: Name,
    /// Enters: for who comes in. Leaves: for who goes. Who is in it when the automation is first published does neither.
    pub change: Change,
}

/// How a member stands to a Segment from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Change {
    Enters,
    Leaves,
}

/// Whether a member can enter again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::reentry()))]
pub struct Reentry {
    /// Once: never again. AfterExit: when the member has left. Always: also while the member is in it.
    pub policy: ReentryPolicy,
    /// With Always: not sooner after the last time than this, for example 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
}

/// How often a member can enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReentryPolicy {
    Once,
    AfterExit,
    Always,
}

/// One step. It needs a name and exactly one of send, wait and issue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::step()))]
pub struct Step {
    /// A name that is unique in the automation, for example welcome. `end` is taken: it means the end.
    pub name: Name,
    /// Send a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<Send>,
    /// Wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Give a reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<Issue>,
    /// The name of the step that follows, or `end`. Default: the next in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Name>,
}

/// Send a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Send {
    /// The name of a MessageChannel.
    pub channel: Name,
    /// The name of a MessageTemplate of the same kind as the channel.
    pub template: Name,
    /// When nobody knows whether the message was sent: Skip (the default) sends it at most once, Retry at least once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_ambiguous: Option<OnAmbiguous>,
}

/// What to do when nobody knows whether a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnAmbiguous {
    Skip,
    Retry,
}

/// Wait for a time, until a time of day, or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::wait()))]
pub struct Wait {
    /// How long to wait, for example 3d.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// Then go on at this time of day, for example "10:00", in the member's time zone; the Runtime's
    /// where none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<ClockTime>,
}

/// Give a reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// The name of the Reward.
    pub reward: Name,
}
