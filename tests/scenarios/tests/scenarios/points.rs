//! Points for what members spend: earned by the Runtime's formula, given on, lapsing also while nothing runs.

use crate::MIDDAY;
use anyhow::{Result, ensure};
use fanfare_scenarios::{
    customers::{cart, line, paid},
    folder::{Scratch, example},
    http::{Caller, items},
    shop::{Shop, Start},
    wait,
};
use serde_json::json;

async fn holds(member: &Caller, balance: i64, pending: i64) -> Result<()> {
    let points = member.get("/v1/points").await?.is(200)?;
    ensure!(points["balance"] == balance && points["pending"] == pending, "{points}");
    Ok(())
}

#[tokio::test]
async fn points_are_earned_pending_given_on_taken_back_and_lapse_while_nothing_runs() -> Result<()> {
    let folder = Scratch::copy_of(&example("loyalty"))?;
    folder.edit("shop.yaml", "pendingFor: 14d", "pendingFor: 3s")?;
    folder.edit("shop.yaml", "expireAfter: 365d", "expireAfter: 15s")?;
    let mut shop = Shop::open_in(folder, Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let (ann, ben) = (shop.member("ann").await?, shop.member("ben").await?);
    let basket = cart("ann", &[line("1", "COAT-01", 2, "500.00")]);
    let evaluated = shop.evaluate(&basket).await?.is(200)?;
    ensure!(evaluated["earned"] == json!([{"points": 40}]), "{evaluated}");
    let till = shop.till();
    till.post("/v1/orders", &paid("o-1", &basket)).await?.is(201)?;
    till.post("/v1/orders", &paid("o-2", &basket)).await?.is(201)?;
    holds(&ann, 0, 80).await?;
    // One piece of the first order comes back: half of its points were never there.
    let back = json!({"returnId": "r-1", "lines": [{"id": "1", "quantity": 1}], "reason": "size"});
    till.post("/v1/orders/o-1/returns", &back).await?.is(201)?;
    holds(&ann, 0, 60).await?;
    wait::until("the points can be spent", wait::SOON, async || holds(&ann, 60, 0).await).await?;
    ann.post("/v1/points/transfer", &json!({"to": "ben", "amount": 15})).await?.is(201)?;
    holds(&ann, 45, 0).await?;
    holds(&ben, 15, 0).await?;
    let entries = ben.get("/v1/points/entries").await?.is(200)?;
    ensure!(items(&entries)?.len() == 1 && entries["items"][0]["title"] == "Received from another member", "{entries}");
    // They lapse while nothing runs, or just after.
    shop.kill()?;
    shop.start_again().await?;
    let (ann, ben) = (shop.member("ann").await?, shop.member("ben").await?);
    wait::until("the points have lapsed", wait::SOON, async || {
        holds(&ann, 0, 0).await?;
        holds(&ben, 0, 0).await
    })
    .await?;
    shop.till().post("/v1/orders", &paid("o-3", &basket)).await?.is(201)?;
    holds(&ann, 0, 40).await?;
    shop.close().await
}
