//! Rows of a database as rows of the domain. Each function reads the columns in the order that `columns` lists; how a
//! column is read is the only thing that a database says here.

use crate::{
    Error, Result,
    rows::{
        Audit, Credential, Event, Grant, GrantState, Hold, HoldState, Job, LedgerLine, Member, Message, MessageState,
        Order, OrderState, Participation, Pooled, Published, Redemption, RedemptionState, RefreshToken, Run, RunState,
        Stored,
    },
    terms::Resolved,
};
use chrono::DateTime;
use fanfare_core::{
    ids::{MemberId, Name},
    ledger::Entry,
    model::{AutomationPlan, Kind, RewardPlan},
    money::Minor,
    time::Ts,
};
use serde::de::DeserializeOwned;
use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};

/// A row of a database, whose columns are read by place.
pub(crate) trait Source {
    /// A text or NULL.
    fn text_at(&self, at: usize) -> Result<Option<&str>>;
    /// A number or NULL.
    fn int_at(&self, at: usize) -> Result<Option<i64>>;
    /// Bytes or NULL.
    fn bytes_at(&self, at: usize) -> Result<Option<&[u8]>>;
    /// Yes, no or NULL.
    fn flag_at(&self, at: usize) -> Result<Option<bool>>;
}

macro_rules! sources {
    ($($row:ty)*) => {$(
        impl Source for $row {
            fn text_at(&self, at: usize) -> Result<Option<&str>> {
                self.try_get(at).map_err(unreadable)
            }

            fn int_at(&self, at: usize) -> Result<Option<i64>> {
                self.try_get(at).map_err(unreadable)
            }

            fn bytes_at(&self, at: usize) -> Result<Option<&[u8]>> {
                self.try_get(at).map_err(unreadable)
            }

            fn flag_at(&self, at: usize) -> Result<Option<bool>> {
                self.try_get(at).map_err(unreadable)
            }
        }
    )*};
}

sources!(SqliteRow PgRow);

fn unreadable(error: sqlx::Error) -> Error {
    Error::Corrupt(error.to_string())
}

/// Reads a row's columns one after another.
pub(crate) struct Cursor<'r, R> {
    row: &'r R,
    next: usize,
}

impl<'r, R: Source> Cursor<'r, R> {
    pub(crate) fn new(row: &'r R) -> Self {
        Self { row, next: 0 }
    }

    /// Goes on behind the next column, which must not be NULL.
    fn next<T>(&mut self, get: impl Fn(&'r R, usize) -> Result<Option<T>>) -> Result<T> {
        let at = self.next;
        self.next += 1;
        get(self.row, at)?.ok_or_else(|| Error::Corrupt(format!("column {at} is NULL")))
    }

    /// Goes on behind the next column.
    fn opt<T>(&mut self, get: impl Fn(&'r R, usize) -> Result<Option<T>>) -> Result<Option<T>> {
        let at = self.next;
        self.next += 1;
        get(self.row, at)
    }

    /// Goes on behind the next `columns`.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    pub(crate) fn str(&mut self) -> Result<&'r str> {
        self.next(R::text_at)
    }

    pub(crate) fn text<T: From<&'r str>>(&mut self) -> Result<T> {
        self.str().map(T::from)
    }

    pub(crate) fn opt_text<T: From<&'r str>>(&mut self) -> Result<Option<T>> {
        Ok(self.opt(R::text_at)?.map(T::from))
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        self.next(R::int_at)
    }

    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>> {
        self.opt(R::int_at)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'r [u8]> {
        self.next(R::bytes_at)
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        self.next(R::flag_at)
    }

    pub(crate) fn at(&mut self) -> Result<Ts> {
        instant(self.int()?)
    }

    pub(crate) fn opt_at(&mut self) -> Result<Option<Ts>> {
        self.opt_int()?.map(instant).transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let text = self.str()?;
        serde_json::from_str(text).map_err(|error| Error::Corrupt(format!("column {}: {error}", self.next - 1)))
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let text = self.opt(R::text_at)?.map(serde_json::from_str).transpose();
        text.map_err(|error| Error::Corrupt(format!("column {}: {error}", self.next - 1)))
    }

    pub(crate) fn link(&mut self) -> Result<[u8; 32]> {
        self.bytes()?.try_into().map_err(|_| Error::Corrupt("a chain's link has not 32 bytes".into()))
    }

    pub(super) fn named<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text = self.str()?;
        parse(text).ok_or_else(|| Error::Corrupt(format!("{text:?} is no state or kind")))
    }
}

/// An instant of its microseconds.
pub(crate) fn instant(micros: i64) -> Result<Ts> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| Error::Corrupt(format!("{micros} µs is no instant")))
}

/// Decodes every row.
pub(crate) fn all<R, T>(rows: &[R], decode: impl Fn(&R) -> Result<T>) -> Result<Vec<T>> {
    rows.iter().map(decode).collect()
}

pub(crate) fn member<R: Source>(row: &R) -> Result<Member> {
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
pub(crate) fn terms_of<R: Source>(row: &R) -> Result<i64> {
    Cursor::new(row).int()
}

pub(crate) fn grant<R: Source>(row: &R, plans: &Resolved<RewardPlan>) -> Result<Grant> {
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

pub(crate) fn order<R: Source>(row: &R) -> Result<Order> {
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

pub(crate) fn redemption<R: Source>(row: &R) -> Result<Redemption> {
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

pub(crate) fn hold<R: Source>(row: &R) -> Result<Hold> {
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

pub(crate) fn participation<R: Source>(row: &R) -> Result<Participation> {
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

pub(crate) fn event<R: Source>(row: &R) -> Result<Event> {
    let mut c = Cursor::new(row);
    Ok(Event {
        source: c.text()?,
        id: c.text()?,
        kind: c.text()?,
        member: c.opt_text()?,
        time: c.at()?,
        digest: c.text()?,
        data: std::sync::Arc::new(c.json()?),
        decisions: c.json()?,
    })
}

pub(crate) fn run<R: Source>(row: &R, plans: &Resolved<AutomationPlan>) -> Result<Run> {
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

pub(crate) fn message<R: Source>(row: &R) -> Result<Message> {
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

pub(crate) fn job<R: Source>(row: &R) -> Result<Job> {
    let mut c = Cursor::new(row);
    Ok(Job { id: c.text()?, due_at: c.at()?, task: c.json()? })
}

pub(crate) fn stored<R: Source>(row: &R) -> Result<Stored> {
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

pub(crate) fn published<R: Source>(row: &R) -> Result<Published> {
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

pub(crate) fn audit<R: Source>(row: &R) -> Result<Audit> {
    let mut c = Cursor::new(row);
    Ok(Audit { id: c.text()?, at: c.at()?, actor: c.text()?, action: c.text()?, object: c.text()?, detail: c.json()? })
}

pub(crate) fn line<R: Source>(row: &R) -> Result<LedgerLine> {
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
pub(crate) fn entry<R: Source>(row: &R) -> Result<Entry> {
    let mut c = Cursor::new(row);
    Ok(Entry { account: c.text()?, unit: c.text()?, amount: c.int()? })
}

/// A type, a value and the member that has it.
pub(crate) fn identity<R: Source>(row: &R) -> Result<(String, String, MemberId)> {
    let mut c = Cursor::new(row);
    Ok((c.text()?, c.text()?, c.text()?))
}

/// An account, its unit and an amount.
pub(crate) fn balance<R: Source>(row: &R) -> Result<(String, String, i64)> {
    let mut c = Cursor::new(row);
    Ok((c.text()?, c.text()?, c.int()?))
}

/// A list and a member of it.
pub(crate) fn listed<R: Source>(row: &R) -> Result<(Name, MemberId)> {
    let mut c = Cursor::new(row);
    Ok((c.text()?, c.text()?))
}

pub(crate) fn pooled<R: Source>(row: &R) -> Result<(String, Pooled)> {
    let mut c = Cursor::new(row);
    Ok((c.text()?, Pooled { code: c.text()?, spelling: c.opt_text()? }))
}

/// A text and a number.
pub(crate) fn count<R: Source>(row: &R) -> Result<(String, i64)> {
    let mut c = Cursor::new(row);
    Ok((c.text()?, c.int()?))
}

pub(crate) fn credential<R: Source>(row: &R) -> Result<Credential> {
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

pub(crate) fn refresh_token<R: Source>(row: &R) -> Result<RefreshToken> {
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
