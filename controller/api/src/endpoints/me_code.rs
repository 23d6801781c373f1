//! `GET /v1/me/code`: what the caller shows at a till.

use super::shown::{self, ShownCode};
use crate::{
    app::{App, written},
    auth::Member,
    output::Answer,
};
use axum::extract::State;
use fanfare_core::model::reward::Symbology;
use http::HeaderMap;

/// A code for a till, good for a minute; `Accept: image/svg+xml` gives the QR code itself.
#[utoipa::path(
    get, path = "/v1/me/code", operation_id = "getMyCode", tag = "member",
    responses((status = 200, content((ShownCode = "application/json"), (String = "image/svg+xml")))), security(("member" = []))
)]
pub(crate) async fn get_my_code(State(app): State<App>, caller: Member, headers: HeaderMap) -> Answer {
    let (payload, until) = app.member_codes().make(&caller.0, app.real_now());
    let until = written(until, app.zone());
    shown::answer(&headers, ShownCode::new(payload, Symbology::Qr, Some(until)), Symbology::Qr)
}
