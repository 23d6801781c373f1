//! Gathers what one decision needs: the object, the others of its namespace, what the database served before.

use crate::{
    conditions::Claim,
    driver::Context,
    plan::{Fault, Verdict, reason},
    queue::Key,
};
use fanfare_core::{
    ids::{Name, Revision},
    mechanic::Rule,
    model::{CampaignPlan, Kind, Plan},
    time::Ts,
};
use fanfare_crds::admit::{self, Door, FieldError, PlanSet, code};
use fanfare_engine::{Engine, plans::Plans, publish::Publish};
use kube::core::DynamicObject;
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// The annotation with the Git revision.
const GIT: &str = "fanfare.dev/revision";
/// The annotation with the author, as the commit says.
const AUTHOR: &str = "fanfare.dev/author";

/// The annotation by which `fanfare resume` says when somebody wished that a campaign goes on.
pub const RESUMED: &str = "fanfare.dev/resumed";

/// What was found out about one object.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it should become.
    pub verdict: Verdict,
    /// Its generation.
    pub generation: i64,
    /// The Git revision that it came from, where known.
    pub git: Option<String>,
    /// Who wrote it, unverified.
    pub author: Option<String>,
    /// What hinders what is served: the Secret of a channel's login is missing.
    pub hindrance: Option<String>,
    /// How the Secret that declares a reward's codes stands, where one does.
    pub codes: Option<Claim>,
    /// A campaign that is suspended although its specification is wrong: what is served of it, suspended.
    pub stopped: Option<Publish>,
    /// When somebody last wished that the campaign goes on after its budget suspended it, in milliseconds since 1970.
    pub resumed_at: Option<i64>,
}

/// The resources that others name, as plans; rebuilt when one of them changed.
#[derive(Debug, Default)]
pub struct Others {
    cached: Mutex<HashMap<String, (u64, Arc<PlanSet>)>>,
}

impl Others {
    /// The set for this version of the catalogue.
    fn of(&self, context: &Context, namespace: &str, now: Ts) -> Arc<PlanSet> {
        let version = context.catalog.version(namespace);
        let mut cached = self.cached.lock();
        if let Some((of, set)) = cached.get(namespace)
            && *of == version
        {
            return set.clone();
        }
        let set = Arc::new(gather(context, namespace, now));
        cached.insert(namespace.to_owned(), (version, set.clone()));
        set
    }
}

fn gather(context: &Context, namespace: &str, now: Ts) -> PlanSet {
    let mut set = PlanSet::default();
    let add = |set: &mut PlanSet, kind: Kind, door: &Door<'_>| {
        for (key, object) in context.catalog.of_kind(kind, namespace) {
            set.declare(kind, &key.name);
            if let Ok(admitted) = admit::admit_one(&raw(&object, kind), door) {
                set.insert(&key.name, admitted.plan);
            }
        }
    };
    add(&mut set, Kind::CampaignRuntime, &Door::alone(now));
    let with_runtime = set.clone();
    let door = Door { runtime: admit::Catalog::runtime(&with_runtime), ..Door::alone(now) };
    for kind in [Kind::Segment, Kind::Reward, Kind::MessageTemplate, Kind::MessageChannel] {
        add(&mut set, kind, &door);
    }
    set
}

/// The object as a document, as admission reads it.
pub fn raw(object: &DynamicObject, kind: Kind) -> Value {
    let fields = object.data.as_object().into_iter().flatten().filter(|(name, _)| *name != "status");
    let mut raw = Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect());
    let resource = crate::kinds::api_resource(kind);
    raw["apiVersion"] = resource.api_version.into();
    raw["kind"] = resource.kind.into();
    raw["metadata"] = serde_json::to_value(&object.metadata).unwrap_or_default();
    raw
}

/// Judges one object among the others.
pub(crate) fn observe(context: &Context, engine: &Engine, key: &Key, object: &DynamicObject) -> Seen {
    let annotation = |name: &str| object.metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
    let (plans, now) = (engine.plans(), engine.clock().now());
    let others = context.others.of(context, &key.namespace, now);
    let verdict = if let Some(fault) = duplicate_runtime(context, key) {
        Verdict::Keep(fault)
    } else {
        match admit::admit_with(&raw(object, key.kind), &Door::alone(now), &*others) {
            Ok(admitted) => judge(admitted.plan, &plans, now),
            Err(errors) => Verdict::Keep(fault_of(&errors)),
        }
    };
    let stopped = match &verdict {
        Verdict::Keep(_) if key.kind == Kind::Campaign && is_suspended(&raw(object, key.kind)) => {
            stop(&plans, key, annotation(AUTHOR))
        }
        Verdict::Keep(_) | Verdict::Serve(..) => None,
    };
    Seen {
        verdict,
        generation: object.metadata.generation.unwrap_or(1),
        git: annotation(GIT),
        author: annotation(AUTHOR),
        hindrance: None,
        codes: None,
        stopped,
        resumed_at: annotation(RESUMED).and_then(|text| Some(text.parse::<Ts>().ok()?.timestamp_millis())),
    }
}

fn judge(plan: Plan, plans: &Plans, now: Ts) -> Verdict {
    if let Plan::Campaign(plan) = &plan
        && let Some(served) = plans.campaigns.get(&plan.name)
        && let Some(fault) = frozen(plan, &served.plan, served.settled, now)
    {
        return Verdict::Keep(Fault::Invalid(fault));
    }
    let revision = revision_of(&plan);
    Verdict::Serve(Box::new(plan), revision)
}

/// Whether a resource says that it is suspended, by hand or in its specification.
pub fn is_suspended(object: &Value) -> bool {
    let by_hand = object.pointer("/metadata/annotations").and_then(|all| all.get(admit::SUSPENDED_ANNOTATION));
    by_hand.is_some() || object.pointer("/spec/suspend") == Some(&Value::Bool(true))
}

/// What is served of a campaign, suspended: whatever is wrong with what was written since, it must stop.
fn stop(plans: &Plans, key: &Key, author: Option<String>) -> Option<Publish> {
    let name = Name::from(key.name.as_str());
    let served = plans.campaigns.get(&name).filter(|served| !served.settled && !served.plan.suspended)?;
    let revision = format!("{}/suspended", served.plan.revision);
    let revision = Revision::from(&blake3::hash(revision.as_bytes()).to_hex()[..16]);
    let plan = CampaignPlan { suspended: true, revision: revision.clone(), ..(*served.plan).clone() };
    Some(Publish { name, revision, plan: Plan::Campaign(plan), generation: served.generation, author })
}

/// The digest of a plan: its own where it carries one.
pub fn revision_of(plan: &Plan) -> Revision {
    match plan {
        Plan::Campaign(plan) => plan.revision.clone(),
        Plan::Reward(plan) => plan.revision.clone(),
        Plan::Automation(plan) => plan.revision.clone(),
        Plan::Segment(_) | Plan::MessageTemplate(_) | Plan::MessageChannel(_) | Plan::CampaignRuntime(_) => {
            let text = serde_json::to_vec(plan).unwrap_or_default();
            Revision::from(&blake3::hash(&text).to_hex()[..16])
        }
    }
}

/// What of a campaign the database holds fixed: everything once it is settled; once started, its start and the kinds of
/// its named mechanics.
pub fn frozen(plan: &CampaignPlan, served: &CampaignPlan, settled: bool, now: Ts) -> Option<String> {
    // Whether it is suspended makes no difference to a settled campaign.
    let as_served = CampaignPlan { suspended: served.suspended, revision: served.revision.clone(), ..plan.clone() };
    if settled && as_served != *served {
        return Some(format!(
            "metadata.name: the campaign {} is settled for good; give the new campaign a name of its own",
            plan.name
        ));
    }
    if now < served.schedule.start_at {
        return None;
    }
    if plan.schedule.start_at != served.schedule.start_at {
        let began = served.schedule.start_at.with_timezone(&served.schedule.zone);
        return Some(format!(
            "spec.schedule.startAt: the campaign has started; keep {}, or make a new campaign",
            began.format("%Y-%m-%dT%H:%M")
        ));
    }
    for mechanic in &plan.mechanics {
        let before = served.mechanics.iter().find(|other| other.name == mechanic.name);
        if let Some(before) = before.filter(|before| kind(&before.rule) != kind(&mechanic.rule)) {
            return Some(format!(
                "spec.mechanics: {} was a {} and cannot become a {} once the campaign has started; give the new mechanic a name of its own",
                mechanic.name,
                kind(&before.rule),
                kind(&mechanic.rule)
            ));
        }
    }
    None
}

fn kind(rule: &Rule) -> &'static str {
    rule.kind()
}

/// A namespace has one Runtime: the older one counts.
fn duplicate_runtime(context: &Context, key: &Key) -> Option<Fault> {
    if key.kind != Kind::CampaignRuntime {
        return None;
    }
    let all = context.catalog.of_kind(Kind::CampaignRuntime, &key.namespace);
    let age = |object: &DynamicObject| object.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let first = all.iter().min_by_key(|(key, object)| (age(object), key.name.clone()))?;
    (first.0 != *key).then(|| {
        let message = format!("the namespace has the CampaignRuntime {} already; delete one of the two", first.0.name);
        Fault::Waiting(reason::RUNTIME_DUPLICATE, message)
    })
}

fn fault_of(errors: &[FieldError]) -> Fault {
    let message = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    if errors.iter().all(|error| code::is_waiting(error.code)) {
        let why = match errors.first().map(|error| error.code) {
            Some(code::RUNTIME) => reason::RUNTIME_MISSING,
            Some(code::BUDGET) => reason::NOT_COVERED,
            _ => reason::REFERENCE_MISSING,
        };
        Fault::Waiting(why, message)
    } else {
        Fault::Invalid(message)
    }
}
