//! Many rows as one array a column, so that a batch needs one statement a table: `INSERT … SELECT … FROM unnest($2, …)`.
//!
//! The arrays are written in PostgreSQL's binary form as the rows are gone through: no value is copied twice.

use super::error::refused;
use crate::{
    Error, Result,
    chain::Link,
    encode::{Put, unwritable},
};
use serde::Serialize;
use sqlx::{
    Encode, PgConnection, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo},
};
use std::collections::BTreeSet;

/// The types of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Flag,
    Bytes,
}

impl Kind {
    /// The number that PostgreSQL gives the type of one element, in every database.
    fn oid(self) -> u32 {
        match self {
            Self::Flag => 16,
            Self::Bytes => 17,
            Self::Int => 20,
            Self::Text => 25,
        }
    }

    fn array(self) -> PgTypeInfo {
        match self {
            Self::Flag => <[bool] as Type<Postgres>>::type_info(),
            Self::Bytes => <[Vec<u8>] as Type<Postgres>>::type_info(),
            Self::Int => <[i64] as Type<Postgres>>::type_info(),
            Self::Text => <[String] as Type<Postgres>>::type_info(),
        }
    }
}

/// Whether PostgreSQL takes it for a text.
fn is_text(text: impl AsRef<str>) -> bool {
    !text.as_ref().as_bytes().contains(&0)
}

/// One column of many rows.
pub(super) struct Array {
    kind: Kind,
    elements: Vec<u8>,
    count: i32,
    nulls: bool,
}

impl Array {
    fn new(kind: Kind) -> Self {
        Self { kind, elements: Vec::new(), count: 0, nulls: false }
    }

    /// Keys to look rows up by. One that holds NUL is left away: no row has it, and PostgreSQL refuses to read it.
    pub(super) fn keys<'a, T: AsRef<str> + 'a>(keys: impl IntoIterator<Item = &'a T>) -> Self {
        let mut array = Self::new(Kind::Text);
        for key in keys.into_iter().filter(|key| is_text(key)) {
            array.element(key.as_ref().as_bytes());
        }
        array
    }

    /// Pairs of such keys, as two columns.
    pub(super) fn pairs<A: AsRef<str>, B: AsRef<str>>(pairs: &BTreeSet<(A, B)>) -> (Self, Self) {
        let (mut first, mut second) = (Self::new(Kind::Text), Self::new(Kind::Text));
        for (one, two) in pairs.iter().filter(|(one, two)| is_text(one) && is_text(two)) {
            first.element(one.as_ref().as_bytes());
            second.element(two.as_ref().as_bytes());
        }
        (first, second)
    }

    /// Numbers.
    pub(super) fn ints(ints: &[i64]) -> Self {
        let mut array = Self::new(Kind::Int);
        for int in ints {
            array.element(&int.to_be_bytes());
        }
        array
    }

    fn element(&mut self, bytes: &[u8]) {
        // A value beyond 2 GiB is beyond every bound of this product; PostgreSQL refuses what it then reads.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.elements.extend_from_slice(&length.to_be_bytes());
        self.elements.extend_from_slice(bytes);
        self.count = self.count.saturating_add(1);
    }

    fn null(&mut self) {
        self.elements.extend_from_slice(&(-1_i32).to_be_bytes());
        self.count = self.count.saturating_add(1);
        self.nulls = true;
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        let at = self.elements.len();
        self.elements.extend_from_slice(&[0; 4]);
        serde_json::to_writer(&mut self.elements, value)?;
        let length = i32::try_from(self.elements.len() - at - 4).unwrap_or(i32::MAX);
        if let Some(place) = self.elements.get_mut(at..at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        Kind::Text.array()
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> std::result::Result<IsNull, BoxDynError> {
        let dimensions = i32::from(self.count > 0);
        buf.extend_from_slice(&dimensions.to_be_bytes());
        buf.extend_from_slice(&i32::from(self.nulls).to_be_bytes());
        buf.extend_from_slice(&self.kind.oid().to_be_bytes());
        if self.count > 0 {
            buf.extend_from_slice(&self.count.to_be_bytes());
            buf.extend_from_slice(&1_i32.to_be_bytes());
            buf.extend_from_slice(&self.elements);
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.kind.array())
    }

    fn size_hint(&self) -> usize {
        self.elements.len() + 20
    }
}

/// Rows of one statement.
#[derive(Default)]
pub(super) struct Bulk {
    columns: Vec<Array>,
    rows: u64,
    /// The column that is written next.
    next: usize,
    fault: Option<Error>,
}

impl Bulk {
    /// The rows that `write` makes of `items`; each writes the same columns.
    pub(super) fn of<T>(items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) -> Self {
        let mut bulk = Self::default();
        for item in items {
            bulk.next = 0;
            bulk.rows += 1;
            write(&mut bulk, item);
        }
        bulk
    }

    /// Runs `sql` with the namespace as `$1` and the columns as `$2` and so on, unless there is no row. Answers the affected
    /// rows.
    pub(super) async fn run(self, conn: &mut PgConnection, ns: i64, sql: &'static str) -> Result<u64> {
        self.run_with(conn, ns, sql, &[]).await
    }

    /// Like [`Bulk::run`]; each row must affect exactly one, else the batch is void.
    pub(super) async fn run_each(self, conn: &mut PgConnection, ns: i64, what: &str, sql: &'static str) -> Result<()> {
        self.run_each_with(conn, ns, what, sql, &[]).await
    }

    /// Like [`Bulk::run_each`], with more numbers behind the columns.
    pub(super) async fn run_each_with(
        self,
        conn: &mut PgConnection,
        ns: i64,
        what: &str,
        sql: &'static str,
        more: &[i64],
    ) -> Result<()> {
        let expected = self.rows;
        let affected = self.run_with(conn, ns, sql, more).await?;
        if affected == expected {
            return Ok(());
        }
        Err(Error::Conflict(format!("{expected} rows of {what} had to be there, {affected} were")))
    }

    async fn run_with(self, conn: &mut PgConnection, ns: i64, sql: &'static str, more: &[i64]) -> Result<u64> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.rows == 0 {
            return Ok(0);
        }
        let mut query = sqlx::query(sql).bind(ns);
        for column in self.columns {
            query = query.bind(column);
        }
        for number in more {
            query = query.bind(number);
        }
        Ok(query.execute(conn).await.map_err(refused)?.rows_affected())
    }

    /// The column that is written next, which is of `kind` in every row.
    fn column(&mut self, kind: Kind) -> &mut Array {
        let at = self.next;
        self.next += 1;
        if at == self.columns.len() {
            self.columns.push(Array::new(kind));
        }
        debug_assert_eq!(self.columns[at].kind, kind, "rows of one statement differ in column {at}");
        &mut self.columns[at]
    }

    fn put(&mut self, kind: Kind, value: Option<&[u8]>) -> &mut Self {
        let column = self.column(kind);
        match value {
            Some(bytes) => column.element(bytes),
            None => column.null(),
        }
        self
    }
}

impl Put for Bulk {
    fn text(&mut self, value: impl AsRef<str>) -> &mut Self {
        self.opt_text(Some(value))
    }

    fn opt_text(&mut self, value: Option<impl AsRef<str>>) -> &mut Self {
        let value = value.as_ref().map(|text| text.as_ref().as_bytes());
        if value.is_some_and(|text| text.contains(&0)) {
            self.fault = Some(Error::Conflict("a text holds the character NUL".into()));
        }
        self.put(Kind::Text, value)
    }

    fn int(&mut self, value: i64) -> &mut Self {
        self.opt_int(Some(value))
    }

    fn opt_int(&mut self, value: Option<i64>) -> &mut Self {
        self.put(Kind::Int, value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
    }

    fn flag(&mut self, value: bool) -> &mut Self {
        self.put(Kind::Flag, Some(&[u8::from(value)]))
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> &mut Self {
        if let Err(error) = self.column(Kind::Text).json(value) {
            self.fault = Some(unwritable(error));
        }
        self
    }

    fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.put(Kind::Bytes, Some(value))
    }

    fn link(&mut self, value: &Link) -> &mut Self {
        self.bytes(value)
    }
}
