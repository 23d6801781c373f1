//! Finance: corrections with a second person, the export, and an audit that finds what was changed behind its back.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::buy_big,
    folder::{Scratch, fixture},
    shop::{Shop, Start},
    tools,
};
use serde_json::Value;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{fs, path::Path};

/// A shop where a correction that is worth more than 100 baht needs a second person.
async fn shop() -> Result<Shop> {
    let folder = Scratch::copy_of(&fixture("shop"))?;
    let limit = "  orders: {reserveFor: 15m}\n  ledger: {approveAbove: \"100\"}\n";
    folder.edit("runtime.yaml", "  orders: {reserveFor: 15m}\n", limit)?;
    Shop::open_in(folder, Start::at(MIDDAY)).await
}

/// Runs a verb of the ledger with the key of a person.
async fn as_person(shop: &Shop, key: &str, args: &[&str]) -> Result<tools::Ended> {
    let mut all = vec!["ledger"];
    all.extend(args);
    all.extend(["--api-url", &shop.credentials().api_url, "--api-key", key]);
    tools::verb(&all, None).await
}

/// Makes a key for a person.
async fn person(shop: &Shop, name: &str, scopes: &[&str]) -> Result<String> {
    let mut args = vec!["key", "create", "--label", name];
    scopes.iter().for_each(|scope| args.extend(["--scope", scope]));
    let printed = shop.verb(&args).await?.code(0)?;
    Ok(printed.lines().find_map(|line| line.strip_prefix("key: ")).context("no key was printed")?.to_owned())
}

#[tokio::test]
async fn a_correction_above_the_limit_is_posted_by_a_second_person() -> Result<()> {
    let shop = shop().await?;
    let ann = shop.member("ann").await?;
    let (maker, checker) = (person(&shop, "Mali", &["adjust"]).await?, person(&shop, "Chai", &["approve"]).await?);
    let points = |amount: &'static str| {
        ["adjust", "points", "--member", "ann", "--amount", amount, "--reason", "promised on the phone"]
    };
    // A point is worth 0.10.
    let small = as_person(&shop, &maker, &points("1000")).await?.code(0)?;
    ensure!(small.contains("is posted"), "{small}");
    let balance = async || Ok::<_, anyhow::Error>(ann.get("/v1/points").await?.is(200)?["balance"].clone());
    let posted = balance().await?;
    let large = as_person(&shop, &maker, &points("1001")).await?.code(0)?;
    ensure!(large.contains("waits for a second person"), "{large}");
    ensure!(balance().await? == posted, "it was posted before it was approved");
    let id = large.split_whitespace().next().context("no id")?;

    let waiting = as_person(&shop, &checker, &["pending"]).await?.code(0)?;
    ensure!(waiting.starts_with(id) && waiting.contains("worth 100.10 THB"), "{waiting}");
    let own = as_person(&shop, &maker, &["approve", id]).await?;
    ensure!(own.code == 1 && own.err.contains("forbidden"), "{own:?}");
    let done = as_person(&shop, &checker, &["approve", id, "--reason", "heard the call"]).await?.code(0)?;
    ensure!(done.contains("is posted"), "{done}");
    let now = balance().await?.as_i64().context("no balance")?;
    ensure!(Some(now) == posted.as_i64().map(|before| before + 1001), "{now}");
    let again = as_person(&shop, &checker, &["approve", id]).await?;
    ensure!(again.err.contains("already-decided"), "{again:?}");
    // One key with both scopes is still one person.
    let both = person(&shop, "Dao", &["adjust", "approve"]).await?;
    let printed = as_person(&shop, &both, &points("-1001")).await?.code(0)?;
    let id = printed.split_whitespace().next().context("no id")?;
    let own = as_person(&shop, &both, &["approve", id]).await?;
    ensure!(own.code == 1 && own.err.contains("same-person"), "{own:?}");
    as_person(&shop, &both, &["reject", id]).await?.code(0)?;
    ensure!(as_person(&shop, &checker, &["pending"]).await?.code(0)?.is_empty());
    shop.close().await
}

#[tokio::test]
async fn an_export_goes_on_where_it_ended_and_sums_to_zero() -> Result<()> {
    let shop = shop().await?;
    shop.member("ann").await?;
    buy_big(&shop, "ann", "order-1").await?;
    let read =
        |text: &str| -> Result<Vec<Value>> { text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect() };
    let first = read(&shop.verb(&["ledger", "export"]).await?.code(0)?)?;
    let last = first.last().context("an empty ledger")?["position"].to_string();
    buy_big(&shop, "ann", "order-2").await?;
    let rest = read(&shop.verb(&["ledger", "export", "--from", &last]).await?.code(0)?)?;
    ensure!(!rest.is_empty());
    let whole = read(&shop.verb(&["ledger", "export"]).await?.code(0)?)?;
    let parts: Vec<&Value> = first.iter().chain(&rest).collect();
    ensure!(whole.len() >= parts.len() && whole.iter().zip(parts).all(|(one, part)| one == part));
    let sum: i64 = whole.iter().filter(|line| line["unit"] == "THB").filter_map(|line| line["minor"].as_i64()).sum();
    ensure!(sum == 0, "THB sums to {sum}");
    let csv = shop.verb(&["ledger", "export", "--output", "csv"]).await?.code(0)?;
    ensure!(csv.starts_with("position,line,at,rule,") && csv.lines().count() > whole.len(), "{csv}");
    let data = shop.data().display().to_string();
    let unread = tools::verb_unread(&["ledger", "export", "--data", &data]).await?;
    ensure!(unread.code == 0 && unread.err.is_empty(), "whoever reads no further has what he wants: {unread:?}");
    let wrong = as_person(&shop, "wrong", &["export"]).await?;
    ensure!(
        wrong.code == 1 && wrong.err.starts_with("error: --api-key: ") && wrong.err.lines().count() == 1,
        "{wrong:?}"
    );
    for name in ["trial-balance", "liability", "breakage", "exceptions"] {
        let table = shop.verb(&["ledger", "report", name]).await?.code(0)?;
        ensure!(table.starts_with("position,"), "{name}: {table}");
    }
    shop.close().await
}

/// Runs SQL on a database file, as somebody does who has got at it.
async fn tamper(database: &Path, sql: &str) -> Result<()> {
    let mut conn = SqliteConnectOptions::new().filename(database).connect().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await?;
    Ok(conn.close().await?)
}

#[tokio::test]
async fn an_audit_names_the_first_transaction_that_was_changed() -> Result<()> {
    let mut shop = shop().await?;
    shop.member("ann").await?;
    buy_big(&shop, "ann", "order-1").await?;
    let live = shop.verb(&["audit", "verify"]).await?.code(0)?;
    ensure!(live.contains("all holds; the chain ends in "), "{live}");
    let nowhere = shop.verb(&["audit", "verify", "--namespace", "nowhere"]).await?;
    let named = format!("name one of: {}", shop.credentials().namespace);
    ensure!(nowhere.code == 1 && nowhere.out.is_empty() && nowhere.err.contains(&named), "{nowhere:?}");
    shop.verb(&["audit", "verify", "--namespace", &shop.credentials().namespace]).await?.code(0)?;
    shop.stop().await?;
    let copy = Scratch::new()?;
    for file in ["fanfare.db", "fanfare.db-wal"].map(|name| (shop.data().join(name), copy.path().join(name))) {
        if file.0.exists() {
            fs::copy(file.0, file.1)?;
        }
    }
    let data = copy.path().display().to_string();
    let verify =
        async |output: &str| tools::verb(&["audit", "verify", "--output", output, "--data", &data], None).await;
    let whole: Value = serde_json::from_str(&verify("json").await?.code(0)?)?;
    ensure!(whole["holds"] == true && whole["namespaces"][0]["transactions"].as_i64() > Some(2), "{whole}");

    // What came off the order is made to look less: entries, balances and the sums agree, only the chain does not.
    let database = copy.path().join("fanfare.db");
    let less = "DROP TRIGGER entries_are_not_updated;
        CREATE TEMP TABLE forged AS SELECT min(seq) AS seq FROM ledger WHERE rule = 'order-committed';
        UPDATE balances SET amount = amount - (SELECT sum(e.amount) / 2 FROM entries e, forged f
            WHERE e.seq = f.seq AND e.account = balances.account AND e.unit = balances.unit)
            WHERE account IN (SELECT account FROM entries e, forged f WHERE e.seq = f.seq);
        UPDATE entries SET amount = amount - amount / 2 WHERE seq = (SELECT seq FROM forged);";
    tamper(&database, less).await?;
    let found: Value = serde_json::from_str(&verify("json").await?.code(1)?)?;
    let broken = found["namespaces"][0]["firstBroken"].as_i64().context("no broken link")?;
    ensure!(found["holds"] == false && broken > 1, "{found}");
    let text = verify("text").await?.code(1)?;
    println!("fanfare audit verify\n{text}");
    ensure!(
        text.contains(&format!("the ledger's chain is broken at transaction {broken} (order-committed of order-1)")),
        "{text}"
    );
    ensure!(text.contains("was changed after it was written") && text.contains("is as it was written"), "{text}");
    ensure!(text.contains(&format!("the ledger is NOT as it was written, from transaction {broken} on")), "{text}");
    // The original is untouched.
    shop.audit().await
}
