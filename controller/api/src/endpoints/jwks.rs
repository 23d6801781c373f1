//! `GET /.well-known/jwks.json`: the keys by which a till checks rotating codes while it has no network.

use crate::{
    app::App,
    output::{Answer, bytes_of},
    problem::Problem,
};
use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// How long a cache may keep them: the next month's key is among them, so a day is no risk.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// Public keys (RFC 7517).
#[derive(Serialize, ToSchema)]
pub(crate) struct KeySet {
    keys: Vec<PublicKey>,
}

/// An Ed25519 key (RFC 8037).
#[derive(Serialize, ToSchema)]
pub(crate) struct PublicKey {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    /// The first four bytes of the key's SHA-256, hexadecimal, as in a payload.
    kid: String,
    /// The key, base64url.
    x: String,
}

/// The keys of rotating codes: of the month before, this month and the next.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "getJwks", tag = "till",
    responses((status = 200, body = KeySet, content_type = "application/jwk-set+json"))
)]
pub(crate) async fn get_jwks(State(app): State<App>) -> Answer {
    let keys = app.payload_keys().published(app.now());
    let public = |key: &std::sync::Arc<crate::auth::payload_keys::Key>| PublicKey {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        usage: "sig",
        kid: key.kid(),
        x: URL_SAFE_NO_PAD.encode(key.public()),
    };
    let set = KeySet { keys: keys.iter().map(public).collect() };
    let bytes = serde_json::to_vec(&set).map_err(|error| Problem::internal(&error))?;
    let media_type = HeaderValue::from_static("application/jwk-set+json");
    let mut response = bytes_of(StatusCode::OK, media_type, bytes.into());
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE);
    Ok(response)
}
