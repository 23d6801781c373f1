//! `POST /v1/members/import`: many members at once, as CSV or NDJSON, read as it comes and never held as a whole.

use crate::{
    app::App,
    auth::{Integration, scope::Members},
    input::{
        import::{Format, Records, Row},
        json::{expect_unpacked, media_type, unsupported},
    },
    output::{Answer, at_position, ok},
    problem::{FieldError, Problem},
    wire::member::unsaved,
};
use axum::extract::{Request, State};
use fanfare_engine::{
    members::{ImportMembers, UpsertMember},
    store::Position,
};
use serde::Serialize;
use utoipa::ToSchema;

/// How many members one transaction takes.
const BATCH: usize = 500;
/// The most rejections that are listed; the rest is only counted.
const REJECTED_MAX: usize = 1_000;

/// What became of an import.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportView {
    /// How many members were created or changed.
    accepted: usize,
    /// What was not taken, at most 1,000 of it.
    rejected: Vec<RejectedRow>,
    /// How many lines were not taken in all.
    rejected_total: usize,
}

/// A line that was not taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct RejectedRow {
    /// From 1; the heading of a CSV counts.
    line: usize,
    /// A JSON Pointer into the member; of a CSV the column's name stands in it.
    pointer: String,
    reason: String,
    remedy: String,
}

impl ImportView {
    fn reject(&mut self, line: usize, problem: Problem) {
        self.rejected_total += 1;
        let Problem { detail, mut errors, .. } = problem;
        if errors.is_empty() {
            errors.push(FieldError::new("", detail, "correct the line and send it again"));
        }
        for FieldError { pointer, reason, remedy } in errors {
            if self.rejected.len() < REJECTED_MAX {
                self.rejected.push(RejectedRow { line, pointer, reason, remedy });
            }
        }
    }
}

/// Creates or changes many members. A wrong line is rejected and the others are taken; sending all again is safe.
#[utoipa::path(
    post, path = "/v1/members/import", operation_id = "importMembers", tag = "members",
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 200, body = ImportView)), security(("integration" = []))
)]
pub(crate) async fn import_members(State(app): State<App>, _: Integration<Members>, request: Request) -> Answer {
    expect_unpacked(request.headers())?;
    let format = match media_type(request.headers()).as_deref() {
        Some("text/csv") => Format::Csv,
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => Format::Ndjson,
        other => return Err(unsupported(other.unwrap_or("nothing"), "text/csv or application/x-ndjson")),
    };
    let mut records = Records::of(request, format, app.runtime()?);
    let mut outcome = ImportView::default();
    let mut reached = Position::default();
    let mut waiting: Vec<(usize, UpsertMember)> = Vec::with_capacity(BATCH);
    while let Some(Row { line, member }) = records.next().await? {
        match member {
            Ok(member) => waiting.push((line, member)),
            Err(problem) => outcome.reject(line, problem),
        }
        if waiting.len() >= BATCH {
            reached = write(&app, &mut waiting, &mut outcome).await?;
        }
    }
    if !waiting.is_empty() {
        reached = write(&app, &mut waiting, &mut outcome).await?;
    }
    Ok(at_position(ok(&outcome)?, reached))
}

/// Writes what waits in one transaction, which answers the position that it reached.
async fn write(
    app: &App,
    waiting: &mut Vec<(usize, UpsertMember)>,
    outcome: &mut ImportView,
) -> Result<Position, Problem> {
    let (lines, members): (Vec<usize>, Vec<UpsertMember>) = waiting.drain(..).unzip();
    let command = ImportMembers { members };
    let (done, position) = app.engine().execute(command).await.map_err(|error| app.call_fault(&error))?;
    let done = done.map_err(|no| crate::output::refused(&no, app))?;
    for (line, one) in lines.into_iter().zip(done) {
        match one {
            Ok(()) => outcome.accepted += 1,
            Err(no) => outcome.reject(line, unsaved(no)),
        }
    }
    Ok(position)
}
