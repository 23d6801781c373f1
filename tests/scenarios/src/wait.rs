//! Waiting for something to become true: asked again and again, never longer than a bound.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// How long a pause lies between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// For what follows at once: a changed file, a suspension, a posted event. Generous, since the machine is shared.
pub const SOON: Duration = Duration::from_secs(20);
/// For a status, whose metrics are written at most once in 15 seconds.
pub const STATUS: Duration = Duration::from_secs(60);

/// Looks until `look` answers without an error, and returns that answer and how long it took; after `limit` the last
/// error is the scenario's.
///
/// # Errors
/// The last one of `look`.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(found) => return Ok((found, start.elapsed())),
            Err(error) if start.elapsed() > limit => {
                return Err(error).with_context(|| format!("waited {} s for {what}", limit.as_secs()));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
