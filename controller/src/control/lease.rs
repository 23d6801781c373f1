//! Keeps the Lease by which replicas agree on one leader; the rule is `fanfare_core::lease`.
//!
//! A Lease of our name that we did not make is left alone, and so is every other object.

use super::{
    connect::said,
    health::{Health, Part},
    owner::Owners,
};
use crate::clock::WallClock;
use fanfare_core::{
    lease::{Candidate, Lease as Seen, Step, Terms},
    time::Clock,
};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams, core::ObjectMeta};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The label on what the controller makes, by which it knows its own.
pub const OURS: (&str, &str) = ("app.kubernetes.io/managed-by", "fanfare-controller");
/// How long one call about the Lease may take.
const CALL_MAX: Duration = Duration::from_secs(5);

/// What this replica's standing is.
#[derive(Clone)]
pub struct Standing {
    began: Instant,
    until: Arc<Mutex<Option<Duration>>>,
    changed: watch::Sender<bool>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { began: Instant::now(), until: Arc::default(), changed: watch::channel(false).0 }
    }
}

impl Standing {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether it leads at this moment.
    pub fn leads(&self) -> bool {
        self.until.lock().is_some_and(|until| self.now() < until)
    }

    /// Resolves when it leads.
    pub async fn won(&self) {
        let mut changed = self.changed.subscribe();
        // The sender lives as long as `self`.
        drop(changed.wait_for(|leads| *leads).await);
    }

    /// Resolves when it leads no longer.
    pub async fn lost(&self) {
        let mut changed = self.changed.subscribe();
        drop(changed.wait_for(|leads| !*leads).await);
    }

    fn set(&self, until: Option<Duration>) {
        *self.until.lock() = until;
        let leads = self.leads();
        self.changed.send_if_modified(|now| std::mem::replace(now, leads) != leads);
    }
}

/// Which Lease.
pub struct Place {
    /// In which namespace.
    pub namespace: String,
    /// Under which name.
    pub name: String,
    /// With what it goes.
    pub owners: Owners,
}

/// Which Lease, and who wants it.
pub struct Keeper {
    client: Client,
    api: Api<Lease>,
    place: Place,
    me: String,
    terms: Terms,
    candidate: Candidate,
    standing: Standing,
    health: Health,
}

/// What came of one look.
enum Fault {
    Call(kube::Error),
    Late,
    Foreign,
    Owner(anyhow::Error),
}

impl Keeper {
    /// Keeps that Lease for `me`, whose name no other replica has.
    pub fn new(client: Client, place: Place, me: String, terms: Terms, health: Health) -> Self {
        let api = Api::namespaced(client.clone(), &place.namespace);
        let candidate = Candidate::new(me.clone(), terms);
        Self { client, api, place, me, terms, candidate, standing: Standing::default(), health }
    }

    /// How it stands, for whoever acts on it.
    pub fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// Looks at it until it is dropped.
    pub async fn keep(&mut self) {
        loop {
            let asked = self.standing.now();
            let looked = tokio::time::timeout(CALL_MAX.min(self.terms.act_for() / 2), self.look(asked)).await;
            let name = &self.place.name;
            match looked.unwrap_or(Err(Fault::Late)) {
                Ok(()) => self.health.set(Part::Lease, None),
                // Another was quicker; the next look shows who.
                Err(Fault::Call(kube::Error::Api(status))) if status.code == 409 => {}
                Err(Fault::Call(error)) => self.health.set(Part::Lease, Some(format!("the Lease {name}: {}", said(error)))),
                Err(Fault::Late) => self.health.set(Part::Lease, Some(format!("the Lease {name}: no answer"))),
                Err(Fault::Owner(error)) => {
                    self.health.set(Part::Lease, Some(format!("the Lease {name} is not made: {error:#}")));
                }
                Err(Fault::Foreign) => self.health.set(Part::Lease, Some(format!(
                    "the Lease {name} belongs to somebody else, since it has no label {}={}; name another with --lease, or \
                     delete it",
                    OURS.0, OURS.1
                ))),
            }
            self.standing.set(self.candidate.leads_until());
            tokio::time::sleep(self.terms.look_every()).await;
        }
    }

    async fn look(&mut self, asked: Duration) -> Result<(), Fault> {
        let found = self.api.get_opt(&self.place.name).await.map_err(Fault::Call)?;
        let is_ours = |lease: &Lease| {
            lease.metadata.labels.as_ref().and_then(|all| all.get(OURS.0)).is_some_and(|by| by == OURS.1)
        };
        if found.as_ref().is_some_and(|lease| !is_ours(lease)) {
            return Err(Fault::Foreign);
        }
        let step = self.candidate.step(found.as_ref().map(seen).as_ref(), asked);
        if step == Step::Wait {
            return Ok(());
        }
        let params = PostParams { field_manager: Some(OURS.1.into()), ..PostParams::default() };
        let written = match found {
            Some(found) => self.api.replace(&self.place.name, &params, &self.ours(Some(&found), None)).await,
            None => {
                let owners =
                    self.place.owners.within(&self.client, &self.place.namespace).await.map_err(Fault::Owner)?;
                self.api.create(&params, &self.ours(None, owners)).await
            }
        };
        written.map_err(Fault::Call)?;
        self.candidate.renewed(asked);
        Ok(())
    }

    /// The Lease as it says that it is ours. With the version of the one that was seen, so that of two who take it one does.
    fn ours(&self, found: Option<&Lease>, owner_references: Option<Vec<OwnerReference>>) -> Lease {
        let now = MicroTime(Timestamp::from_microsecond(WallClock.now().timestamp_micros()).unwrap_or_default());
        let was = found.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let renews = was.holder_identity.as_ref() == Some(&self.me);
        let transitions = was.lease_transitions.unwrap_or(0) + i32::from(found.is_some() && !renews);
        let metadata = found.map_or_else(
            || ObjectMeta {
                name: Some(self.place.name.clone()),
                labels: Some([(OURS.0.into(), OURS.1.into())].into()),
                owner_references,
                ..ObjectMeta::default()
            },
            |lease| lease.metadata.clone(),
        );
        let spec = LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(self.terms.lasts.as_secs()).ok(),
            acquire_time: if renews { was.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    /// Gives it back, so that another need not wait until it lapses.
    pub async fn leave(&mut self) {
        if !self.standing.leads() {
            return;
        }
        self.standing.set(None);
        let left = async {
            let mut found = self.api.get_opt(&self.place.name).await?;
            let spec = found.as_mut().and_then(|lease| lease.spec.as_mut());
            if let Some(spec) = spec.filter(|spec| spec.holder_identity.as_ref() == Some(&self.me)) {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                if let Some(lease) = &found {
                    self.api.replace(&self.place.name, &PostParams::default(), lease).await?;
                }
            }
            Ok::<(), kube::Error>(())
        };
        if !matches!(tokio::time::timeout(CALL_MAX, left).await, Ok(Ok(()))) {
            tracing::warn!("the Lease was not given back; it lapses");
        }
    }
}

fn seen(lease: &Lease) -> Seen {
    let spec = lease.spec.clone().unwrap_or_default();
    let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
    Seen {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        lasts: Duration::from_secs(lasts),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}
