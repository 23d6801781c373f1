//! `POST /v1/rewards/{name}/codes`: codes of another system for a reward, read as they come and never held as a whole.

use crate::{
    app::App,
    auth::{Integration, scope::Codes},
    input::{
        import::{Format, Records},
        json::{media_type, object, unsupported},
        path::Id,
    },
    output::{Answer, at_position, ok},
    problem::{Code, FieldError, Problem},
};
use axum::extract::{Request, State};
use fanfare_core::{
    codes::{CODE_LENGTH_MAX, normalise, of_line},
    ids,
};
use fanfare_engine::{
    pool::{self, CODE_MIN_CHARS, IMPORT_MAX, ImportCodes, Imported},
    store::Position,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// The most codes of one import, so that the memory of its duplicates is bounded (about 40 bytes each); more comes in
/// several.
const CODES_MAX: usize = 2_000_000;
/// The most rejections that are listed; the rest is only counted.
const REJECTED_MAX: usize = 1_000;

/// What became of an import.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodesImported {
    /// How many codes are new in the pool.
    accepted: usize,
    /// How many were in it already, from an earlier import.
    known: usize,
    /// What was not taken, at most 1,000 of it.
    rejected: Vec<RejectedCode>,
    /// How many lines were not taken in all.
    rejected_total: usize,
    /// How many codes are left to be given.
    left: i64,
}

/// A line that was not taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct RejectedCode {
    /// From 1.
    line: usize,
    reason: String,
    remedy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedCode {
    code: String,
}

impl CodesImported {
    fn reject(&mut self, line: usize, reason: impl Into<String>, remedy: impl Into<String>) {
        self.rejected_total += 1;
        if self.rejected.len() < REJECTED_MAX {
            self.rejected.push(RejectedCode { line, reason: reason.into(), remedy: remedy.into() });
        }
    }

    fn take(&mut self, line: usize, found: Imported) {
        match found {
            Imported::Added => self.accepted += 1,
            Imported::Known => self.known += 1,
            Imported::Elsewhere => self.reject(line, "another reward has this code", "use another code"),
            Imported::Unusable => {
                let longest = CODE_LENGTH_MAX - 1;
                self.reject(
                    line,
                    "it is no code",
                    format!("{CODE_MIN_CHARS} to {longest} letters and digits, a code a line, saved as UTF-8"),
                );
            }
        }
    }
}

/// How the lines are written.
#[derive(Clone, Copy)]
enum Lines {
    /// The first column is the code; a heading `code` is skipped.
    Text,
    /// `{"code": "…"}` a line.
    Ndjson,
}

/// Imports codes for a reward with `codes.import`. A wrong line is rejected and the others are taken; sending all again is
/// safe.
#[utoipa::path(
    post, path = "/v1/rewards/{name}/codes", operation_id = "importCodes", tag = "codes", params(("name" = String, Path)),
    request_body(content((String = "text/csv"), (String = "text/plain"), (String = "application/x-ndjson"))),
    responses((status = 200, body = CodesImported)), security(("integration" = []))
)]
pub(crate) async fn import_codes(
    State(app): State<App>,
    _: Integration<Codes>,
    Id(name): Id,
    request: Request,
) -> Answer {
    let reward = ids::Name::from(name);
    let lines = match media_type(request.headers()).as_deref() {
        Some("text/csv" | "text/plain") => Lines::Text,
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => Lines::Ndjson,
        other => {
            let known = "text/csv, text/plain or application/x-ndjson";
            return Err(unsupported(other.unwrap_or("nothing"), known));
        }
    };
    imports(&app, &reward)?;
    // A line is a record, whatever is quoted in it.
    let mut records = Records::of(request, Format::Ndjson, app.runtime()?);
    let mut outcome = CodesImported::default();
    let mut reached = Position::default();
    let mut waiting: Vec<(usize, String)> = Vec::with_capacity(IMPORT_MAX);
    let mut seen: HashMap<u128, usize> = HashMap::new();
    while let Some((line, bytes)) = records.record().await? {
        let Some(code) = read(&bytes, lines, line, &mut outcome) else { continue };
        let first = *seen.entry(digest(&normalise(&code))).or_insert(line);
        if first != line {
            outcome.reject(line, format!("line {first} has the same code"), "leave one of them out");
            continue;
        }
        if seen.len() > CODES_MAX {
            let detail =
                format!("an import has at most {CODES_MAX} codes; the first are taken, send the rest in another");
            return Err(Problem::new(Code::TooLarge, detail));
        }
        waiting.push((line, code));
        if waiting.len() >= IMPORT_MAX {
            reached = write(&app, &reward, &mut waiting, &mut outcome).await?;
        }
    }
    if !waiting.is_empty() {
        reached = write(&app, &reward, &mut waiting, &mut outcome).await?;
    }
    // Duplicates were found when they were read, the others when they were written.
    outcome.rejected.sort_by_key(|one| one.line);
    outcome.left = left(&app, &reward).await?;
    Ok(at_position(ok(&outcome)?, reached))
}

/// 404 for a reward that is not served, 422 for one that takes no imported codes.
fn imports(app: &App, reward: &ids::Name) -> Result<(), Problem> {
    let plans = app.engine().plans();
    if !plans.rewards.contains_key(reward) {
        return Err(Problem::not_found("reward"));
    }
    if pool::has_pool(&plans, reward) {
        return Ok(());
    }
    let reason = format!("the reward {reward} takes no imported codes");
    Err(Problem::invalid(vec![FieldError::new("", reason, "write codes: {import: {}} in its specification")]))
}

fn read(bytes: &[u8], lines: Lines, line: usize, outcome: &mut CodesImported) -> Option<String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    match lines {
        Lines::Text => match std::str::from_utf8(bytes) {
            Ok(text) => of_line(text).map(ToOwned::to_owned),
            Err(_) => {
                outcome.reject(line, "it is no text in UTF-8", "save the file as UTF-8");
                None
            }
        },
        Lines::Ndjson => match object::<NamedCode>(bytes) {
            Ok(named) => Some(named.code),
            Err(problem) => {
                outcome.reject(line, problem.detail, "write {\"code\": \"…\"}");
                None
            }
        },
    }
}

/// Half of a cryptographic digest: two different codes of one import are never taken for the same.
fn digest(code: &ids::Code) -> u128 {
    let hash = blake3::hash(code.as_str().as_bytes());
    hash.as_bytes()[..16].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

async fn write(
    app: &App,
    reward: &ids::Name,
    waiting: &mut Vec<(usize, String)>,
    outcome: &mut CodesImported,
) -> Result<Position, Problem> {
    let (lines, codes): (Vec<usize>, Vec<String>) = waiting.drain(..).unzip();
    let command = ImportCodes { reward: reward.clone(), codes };
    let (done, position) = app.engine().execute(command).await.map_err(|error| app.call_fault(&error))?;
    let done = done.map_err(|no| crate::output::refused(&no, app))?;
    for (line, found) in lines.into_iter().zip(done) {
        outcome.take(line, found);
    }
    Ok(position)
}

async fn left(app: &App, reward: &ids::Name) -> Result<i64, Problem> {
    let (size, taken) = pool::level(app.engine(), reward).await.map_err(|error| app.store_fault(&error))?;
    Ok(size - taken)
}
