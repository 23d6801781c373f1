//! Copies the write-ahead log into the database beside the lane, so that a commit seldom waits for it.
//!
//! A checkpoint that meets no writer in between lets the log begin anew. While batches follow each other without a pause
//! none does; then the log grows up to [`super::LOG_MAX_PAGES`], where a commit copies what is left.

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, Notify},
    task::AbortHandle,
};

/// The least time between two checkpoints: each syncs the database file once.
const PAUSE: Duration = Duration::from_millis(50);

/// The task that copies, and what wakes it.
pub(super) struct Checkpoints {
    connection: SqlitePool,
    committed: Arc<Notify>,
    copying: Arc<Mutex<()>>,
    task: AbortHandle,
}

impl Checkpoints {
    pub(super) fn start(options: SqliteConnectOptions) -> Self {
        let options = options.pragma("wal_autocheckpoint", "0").thread_name(|_| "sqlite-checkpoint".into());
        let connection = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .max_lifetime(None)
            .connect_lazy_with(options);
        let (committed, copying) = (Arc::new(Notify::new()), Arc::new(Mutex::new(())));
        let task = follow(connection.clone(), Arc::clone(&committed), Arc::clone(&copying));
        Self { connection, committed, copying, task: tokio::spawn(task).abort_handle() }
    }

    /// Says that there is more to copy.
    pub(super) fn committed(&self) {
        self.committed.notify_one();
    }

    /// Ends it, after the copy that is under way.
    pub(super) async fn close(&self) {
        let _none = self.copying.lock().await;
        self.task.abort();
        self.connection.close().await;
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(connection: SqlitePool, committed: Arc<Notify>, copying: Arc<Mutex<()>>) {
    loop {
        committed.notified().await;
        let this_one = copying.lock().await;
        // What fails here, the writer's own checkpoint repeats; and a disk that refuses fails its commits.
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&connection).await {
            tracing::warn!(%error, "the write-ahead log was not copied into the database; it is tried again");
        }
        drop(this_one);
        tokio::time::sleep(PAUSE).await;
    }
}
