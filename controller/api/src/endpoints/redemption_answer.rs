//! How the calls on a redemption answer: the redemption in its new state, or that there is none.

use crate::{
    app::App,
    auth::DeskKey,
    input::idempotency::IdempotencyKey,
    output::{self, Answer, View, render},
    problem::Problem,
    wire::redemption::{self, RedemptionView},
};
use fanfare_engine::{Command, Keyed, redemptions::Outcome};
use http::StatusCode;
use serde::Serialize;

/// The redemption of an outcome, when there is one.
pub(crate) fn found(outcome: &Option<Outcome>, view: &View) -> Result<RedemptionView, Problem> {
    let outcome = outcome.as_ref().ok_or_else(|| Problem::not_found("redemption"))?;
    Ok(redemption::outcome(outcome, view))
}

/// Decides a command under the desk's key and answers 200.
pub(crate) async fn call<C: Command, B: Serialize>(
    app: &App,
    desk: &DeskKey,
    key: IdempotencyKey,
    body: &B,
    command: C,
    write: fn(&C::Answer, &View) -> Result<RedemptionView, Problem>,
) -> Answer {
    let render = render(View::of(app)?, move |answer, view| Ok((StatusCode::OK, write(answer, view)?)));
    let digest = key.digest(body)?;
    output::call(app, Keyed { scope: desk.idempotency_scope(), key: key.key, digest, render }, command).await
}
