//! `--demo`: loads the example's members and a day of events, then lets shoppers and a till arrive, all over HTTP and with
//! their own credentials, as an app and a till would.

use super::{credentials, start::Running};
use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use fanfare_core::time::Clock;
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The most events of one request, as the API bounds it.
const BATCH_MAX: usize = 1_000;
/// How long one call may take.
const CALL_MAX: Duration = Duration::from_secs(10);

/// `demo/demo.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Script {
    /// Business time of the first start.
    clock: DateTime<chrono::FixedOffset>,
    /// The campaign that the shoppers take part in.
    campaign: String,
    /// How long one shopper after the other waits, in milliseconds.
    every_ms: u64,
    /// How many shoppers arrive.
    shoppers: usize,
    /// What they buy.
    baskets: Vec<Vec<Item>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Item {
    sku: String,
    price: String,
    #[serde(default = "one")]
    quantity: i64,
    category: Option<String>,
}

fn one() -> i64 {
    1
}

fn folder(dir: &Path) -> PathBuf {
    dir.join("demo")
}

fn script(dir: &Path) -> anyhow::Result<Option<Script>> {
    let path = folder(dir).join("demo.yaml");
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path)?;
    serde_yaml::from_str(&text).with_context(|| format!("{} cannot be read", path.display())).map(Some)
}

/// The business time at which the demo starts, if the folder has one.
pub fn clock(dir: &Path) -> anyhow::Result<Option<DateTime<Utc>>> {
    Ok(script(dir)?.map(|script| script.clock.to_utc()))
}

/// Loads members and events. Doing it again changes nothing: members are upserts, events count once.
pub async fn load(running: &Running, keys: &credentials::File) -> anyhow::Result<()> {
    if script(&running.dir)?.is_none() {
        bail!("--demo: {} has no demo/demo.yaml; run without --demo, or use examples/double-11", running.dir.display());
    }
    let caller = Caller::new(&keys.api_url, &keys.integration_key)?;
    let members = folder(&running.dir).join("members.ndjson");
    if members.exists() {
        let body = std::fs::read(&members)?;
        let answer = caller.raw("/v1/members/import", "application/x-ndjson", body).await?;
        println!("  {:<24} {} from {}", "members loaded", answer["accepted"], members.display());
    }
    let events = folder(&running.dir).join("events.ndjson");
    if events.exists() {
        let text = std::fs::read_to_string(&events)?;
        let all: Vec<Value> =
            text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect::<Result<_, _>>()?;
        let mut accepted = 0;
        for batch in all.chunks(BATCH_MAX) {
            let body = serde_json::to_vec(batch)?;
            let answer = caller.raw("/v1/events", "application/cloudevents-batch+json", body).await?;
            let results = answer["results"].as_array().cloned().unwrap_or_default();
            accepted += results.iter().filter(|result| result["status"] != "Rejected").count();
        }
        println!("  {:<24} {accepted} of {} from {}", "events loaded", all.len(), events.display());
    }
    Ok(())
}

/// Someone who calls the API with a credential.
#[derive(Clone)]
struct Caller {
    http: Client,
    url: String,
    bearer: String,
}

impl Caller {
    fn new(url: &str, bearer: &str) -> anyhow::Result<Self> {
        let http = Client::builder().timeout(CALL_MAX).build()?;
        Ok(Self { http, url: url.into(), bearer: bearer.into() })
    }

    fn with(&self, bearer: &str) -> Self {
        Self { bearer: bearer.into(), ..self.clone() }
    }

    async fn raw(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.bearer);
        let answer = request.header("content-type", kind).body(body).send().await?;
        let status = answer.status();
        let value: Value = answer.json().await?;
        if !status.is_success() {
            bail!("{path} answered {status}: {value}");
        }
        Ok(value)
    }

    async fn call(&self, method: Method, path: &str, key: Option<&str>, body: Option<Value>) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.bearer);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        Ok((status, answer.json().await.unwrap_or(Value::Null)))
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> anyhow::Result<(StatusCode, Value)> {
        self.call(Method::POST, path, Some(key), Some(body)).await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.call(Method::GET, path, None, None).await?.1)
    }
}

/// The shoppers of the demo, one after the other.
pub struct Shoppers {
    dir: PathBuf,
    keys: credentials::File,
    engine: fanfare_engine::Engine,
}

impl Shoppers {
    /// Shoppers of a folder that runs.
    pub fn new(running: &Running, keys: credentials::File) -> Self {
        Self { dir: running.dir.clone(), keys, engine: running.engine.clone() }
    }

    /// Lets each arrive in turn. A refusal is part of the show; a fault is logged and the next one comes.
    pub async fn run(self) -> anyhow::Result<()> {
        let Some(script) = script(&self.dir)? else { return std::future::pending().await };
        let till = Caller::new(&self.keys.api_url, &self.keys.terminal_key)?;
        self.until_open(&script.campaign).await;
        let run = self.engine.clock().now().timestamp();
        for number in 0..script.shoppers {
            let shopper = Shopper { script: &script, till: &till, keys: &self.keys, run, number };
            if let Err(error) = shopper.visit().await {
                tracing::warn!(%error, number, "a shopper of the demo gave up");
            }
            tokio::time::sleep(Duration::from_millis(script.every_ms)).await;
        }
        std::future::pending().await
    }

    /// Waits until the campaign has started.
    async fn until_open(&self, campaign: &str) {
        loop {
            let plans = self.engine.plans();
            let now = self.engine.clock().now();
            if plans.campaigns.get(campaign).is_some_and(|c| now >= c.plan.schedule.start_at) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// One visit of one shopper.
struct Shopper<'a> {
    script: &'a Script,
    till: &'a Caller,
    keys: &'a credentials::File,
    run: i64,
    number: usize,
}

impl Shopper<'_> {
    fn key(&self, what: &str) -> String {
        format!("demo-{}-{}-{what}", self.run, self.number)
    }

    async fn visit(&self) -> anyhow::Result<()> {
        let member_id = format!("shopper-{:04}", self.number + 1);
        let (_, login) =
            self.till.with("").call(Method::POST, "/v1/auth/dev", None, Some(json!({ "memberId": member_id }))).await?;
        let token = login["accessToken"].as_str().context("the login gave no token")?;
        let member = self.till.with(token);
        let campaign = &self.script.campaign;
        member.get("/v1/campaigns?view=active").await?;
        member.post(&format!("/v1/campaigns/{campaign}/join"), &self.key("join"), json!({})).await?;
        self.try_luck(&member, &member_id).await?;
        self.check_out(&member_id).await?;
        if self.number % 2 == 1 {
            self.use_coupons(&member).await?;
        }
        Ok(())
    }

    /// Shares the campaign, which gives an entry of its lottery, and draws.
    async fn try_luck(&self, member: &Caller, member_id: &str) -> anyhow::Result<()> {
        let campaign = &self.script.campaign;
        let event = json!({
            "specversion": "1.0", "id": self.key("shared"), "source": "demo-app", "type": "campaign.shared",
            "subject": member_id, "data": { "campaign": campaign },
        });
        member.post("/v1/me/events", &self.key("shared"), event).await?;
        let detail = member.get(&format!("/v1/campaigns/{campaign}")).await?;
        for mechanic in detail["mechanics"].as_array().into_iter().flatten() {
            let can = |action: &str| mechanic["actions"].as_array().is_some_and(|all| all.iter().any(|a| a == action));
            if let (true, Some(name)) = (can("draw"), mechanic["name"].as_str()) {
                let path = format!("/v1/campaigns/{campaign}/mechanics/{name}/draw");
                member.post(&path, &self.key("draw"), json!({})).await?;
            }
        }
        Ok(())
    }

    /// Buys a basket at the till: reserved first, then committed.
    async fn check_out(&self, member_id: &str) -> anyhow::Result<()> {
        let baskets = &self.script.baskets;
        let Some(basket) = baskets.get(self.number % baskets.len().max(1)) else { return Ok(()) };
        let lines: Vec<Value> = basket
            .iter()
            .enumerate()
            .map(|(index, item)| {
                json!({
                    "id": (index + 1).to_string(), "sku": item.sku, "quantity": item.quantity,
                    "unitPrice": item.price, "category": item.category,
                })
            })
            .collect();
        let currency = self.till.get("/v1/campaigns").await.ok().and_then(|_| None::<String>);
        let cart = json!({
            "memberId": member_id, "storeId": self.keys.store_id, "channel": "pos",
            "currency": currency.unwrap_or_else(|| "THB".into()), "lines": lines, "codes": [], "reservations": [],
        });
        let id = self.key("order");
        let order = json!({ "id": id, "mode": "Reserve", "cart": cart });
        let (status, answer) = self.till.post("/v1/orders", &self.key("reserve"), order).await?;
        if status != StatusCode::CREATED {
            bail!("the order was refused with {status}: {}", answer["detail"]);
        }
        let (status, answer) = self.till.post(&format!("/v1/orders/{id}/commit"), &self.key("commit"), json!({})).await?;
        if !status.is_success() {
            bail!("the order was not committed ({status}): {}", answer["detail"]);
        }
        Ok(())
    }

    /// Claims what was given and has the till redeem the first coupon.
    async fn use_coupons(&self, member: &Caller) -> anyhow::Result<()> {
        let grants = member.get("/v1/grants").await?;
        for grant in grants["items"].as_array().into_iter().flatten() {
            let Some(id) = grant["id"].as_str() else { continue };
            if grant["state"] == "Granted" {
                member.post(&format!("/v1/grants/{id}/claim"), &self.key(&format!("claim-{id}"))[..].chars().take(64).collect::<String>(), json!({})).await?;
            }
            let code = member.get(&format!("/v1/grants/{id}/code")).await?;
            let Some(payload) = code["payload"].as_str() else { continue };
            let redemption = json!({
                "code": payload, "mode": "Commit", "storeId": self.keys.store_id,
            });
            self.till.post("/v1/redemptions", &self.key("redeem"), redemption).await?;
            return Ok(());
        }
        Ok(())
    }
}
