//! `POST /v1/rewards/{name}/prints`: vouchers for paper, which nobody holds before they are used.

use crate::{
    app::App,
    auth::{Integration, scope::Codes},
    input::{idempotency::IdempotencyKey, json::Body, path::Id},
    output::{Answer, View, call, render},
    problem::Problem,
    symbol,
    wire::Faults,
};
use axum::extract::State;
use fanfare_engine::{
    Keyed,
    prints::{PART_MAX, Part, Print},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most parts of a batch: more than any printer makes.
const PARTS_MAX: i64 = 10_000;

/// A part of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PrintBody {
    /// What people call the batch; the audit trail names it. The same batch again answers the same vouchers.
    batch: String,
    /// Which part of the batch, where it has more than 500.
    #[serde(default = "first")]
    #[schema(minimum = 1, maximum = 10_000, default = 1)]
    part: i64,
    /// 1 to 500; more comes in several parts.
    #[schema(minimum = 1, maximum = 500)]
    count: i64,
    /// The campaign that pays for them; without it nobody's budget is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
}

fn first() -> i64 {
    1
}

/// Vouchers for paper.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartView {
    batch: String,
    /// How the codes are drawn: `Qr` or `Code128`.
    symbology: &'static str,
    vouchers: Vec<PrintedView>,
}

/// One voucher.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrintedView {
    grant: String,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
}

/// Makes vouchers that nobody holds, all of the part or none; what they are worth is set aside at once.
#[utoipa::path(
    post, path = "/v1/rewards/{name}/prints", operation_id = "printCodes", tag = "codes",
    params(("name" = String, Path), ("Idempotency-Key" = String, Header)), request_body = PrintBody,
    responses((status = 201, body = PartView)), security(("integration" = []))
)]
pub(crate) async fn print_codes(
    State(app): State<App>,
    caller: Integration<Codes>,
    Id(name): Id,
    key: IdempotencyKey,
    Body(body): Body<PrintBody>,
) -> Answer {
    let view = View::of(&app)?;
    let mut faults = Faults::default();
    faults.text("/batch", &body.batch);
    faults.maybe("/campaign", body.campaign.as_ref());
    if !(1..=PART_MAX).contains(&body.count) {
        faults.add("/count", "it is no number of vouchers", format!("1 to {PART_MAX}; make more in several parts"));
    }
    if !(1..=PARTS_MAX).contains(&body.part) {
        faults.add("/part", format!("{} is no number of a part", body.part), format!("1 to {PARTS_MAX}"));
    }
    faults.done()?;
    if !app.engine().plans().rewards.contains_key(name.as_str()) {
        return Err(Problem::not_found("reward"));
    }
    let digest = key.digest(&body)?;
    let command = Print {
        reward: name.into(),
        count: body.count,
        campaign: body.campaign.as_deref().map(Into::into),
        batch: body.batch.clone(),
        part: body.part,
        actor: format!("key:{}", caller.id()),
    };
    let render = render(view, move |part: &Part, view| {
        let vouchers = part.vouchers.iter().map(|one| PrintedView {
            grant: one.grant.to_string(),
            code: one.code.to_string(),
            valid_until: one.valid_until.map(|at| view.time(at)),
        });
        let vouchers = vouchers.collect();
        Ok((
            StatusCode::CREATED,
            PartView { batch: body.batch.clone(), symbology: symbol::name(part.symbology), vouchers },
        ))
    });
    call(&app, Keyed { scope: format!("client:{}", caller.id()), key: key.key, digest, render }, command).await
}
