//! What every answer carries, and the calls for operators.

use crate::support::Shop;
use axum::body::Body;
use std::collections::BTreeSet;

#[tokio::test]
async fn every_answer_names_the_business_time_and_the_request() {
    let shop = Shop::open().await;
    for (path, status) in [("/healthz", 200), ("/nowhere", 404)] {
        let answer = shop.send("GET", path, &[("x-request-id", "abc-1")], Body::empty()).await;
        answer.is(status);
        assert_eq!(answer.header("fanfare-time"), "2026-11-11T10:00:00+07:00");
        assert_eq!(answer.header("x-request-id"), "abc-1");
    }
    let strange = shop.send("GET", "/healthz", &[("x-request-id", "a b")], Body::empty()).await;
    assert!(strange.header("x-request-id").starts_with('r'), "an unusable id is not echoed");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let shop = Shop::open().await;
    shop.send("GET", "/v1/unknown", &[], Body::empty()).await.is_problem(404, "not-found");
    let answer = shop.send("DELETE", "/v1/me", &[], Body::empty()).await;
    answer.is_problem(405, "method-not-allowed");
    assert!(answer.header("allow").contains("PATCH"), "{:?}", answer.headers);
}

#[tokio::test]
async fn a_read_that_asks_for_a_later_position_is_told_to_wait() {
    let shop = Shop::open().await;
    let ask =
        async |position: &str| shop.send("GET", "/healthz", &[("fanfare-min-position", position)], Body::empty()).await;
    ask("0").await.is(200);
    let late = ask("999999").await;
    late.is_problem(503, "overloaded");
    assert_eq!(late.header("retry-after"), "1");
    ask("soon").await.is_problem(400, "malformed");
}

#[tokio::test]
async fn figures_are_counted_by_route_and_never_by_address() {
    let shop = Shop::open().await;
    for id in 0..5 {
        shop.get(&shop.integration, &format!("/v1/members/m{id}")).await.is(404);
    }
    let text = String::from_utf8(shop.get("", "/metrics").await.bytes).unwrap();
    assert!(text.contains(r#"route="/v1/members/{id}",status="4xx"} 5"#), "{text}");
    assert!(!text.contains("m3"), "{text}");
    assert!(text.ends_with("# EOF\n"));
    shop.get("", "/readyz").await.is(200);
}

#[tokio::test]
async fn bad_input_is_counted_by_its_code_also_where_it_is_answered_again() {
    let shop = Shop::open().await;
    let body = serde_json::json!({ "code": "NO-SUCH-CODE", "mode": "Commit", "storeId": "bkk-01" });
    for _ in 0..2 {
        shop.post_with(&shop.till, "same-key", "/v1/redemptions", &body).await.is_problem(404, "code-unknown");
    }
    shop.get("", "/v1/nowhere").await.is(404);
    let event = serde_json::json!({
        "specversion": "1.0", "id": "e1", "source": "shop", "type": "order.paid", "time": "2020-01-01T00:00:00Z",
        "subject": "m1", "data": {},
    });
    shop.post(&shop.integration, "/v1/events", &event).await.is(200);
    let text = String::from_utf8(shop.get("", "/metrics").await.bytes).unwrap();
    for line in [
        r#"fanfare_http_problems_total{code="code-unknown"} 2"#,
        r#"fanfare_http_problems_total{code="not-found"} 1"#,
        r#"fanfare_http_problems_total{code="event-too-old"} 1"#,
        r#"fanfare_http_events_total{status="Rejected"} 1"#,
        r#"fanfare_http_wrong_codes_total{caller="till"} 1"#,
        "fanfare_engine_queued 0",
        "fanfare_engine_queue_max 8192",
        "fanfare_engine_batches_failed_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert!(text.contains("fanfare_engine_batch_commands_bucket{le=\"1.0\"}"), "{text}");
    let figure = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {text}"));
        line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    let (commands, commits) = (figure("fanfare_engine_commands_total "), figure("fanfare_engine_commits_total "));
    assert!(commands >= commits && commits > 3, "{commands} {commits}");
}

#[tokio::test]
async fn the_table_of_metrics_names_what_the_api_measures_and_nothing_else() {
    let shop = Shop::open().await;
    shop.get("", "/healthz").await.is(200);
    let text = String::from_utf8(shop.get("", "/metrics").await.bytes).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let measured: BTreeSet<String> = types
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect();
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations/metrics.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("The HTTP API\n")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), measured);
}
