//! The webhook's registration: whether it is there, asks for every kind, and tells API servers an authority that is good.

use super::report::Finding;
use crate::control::{
    connect::said,
    webhook::{certificate, register::WEBHOOK},
};
use chrono::{DateTime, TimeDelta, Utc};
use fanfare_core::model::Kind;
use fanfare_reconcile::{GROUP, VERSION, api_resource, plural};
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, ValidatingWebhookConfiguration};
use kube::{Api, Client, api::PostParams, core::DynamicObject};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

const CHECK: &str = "webhook";
/// The name of a Campaign that is asked for and never kept.
const PROBE: &str = "fanfare-doctor";
/// An authority that ends so soon should have been replaced by now.
const SOON: TimeDelta = TimeDelta::days(7);

/// Looks at it.
pub async fn look(client: &Client, name: &str, now: DateTime<Utc>) -> Vec<Finding> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    match api.get_opt(name).await {
        Ok(found) => judge(name, found.as_ref(), now),
        // An API server without registrations, such as the embedded one.
        Err(kube::Error::Api(status)) if status.code == 404 => judge(name, None, now),
        Err(error) => {
            let what = format!("the ValidatingWebhookConfiguration {name} cannot be read: {:#}", said(error));
            vec![Finding::warn(CHECK, what, "let this user `get` validatingwebhookconfigurations")]
        }
    }
}

/// Whether it refuses for API servers what it should: one is asked to take, and not to keep, a Campaign in a time zone that
/// is none.
pub async fn probe(client: &Client, namespace: &str) -> Finding {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &api_resource(Kind::Campaign));
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let asked = match serde_json::from_value(wrong(namespace)) {
        Ok(object) => api.create(&params, &object).await.map(drop),
        Err(error) => Err(kube::Error::SerdeError(error)),
    };
    judge_probe(asked.map_err(|error| said(error).to_string()))
}

/// What its schema lets pass and the webhook does not.
fn wrong(namespace: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "Campaign",
        "metadata": { "name": PROBE, "namespace": namespace },
        "spec": {
            "title": "Asked by fanfare doctor and never kept",
            "objective": "Promotion",
            "schedule": { "timeZone": "No/Where", "startAt": "2026-11-11T00:00" },
            "mechanics": [{ "name": "half-price", "discount": { "percentOff": "50%", "items": { "all": true } } }],
        },
    })
}

fn judge_probe(asked: Result<(), String>) -> Finding {
    let remedy = "see the Service and its Pods, whether the network lets API servers reach them, and their log";
    match asked {
        Ok(()) => {
            let what = "API servers take what it should refuse: they do not reach it, and its failure policy is Ignore";
            Finding::fail(CHECK, what, remedy)
        }
        Err(told) if told.contains("failed calling webhook") => {
            Finding::fail(CHECK, format!("API servers do not reach it: {told}"), remedy)
        }
        Err(told) if told.contains(&format!("\"{WEBHOOK}\" denied")) => {
            Finding::ok(CHECK, "API servers ask it, and it refuses what is wrong")
        }
        Err(told) => {
            let remedy = "let this user create campaigns; nothing is kept of it";
            Finding::warn(CHECK, format!("whether it answers cannot be tried: {told}"), remedy)
        }
    }
}

fn judge(name: &str, found: Option<&ValidatingWebhookConfiguration>, now: DateTime<Utc>) -> Vec<Finding> {
    let webhooks = found.and_then(|found| found.webhooks.clone()).unwrap_or_default();
    if webhooks.is_empty() {
        let what = format!("no ValidatingWebhookConfiguration {name}: what is wrong is told by the status alone");
        let remedy = "start the controller with --webhook-listen, or name the registration with --webhook-name";
        return vec![Finding::warn(CHECK, what, remedy)];
    }
    webhooks.iter().map(|webhook| judge_one(webhook, now)).collect()
}

fn judge_one(webhook: &ValidatingWebhook, now: DateTime<Utc>) -> Finding {
    let name = &webhook.name;
    let rules = webhook.rules.clone().unwrap_or_default();
    let asked = |kind: &Kind| {
        let named = |resource: &String| resource == plural(*kind) || resource == "*";
        rules.iter().any(|rule| rule.resources.iter().flatten().any(named))
    };
    let missed: Vec<&str> = Kind::ALL.iter().filter(|kind| !asked(kind)).map(|kind| plural(*kind)).collect();
    let own = "let the controller register it anew: delete it, or restart the controller";
    let bundle = webhook.client_config.ca_bundle.clone().unwrap_or_default().0;
    let authorities: Vec<_> = CertificateDer::pem_slice_iter(&bundle).filter_map(Result::ok).collect();
    let ends: Vec<_> = authorities.iter().filter_map(|authority| certificate::ends(authority)).collect();
    let Some(last) = ends.iter().max() else {
        let remedy = format!("with cert-manager look at its annotation and at cainjector; else {own}");
        return Finding::fail(CHECK, format!("{name} tells API servers no authority (caBundle) to trust"), remedy);
    };
    let when = last.format("%Y-%m-%dT%H:%M:%SZ");
    if *last <= now {
        let what = format!("{name}: the authority that API servers trust has ended at {when}");
        return Finding::fail(
            CHECK,
            what,
            format!("see why no controller leads, or cert-manager does not renew; then {own}"),
        );
    }
    if !missed.is_empty() {
        let what = format!("{name} is not asked for {}", missed.join(", "));
        return Finding::warn(CHECK, what, format!("it is an older one; {own}"));
    }
    if *last <= now + SOON {
        let what = format!("{name}: the authority that API servers trust ends at {when}");
        return Finding::warn(CHECK, what, "see why no controller leads, or cert-manager does not renew");
    }
    Finding::ok(CHECK, format!("{name} is registered; its authority is good until {when}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::webhook::{own, register, review::Reviewer},
        doctor::report::Level,
    };
    use ring::rand::SystemRandom;

    #[tokio::test]
    async fn what_is_tried_is_refused_by_the_webhook_for_its_time_zone_alone() {
        let request = json!({"uid": "u", "kind": {"kind": "Campaign"}, "namespace": "n", "object": wrong("n")});
        let answer = Reviewer::default().answer(&json!({ "request": request })).await.unwrap();
        let told = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(told.contains("spec.schedule.timeZone") && !told.contains("spec.mechanics"), "{told}");
    }

    #[test]
    fn a_webhook_that_nobody_reaches_is_told_from_one_that_refuses_and_from_a_caller_without_the_right() {
        let cases = [
            (Ok(()), Level::Fail, "take what it should refuse"),
            (Err("failed calling webhook \"admission.fanfare.dev\": no endpoints"), Level::Fail, "no endpoints"),
            (
                Err("admission webhook \"admission.fanfare.dev\" denied the request: no"),
                Level::Ok,
                "refuses what is wrong",
            ),
            (Err("admission webhook \"other.dev\" denied the request: no"), Level::Warn, "cannot be tried"),
            (Err("campaigns is forbidden: User \"u\" cannot create"), Level::Warn, "cannot be tried"),
        ];
        for (asked, level, part) in cases {
            let finding = judge_probe(asked.map_err(str::to_owned));
            assert!(finding.level == level && finding.what.contains(part), "{finding:?}");
        }
    }

    #[test]
    fn a_registration_has_to_be_there_for_every_kind_with_an_authority_that_is_good() {
        let made: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut certificates = own::Certificates::default();
        certificates.rotate(&["h".into()], &own::TERMS, made, &SystemRandom::new()).unwrap();
        let bundle = certificates.bundle().unwrap();
        let registered = |bundle: &str| {
            let place = register::Place::Url("https://h".into());
            let (policy, scope) = (register::FailurePolicy::Ignore, fanfare_reconcile::Scope::All);
            register::configuration("w", &place, policy, &scope, bundle)
        };
        let mut narrow = registered(&bundle);
        narrow["webhooks"][0]["rules"][0]["resources"] = json!(["campaigns"]);
        let cases = [
            (Some(registered(&bundle)), 1, Level::Ok, "good until 2027-01-01T00:00:00Z"),
            (None, 1, Level::Warn, "no ValidatingWebhookConfiguration w"),
            (Some(registered("")), 1, Level::Fail, "no authority"),
            (Some(registered("nonsense")), 1, Level::Fail, "no authority"),
            (Some(registered(&bundle)), 365, Level::Fail, "has ended at 2027-01-01T00:00:00Z"),
            (Some(registered(&bundle)), 360, Level::Warn, "ends at 2027-01-01T00:00:00Z"),
            (Some(narrow), 1, Level::Warn, "is not asked for"),
        ];
        for (found, days, level, part) in cases {
            let found = found.map(|found| serde_json::from_value(found).unwrap());
            let finding = judge("w", found.as_ref(), made + TimeDelta::days(days)).remove(0);
            assert!(finding.level == level && finding.what.contains(part), "{finding:?}");
        }
    }
}
