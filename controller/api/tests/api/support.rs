//! A namespace with a Runtime, a till and an integration, and short ways to call it.

use crate::promised;
use axum::{Router, body::Body};
use fanfare_api::{ApiConfig, FieldError, Scope};
use fanfare_core::{
    ids::{Namespace, StoreId},
    model::{Plan, RuntimePlan, runtime::EventRules},
    money::{BasisPoints, Currency},
    time::{Clock, Span, Ts},
};
use fanfare_engine::{Engine, credentials::CreateCredential, publish::Publish};
use fanfare_store::sqlite::SqliteStore;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use tower::ServiceExt;

/// A clock that a test sets, in seconds.
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp())))
    }

    /// Lets seconds pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Ts {
        chrono::DateTime::from_timestamp(self.0.load(Ordering::SeqCst), 0).unwrap()
    }
}

/// The namespace under test.
pub(crate) struct Shop {
    pub(crate) router: Router,
    pub(crate) engine: Engine,
    pub(crate) config: ApiConfig,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) real: Arc<SetClock>,
    pub(crate) till: String,
    pub(crate) integration: String,
    keys: AtomicU64,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` when there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts a problem of this code, well formed.
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], status);
        for field in ["type", "title", "detail"] {
            assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {body}");
        }
        body
    }

    /// Asserts a status and answers the body.
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }
}

pub(crate) fn runtime() -> RuntimePlan {
    use fanfare_core::model::runtime::{Attribute, Store};
    let store = |name: &str| Store { name: name.into(), groups: Vec::new(), region: None, zone: None, location: None };
    RuntimePlan {
        name: "main".into(),
        zone: "Asia/Bangkok".parse().unwrap(),
        currency: Currency::parse("THB").unwrap(),
        margin: BasisPoints::FULL,
        margin_floor: None,
        default_locale: "th".into(),
        other_locales: vec!["en".into()],
        attributes: BTreeMap::from([
            ("name".into(), Attribute::String),
            ("tier".into(), Attribute::Enum(vec!["silver".into(), "gold".into()])),
            ("age".into(), Attribute::Number),
        ]),
        stores: BTreeMap::from([("bkk-01".into(), store("Siam")), ("bkk-02".into(), store("Ari"))]),
        point_worth_e4: 20_000,
        points: fanfare_core::points::Rules::default(),
        dev_login: false,
        events: EventRules { from_members: vec!["campaign.shared".into()], ..EventRules::default() },
        reserve_for: Span::seconds(900),
        approve_above: None,
        segments: fanfare_core::model::runtime::SegmentRules::default(),
    }
}

impl Shop {
    /// Opens one.
    pub(crate) async fn open() -> Self {
        let store = Arc::new(SqliteStore::in_memory().await.unwrap());
        let clock = SetClock::at("2026-11-11T10:00:00+07:00");
        let real = SetClock::at("2026-06-01T00:00:00Z");
        let namespace = Namespace::from("brand-a");
        let engine = Engine::open(namespace.clone(), store, clock.clone(), [7; 32]).await.unwrap();
        publish(&engine, "main", Plan::CampaignRuntime(runtime())).await;
        let till = credential(&engine, Some("bkk-01".into()), &Scope::TILL).await;
        let integration = credential(&engine, None, &Scope::ALL).await;
        let config = ApiConfig {
            engine: engine.clone(),
            real_clock: real.clone(),
            signing_key: vec![3; 32],
            read_match: Arc::new(|text| {
                let everyone = text.get("everyone") == Some(&Value::Bool(true));
                let wrong = || vec![FieldError::new("/all", "it is not known here", "send everyone: true")];
                everyone.then_some(fanfare_core::model::segment::Condition::Everyone).ok_or_else(wrong)
            }),
            dev_login: true,
            measured: Arc::new(|_| {}),
        };
        let router = fanfare_api::router(config.clone());
        Self { router, engine, config, clock, real, till, integration, keys: AtomicU64::new(0) }
    }

    /// Serves a resource.
    pub(crate) async fn publish(&self, name: &str, plan: Plan) {
        publish(&self.engine, name, plan).await;
    }

    /// Serves another revision of a resource.
    pub(crate) async fn publish_as(&self, name: &str, revision: &str, plan: Plan) {
        let command = Publish { name: name.into(), revision: revision.into(), plan, generation: 2, author: None };
        self.engine.execute(command).await.unwrap().0.unwrap();
    }

    /// Calls with these headers.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        // Nobody in particular sends no credential at all.
        for (name, value) in headers.iter().filter(|(name, value)| *name != "authorization" || !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        promised::check(method, path, parts.status, &parts.headers, &bytes);
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// GET as someone.
    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &bearer(who))], Body::empty()).await
    }

    /// POST JSON as someone under a new key.
    pub(crate) async fn post(&self, who: &str, path: &str, body: &Value) -> Answer {
        let key = format!("k{}", self.keys.fetch_add(1, Ordering::SeqCst));
        self.post_with(who, &key, path, body).await
    }

    /// POST JSON as someone under this key.
    pub(crate) async fn post_with(&self, who: &str, key: &str, path: &str, body: &Value) -> Answer {
        let headers = [
            ("authorization", bearer(who)),
            ("idempotency-key", key.into()),
            ("content-type", "application/json".into()),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.send("POST", path, &headers, body.to_string()).await
    }

    /// PUT or PATCH JSON as someone.
    pub(crate) async fn change(&self, method: &str, who: &str, path: &str, body: &Value) -> Answer {
        let headers = [("authorization", &*bearer(who)), ("content-type", "application/json")];
        self.send(method, path, &headers, body.to_string()).await
    }

    /// The access token of a member, which is made when nobody knows it.
    pub(crate) async fn login(&self, member: &str) -> String {
        let body = json!({ "memberId": member });
        let answer = self.post("", "/v1/auth/dev", &body).await.is(200);
        answer["accessToken"].as_str().unwrap().to_owned()
    }
}

fn bearer(who: &str) -> String {
    if who.is_empty() { String::new() } else { format!("Bearer {who}") }
}

async fn publish(engine: &Engine, name: &str, plan: Plan) {
    let command = Publish { name: name.into(), revision: "r1".into(), plan, generation: 1, author: None };
    engine.execute(command).await.unwrap().0.unwrap();
}

/// A key of a till (with a store) or of an integration.
pub(crate) async fn credential(engine: &Engine, store: Option<StoreId>, scopes: &[Scope]) -> String {
    let command = CreateCredential {
        namespace: engine.namespace().clone(),
        store,
        scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        label: "test".into(),
        expires_at: None,
        actor: "test".into(),
    };
    engine.execute(command).await.unwrap().0.unwrap().secret
}

/// Compares what was made with what is committed; with `FANFARE_BLESS=1` in the environment it is written instead.
pub(crate) fn golden(path: &str, made: &str, committed: &str) {
    if std::env::var_os("FANFARE_BLESS").is_some() {
        std::fs::write(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path), made).unwrap();
        return;
    }
    let first = made.lines().zip(committed.lines()).find(|(new, old)| new != old);
    let is_same = made.trim() == committed.trim();
    assert!(is_same, "{path} has changed at {first:?}; if that is meant, run this test with FANFARE_BLESS=1");
}
