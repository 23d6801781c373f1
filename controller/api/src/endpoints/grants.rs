//! `GET /v1/grants` and `GET /v1/grants/{id}`: what the caller was given.

use crate::{
    app::App,
    auth::Member,
    input::{
        path::Id,
        query::{Asked, PageOf, PageRequest, Paging},
    },
    output::{Answer, View, repeatable},
    problem::Problem,
    wire::grant::{self, GrantView},
};
use axum::extract::State;
use fanfare_core::ids::{GrantId, MemberId};
use fanfare_engine::store::{
    Page,
    rows::{Grant, GrantState},
};
use http::HeaderMap;

/// What the caller was given, newest first.
#[utoipa::path(
    get, path = "/v1/grants", operation_id = "listGrants", tag = "member",
    params(("state" = Option<String>, Query, description = "Only grants in this state"), Paging),
    responses((status = 200, body = PageOf<GrantView>), (status = 304, description = "It is as it was")), security(("member" = []))
)]
pub(crate) async fn list_grants(State(app): State<App>, caller: Member, query: Asked, headers: HeaderMap) -> Answer {
    let words = GrantState::ALL.map(|state| (state.as_str(), state));
    let wanted = query.choice("state", &words)?;
    let PageRequest { limit, after } = query.page()?;
    let engine = app.engine();
    let page = Page { limit, after };
    let rows = engine.store().grants_of(engine.namespace(), &caller.0, wanted, page).await;
    let rows = rows.map_err(|error| app.store_fault(&error))?;
    let more = rows.last().filter(|_| rows.len() >= limit).map(|last| last.id.to_string());
    let (view, now) = (View::of(&app)?, app.now());
    let seen = rows.iter().filter(|row| wanted.is_none_or(|state| grant::state_at(row, now) == state));
    repeatable(&headers, &PageRequest::answer(seen.map(|row| grant::view(row, now, &view)).collect(), more))
}

/// One of them.
#[utoipa::path(
    get, path = "/v1/grants/{id}", operation_id = "getGrant", tag = "member", params(("id" = String, Path)),
    responses((status = 200, body = GrantView), (status = 304, description = "It is as it was")), security(("member" = []))
)]
pub(crate) async fn get_grant(State(app): State<App>, caller: Member, Id(id): Id, headers: HeaderMap) -> Answer {
    let row = own(&app, &caller.0, &id.into()).await?;
    repeatable(&headers, &grant::view(&row, app.now(), &View::of(&app)?))
}

/// A grant of this member; another's is not there.
pub(crate) async fn own(app: &App, member: &MemberId, id: &GrantId) -> Result<Grant, Problem> {
    let engine = app.engine();
    let found = engine.store().grant(engine.namespace(), id).await.map_err(|error| app.store_fault(&error))?;
    found.filter(|row| row.member == *member).ok_or_else(|| Problem::not_found("grant"))
}
