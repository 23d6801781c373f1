//! Plain HTTP on loopback, with time limits, for kubectl.
//!
//! There is no authentication: who can reach loopback is this machine's user. Web pages are not: a request that a
//! browser made for another origin, or under a rebound host name, is refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::plane::Inner;
use crate::respond::{self, Response};
use crate::route;
use crate::status::ApiError;

/// Connections at one time, watches included; more wait to be accepted.
const CONNECTIONS_MAX: usize = 512;
/// How long a connection may stay without a whole head of a request. Clients close one that was idle for 90 s: were we first, a
/// request that is sent at that moment would find its connection reset.
const HEADER_TIMEOUT_S: u64 = 120;
/// How long a stop waits for answers that are under way.
const DRAIN_S: u64 = 2;

/// Why serving ended or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener is reachable from outside.
    #[error("the embedded plane has no authentication and serves loopback only, not {0}; use a cluster for more")]
    NotLoopback(SocketAddr),
    /// The operating system refused.
    #[error("the embedded plane cannot accept connections: {0}")]
    Io(#[from] std::io::Error),
}

pub(crate) async fn serve(inner: Arc<Inner>, listener: TcpListener) -> Result<(), ServeError> {
    let addr = listener.local_addr()?;
    if !addr.ip().is_loopback() {
        return Err(ServeError::NotLoopback(addr));
    }
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // Closed by nobody: an error cannot happen, and would end serving.
        let Ok(slot) = slots.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = inner.stopped() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let inner = inner.clone();
                connections.spawn(async move {
                    connection(inner, stream).await;
                    drop(slot);
                });
            }
            // Too many open files, or a client that left: neither is a reason to stop.
            Err(error) => {
                tracing::warn!(%error, "the plane could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is still open after that is dropped with the set.
    drop(tokio::time::timeout(Duration::from_secs(DRAIN_S), drained).await);
    Ok(())
}

async fn connection(inner: Arc<Inner>, stream: TcpStream) {
    let service = route::service(inner.clone());
    let guarded = tower::service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        async move {
            match refuse_foreign(request.headers()) {
                Some(refusal) => Ok(refusal),
                None => service.oneshot(request.map(Body::new)).await,
            }
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HEADER_TIMEOUT_S));
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(guarded));
    tokio::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = inner.stopped() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection to the plane ended early");
    }
}

/// kubectl sends no `Origin`, and names loopback as its host.
fn refuse_foreign(headers: &HeaderMap) -> Option<Response> {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let is_local = name == "localhost"
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if is_local && !headers.contains_key(header::ORIGIN) {
        return None;
    }
    let why = "the embedded plane answers programs on this machine, not web pages";
    Some(respond::error(&ApiError::new(403, "Forbidden", why)))
}

pub(crate) fn kubeconfig(addr: SocketAddr, namespace: &str) -> String {
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: fanfare\n  cluster:\n    server: http://{addr}\n\
         users:\n\
         - name: local\n  user: {{}}\n\
         contexts:\n\
         - name: fanfare\n  context:\n    cluster: fanfare\n    user: local\n    namespace: {namespace}\n\
         current-context: fanfare\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_on_this_machine_are_answered() {
        let check = |host: &str, origin: Option<&str>, refused: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(refuse_foreign(&headers).is_some(), refused, "{host} {origin:?}");
        };
        check("127.0.0.1:8080", None, false);
        check("[::1]:8080", None, false);
        check("localhost", None, false);
        check("evil.example:8080", None, true);
        check("127.0.0.1:8080", Some("https://evil.example"), true);
    }
}
