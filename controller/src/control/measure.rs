//! What the controller measures of itself: its standing, its readiness by part, and the webhook's reviews.

use super::{
    health::Health,
    webhook::{review::Reviews, tls::Shown},
};
use crate::measure;
use fanfare_reconcile::Metrics;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabels {
    part: &'static str,
}

/// Everything that `/metrics` of a controller shows.
pub fn registry(metrics: &Metrics, health: &Health, reviews: &Reviews, shown: &Shown) -> Registry {
    let mut registry = measure::registry();
    measure::build(&mut registry);
    metrics.register(&mut registry);
    let ours = registry.sub_registry_with_prefix("controller");
    ours.register_collector(Box::new(Standing(health.clone())));
    reviews.register(ours);
    ours.register_collector(Box::new(Certificate(shown.clone())));
    registry
}

/// How it stands, asked when somebody looks.
struct Standing(Health);

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Standing")
    }
}

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (parts, leads) = self.0.told();
        let leader = ConstGauge::new(i64::from(leads));
        let help = "Whether this replica leads";
        leader.encode(encoder.encode_descriptor("leader", help, None, leader.metric_type())?)?;
        let help = "Whether a part of what it needs is there, by the names that /readyz uses";
        let mut ready = encoder.encode_descriptor("ready", help, None, MetricType::Gauge)?;
        for (part, is_well) in parts {
            ConstGauge::new(i64::from(is_well)).encode(ready.encode_family(&PartLabels { part })?)?;
        }
        Ok(())
    }
}

/// Until when the webhook's certificate is good.
struct Certificate(Shown);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl Collector for Certificate {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // Without a certificate there is nothing to tell: 0 would say that it ended in 1970.
        let Some(ends) = self.0.ends() else { return Ok(()) };
        let ends = ConstGauge::new(ends.timestamp());
        let help = "When the certificate that the webhook shows ends, in seconds since 1970";
        let name = "webhook_certificate_ends_timestamp_seconds";
        ends.encode(encoder.encode_descriptor(name, help, None, ends.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{
        health::Part,
        webhook::{own, review::Reviewer},
    };
    use ring::rand::SystemRandom;
    use std::collections::BTreeSet;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

    /// A registry with all that there can be, and when the certificate ends.
    fn full() -> (Registry, Health, i64) {
        let (health, shown) = (Health::expecting(&[Part::ApiServer, Part::Database]), Shown::default());
        let mut made = own::Certificates::default();
        let now = "2026-11-11T10:00:00Z".parse().unwrap();
        made.rotate(&["hook.ns.svc".into()], &own::TERMS, now, &SystemRandom::new()).unwrap();
        let leaf = made.leaf().unwrap().unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key));
        shown.show(vec![CertificateDer::from(leaf.certificate)], key).unwrap();
        let registry = registry(&Metrics::default(), &health, Reviewer::default().reviews(), &shown);
        (registry, health, (now + own::TERMS.leaf).timestamp())
    }

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn standing_readiness_and_the_end_of_the_certificate_are_shown_as_they_are_when_somebody_looks() {
        let (registry, health, ends) = full();
        let has = |line: &str| text(&registry).lines().any(|found| found == line);
        assert!(has("fanfare_controller_leader 0"), "{}", text(&registry));
        assert!(has(r#"fanfare_controller_ready{part="database"} 0"#));
        assert!(has(&format!("fanfare_controller_webhook_certificate_ends_timestamp_seconds {ends}")));
        assert!(has(&format!("fanfare_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
        health.leads(true);
        health.set(Part::Database, None);
        assert!(has("fanfare_controller_leader 1"));
        assert!(has(r#"fanfare_controller_ready{part="database"} 1"#));
        assert!(has(r#"fanfare_controller_ready{part="apiServer"} 0"#));
    }

    #[tokio::test]
    async fn reviews_are_counted_by_verdict() {
        let reviewer = Reviewer::default();
        let mut registry = Registry::default();
        reviewer.reviews().register(&mut registry);
        let review = |spec: serde_json::Value| {
            let meta = serde_json::json!({"name": "s", "namespace": "n"});
            let object = serde_json::json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": "Segment", "metadata": meta, "spec": spec});
            serde_json::json!({"request": {"uid": "u", "kind": {"kind": "Segment"}, "namespace": "n", "object": object}})
        };
        reviewer.answer(&review(serde_json::json!({"title": "S", "match": {"everyone": true}}))).await;
        reviewer.answer(&review(serde_json::json!({"title": 7}))).await;
        reviewer.answer(&serde_json::json!({})).await;
        let text = text(&registry);
        for line in [
            r#"webhook_reviews_total{verdict="allowed"} 1"#,
            r#"webhook_reviews_total{verdict="denied"} 1"#,
            r#"webhook_reviews_total{verdict="late"} 0"#,
            r#"webhook_reviews_total{verdict="malformed"} 1"#,
            "webhook_review_seconds_count 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn the_tables_of_metrics_name_what_a_controller_measures_and_nothing_else() {
        let shown = text(&full().0);
        let types = shown.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let measured: BTreeSet<String> = types
            .map(|line| match line.split_once(' ').unwrap() {
                (name, "counter") => format!("{name}_total"),
                (name, "info") => format!("{name}_info"),
                (name, _) => name.to_owned(),
            })
            .collect();
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations/metrics.md");
        let page = std::fs::read_to_string(page).unwrap();
        let is_ours = |section: &&str| !section.starts_with("The HTTP API\n");
        let sections = page.split("\n## ").filter(is_ours);
        let rows = sections.flat_map(str::lines).filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), measured);
    }
}
