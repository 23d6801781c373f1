//! `GET /v1/grants/{id}/code`: what the caller shows at a till to use a voucher.

use super::{
    grants::own,
    shown::{self, ShownCode},
};
use crate::{
    app::{App, written},
    auth::Member,
    input::path::Id,
    output::Answer,
    problem::{Code, Problem},
    wire::grant::state_at,
};
use axum::extract::State;
use fanfare_core::{
    ids,
    model::reward::CodeSource,
    payload::Payload,
    reason::{Reason, Refusal},
    time::{Span, Ts, Tz},
};
use fanfare_engine::store::rows::{Grant, GrantState};
use http::HeaderMap;

/// A voucher's code; `Accept: image/svg+xml` gives the QR code or barcode itself.
#[utoipa::path(
    get, path = "/v1/grants/{id}/code", operation_id = "getGrantCode", tag = "member", params(("id" = String, Path)),
    responses((status = 200, content((ShownCode = "application/json"), (String = "image/svg+xml")))), security(("member" = []))
)]
pub(crate) async fn get_grant_code(State(app): State<App>, caller: Member, Id(id): Id, headers: HeaderMap) -> Answer {
    let grant = own(&app, &caller.0, &id.into()).await?;
    let refuse = |reason, detail: &str| Err(Problem::from(&Refusal::new(reason, detail)));
    match state_at(&grant, app.now()) {
        GrantState::Claimed | GrantState::Reserved => {}
        GrantState::Pending | GrantState::Granted => {
            return refuse(Reason::NotClaimed, "claim it first; its code is shown then");
        }
        GrantState::Redeemed => return refuse(Reason::AlreadyRedeemed, "it was used"),
        GrantState::Expired => return refuse(Reason::Expired, "it is no longer valid"),
        GrantState::Revoked => return refuse(Reason::Revoked, "it was taken back"),
    }
    let Some(code) = &grant.code else {
        return Err(Problem::new(Code::NotFound, "this reward has no code; it is not used at a till"));
    };
    let symbology = grant.terms.redemption.symbology;
    if let Some(life) = grant.terms.redemption.guard.rotate {
        let (payload, until) = rotating(&app, &grant, life)?;
        return shown::answer(
            &headers,
            ShownCode::new(payload, symbology, Some(written(until, app.zone()))),
            symbology,
        );
    }
    let until = grant.valid_until.map(|at| written(at, app.zone()));
    let spelt = spelt(&app, &grant, code).await?;
    shown::answer(&headers, ShownCode::new(spelt, symbology, until), symbology)
}

/// A code as whoever made it writes it: of an imported one that may be another text than what is compared.
async fn spelt(app: &App, grant: &Grant, code: &ids::Code) -> Result<String, Problem> {
    if grant.terms.codes.source != CodeSource::Imported {
        return Ok(code.to_string());
    }
    let engine = app.engine();
    let found =
        engine.store().imported_code(engine.namespace(), code).await.map_err(|error| app.store_fault(&error))?;
    Ok(found.and_then(|row| row.spelling).unwrap_or_else(|| code.to_string()))
}

/// The payload of a rotating code as of now, and until when it is good.
fn rotating(app: &App, grant: &Grant, life: Span) -> Result<(String, Ts), Problem> {
    let now = app.now();
    let seconds = life.after(now, Tz::UTC).signed_duration_since(now).num_seconds();
    let offline = grant.terms.redemption.guard.offline;
    let grace =
        offline.map_or(0, |offline| offline.grace_for.after(now, Tz::UTC).signed_duration_since(now).num_seconds());
    let said = Payload {
        key: [0; 4],
        grant: grant.id.clone(),
        issued_ms: now.timestamp_millis(),
        life_s: u16::try_from(seconds).unwrap_or(u16::MAX),
        nonce: app.nonce()?,
        offline_max: offline.map(|offline| offline.max_amount),
        grace_s: u32::try_from(grace).unwrap_or(0),
    };
    let until = said.expires_at();
    let shown = app.payload_keys().sign(said, now);
    shown.map(|shown| (shown, until)).ok_or_else(|| Problem::internal(&"a voucher's id does not fit a payload"))
}
