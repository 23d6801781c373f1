//! `POST /v1/members/resolve`: who stands at the till.

use crate::{
    app::App,
    auth::{Desk, guess::Guesser, member_code::MemberCodes, scope::Redeem},
    input::json::Body,
    output::{Answer, execute, ok},
    problem::{Code, FieldError, Problem},
    wire::Faults,
};
use axum::extract::State;
use fanfare_core::reason::{Reason, Refusal};
use fanfare_engine::members::{Handle, ResolveMember, display_name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Exactly one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Resolve {
    /// What the member shows (`GET /v1/me/code`).
    code: Option<String>,
    /// A phone number.
    phone: Option<String>,
    /// The number of a membership card.
    card_number: Option<String>,
}

/// A member at the till.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resolved {
    member_id: String,
    display_name: String,
}

/// Finds a member by what it shows or says.
#[utoipa::path(
    post, path = "/v1/members/resolve", operation_id = "resolveMember", tag = "till",
    request_body = Resolve, responses((status = 200, body = Resolved)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn resolve_member(State(app): State<App>, caller: Desk<Redeem>, Body(body): Body<Resolve>) -> Answer {
    let guesser = Guesser::desk(&caller.0, None);
    app.admit_codes(&guesser)?;
    let wrong = |problem: &Problem| {
        let unknown = [Code::Refused(Reason::CodeUnknown), Code::Refused(Reason::MemberUnknown)];
        app.note_wrong_codes(&guesser, usize::from(unknown.contains(&problem.code)));
    };
    let handle = handle(&app, body).inspect_err(wrong)?;
    execute(&app, ResolveMember(handle), |found| {
        let unknown = || Refusal::new(Reason::MemberUnknown, "no member has this; register the shopper first");
        let member = found.ok_or_else(|| Problem::from(&unknown()))?;
        ok(&Resolved { member_id: member.id.to_string(), display_name: display_name(&member) })
    })
    .await
    .inspect_err(wrong)
}

fn handle(app: &App, body: Resolve) -> Result<Handle, Problem> {
    let mut faults = Faults::default();
    faults.bounded("/code", body.code.as_deref().unwrap_or("x"), 512);
    faults.maybe("/phone", body.phone.as_ref());
    faults.maybe("/cardNumber", body.card_number.as_ref());
    faults.done()?;
    match (body.code, body.phone, body.card_number) {
        // A printed membership card may carry a plain number; what we signed starts with our own sign.
        (Some(code), None, None) if MemberCodes::is_one(&code) => {
            let member = app.member_codes().read(&code, app.real_now()).map_err(|no| Problem::from(&no))?;
            Ok(Handle::Id(member))
        }
        (Some(card), None, None) => Ok(Handle::Card(card)),
        (None, Some(phone), None) => Ok(Handle::Phone(phone)),
        (None, None, Some(card)) => Ok(Handle::Card(card)),
        _ => {
            let remedy = "exactly one of code, phone, cardNumber";
            let error = FieldError::new("", "none or several of code, phone and cardNumber are given", remedy);
            Err(Problem { errors: vec![error], ..Problem::new(Code::Invalid, format!("send {remedy}")) })
        }
    }
}
