//! Which database this is: whether it lives where it did when it was opened last.
//!
//! A backup that is restored into another server has that server's system identifier, and one that is recovered to a point
//! in time, or a standby that is promoted, a timeline of its own. Either may lack commits that were acknowledged, so the
//! first process that opens it starts an incarnation ([`crate::restored`]).

use super::{IDLE_MAX, LOCK_WAIT_MAX, error::refused};
use crate::{
    Result,
    restored::{AWAITS, PLACE, still},
};
use sqlx::{Connection, PgConnection};

/// Functions of the server that a hosted one may refuse or not have: no right, no function, no feature.
const NOT_TOLD: [&str; 3] = ["42501", "42883", "0A000"];

/// Where the database lives: the server's system identifier and its timeline; nothing where the server does not tell.
async fn place(conn: &mut PgConnection) -> std::result::Result<Option<String>, sqlx::Error> {
    let sql = "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/'
        || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)";
    match sqlx::query_scalar(sql).fetch_one(conn).await {
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| NOT_TOLD.contains(&&*code)) => {
            tracing::warn!(
                %error,
                "this server does not tell its identity, so a restore is noticed only while a process runs: after one say \
                 `fanfare database restored`"
            );
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

async fn known(conn: &mut PgConnection) -> Result<Option<String>> {
    let sql = "SELECT convert_from(value, 'UTF8') FROM settings WHERE name = $1";
    sqlx::query_scalar(sql).bind(PLACE).fetch_optional(conn).await.map_err(refused)
}

async fn number(conn: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar("SELECT max(number) FROM incarnation").fetch_one(conn).await.map_err(refused)
}

/// Where it lives and its incarnation, after a new one was started where it lived elsewhere before.
pub(super) async fn opened(conn: &mut PgConnection) -> Result<(Option<String>, i64)> {
    let Some(place) = place(conn).await.map_err(refused)? else { return Ok((None, number(conn).await?)) };
    if known(conn).await?.as_ref() != Some(&place) {
        let mut transaction = conn.begin().await.map_err(refused)?;
        lock(&mut transaction).await?;
        // Of several who open it at once, one starts the incarnation.
        let known = known(&mut transaction).await?;
        if let Some(known) = known.filter(|known| *known != place) {
            let why = format!("the database came from a backup, or a standby was promoted: {known} became {place}");
            begin(&mut transaction, &why).await?;
        }
        set(&mut transaction, PLACE, &place).await?;
        transaction.commit().await.map_err(refused)?;
    }
    Ok((Some(place), number(conn).await?))
}

/// Keeps others from starting an incarnation until the transaction ends, and lets no batch that is under way pass it: each
/// holds its lane. Waits for nobody without end.
async fn lock(conn: &mut PgConnection) -> Result<()> {
    let limits = [("lock_timeout", LOCK_WAIT_MAX), ("idle_in_transaction_session_timeout", IDLE_MAX)];
    for (setting, most) in limits {
        let set = sqlx::query("SELECT set_config($1, $2, true)").bind(setting).bind(most.as_millis().to_string());
        set.execute(&mut *conn).await.map_err(refused)?;
    }
    // In this order, since a batch that holds its lane reads the incarnation.
    for sql in ["SELECT 1 FROM lane ORDER BY ns FOR UPDATE", "LOCK TABLE incarnation IN EXCLUSIVE MODE"] {
        sqlx::query(sql).execute(&mut *conn).await.map_err(refused)?;
    }
    Ok(())
}

/// Starts an incarnation unless another has, since the one that was `opened`; answers its number.
pub(super) async fn begin_after(conn: &mut PgConnection, opened: i64, why: &str) -> Result<i64> {
    let mut transaction = conn.begin().await.map_err(refused)?;
    lock(&mut transaction).await?;
    still(number(&mut transaction).await?, opened)?;
    let number = begin(&mut transaction, why).await?;
    transaction.commit().await.map_err(refused)?;
    Ok(number)
}

/// Starts an incarnation and says that it awaits its reconciliation; answers its number. That follows the clock, so that
/// a backup that is restored twice has another one each time.
async fn begin(conn: &mut PgConnection, why: &str) -> Result<i64> {
    let sql = "INSERT INTO incarnation (number, reason)
        SELECT greatest(max(number) + 1, extract(epoch FROM clock_timestamp())::bigint), $1 FROM incarnation
        RETURNING number";
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
pub(super) async fn elsewhere(conn: &mut PgConnection, opened: Option<&str>) -> std::result::Result<bool, sqlx::Error> {
    match opened {
        Some(opened) => Ok(place(conn).await?.is_some_and(|place| place != opened)),
        None => Ok(false),
    }
}
