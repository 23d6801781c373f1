//! `POST /v1/grants/{id}/claim`: the caller takes what it was given.

use crate::{
    app::App,
    auth::Member,
    input::{idempotency::IdempotencyKey, json::OptionalBody, path::Id},
    output::{Answer, View, call, render},
    problem::Problem,
    wire::{
        Empty,
        grant::{self, GrantView},
    },
};
use axum::extract::State;
use fanfare_engine::{Keyed, grants::Claim};
use http::StatusCode;

/// Claims a grant.
#[utoipa::path(
    post, path = "/v1/grants/{id}/claim", operation_id = "claimGrant", tag = "member",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    request_body = Option<Empty>, responses((status = 200, body = GrantView)), security(("member" = []))
)]
pub(crate) async fn claim_grant(
    State(app): State<App>,
    caller: Member,
    Id(id): Id,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<Empty>,
) -> Answer {
    let now = app.now();
    let render = render(View::of(&app)?, move |found: &Option<_>, view| {
        let grant = found.as_ref().ok_or_else(|| Problem::not_found("grant"))?;
        Ok((StatusCode::OK, grant::view(grant, now, view)))
    });
    let digest = key.digest(&body)?;
    let keyed = Keyed { scope: caller.idempotency_scope(), key: key.key, digest, render };
    call(&app, keyed, Claim { member: caller.0, grant: id.into() }).await
}
