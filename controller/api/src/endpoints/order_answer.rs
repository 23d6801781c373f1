//! How the calls on an order answer: the order as it is now, or that there is none.

use crate::{
    app::App,
    auth::{DeskKey, guess::Guesser},
    input::idempotency::IdempotencyKey,
    output::{self, Answer, View, render},
    problem::Problem,
    wire::order::{self, OrderView},
};
use fanfare_engine::{Command, Keyed, orders::Placed};
use http::StatusCode;
use serde::Serialize;

type Written = Result<(StatusCode, OrderView), Problem>;

/// 200 with the order, when there is one.
pub(crate) fn found(placed: &Option<Placed>, view: &View) -> Written {
    let placed = placed.as_ref().ok_or_else(|| Problem::not_found("order"))?;
    Ok((StatusCode::OK, order::view(&placed.order, &placed.redemptions, view)))
}

/// The same, and 201 where the call made something new.
pub(crate) fn returned(placed: &Option<Placed>, view: &View) -> Written {
    let is_new = placed.as_ref().is_some_and(|placed| placed.created);
    let (_, body) = found(placed, view)?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, body))
}

/// The same as [`call`] for a call that names codes: who has guessed too often waits, and wrong ones are counted.
pub(crate) async fn call_with_codes<C: Command, B: Serialize>(
    app: &App,
    (desk, guesser): (&DeskKey, Guesser),
    key: IdempotencyKey,
    body: &B,
    command: C,
    write: fn(&C::Answer, &View) -> Written,
) -> Answer {
    let render = render(View::of(app)?, write);
    let digest = key.digest(body)?;
    let keyed = Keyed { scope: desk.idempotency_scope(), key: key.key, digest, render };
    output::call_with_codes(app, keyed, command, guesser).await
}

/// Decides a command under the desk's key.
pub(crate) async fn call<C: Command, B: Serialize>(
    app: &App,
    desk: &DeskKey,
    key: IdempotencyKey,
    body: &B,
    command: C,
    write: fn(&C::Answer, &View) -> Written,
) -> Answer {
    let render = render(View::of(app)?, write);
    let digest = key.digest(body)?;
    output::call(app, Keyed { scope: desk.idempotency_scope(), key: key.key, digest, render }, command).await
}
