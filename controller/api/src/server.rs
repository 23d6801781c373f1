//! Serves the router on a listener, with bounds on everything that a slow or hostile client could hold.
//!
//! Headers (and the wait for the next request on an open connection) are timed by hyper, bodies by `input::json`, answers
//! that nobody takes by `stall`, the number of connections here. `axum::serve` is not used: it sets none of these bounds.

use crate::{
    app::App,
    input::origin::Peer,
    stall::{STALL_MAX, Unstalled},
};
use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt;

/// The most open connections; the next waits in the kernel's backlog. Each costs a file descriptor and about 20 KiB.
const CONNECTIONS_MAX: usize = 8_192;
/// How long the headers of a request may take, and how long a connection may be idle between two.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(20);
/// The most bytes of a request's head; hyper needs at least 8 KiB.
const HEAD_MAX_BYTES: usize = 32 * 1024;
/// The most headers of a request.
const HEADERS_MAX: usize = 64;
/// How long running requests may go on after the stop was asked for.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted (no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `shutdown` resolves, then lets running requests end.
pub(crate) async fn run(app: App, router: Router, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
            // Finished connections are taken out as they end, so that the set holds only live ones.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok((stream, permit)) => {
                let connection = connection(app.clone(), router.clone(), stream, permit, stopping.clone());
                connections.spawn(connection);
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        tracing::warn!("requests that took too long were cut off");
    }
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}

async fn connection(
    app: App,
    router: Router,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
) {
    app.metrics().open().inc();
    let peer = stream.peer_addr().ok().map(|address| Peer(address.ip()));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        router.clone().oneshot(request.map(Body::new))
    });
    let mut settings = http1::Builder::new();
    settings
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_buf_size(HEAD_MAX_BYTES)
        .max_headers(HEADERS_MAX);
    let mut serving = pin!(settings.serve_connection(TokioIo::new(Unstalled::new(stream, STALL_MAX)), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = asked_to_stop(stopping) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    app.metrics().open().dec();
    drop(permit);
}

async fn asked_to_stop(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which happens only when the server has ended.
    drop(stopping.wait_for(|stop| *stop).await);
}
