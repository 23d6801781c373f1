//! Rows of SQLite as rows of the domain. Each function reads the columns in the order that `columns` lists.

use super::{error::refused, terms::Resolved};
use crate::{
    Error, Result,
    rows::{
        Audit, Credential, Event, Grant, GrantState, Hold, HoldState, Job, LedgerLine, Member, Message, MessageState,
        Order, OrderState, Participation, Published, Redemption, RedemptionState, RefreshToken, Run, RunState, Stored,
    },
};
use chrono::DateTime;
use fanfare_core::{
    ledger::Entry,
    model::{AutomationPlan, Kind, RewardPlan},
    money::Minor,
    time::Ts,
};
use serde::de::DeserializeOwned;
use sqlx::{Row, sqlite::SqliteRow};

/// Reads a row's columns one after another.
pub(super) struct Cursor<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl<'r> Cursor<'r> {
    pub(super) fn new(row: &'r SqliteRow) -> Self {
        Self { row, next: 0 }
    }

    fn get<T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(&mut self) -> Result<T> {
        let at = self.next;
        self.next += 1;
        self.row.try_get(at).map_err(refused)
    }

    /// Goes on behind the next `columns`.
    pub(super) fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    pub(super) fn str(&mut self) -> Result<&'r str> {
        self.get()
    }

    pub(super) fn text<T: From<&'r str>>(&mut self) -> Result<T> {
        self.str().map(T::from)
    }

    pub(super) fn opt_text<T: From<&'r str>>(&mut self) -> Result<Option<T>> {
        Ok(self.get::<Option<&str>>()?.map(T::from))
    }

    pub(super) fn int(&mut self) -> Result<i64> {
        self.get()
    }

    pub(super) fn opt_int(&mut self) -> Result<Option<i64>> {
        self.get()
    }

    pub(super) fn bytes(&mut self) -> Result<&'r [u8]> {
        self.get()
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        Ok(self.int()? != 0)
    }

    pub(super) fn at(&mut self) -> Result<Ts> {
        instant(self.int()?)
    }

    pub(super) fn opt_at(&mut self) -> Result<Option<Ts>> {
        self.get::<Option<i64>>()?.map(instant).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let text = self.str()?;
        serde_json::from_str(text).map_err(|error| Error::Corrupt(format!("column {}: {error}", self.next - 1)))
    }

    pub(super) fn opt_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let text = self.get::<Option<&str>>()?.map(serde_json::from_str).transpose();
        text.map_err(|error| Error::Corrupt(format!("column {}: {error}", self.next - 1)))
    }

    pub(super) fn link(&mut self) -> Result<[u8; 32]> {
        self.bytes()?.try_into().map_err(|_| Error::Corrupt("a chain's link has not 32 bytes".into()))
    }

    fn named<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text = self.str()?;
        parse(text).ok_or_else(|| Error::Corrupt(format!("{text:?} is no state or kind")))
    }
}

/// An instant of its microseconds.
pub(super) fn instant(micros: i64) -> Result<Ts> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| Error::Corrupt(format!("{micros} µs is no instant")))
}

/// Decodes every row.
pub(super) fn all<T>(rows: &[SqliteRow], decode: impl Fn(&SqliteRow) -> Result<T>) -> Result<Vec<T>> {
    rows.iter().map(decode).collect()
}

pub(super) fn member(row: &SqliteRow) -> Result<Member> {
    let mut c = Cursor::new(row);
    Ok(Member {
        id: c.text()?,
        account: c.text()?,
        attributes: c.json()?,
        tags: c.json()?,
        consent: c.json()?,
        identities: c.json()?,
        created_at: c.at()?,
        merged_into: c.opt_text()?,
    })
}

/// The terms of a grant or a run: the first column.
pub(super) fn terms_of(row: &SqliteRow) -> Result<i64> {
    Cursor::new(row).int()
}

pub(super) fn grant(row: &SqliteRow, plans: &Resolved<RewardPlan>) -> Result<Grant> {
    let mut c = Cursor::new(row);
    Ok(Grant {
        terms: plans.of(c.int()?)?,
        id: c.text()?,
        member: c.text()?,
        campaign: c.opt_text()?,
        mechanic: c.opt_text()?,
        cause: c.text()?,
        code: c.opt_text()?,
        state: c.named(GrantState::parse)?,
        issued_at: c.at()?,
        claim_by: c.opt_at()?,
        claimed_at: c.opt_at()?,
        valid_from: c.opt_at()?,
        valid_until: c.opt_at()?,
        uses_left: c.int()?,
        reserved: Minor(c.int()?),
        history: c.json()?,
        usage: c.opt_json()?.unwrap_or_default(),
    })
}

pub(super) fn order(row: &SqliteRow) -> Result<Order> {
    let mut c = Cursor::new(row);
    Ok(Order {
        id: c.text()?,
        state: c.named(OrderState::parse)?,
        digest: c.text()?,
        cart: c.json()?,
        evaluation: c.json()?,
        revision: c.text()?,
        booking: c.json()?,
        expires_at: c.opt_at()?,
        receipt_number: c.opt_text()?,
        business_date: c.opt_text()?,
        occurred_at: c.at()?,
        committed_at: c.opt_at()?,
        returns: c.json()?,
        exception: c.opt_text()?,
        reported: c.flag()?,
    })
}

pub(super) fn redemption(row: &SqliteRow) -> Result<Redemption> {
    let mut c = Cursor::new(row);
    Ok(Redemption {
        id: c.text()?,
        grant: c.text()?,
        order: c.opt_text()?,
        store: c.opt_text()?,
        terminal: c.opt_text()?,
        state: c.named(RedemptionState::parse)?,
        amount: Minor(c.int()?),
        expires_at: c.opt_at()?,
        created_at: c.at()?,
        reversals: c.json()?,
        place: c.int()?,
    })
}

pub(super) fn hold(row: &SqliteRow) -> Result<Hold> {
    let mut c = Cursor::new(row);
    Ok(Hold {
        id: c.text()?,
        campaign: c.text()?,
        mechanic: c.text()?,
        sku: c.text()?,
        quantity: c.int()?,
        member: c.text()?,
        store: c.opt_text()?,
        expires_at: c.at()?,
        state: c.named(HoldState::parse)?,
        order: c.opt_text()?,
    })
}

pub(super) fn participation(row: &SqliteRow) -> Result<Participation> {
    let mut c = Cursor::new(row);
    Ok(Participation {
        campaign: c.text()?,
        member: c.text()?,
        joined_at: c.at()?,
        touched_at: c.at()?,
        converted: c.flag()?,
        revision: c.text()?,
    })
}

pub(super) fn event(row: &SqliteRow) -> Result<Event> {
    let mut c = Cursor::new(row);
    Ok(Event {
        source: c.text()?,
        id: c.text()?,
        kind: c.text()?,
        member: c.opt_text()?,
        time: c.at()?,
        digest: c.text()?,
        data: c.json()?,
        decisions: c.json()?,
    })
}

pub(super) fn run(row: &SqliteRow, plans: &Resolved<AutomationPlan>) -> Result<Run> {
    let mut c = Cursor::new(row);
    Ok(Run {
        plan: plans.of(c.int()?)?,
        id: c.text()?,
        member: c.text()?,
        state: c.named(RunState::parse)?,
        step: usize::try_from(c.int()?).map_err(|_| Error::Corrupt("a run's step is negative".into()))?,
        entered_at: c.at()?,
        left_at: c.opt_at()?,
        trigger: c.json()?,
    })
}

pub(super) fn message(row: &SqliteRow) -> Result<Message> {
    let mut c = Cursor::new(row);
    Ok(Message {
        id: c.text()?,
        member: c.text()?,
        channel: c.text()?,
        in_app: c.flag()?,
        template: c.text()?,
        cause: c.text()?,
        campaign: c.opt_text()?,
        subject: c.text()?,
        body: c.text()?,
        locale: c.text()?,
        skip_when_ambiguous: c.flag()?,
        marketing: c.flag()?,
        state: c.named(MessageState::parse)?,
        reason: c.opt_text()?,
        attempts: c.int()?,
        created_at: c.at()?,
        sent_at: c.opt_at()?,
        read_at: c.opt_at()?,
    })
}

pub(super) fn job(row: &SqliteRow) -> Result<Job> {
    let mut c = Cursor::new(row);
    Ok(Job { id: c.text()?, due_at: c.at()?, task: c.json()? })
}

pub(super) fn stored(row: &SqliteRow) -> Result<Stored> {
    let mut c = Cursor::new(row);
    Ok(Stored {
        scope: c.text()?,
        key: c.text()?,
        digest: c.text()?,
        status: u16::try_from(c.int()?).map_err(|_| Error::Corrupt("a stored status is no HTTP status".into()))?,
        body: c.bytes()?.to_vec(),
        at: c.at()?,
    })
}

pub(super) fn published(row: &SqliteRow) -> Result<Published> {
    let mut c = Cursor::new(row);
    Ok(Published {
        kind: c.named(Kind::parse)?,
        name: c.text()?,
        revision: c.text()?,
        plan: c.json()?,
        generation: c.int()?,
        at: c.at()?,
        author: c.opt_text()?,
        settled: c.flag()?,
        retired: c.flag()?,
    })
}

pub(super) fn audit(row: &SqliteRow) -> Result<Audit> {
    let mut c = Cursor::new(row);
    Ok(Audit { id: c.text()?, at: c.at()?, actor: c.text()?, action: c.text()?, object: c.text()?, detail: c.json()? })
}

pub(super) fn line(row: &SqliteRow) -> Result<LedgerLine> {
    let mut c = Cursor::new(row);
    Ok(LedgerLine {
        seq: c.int()?,
        line: c.int()?,
        at: c.at()?,
        rule: c.text()?,
        reference: c.text()?,
        account: c.text()?,
        unit: c.text()?,
        amount: c.int()?,
        chain: crate::chain::hex(&c.link()?),
    })
}

/// An account, its unit and an amount.
pub(super) fn entry(row: &SqliteRow) -> Result<Entry> {
    let mut c = Cursor::new(row);
    Ok(Entry { account: c.text()?, unit: c.text()?, amount: c.int()? })
}

/// A text and a number.
pub(super) fn count(row: &SqliteRow) -> Result<(String, i64)> {
    let mut c = Cursor::new(row);
    Ok((c.text()?, c.int()?))
}

pub(super) fn credential(row: &SqliteRow) -> Result<Credential> {
    let mut c = Cursor::new(row);
    Ok(Credential {
        id: c.text()?,
        namespace: c.text()?,
        digest: c.text()?,
        store: c.opt_text()?,
        scopes: c.json()?,
        label: c.text()?,
        expires_at: c.opt_at()?,
        revoked: c.flag()?,
    })
}

pub(super) fn refresh_token(row: &SqliteRow) -> Result<RefreshToken> {
    let mut c = Cursor::new(row);
    Ok(RefreshToken {
        digest: c.text()?,
        namespace: c.text()?,
        member: c.text()?,
        expires_at: c.at()?,
        used: c.flag()?,
        family: c.text()?,
    })
}
