//! What every login ends with: an access token and a refresh token.

use crate::{
    app::App,
    auth::token::LIFE_S,
    output::{Answer, at_position, ok, refused},
};
use fanfare_core::ids::MemberId;
use fanfare_engine::{
    credentials::{Session, StartSession},
    members::EnsureMember,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A member is logged in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    /// For `Authorization: Bearer …`.
    access_token: String,
    /// For `POST /v1/auth/refresh`, once.
    refresh_token: String,
    /// Seconds that the access token is good for.
    expires_in: i64,
    member_id: String,
    /// Whether nobody knew the member before.
    is_new: bool,
}

/// Logs a member in, or a new guest when there is no id.
pub(crate) async fn log_in(app: &App, id: Option<MemberId>) -> Answer {
    let fault = |error| app.call_fault(&error);
    let (saved, _) = app.engine().execute(EnsureMember { id }).await.map_err(fault)?;
    let saved = saved.map_err(|no| refused(&no, app))?;
    let session =
        StartSession { namespace: app.engine().namespace().clone(), member: saved.member.id, at: app.real_now() };
    let (session, position) = app.engine().execute(session).await.map_err(fault)?;
    let session = session.map_err(|no| refused(&no, app))?;
    Ok(at_position(answer(app, session, saved.is_new)?, position))
}

/// The tokens of a session.
pub(crate) fn answer(app: &App, session: Session, is_new: bool) -> Answer {
    let Session { member, refresh_token, expires_at: _ } = session;
    ok(&Tokens {
        access_token: app.tokens().sign(&member, app.real_now().timestamp())?,
        refresh_token,
        expires_in: LIFE_S,
        member_id: member.to_string(),
        is_new,
    })
}
