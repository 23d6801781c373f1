//! What the resources become after admission: parsed, checked and compiled, never a raw specification.
//!
//! A plan is a value of one accepted generation. The store keeps it as JSON, immutable, under its [`Revision`]; what was
//! issued keeps the terms of its own. The wire types live in `crds`, which alone makes these.

pub mod automation;
pub mod campaign;
pub mod message;
pub mod reward;
pub mod runtime;
pub mod schedule;
pub mod segment;

pub use automation::AutomationPlan;
pub use campaign::CampaignPlan;
pub use message::{ChannelPlan, TemplatePlan};
pub use reward::RewardPlan;
pub use runtime::RuntimePlan;
pub use segment::SegmentPlan;

use serde::{Deserialize, Serialize};

/// A resource that the database serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "plan")]
pub enum Plan {
    /// What runs, when and for whom.
    Campaign(CampaignPlan),
    /// Who.
    Segment(SegmentPlan),
    /// What is given.
    Reward(RewardPlan),
    /// Trigger and steps.
    Automation(AutomationPlan),
    /// A message per locale.
    MessageTemplate(TemplatePlan),
    /// How a message leaves.
    MessageChannel(ChannelPlan),
    /// What the campaigns of a namespace share.
    CampaignRuntime(RuntimePlan),
}

/// Which kind a resource is of; its name is the Kubernetes kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// See [`CampaignPlan`].
    Campaign,
    /// See [`SegmentPlan`].
    Segment,
    /// See [`RewardPlan`].
    Reward,
    /// See [`AutomationPlan`].
    Automation,
    /// See [`TemplatePlan`].
    MessageTemplate,
    /// See [`ChannelPlan`].
    MessageChannel,
    /// See [`RuntimePlan`].
    CampaignRuntime,
}

impl Kind {
    /// Every kind, in the order in which a folder is best applied.
    pub const ALL: [Self; 7] = [
        Self::CampaignRuntime,
        Self::MessageChannel,
        Self::MessageTemplate,
        Self::Segment,
        Self::Reward,
        Self::Automation,
        Self::Campaign,
    ];

    /// The Kubernetes kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Campaign => "Campaign",
            Self::Segment => "Segment",
            Self::Reward => "Reward",
            Self::Automation => "Automation",
            Self::MessageTemplate => "MessageTemplate",
            Self::MessageChannel => "MessageChannel",
            Self::CampaignRuntime => "CampaignRuntime",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Plan {
    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Campaign(_) => Kind::Campaign,
            Self::Segment(_) => Kind::Segment,
            Self::Reward(_) => Kind::Reward,
            Self::Automation(_) => Kind::Automation,
            Self::MessageTemplate(_) => Kind::MessageTemplate,
            Self::MessageChannel(_) => Kind::MessageChannel,
            Self::CampaignRuntime(_) => Kind::CampaignRuntime,
        }
    }
}
