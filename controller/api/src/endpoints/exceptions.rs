//! `GET /v1/exceptions`: what was honoured although its value was gone, for a person to look at.

use crate::{
    app::App,
    auth::{Integration, scope::Reports},
    input::query::{Asked, PageOf, PageRequest, Paging},
    output::{Answer, View, at_position, ok},
    table::{csv, wants_csv},
    wire::Faults,
};
use axum::extract::State;
use fanfare_core::ids::StoreId;
use fanfare_engine::{
    exceptions::Booked,
    store::{Page, reports::ExceptionsOf},
};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

/// Where the `next` of a page stands when the answer is CSV.
const NEXT: &str = "fanfare-next";

/// A booked exception.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BookedView {
    id: String,
    /// Such as `late-commit`.
    kind: String,
    at: String,
    /// What it is about, such as `Order/o-1`.
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_date: Option<String>,
    /// What it cost without cover.
    amount: String,
    currency: String,
    /// What was gone or clashed.
    gone: Vec<String>,
    /// What a person should do.
    what_to_do: String,
}

const HEADS: [&str; 12] = [
    "position",
    "id",
    "kind",
    "at",
    "about",
    "orderId",
    "storeId",
    "businessDate",
    "amount",
    "currency",
    "gone",
    "whatToDo",
];

impl BookedView {
    fn of(one: Booked, view: &View) -> Self {
        let Booked { id, at, kind, about, order, store, business_date, amount, gone, remedy } = one;
        Self {
            id,
            kind,
            at: view.time(at),
            about,
            order_id: order.map(|order| order.to_string()),
            store_id: store.map(|store| store.to_string()),
            business_date,
            amount: view.amount(amount),
            currency: view.currency(),
            gone,
            what_to_do: remedy,
        }
    }

    fn cells(self, position: i64) -> Vec<String> {
        let mut cells = vec![position.to_string(), self.id, self.kind, self.at, self.about];
        cells.extend([self.order_id, self.store_id, self.business_date].map(Option::unwrap_or_default));
        cells.extend([self.amount, self.currency, self.gone.join("; "), self.what_to_do]);
        cells
    }
}

/// What was booked as an exception, newest first.
#[utoipa::path(
    get, path = "/v1/exceptions", operation_id = "listExceptions", tag = "finance",
    params(
        Paging,
        ("kind" = Option<String>, Query, description = "Such as `late-commit`"),
        ("storeId" = Option<String>, Query),
        ("businessDate" = Option<String>, Query, description = "`YYYY-MM-DD`"),
        ("format" = Option<String>, Query, description = "`json` or `csv`, instead of `Accept`")
    ),
    responses((status = 200, content((PageOf<BookedView> = "application/json"), (String = "text/csv")))),
    security(("integration" = []))
)]
pub(crate) async fn list_exceptions(
    State(app): State<App>,
    _: Integration<Reports>,
    asked: Asked,
    headers: HeaderMap,
) -> Answer {
    let as_csv = wants_csv(&headers, &asked, ("json", "application/json"))?;
    let PageRequest { limit, after } = asked.page()?;
    let of = ExceptionsOf {
        kind: asked.get("kind").map(ToOwned::to_owned),
        store: asked.get("storeId").map(StoreId::from),
        business_date: asked.get("businessDate").map(ToOwned::to_owned),
    };
    let (runtime, mut faults) = (app.runtime()?, Faults::default());
    faults.day("?businessDate", of.business_date.as_ref());
    faults.store("?storeId", asked.get("storeId"), &runtime);
    faults.done()?;
    let engine = app.engine();
    // Read first: what the page shows is at least of this position.
    let position = engine.store().position(engine.namespace()).await.map_err(|error| app.store_fault(&error))?;
    let found = engine.exceptions(&of, Page { limit, after }).await.map_err(|error| app.store_fault(&error))?;
    let more = found.last().filter(|_| found.len() >= limit).map(|last| last.id.clone());
    let view = View::of(&app)?;
    let items: Vec<BookedView> = found.into_iter().map(|one| BookedView::of(one, &view)).collect();
    let answer = if as_csv {
        let next = PageRequest::cursor(more);
        let mut answer = csv(&HEADS, items.into_iter().map(|one| one.cells(position.0)))?;
        if let Some(next) = next.and_then(|next| HeaderValue::try_from(next).ok()) {
            answer.headers_mut().insert(NEXT, next);
        }
        answer
    } else {
        ok(&PageRequest::answer(items, more))?
    };
    Ok(at_position(answer, position))
}
