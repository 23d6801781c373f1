//! Codes at a till and on a phone: rotating payloads and their keys, guesses, what a stranger is told.

use crate::support::{Shop, credential};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fanfare_core::model::reward::CodeSource;
use fanfare_core::{
    ids::{MemberId, Name},
    model::{
        Plan, RewardPlan,
        campaign::Places,
        reward::{
            Claim, CodeRule, Guard, Offline, OnReversal, Redemption, RewardKind, Symbology, ValidFrom, Validity,
            Voucher, VoucherWorth,
        },
    },
    money::Minor,
    payload,
    time::Span,
};
use fanfare_engine::{Command, Halt, give, tx::Tx};
use serde_json::{Value, json};

fn coupon(guard: Guard) -> RewardPlan {
    RewardPlan {
        name: "coupon".into(),
        revision: "r1".into(),
        title: "200 off".into(),
        kind: RewardKind::Voucher(Voucher {
            worth: VoucherWorth::Amount(Minor(20_000)),
            min_spend: Minor::ZERO,
            items: Default::default(),
        }),
        codes: CodeRule::default(),
        quantity: None,
        limits: Vec::new(),
        claim: Claim::Auto,
        claim_within: None,
        remind_before: Vec::new(),
        validity: Validity { from: ValidFrom::Issue, lasts: None, until: None, not_before: None },
        redemption: Redemption {
            places: Places::default(),
            symbology: Symbology::Qr,
            reserve_for: Span::seconds(600),
            on_reversal: OnReversal::Restore,
            uses: Some(1),
            guard,
        },
        stacking: None,
        unit_cost: Minor::ZERO,
        suspended: false,
    }
}

struct Give(MemberId);

impl Command for Give {
    type Answer = String;
    fn run(&self, tx: &mut Tx<'_>) -> Result<String, Halt> {
        let reward = Name::from("coupon");
        let to = give::To {
            member: &self.0,
            reward: &reward,
            quantity: 1,
            campaign: None,
            mechanic: None,
            store: None,
            cause: "test",
        };
        Ok(give::give(tx, to)?.grants[0].to_string())
    }
}

/// A shop with a coupon of m1: m1's token and the grant's id.
async fn shop(guard: Guard) -> (Shop, String, String) {
    let shop = Shop::open().await;
    shop.publish("coupon", Plan::Reward(coupon(guard))).await;
    let token = shop.login("m1").await;
    let grant = shop.engine.execute(Give("m1".into())).await.unwrap().0.unwrap();
    (shop, token, grant)
}

fn rotating() -> Guard {
    let offline = Offline { max_amount: Minor(20_000), grace_for: Span::seconds(3_600) };
    Guard { rotate: Some(Span::seconds(30)), holder_only: true, offline: Some(offline) }
}

async fn code_of(shop: &Shop, token: &str, grant: &str) -> Value {
    shop.get(token, &format!("/v1/grants/{grant}/code")).await.is(200)
}

fn redemption(code: &Value) -> Value {
    json!({"code": code, "mode": "Commit", "storeId": "bkk-01"})
}

#[tokio::test]
async fn a_rotating_code_is_shown_used_once_and_dies_after_half_a_minute() {
    let (shop, token, grant) = shop(rotating()).await;
    let old = code_of(&shop, &token, &grant).await;
    assert_eq!(old["symbology"], "Qr");
    assert_eq!(old["expiresAt"], "2026-11-11T10:00:30+07:00");
    shop.clock.pass(30);
    let aged = shop.post(&shop.till, "/v1/redemptions", &redemption(&old["payload"])).await;
    aged.is_problem(409, "payload-expired");

    let fresh = code_of(&shop, &token, &grant).await;
    assert_ne!(fresh["payload"], old["payload"]);
    shop.clock.pass(29);
    let typed = json!(format!(" {}\n", fresh["payload"].as_str().unwrap().to_lowercase()).trim_end());
    let valid = shop.post(&shop.till, "/v1/validations", &json!({"codes": [typed]})).await.is(200);
    assert_eq!((&valid["results"][0]["valid"], &valid["results"][0]["grant"]), (&json!(true), &json!(grant)));
    let done = shop.post(&shop.till, "/v1/redemptions", &redemption(&typed)).await.is(201);
    assert_eq!((&done["grant"], &done["amount"]), (&json!(grant), &json!("200.00")));
    let replayed = shop.post(&shop.till, "/v1/redemptions", &redemption(&fresh["payload"])).await;
    replayed.is_problem(409, "already-redeemed");
}

#[tokio::test]
async fn an_order_names_the_voucher_of_a_payload_alike_whenever_it_is_shown() {
    let (shop, token, grant) = shop(rotating()).await;
    let code = code_of(&shop, &token, &grant).await["payload"].clone();
    let cart = json!({"memberId": "m1", "storeId": "bkk-01", "channel": "pos", "currency": "THB", "codes": [code],
        "lines": [{"id": "1", "sku": "A", "quantity": 2, "unitPrice": "500.00"}]});
    let order = json!({"id": "o-1", "mode": "Commit", "cart": cart});
    let goods_back = json!({"returnId": "r-1", "lines": [{"id": "1", "quantity": 1}], "reason": "too large"});
    for told in [
        shop.post(&shop.till, "/v1/orders", &order).await.is(201),
        shop.get(&shop.till, "/v1/orders/o-1").await.is(200),
        shop.post(&shop.till, "/v1/orders/o-1/returns", &goods_back).await.is(201),
    ] {
        assert_eq!((&told["discounts"][0]["code"], &told["discounts"][0]["grant"]), (&json!(grant), &json!(grant)));
    }
}

#[tokio::test]
async fn a_picture_of_a_rotating_code_is_a_qr_code_that_no_cache_keeps() {
    let (shop, token, grant) = shop(rotating()).await;
    let headers = [("authorization", &*format!("Bearer {token}")), ("accept", "image/svg+xml")];
    let picture = shop.send("GET", &format!("/v1/grants/{grant}/code"), &headers, "").await;
    assert_eq!((picture.header("content-type"), picture.header("cache-control")), ("image/svg+xml", "no-store"));
    assert!(String::from_utf8(picture.bytes).unwrap().starts_with("<svg"));
}

#[tokio::test]
async fn a_till_checks_a_code_by_the_published_keys_and_reports_it_later() {
    let (shop, token, grant) = shop(rotating()).await;
    let keys = shop.get("", "/.well-known/jwks.json").await;
    assert_eq!(keys.header("content-type"), "application/jwk-set+json");
    assert_eq!(keys.header("cache-control"), "public, max-age=86400");
    let code = code_of(&shop, &token, &grant).await["payload"].clone();

    // What a till does that has no network.
    let (body, signature) = payload::split(code.as_str().unwrap()).unwrap();
    let said = payload::Payload::read(&body).unwrap();
    let kid: String = said.key.iter().map(|byte| format!("{byte:02x}")).collect();
    let keys = keys.json();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
    assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
    key.verify(&payload::signed(&body), &signature).unwrap();
    assert_eq!((said.grant.as_str(), said.life_s, said.offline_max), (&*grant, 30, Some(Minor(20_000))));
    assert_eq!(said.grace_s, 3_600);

    shop.clock.pass(1_800);
    let late = json!({"proof": code, "mode": "Commit", "storeId": "bkk-01", "occurredAt": "2026-11-11T10:00:10+07:00"});
    let done = shop.post(&shop.till, "/v1/redemptions", &late).await.is(201);
    let again = shop.post(&shop.till, "/v1/redemptions", &late).await.is(201);
    assert_eq!(done["id"], again["id"]);
    assert!(done.get("exception").is_none());
    let other = credential(&shop.engine, Some("bkk-01".into()), &fanfare_api::Scope::TILL).await;
    let conflict = shop.post(&other, "/v1/redemptions", &late).await.is(201);
    assert!(conflict["exception"]["id"].is_string(), "{conflict}");
    let again = shop.post(&other, "/v1/redemptions", &late).await.is(201);
    assert_eq!(conflict["exception"], again["exception"]);
}

#[tokio::test]
async fn a_proof_is_a_payload_with_its_time() {
    let (shop, ..) = shop(rotating()).await;
    let at = "2026-11-11T10:00:10+07:00";
    for (body, pointer) in [
        (json!({"mode": "Commit", "storeId": "bkk-01"}), "/code"),
        (json!({"mode": "Commit", "storeId": "bkk-01", "proof": "ABCD", "occurredAt": at}), "/proof"),
        (json!({"mode": "Commit", "storeId": "bkk-01", "proof": "FP1.ABC"}), "/occurredAt"),
    ] {
        let problem = shop.post(&shop.till, "/v1/redemptions", &body).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let forged =
        json!({"mode": "Commit", "storeId": "bkk-01", "proof": format!("FP1.{}", "0".repeat(167)), "occurredAt": at});
    shop.post(&shop.till, "/v1/redemptions", &forged).await.is_problem(404, "code-unknown");
}

#[tokio::test]
async fn a_personal_voucher_takes_its_holder_and_a_stranger_learns_nothing() {
    let personal = Guard { holder_only: true, ..Guard::default() };
    let (shop, token, grant) = shop(personal).await;
    let code = code_of(&shop, &token, &grant).await["payload"].clone();
    let mut body = redemption(&code);
    shop.post(&shop.till, "/v1/redemptions", &body).await.is_problem(409, "not-holder");
    let stranger = shop.login("m2").await;
    body["memberId"] = json!("m2");
    shop.post(&shop.till, "/v1/redemptions", &body).await.is_problem(409, "not-holder");

    let cart = json!({"channel": "miniProgram", "currency": "THB", "codes": [code, "NOPE1"],
        "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "500.00"}]});
    let told = shop.post(&stranger, "/v1/carts/evaluate", &cart).await.is(200);
    let reasons: Vec<(&Value, &Value)> =
        told["rejected"].as_array().unwrap().iter().map(|one| (&one["reason"], &one["detail"])).collect();
    assert_eq!(reasons[0].0, "code-unknown");
    assert_eq!(reasons[0], reasons[1], "a voucher of somebody else is told of as none");
    let own = shop.post(&token, "/v1/carts/evaluate", &cart).await.is(200);
    assert_eq!((&own["discount"], own["rejected"].as_array().unwrap().len()), (&json!("200.00"), 1));
    body["memberId"] = json!("m1");
    shop.post(&shop.till, "/v1/redemptions", &body).await.is(201);
}

#[tokio::test]
async fn whoever_guesses_too_often_waits_and_nobody_else() {
    let (shop, token, grant) = shop(Guard::default()).await;
    let good = redemption(&code_of(&shop, &token, &grant).await["payload"]);
    for n in 0..50 {
        let wrong = redemption(&json!(format!("WRONG-{n:03}")));
        shop.post(&shop.till, "/v1/redemptions", &wrong).await.is_problem(404, "code-unknown");
    }
    let stopped = shop.post(&shop.till, "/v1/redemptions", &good).await;
    stopped.is_problem(429, "too-many-requests");
    assert_eq!(stopped.header("retry-after"), "1");
    shop.post(&shop.till, "/v1/validations", &json!({"codes": ["A"]})).await.is_problem(429, "too-many-requests");
    let other = credential(&shop.engine, Some("bkk-01".into()), &fanfare_api::Scope::TILL).await;
    shop.post(&other, "/v1/validations", &json!({"codes": ["A"]})).await.is(200);
    shop.real.pass(1);
    shop.post(&shop.till, "/v1/redemptions", &good).await.is(201);

    let cart = |code: String| {
        json!({"channel": "miniProgram", "currency": "THB", "codes": [code],
            "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "500.00"}]})
    };
    for n in 0..10 {
        shop.post(&token, "/v1/carts/evaluate", &cart(format!("WRONG-{n}"))).await.is(200);
    }
    shop.post(&token, "/v1/carts/evaluate", &cart("ONE".into())).await.is_problem(429, "too-many-requests");
    let mut none = cart(String::new());
    none["codes"] = json!([]);
    shop.post(&token, "/v1/carts/evaluate", &none).await.is(200);
    let metrics = String::from_utf8(shop.get("", "/metrics").await.bytes).unwrap();
    assert!(metrics.contains("fanfare_http_wrong_codes_total{caller=\"till\"} 51"), "{metrics}");
    assert!(metrics.contains("fanfare_http_throttled_total{caller=\"member\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_commit_that_names_other_codes_is_a_guess_too_and_one_with_its_own_is_not() {
    let (shop, token, grant) = shop(Guard::default()).await;
    let good = code_of(&shop, &token, &grant).await["payload"].clone();
    let cart = |codes: Value| {
        json!({"channel": "pos", "storeId": "bkk-01", "currency": "THB", "codes": codes,
            "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "500.00"}]})
    };
    let order = json!({"id": "o-1", "mode": "Reserve", "cart": cart(json!([good]))});
    shop.post(&shop.till, "/v1/orders", &order).await.is(201);
    let commit = |codes: Value| json!({"cart": cart(codes)});
    for n in 0..50 {
        let wrong = commit(json!([good, format!("WRONG-{n:03}")]));
        shop.post(&shop.till, "/v1/orders/o-1/commit", &wrong).await.is_problem(409, "order-refused");
    }
    let more = commit(json!([good, "WRONG-999"]));
    shop.post(&shop.till, "/v1/orders/o-1/commit", &more).await.is_problem(429, "too-many-requests");
    let done = shop.post(&shop.till, "/v1/orders/o-1/commit", &commit(json!([good]))).await.is(200);
    assert_eq!(done["state"], "Committed", "what it has reserved it can commit");
}

async fn import(shop: &Shop, who: &str, path: &str, media_type: &str, text: &str) -> crate::support::Answer {
    let headers = [("authorization", &*format!("Bearer {who}")), ("content-type", media_type)];
    shop.send("POST", path, &headers, text.to_owned()).await
}

#[tokio::test]
async fn codes_are_imported_line_by_line_and_duplicates_are_named() {
    let shop = Shop::open().await;
    let codes = CodeRule { source: CodeSource::Imported, ..CodeRule::default() };
    shop.publish("coupon", Plan::Reward(RewardPlan { codes, ..coupon(Guard::default()) })).await;
    let path = "/v1/rewards/coupon/codes";
    let text = "code,comment\nXIII-0001,a\n\nPART0002\nshort\nx111 0001\nPART0003,\"x\"\nXIII0001\n";
    let told = import(&shop, &shop.integration, path, "text/csv", text).await.is(200);
    assert_eq!((&told["accepted"], &told["known"], &told["left"]), (&json!(3), &json!(0), &json!(3)), "{told}");
    let rejected = told["rejected"].as_array().unwrap();
    let lines: Vec<(&Value, &Value)> = rejected.iter().map(|one| (&one["line"], &one["reason"])).collect();
    let (no_code, again) = (json!("it is no code"), json!("line 2 has the same code"));
    assert_eq!(lines, [(&json!(5), &no_code), (&json!(6), &again), (&json!(8), &again)], "by line");
    assert_eq!(told["rejectedTotal"], 3);

    let ndjson = "{\"code\":\"xiii0001\"}\n{\"code\":\"PART0004\"}\n{\"kode\":\"PART0005\"}\n";
    let again = import(&shop, &shop.integration, path, "application/x-ndjson", ndjson).await.is(200);
    assert_eq!((&again["accepted"], &again["known"], &again["left"]), (&json!(1), &json!(1), &json!(4)), "{again}");
    assert_eq!(again["rejected"][0]["line"], 3);

    let give = || shop.engine.execute(Give("m1".into()));
    let token = shop.login("m1").await;
    let grant = give().await.unwrap().0.unwrap();
    assert_eq!(code_of(&shop, &token, &grant).await["payload"], "XIII-0001");
    import(&shop, &shop.till, path, "text/csv", text).await.is_problem(403, "forbidden");
    import(&shop, &shop.integration, path, "image/png", text).await.is_problem(415, "unsupported-media-type");
    import(&shop, &shop.integration, "/v1/rewards/none/codes", "text/csv", text).await.is_problem(404, "not-found");
    let drawn = RewardPlan { name: "drawn".into(), ..coupon(Guard::default()) };
    shop.publish("drawn", Plan::Reward(drawn)).await;
    import(&shop, &shop.integration, "/v1/rewards/drawn/codes", "text/csv", text).await.is_problem(422, "invalid");
}

#[tokio::test]
async fn a_line_with_control_characters_is_no_code() {
    let shop = Shop::open().await;
    let codes = CodeRule { source: CodeSource::Imported, ..CodeRule::default() };
    shop.publish("coupon", Plan::Reward(RewardPlan { codes, ..coupon(Guard::default()) })).await;
    let utf_16: String = "PART0007\r\nPART0008\r\n".chars().flat_map(|c| [c, '\0']).collect();
    for (media_type, text) in [
        ("text/csv", "PART0001\rPART0002\r"),
        ("text/csv", "PART\0 0003\n"),
        ("text/csv", "PART\u{1b}0004\r\n"),
        ("text/plain", &*utf_16),
        ("application/x-ndjson", "{\"code\":\"PART\\u00000005\"}\n"),
    ] {
        let told = import(&shop, &shop.integration, "/v1/rewards/coupon/codes", media_type, text).await.is(200);
        assert_eq!((&told["accepted"], &told["rejected"][0]["reason"]), (&json!(0), &json!("it is no code")), "{told}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_codes_are_imported() {
    let shop = Shop::open().await;
    let codes = CodeRule { source: CodeSource::Imported, ..CodeRule::default() };
    shop.publish("coupon", Plan::Reward(RewardPlan { codes, ..coupon(Guard::default()) })).await;
    let text: String = (0..100_000).map(|n| format!("PART{n:08}\n")).collect();
    let began = std::time::Instant::now();
    let told = import(&shop, &shop.integration, "/v1/rewards/coupon/codes", "text/plain", &text).await.is(200);
    println!("100,000 codes in {:?}", began.elapsed());
    assert_eq!((&told["accepted"], &told["left"]), (&json!(100_000), &json!(100_000)));
}

#[tokio::test]
async fn vouchers_for_paper_are_made_once_a_batch_and_used_by_anyone() {
    let shop = Shop::open().await;
    shop.publish("coupon", Plan::Reward(coupon(Guard::default()))).await;
    let path = "/v1/rewards/coupon/prints";
    let body = json!({"batch": "leaflet", "count": 3});
    let made = shop.post_with(&shop.integration, "b1", path, &body).await.is(201);
    let again = shop.post_with(&shop.integration, "b1", path, &body).await.is(201);
    assert_eq!(made, again);
    assert_eq!(shop.post_with(&shop.integration, "b2", path, &body).await.is(201), made, "also under another key");
    let more = shop.post(&shop.integration, path, &json!({"batch": "leaflet", "part": 2, "count": 3})).await.is(201);
    assert_ne!(more["vouchers"][0]["code"], made["vouchers"][0]["code"]);
    let other = json!({"batch": "leaflet", "count": 4});
    shop.post(&shop.integration, path, &other).await.is_problem(409, "batch-reused");
    let problem = shop.post(&shop.integration, path, &json!({"batch": "leaflet", "part": 0, "count": 3})).await;
    assert_eq!(problem.is_problem(422, "invalid")["errors"][0]["pointer"], "/part");
    assert_eq!((made["vouchers"].as_array().unwrap().len(), &made["symbology"]), (3, &json!("Qr")));
    let code = &made["vouchers"][0]["code"];
    shop.post(&shop.till, "/v1/redemptions", &redemption(code)).await.is(201);
    for (wrong, pointer) in [(0, "/count"), (501, "/count")] {
        let body = json!({"batch": "leaflet", "count": wrong});
        let problem = shop.post(&shop.integration, path, &body).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    shop.post(&shop.till, path, &body).await.is_problem(403, "forbidden");
    shop.post(&shop.integration, "/v1/rewards/none/prints", &body).await.is_problem(404, "not-found");
}
