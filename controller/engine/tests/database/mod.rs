//! The database of a test: SQLite, or PostgreSQL where `FANFARE_TEST_STORE=postgres` says so. What the engine decides is the
//! same on both, so the whole suite is run on each.

#[expect(dead_code, reason = "the store's own tests need more of it")]
#[path = "../../../store/tests/contract/server.rs"]
mod server;

use fanfare_store::{SqliteStore, Store};
use std::sync::Arc;

/// Keeps the database until the test ends.
pub(crate) struct Kept(#[expect(dead_code, reason = "it is there to be dropped")] Option<server::Database>);

/// A new and empty one.
pub(crate) async fn open() -> (Arc<dyn Store>, Kept) {
    match std::env::var("FANFARE_TEST_STORE").as_deref() {
        Ok("postgres") => {
            let database = server::Database::new("engine").await;
            (Arc::new(database.open().await), Kept(Some(database)))
        }
        Ok("sqlite") | Err(_) => (Arc::new(SqliteStore::in_memory().await.unwrap()), Kept(None)),
        Ok(other) => panic!("FANFARE_TEST_STORE is sqlite or postgres, not {other}"),
    }
}
