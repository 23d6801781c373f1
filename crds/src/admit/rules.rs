//! Runs the CEL rules that stand in the schema, the same ones that an API server runs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fanfare_core::model::Kind;
use kube::core::cel::{CompiledSchema, ErrorKind, compile_schema, validate_compiled};
use serde_json::Value;

use super::error::{FieldError, code};
use crate::generate;
use crate::wire::rules::REASON_REMEDY;

static COMPILED: LazyLock<BTreeMap<Kind, CompiledSchema>> =
    LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, compile_schema(generate::schema(kind)))).collect());

/// What the rules of this kind say about `object`. Rules that could not be evaluated are no verdict: they fail only on
/// values that the structural check has refused already.
pub(crate) fn check(kind: Kind, object: &Value) -> Vec<FieldError> {
    let Some(compiled) = COMPILED.get(&kind) else { return Vec::new() };
    let Err(failures) = validate_compiled(compiled, object, None) else { return Vec::new() };
    failures
        .into_iter()
        .filter(|failure| failure.kind == ErrorKind::ValidationFailure)
        .map(|failure| {
            let (reason, remedy) =
                failure.message.split_once(REASON_REMEDY).unwrap_or((&failure.message, "see the field's description"));
            FieldError {
                path: failure.field_path.trim_start_matches('.').to_owned(),
                reason: reason.to_owned(),
                remedy: remedy.to_owned(),
                code: code::CONFLICT,
            }
        })
        .collect()
}
