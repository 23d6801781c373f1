//! The wire types: what a marketing team writes and what `kubectl explain` shows.
//!
//! Types here only have a shape. They decide nothing, and after `admit` nobody reads them: the rest of the
//! product works with `fanfare_core::model`. Every doc comment on a field is part of the manual, so it is written
//! for a marketer. Every text, list and map has a maximum.

#![expect(clippy::duplicated_attributes, reason = "columns of `kubectl get` repeat their types")]

pub mod automation;
pub mod campaign;
pub mod common;
pub mod mechanic;
pub mod message;
pub mod reward;
pub(crate) mod rules;
pub mod runtime;
pub mod segment;
pub mod status;
pub mod text;

pub use automation::{Automation, AutomationSpec};
pub use campaign::{Campaign, CampaignSpec};
pub use message::{MessageChannel, MessageChannelSpec, MessageTemplate, MessageTemplateSpec};
pub use reward::{Reward, RewardSpec};
pub use runtime::{CampaignRuntime, CampaignRuntimeSpec};
pub use segment::{Segment, SegmentSpec};

/// The API group of every kind.
pub const GROUP: &str = "fanfare.dev";
/// The version of every kind.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of every resource.
pub const API_VERSION: &str = "fanfare.dev/v1alpha1";
