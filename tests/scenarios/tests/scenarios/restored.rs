//! A database that lacks what was acknowledged, from a backup or a standby: nothing is paid twice before somebody has looked.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{buy_big, cart, claim_coupon, line, paid, redeem},
    database::{Database, Server},
    folder::{Scratch, fixture},
    http::{Answer, Caller},
    runtime::Runtime,
    shop::{Shop, Start},
    tools, wait,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// A redemption as a till's journal has it.
async fn fact(till: &Caller, code: &str, order: &str, at: &Value) -> Result<Answer> {
    let body = json!({"code": code, "mode": "Commit", "storeId": "bkk-01", "occurredAt": at,
        "order": {"id": order, "total": "800.00", "currency": "THB"}});
    till.post("/v1/redemptions", &body).await
}

/// Two coupons of two members.
async fn coupons(shop: &Shop) -> Result<[String; 2]> {
    let mut codes = Vec::new();
    for name in ["ann", "bob"] {
        let member = shop.member(name).await?;
        buy_big(shop, name, &format!("order-{name}")).await?;
        codes.push(claim_coupon(&member).await?.1);
    }
    codes.try_into().ok().context("two coupons")
}

/// What a till is told until somebody has answered for the loss: both coupons wait, whatever was lost.
async fn waits(till: &Caller, codes: &[String; 2]) -> Result<()> {
    for code in codes {
        let answer = redeem(till, code, "sale-later").await?;
        let retry = answer.header("retry-after").context("when to try again")?;
        ensure!(retry.parse::<u32>()? > 0, "{retry}");
        let problem = answer.problem(503, "awaiting-reconciliation")?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(detail.contains("occurredAt"), "{detail}");
    }
    Ok(())
}

#[tokio::test]
async fn a_promoted_standby_that_lacks_a_redemption_does_not_pay_it_twice() -> Result<()> {
    let server = Server::start()?;
    let mut shop =
        Shop::open_on(Scratch::copy_of(&fixture("shop"))?, Start::at(MIDDAY), Database::on(server.url()).await?)
            .await?;
    shop.ready().await?;
    let codes = coupons(&shop).await?;
    let runtime = Runtime::start(shop.database()?, shop.credentials()).await?;
    shop.stop().await?;
    server.standby("follow")?;
    server.standby("cut")?;
    let told = redeem(&runtime.till(), &codes[0], "sale-1").await?.is(201)?;

    server.standby("take-over")?;
    let log = runtime.gives_up().await?;
    ensure!(log.contains("standby promoted") && log.contains("start this process anew"), "{log}");
    let runtime = Runtime::start(shop.database()?, shop.credentials()).await?;
    waits(&runtime.till(), &codes).await?;
    runtime.anyone().get("/readyz").await?.is(200).context("reads go on")?;

    fact(&runtime.till(), &codes[0], "sale-1", &told["createdAt"]).await?.is(201)?;
    let mut order = paid("order-late", &cart("ann", &[line("1", "MUG-01", 1, "100.00")]));
    runtime.till().post("/v1/orders", &order).await?.problem(503, "awaiting-reconciliation")?;
    order["occurredAt"] = told["createdAt"].clone();
    runtime.till().post("/v1/orders", &order).await?.is(201)?;
    let args = ["database", "reconciled", "--by", "Ann", "--reason", "the journal of till 1 was sent again"];
    shop.verb(&args).await?.code(0)?;
    wait::until("everything to be decided again", wait::SOON, async || {
        redeem(&runtime.till(), &codes[1], "sale-2").await?.is(201)
    })
    .await?;
    redeem(&runtime.till(), &codes[0], "sale-3").await?.problem(409, "already-redeemed")?;
    runtime.stop().await?;
    shop.start_again().await?;
    shop.close().await
}

/// A base backup that is put back is the same server on the same timeline: only who remembers more can tell.
#[tokio::test]
async fn a_backup_that_is_put_back_under_a_running_runtime_is_noticed() -> Result<()> {
    let server = Server::start()?;
    let mut shop =
        Shop::open_on(Scratch::copy_of(&fixture("shop"))?, Start::at(MIDDAY), Database::on(server.url()).await?)
            .await?;
    shop.ready().await?;
    let codes = coupons(&shop).await?;
    let runtime = Runtime::start(shop.database()?, shop.credentials()).await?;
    shop.stop().await?;
    server.snapshot("take")?;
    let told = redeem(&runtime.till(), &codes[0], "sale-1").await?.is(201)?;

    server.snapshot("put-back")?;
    let log = runtime.gives_up().await?;
    ensure!(log.contains("went back from") && log.contains("start this process anew"), "{log}");
    let runtime = Runtime::start(shop.database()?, shop.credentials()).await?;
    waits(&runtime.till(), &codes).await?;
    let now = json!(runtime.anyone().get("/v1/campaigns").await?.time()?.to_rfc3339());
    fact(&runtime.till(), &codes[1], "sale-2", &now).await?.problem(503, "awaiting-reconciliation")?;
    fact(&runtime.till(), &codes[0], "sale-1", &told["createdAt"]).await?.is(201)?;
    let args = ["database", "reconciled", "--by", "Ann", "--reason", "the journal of till 1 was sent again"];
    let answered = shop.verb(&args).await?.code(0)?;
    ensure!(answered.contains("went back from"), "what she answers for: {answered}");
    wait::until("everything to be decided again", wait::SOON, async || {
        redeem(&runtime.till(), &codes[1], "sale-2").await?.is(201)
    })
    .await?;
    redeem(&runtime.till(), &codes[0], "sale-3").await?.problem(409, "already-redeemed")?;
    runtime.stop().await?;
    shop.start_again().await?;
    shop.close().await
}

/// Replaces the database of a folder: what was written since must not stay beside it in its log.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let is_database = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("fanfare.db");
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if is_database(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if is_database(&entry.file_name()) {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_data_folder_from_a_backup_waits_for_the_tills_once_somebody_says_so() -> Result<()> {
    let mut shop = Shop::open_in(Scratch::copy_of(&fixture("shop"))?, Start::at(MIDDAY)).await?;
    if shop.database().is_ok() {
        // With a shared database the folder holds no business data.
        return shop.close().await;
    }
    shop.ready().await?;
    let codes = coupons(&shop).await?;
    shop.stop().await?;
    let backup = Scratch::new()?;
    copy(shop.data(), backup.path())?;
    shop.start_again().await?;
    let told = redeem(&shop.till(), &codes[0], "sale-1").await?.is(201)?;
    shop.stop().await?;
    copy(backup.path(), shop.data())?;

    let say = async |what: &str, reason: &str| shop.verb(&["database", what, "--by", "Ann", "--reason", reason]).await;
    let refused = say("restored", " ").await?;
    ensure!(refused.code == 1 && refused.err.contains("--reason: must have"), "{refused:?}");
    let told_so = say("restored", "the disk of the server was replaced").await?.code(0)?;
    ensure!(told_so.contains("fanfare database reconciled"), "{told_so}");
    shop.start_again().await?;
    waits(&shop.till(), &codes).await?;
    fact(&shop.till(), &codes[0], "sale-1", &told["createdAt"]).await?.is(201)?;

    let say = async |what: &str, reason: &str| shop.verb(&["database", what, "--by", "Ann", "--reason", reason]).await;
    let refused = say("restored", "once more").await?;
    ensure!(refused.code == 1 && refused.err.contains("end it first"), "{refused:?}");
    say("reconciled", "the journals of both tills were sent again").await?.code(0)?;
    redeem(&shop.till(), &codes[1], "sale-2").await?.is(201)?;
    redeem(&shop.till(), &codes[0], "sale-3").await?.problem(409, "already-redeemed")?;
    let refused = say("reconciled", "once more").await?;
    ensure!(refused.code == 1 && refused.err.contains("awaits no reconciliation"), "{refused:?}");
    shop.close().await
}

#[tokio::test]
async fn what_is_said_about_no_database_names_the_flag() -> Result<()> {
    let folder = Scratch::new()?;
    let data = folder.path().display().to_string();
    let refused =
        tools::verb(&["database", "restored", "--by", "Ann", "--reason", "why", "--data", &data], None).await?;
    ensure!(refused.code == 1 && refused.err.contains("no data folder"), "{refused:?}");
    let refused = tools::verb(&["database", "reconciled", "--reason", "why", "--data", &data], None).await?;
    ensure!(refused.code == 2 && refused.err.contains("--by"), "{refused:?}");
    Ok(())
}
