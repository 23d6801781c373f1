//! Many resources at once, as a folder or a pull request has them: each is judged among all others.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_core::model::{Kind, Plan};
use fanfare_core::time::Ts;
use serde_json::Value;

use super::error::{FieldError, Findings, Path, code};
use super::references::{Catalog, PlanSet};
use super::{Admitted, Door, admit_one, check_references, kind_of};

/// What became of one resource.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its kind, where it can be told.
    pub kind: Option<Kind>,
    /// Its namespace, where it names one.
    pub namespace: Option<String>,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its plan, or everything that is wrong.
    pub result: Result<Plan, Vec<FieldError>>,
}

/// Judges every resource among all others, in the order given. Where a namespace has no valid Runtime, amounts, stores
/// and attributes are checked by their form alone, and no plan is fit to be served.
pub fn admit_all(objects: &[&Value], now: Ts) -> Vec<Verdict> {
    let mut catalogs: BTreeMap<Option<String>, PlanSet> = BTreeMap::new();
    for object in objects {
        declare(object, &mut catalogs);
    }
    admit_runtimes(objects, now, &mut catalogs);
    let alone: Vec<Result<Admitted, Vec<FieldError>>> = objects
        .iter()
        .map(|object| {
            let runtime = catalogs.get(&namespace_of(object)).and_then(Catalog::runtime);
            admit_one(object, &Door { runtime, ..Door::alone(now) })
        })
        .collect();
    for admitted in alone.iter().flatten() {
        catalogs.entry(admitted.namespace.clone()).or_default().insert(&admitted.name, admitted.plan.clone());
    }
    let mut seen = BTreeSet::new();
    objects
        .iter()
        .zip(alone)
        .map(|(object, alone)| {
            let identity = identity_of(object);
            let mut findings = Findings::default();
            let plan = match alone {
                Ok(admitted) => {
                    if let Some(catalog) = catalogs.get(&admitted.namespace) {
                        findings.errors = check_references(&admitted.plan, catalog);
                    }
                    Some(admitted.plan)
                }
                Err(errors) => {
                    findings.errors = errors;
                    None
                }
            };
            if let Some(twice) = identity.as_ref().and_then(|identity| taken(identity, &mut seen)) {
                findings.errors.push(twice);
            }
            let result = match plan {
                Some(plan) if findings.errors.is_empty() => Ok(plan),
                _ => Err(findings.errors),
            };
            let name = object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
            Verdict { kind: kind_of(object).ok(), namespace: namespace_of(object), name, result }
        })
        .collect()
}

fn namespace_of(object: &Value) -> Option<String> {
    object.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned)
}

type Identity = (Option<String>, Kind, String);

fn identity_of(object: &Value) -> Option<Identity> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str)?;
    Some((namespace_of(object), kind_of(object).ok()?, name.to_owned()))
}

fn declare(object: &Value, catalogs: &mut BTreeMap<Option<String>, PlanSet>) {
    if let Some((namespace, kind, name)) = identity_of(object) {
        catalogs.entry(namespace).or_default().declare(kind, &name);
    }
}

/// Runtimes come first, since the others are read in their currency and zone.
fn admit_runtimes(objects: &[&Value], now: Ts, catalogs: &mut BTreeMap<Option<String>, PlanSet>) {
    for object in objects.iter().filter(|object| kind_of(object) == Ok(Kind::CampaignRuntime)) {
        if let Ok(admitted) = admit_one(object, &Door::alone(now)) {
            catalogs.entry(admitted.namespace).or_default().insert(&admitted.name, admitted.plan);
        }
    }
}

/// The same identity twice, and a second Runtime in a namespace.
fn taken(identity: &Identity, seen: &mut BTreeSet<Identity>) -> Option<FieldError> {
    let (namespace, kind, name) = identity;
    let another =
        seen.iter().find(|(of, is, _)| of == namespace && is == kind && *kind == Kind::CampaignRuntime).cloned();
    let is_new = seen.insert(identity.clone());
    let mut findings = Findings::default();
    let at = Path::root("metadata");
    match (is_new, another) {
        (false, _) => {
            let reason = format!("there is another {} `{name}`", kind.as_str());
            findings.push(at.field("name"), code::DUPLICATE, reason, "give one of them another name");
        }
        (true, Some((_, _, other))) => {
            let reason = format!("`{other}` is the CampaignRuntime of this namespace already");
            findings.push(at.field("name"), code::DUPLICATE, reason, "keep one of the two");
        }
        (true, None) => {}
    }
    findings.errors.pop()
}
