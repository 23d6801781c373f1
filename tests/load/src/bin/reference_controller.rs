//! What the controller is measured against: kube-rs' own Controller, which hashes each Campaign's specification and patches
//! the hash into the status, and does nothing else: no database, no judgement, no figures.
//!
//! `reference-controller KUBECONFIG NAMESPACE CONCURRENCY` runs until it is killed.

use anyhow::{Context, Result};
use futures::StreamExt;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{Controller, controller, watcher},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().context("usage: reference-controller KUBECONFIG NAMESPACE CONCURRENCY");
    let (kubeconfig, namespace, concurrency) = (next()?, next()?, next()?.parse()?);
    let config =
        Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("fanfare.dev", "v1alpha1", "Campaign"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    Controller::new_with(api.clone(), watcher::Config::default(), resource)
        .with_config(controller::Config::default().concurrency(concurrency))
        .run(reconcile, |_, _: &kube::Error, _| controller::Action::requeue(Duration::from_millis(100)), Arc::new(api))
        .for_each(|_| async {})
        .await;
    Ok(())
}

async fn reconcile(
    object: Arc<DynamicObject>,
    api: Arc<Api<DynamicObject>>,
) -> Result<controller::Action, kube::Error> {
    let generation = object.metadata.generation.unwrap_or_default();
    if object.data["status"]["observedGeneration"] != json!(generation) {
        let hash = blake3::hash(object.data["spec"].to_string().as_bytes()).to_hex();
        let status = json!({ "status": status(generation, &hash[..16]) });
        let name = object.metadata.name.clone().unwrap_or_default();
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
    }
    Ok(controller::Action::await_change())
}

/// As many bytes in as many fields as the product writes of such a Campaign, so that both cost the API server the same.
fn status(generation: i64, hash: &str) -> Value {
    let now = "2020-01-01T00:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": now, "observedGeneration": generation,
        })
    };
    json!({
        "observedGeneration": generation, "revision": { "hash": hash }, "phase": "Active", "mechanics": "discount",
        "startAt": "2020-01-01T00:00:00+07:00", "endAt": "2099-01-01T00:00:00+07:00",
        "nextTransition": { "phase": "Settling", "at": "2099-01-01T00:00:00+07:00" },
        "audience": { "matching": 0, "asOf": now },
        "budget": {
            "limit": "100000.00", "reserved": "0.00", "actual": "0.00", "released": "0.00", "spent": "0.00",
            "remaining": "100000.00",
        },
        "metrics": {
            "participants": 0, "conversions": 0, "orders": 0, "issued": 0, "claimed": 0, "redeemed": 0, "position": generation,
            "revenue": "0.00", "discounts": "0.00", "asOf": now,
            "cost": { "rewards": "0.00", "messages": "0.00", "fixed": "0.00", "total": "0.00" },
        },
        "conditions": [
            condition("Ready", "True", "Published", "the database serves this generation"),
            condition("Reconciling", "False", "Reconciled", "nothing is under way"),
            condition("Stalled", "False", "Reconciled", "nothing is in the way"),
            condition("Published", "True", "Published", "the campaign is in phase Active"),
            condition("WithinBudget", "True", "WithinLimit", "the budget holds"),
        ],
    })
}
