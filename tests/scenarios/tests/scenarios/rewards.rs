//! One of each reward: what a member gets for one order, and how tills use it, also after a kill.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{cart, line, paid},
    folder::example,
    http::{Caller, items},
    shop::{Shop, Start},
    wait,
};
use futures::future::join_all;
use serde_json::{Value, json};

async fn grant(member: &Caller, reward: &str) -> Result<Value> {
    let body = member.get("/v1/grants?limit=100").await?.is(200)?;
    let found = items(&body)?.iter().find(|grant| grant["reward"] == reward).cloned();
    found.with_context(|| format!("no {reward} in {body}"))
}

async fn code(member: &Caller, grant: &Value) -> Result<String> {
    let id = grant["id"].as_str().context("a grant without an id")?;
    let code = member.get(&format!("/v1/grants/{id}/code")).await?.is(200)?;
    Ok(code["payload"].as_str().with_context(|| format!("no payload in {code}"))?.to_owned())
}

fn commit(code: &str) -> Value {
    json!({"code": code, "mode": "Commit", "storeId": "bkk-01"})
}

fn pay(code: &str, amount: &str) -> Value {
    json!({"code": code, "mode": "Commit", "storeId": "bkk-01", "amount": amount})
}

#[tokio::test]
async fn one_order_earns_one_of_each_and_tills_use_them_as_often_as_they_say() -> Result<()> {
    let mut shop = Shop::open(&example("rewards"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let ann = shop.member("ann").await?;
    let basket = cart("ann", &[line("1", "COAT-01", 1, "6000.00")]);
    let order = shop.till().post("/v1/orders", &paid("order-1", &basket)).await?.is(201)?;
    ensure!(items_of(&order, "earned") == 6, "one of each: {order}");

    // The card pays in parts, and no more than is on it, whoever asks at once.
    let card = grant(&ann, "gift-card-500").await?;
    ensure!(card["balance"]["amount"] == "500.00", "{card}");
    let card_code = code(&ann, &card).await?;
    let first = shop.till().post("/v1/redemptions", &pay(&card_code, "120.00")).await?.is(201)?;
    ensure!(first["remaining"] == "380.00", "{first}");
    shop.kill()?;
    shop.start_again().await?;
    let (till, ann) = (shop.till(), shop.member("ann").await?);
    let each = pay(&card_code, "50.00");
    let answers = join_all((0..20).map(|_| till.post("/v1/redemptions", &each))).await;
    let mut won = 0;
    for answer in answers {
        let answer = answer?;
        match answer.status {
            201 => won += 1,
            _ => drop(answer.problem(409, "exceeds-remaining")?),
        }
    }
    ensure!(won == 7, "{won} tills took 50.00 of 380.00");
    let undo = json!({"reversalId": "undo-1", "reason": "typed twice"});
    let path = format!("/v1/redemptions/{}/reverse", first["id"].as_str().unwrap_or_default());
    let undone = till.post(&path, &undo).await?.is(200)?;
    ensure!(undone["remaining"] == "150.00", "30.00 were left and 120.00 came back: {undone}");
    let path = format!("/v1/grants/{}/top-up", card["id"].as_str().unwrap_or_default());
    let topped = shop.backend().post(&path, &json!({"amount": "100.00"})).await?.is(200)?;
    ensure!(topped["balance"]["amount"] == "250.00", "{topped}");

    // Ten uses, claimed first.
    let coffee = grant(&ann, "coffee-card").await?;
    let id = coffee["id"].as_str().context("a grant without an id")?;
    ann.post(&format!("/v1/grants/{id}/claim"), &json!({})).await?.is(200)?;
    let coffee_code = code(&ann, &coffee).await?;
    for left in (0..10).rev() {
        let used = till.post("/v1/redemptions", &commit(&coffee_code)).await?.is(201)?;
        ensure!(used["usesLeft"] == left, "{used}");
    }
    till.post("/v1/redemptions", &commit(&coffee_code)).await?.problem(409, "already-redeemed")?;

    // The lounge opens as often as she comes; a badge has no code.
    let lounge = code(&ann, &grant(&ann, "lounge").await?).await?;
    let asked = till.post("/v1/validations", &json!({"codes": [lounge]})).await?.is(200)?;
    ensure!(asked["results"][0]["valid"] == true && asked["results"][0]["kind"] == "access", "{asked}");
    for _ in 0..2 {
        till.post("/v1/redemptions", &commit(&lounge)).await?.is(201)?;
    }
    ensure!(grant(&ann, "regular").await?["kind"] == "badge");

    // A second order earns no second badge and no second card, and the gift card pays a part of it.
    let mut basket = cart("ann", &[line("1", "COAT-01", 1, "6000.00")]);
    basket["codes"] = json!([card_code]);
    let second = till.post("/v1/orders", &paid("order-2", &basket)).await?.is(201)?;
    ensure!(second["paid"] == "250.00" && second["payable"] == "5750.00" && second["discount"] == "0.00", "{second}");
    let limited = second["rejected"].to_string().matches("limit-reached").count();
    ensure!(limited == 2 && items_of(&second, "earned") == 4, "{second}");
    shop.close().await
}

#[tokio::test]
async fn who_has_something_that_ends_soon_is_told_once() -> Result<()> {
    let mut shop = Shop::open(&example("rewards"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let mut cards = Vec::new();
    for name in ["ann", "bob"] {
        let member = shop.member(name).await?;
        let basket = cart(name, &[line("1", "COAT-01", 1, "1500.00")]);
        shop.till().post("/v1/orders", &paid(&format!("order-{name}"), &basket)).await?.is(201)?;
        cards.push((grant(&member, "coffee-card").await?, member));
    }
    // Bob claims his card at once, and then has three months; Ann has a week to claim hers.
    let (card, bob) = &cards[1];
    let id = card["id"].as_str().context("a grant without an id")?;
    bob.post(&format!("/v1/grants/{id}/claim"), &json!({})).await?.is(200)?;
    shop.stop().await?;
    for (clock, told) in
        [("2026-11-15T11:58:00+07:00", 0), ("2026-11-15T12:01:00+07:00", 1), ("2026-11-16T12:00:00+07:00", 1)]
    {
        shop.start_again_at(Start::at(clock)).await?;
        let (ann, bob) = (shop.member("ann").await?, shop.member("bob").await?);
        let inbox = wait::until("the reminder", wait::SOON, async || {
            let inbox = ann.get("/v1/messages").await?.is(200)?;
            ensure!(items(&inbox)?.len() == told, "at {clock}: {inbox}");
            Ok(inbox)
        });
        let (inbox, _) = inbox.await?;
        if told == 1 {
            let message = &items(&inbox)?[0];
            ensure!(message["subject"] == "Ten times 20 baht off a coffee ends soon", "{message}");
            ensure!(message["body"].as_str().is_some_and(|body| body.contains("2026-11-18 12:00")), "{message}");
        }
        ensure!(items(&bob.get("/v1/messages").await?.is(200)?)?.is_empty(), "bob has claimed his");
        shop.stop().await?;
    }
    shop.start_again().await?;
    shop.close().await
}

fn items_of(answer: &Value, list: &str) -> usize {
    answer[list].as_array().map_or(0, Vec::len)
}
