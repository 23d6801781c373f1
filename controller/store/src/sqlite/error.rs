//! What SQLite's errors mean to a caller.

use crate::Error;
use sqlx::migrate::MigrateError;

/// SQLite's primary code of a broken constraint; the second byte says which.
const CONSTRAINT: i64 = 19;
/// Primary codes of a file that is damaged or no database.
const DAMAGED: [i64; 2] = [11, 26];

/// An error of a statement.
pub(super) fn refused(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<i64>().ok()).unwrap_or(0) & 0xff;
            let message = database.message().to_owned();
            match code {
                CONSTRAINT => Error::Conflict(message),
                code if DAMAGED.contains(&code) => Error::Corrupt(message),
                _ => Error::Unavailable(message),
            }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            Error::Corrupt(error.to_string())
        }
        sqlx::Error::PoolTimedOut => Error::Unavailable("no connection was free in time".into()),
        _ => Error::Unavailable(error.to_string()),
    }
}

/// An error of bringing the schema up to date.
pub(super) fn not_migrated(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::Version(format!(
            "it has migration {version}, which this binary does not know; run the newer binary that wrote it"
        )),
        MigrateError::VersionMismatch(version) => {
            Error::Version(format!("its migration {version} is not the one of this binary"))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => refused(error),
        other => Error::Unavailable(other.to_string()),
    }
}
