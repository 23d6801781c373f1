//! The plane's two tables in SQLite: every object's bytes and the highest resourceVersion ever given.
//!
//! Knows SQL and durability; knows nothing of Kubernetes. One connection, held by the committer, in exclusive locking
//! mode, so that a second process on the same file is refused instead of corrupting it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{Connection, QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::object::{GroupResource, Key, Stored};
use crate::watch_cache::After;

/// The layout of the tables; another number in the file is refused.
const FORMAT: i64 = 1;
/// Rows in one INSERT: few sizes, so that each is prepared once and kept.
const INSERT_ROWS: [usize; 3] = [64, 8, 1];

/// How long an open waits for a process that is just leaving.
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite refused: locked by another process, unreadable, no space.
    #[error("the plane's database {path}: {source}; is another process using it?")]
    Sqlite {
        /// The file.
        path: String,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// Written by another version of this program.
    #[error("the plane's database {path} has format {found}, this program reads {FORMAT}")]
    Format {
        /// The file.
        path: String,
        /// The number found in it.
        found: i64,
    },
    /// A row is no JSON object.
    #[error("the plane's database {path} holds an unreadable object, {object}: {source}")]
    Object {
        /// The file.
        path: String,
        /// Resource, namespace and name.
        object: String,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
}

/// What stands in the file: the highest version, and every object.
pub(crate) type Loaded = (u64, Vec<(Key, Stored)>);

pub(crate) struct Database {
    connection: SqliteConnection,
}

impl Database {
    pub(crate) async fn open(file: &Path) -> Result<(Self, Loaded), DatabaseError> {
        let path = file.display().to_string();
        let failed = |source| DatabaseError::Sqlite { path: path.clone(), source };
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .busy_timeout(LOCK_WAIT)
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was acknowledged survives the loss of power, not only of the process.
            .synchronous(SqliteSynchronous::Full);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
        match found {
            0 => create_tables(&mut connection).await.map_err(failed)?,
            FORMAT => {}
            found => return Err(DatabaseError::Format { path, found }),
        }
        let loaded = load(&mut connection, &path).await?;
        Ok((Self { connection }, loaded))
    }

    /// Writes a batch in one transaction and returns when it is on disk.
    pub(crate) async fn write(&mut self, rows: &HashMap<&Key, &After>, version: u64) -> Result<(), sqlx::Error> {
        let mut tx = self.connection.begin().await?;
        let puts: Vec<(&Key, &Arc<Stored>)> =
            rows.iter().filter_map(|(key, row)| Some((*key, row.present()?))).collect();
        let mut rest = &puts[..];
        while let Some(size) = INSERT_ROWS.into_iter().find(|size| *size <= rest.len()) {
            let chunk;
            (chunk, rest) = rest.split_at(size);
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO plane_object (grp, resource, namespace, name, version, body) ",
            );
            insert.push_values(chunk, |mut row, (key, object)| {
                row.push_bind(&*key.resource.group)
                    .push_bind(&*key.resource.plural)
                    .push_bind(&*key.object.namespace)
                    .push_bind(&*key.object.name)
                    .push_bind(object.version.cast_signed())
                    .push_bind(object.bytes.as_ref());
            });
            insert.push(
                " ON CONFLICT (grp, resource, namespace, name) \
                 DO UPDATE SET version = excluded.version, body = excluded.body",
            );
            insert.build().execute(&mut *tx).await?;
        }
        for (key, _) in rows.iter().filter(|(_, row)| row.deleted) {
            sqlx::query("DELETE FROM plane_object WHERE grp = ? AND resource = ? AND namespace = ? AND name = ?")
                .bind(&*key.resource.group)
                .bind(&*key.resource.plural)
                .bind(&*key.object.namespace)
                .bind(&*key.object.name)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("UPDATE plane_version SET version = ?").bind(version.cast_signed()).execute(&mut *tx).await?;
        tx.commit().await
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}

async fn create_tables(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(
        "CREATE TABLE plane_object (
             grp TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
             version INTEGER NOT NULL, body BLOB NOT NULL,
             PRIMARY KEY (grp, resource, namespace, name)
         ) WITHOUT ROWID;
         CREATE TABLE plane_version (version INTEGER NOT NULL);
         INSERT INTO plane_version VALUES (1);
         PRAGMA user_version = 1;",
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

async fn load(connection: &mut SqliteConnection, path: &str) -> Result<Loaded, DatabaseError> {
    let failed = |source| DatabaseError::Sqlite { path: path.to_owned(), source };
    let version: i64 =
        sqlx::query_scalar("SELECT version FROM plane_version").fetch_one(&mut *connection).await.map_err(failed)?;
    let rows = sqlx::query("SELECT grp, resource, namespace, name, version, body FROM plane_object")
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    let mut objects = Vec::with_capacity(rows.len());
    for row in rows {
        let text = |i: usize| row.try_get::<String, _>(i).map_err(failed);
        let (group, resource, namespace, name) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let object_version = row.try_get::<i64, _>(4).map_err(failed)?.cast_unsigned();
        let body: Vec<u8> = row.try_get(5).map_err(failed)?;
        let key = Key::new(&GroupResource::new(&group, &resource), &namespace, &name);
        let object = Stored::from_bytes(object_version, key.object.clone(), Bytes::from(body)).map_err(|source| {
            let object = format!("{resource} {namespace}/{name}");
            DatabaseError::Object { path: path.to_owned(), object, source }
        })?;
        objects.push((key, object));
    }
    Ok((version.cast_unsigned(), objects))
}
