//! Which database a URL names.

use crate::{Error, PostgresStore, Result, SqliteStore, Store};
use std::{path::Path, sync::Arc};

/// Opens the database that `url` names: `postgres://user:password@host:port/database`, or `sqlite:PATH`.
///
/// # Errors
/// [`Error::Unavailable`] when it names neither or the database cannot be reached, else those of
/// [`PostgresStore::open`] and [`SqliteStore::open`]. None of them repeats a password.
pub async fn open(url: &str) -> Result<Arc<dyn Store>> {
    match url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(PostgresStore::open(url).await?)),
        Some(("sqlite", path)) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            Ok(Arc::new(SqliteStore::open(Path::new(path)).await?))
        }
        _ => Err(Error::Unavailable(
            "the URL of the database names neither kind: write postgres://user:password@host:port/database, or \
             sqlite:PATH"
                .into(),
        )),
    }
}
