//! A code that is shown at a till: as text to draw, or drawn.

use crate::{
    output::{Answer, bytes_of, ok, wants_picture},
    symbol,
};
use fanfare_core::model::reward::Symbology;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// A code that a till reads.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownCode {
    /// What the picture says.
    payload: String,
    /// `Qr` or `Code128`.
    symbology: &'static str,
    /// Until when it is good; `null` for as long as the voucher is.
    expires_at: Option<String>,
}

impl ShownCode {
    /// A code.
    pub(crate) fn new(payload: String, symbology: Symbology, expires_at: Option<String>) -> Self {
        Self { payload, symbology: symbol::name(symbology), expires_at }
    }
}

/// As JSON, or as a picture where that is what is accepted.
pub(crate) fn answer(headers: &HeaderMap, code: ShownCode, symbology: Symbology) -> Answer {
    let mut response = if wants_picture(headers, symbol::MEDIA_TYPE)? {
        let picture = symbol::draw(&code.payload, symbology)?;
        bytes_of(StatusCode::OK, HeaderValue::from_static(symbol::MEDIA_TYPE), picture.into())
    } else {
        ok(&code)?
    };
    let answered = response.headers_mut();
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answered.insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}
