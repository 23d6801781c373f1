//! `POST /v1/campaigns/{name}/mechanics/{mechanic}/{action}`: the caller reserves, releases or draws.

use crate::{
    app::App,
    auth::Member,
    input::{idempotency::IdempotencyKey, json::OptionalBody, origin::Came, path::Ids},
    output::{Answer, View, call, render},
    problem::Problem,
    wire::{Faults, cart::quantity},
};
use axum::extract::State;
use fanfare_core::model::RuntimePlan;
use fanfare_engine::{
    Keyed,
    act::{Action, DoAction, Outcome},
    origin::Brought,
    progress::Goals,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `reserve` takes `sku`, `quantity` and perhaps `storeId`; `release` takes `reservationId`; `draw` takes nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ActBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    quantity: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reservation_id: Option<String>,
    /// Through which channel, where the mechanic asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
}

/// What an action came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OutcomeView {
    /// A word such as `reserved`; of a draw, its prize.
    #[schema(value_type = OutcomeSchema)]
    outcome: OutcomeWord,
    /// What was given.
    grants: Vec<String>,
    /// How far the caller has come now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::campaigns::GoalsView>)]
    progress: Option<Goals>,
    /// The reservation that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<ReservationView>,
    /// The revision of the rules.
    revision: String,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum OutcomeWord {
    Drawn { prize: String },
    Done(String),
}

/// A word, or of a draw its prize.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(as = Outcome)]
#[serde(untagged)]
pub(crate) enum OutcomeSchema {
    Drawn { prize: String },
    Done(String),
}

/// A reservation of stock.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationView {
    id: String,
    expires_at: String,
}

impl ActBody {
    fn read(&self, action: &str, runtime: &RuntimePlan) -> Result<Action, Problem> {
        let mut faults = Faults::default();
        faults.maybe("/channel", self.channel.as_ref());
        let (takes, read): (&[&str], _) = match action {
            "draw" => (&[], Action::Draw),
            "reserve" => {
                let sku = self.sku.clone().unwrap_or_default();
                faults.text("/sku", &sku);
                faults.store("/storeId", self.store_id.as_deref(), runtime);
                let units = self.quantity.unwrap_or(1);
                quantity(units, "/quantity", &mut faults);
                let store = self.store_id.as_deref().map(Into::into);
                (&["sku", "quantity", "storeId"], Action::Reserve { sku, quantity: units, store })
            }
            "release" => {
                let id = self.reservation_id.clone().unwrap_or_default();
                faults.text("/reservationId", &id);
                (&["reservationId"], Action::Release { reservation: id.into() })
            }
            _ => return Err(Problem::not_found("action")),
        };
        let given = [
            ("sku", self.sku.is_some()),
            ("quantity", self.quantity.is_some()),
            ("storeId", self.store_id.is_some()),
            ("reservationId", self.reservation_id.is_some()),
        ];
        for (name, _) in given.iter().filter(|(name, is_given)| *is_given && !takes.contains(name)) {
            faults.add(format!("/{name}"), format!("{action} does not take it"), "leave it out");
        }
        faults.done()?;
        Ok(read)
    }
}

/// Acts on a mechanic: `reserve`, `release` or `draw`.
#[utoipa::path(
    post, path = "/v1/campaigns/{name}/mechanics/{mechanic}/{action}", operation_id = "actOnMechanic", tag = "member",
    params(
        ("name" = String, Path), ("mechanic" = String, Path),
        ("action" = String, Path, description = "reserve, release or draw"), ("Idempotency-Key" = String, Header),
        ("Fanfare-Device" = Option<String>, Header, description = "The app's device, for limits per device")
    ),
    request_body = Option<ActBody>, responses((status = 200, body = OutcomeView)), security(("member" = []))
)]
pub(crate) async fn act_on_mechanic(
    State(app): State<App>,
    caller: Member,
    came: Came,
    ids: Ids<3>,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<ActBody>,
) -> Answer {
    let Ids([name, mechanic, action]) = ids;
    let view = View::of(&app)?;
    let read = body.read(&action, &view.runtime)?;
    let render = render(view, |outcome: &Option<Outcome>, view| {
        let outcome =
            outcome.as_ref().ok_or_else(|| Problem::not_found("campaign, mechanic, action or reservation"))?;
        Ok((StatusCode::OK, outcome_view(outcome, view)))
    });
    let digest = key.digest(&body)?;
    let keyed = Keyed { scope: caller.idempotency_scope(), key: key.key, digest, render };
    let command = DoAction {
        campaign: name.into(),
        mechanic: mechanic.into(),
        member: caller.0,
        action: read,
        channel: body.channel,
    };
    let by = came.of_member(&app);
    call(&app, keyed, Brought { by, command }).await
}

fn outcome_view(outcome: &Outcome, view: &View) -> OutcomeView {
    let Outcome { outcome, prize, grants, progress, reservation } = outcome;
    let word = match prize {
        Some(prize) => OutcomeWord::Drawn { prize: prize.to_string() },
        None => OutcomeWord::Done(outcome.clone()),
    };
    let held = |(id, until): &(_, _)| ReservationView { id: ToString::to_string(id), expires_at: view.time(*until) };
    OutcomeView {
        outcome: word,
        grants: grants.iter().map(ToString::to_string).collect(),
        progress: progress.clone(),
        reservation: reservation.as_ref().map(|(id, until)| held(&(id, *until))),
        revision: view.revision.clone(),
    }
}
