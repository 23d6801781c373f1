//! Rows to write, as small as they can be.

use chrono::{DateTime, TimeDelta};
use fanfare_core::{
    cart::{Cart, Evaluation, Line},
    ids::{MemberId, Name, Namespace},
    ledger::{Entry, Posting},
    model::{
        AutomationPlan, Kind, Plan, RewardPlan, SegmentPlan,
        automation::Reentry,
        campaign::Places,
        reward::{
            Claim, CodeRule, Guard, OnReversal, Redemption as HowRedeemed, RewardKind, Symbology, ValidFrom, Validity,
        },
        segment::{Condition, Scalar},
    },
    money::Minor,
    time::{Span, Ts},
    uses::Usage,
};
use fanfare_store::{
    Error, Keys, Page, Position, Rows, SqliteStore, Store, Writes,
    rows::{
        Audit, Consent, Credential, Event, Grant, GrantState, Happening, Hold, HoldState, Job, Member, Message,
        MessageState, Order, OrderState, Participation, Published, Redemption, RedemptionState, RefreshToken, Return,
        Run, RunState, Stored,
    },
};
use serde_json::json;
use std::path::PathBuf;

/// The file of a database of one test.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder.join("fanfare.db"))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.0).await.unwrap()
    }
}

/// The instant `seconds` after the tests' beginning.
pub(crate) fn at(seconds: i64) -> Ts {
    DateTime::from_timestamp(1_794_355_200, 123_456_000).unwrap() + TimeDelta::seconds(seconds)
}

pub(crate) fn shop() -> Namespace {
    Namespace::from("shop")
}

pub(crate) fn page(limit: usize) -> Page {
    Page { limit, after: None }
}

/// Writes at the tests' beginning.
pub(crate) fn writes() -> Writes {
    Writes { at: Some(at(0)), ..Writes::default() }
}

pub(crate) async fn commit(store: &dyn Store, writes: Writes) -> Result<Position, Error> {
    commit_in(store, &shop(), writes).await
}

pub(crate) async fn commit_in(store: &dyn Store, ns: &Namespace, writes: Writes) -> Result<Position, Error> {
    store.begin(ns).await?.commit(writes).await
}

pub(crate) async fn load(store: &dyn Store, keys: Keys) -> Rows {
    store.begin(&shop()).await.unwrap().load(&keys).await.unwrap()
}

pub(crate) fn member(id: &str) -> Member {
    Member {
        id: id.into(),
        account: format!("account-{id}").into(),
        attributes: [("city".to_owned(), Scalar::Text("กรุงเทพ \"x\" \\ \u{1F389}".into()))].into(),
        tags: ["vip".to_owned()].into(),
        consent: Consent { channels: [("sms".to_owned(), true)].into(), topics: [("news".to_owned(), false)].into() },
        identities: [("phone".to_owned(), format!("+66-{id}"))].into(),
        created_at: at(-9),
        merged_into: None,
    }
}

pub(crate) fn reward(name: &str, revision: &str) -> RewardPlan {
    RewardPlan {
        name: name.into(),
        revision: revision.into(),
        title: "Five off".into(),
        kind: RewardKind::Points { amount: 5, expire_after: None },
        codes: CodeRule::default(),
        quantity: Some(100),
        limits: Vec::new(),
        claim: Claim::Auto,
        claim_within: None,
        remind_before: Vec::new(),
        validity: Validity { from: ValidFrom::Issue, lasts: Some(Span::days(30)), until: None, not_before: None },
        redemption: HowRedeemed {
            places: Places::default(),
            symbology: Symbology::Code128,
            reserve_for: Span::seconds(60),
            on_reversal: OnReversal::Restore,
            guard: Guard::default(),
            uses: Some(1),
        },
        stacking: None,
        unit_cost: Minor(500),
        suspended: false,
    }
}

pub(crate) fn grant(id: &str, member: &str) -> Grant {
    Grant {
        id: id.into(),
        member: member.into(),
        terms: reward("five-off", "rev-1"),
        campaign: Some("double-11".into()),
        mechanic: None,
        cause: format!("event:till/{id}"),
        code: Some(format!("CODE{id}").into()),
        state: GrantState::Claimed,
        issued_at: at(0),
        claim_by: None,
        claimed_at: Some(at(1)),
        valid_from: Some(at(0)),
        valid_until: Some(at(1_000)),
        uses_left: 1,
        reserved: Minor(500),
        history: vec![Happening {
            at: at(0),
            state: GrantState::Claimed,
            store: None,
            order: None,
            reason: None,
            amount: None,
            counted: vec![],
            unfunded: false,
        }],
        usage: Usage::default(),
    }
}

pub(crate) fn redemption(id: &str, grant: &str) -> Redemption {
    Redemption {
        id: id.into(),
        grant: grant.into(),
        order: Some("o-1".into()),
        store: Some("siam".into()),
        terminal: None,
        state: RedemptionState::Reserved,
        amount: Minor(500),
        expires_at: Some(at(60)),
        created_at: at(2),
        reversals: vec![("r-1".into(), Minor(3), "why".into())],
        place: 1,
    }
}

pub(crate) fn order(id: &str) -> Order {
    let line = Line {
        id: "1".into(),
        sku: "tea".into(),
        quantity: 2,
        unit_price: Minor(4_500),
        category: None,
        brand: Some("b".into()),
        cost: Some(Minor(7)),
    };
    Order {
        id: id.into(),
        state: OrderState::Reserved,
        digest: "d".into(),
        cart: Cart {
            member: Some("m-1".into()),
            store: None,
            channel: "pos".into(),
            at: Some(at(0)),
            lines: vec![line],
            codes: vec!["CODE".into()],
            reservations: Vec::new(),
            card: None,
        },
        evaluation: Evaluation {
            total: Minor(9_000),
            discount: Minor(500),
            paid: Minor::ZERO,
            payable: Minor(8_500),
            lines: Vec::new(),
            discounts: Vec::new(),
            earned: Vec::new(),
            points: 0,
            available: Vec::new(),
            rejected: Vec::new(),
        },
        revision: "rules-1".into(),
        booking: json!({"counted": [["a", 1]], "half": 0.5, "none": null}),
        expires_at: Some(at(60)),
        receipt_number: None,
        business_date: Some("2026-11-11".into()),
        occurred_at: at(0),
        committed_at: None,
        returns: vec![Return {
            id: "ret-1".into(),
            lines: vec![("1".into(), 1)],
            refund: Minor(1),
            clawed_back: Minor(0),
            restored: vec!["g-1".into()],
            paid: Minor(2),
            to_cards: vec![("g-2".into(), Minor(2))],
            reason: "broken".into(),
            at: at(5),
            store: Some("bkk-02".into()),
            business_date: None,
        }],
        exception: None,
        reported: true,
    }
}

pub(crate) fn hold(id: &str) -> Hold {
    Hold {
        id: id.into(),
        campaign: "double-11".into(),
        mechanic: "flash".into(),
        sku: "tea".into(),
        quantity: 2,
        member: "m-1".into(),
        store: None,
        expires_at: at(60),
        state: HoldState::Held,
        order: None,
    }
}

pub(crate) fn participation(campaign: &str, member: &str) -> Participation {
    Participation {
        campaign: campaign.into(),
        member: member.into(),
        joined_at: at(0),
        touched_at: at(1),
        converted: false,
        revision: "rev-1".into(),
    }
}

pub(crate) fn event(id: &str, member: Option<&str>) -> Event {
    Event {
        source: "till".into(),
        id: id.into(),
        kind: "order.paid".into(),
        member: member.map(MemberId::from),
        time: at(0),
        digest: "d".into(),
        data: json!({"amount": 12.5, "big": 9_007_199_254_740_993_i64, "text": "a\u{0}b"}).into(),
        decisions: json!([]),
    }
}

pub(crate) fn run(id: &str, member: &str) -> Run {
    Run {
        id: id.into(),
        plan: AutomationPlan {
            name: "welcome".into(),
            revision: "rev-1".into(),
            trigger: "member.joined".into(),
            reentry: Reentry::Once,
            exit: Vec::new(),
            steps: Vec::new(),
        },
        member: member.into(),
        state: RunState::Active,
        step: 0,
        entered_at: at(0),
        left_at: None,
        trigger: json!({"id": "e-1"}),
    }
}

pub(crate) fn message(id: &str, member: &str) -> Message {
    Message {
        id: id.into(),
        member: member.into(),
        channel: "inbox".into(),
        in_app: true,
        template: "hello".into(),
        cause: format!("run:{id}/0"),
        campaign: None,
        subject: "Hi".into(),
        body: "Line\n\"two\"".into(),
        locale: "th".into(),
        skip_when_ambiguous: true,
        marketing: false,
        state: MessageState::Queued,
        reason: None,
        attempts: 0,
        created_at: at(0),
        sent_at: None,
        read_at: None,
    }
}

pub(crate) fn job(id: &str, due: i64) -> Job {
    Job { id: id.into(), due_at: at(due), task: json!({"do": id}) }
}

pub(crate) fn stored(key: &str) -> Stored {
    Stored {
        scope: "till-1".into(),
        key: key.into(),
        digest: "d".into(),
        status: 201,
        body: b"{\"id\":\"o-1\"}".to_vec(),
        at: at(0),
    }
}

pub(crate) fn published(name: &str, revision: &str) -> Published {
    Published {
        kind: Kind::Segment,
        name: name.into(),
        revision: revision.into(),
        plan: Plan::Segment(SegmentPlan { name: name.into(), title: revision.into(), condition: Condition::Everyone }),
        generation: 1,
        at: at(0),
        author: Some("ada".into()),
        settled: false,
        retired: false,
    }
}

pub(crate) fn audit(id: &str) -> Audit {
    Audit {
        id: id.into(),
        at: at(0),
        actor: "ada".into(),
        action: "publish".into(),
        object: "Campaign/double-11".into(),
        detail: json!({"revision": "rev-1", "z": 1, "a": [1.50, "x"]}),
    }
}

pub(crate) fn credential(id: &str) -> Credential {
    Credential {
        id: id.into(),
        namespace: shop(),
        digest: format!("digest-{id}"),
        store: Some("siam".into()),
        scopes: vec!["redeem".into(), "reverse".into()],
        label: "Till 1".into(),
        expires_at: None,
        revoked: false,
    }
}

pub(crate) fn token(digest: &str, family: &str, expires: i64) -> RefreshToken {
    RefreshToken {
        digest: digest.into(),
        namespace: shop(),
        member: "m-1".into(),
        expires_at: at(expires),
        used: false,
        family: family.into(),
    }
}

pub(crate) fn posting(reference: &str, from: &str, to: &str, amount: i64) -> Posting {
    Posting::transfer("test", reference, "THB", from, to, amount).unwrap()
}

pub(crate) fn entry(account: &str, unit: &str, amount: i64) -> Entry {
    Entry { account: account.into(), unit: unit.into(), amount }
}

pub(crate) fn name(text: &str) -> Name {
    Name::from(text)
}
