//! Many members at once.

use crate::support::{Answer, Shop};
use axum::body::{Body, Bytes};
use serde_json::json;

async fn import(shop: &Shop, kind: &str, body: impl Into<Body>) -> Answer {
    let bearer = format!("Bearer {}", shop.integration);
    shop.send("POST", "/v1/members/import", &[("authorization", &bearer), ("content-type", kind)], body).await
}

#[tokio::test]
async fn a_csv_is_taken_line_by_line_and_wrong_lines_are_named() {
    let shop = Shop::open().await;
    let csv = "\u{feff}id,name,tier,age,tags,phone,consent.channels.email\r\n\
        m1,\"Ann, \"\"the\nfirst\"\"\",gold,41,vip;new,+66 2 1,true\r\n\
        m2,Bob,golden,,,,\r\n\
        \r\n\
        m3,Cid\r\n\
        ,Dan,,,,,\r\n\
        m4,Eve,silver,,,,maybe\r\n\
        m5,Fay,silver,30,,,false";
    let answer = import(&shop, "text/csv; charset=utf-8", csv).await.is(200);
    assert_eq!((&answer["accepted"], &answer["rejectedTotal"]), (&json!(2), &json!(4)), "{answer}");
    let mut lines: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["line"].as_i64().unwrap(), row["pointer"].as_str().unwrap().to_owned()))
        .collect();
    lines.sort();
    let expect = [(4, "/attributes/tier"), (6, ""), (7, "/id"), (8, "/consent.channels.email")];
    assert_eq!(lines, expect.map(|(line, pointer)| (line, pointer.to_owned())), "{answer}");
    let member = shop.get(&shop.integration, "/v1/members/m1").await.is(200);
    assert_eq!(member["attributes"], json!({"name": "Ann, \"the\nfirst\"", "tier": "gold", "age": 41}));
    assert_eq!(member["tags"], json!(["new", "vip"]));
    assert_eq!(member["consent"]["channels"]["email"], true);
}

#[tokio::test]
async fn ndjson_is_taken_line_by_line_however_it_is_cut() {
    let shop = Shop::open().await;
    let mut text = String::from("{\"id\":\"m1\",\"tags\":[\"a\"]}\nnope\n{\"id\":\"m2\",\"colour\":1}\n");
    text.push_str(&format!("{{\"id\":\"big\",\"tags\":[\"{}\"]}}\n", "x".repeat(200_000)));
    for n in 0..1_200 {
        text.push_str(&format!("{{\"id\":\"n{n}\"}}\n"));
    }
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        text.as_bytes().chunks(1_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let body = Body::from_stream(futures::stream::iter(pieces));
    let answer = import(&shop, "application/x-ndjson", body).await.is(200);
    assert_eq!(answer["accepted"], 1_201, "{answer}");
    let lines: Vec<_> =
        answer["rejected"].as_array().unwrap().iter().map(|row| row["line"].as_i64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4]);
    shop.get(&shop.integration, "/v1/members/n1199").await.is(200);
}

#[tokio::test]
async fn an_import_of_another_kind_or_without_a_heading_is_refused() {
    let shop = Shop::open().await;
    import(&shop, "application/json", "[]").await.is_problem(415, "unsupported-media-type");
    import(&shop, "text/csv", "name,tier\nAnn,gold\n").await.is_problem(422, "invalid");
    import(&shop, "text/csv", "id,id\n").await.is_problem(422, "invalid");
    assert_eq!(import(&shop, "text/csv", "").await.is(200)["accepted"], 0);
}
