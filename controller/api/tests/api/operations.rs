//! What every answer carries, and the calls for operators.

use crate::support::Shop;
use axum::body::Body;

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
