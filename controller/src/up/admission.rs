//! The plane's door: the same `admit` as `fanfare validate` and reconcile, with what the database holds fixed.

use fanfare_core::model::{Kind, Plan};
use fanfare_crds::admit::{self, Door as Known, FieldError, code};
use fanfare_engine::Engine;
use fanfare_plane::{Admission, AdmissionRequest, Cause, Denial};
use fanfare_reconcile::currency;
use futures::future::BoxFuture;

/// Judges what is about to be stored.
pub struct Door {
    engine: Engine,
}

impl Door {
    /// A door in front of this engine's namespace.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    async fn judge(&self, request: &AdmissionRequest<'_>) -> Result<Vec<String>, Denial> {
        if request.group != fanfare_reconcile::GROUP {
            return Ok(Vec::new());
        }
        let kind = Kind::parse(request.kind);
        if request.namespace != self.engine.namespace().as_str() {
            let served = self.engine.namespace();
            return Err(denial(
                request,
                vec![FieldError {
                    path: "metadata.namespace".into(),
                    reason: format!("`fanfare up` serves the namespace `{served}` only"),
                    remedy: format!(
                        "apply it to `{served}`, or start another `fanfare up` for `{}`",
                        request.namespace
                    ),
                    code: code::NOT_ALLOWED,
                }],
            ));
        }
        let plans = self.engine.plans();
        let now = self.engine.clock().now();
        let has_ledger =
            self.engine.store().position(self.engine.namespace()).await.is_ok_and(|position| position.0 > 0);
        let runtime = if kind == Some(Kind::CampaignRuntime) { None } else { plans.runtime.as_deref() };
        let door = Known { now, old: request.old, runtime, has_ledger };
        // What another resource can heal is stored, and waits for it with Ready=False.
        let judged = admit::admit_to_store(request.object, &door).map_err(|errors| denial(request, errors))?;
        let Some(admitted) = judged else { return Ok(Vec::new()) };
        if let Plan::Campaign(plan) = &admitted.plan
            && request.old.is_none_or(|old| old["spec"] != request.object["spec"])
            && runtime.is_some()
        {
            self.fixed(request, plan).await?;
        }
        if let Plan::CampaignRuntime(plan) = &admitted.plan {
            // Also where the Runtime that the money was counted in was deleted before.
            let ledger = currency::of_ledger(&self.engine).await.ok().flatten();
            if let Some((path, reason, remedy)) = currency::clash(ledger.as_deref(), plan) {
                let error = FieldError { path: path.into(), reason: reason.into(), remedy, code: code::IMMUTABLE };
                return Err(denial(request, vec![error]));
            }
        }
        Ok(Vec::new())
    }

    /// A campaign that is made again under a name that the database knows resumes its ledger; what was fixed stays fixed.
    /// So does a settled one that is changed.
    async fn fixed(
        &self,
        request: &AdmissionRequest<'_>,
        plan: &fanfare_core::model::CampaignPlan,
    ) -> Result<(), Denial> {
        let known = self.engine.store().revisions(self.engine.namespace(), Kind::Campaign, &plan.name).await;
        let latest = known.ok().and_then(|rows| rows.into_iter().next());
        let Some((Plan::Campaign(served), settled)) = latest.map(|row| (row.plan, row.settled)) else { return Ok(()) };
        let now = self.engine.clock().now();
        let Some(fault) = fanfare_reconcile::observe::frozen(plan, &served, settled, now) else { return Ok(()) };
        let (path, rest) = fault.split_once(": ").unwrap_or(("metadata.name", &fault));
        let (reason, remedy) = rest.split_once("; ").unwrap_or((rest, "give the new campaign a name of its own"));
        let error =
            FieldError { path: path.into(), reason: reason.into(), remedy: remedy.into(), code: code::IMMUTABLE };
        Err(denial(request, vec![error]))
    }
}

impl Admission for Door {
    fn admit<'a>(&'a self, request: &'a AdmissionRequest<'a>) -> BoxFuture<'a, Result<Vec<String>, Denial>> {
        Box::pin(self.judge(request))
    }
}

/// One complete message: 403, since a forcing GitOps tool takes 422 for "delete and create".
fn denial(request: &AdmissionRequest<'_>, errors: Vec<FieldError>) -> Denial {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Denial {
        code: 403,
        message: format!("{} {:?} is refused: {}", request.kind, request.name, lines.join("\n")),
        causes: errors
            .into_iter()
            .map(|error| Cause {
                reason: "FieldValueInvalid".into(),
                message: format!("{}; {}", error.reason, error.remedy),
                field: error.path,
            })
            .collect(),
    }
}
