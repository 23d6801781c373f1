//! Where two rooms that do not know each other meet: the API's previews and `crds::admit`, the engine's outbox and notify.

use fanfare_api::{FieldError, ReadMatch};
use fanfare_core::{
    envelope::{Envelope, SendFault},
    model::{Kind, Plan, message::Means, segment::Condition},
};
use fanfare_crds::admit::{self, Door, PlanSet};
use fanfare_engine::{Engine, outbox::Sender};
use fanfare_notify::Notifier;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

/// Sends through the channels.
pub struct Post(pub Notifier);

impl Sender for Post {
    fn send<'a>(&'a self, means: &'a Means, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), SendFault>> {
        Box::pin(self.0.send(means, envelope))
    }
}

/// Reads a Segment's `match` by the rules of admission, among the Segments that are served.
pub fn read_match(engine: Engine) -> ReadMatch {
    Arc::new(move |value: &Value| {
        let plans = engine.plans();
        let mut others = PlanSet::default();
        if let Some(runtime) = &plans.runtime {
            others.insert(runtime.name.as_str(), Plan::CampaignRuntime((**runtime).clone()));
        }
        for (name, plan) in &plans.segments {
            others.insert(name.as_str(), Plan::Segment((**plan).clone()));
        }
        let object = json!({
            "apiVersion": format!("{}/{}", fanfare_reconcile::GROUP, fanfare_reconcile::VERSION),
            "kind": Kind::Segment.as_str(),
            "metadata": { "name": "preview" },
            "spec": { "title": "Preview", "match": value },
        });
        let admitted = admit::admit_with(&object, &Door::alone(engine.clock().now()), &others);
        match admitted.map(|admitted| admitted.plan) {
            Ok(Plan::Segment(plan)) => Ok(plan.condition),
            Ok(_) => Ok(Condition::Everyone),
            Err(errors) => Err(errors.into_iter().map(field_error).collect()),
        }
    })
}

/// `spec.match.all[0].list` of a resource is `/all/0/list` of the match.
fn field_error(error: admit::FieldError) -> FieldError {
    let path = error.path.strip_prefix("spec.match").unwrap_or(&error.path);
    let pointer = path.replace('[', ".").replace(']', "").replace('.', "/");
    FieldError { pointer, reason: error.reason, remedy: error.remedy }
}
