//! What starts tasks and bounds waits: tokio; under the feature `model`, which no shipped build has, the scheduler of a
//! model checker, which tries the orders in which tasks can come to run (`tests/model`). The channels are tokio's in both.

#[cfg(feature = "model")]
pub(crate) use modelled::{spawn, timeout, turn};
#[cfg(not(feature = "model"))]
pub(crate) use tokio::{spawn, time::timeout};

/// A place between two steps at which another task may come to run.
#[cfg(not(feature = "model"))]
#[inline(always)]
pub(crate) fn turn() {}

#[cfg(feature = "model")]
mod modelled {
    use std::{convert::Infallible, time::Duration};

    pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) {
        drop(shuttle::future::spawn(task));
    }

    /// Nobody gives up here: what a caller is told who does is decided by the clock alone.
    pub(crate) async fn timeout<T>(_: Duration, what: impl Future<Output = T>) -> Result<T, Infallible> {
        Ok(what.await)
    }

    pub(crate) fn turn() {
        shuttle::thread::yield_now();
    }
}
