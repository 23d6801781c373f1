//! A look at a PostgreSQL without opening it: nothing is migrated and nothing is written, whatever is found.

use super::{
    MIGRATIONS, WAIT_MAX,
    error::{refused, unreachable},
    millis, place,
};
use crate::{Error, Result, restored::AWAITS};
use fanfare_core::time::Ts;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{str::FromStr, time::Duration};

/// How long one statement of a look may take. The longest reads every balance.
const STATEMENT_MAX: Duration = Duration::from_secs(20);
/// The most of one kind that is told.
const TOLD_MAX: i64 = 10;

/// What a look shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The server's version as it numbers it: 140005 is 14.5.
    pub server: i32,
    /// The server follows another and takes no writes.
    pub is_standby: bool,
    /// What the server's clock says.
    pub time: Ts,
    /// Settings of the server that let a commit be lost which was acknowledged.
    pub unsafe_settings: Vec<String>,
    /// What is in the schema.
    pub schema: Schema,
}

/// What is in the schema of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Nothing.
    Empty,
    /// Tables of another program.
    Foreign,
    /// Tables of ours, at this version.
    Ours(i64, Content),
}

/// What our tables say of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// What the user may not do with tables, such as `INSERT on ledger`.
    pub denied: Vec<String>,
    /// The restore that nobody has answered for yet.
    pub awaits: Option<String>,
    /// The namespaces.
    pub namespaces: Vec<String>,
    /// Namespaces and units whose balances do not sum to zero.
    pub unbalanced: Vec<String>,
    /// Namespaces whose ledger is ahead of their lane.
    pub ahead: Vec<String>,
}

/// The version of the schema that this binary works with.
pub const VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Looks at the database of `url`.
///
/// # Errors
/// [`Error::Unavailable`] when it cannot be reached or does not answer in time: with host, database and remedy, never the
/// password.
pub async fn look(url: &str) -> Result<Looked> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Unavailable(format!("its URL cannot be read ({error})")))?
        .application_name("fanfare doctor")
        .options([("default_transaction_read_only", "on".to_owned()), ("statement_timeout", millis(STATEMENT_MAX))]);
    let late = || Error::Unavailable(format!("PostgreSQL at {}: no answer in {WAIT_MAX:?}", place(&options)));
    let connected = tokio::time::timeout(WAIT_MAX, options.connect()).await.map_err(|_| late())?;
    let mut conn = connected.map_err(|error| unreachable(error, &options))?;
    let looked = at(&mut conn).await?;
    conn.close().await.map_err(refused)?;
    Ok(looked)
}

async fn at(conn: &mut PgConnection) -> Result<Looked> {
    let sql = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let (server, is_standby, time): (i32, bool, i64) =
        sqlx::query_as(sql).fetch_one(&mut *conn).await.map_err(refused)?;
    let time = Ts::from_timestamp_micros(time).ok_or_else(|| Error::Corrupt("the server's clock is far off".into()))?;
    let sql = "SELECT name || ' = ' || setting FROM pg_settings
        WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name";
    let unsafe_settings = texts(conn, sql).await?;
    let sql =
        "SELECT count(*), bool_or(tablename = '_sqlx_migrations') FROM pg_tables WHERE schemaname = current_schema()";
    let (tables, is_ours): (i64, Option<bool>) = sqlx::query_as(sql).fetch_one(&mut *conn).await.map_err(refused)?;
    let schema = match (tables, is_ours) {
        (0, _) => Schema::Empty,
        (_, Some(true)) => ours(conn).await?,
        (_, _) => Schema::Foreign,
    };
    Ok(Looked { server, is_standby, time, unsafe_settings, schema })
}

async fn ours(conn: &mut PgConnection) -> Result<Schema> {
    let denied = texts(
        conn,
        "SELECT verb || ' on ' || tablename FROM pg_tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS verb
        WHERE schemaname = current_schema() AND NOT has_table_privilege(format('%I.%I', schemaname, tablename), verb)
        AND NOT (tablename IN ('ledger', 'entries') AND verb IN ('UPDATE', 'DELETE'))
        ORDER BY tablename, verb",
    )
    .await?;
    if denied.iter().any(|denied| denied.starts_with("SELECT")) {
        // What may not be read cannot be told.
        return Ok(Schema::Ours(VERSION, Content { denied, ..Content::default() }));
    }
    let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    let version: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.map_err(refused)?;
    let sql = "SELECT convert_from(value, 'UTF8') FROM settings WHERE name = $1 AND length(value) > 0";
    let awaits = sqlx::query_scalar(sql).bind(AWAITS).fetch_optional(&mut *conn).await.map_err(refused)?;
    let namespaces = texts(conn, "SELECT name FROM lane ORDER BY name").await?;
    let unbalanced = texts(
        conn,
        "SELECT l.name || ', ' || b.unit || ': ' || sum(b.amount) FROM balances b JOIN lane l ON l.ns = b.ns
        GROUP BY l.name, b.unit HAVING sum(b.amount) <> 0 ORDER BY 1",
    )
    .await?;
    let ahead = texts(
        conn,
        "SELECT name FROM lane WHERE seq < (SELECT max(seq) FROM ledger WHERE ledger.ns = lane.ns) ORDER BY name",
    )
    .await?;
    Ok(Schema::Ours(version, Content { denied, awaits, namespaces, unbalanced, ahead }))
}

async fn texts(conn: &mut PgConnection, sql: &'static str) -> Result<Vec<String>> {
    let sql = format!("{sql} LIMIT {TOLD_MAX}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await.map_err(refused)
}
