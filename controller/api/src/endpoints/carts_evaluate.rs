//! `POST /v1/carts/evaluate`: what a cart costs and why; changes nothing.

use crate::{
    app::App,
    auth::{Shopper, guess::Guesser},
    input::{card, json::Body, origin::Came},
    output::{Answer, View, execute, ok},
    problem::{Code, FieldError, Problem},
    wire::{
        cart::CartBody,
        evaluation::{self, EvaluationView},
    },
};
use axum::extract::State;
use fanfare_core::cart::Cart;
use fanfare_engine::{
    carts::{Asker, EvaluateCart},
    origin::Brought,
};

/// What a cart costs and why.
#[utoipa::path(
    post, path = "/v1/carts/evaluate", operation_id = "evaluateCart", tag = "till",
    request_body = CartBody, responses((status = 200, body = EvaluationView)),
    security(("member" = []), ("terminal" = []), ("integration" = []))
)]
pub(crate) async fn evaluate_cart(
    State(app): State<App>,
    caller: Shopper,
    came: Came,
    Body(body): Body<CartBody>,
) -> Answer {
    let view = View::of(&app)?;
    let cart = Cart { card: card::hidden(&app, body.payment_card.as_ref()), ..body.read("", &view.runtime)? };
    let mut cart = owned(cart, &caller)?;
    let spelling = app.open_codes(&mut cart.codes, &body.codes);
    let (by, asker, guesser) = match &caller {
        Shopper::Member(member) => {
            let by = came.of_member(&app);
            let guesser = Guesser::member(member, by.address.as_deref());
            (by, Asker::Shopper, guesser)
        }
        Shopper::Desk(desk) => (came.of_desk(&app, desk), Asker::Desk, Guesser::desk(desk, cart.member.as_ref())),
    };
    if !cart.codes.is_empty() {
        app.admit_codes(&guesser)?;
    }
    execute(&app, Brought { by, command: EvaluateCart { cart, asker } }, |found| {
        app.note_wrong_codes(&guesser, found.evaluation.unknown_codes());
        let at = View { revision: found.revision, spelling, ..view };
        ok(&evaluation::view(&found.evaluation, &at))
    })
    .await
}

/// The cart as this caller may send it: a member's is its own, a till's is in its store.
fn owned(mut cart: Cart, caller: &Shopper) -> Result<Cart, Problem> {
    match caller {
        Shopper::Member(member) => {
            if cart.member.as_ref().is_some_and(|named| named != member) {
                return Err(Problem::new(Code::Forbidden, "a member evaluates its own cart; leave memberId out"));
            }
            cart.member = Some(member.clone());
            if cart.card.is_some() {
                let at = FieldError::new("/paymentCard", "a shopper says no card", "leave it out");
                return Err(Problem::new(Code::Invalid, "which card pays is the till's to say").at(at));
            }
            if let Some(index) = cart.lines.iter().position(|line| line.cost.is_some()) {
                let at = FieldError::new(format!("/lines/{index}/cost"), "a shopper knows no cost", "leave it out");
                return Err(Problem::new(Code::Invalid, "what goods cost is between tills and the shop").at(at));
            }
        }
        Shopper::Desk(desk) => cart.store = desk.store_of(cart.store)?,
    }
    Ok(cart)
}
