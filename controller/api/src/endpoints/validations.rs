//! `POST /v1/validations`: whether codes would be taken; changes nothing.

use crate::{
    app::App,
    auth::{Desk, scope::Redeem},
    input::json::Body,
    output::{Answer, View, execute, ok},
    wire::{Faults, cart::CartBody, code},
};
use axum::extract::State;
use fanfare_core::cart::CODES_MAX;
use fanfare_engine::carts::{Validate, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Codes to check, with the cart that they are meant for where there is one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValidateBody {
    /// At most 20.
    codes: Vec<String>,
    #[serde(default)]
    cart: Option<CartBody>,
}

/// What would become of the codes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Validations {
    results: Vec<ValidationView>,
}

/// What would become of one code.
#[derive(Serialize, ToSchema)]
pub(crate) struct ValidationView {
    /// As it was sent.
    code: String,
    valid: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    /// What it would take off.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
}
