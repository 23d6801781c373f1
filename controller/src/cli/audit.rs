//! `fanfare audit`: checks what must always hold of a data folder or a shared database.

use super::Place;
use crate::up::admin::{self, Answer, Request};
use anyhow::{bail, ensure};
use fanfare_store::reports::Inspection;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Recompute the ledger's chain, sums and balances and check what must always hold, also beside a running `up`. Exit
    /// code 1 when something is found.
    Verify {
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Does what was asked.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { output, place } = command;
    let inspected = match admin::ask(&place, Request::Verify).await? {
        Answer::Verified(inspected) => asked_for(inspected, place.shared.namespace.as_deref())?,
        Answer::Refused(reason) => bail!(reason),
        Answer::Credential { .. } | Answer::Done | Answer::Reconciled { .. } => {
            bail!("the process that runs on this folder is of another version")
        }
    };
    let holds = inspected.iter().all(|(_, inspection)| inspection.findings.is_empty());
    match output {
        Output::Text if inspected.is_empty() => outln!("the database is empty: no namespace was written to yet"),
        Output::Text => inspected.iter().for_each(|(namespace, inspection)| out!("{}", told(namespace, inspection))),
        Output::Json => outln!("{}", serde_json::to_string_pretty(&as_json(&inspected, holds)?)?),
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The namespace that was named; all of them where none was.
fn asked_for(all: Vec<(String, Inspection)>, named: Option<&str>) -> anyhow::Result<Vec<(String, Inspection)>> {
    let Some(named) = named else { return Ok(all) };
    let known = all.iter().map(|(namespace, _)| namespace.as_str()).collect::<Vec<_>>().join(", ");
    let found: Vec<_> = all.iter().filter(|(namespace, _)| namespace == named).cloned().collect();
    ensure!(!found.is_empty(), "--namespace: there is no namespace {named:?} here; name one of: {known}");
    Ok(found)
}

fn told(namespace: &str, inspection: &Inspection) -> String {
    let Inspection {
        position,
        chain,
        audit_chain: _,
        transactions,
        entries,
        accounts,
        audit_rows,
        grants,
        redemptions,
        orders,
        first_broken,
        findings,
    } = inspection;
    let mut text: String = findings.iter().map(|finding| format!("{namespace}: {finding}\n")).collect();
    text += &format!(
        "{namespace}: ledger and invariants checked up to position {position}: {transactions} transactions with {entries} \
         entries in {accounts} accounts, {grants} grants, {redemptions} redemptions, {orders} orders, {audit_rows} rows of \
         the audit trail\n"
    );
    text += &match (first_broken, findings.len()) {
        (Some(broken), _) => {
            format!("{namespace}: the ledger is NOT as it was written, from transaction {broken} on\n")
        }
        (None, 0) => format!("{namespace}: all holds; the chain ends in {chain}\n"),
        (None, many) => format!("{namespace}: {many} findings; the ledger's chain is whole and ends in {chain}\n"),
    };
    text
}

fn as_json(inspected: &[(String, Inspection)], holds: bool) -> anyhow::Result<Value> {
    let mut namespaces = Vec::with_capacity(inspected.len());
    for (namespace, inspection) in inspected {
        let mut one = serde_json::to_value(inspection)?;
        one["namespace"] = json!(namespace);
        namespaces.push(one);
    }
    Ok(json!({ "holds": holds, "namespaces": namespaces }))
}
