//! Reading authors' files: YAML with many documents, JSON, folders and standard input, and judging what they hold.
//!
//! `fanfare validate` and `fanfare up` read through here. Every fault has its file, line and column. What kubectl
//! would read differently is refused. Nothing is written, and only the paths that were asked for are read (and the
//! neighbours of a single file, so that its references resolve).

mod place;
mod render;
mod scalar;
mod sources;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use fanfare_core::model::{Kind, Plan};
use fanfare_core::time::Ts;
use serde::Serialize;
use serde_json::Value;

use crate::admit::{FieldError, Findings, Verdict, admit_all, code};
use crate::wire::{API_VERSION, GROUP};
use place::{Part, place};
use sources::{Content, Role, Source};
use tree::{Document, Fault, Node};

pub use render::{Colour, Format, render};
pub use sources::{FILE_MAX_BYTES, FILES_MAX, FOLDERS_MAX_DEPTH, STDIN, Unreadable, is_resource_file};
pub use tree::{DEPTH_MAX, DOCUMENT_MAX_BYTES, DOCUMENTS_MAX};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The file as it was named, or `<stdin>`.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// From 0, in bytes.
    pub offset: usize,
    /// In bytes; 0 where a whole file is meant.
    pub length: usize,
    /// The resource, such as `Campaign/double-11`, where it can be told.
    pub resource: Option<String>,
    /// The field, such as `spec.schedule.endAt`; empty where the text itself is wrong.
    pub path: String,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: String,
    /// A stable name of the fault.
    pub code: &'static str,
}

/// A resource that was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file it stands in.
    pub file: String,
    /// Its first line, from 1.
    pub line: usize,
    /// Its kind, where it can be told.
    pub kind: Option<Kind>,
    /// Its namespace, where it names one.
    pub namespace: Option<String>,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The resource itself.
    pub object: Value,
    /// What it becomes, where nothing is wrong with it.
    pub plan: Option<Plan>,
}

/// The most findings of one report; a folder with more has one fault many times.
pub const FINDINGS_MAX: usize = 10_000;

/// A text that knows where its lines begin.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: Arc<str>,
    line_starts: Vec<usize>,
}

impl Text {
    fn new(text: &str) -> Self {
        let further = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text: Arc::from(text), line_starts: std::iter::once(0).chain(further).collect() }
    }

    /// Line and column of a byte, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset.min(self.text.len())).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }
}

/// What became of everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Everything that is wrong, in the order of the files.
    pub findings: Vec<Finding>,
    /// What is allowed and hardly meant: told, and nothing is refused for it.
    pub warnings: Vec<Finding>,
    /// What could not be read at all.
    pub unreadable: Vec<Unreadable>,
    /// Our resources, good and bad, in the order of the files.
    pub resources: Vec<Loaded>,
    /// Objects of other kinds, such as Secrets; nobody judges them.
    pub others: Vec<Value>,
    /// The texts, by file, for showing lines.
    pub(crate) texts: BTreeMap<String, Arc<Text>>,
}

impl Report {
    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// 0: nothing is wrong. 1: something is. 2: something could not be read.
    pub fn exit_code(&self) -> u8 {
        match (self.unreadable.is_empty(), self.findings.is_empty()) {
            (false, _) => 2,
            (true, false) => 1,
            (true, true) => 0,
        }
    }
}

/// Reads and judges everything that `paths` name; `-` is standard input.
pub fn validate_paths(paths: &[PathBuf], now: Ts) -> Report {
    validate_from(paths, &mut std::io::stdin().lock(), now)
}

/// As [`validate_paths`], with another reader in the place of standard input.
pub fn validate_from(paths: &[PathBuf], stdin: &mut dyn Read, now: Ts) -> Report {
    let (sources, unreadable) = sources::read(paths, stdin);
    let mut report = judge(sources, now);
    report.unreadable = unreadable;
    for path in paths {
        let file = path.display().to_string();
        let is_empty = report.unreadable.is_empty() && report.findings.is_empty() && report.resources.is_empty();
        if is_empty {
            report
                .unreadable
                .push(Unreadable { path: file, reason: "there is no resource of fanfare.dev in it".to_owned() });
        }
    }
    report
}

/// Judges one text that is named `file`, by itself.
pub fn validate_text(file: &str, text: &str, now: Ts) -> Report {
    judge(vec![Source { file: file.to_owned(), text: Content::Text(text.to_owned()), role: Role::File }], now)
}

/// A document of ours with its place.
struct Ours {
    file: String,
    role: Role,
    object: Value,
    root: Arc<Node>,
    faults: Vec<Fault>,
}

fn judge(sources: Vec<Source>, now: Ts) -> Report {
    let mut report = Report::default();
    let mut ours = Vec::new();
    let whole_folder = sources.iter().any(|source| source.role == Role::Folder);
    for source in sources {
        take(source, &mut ours, &mut report);
    }
    drop_shadowed(&mut ours);
    let objects: Vec<&Value> = ours.iter().map(|document| &document.object).collect();
    let verdicts = admit_all(&objects, now);
    for (document, verdict) in ours.into_iter().zip(verdicts) {
        conclude(document, verdict, &mut report);
    }
    if whole_folder {
        need_runtime(&mut report);
    }
    let order: BTreeMap<String, usize> =
        report.texts.keys().cloned().enumerate().map(|(at, file)| (file, at)).collect();
    let place = |finding: &Finding| (order.get(&finding.file).copied(), finding.offset);
    report.findings.sort_by_key(place);
    report.warnings.sort_by_key(place);
    report
}

/// Reads one source's documents. Faults of the text are reported at once where no resource can be told.
fn take(source: Source, ours: &mut Vec<Ours>, report: &mut Report) {
    let Source { file, text, role } = source;
    let text = match text {
        Content::Text(text) => text,
        Content::Refused { reason, remedy } => {
            let error = FieldError { path: String::new(), reason, remedy: remedy.to_owned(), code: code::SYNTAX };
            if role != Role::Neighbour {
                report.add(whole_file(file, error));
            }
            return;
        }
    };
    let documents = if is_json(&file, &text) { json_documents(&text) } else { tree::documents(&text) };
    let shown = Arc::new(Text::new(&text));
    report.texts.insert(file.clone(), Arc::clone(&shown));
    for Document { root, faults } in documents {
        match root {
            Some(root) if is_ours(&root.value()) => {
                ours.push(Ours { file: file.clone(), role, object: root.value(), root, faults });
            }
            Some(root) => report.others.push(root.value()),
            None if role == Role::Neighbour => {}
            None => {
                for Fault { at, error } in faults {
                    report.add(finding(&file, &shown, at, None, error));
                }
            }
        }
    }
}

fn is_json(file: &str, text: &str) -> bool {
    file.ends_with(".json") || (file == "<stdin>" && text.trim_start().starts_with('{'))
}

/// JSON is read by the YAML reader, after a JSON reader has agreed: it says more clearly what is wrong. Tabs can stand
/// only between JSON's tokens, where a space means the same to YAML.
fn json_documents(text: &str) -> Vec<Document> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => tree::documents(&text.replace('\t', " ")),
        Err(error) => {
            let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            let at = (line_start + error.column().saturating_sub(1)).min(text.len());
            let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let fault = FieldError {
                path: String::new(),
                reason: format!("the text is no JSON: {error}"),
                remedy: "check brackets, commas and quotes here and in the line before".to_owned(),
                code: code::SYNTAX,
            };
            vec![Document { root: None, faults: vec![Fault { at: at..at, error: fault }] }]
        }
    }
}

/// Whether a document is meant for us: by its API group, or by a kind of ours with a misspelt group, or by neither.
fn is_ours(object: &Value) -> bool {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    let group = text("apiVersion").map(|version| version.split('/').next().unwrap_or_default());
    let is_our_kind = text("kind").and_then(Kind::parse).is_some();
    match group {
        Some(group) => group == GROUP || is_our_kind || crate::nearest::nearest(group, [GROUP]).is_some(),
        None => true,
    }
}

/// What was asked for goes before its neighbours, and several Runtimes among neighbours say nothing.
fn drop_shadowed(ours: &mut Vec<Ours>) {
    let identity = |document: &Ours| {
        let text = |pointer: &str| document.object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        (text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    };
    let asked: BTreeSet<_> = ours.iter().filter(|document| document.role != Role::Neighbour).map(identity).collect();
    let runtimes = |document: &Ours, neighbours: bool| {
        let (kind, namespace, _) = identity(document);
        let is_one = kind.as_deref() == Some("CampaignRuntime") && (document.role == Role::Neighbour) == neighbours;
        is_one.then_some(namespace)
    };
    let asked_runtimes: Vec<_> = ours.iter().filter_map(|document| runtimes(document, false)).collect();
    let beside: Vec<_> = ours.iter().filter_map(|document| runtimes(document, true)).collect();
    let mut seen = BTreeSet::new();
    ours.retain(|document| {
        let is_extra_runtime = runtimes(document, true).is_some_and(|namespace| {
            asked_runtimes.contains(&namespace) || beside.iter().filter(|other| **other == namespace).count() > 1
        });
        let identity = identity(document);
        document.role != Role::Neighbour || !(asked.contains(&identity) || is_extra_runtime || !seen.insert(identity))
    });
}

fn conclude(document: Ours, verdict: Verdict, report: &mut Report) {
    let Ours { file, role, object, root, faults } = document;
    if role == Role::Neighbour {
        return;
    }
    let Some(text) = report.texts.get(&file).cloned() else { return };
    let Verdict { kind, namespace, name, result, advice } = verdict;
    let resource = match (kind, &name) {
        (Some(kind), Some(name)) => Some(format!("{}/{name}", kind.as_str())),
        (Some(kind), None) => Some(kind.as_str().to_owned()),
        (None, _) => None,
    };
    let is_clean = faults.is_empty();
    let mut findings = Findings::default();
    for Fault { at, error } in faults {
        report.add(finding(&file, &text, at, resource.clone(), error.clone()));
        findings.errors.push(error);
    }
    let of_the_text = findings.errors.len();
    let plan = match result {
        Ok(plan) => Some(plan).filter(|_| is_clean),
        Err(errors) => {
            findings.follow_up(errors);
            None
        }
    };
    for error in findings.errors.into_iter().skip(of_the_text) {
        let part = if error.code == code::UNKNOWN_FIELD { Part::Key } else { Part::Value };
        let at = place(&root, &error.path, part);
        report.add(finding(&file, &text, at, resource.clone(), error));
    }
    let room = FINDINGS_MAX.saturating_sub(report.warnings.len());
    for advice in advice.into_iter().filter(|_| is_clean).take(room) {
        let at = place(&root, &advice.path, Part::Value);
        report.warnings.push(finding(&file, &text, at, resource.clone(), advice));
    }
    let (line, _) = text.position(place(&root, "", Part::Key).start);
    report.resources.push(Loaded { file, line, kind, namespace, name, object, plan });
}

/// A folder that is meant to run needs a Runtime.
fn need_runtime(report: &mut Report) {
    let has_one = report.resources.iter().any(|loaded| loaded.kind == Some(Kind::CampaignRuntime));
    let campaign = report.resources.iter().find(|loaded| loaded.kind == Some(Kind::Campaign));
    if let (false, Some(Loaded { file, line, name, .. })) = (has_one, campaign) {
        report.findings.push(Finding {
            file: file.clone(),
            line: *line,
            column: 1,
            offset: 0,
            length: 0,
            resource: name.as_ref().map(|name| format!("Campaign/{name}")),
            path: String::new(),
            reason: "the folder has campaigns, but no CampaignRuntime".to_owned(),
            remedy: format!("add one ({API_VERSION}) with timeZone, currency and locales"),
            code: code::RUNTIME,
        });
    }
}

fn whole_file(file: String, error: FieldError) -> Finding {
    let FieldError { path, reason, remedy, code } = error;
    Finding { file, line: 1, column: 1, offset: 0, length: 0, resource: None, path, reason, remedy, code }
}

fn finding(file: &str, text: &Text, at: Range<usize>, resource: Option<String>, error: FieldError) -> Finding {
    let FieldError { path, reason, remedy, code } = error;
    let (line, column) = text.position(at.start);
    let length = at.end.saturating_sub(at.start);
    Finding { file: file.to_owned(), line, column, offset: at.start, length, resource, path, reason, remedy, code }
}
