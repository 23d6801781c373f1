//! What PostgreSQL's errors mean to a caller.

use crate::Error;
use sqlx::{migrate::MigrateError, postgres::PgConnectOptions};

/// The SQLSTATE of a text with characters that the database does not take, such as NUL.
pub(super) const NO_TEXT: &str = "22021";

/// An error of a statement.
pub(super) fn refused(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(database) => of_state(database.code().as_deref().unwrap_or(""), database.message()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            Error::Corrupt(error.to_string())
        }
        sqlx::Error::PoolTimedOut => Error::Unavailable("no connection was free in time".into()),
        _ => Error::Unavailable(error.to_string()),
    }
}

/// What an SQLSTATE means. Its first two characters are its class.
fn of_state(state: &str, message: &str) -> Error {
    match (state.get(..2).unwrap_or(""), state) {
        (_, "55P03") => Error::Unavailable("the namespace's lane was not free in time".into()),
        (_, "57014") => Error::Unavailable("a statement took longer than it may".into()),
        (_, "25P03") => Error::Unavailable("the batch was left open for too long, so the database ended it".into()),
        (_, "25006") => Error::Unavailable("the database is read-only: connect to the primary".into()),
        (_, "42P01" | "42703" | "42883") => {
            Error::Version(format!("{message}; the schema is not the one of this binary"))
        }
        (_, "P0001") => Error::Conflict(message.to_owned()),
        // Integrity constraints, data that does not fit its column, a key that stands twice in one statement or that is too
        // long for an index.
        ("21" | "22" | "23" | "54", _) => Error::Conflict(message.to_owned()),
        // Damaged pages and indexes.
        ("XX", _) => Error::Corrupt(message.to_owned()),
        _ => Error::Unavailable(message.to_owned()),
    }
}

/// Where a database is, as a person may read it: no user's name and no password.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("{host}/{}", options.get_database().unwrap_or_else(|| options.get_username()))
}

/// An error of the first connection, which names the database and the remedy.
pub(super) fn unreachable(error: sqlx::Error, options: &PgConnectOptions) -> Error {
    let place = place(options);
    let state = match &error {
        sqlx::Error::Database(database) => database.code().map(|code| code.into_owned()).unwrap_or_default(),
        _ => String::new(),
    };
    let remedy = match state.as_str() {
        "3D000" => "create the database, or name another in the URL",
        "28P01" | "28000" => "check the user and the password of the URL",
        "53300" => "raise max_connections, or run fewer processes",
        "42501" => "let the user own the database, or its schema",
        _ => "check that PostgreSQL runs there and that this machine may connect to it",
    };
    let why = match &error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        other => other.to_string(),
    };
    Error::Unavailable(format!("PostgreSQL at {place}: {why}; {remedy}"))
}

/// An error of bringing the schema up to date.
pub(super) fn not_migrated(error: MigrateError, options: &PgConnectOptions) -> Error {
    let place = place(options);
    match error {
        MigrateError::VersionMissing(version) => Error::Version(format!(
            "PostgreSQL at {place} has migration {version}, which this binary does not know; run the newer binary that wrote it"
        )),
        MigrateError::VersionMismatch(version) => Error::Version(format!(
            "migration {version} of PostgreSQL at {place} is not the one of this binary; name another database"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => unreachable(error, options),
        other => Error::Unavailable(format!("PostgreSQL at {place}: {other}")),
    }
}
