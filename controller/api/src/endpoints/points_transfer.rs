//! `POST /v1/points/transfer`: points of one member become another's.

use crate::{
    app::App,
    auth::PointsGiver,
    input::{idempotency::IdempotencyKey, json::Body},
    output::{Answer, View, call, render},
    problem::{Code, Problem},
    wire::Faults,
};
use axum::extract::State;
use fanfare_core::{ids::MemberId, points::POINTS_MAX};
use fanfare_engine::{
    Keyed,
    transfer::{Giver, TransferPoints, Transferred},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who gives how many points to whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// Whose points they are; only an integration names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The id of the member who gets them.
    to: String,
    /// How many.
    #[schema(minimum = 1, example = 50)]
    amount: i64,
}

/// Points that were given on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransferView {
    /// What the entries of both members name as their reference.
    id: String,
    amount: i64,
    /// What the giver can still spend.
    balance: i64,
}

/// Gives points to another member. Each point keeps its end.
#[utoipa::path(
    post, path = "/v1/points/transfer", operation_id = "transferPoints", tag = "member",
    params(("Idempotency-Key" = String, Header)), request_body = TransferBody,
    responses((status = 201, body = TransferView)), security(("member" = []), ("integration" = []))
)]
pub(crate) async fn transfer_points(
    State(app): State<App>,
    caller: PointsGiver,
    key: IdempotencyKey,
    Body(body): Body<TransferBody>,
) -> Answer {
    let mut faults = Faults::default();
    faults.text("/to", &body.to);
    faults.maybe("/from", body.from.as_ref());
    if !(1..=POINTS_MAX).contains(&body.amount) {
        faults.add("/amount", "it is no number of points", format!("a whole number from 1 to {POINTS_MAX}"));
    }
    let TransferBody { from, to, amount } = body.clone();
    let from = from.map(MemberId::from);
    let (scope, from, by) = match caller {
        PointsGiver::Member(member) => {
            if from.as_ref().is_some_and(|named| *named != member.0) {
                return Err(Problem::new(Code::Forbidden, "a member gives its own points; leave from out"));
            }
            (member.idempotency_scope(), Some(member.0), Giver::Member)
        }
        PointsGiver::Shop(desk) => (desk.idempotency_scope(), from, Giver::Shop(desk.id.clone())),
    };
    if from.is_none() {
        faults.add("/from", "it is missing", "send the id of the member whose points they are");
    }
    faults.done()?;
    let Some(from) = from else { return Err(Problem::new(Code::Invalid, "from is missing")) };
    let render = render(View::of(&app)?, |done: &Transferred, _| {
        let Transferred { id, points, balance } = done.clone();
        Ok((StatusCode::CREATED, TransferView { id, amount: points, balance }))
    });
    let keyed = Keyed { scope, key: key.key.clone(), digest: key.digest(&body)?, render };
    call(&app, keyed, TransferPoints { from, to: to.into(), points: amount, by }).await
}
