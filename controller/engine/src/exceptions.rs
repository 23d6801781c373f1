//! Exceptions: what was honoured although its value was gone. Each is one row of the audit trail, which a person looks at;
//! nothing else is changed by it.

use crate::{Engine, Halt, days, tx::Tx};
use fanfare_core::{
    ids::{OrderId, StoreId},
    money::Minor,
    time::Ts,
};
use fanfare_store::{
    Error, Page,
    reports::{EXCEPTION, ExceptionsOf},
    rows::Audit,
};
use serde::{Deserialize, Serialize};

/// The kind of what a till took offline while its voucher was used elsewhere.
pub const OFFLINE_CONFLICT: &str = "offline-conflict";
/// The kind of a commit that came after its reservation had lapsed and found something gone.
pub const LATE_COMMIT: &str = "late-commit";
/// The kind of a return whose points had been spent already.
pub const POINTS_SHORT: &str = "points-short";

/// What is booked.
#[derive(Clone, Debug)]
pub(crate) struct Exceptional<'a> {
    /// Kebab-case, such as [`LATE_COMMIT`]; each is listed in `docs/reference/ledger.md`.
    pub(crate) kind: &'static str,
    /// What it is about, such as `Order/o-1`.
    pub(crate) about: &'a str,
    /// The order, where there is one.
    pub(crate) order: Option<&'a OrderId>,
    /// Where.
    pub(crate) store: Option<&'a StoreId>,
    /// On which day of the till, where it says.
    pub(crate) business_date: Option<&'a str>,
    /// When it happened.
    pub(crate) at: Ts,
    /// What it cost without cover.
    pub(crate) amount: Minor,
    /// What was gone or clashed, a few words each.
    pub(crate) gone: Vec<String>,
    /// What a person should do, in a sentence.
    pub(crate) remedy: &'static str,
}

/// The detail of the row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    kind: String,
    store: Option<StoreId>,
    business_date: Option<String>,
    order: Option<OrderId>,
    amount: Minor,
    gone: Vec<String>,
    remedy: String,
}

/// An exception as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Time-ordered; an order carries it.
    pub id: String,
    /// When it was booked.
    pub at: Ts,
    /// Such as [`LATE_COMMIT`].
    pub kind: String,
    /// What it is about, such as `Order/o-1`.
    pub about: String,
    /// The order, where there is one.
    pub order: Option<OrderId>,
    /// Where.
    pub store: Option<StoreId>,
    /// On which day of the till.
    pub business_date: Option<String>,
    /// What it cost without cover, in minor units.
    pub amount: Minor,
    /// What was gone or clashed.
    pub gone: Vec<String>,
    /// What a person should do.
    pub remedy: String,
}

impl From<Audit> for Booked {
    fn from(row: Audit) -> Self {
        let Audit { id, at, actor: _, action: _, object, detail } = row;
        let Detail { kind, store, business_date, order, amount, gone, remedy } =
            serde_json::from_value(detail).unwrap_or_default();
        Self { id, at, kind, about: object, order, store, business_date, amount, gone, remedy }
    }
}

/// Books one and counts it in its till's day; answers its id.
pub(crate) fn book(tx: &mut Tx<'_>, what: Exceptional<'_>) -> Result<String, Halt> {
    let id = tx.new_id();
    book_as(tx, id.clone(), what)?;
    Ok(id)
}

/// The same under an id that follows from what happened.
pub(crate) fn book_as(tx: &mut Tx<'_>, id: String, what: Exceptional<'_>) -> Result<(), Halt> {
    let Exceptional { kind, about, order, store, business_date, at, amount, gone, remedy } = what;
    let date = days::of(tx, store, business_date, at)?;
    days::excepted(tx, store, &date);
    let detail = Detail {
        kind: kind.to_owned(),
        store: store.cloned(),
        business_date: Some(date),
        order: order.cloned(),
        amount,
        gone,
        remedy: remedy.to_owned(),
    };
    tx.audit_as(id, "fanfare", EXCEPTION, about, serde_json::to_value(detail).unwrap_or_default());
    Ok(())
}

impl Engine {
    /// The exceptions that were booked, newest first. A page goes on after [`Booked::id`].
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn exceptions(&self, of: &ExceptionsOf, page: Page) -> Result<Vec<Booked>, Error> {
        let rows = self.store().exceptions(self.namespace(), of, page).await?;
        Ok(rows.into_iter().map(Booked::from).collect())
    }
}
