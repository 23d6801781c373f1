//! Which database this is: whether it lives where it did when it was opened last.
//!
//! A backup that is restored into another server has that server's system identifier, and one that is recovered to a point
//! in time, or a standby that is promoted, a timeline of its own. Either may lack commits that were acknowledged, so the
//! first process that opens it starts an incarnation ([`crate::restored`]).

use super::error::refused;
use crate::{
    Result,
    restored::{AWAITS, PLACE},
};
use sqlx::{Connection, PgConnection};

/// Where the database lives: the server's system identifier and its timeline.
async fn place(conn: &mut PgConnection) -> std::result::Result<String, sqlx::Error> {
    let sql = "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/'
        || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)";
    sqlx::query_scalar(sql).fetch_one(conn).await
}

/// Where it lives and its incarnation, after a new one was started where it lived elsewhere before.
pub(super) async fn opened(conn: &mut PgConnection) -> Result<(String, i64)> {
    let place = place(conn).await.map_err(refused)?;
    let mut transaction = conn.begin().await.map_err(refused)?;
    // Of several who open it at once, one starts the incarnation.
    let sql = "LOCK TABLE incarnation IN EXCLUSIVE MODE";
    sqlx::query(sql).execute(&mut *transaction).await.map_err(refused)?;
    let sql = "SELECT convert_from(value, 'UTF8') FROM settings WHERE name = $1";
    let known = sqlx::query_scalar(sql).bind(PLACE).fetch_optional(&mut *transaction).await;
    let known: Option<String> = known.map_err(refused)?;
    if known.as_ref() != Some(&place) {
        if let Some(known) = known {
            let why = format!("the database came from a backup, or a standby was promoted: {known} became {place}");
            begin(&mut transaction, &why).await?;
        }
        set(&mut transaction, PLACE, &place).await?;
    }
    let sql = "SELECT max(number) FROM incarnation";
    let number = sqlx::query_scalar(sql).fetch_one(&mut *transaction).await.map_err(refused)?;
    transaction.commit().await.map_err(refused)?;
    Ok((place, number))
}

/// Starts an incarnation and says that it awaits its reconciliation; answers its number.
pub(super) async fn begin(conn: &mut PgConnection, why: &str) -> Result<i64> {
    let sql = "INSERT INTO incarnation (number, reason) SELECT max(number) + 1, $1 FROM incarnation RETURNING number";
    let number = sqlx::query_scalar(sql).bind(why).fetch_one(&mut *conn).await.map_err(refused)?;
    set(conn, AWAITS, why).await?;
    Ok(number)
}

async fn set(conn: &mut PgConnection, name: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO settings (name, value) VALUES ($1, convert_to($2, 'UTF8'))
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sqlx::query(sql).bind(name).bind(value).execute(conn).await.map_err(refused)?;
    Ok(())
}

/// Whether a connection leads to another server than the one that was opened: what memory keeps is then of the other.
pub(super) async fn elsewhere(conn: &mut PgConnection, opened: &str) -> std::result::Result<bool, sqlx::Error> {
    Ok(place(conn).await? != opened)
}
