//! A report for people and for machines.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report as Diagnostic, Severity,
};
use serde_json::{Value, json};

use super::{Finding, Report};

/// The most findings that the text shows; the other formats show all.
const SHOWN_MAX: usize = 200;
/// How wide the text is.
const WIDTH: usize = 110;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal.
    Text(Colour),
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, which code hosts show beside the lines.
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines.
    Github,
}

/// Whether a text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal that shows colours.
    Ansi,
    /// For anything else.
    Plain,
}

/// Writes `report`.
pub fn render(report: &Report, format: Format) -> String {
    match format {
        Format::Text(colour) => text(report, colour),
        Format::Json => pretty(&as_json(report)),
        Format::Sarif => pretty(&as_sarif(report)),
        Format::Github => github(report),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn text(report: &Report, colour: Colour) -> String {
    let theme = match colour {
        Colour::Ansi => GraphicalTheme::unicode(),
        Colour::Plain => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false).with_context_lines(1);
    let mut out = String::new();
    let faults = report.findings.iter().take(SHOWN_MAX).map(|finding| (finding, Severity::Error));
    let warnings = report.warnings.iter().take(SHOWN_MAX).map(|finding| (finding, Severity::Warning));
    for (finding, severity) in faults.chain(warnings) {
        // Writing to a String cannot fail; a diagnostic that cannot be drawn is still told in one line.
        if handler.render_report(&mut out, diagnostic(report, finding, severity).as_ref()).is_err() {
            let _ = writeln!(
                out,
                "{}:{}:{}: {}; {}",
                finding.file, finding.line, finding.column, finding.reason, finding.remedy
            );
        }
        out.push('\n');
    }
    if report.findings.len() > SHOWN_MAX {
        let _ = writeln!(out, "… and {} more.", report.findings.len() - SHOWN_MAX);
    }
    for unreadable in &report.unreadable {
        let _ = writeln!(out, "{}: cannot be read: {}", unreadable.path, unreadable.reason);
    }
    let _ = writeln!(out, "{}", summary(report));
    out
}

fn diagnostic(report: &Report, finding: &Finding, severity: Severity) -> Diagnostic {
    let subject: Vec<&str> = [finding.resource.as_deref().unwrap_or(""), &finding.path]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let message =
        if subject.is_empty() { finding.reason.clone() } else { format!("{}: {}", subject.join(" "), finding.reason) };
    let diagnostic = MietteDiagnostic::new(message).with_code(finding.code).with_help(finding.remedy.clone());
    let diagnostic = diagnostic.with_severity(severity);
    match report.texts.get(&finding.file) {
        Some(text) if finding.length > 0 => {
            let span = LabeledSpan::at(finding.offset..finding.offset + finding.length, "here");
            Diagnostic::new(diagnostic.with_label(span))
                .with_source_code(NamedSource::new(&finding.file, Arc::clone(&text.text)))
        }
        _ => {
            let place = format!("{}:{}:{}: {}", finding.file, finding.line, finding.column, diagnostic.message);
            Diagnostic::new(MietteDiagnostic { message: place, ..diagnostic })
        }
    }
}

fn summary(report: &Report) -> String {
    let resources = count(report.resources.len(), "resource");
    let warnings = match report.warnings.len() {
        0 => String::new(),
        warnings => format!(" {}.", count(warnings, "warning")),
    };
    let faults = match report.findings.len() {
        0 if report.unreadable.is_empty() => format!("{resources}, nothing is wrong."),
        0 => format!("{resources}, but not everything could be read."),
        faults => format!("{} in {resources}.", count(faults, "problem")),
    };
    faults + &warnings
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn as_json(report: &Report) -> Value {
    json!({
        "ok": report.exit_code() == 0,
        "resources": report.resources.len(),
        "findings": report.findings,
        "warnings": report.warnings,
        "unreadable": report.unreadable,
    })
}

fn as_sarif(report: &Report) -> Value {
    let codes: BTreeSet<&str> = report.findings.iter().chain(&report.warnings).map(|finding| finding.code).collect();
    let rules: Vec<Value> = codes.into_iter().map(|code| json!({"id": code})).collect();
    let faults = report.findings.iter().map(|finding| sarif_result(finding, "error"));
    let results: Vec<Value> =
        faults.chain(report.warnings.iter().map(|finding| sarif_result(finding, "warning"))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "fanfare", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.unreadable.is_empty(),
                "toolExecutionNotifications": report.unreadable.iter().map(|unreadable| json!({
                    "level": "error",
                    "message": {"text": format!("{}: {}", unreadable.path, unreadable.reason)}
                })).collect::<Vec<_>>()
            }],
            "results": results
        }]
    })
}

fn sarif_result(finding: &Finding, level: &str) -> Value {
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&finding.file)},
            "region": {
                "startLine": finding.line,
                "startColumn": finding.column,
                "byteOffset": finding.offset,
                "byteLength": finding.length
            }
        }
    });
    if !finding.path.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": subject(finding)}]);
    }
    json!({
        "ruleId": finding.code,
        "level": level,
        "message": {"text": format!("{}: {}; {}", subject(finding), finding.reason, finding.remedy)},
        "locations": [location]
    })
}

/// A path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn subject(finding: &Finding) -> String {
    match (&finding.resource, finding.path.as_str()) {
        (Some(resource), "") => resource.clone(),
        (Some(resource), path) => format!("{resource} {path}"),
        (None, "") => finding.file.clone(),
        (None, path) => path.to_owned(),
    }
}

fn github(report: &Report) -> String {
    let mut out = String::new();
    let faults = report.findings.iter().map(|finding| ("error", finding));
    for (level, finding) in faults.chain(report.warnings.iter().map(|finding| ("warning", finding))) {
        let message = format!("{}: {}; {}", subject(finding), finding.reason, finding.remedy);
        let _ = writeln!(
            out,
            "::{level} file={},line={},col={},title={}::{}",
            property(&finding.file),
            finding.line,
            finding.column,
            property(finding.code),
            data(&message)
        );
    }
    for unreadable in &report.unreadable {
        let _ = writeln!(out, "::error file={}::{}", property(&unreadable.path), data(&unreadable.reason));
    }
    out
}

/// Escapes the text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
