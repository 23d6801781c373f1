//! What a case is: steps as data, in `cases/*.yaml`. It holds no expectation: what the other server answers is expected.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// Bodies made of bodies made of bodies.
const MERGE_DEPTH: usize = 3;

/// One case. Each runs in a namespace of its own, and may make CRDs of a group of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence: what agrees.
    pub name: String,
    /// Its steps, one after the other.
    pub steps: Vec<Step>,
    /// Texts that differ by nature, such as generated names: every match is masked.
    #[serde(default)]
    pub mask: Vec<String>,
    /// Why the plane differs on purpose, as docs/reference/plane.md says. Then the case fails when nothing differs any more.
    #[serde(default)]
    pub differs: Option<String>,
}

/// One request, or one command of kubectl. In every text `$ns`, `$id` and what earlier steps saved are filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `METHOD /path?query`.
    #[serde(default)]
    pub call: Option<String>,
    /// Arguments of kubectl, as a shell would split them.
    #[serde(default)]
    pub kubectl: Option<String>,
    /// Body of a call as YAML, sent as JSON; standard input of kubectl.
    #[serde(default)]
    pub body: Option<Value>,
    /// Body as it stands, for what is no JSON.
    #[serde(default)]
    pub text: Option<String>,
    /// Content type of the body; that of the method otherwise.
    #[serde(default, rename = "type")]
    pub content_type: Option<String>,
    /// `Accept`.
    #[serde(default)]
    pub accept: Option<String>,
    /// Name → JSON pointer into the answer: kept for later steps.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// Asks again until the answer has this HTTP code; only the last answer counts.
    #[serde(default)]
    pub until: Option<u16>,
    /// Asks again until these JSON pointers have these values.
    #[serde(default)]
    pub until_has: BTreeMap<String, Value>,
    /// Asks again until the text of the answer has this in it.
    #[serde(default)]
    pub until_text: Option<String>,
    /// Only these parts of the answer are compared, by JSON pointer.
    #[serde(default)]
    pub only: Vec<String>,
    /// These parts of the answer are not compared, by JSON pointer.
    #[serde(default)]
    pub without: Vec<String>,
    /// A watch is read until it had that many events; otherwise to its end.
    #[serde(default)]
    pub events: Option<usize>,
    /// The answer prepares for others and is not compared.
    #[serde(default)]
    pub quiet: bool,
    /// Sorts lines of output, where order means nothing.
    #[serde(default)]
    pub sorted: bool,
    /// Only kubectl of at least this minor version knows the command.
    #[serde(default)]
    pub since: u32,
    /// `kubectl edit`: the text to replace and its replacement.
    #[serde(default)]
    pub edit: Option<(String, String)>,
}

/// A file of cases, with bodies that several share.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    _shared: Value,
    cases: Vec<Case>,
}

impl Case {
    /// Whether kubectl takes part, so that the case runs once for each.
    pub fn needs_kubectl(&self) -> bool {
        self.steps.iter().any(|s| s.kubectl.is_some())
    }

    /// The newest kubectl that a step asks for.
    pub fn since(&self) -> u32 {
        self.steps.iter().map(|s| s.since).max().unwrap_or(0)
    }
}

/// Every case of a folder, by file and then as written.
///
/// # Errors
/// A file that cannot be read, or two cases of one name.
pub fn load(folder: &Path) -> Result<Vec<Case>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let mut yaml: serde_yaml::Value = serde_yaml::from_str(&text).with_context(|| file.display().to_string())?;
        // Once for each level of what is merged into what is merged.
        for _ in 0..MERGE_DEPTH {
            yaml.apply_merge().with_context(|| file.display().to_string())?;
        }
        let json = serde_json::to_value(yaml)?;
        let File { cases: found, .. } = serde_json::from_value(json).with_context(|| file.display().to_string())?;
        cases.extend(found);
    }
    let mut names: Vec<&str> = cases.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        ensure!(pair[0] != pair[1], "two cases are named {:?}", pair[0]);
    }
    Ok(cases)
}
