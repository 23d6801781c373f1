//! The door of an API server, the embedded one's and the webhook's alike: the same `admit` as `fanfare validate` and
//! reconcile, with what the database holds fixed.
//!
//! It refuses what the document itself shows to be wrong. What is being deleted or is suspended passes, since a campaign
//! must be stopped whatever else is wrong with it; an update answers only for errors that it brings.

use fanfare_core::{
    ids::Namespace,
    model::{CampaignPlan, Kind, Plan, RuntimePlan},
    time::Ts,
};
use fanfare_crds::admit::{self, Door, FieldError, code};
use fanfare_reconcile::{currency, observe};
use fanfare_store::Store;
use serde_json::Value;

/// What is about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Whole.
    pub object: &'a Value,
    /// As it is stored now, where it is.
    pub old: Option<&'a Value>,
}

/// What is known beside it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The database, where it answers: without it, what it holds fixed is left to reconcile.
    pub store: Option<&'a dyn Store>,
    /// The namespace.
    pub namespace: &'a Namespace,
    /// The Runtime of the namespace, where there is one.
    pub runtime: Option<&'a RuntimePlan>,
    /// Business time.
    pub now: Ts,
}

/// Judges it.
///
/// # Errors
/// Everything that is wrong with it.
pub async fn judge(request: Request<'_>, facts: Facts<'_>) -> Result<(), Vec<FieldError>> {
    let Request { kind, object, old, .. } = request;
    if is_going(object) || observe::is_suspended(object) {
        return Ok(());
    }
    let has_ledger = match facts.store {
        Some(store) => store.position(facts.namespace).await.is_ok_and(|position| position.0 > 0),
        None => false,
    };
    let runtime = if kind == Kind::CampaignRuntime { None } else { facts.runtime };
    let door = Door { now: facts.now, old, runtime, has_ledger };
    // What another resource can heal is stored, and waits for it with Ready=False.
    let admitted = match admit::admit_to_store(object, &door) {
        Ok(Some(admitted)) => admitted,
        Ok(None) => return Ok(()),
        Err(errors) => return brought(errors, old, &door),
    };
    let Some(store) = facts.store else { return Ok(()) };
    match &admitted.plan {
        Plan::Campaign(plan) if runtime.is_some() && old.is_none_or(|old| old["spec"] != object["spec"]) => {
            fixed(store, facts, plan).await
        }
        Plan::CampaignRuntime(plan) => {
            // Also where the Runtime that the money was counted in was deleted before.
            let ledger = currency::of_ledger(store, facts.namespace).await.ok().flatten();
            match currency::clash(ledger.as_deref(), plan) {
                Some((path, reason, remedy)) => {
                    let (path, reason) = (path.into(), reason.into());
                    Err(vec![FieldError { path, reason, remedy, code: code::IMMUTABLE }])
                }
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// The whole refusal as one text.
pub fn told(kind: &str, name: &str, errors: &[FieldError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    format!("{kind} {name:?} is refused: {}", lines.join("\n"))
}

fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
}

/// The errors that an update brings: those that what is stored has already are not its own.
fn brought(errors: Vec<FieldError>, old: Option<&Value>, door: &Door<'_>) -> Result<(), Vec<FieldError>> {
    let stood = match old {
        Some(old) => admit::admit_to_store(old, &Door { old: None, ..*door }).err().unwrap_or_default(),
        None => Vec::new(),
    };
    let brought: Vec<FieldError> = errors.into_iter().filter(|error| !stood.contains(error)).collect();
    if brought.is_empty() { Ok(()) } else { Err(brought) }
}

/// A campaign that is made again under a name that the database knows resumes its ledger; what was fixed stays fixed.
/// So does a settled one that is changed.
async fn fixed(store: &dyn Store, facts: Facts<'_>, plan: &CampaignPlan) -> Result<(), Vec<FieldError>> {
    let known = store.revisions(facts.namespace, Kind::Campaign, &plan.name).await;
    let latest = known.ok().and_then(|rows| rows.into_iter().next());
    let Some((Plan::Campaign(served), settled)) = latest.map(|row| (row.plan, row.settled)) else { return Ok(()) };
    let Some(fault) = observe::frozen(plan, &served, settled, facts.now) else { return Ok(()) };
    let (path, rest) = fault.split_once(": ").unwrap_or(("metadata.name", &fault));
    let (reason, remedy) = rest.split_once("; ").unwrap_or((rest, "give the new campaign a name of its own"));
    Err(vec![FieldError { path: path.into(), reason: reason.into(), remedy: remedy.into(), code: code::IMMUTABLE }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn campaign(percent: &str) -> Value {
        json!({
            "apiVersion": "fanfare.dev/v1alpha1", "kind": "Campaign", "metadata": {"name": "sale", "namespace": "n"},
            "spec": {
                "title": "Sale", "objective": "Promotion",
                "schedule": {"timeZone": "Asia/Bangkok", "startAt": "2026-11-11T00:00"},
                "participation": {"join": "Automatic"},
                "mechanics": [{"name": "half", "discount": {"percentOff": percent, "items": {"all": true}}}],
            },
        })
    }

    async fn check(object: &Value, old: Option<&Value>) -> Vec<String> {
        let request = Request { kind: Kind::Campaign, object, old };
        let namespace = Namespace::from("n");
        let facts = Facts { store: None, namespace: &namespace, runtime: None, now: chrono::DateTime::UNIX_EPOCH };
        judge(request, facts).await.err().unwrap_or_default().into_iter().map(|error| error.path).collect()
    }

    #[tokio::test]
    async fn an_update_answers_for_the_errors_that_it_brings_alone() {
        let (good, bad) = (campaign("50%"), campaign("500%"));
        let at = "spec.mechanics[0].discount.percentOff";
        assert_eq!(check(&good, None).await, [""; 0]);
        assert_eq!(check(&bad, None).await, [at]);
        assert_eq!(check(&bad, Some(&good)).await, [at]);
        assert_eq!(check(&bad, Some(&bad)).await, [""; 0], "it was so before");
        let mut worse = bad.clone();
        worse["spec"]["tags"] = json!([7]);
        assert_eq!(check(&worse, Some(&bad)).await, ["spec.tags[0]"], "the new error alone");
    }

    #[tokio::test]
    async fn what_is_suspended_or_being_deleted_passes() {
        let mut by_spec = campaign("500%");
        by_spec["spec"]["suspend"] = json!(true);
        let mut by_hand = campaign("500%");
        by_hand["metadata"]["annotations"] = json!({"fanfare.dev/suspended": "wrong price"});
        let mut going = campaign("500%");
        going["metadata"]["deletionTimestamp"] = json!("2026-11-11T00:00:00Z");
        for passes in [by_spec, by_hand, going] {
            assert_eq!(check(&passes, Some(&campaign("50%"))).await, [""; 0], "{passes}");
        }
    }
}
