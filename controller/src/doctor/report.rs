//! What was found, for people and for programs.

use serde::Serialize;
use serde_json::{Value, json};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Well.
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was looked at; by the names that readiness uses, where it has one.
    pub check: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// It is well.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, what: what.into(), remedy: None }
    }

    /// Somebody should look.
    pub fn warn(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work.
    pub fn fail(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Fail, what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// Whether nothing failed.
pub fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level != Level::Fail)
}

/// For people: a line each, and the remedy below it.
pub fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { check, level, what, remedy } in findings {
        let level = match level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        text += &format!("{level:<5} {check}: {what}\n");
        if let Some(remedy) = remedy {
            text += &format!("      → {remedy}\n");
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (failed, warned) = (count(Level::Fail), count(Level::Warn));
    text += &format!("{} looked at, {failed} failed, {warned} to be looked at\n", findings.len());
    text
}

/// For programs.
pub fn json(findings: &[Finding]) -> Value {
    json!({ "ok": is_well(findings), "findings": findings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_no_failure_and_each_fault_is_told_with_what_to_do() {
        let mut findings = vec![Finding::ok("lease", "held by a"), Finding::warn("webhook", "none", "register one")];
        assert!(is_well(&findings));
        findings.push(Finding::fail("database", "no answer", "start it"));
        assert!(!is_well(&findings));
        assert_eq!(
            text(&findings),
            "ok    lease: held by a\nwarn  webhook: none\n      → register one\nFAIL  database: no answer\n      → start it\n\
             3 looked at, 1 failed, 1 to be looked at\n"
        );
        let json = json(&findings);
        assert_eq!(json["ok"], false);
        let expect =
            serde_json::json!({"check": "database", "level": "fail", "what": "no answer", "remedy": "start it"});
        assert_eq!(json["findings"][2], expect);
        assert!(json["findings"][0].get("remedy").is_none());
    }
}
