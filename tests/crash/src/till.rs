//! A till with its regular members: it does what tills do, as fast as it is answered, and journals every call.

use crate::record::{Answer, Call, Request, What, Who, Wire};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How many members a till serves.
const MEMBERS: usize = 3;
/// The most codes that are handed around among the tills.
const CODES_MAX: usize = 400;

/// The status of an API whose database is slow to come back.
pub const OVERLOADED: u16 = 503;
/// How often a check asks again before it takes that for an answer.
pub const OVERLOADED_MAX: usize = 120;
/// How long it waits in between.
pub const OVERLOADED_PAUSE: Duration = Duration::from_millis(500);

/// Codes that any till may be shown, so that two may redeem one at once.
pub type Codes = Arc<Mutex<Vec<String>>>;

/// One line of an order.
#[derive(Clone, Debug)]
pub struct Line {
    id: &'static str,
    sku: &'static str,
    quantity: i64,
    /// In satang.
    price: i64,
    back: i64,
}

/// An order as the till knows it by what it was told.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its lines, with what came back.
    pub lines: Vec<Line>,
    /// The last acknowledged view.
    pub view: Value,
}

/// The API as its callers see it.
#[derive(Clone, Debug)]
pub struct Session {
    /// What carries the calls.
    pub wire: Arc<dyn Wire>,
    /// The till's key.
    pub till_key: String,
    /// The shop's backend's key.
    pub backend_key: String,
    /// Members' tokens.
    pub tokens: BTreeMap<String, String>,
}

impl Session {
    /// Opens one; members are logged in by [`Till::log_in`].
    pub fn new(wire: Arc<dyn Wire>, till_key: &str, backend_key: &str) -> Self {
        Self { wire, till_key: till_key.into(), backend_key: backend_key.into(), tokens: BTreeMap::new() }
    }

    fn bearer(&self, who: &Who) -> &str {
        match who {
            Who::Till => &self.till_key,
            Who::Backend => &self.backend_key,
            Who::Member(member) => self.tokens.get(member).map_or("", String::as_str),
        }
    }

    /// Sends a call; nothing when it was not answered.
    pub async fn send(&self, call: &Call) -> Option<Answer> {
        self.wire.send(Request::post(&call.path, self.bearer(&call.who), &call.key, &call.body)).await
    }

    /// Reads as somebody; nothing unless it is answered with 200.
    pub async fn get(&self, who: &Who, path: &str) -> Option<Value> {
        for _ in 0..OVERLOADED_MAX {
            let answer = self.wire.send(Request::get(path, self.bearer(who))).await?;
            if answer.status != OVERLOADED {
                return (answer.status == 200).then(|| answer.json());
            }
            tokio::time::sleep(OVERLOADED_PAUSE).await;
        }
        None
    }
}

/// A till.
#[derive(Debug)]
pub struct Till {
    name: usize,
    chance: ChaCha8Rng,
    codes: Codes,
    next: u64,
    /// Its regulars.
    pub members: Vec<String>,
    /// Every call so far.
    pub calls: Vec<Call>,
    /// The first call since the last check.
    pub fresh: usize,
    /// The first call whose key is still kept, as far as time goes.
    pub kept: usize,
    /// Orders by id.
    pub orders: BTreeMap<String, Order>,
    /// The last acknowledged view of each redemption without a cart, by id.
    pub redemptions: BTreeMap<String, Value>,
}

impl Till {
    /// A till whose choices follow from the seed.
    pub fn new(name: usize, seed: u64, codes: Codes) -> Self {
        let stream = seed.wrapping_mul(1_000_003).wrapping_add(name as u64);
        Self {
            name,
            chance: ChaCha8Rng::seed_from_u64(stream),
            codes,
            next: 0,
            members: (0..MEMBERS).map(|number| format!("m{name}-{number}")).collect(),
            calls: Vec::new(),
            fresh: 0,
            kept: 0,
            orders: BTreeMap::new(),
            redemptions: BTreeMap::new(),
        }
    }

    /// Logs its members in.
    pub async fn log_in(&self, session: &mut Session) -> bool {
        for member in &self.members {
            let body = json!({"memberId": member});
            let answer = session.wire.send(Request::post("/v1/auth/dev", "", "", &body)).await;
            let Some(token) = answer.and_then(|answer| Some(answer.json()["accessToken"].as_str()?.to_owned())) else {
                return false;
            };
            session.tokens.insert(member.clone(), token);
        }
        true
    }

    /// Works until it is told to stop, or a call gets no answer.
    pub async fn work(&mut self, session: &Session, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && self.step(session).await.is_some() {}
    }

    /// Does at most so many things; stops when a call gets no answer.
    pub async fn work_for(&mut self, session: &Session, steps: usize) {
        for _ in 0..steps {
            if self.step(session).await.is_none() {
                return;
            }
        }
    }

    /// The first order of each member, so that all of them take part.
    pub async fn open(&mut self, session: &Session) -> Option<()> {
        for member in self.members.clone() {
            self.place(session, &member, "Commit", vec![mug(1)], &[], &[]).await?;
        }
        Some(())
    }

    /// Does one thing; nothing when a call of it got no answer.
    pub async fn step(&mut self, session: &Session) -> Option<()> {
        let member = self.members[self.chance.random_range(0..self.members.len())].clone();
        match self.chance.random_range(0..100) {
            0..=27 => {
                let lines = vec![mug(self.chance.random_range(1..=4))];
                self.place(session, &member, "Commit", lines, &[], &[]).await?;
            }
            28..=39 => {
                let lines = vec![mug(self.chance.random_range(1..=3)), coat(self.chance.random_range(2..=3))];
                self.place(session, &member, "Commit", lines, &[], &[]).await?;
            }
            40..=53 => self.reserve_and_then(session, &member).await?,
            54..=65 => self.bring_back(session).await?,
            66..=73 => self.claim(session, &member).await?,
            74..=81 => self.redeem(session, &member).await?,
            82..=84 => self.reverse(session).await?,
            85..=88 => self.share(session, &member).await?,
            89..=91 => {
                let act = "/v1/campaigns/sale/mechanics/share-lottery/draw";
                self.ask(session, Who::Member(member), act, json!({}), What::Act).await?;
            }
            92..=94 => self.flash(session, &member).await?,
            _ => self.repeat(session).await?,
        }
        Some(())
    }

    fn id(&mut self, what: &str) -> String {
        self.next += 1;
        format!("{what}-{}-{}", self.name, self.next)
    }

    /// Sends, journals, and learns from the answer. Nothing when nothing was decided.
    async fn ask(&mut self, session: &Session, who: Who, path: &str, body: Value, what: What) -> Option<Answer> {
        let key = if matches!(what, What::Event) { String::new() } else { self.id("key") };
        let call = Call { who, path: path.into(), key, body, what, answer: None };
        let answer = session.send(&call).await.filter(Answer::is_decision);
        self.calls.push(call);
        let at = self.calls.len() - 1;
        if let Some(answer) = &answer {
            self.learn(at, answer.clone());
        }
        answer
    }

    /// What a decision means for what the till knows.
    pub fn learn(&mut self, at: usize, answer: Answer) {
        let call = &mut self.calls[at];
        call.answer = Some(answer.clone());
        if !answer.is_success() {
            return;
        }
        let view = answer.json();
        match &call.what {
            What::Place { order } => {
                let lines = lines_of(&call.body["cart"]);
                self.orders.insert(order.clone(), Order { lines, view });
            }
            What::Commit { order } | What::Void { order } => {
                if let Some(known) = self.orders.get_mut(order) {
                    known.view = view;
                }
            }
            What::Return { order, .. } => {
                let Some(known) = self.orders.get_mut(order) else { return };
                known.view = view;
                for back in call.body["lines"].as_array().into_iter().flatten() {
                    for line in known.lines.iter_mut().filter(|line| back["id"] == line.id) {
                        line.back += back["quantity"].as_i64().unwrap_or(0);
                    }
                }
            }
            What::Redeem { .. } | What::Reverse { .. } => {
                if let Some(id) = view["id"].as_str() {
                    self.redemptions.insert(id.to_owned(), view);
                }
            }
            What::Claim { .. } | What::Act | What::Event => {}
        }
    }

    async fn place(
        &mut self,
        session: &Session,
        member: &str,
        mode: &str,
        lines: Vec<Line>,
        codes: &[String],
        reservations: &[String],
    ) -> Option<(String, Answer)> {
        let order = self.id("o");
        let lines: Vec<Value> = lines.iter().map(Line::to_json).collect();
        let cart = json!({"memberId": member, "storeId": "bkk-01", "channel": "pos", "currency": "THB", "lines": lines,
            "codes": codes, "reservations": reservations});
        let body = json!({"id": order, "mode": mode, "cart": cart});
        let what = What::Place { order: order.clone() };
        let answer = self.ask(session, Who::Till, "/v1/orders", body, what).await?;
        Some((order, answer))
    }

    async fn reserve_and_then(&mut self, session: &Session, member: &str) -> Option<()> {
        let codes: Vec<String> =
            if self.chance.random_ratio(1, 3) { self.any_code().into_iter().collect() } else { vec![] };
        let lines = vec![mug(self.chance.random_range(1..=3)), coat(1)];
        let (order, answer) = self.place(session, member, "Reserve", lines, &codes, &[]).await?;
        if !answer.is_success() {
            return Some(());
        }
        match self.chance.random_range(0..10) {
            0..=5 => {
                let (path, what) = (format!("/v1/orders/{order}/commit"), What::Commit { order });
                self.ask(session, Who::Till, &path, json!({}), what).await.map(drop)
            }
            6..=7 => {
                let (path, what) = (format!("/v1/orders/{order}/void"), What::Void { order });
                self.ask(session, Who::Till, &path, json!({}), what).await.map(drop)
            }
            // It lapses by itself.
            _ => Some(()),
        }
    }

    async fn bring_back(&mut self, session: &Session) -> Option<()> {
        let sold = |known: &&String| matches!(state(&self.orders[*known].view), "Committed" | "PartiallyReturned");
        let candidates: Vec<String> = self.orders.keys().rev().take(40).filter(sold).cloned().collect();
        if candidates.is_empty() {
            return Some(());
        }
        let order = candidates[self.chance.random_range(0..candidates.len())].clone();
        let left: Vec<_> = self.orders[&order].lines.iter().filter(|line| line.back < line.quantity).cloned().collect();
        let Some(line) = left.first() else { return Some(()) };
        let quantity = self.chance.random_range(1..=line.quantity - line.back);
        let id = self.id("r");
        let body = json!({"returnId": id, "lines": [{"id": line.id, "quantity": quantity}], "reason": "size"});
        let path = format!("/v1/orders/{order}/returns");
        self.ask(session, Who::Till, &path, body, What::Return { order, id }).await.map(drop)
    }

    async fn claim(&mut self, session: &Session, member: &str) -> Option<()> {
        let who = Who::Member(member.to_owned());
        let page = session.get(&who, "/v1/grants?state=Granted&limit=20").await?;
        let coupon = page["items"].as_array().into_iter().flatten().find(|grant| grant["reward"] == "coupon");
        let Some(grant) = coupon.and_then(|grant| grant["id"].as_str()).map(str::to_owned) else { return Some(()) };
        let (path, member) = (format!("/v1/grants/{grant}/claim"), member.to_owned());
        let what = What::Claim { member, grant: grant.clone() };
        let answer = self.ask(session, who.clone(), &path, json!({}), what).await?;
        if answer.is_success() {
            let code = session.get(&who, &format!("/v1/grants/{grant}/code")).await?;
            let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(code), true) = (code["payload"].as_str(), codes.len() < CODES_MAX) {
                codes.push(code.to_owned());
            }
        }
        Some(())
    }

    /// A code that stays with the others more often than not, so that it is shown twice.
    fn any_code(&mut self) -> Option<String> {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.is_empty() {
            return None;
        }
        let at = self.chance.random_range(0..codes.len());
        Some(if self.chance.random_ratio(1, 3) { codes.swap_remove(at) } else { codes[at].clone() })
    }

    async fn redeem(&mut self, session: &Session, member: &str) -> Option<()> {
        let Some(code) = self.any_code() else { return self.claim(session, member).await };
        let order = self.id("receipt");
        let body = json!({"code": code, "mode": "Commit", "storeId": "bkk-01",
            "order": {"id": order, "total": "800.00", "currency": "THB"}});
        self.ask(session, Who::Till, "/v1/redemptions", body, What::Redeem { order }).await.map(drop)
    }

    async fn reverse(&mut self, session: &Session) -> Option<()> {
        let live = self.redemptions.iter().find(|(_, view)| state(view) == "Committed");
        let Some(redemption) = live.map(|(id, _)| id.clone()) else { return Some(()) };
        let id = self.id("reversal");
        let body = json!({"reversalId": id, "reason": "wrong till"});
        let path = format!("/v1/redemptions/{redemption}/reverse");
        self.ask(session, Who::Till, &path, body, What::Reverse { redemption, id }).await.map(drop)
    }

    async fn share(&mut self, session: &Session, member: &str) -> Option<()> {
        let id = self.id("share");
        let body = json!({"specversion": "1.0", "type": "campaign.shared", "source": "crash", "id": id,
            "subject": member, "datacontenttype": "application/json", "data": {"campaign": "sale"}});
        self.ask(session, Who::Backend, "/v1/events", body, What::Event).await.map(drop)
    }

    async fn flash(&mut self, session: &Session, member: &str) -> Option<()> {
        let path = "/v1/campaigns/sale/mechanics/flash/reserve";
        let body = json!({"sku": "TEA-01", "quantity": 1, "storeId": "bkk-01"});
        let answer = self.ask(session, Who::Member(member.to_owned()), path, body, What::Act).await?;
        let Some(id) = answer.json()["reservation"]["id"].as_str().map(str::to_owned) else { return Some(()) };
        let tea = Line { id: "tea", sku: "TEA-01", quantity: 1, price: 15_000, back: 0 };
        self.place(session, member, "Commit", vec![tea], &[], &[id]).await.map(drop)
    }

    /// Asks again what was answered before; another answer is found by the next check, which asks it once more.
    async fn repeat(&mut self, session: &Session) -> Option<()> {
        if self.calls.len() <= self.kept {
            return Some(());
        }
        let at = self.chance.random_range(self.kept..self.calls.len());
        session.send(&self.calls[at]).await.filter(Answer::is_decision).map(drop)
    }
}

impl Order {
    /// What of it came back, at its price before any discount, in satang.
    pub fn brought_back(&self) -> i64 {
        self.lines.iter().map(|line| line.back * line.price).sum()
    }
}

impl Line {
    fn to_json(&self) -> Value {
        let price = format!("{}.{:02}", self.price / 100, self.price % 100);
        json!({"id": self.id, "sku": self.sku, "quantity": self.quantity, "unitPrice": price})
    }
}

fn mug(quantity: i64) -> Line {
    Line { id: "mug", sku: "MUG-01", quantity, price: 9_999, back: 0 }
}

fn coat(quantity: i64) -> Line {
    Line { id: "coat", sku: "COAT-01", quantity, price: 100_050, back: 0 }
}

/// The lines of a cart that was sent.
fn lines_of(cart: &Value) -> Vec<Line> {
    let known = [mug(0), coat(0), Line { id: "tea", sku: "TEA-01", quantity: 0, price: 15_000, back: 0 }];
    let lines = cart["lines"].as_array().into_iter().flatten();
    let line = |sent: &Value| {
        let known = known.iter().find(|line| sent["id"] == line.id)?;
        Some(Line { quantity: sent["quantity"].as_i64()?, ..known.clone() })
    };
    lines.filter_map(line).collect()
}

/// The state of a view.
pub fn state(view: &Value) -> &str {
    view["state"].as_str().unwrap_or_default()
}
