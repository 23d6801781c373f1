//! The plane's door: who may put what where, judged as every door judges it ([`crate::admission`]).

use crate::admission::{self, Facts, Request};
use fanfare_core::model::Kind;
use fanfare_crds::admit::{FieldError, code};
use fanfare_engine::Engine;
use fanfare_plane::{Admission, AdmissionRequest, Cause, Denial};
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
        let Some(kind) = Kind::parse(request.kind) else { return Ok(Vec::new()) };
        let plans = self.engine.plans();
        let facts = Facts {
            store: Some(self.engine.store()),
            namespace: self.engine.namespace(),
            runtime: plans.runtime.as_deref(),
            now: self.engine.clock().now(),
        };
        let asked = Request { kind, object: request.object, old: request.old };
        admission::judge(asked, facts).await.map_err(|errors| denial(request, errors))?;
        Ok(Vec::new())
    }
}

impl Admission for Door {
    fn admit<'a>(&'a self, request: &'a AdmissionRequest<'a>) -> BoxFuture<'a, Result<Vec<String>, Denial>> {
        Box::pin(self.judge(request))
    }
}

/// One complete message: 403, since a forcing GitOps tool takes 422 for "delete and create".
fn denial(request: &AdmissionRequest<'_>, errors: Vec<FieldError>) -> Denial {
    Denial {
        code: 403,
        message: admission::told(request.kind, request.name, &errors),
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
