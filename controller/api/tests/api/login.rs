//! Logins, tokens and what members see of themselves.

use crate::support::{Shop, credential};
use axum::body::Body;
use fanfare_api::Scope;
use serde_json::json;

#[tokio::test]
async fn a_guest_logs_in_refreshes_once_and_a_second_use_ends_the_login() {
    let shop = Shop::open().await;
    shop.post("", "/v1/auth/guest", &json!({"name": "Ann"})).await.is(422);
    let first = shop.post("", "/v1/auth/guest", &json!({})).await.is(200);
    assert_eq!((&first["isNew"], &first["expiresIn"]), (&json!(true), &json!(900)));
    let member = first["memberId"].as_str().unwrap().to_owned();
    let token = first["accessToken"].as_str().unwrap();
    assert_eq!(shop.get(token, "/v1/me").await.is(200)["memberId"], member);

    let refresh =
        async |token: &serde_json::Value| shop.post("", "/v1/auth/refresh", &json!({ "refreshToken": token })).await;
    let second = refresh(&first["refreshToken"]).await.is(200);
    assert_eq!(second["memberId"], member);
    assert_ne!(second["refreshToken"], first["refreshToken"]);
    refresh(&first["refreshToken"]).await.is_problem(401, "unauthenticated");
    refresh(&second["refreshToken"]).await.is_problem(401, "unauthenticated");
    refresh(&json!("made-up")).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_access_token_ends_after_fifteen_real_minutes_whatever_business_time_does() {
    let shop = Shop::open().await;
    let token = shop.login("m1").await;
    shop.clock.pass(3_600);
    shop.get(&token, "/v1/me").await.is(200);
    shop.real.pass(900);
    let answer = shop.get(&token, "/v1/me").await;
    answer.is_problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_never_a_500() {
    let shop = Shop::open().await;
    let ask = async |value: &str| shop.send("GET", "/v1/me", &[("authorization", value)], Body::empty()).await;
    for wrong in ["Bearer", "Bearer ", "Basic abc", "Bearer fft_unknown", "Bearer a.b.c", "\u{0}x".trim_matches('\0')] {
        ask(wrong).await.is_problem(401, "unauthenticated");
    }
    ask(&format!("Bearer {}", "a".repeat(20_000))).await.is_problem(401, "unauthenticated");
    ask(&format!("Bearer {}", shop.till)).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let shop = Shop::open().await;
    let events_only = credential(&shop.engine, None, &[Scope::Event]).await;
    shop.get(&events_only, "/v1/members/m1").await.is_problem(403, "forbidden");
    shop.get(&shop.till, "/v1/members/m1").await.is_problem(403, "forbidden");
    shop.get("", "/v1/members/m1").await.is_problem(401, "unauthenticated");
    shop.get(&shop.integration, "/v1/members/m1").await.is_problem(404, "not-found");
}

#[tokio::test]
async fn a_member_says_of_itself_what_is_its_to_say() {
    let shop = Shop::open().await;
    let token = shop.login("m1").await;
    let patched =
        shop.change("PATCH", &token, "/v1/me", &json!({"attributes": {"name": "Ann", "age": 41}})).await.is(200);
    assert_eq!(patched["attributes"], json!({"name": "Ann", "age": 41}));
    let wrong = shop.change("PATCH", &token, "/v1/me", &json!({"attributes": {"tier": "gold", "shoe": 1}})).await;
    assert_eq!(wrong.is_problem(422, "invalid")["errors"].as_array().unwrap().len(), 2);
    let consent = json!({"channels": {"email": true}, "topics": {"tea": false}});
    assert_eq!(shop.change("PUT", &token, "/v1/me/consent", &consent).await.is(200)["consent"], consent);

    let read = shop.get(&token, "/v1/me").await;
    let tag = read.header("etag").to_owned();
    let headers = [("authorization", &*format!("Bearer {token}")), ("if-none-match", &tag)];
    let again = shop.send("GET", "/v1/me", &headers, Body::empty()).await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
}

#[tokio::test]
async fn a_shown_code_finds_its_member_at_the_till_for_a_minute() {
    let shop = Shop::open().await;
    let token = shop.login("m1").await;
    shop.change("PATCH", &token, "/v1/me", &json!({"attributes": {"name": "Ann"}})).await.is(200);
    let shown = shop.get(&token, "/v1/me/code").await.is(200);
    assert_eq!(shown["symbology"], "Qr");
    let code = json!({ "code": shown["payload"] });
    let found = shop.post(&shop.till, "/v1/members/resolve", &code).await.is(200);
    assert_eq!(found, json!({"memberId": "m1", "displayName": "Ann"}));
    shop.real.pass(60);
    shop.post(&shop.till, "/v1/members/resolve", &code).await.is_problem(409, "payload-expired");
    let forged = json!({ "code": shown["payload"].as_str().unwrap().replace("FM1.", "FM1.x") });
    shop.post(&shop.till, "/v1/members/resolve", &forged).await.is_problem(404, "code-unknown");

    let headers = [("authorization", &*format!("Bearer {}", shop.login("m1").await)), ("accept", "image/svg+xml")];
    let picture = shop.send("GET", "/v1/me/code", &headers, Body::empty()).await;
    picture.is(200);
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(picture.bytes.starts_with(b"<svg"));
    let headers = [headers[0], ("accept", "application/pdf")];
    shop.send("GET", "/v1/me/code", &headers, Body::empty()).await.is_problem(406, "not-acceptable");
}
