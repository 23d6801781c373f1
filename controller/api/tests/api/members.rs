//! Members and lists as a CRM writes them.

use crate::support::Shop;
use axum::body::Body;
use serde_json::json;

#[tokio::test]
async fn a_member_is_made_changed_read_and_found() {
    let shop = Shop::open().await;
    let body = json!({
        "attributes": {"tier": "gold"}, "tags": ["vip"], "consent": {"channels": {"email": true}},
        "identities": [{"type": "phone", "value": "+66 2 123 4567"}, {"type": "card", "value": "77-1"}],
    });
    shop.change("PUT", &shop.integration, "/v1/members/m1", &body).await.is(201);
    let changed = shop.change("PUT", &shop.integration, "/v1/members/m1", &json!({"tags": ["new"]})).await.is(200);
    assert_eq!((&changed["tags"], &changed["attributes"]["tier"]), (&json!(["new"]), &json!("gold")));
    for handle in [json!({"phone": "+6621234567"}), json!({"cardNumber": "771"})] {
        assert_eq!(shop.post(&shop.till, "/v1/members/resolve", &handle).await.is(200)["memberId"], "m1");
    }
    shop.post(&shop.till, "/v1/members/resolve", &json!({"phone": "+1"})).await.is_problem(404, "member-unknown");
    shop.post(&shop.till, "/v1/members/resolve", &json!({})).await.is_problem(422, "invalid");
    let both = json!({"phone": "+1", "cardNumber": "2"});
    shop.post(&shop.till, "/v1/members/resolve", &both).await.is_problem(422, "invalid");

    let taken = json!({"identities": [{"type": "card", "value": "771"}]});
    let problem =
        shop.change("PUT", &shop.integration, "/v1/members/m2", &taken).await.is_problem(409, "identity-taken");
    assert_eq!(problem["errors"][0]["pointer"], "/identities/0");
    let wrong = json!({"attributes": {"tier": "golden", "shoe": 1}});
    let problem = shop.change("PUT", &shop.integration, "/v1/members/m2", &wrong).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
}

#[tokio::test]
async fn lists_are_replaced_added_to_and_taken_from() {
    let shop = Shop::open().await;
    let list = json!({"members": ["m1", "m2", "m1"]});
    assert_eq!(shop.change("PUT", &shop.integration, "/v1/lists/vip", &list).await.is(200)["members"], 2);
    shop.post(&shop.integration, "/v1/lists/vip/members", &json!({"members": ["m3"]})).await.is(200);
    let bearer = format!("Bearer {}", shop.integration);
    let gone = shop.send("DELETE", "/v1/lists/vip/members/m1", &[("authorization", &bearer)], Body::empty()).await;
    assert_eq!(gone.status.as_u16(), 204);
    let on = |id: &str| shop.engine.audience().with(&id.into(), |record| record.lists.contains("vip"));
    assert_eq!([on("m1"), on("m2"), on("m3")], [false, true, true]);
    shop.change("PUT", &shop.integration, "/v1/lists/V%20I", &list).await.is_problem(422, "invalid");
    let wrong = json!({"members": ["m1", ""]});
    let problem = shop.change("PUT", &shop.integration, "/v1/lists/vip", &wrong).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/members/1");
}
