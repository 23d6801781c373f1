//! `/healthz`, `/readyz` and `/metrics`: what is missing, said so that a person knows where to look.
//!
//! A part that is not well never ends the process: a controller that restarts again and again heals nothing.

use crate::measure;
use axum::{Json, Router, extract::State, response::Response, routing::get};
use http::StatusCode;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use tokio::net::TcpListener;

/// What has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The API server answers.
    ApiServer,
    /// It serves our kinds.
    Crds,
    /// It lets us do what we do.
    Permissions,
    /// The database answers.
    Database,
    /// The Lease by which replicas agree on a leader can be kept.
    Lease,
    /// The webhook has a certificate and is known to the API server.
    Webhook,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::ApiServer => "apiServer",
            Self::Crds => "customResourceDefinitions",
            Self::Permissions => "permissions",
            Self::Database => "database",
            Self::Lease => "lease",
            Self::Webhook => "webhook",
        }
    }
}

/// How each part is.
#[derive(Clone, Default)]
pub struct Health {
    parts: Arc<Mutex<Parts>>,
}

#[derive(Default)]
struct Parts {
    /// `None`: it is well.
    parts: BTreeMap<Part, Option<String>>,
    leads: bool,
}

impl Health {
    /// Nothing is known to be well yet.
    pub fn expecting(parts: &[Part]) -> Self {
        let health = Self::default();
        health.parts.lock().parts = parts.iter().map(|part| (*part, Some("not looked at yet".into()))).collect();
        health
    }

    /// How a part is now. What changed is logged, once.
    pub fn set(&self, part: Part, fault: Option<String>) {
        let mut state = self.parts.lock();
        if state.parts.get(&part) == Some(&fault) {
            return;
        }
        match &fault {
            Some(fault) => tracing::warn!(part = part.as_str(), fault, "not ready"),
            None => tracing::info!(part = part.as_str(), "ready"),
        }
        state.parts.insert(part, fault);
    }

    /// Whether all of these parts are well.
    pub fn has(&self, parts: &[Part]) -> bool {
        let state = self.parts.lock();
        parts.iter().all(|part| state.parts.get(part) == Some(&None))
    }

    /// Whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.parts.lock().leads = leads;
    }

    /// Each part with whether it is well, and whether this replica leads.
    pub fn told(&self) -> (Vec<(&'static str, bool)>, bool) {
        let state = self.parts.lock();
        (state.parts.iter().map(|(part, fault)| (part.as_str(), fault.is_none())).collect(), state.leads)
    }

    fn shown(&self) -> (StatusCode, Value) {
        let state = self.parts.lock();
        let faults = state.parts.iter().filter_map(|(part, fault)| Some((part.as_str(), fault.as_ref()?)));
        let missing: BTreeMap<&str, &String> = faults.collect();
        match missing.is_empty() {
            true => (StatusCode::OK, json!({ "status": "ok", "leader": state.leads })),
            false => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "status": "not ready", "leader": state.leads, "missing": missing }),
            ),
        }
    }
}

/// Serves until it is dropped.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, health: Health, registry: Registry) -> std::io::Result<()> {
    let app = Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(metrics)).with_state(Arc::new(registry)));
    axum::serve(listener, app).await
}

async fn readyz(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let (status, body) = health.shown();
    (status, Json(body))
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    measure::answer(&registry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing_and_nothing_else() {
        let health = Health::expecting(&[Part::ApiServer, Part::Database]);
        assert_eq!(health.shown().0, StatusCode::SERVICE_UNAVAILABLE, "nothing is known yet");
        health.set(Part::ApiServer, None);
        health.set(Part::Database, Some("no answer".into()));
        let (status, body) = health.shown();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["missing"], json!({ "database": "no answer" }));
        assert!(health.has(&[Part::ApiServer]) && !health.has(&[Part::ApiServer, Part::Database]));
        health.set(Part::Database, None);
        assert_eq!(health.shown().0, StatusCode::OK);
    }
}
