//! Many rows as one JSON parameter, so that a batch needs one statement a table: `INSERT … SELECT … FROM jsonb_each(?)`.
//!
//! A row is an array; statements pick its columns by place. Texts never hold NUL: SQLite would cut them there.

use super::error::refused;
use crate::{
    Error, Result,
    chain::{self, Link},
    encode::{Put, to_json, unwritable},
};
use serde::Serialize;
use sqlx::SqliteConnection;

/// Rows of one statement.
#[derive(Default)]
pub(super) struct Bulk {
    json: Vec<u8>,
    rows: u64,
    /// Whether the row being written has a column already.
    begun: bool,
    fault: Option<Error>,
}

impl Bulk {
    /// The rows that `write` makes of `items`.
    pub(super) fn of<T>(items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) -> Self {
        let mut bulk = Self::default();
        for item in items {
            bulk.json.push(if bulk.rows == 0 { b'[' } else { b',' });
            bulk.json.push(b'[');
            bulk.rows += 1;
            bulk.begun = false;
            write(&mut bulk, item);
            bulk.json.push(b']');
        }
        bulk.json.extend_from_slice(if bulk.rows == 0 { b"[]" } else { b"]" });
        bulk
    }

    /// Runs `sql` with the namespace as `?1` and the rows as `?2`, unless there is none. Answers the affected rows.
    pub(super) async fn run(self, conn: &mut SqliteConnection, ns: i64, sql: &'static str) -> Result<u64> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.rows == 0 {
            return Ok(0);
        }
        let json = String::from_utf8(self.json).map_err(|error| Error::Corrupt(error.to_string()))?;
        let done = sqlx::query(sql).bind(ns).bind(json).execute(conn).await.map_err(refused)?;
        Ok(done.rows_affected())
    }

    /// Like [`Bulk::run`]; each row must affect exactly one, else the batch is void.
    pub(super) async fn run_each(
        self,
        conn: &mut SqliteConnection,
        ns: i64,
        what: &str,
        sql: &'static str,
    ) -> Result<()> {
        let expected = self.rows;
        let affected = self.run(conn, ns, sql).await?;
        if affected == expected {
            return Ok(());
        }
        Err(Error::Conflict(format!("{expected} rows of {what} had to be there, {affected} were")))
    }
}

/// Keys as a JSON array of texts, for `json_each(?)`.
pub(super) fn keys<'a, T: AsRef<str> + 'a>(keys: impl IntoIterator<Item = &'a T>) -> Result<String> {
    to_json(&keys.into_iter().map(AsRef::as_ref).collect::<Vec<&str>>())
}

impl Put for Bulk {
    fn text(&mut self, value: impl AsRef<str>) -> &mut Self {
        let value = value.as_ref();
        if value.as_bytes().contains(&0) {
            self.fault = Some(Error::Conflict("a text holds the character NUL".into()));
        }
        self.json(value)
    }

    fn opt_text(&mut self, value: Option<impl AsRef<str>>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.json(&()),
        }
    }

    fn int(&mut self, value: i64) -> &mut Self {
        self.json(&value)
    }

    fn opt_int(&mut self, value: Option<i64>) -> &mut Self {
        self.json(&value)
    }

    /// As 1 or 0.
    fn flag(&mut self, value: bool) -> &mut Self {
        self.int(i64::from(value))
    }

    /// The statement picks it with `->`, which keeps it JSON.
    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> &mut Self {
        if self.begun {
            self.json.push(b',');
        }
        self.begun = true;
        if let Err(error) = serde_json::to_writer(&mut self.json, value) {
            self.fault = Some(unwritable(error));
        }
        self
    }

    /// As two columns: a text and 0, or, where they are no text, hexadecimal digits and 1.
    fn bytes(&mut self, value: &[u8]) -> &mut Self {
        match std::str::from_utf8(value) {
            Ok(text) if !value.contains(&0) => self.text(text).flag(false),
            _ => self.text(value.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).flag(true),
        }
    }

    /// As hexadecimal digits.
    fn link(&mut self, value: &Link) -> &mut Self {
        self.text(chain::hex(value))
    }
}
