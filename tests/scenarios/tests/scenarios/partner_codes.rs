//! Codes of a partner that a Secret declares: taken, named where they are wrong, and added to while the shop runs.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    database::Database,
    folder::{Scratch, fixture},
    runtime::Runtime,
    shop::{Shop, Start},
};
use serde_json::{Value, json};
use std::fs;

const CINEMA: &str = r#"apiVersion: fanfare.dev/v1alpha1
kind: Reward
metadata: {name: cinema}
spec:
  title: A cinema ticket
  voucher: {amountOff: "120"}
  codes: {import: {secretRef: {name: cinema-codes}}}
"#;

fn folder() -> Result<Scratch> {
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.write("cinema.yaml", CINEMA)?;
    Ok(folder)
}

/// The condition that tells of the codes, and how many there are.
fn told(reward: &Value) -> Result<(String, String, Value)> {
    let conditions = reward["status"]["conditions"].as_array().context("no conditions yet")?;
    let found = conditions.iter().find(|one| one["type"] == "CodesImported").context("nothing of codes yet")?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Ok((text("reason"), text("message"), reward["status"]["codes"].clone()))
}

async fn until(shop: &Shop, reason: &str, says: &str, imported: i64) -> Result<()> {
    let look = |reward: &Value| {
        let (found, message, codes) = told(reward)?;
        ensure!(found == reason && message.contains(says), "{found}: {message}");
        ensure!(imported == 0 || codes == json!({"imported": imported, "left": imported}), "{codes}");
        ensure!(!message.contains("XIII"), "a code is no message: {message}");
        Ok(())
    };
    shop.resource_until("reward", "cinema", look).await.map(drop)
}

async fn secret(shop: &Shop, list: &str) -> Result<()> {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cinema-codes"}, "stringData": {"autumn.csv": list}});
    shop.kubectl(&["apply", "--server-side", "-f", "-"], Some(&secret.to_string())).await?.code(0).map(drop)
}

#[tokio::test]
async fn codes_of_a_secret_are_taken_added_to_and_named_where_they_are_wrong() -> Result<()> {
    let mut shop = Shop::open_in(folder()?, Start::at(MIDDAY)).await?;
    until(&shop, "SecretMissing", "cinema-codes", 0).await?;
    secret(&shop, "code\nXIII-0001\nXIII-0002\n").await?;
    until(&shop, "Imported", "2 codes", 2).await?;
    secret(&shop, "code\nXIII-0001\nXIII-0002\nX!\nXIII-0003\n").await?;
    until(&shop, "LinesRefused", "autumn.csv:4", 3).await?;
    shop.kill()?;
    shop.start_again().await?;
    secret(&shop, "code\nXIII-0001\nXIII-0003\n").await?;
    until(&shop, "Imported", "1 of the pool are not in the Secret and stay", 3).await?;
    shop.close().await
}

#[tokio::test]
async fn a_runtime_takes_the_codes_of_the_secret_that_is_mounted() -> Result<()> {
    let shop = Shop::open_on(folder()?, Start::at(MIDDAY), Database::fresh().await?).await?;
    until(&shop, "SecretMissing", "cinema-codes", 0).await?;
    let mounted = Scratch::new()?;
    let secret = mounted.path().join("cinema-codes");
    fs::create_dir(&secret)?;
    fs::write(secret.join("autumn.csv"), "XIII-0001\nXIII-0002\nXIII-0003\n")?;
    let path = mounted.path().to_str().context("a path that is no text")?;
    let runtime = Runtime::start_with(shop.database()?, shop.credentials(), &["--secrets", path]).await?;
    until(&shop, "Imported", "3 codes", 3).await?;
    runtime.stop().await?;
    shop.close().await
}
