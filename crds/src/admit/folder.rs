//! Many resources at once, as a folder or a pull request has them: each is judged among all others.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_core::model::{Kind, Plan};
use fanfare_core::time::Ts;
use serde_json::Value;

use super::advice::advise;
use super::error::{FieldError, Findings, Path, code};
use super::references::{Catalog, PlanSet, check_references};
use super::{Door, admit_one, kind_of};

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
    /// What is allowed and hardly meant.
    pub advice: Vec<FieldError>,
}

/// Judges every resource among all others, in the order given. Where a namespace has no valid Runtime, amounts, stores
/// and attributes are checked by their form alone, and no plan is fit to be served. Resources without a namespace
/// belong to the one that the others name, if they name only one.
pub fn admit_all(objects: &[&Value], now: Ts) -> Vec<Verdict> {
    let items = items(objects);
    let mut catalogs: BTreeMap<Option<String>, PlanSet> = BTreeMap::new();
    for item in &items {
        if let (Some(kind), Some(name)) = (item.kind, &item.name) {
            catalogs.entry(item.home.clone()).or_default().declare(kind, name);
        }
    }
    // Runtimes come first, since the others are read in their currency and zone.
    for item in items.iter().filter(|item| item.kind == Some(Kind::CampaignRuntime)) {
        if let Ok(admitted) = admit_one(item.object, &Door::alone(now)) {
            catalogs.entry(item.home.clone()).or_default().insert(&admitted.name, admitted.plan);
        }
    }
    let alone: Vec<Result<Plan, Vec<FieldError>>> = items
        .iter()
        .map(|item| {
            let runtime = catalogs.get(&item.home).and_then(Catalog::runtime);
            admit_one(item.object, &Door { runtime, ..Door::alone(now) }).map(|admitted| admitted.plan)
        })
        .collect();
    for (item, result) in items.iter().zip(&alone) {
        if let (Some(name), Ok(plan)) = (&item.name, result) {
            catalogs.entry(item.home.clone()).or_default().insert(name, plan.clone());
        }
    }
    let mut seen = BTreeSet::new();
    items.into_iter().zip(alone).map(|(item, alone)| item.conclude(alone, &catalogs, &mut seen)).collect()
}

struct Item<'a> {
    object: &'a Value,
    kind: Option<Kind>,
    name: Option<String>,
    namespace: Option<String>,
    /// The namespace that it is taken to belong to.
    home: Option<String>,
}

fn items<'a>(objects: &[&'a Value]) -> Vec<Item<'a>> {
    let text = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let named: BTreeSet<String> = objects.iter().filter_map(|object| text(object, "/metadata/namespace")).collect();
    let only = named.first().filter(|_| named.len() == 1);
    objects
        .iter()
        .map(|object| {
            let namespace = text(object, "/metadata/namespace");
            Item {
                object,
                kind: kind_of(object).ok(),
                name: text(object, "/metadata/name"),
                home: namespace.clone().or_else(|| only.cloned()),
                namespace,
            }
        })
        .collect()
}

type Identity = (Option<String>, Kind, String);

impl Item<'_> {
    fn conclude(
        self,
        alone: Result<Plan, Vec<FieldError>>,
        catalogs: &BTreeMap<Option<String>, PlanSet>,
        seen: &mut BTreeSet<Identity>,
    ) -> Verdict {
        let twice = self.taken(seen);
        let catalog = catalogs.get(&self.home);
        let result = alone.and_then(|plan| {
            let missing = catalog.map(|catalog| check_references(&plan, catalog)).unwrap_or_default();
            if missing.is_empty() { Ok(plan) } else { Err(missing) }
        });
        let result = match (result, twice) {
            (result, None) => result,
            (Ok(_), Some(twice)) => Err(vec![twice]),
            (Err(mut errors), Some(twice)) => {
                errors.push(twice);
                Err(errors)
            }
        };
        let advice = match (&result, catalog) {
            (Ok(plan), Some(catalog)) => advise(plan, catalog),
            _ => Vec::new(),
        };
        Verdict { advice, kind: self.kind, namespace: self.namespace, name: self.name, result }
    }

    /// The same identity twice, or a second Runtime in a namespace.
    fn taken(&self, seen: &mut BTreeSet<Identity>) -> Option<FieldError> {
        let (kind, name) = (self.kind?, self.name.clone()?);
        let other_runtime = seen
            .iter()
            .find(|(home, of, _)| *home == self.home && *of == kind && kind == Kind::CampaignRuntime)
            .cloned();
        let is_new = seen.insert((self.home.clone(), kind, name.clone()));
        let (reason, remedy) = match (is_new, other_runtime) {
            (false, _) => (format!("there is another {} `{name}`", kind.as_str()), "give one of them another name"),
            (true, Some((_, _, other))) => {
                (format!("`{other}` is the CampaignRuntime of this namespace already"), "keep one of the two")
            }
            (true, None) => return None,
        };
        let mut findings = Findings::default();
        findings.push(Path::root("metadata").field("name"), code::DUPLICATE, reason, remedy);
        findings.errors.pop()
    }
}
