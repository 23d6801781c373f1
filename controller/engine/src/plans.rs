//! What is served now, compiled: an immutable snapshot that publishing replaces as a whole.

use crate::feed::Face;
use arc_swap::ArcSwap;
use fanfare_core::{
    ids::{Name, Revision},
    model::{
        AutomationPlan, CampaignPlan, ChannelPlan, Kind, Plan, RewardPlan, RuntimePlan, SegmentPlan, TemplatePlan,
    },
};
use fanfare_store::rows::Published;
use std::{collections::BTreeMap, sync::Arc};

/// A campaign that is served.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its plan.
    pub plan: Arc<CampaignPlan>,
    /// Whether it was settled for good.
    pub settled: bool,
    /// Its resource's generation.
    pub generation: i64,
    /// What it shows to everyone, written down.
    pub face: Arc<Face>,
}

/// Everything that is served in a namespace, by name.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    /// What all campaigns share; nothing is served without it.
    pub runtime: Option<Arc<RuntimePlan>>,
    /// Campaigns.
    pub campaigns: BTreeMap<Name, Campaign>,
    /// Segments.
    pub segments: BTreeMap<Name, Arc<SegmentPlan>>,
    /// Rewards.
    pub rewards: BTreeMap<Name, Arc<RewardPlan>>,
    /// Automations.
    pub automations: BTreeMap<Name, Arc<AutomationPlan>>,
    /// Templates.
    pub templates: BTreeMap<Name, Arc<TemplatePlan>>,
    /// Channels.
    pub channels: BTreeMap<Name, Arc<ChannelPlan>>,
    /// The revision of every resource, for answers that depend on rules and for reconcilers that ask what is served.
    pub revisions: BTreeMap<(Kind, Name), (Revision, i64)>,
    /// A digest over all revisions: the `revision` of an answer that depends on the rules.
    pub digest: String,
}

impl Plans {
    /// The snapshot of what the database serves.
    pub fn of(published: Vec<Published>) -> Self {
        let mut plans = Self::default();
        for row in published.into_iter().filter(|row| !row.retired) {
            plans.put(row);
        }
        plans.seal();
        plans
    }

    /// This snapshot with some resources published and others retired.
    #[must_use]
    pub fn with(&self, published: Vec<Published>, retired: &[(Kind, Name)]) -> Self {
        let mut plans = self.clone();
        for (kind, name) in retired {
            plans.remove(*kind, name);
        }
        for row in published {
            if row.retired {
                plans.remove(row.kind, &row.name);
            } else {
                plans.put(row);
            }
        }
        plans.seal();
        plans
    }

    fn put(&mut self, row: Published) {
        let Published { kind, name, revision, plan, generation, settled, .. } = row;
        self.revisions.insert((kind, name.clone()), (revision, generation));
        match plan {
            Plan::Campaign(plan) => {
                let face = Arc::new(Face::of(&plan));
                self.campaigns.insert(name, Campaign { plan: Arc::new(plan), settled, generation, face });
            }
            Plan::Segment(plan) => {
                self.segments.insert(name, Arc::new(plan));
            }
            Plan::Reward(plan) => {
                self.rewards.insert(name, Arc::new(plan));
            }
            Plan::Automation(plan) => {
                self.automations.insert(name, Arc::new(plan));
            }
            Plan::MessageTemplate(plan) => {
                self.templates.insert(name, Arc::new(plan));
            }
            Plan::MessageChannel(plan) => {
                self.channels.insert(name, Arc::new(plan));
            }
            Plan::CampaignRuntime(plan) => self.runtime = Some(Arc::new(plan)),
        }
    }

    fn remove(&mut self, kind: Kind, name: &Name) {
        self.revisions.remove(&(kind, name.clone()));
        match kind {
            Kind::Campaign => drop(self.campaigns.remove(name)),
            Kind::Segment => drop(self.segments.remove(name)),
            Kind::Reward => drop(self.rewards.remove(name)),
            Kind::Automation => drop(self.automations.remove(name)),
            Kind::MessageTemplate => drop(self.templates.remove(name)),
            Kind::MessageChannel => drop(self.channels.remove(name)),
            Kind::CampaignRuntime => {
                if self.runtime.as_ref().is_some_and(|runtime| runtime.name == *name) {
                    self.runtime = None;
                }
            }
        }
    }

    fn seal(&mut self) {
        let mut hasher = blake3::Hasher::new();
        for ((kind, name), (revision, _)) in &self.revisions {
            for part in [kind.as_str(), name.as_str(), revision.as_str()] {
                hasher.update(part.as_bytes());
                hasher.update(&[0]);
            }
        }
        self.digest = hasher.finalize().to_hex().as_str()[..16].to_owned();
    }
}

/// The snapshot in force; readers never wait.
pub struct Current(ArcSwap<Plans>);

impl Current {
    /// Starts with a snapshot.
    pub fn new(plans: Plans) -> Self {
        Self(ArcSwap::from_pointee(plans))
    }

    /// The snapshot in force.
    pub fn load(&self) -> Arc<Plans> {
        self.0.load_full()
    }

    /// Replaces it. Memory alone calls this, for what was committed.
    pub(crate) fn replace(&self, plans: Plans) {
        self.0.store(Arc::new(plans));
    }
}
