//! A Kubernetes API server and what we need of it.

use super::{
    definitions, lease,
    report::{Finding, Level},
    webhook,
};
use crate::control::{
    checks::{self, within},
    connect::{self, Kube, said},
};
use chrono::{DateTime, Utc};
use fanfare_core::model::Kind;
use fanfare_reconcile::{Scope, api_resource};
use kube::{Api, Client, api::ListParams, core::DynamicObject};
use serde_json::Value;

/// The oldest Kubernetes that is supported: rules in definitions (CEL) are part of it since. The chart says the same.
const MINOR_MIN: u32 = 29;
/// The most Runtimes that are looked at: one a brand.
const RUNTIMES_MAX: u32 = 500;

/// What to look at.
pub struct Wanted {
    /// Which API server.
    pub kube: Kube,
    /// Which namespaces.
    pub scope: Scope,
    /// The Lease's namespace, where it is not the connection's, and its name.
    pub lease: (Option<String>, String),
    /// The webhook's registration.
    pub webhook: String,
    /// Whose permissions are asked for, in place of the caller's.
    pub account: Option<String>,
}

/// Looks at all of it. Where the API server does not answer, nothing else is asked.
pub async fn look(wanted: &Wanted, now: DateTime<Utc>) -> Vec<Finding> {
    let connection = match connect::connect(&wanted.kube).await {
        Ok(connection) => connection,
        Err(error) => return vec![Finding::fail("apiServer", format!("{error:#}"), "name a kubeconfig that is good")],
    };
    let (client, place) = (&connection.client, &connection.place);
    let mut findings = match server(client, place).await {
        Ok(found) => found,
        Err(unreachable) => return vec![unreachable],
    };
    let namespace = wanted.lease.0.as_ref().unwrap_or(&connection.namespace);
    findings.extend(definitions::look(client).await);
    findings.push(permissions(wanted, client, namespace).await);
    let (runtimes, one_of) = runtimes(client, &wanted.scope).await;
    let registered = webhook::look(client, &wanted.webhook, now).await;
    let is_asked = registered.iter().all(|finding| finding.level == Level::Ok);
    findings.extend(registered);
    if let (true, Some(namespace)) = (is_asked, one_of) {
        findings.push(webhook::probe(client, &namespace).await);
    }
    findings.push(lease::look(client, namespace, &wanted.lease.1, now).await);
    findings.extend(runtimes);
    findings
}

/// The API server of a `fanfare up`: it has no permissions, webhook or Lease.
pub async fn look_embedded(kube: &Kube, scope: &Scope) -> Vec<Finding> {
    let connection = match connect::connect(kube).await {
        Ok(connection) => connection,
        Err(error) => return vec![Finding::fail("apiServer", format!("{error:#}"), "start `fanfare up` anew")],
    };
    let mut findings = match server(&connection.client, &connection.place).await {
        Ok(found) => found,
        Err(unreachable) => return vec![unreachable],
    };
    findings.extend(definitions::look(&connection.client).await);
    findings.extend(runtimes(&connection.client, scope).await.0);
    findings
}

async fn server(client: &Client, place: &str) -> Result<Vec<Finding>, Finding> {
    let version = within(async { client.apiserver_version().await.map_err(said) }).await;
    let version = version.map_err(|error| {
        let remedy = "check that it runs, its address and the login of the kubeconfig";
        Finding::fail("apiServer", format!("{place} does not answer: {error:#}"), remedy)
    })?;
    let answers = Finding::ok("apiServer", format!("{place} answers"));
    Ok(vec![answers, judge_version(&version.major, &version.minor, &version.git_version)])
}

fn judge_version(major: &str, minor: &str, told: &str) -> Finding {
    // Some distributions write `33+`.
    let number = |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap_or(0);
    if (number(major), number(minor)) >= (1, MINOR_MIN) {
        return Finding::ok("version", format!("Kubernetes {told}"));
    }
    let what = format!("Kubernetes {told} is older than 1.{MINOR_MIN}");
    Finding::fail("version", what, "bring the cluster up to date: rules of the definitions are not enforced there")
}

async fn permissions(wanted: &Wanted, client: &Client, namespace: &str) -> Finding {
    let mut rights = checks::rights(&wanted.scope);
    rights.extend(checks::lease_rights(namespace, &wanted.lease.1));
    let who = wanted.account.as_deref().unwrap_or("this user");
    let denied = async {
        match &wanted.account {
            Some(account) => checks::denied(&connect::connect_as(&wanted.kube, account).await?, &rights).await,
            None => checks::denied(client, &rights).await,
        }
    };
    judge_permissions(who, denied.await)
}

fn judge_permissions(who: &str, denied: anyhow::Result<Vec<String>>) -> Finding {
    match denied {
        Ok(denied) if denied.is_empty() => Finding::ok("permissions", format!("{who} may do what the controller does")),
        Ok(denied) => {
            let what = format!("{who} may not {}", denied.join(", "));
            let remedy = "grant it in the role of the controller's ServiceAccount; to ask for that one: \
                          --service-account NAMESPACE/NAME";
            Finding::fail("permissions", what, remedy)
        }
        Err(error) => {
            let what = format!("{who} cannot be asked for: {error:#}");
            let remedy = "let this user create selfsubjectaccessreviews, and impersonate the ServiceAccount";
            Finding::warn("permissions", what, remedy)
        }
    }
}

/// How each Runtime is, and a namespace that has one.
async fn runtimes(client: &Client, scope: &Scope) -> (Vec<Finding>, Option<String>) {
    let resource = api_resource(Kind::CampaignRuntime);
    let (mut findings, mut one_of) = (Vec::new(), None);
    for namespace in scope.watched() {
        let api: Api<DynamicObject> = match &namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        match api.list(&ListParams::default().limit(RUNTIMES_MAX)).await {
            Ok(list) => {
                one_of = one_of.or_else(|| list.items.first().and_then(|first| first.metadata.namespace.clone()));
                findings.extend(list.items.iter().map(judge_runtime));
            }
            Err(error) => {
                let what = format!("the CampaignRuntimes cannot be listed: {:#}", said(error));
                findings.push(Finding::fail("runtimes", what, "see the definitions and permissions above"));
            }
        }
    }
    if findings.is_empty() {
        let what = "there is no CampaignRuntime: no namespace is served";
        findings.push(Finding::warn("runtimes", what, "apply one in each namespace that has campaigns"));
    }
    (findings, one_of)
}

fn judge_runtime(object: &DynamicObject) -> Finding {
    let meta = &object.metadata;
    let place =
        format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let ready = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let Some(ready) = ready.and_then(|all| all.iter().find(|one| one["type"] == "Ready")) else {
        let remedy = "see the Lease above, whether the controller watches that namespace, and its log";
        return Finding::fail("runtimes", format!("{place}: no controller has looked at it"), remedy);
    };
    if ready["status"] != "True" {
        let why = ready["message"].as_str().or_else(|| ready["reason"].as_str()).unwrap_or_default();
        let remedy = "change what the message names; `fanfare validate` says the same before it is merged";
        return Finding::fail("runtimes", format!("{place} is not ready: {why}"), remedy);
    }
    if ready["observedGeneration"].as_i64() < meta.generation {
        let remedy = "see whether a controller leads, and its log";
        return Finding::warn("runtimes", format!("{place}: its latest change is not live yet"), remedy);
    }
    Finding::ok("runtimes", format!("{place} is ready"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_oldest_kubernetes_is_the_chart_s() {
        let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/fanfare/Chart.yaml");
        let chart = std::fs::read_to_string(chart).unwrap();
        assert!(chart.contains(&format!("kubeVersion: \">=1.{MINOR_MIN}.")), "{chart}");
        for (major, minor, level) in
            [("1", "29", Level::Ok), ("1", "33+", Level::Ok), ("1", "28", Level::Fail), ("", "", Level::Fail)]
        {
            assert_eq!(judge_version(major, minor, "v").level, level, "{major} {minor}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named_and_what_cannot_be_asked_is_no_failure() {
        let cases = [
            (Ok(Vec::new()), Level::Ok, "may do"),
            (Ok(vec!["list campaigns.fanfare.dev in the cluster".to_owned()]), Level::Fail, "may not list campaigns"),
            (Err(anyhow::anyhow!("no right")), Level::Warn, "no right"),
        ];
        for (denied, level, part) in cases {
            let finding = judge_permissions("ann", denied);
            assert!(finding.level == level && finding.what.contains(part), "{finding:?}");
        }
    }

    #[test]
    fn a_runtime_has_to_be_ready_and_its_latest_change_live() {
        let with = |conditions: Value| -> DynamicObject {
            let meta = json!({"namespace": "n", "name": "main", "generation": 3});
            serde_json::from_value(json!({"metadata": meta, "status": {"conditions": conditions}})).unwrap()
        };
        let ready = |status: &str, generation: i64| json!([{"type": "Ready", "status": status, "message": "zone is unknown", "observedGeneration": generation}]);
        let cases = [
            (json!([]), Level::Fail, "no controller has looked"),
            (ready("False", 3), Level::Fail, "n/main is not ready: zone is unknown"),
            (ready("True", 2), Level::Warn, "not live yet"),
            (ready("True", 3), Level::Ok, "n/main is ready"),
        ];
        for (conditions, level, part) in cases {
            let finding = judge_runtime(&with(conditions));
            assert!(finding.level == level && finding.what.contains(part), "{finding:?}");
        }
    }
}
