//! `--demo`: loads the example's members and a day of events, then lets shoppers and a till arrive, all over HTTP and with
//! their own credentials, as an app and a till would.

use super::{credentials, start::Running};
use crate::serve::say;
use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
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

/// How long after one shopper the next arrives.
const EVERY: Duration = Duration::from_millis(400);
/// Each so many-th visitor is someone new.
const NEWCOMER_EACH: usize = 6;
/// The most products in a basket.
const BASKET_MAX: u64 = 3;

/// `demo/demo.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Script {
    /// Business time of the first start.
    clock: DateTime<chrono::FixedOffset>,
    /// What the shoppers' choices are drawn from.
    seed: u64,
    /// The file with the members.
    members: String,
    /// The file with the events.
    events: String,
    /// What the shoppers put into their carts.
    products: Vec<Product>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Product {
    sku: String,
    category: Option<String>,
    brand: Option<String>,
    unit_price: String,
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
    let Some(script) = script(&running.dir)? else {
        bail!("--demo: {} has no demo/demo.yaml; run without --demo, or use examples/double-11", running.dir.display());
    };
    let caller = Caller::new(&keys.api_url, &keys.integration_key)?;
    let members = folder(&running.dir).join(&script.members);
    if members.exists() {
        let body = std::fs::read(&members)?;
        let answer = caller.raw("/v1/members/import", "application/x-ndjson", body).await?;
        say("members loaded", &format!("{} from {}", answer["accepted"], members.display()));
    }
    let events = folder(&running.dir).join(&script.events);
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
        say("events loaded", &format!("{accepted} of {} from {}", all.len(), events.display()));
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

    async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
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
        let campaign = self.open_campaign().await;
        let currency = self.engine.plans().runtime.as_ref().map_or_else(String::new, |r| r.currency.code().to_owned());
        let mut members = self.members(&script)?.into_iter();
        let mut chance = ChaCha8Rng::seed_from_u64(script.seed);
        // Each start of the demo is a day of its own: other keys, other orders.
        let run = self.engine.clock().now().timestamp();
        for number in 1.. {
            let is_new = number % NEWCOMER_EACH == 0;
            let member = if is_new { Some(format!("newcomer-{run}-{number}")) } else { members.next() };
            let Some(member) = member else { break };
            let basket = basket(&script.products, &mut chance);
            let visit = Visit {
                till: Caller::new(&self.keys.api_url, &self.keys.terminal_key)?,
                shop: Caller::new(&self.keys.api_url, &self.keys.integration_key)?,
                store: &self.keys.store_id,
                campaign: &campaign,
                currency: &currency,
                member: &member,
                id: format!("demo-{run}-{number}"),
            };
            if let Err(error) = visit.all(is_new, &basket).await {
                // Also the last one, when the shop closes while it is served.
                tracing::info!(%error, number, "a shopper of the demo gave up");
            }
            tokio::time::sleep(EVERY).await;
        }
        std::future::pending().await
    }

    fn members(&self, script: &Script) -> anyhow::Result<Vec<String>> {
        let text = std::fs::read_to_string(folder(&self.dir).join(&script.members))?;
        let id = |line: &str| serde_json::from_str::<Value>(line).ok()?["id"].as_str().map(str::to_owned);
        Ok(text.lines().filter_map(id).collect())
    }

    /// Waits until a campaign has started, and names it.
    async fn open_campaign(&self) -> String {
        loop {
            let now = self.engine.clock().now();
            let plans = self.engine.plans();
            let open = plans.campaigns.values().find(|campaign| now >= campaign.plan.schedule.start_at);
            if let Some(campaign) = open {
                return campaign.plan.name.to_string();
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

fn basket<'a>(products: &'a [Product], chance: &mut ChaCha8Rng) -> Vec<&'a Product> {
    let Ok(count) = u64::try_from(products.len()) else { return Vec::new() };
    if count == 0 {
        return Vec::new();
    }
    let size = 1 + chance.next_u64() % BASKET_MAX;
    let pick = |_| usize::try_from(chance.next_u64() % count).ok().and_then(|index| products.get(index));
    (0..size).filter_map(pick).collect()
}

/// One visit of one shopper.
struct Visit<'a> {
    till: Caller,
    shop: Caller,
    store: &'a str,
    campaign: &'a str,
    currency: &'a str,
    member: &'a str,
    id: String,
}

impl Visit<'_> {
    fn key(&self, what: &str) -> String {
        format!("{}-{what}", self.id)
    }

    async fn all(&self, is_new: bool, basket: &[&Product]) -> anyhow::Result<()> {
        if is_new {
            self.register().await?;
        }
        let nobody = self.shop.with("");
        let (_, login) =
            nobody.call(Method::POST, "/v1/auth/dev", None, Some(json!({ "memberId": self.member }))).await?;
        let token = login["accessToken"].as_str().with_context(|| format!("the login gave no token: {login}"))?;
        let member = self.shop.with(token);
        member.get("/v1/campaigns?view=active").await?;
        let campaign = self.campaign;
        member.post(&format!("/v1/campaigns/{campaign}/join"), &self.key("join"), json!({})).await?;
        self.try_luck(&member).await?;
        self.check_out(basket).await?;
        self.use_coupon(&member).await
    }

    /// The CRM tells of someone new.
    async fn register(&self) -> anyhow::Result<()> {
        let event = json!({
            "specversion": "1.0", "id": self.key("registered"), "source": "demo-crm", "type": "member.registered",
            "subject": self.member, "data": {},
        });
        self.shop.raw("/v1/events", "application/cloudevents+json", serde_json::to_vec(&event)?).await.map(drop)
    }

    /// Shares the campaign, which gives an entry of its lottery, and draws.
    async fn try_luck(&self, member: &Caller) -> anyhow::Result<()> {
        let campaign = self.campaign;
        let event = json!({
            "specversion": "1.0", "id": self.key("shared"), "source": "demo-app", "type": "campaign.shared",
            "subject": self.member, "data": { "campaign": campaign },
        });
        member.raw("/v1/me/events", "application/cloudevents+json", serde_json::to_vec(&event)?).await?;
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
    async fn check_out(&self, basket: &[&Product]) -> anyhow::Result<()> {
        let lines = basket.iter().enumerate().map(|(index, product)| {
            json!({
                "id": (index + 1).to_string(), "sku": product.sku, "quantity": 1, "unitPrice": product.unit_price,
                "category": product.category, "brand": product.brand,
            })
        });
        let cart = json!({
            "memberId": self.member, "storeId": self.store, "channel": "pos", "currency": self.currency,
            "lines": lines.collect::<Vec<_>>(), "codes": [], "reservations": [],
        });
        let id = &self.id;
        let order = json!({ "id": id, "mode": "Reserve", "cart": cart });
        let (status, answer) = self.till.post("/v1/orders", &self.key("reserve"), order).await?;
        if status != StatusCode::CREATED {
            bail!("the order was refused with {status}: {answer}");
        }
        let (status, answer) =
            self.till.post(&format!("/v1/orders/{id}/commit"), &self.key("commit"), json!({})).await?;
        if !status.is_success() {
            bail!("the order was not committed ({status}): {answer}");
        }
        Ok(())
    }

    /// Claims what was given; the till redeems every other one.
    async fn use_coupon(&self, member: &Caller) -> anyhow::Result<()> {
        let grants = member.get("/v1/grants").await?;
        let vouchers = grants["items"].as_array().into_iter().flatten().filter(|grant| grant["kind"] != "points");
        for (index, grant) in vouchers.enumerate() {
            let Some(id) = grant["id"].as_str() else { continue };
            if grant["state"] == "Granted" {
                member.post(&format!("/v1/grants/{id}/claim"), &self.key(&format!("claim-{index}")), json!({})).await?;
            }
            let code = member.get(&format!("/v1/grants/{id}/code")).await?;
            let Some(payload) = code["payload"].as_str().filter(|_| index % 2 == 0) else { continue };
            // What is bought with it, so that the till can see whether it is enough for the voucher.
            let order = json!({ "id": format!("{}-{index}", self.id), "total": "1500", "currency": self.currency });
            let redemption = json!({ "code": payload, "mode": "Commit", "storeId": self.store, "order": order });
            self.till.post("/v1/redemptions", &self.key(&format!("redeem-{index}")), redemption).await?;
        }
        Ok(())
    }
}
