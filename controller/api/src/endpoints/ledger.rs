//! `GET /v1/ledger`: every line behind a position, streamed, so that neither side holds it as a whole.

use super::reports::amount_of;
use crate::{
    app::App,
    auth::{Integration, scope::Reports},
    input::query::Asked,
    output::{Answer, View, at_position},
    table::{CSV, lines, wants_csv},
};
use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use fanfare_engine::store::{Position, rows::LedgerLine};
use futures::stream;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use std::io;
use utoipa::ToSchema;

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// A line of the ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = LedgerLine)]
pub(crate) struct LineView {
    /// Of its transaction; go on with `?from=` this, once all its lines have come.
    position: i64,
    /// Its place in the transaction.
    line: i64,
    at: String,
    /// By which posting rule.
    rule: String,
    /// What it is about: the id of a grant, an order, a redemption, a correction or a resource.
    reference: String,
    account: String,
    /// A currency, `points` or `stock:<reward>`.
    unit: String,
    /// A decimal text; negative is taken.
    amount: String,
    /// The same in minor units, as it is hashed.
    minor: i64,
    /// The chain's hash after this transaction.
    chain: String,
}

const HEADS: [&str; 10] =
    ["position", "line", "at", "rule", "reference", "account", "unit", "amount", "minor", "chain"];

impl LineView {
    fn of(one: LedgerLine, view: &View) -> Self {
        let LedgerLine { seq, line, at, rule, reference, account, unit, amount, chain } = one;
        let written = amount_of(&unit, amount, view);
        Self {
            position: seq,
            line,
            at: view.time(at),
            rule,
            reference,
            account,
            unit,
            amount: written,
            minor: amount,
            chain,
        }
    }

    fn cells(self) -> Vec<String> {
        let Self { position, line, at, rule, reference, account, unit, amount, minor, chain } = self;
        let (position, line) = (position.to_string(), line.to_string());
        vec![position, line, at, rule, reference, account, unit, amount, minor.to_string(), chain]
    }
}

/// Streams the ledger from behind a position up to where it stood when it was asked, named by `Fanfare-Position`.
#[utoipa::path(
    get, path = "/v1/ledger", operation_id = "exportLedger", tag = "finance",
    params(
        ("from" = Option<i64>, Query, description = "Only what stands behind this position; 0 when left out"),
        ("format" = Option<String>, Query, description = "`ndjson` or `csv`, instead of `Accept`")
    ),
    responses((status = 200, content((LineView = "application/x-ndjson"), (String = "text/csv")))),
    security(("integration" = []))
)]
pub(crate) async fn export_ledger(
    State(app): State<App>,
    _: Integration<Reports>,
    asked: Asked,
    headers: HeaderMap,
) -> Answer {
    let as_csv = wants_csv(&headers, &asked, ("ndjson", "application/x-ndjson"))?;
    let from = match asked.get("from") {
        None => Position(0),
        Some(text) => match text.parse() {
            Ok(from @ 0..) => Position(from),
            _ => return Err(asked.wrong("from", "it is no position", "a number from 0 on, as a line names it")),
        },
    };
    let view = View::of(&app)?;
    let engine = app.engine();
    let to = engine.store().position(engine.namespace()).await.map_err(|error| app.store_fault(&error))?;
    let heads = lines(as_csv.then(|| HEADS.iter().map(ToString::to_string).collect()))?;
    let export = Export { app, view, to, as_csv };
    let pages = stream::try_unfold((export, Some(from), heads), |(export, from, start)| async move {
        let Some(from) = from else { return Ok::<_, io::Error>(None) };
        let (mut bytes, next) = export.page(from).await?;
        if !start.is_empty() {
            bytes.splice(0..0, start);
        }
        // An empty chunk would end the answer for some clients; the last page is simply the end.
        Ok(match (bytes.is_empty(), next) {
            (true, _) => None,
            (false, next) => Some((Bytes::from(bytes), (export, next, Vec::new()))),
        })
    });
    let mut response = Response::new(Body::from_stream(pages));
    response.headers_mut().insert(header::CONTENT_TYPE, if as_csv { CSV } else { NDJSON });
    Ok(at_position(response, to))
}

/// An export that is under way. It holds one page at a time.
struct Export {
    app: App,
    view: View,
    to: Position,
    as_csv: bool,
}

impl Export {
    /// The bytes of the next page and where to go on; nowhere when it was the last. A fault cuts the answer off, so that
    /// nobody takes a part for the whole.
    async fn page(&self, from: Position) -> io::Result<(Vec<u8>, Option<Position>)> {
        let page = self.app.engine().ledger_page(from, self.to).await.map_err(|error| {
            tracing::warn!(%error, "an export of the ledger was cut off");
            io::Error::other("the database did not answer")
        })?;
        let next = page.last().map(|last| Position(last.seq));
        let views = page.into_iter().map(|line| LineView::of(line, &self.view));
        let bytes = if self.as_csv {
            lines(views.map(LineView::cells)).map_err(|problem| io::Error::other(problem.detail))?
        } else {
            let mut bytes = Vec::new();
            for view in views {
                serde_json::to_writer(&mut bytes, &view)?;
                bytes.push(b'\n');
            }
            bytes
        };
        Ok((bytes, next))
    }
}
