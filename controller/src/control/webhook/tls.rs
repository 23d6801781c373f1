//! Serves reviews over TLS. The certificate may be replaced at any time; connections that stand keep theirs.

use super::{certificate, review::Reviewer};
use anyhow::{Context, anyhow};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::{DateTime, Utc};
use http::StatusCode;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use parking_lot::RwLock;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

/// Where reviews are answered.
pub const PATH: &str = "/admit";
/// The most that a review may hold: the old object, the new one, and what the API server adds. An object is 1.5 MiB at most.
const BODY_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most connections at once: an API server uses a few.
const CONNECTIONS_MAX: usize = 256;
/// How long a handshake, and the head of a request, may take.
const HELLO_MAX: Duration = Duration::from_secs(5);

/// The certificate that is shown now.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<RwLock<Option<One>>>);

#[derive(Clone, Debug)]
struct One {
    certified: Arc<CertifiedKey>,
    ends: Option<DateTime<Utc>>,
}

impl Shown {
    /// Shows this one from now on.
    ///
    /// # Errors
    /// When the key cannot be used or is another certificate's.
    pub fn show(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> anyhow::Result<()> {
        let provider = ring::default_provider();
        let ends = chain.first().and_then(|leaf| certificate::ends(leaf));
        let certified =
            CertifiedKey::from_der(chain, key, &provider).context("the certificate's key cannot be used")?;
        *self.0.write() = Some(One { certified: Arc::new(certified), ends });
        Ok(())
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.0.read().is_some()
    }

    /// When it ends, where there is one that says so.
    pub fn ends(&self) -> Option<DateTime<Utc>> {
        self.0.read().as_ref().and_then(|one| one.ends)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().as_ref().map(|one| one.certified.clone())
    }
}

/// Serves until it is dropped.
///
/// # Errors
/// When TLS cannot be had.
pub async fn serve(listener: TcpListener, shown: Shown, reviewer: Reviewer) -> anyhow::Result<()> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| anyhow!("TLS cannot be served: {error}"))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let app = Router::new().route(PATH, post(admit)).layer(DefaultBodyLimit::max(BODY_MAX_BYTES)).with_state(reviewer);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = room.clone().acquire_owned().await?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to the webhook was not taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let Ok(Ok(stream)) = tokio::time::timeout(HELLO_MAX, acceptor.accept(stream)).await else { return };
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HELLO_MAX)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection to the webhook ended");
            }
        });
    }
}

async fn admit(State(reviewer): State<Reviewer>, Json(review): Json<Value>) -> Response {
    match reviewer.answer(&review).await {
        Some(answer) => Json(answer).into_response(),
        None => (StatusCode::BAD_REQUEST, "this is no AdmissionReview of admission.k8s.io/v1").into_response(),
    }
}
