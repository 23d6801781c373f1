//! The Lease: whether some controller leads.

use super::report::Finding;
use crate::control::{connect::said, lease::OURS};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};

const CHECK: &str = "lease";
/// How far the clock of this machine and that of the leader may be apart.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// Looks at it.
pub async fn look(client: &Client, namespace: &str, name: &str, now: DateTime<Utc>) -> Finding {
    let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(found) => judge(&format!("{namespace}/{name}"), found.as_ref(), now),
        Err(error) => {
            let what = format!("{namespace}/{name} cannot be read: {:#}", said(error));
            Finding::fail(CHECK, what, "let this user `get` leases there, or name another with --lease-namespace")
        }
    }
}

fn judge(place: &str, found: Option<&Lease>, now: DateTime<Utc>) -> Finding {
    let Some(found) = found else {
        let remedy = "start `fanfare controller`, or name its Lease with --lease and --lease-namespace";
        return Finding::fail(CHECK, format!("there is no {place}: no controller has run"), remedy);
    };
    let by = found.metadata.labels.as_ref().and_then(|labels| labels.get(OURS.0));
    if by.is_none_or(|by| by != OURS.1) {
        let what = format!("{place} belongs to somebody else: it has no label {}={}", OURS.0, OURS.1);
        return Finding::fail(CHECK, what, "delete it, or give the controller another with --lease");
    }
    let spec = found.spec.clone().unwrap_or_default();
    let Some(holder) = spec.holder_identity.filter(|holder| !holder.is_empty()) else {
        let remedy = "look at /readyz of the controllers: whoever lacks something does not lead";
        return Finding::fail(CHECK, format!("nobody holds {place}"), remedy);
    };
    let lasts = TimeDelta::seconds(i64::from(spec.lease_duration_seconds.unwrap_or_default()));
    let renewed = spec.renew_time.and_then(|at| DateTime::from_timestamp_millis(at.0.as_millisecond()));
    let age = renewed.map_or(TimeDelta::MAX, |renewed| now - renewed);
    if age > lasts + SKEW {
        let since = renewed.map_or_else(|| "ever".to_owned(), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let what = format!("{place}: {holder} has been silent since {since}");
        return Finding::fail(
            CHECK,
            what,
            "see whether its pod runs; start another controller, which takes the Lease over",
        );
    }
    Finding::ok(CHECK, format!("{holder} leads ({place}, renewed {} s ago)", age.num_seconds().max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Level;
    use serde_json::{Value, json};

    #[test]
    fn somebody_of_ours_has_to_hold_the_lease_and_to_have_renewed_it() {
        let now: DateTime<Utc> = "2026-11-11T10:00:20Z".parse().unwrap();
        let lease = |label: &str, holder: Value, renewed: &str| -> Lease {
            serde_json::from_value(json!({
                "metadata": {"labels": {OURS.0: label}},
                "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed},
            }))
            .unwrap()
        };
        let cases = [
            (
                Some(lease(OURS.1, json!("a"), "2026-11-11T10:00:17.000000Z")),
                Level::Ok,
                "a leads (n/l, renewed 3 s ago)",
            ),
            (Some(lease(OURS.1, json!("a"), "2026-11-11T10:00:01.000000Z")), Level::Ok, "a leads"),
            (None, Level::Fail, "there is no n/l"),
            (Some(lease("helm", json!("a"), "2026-11-11T10:00:17.000000Z")), Level::Fail, "somebody else"),
            (Some(lease(OURS.1, Value::Null, "2026-11-11T10:00:17.000000Z")), Level::Fail, "nobody holds"),
            (Some(lease(OURS.1, json!(""), "2026-11-11T10:00:17.000000Z")), Level::Fail, "nobody holds"),
            (
                Some(lease(OURS.1, json!("a"), "2026-11-11T09:59:59.000000Z")),
                Level::Fail,
                "silent since 2026-11-11T09:59:59Z",
            ),
        ];
        for (found, level, part) in cases {
            let finding = judge("n/l", found.as_ref(), now);
            assert!(finding.level == level && finding.what.contains(part), "{finding:?}");
        }
    }
}
