//! The JSONPath that CRDs use for printer columns and selectable fields: names, indexes, `*` and one equality filter.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// One step of a path: `.name` with `\.` for a dot in it, `['name']`, `[0]`, `[*]`, `[?(@.path=="text")]`.
static STEP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let quoted = r#"['"](?P<quoted>[^'"]*)['"]"#;
    let filter = r#"\?\(@(?P<path>[^=]+?)\s*==\s*['"]?(?P<text>[^'"]*?)['"]?\s*\)"#;
    let bracket = format!(r"\.?\[\s*(?:(?P<index>\d+)|(?P<all>\*)|{quoted}|{filter})\s*\]");
    Regex::new(&format!(r"^(?:\.(?P<name>(?:\\.|[^.\[\\])+)|{bracket})")).ok()
});

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
    All,
    /// Entries whose path has this text.
    Where(JsonPath, String),
}

/// A parsed path such as `.status.conditions[?(@.type=="Ready")].status`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

impl JsonPath {
    /// # Errors
    /// A message for the author of the CRD.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let inner = trimmed.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(trimmed);
        let mut rest = inner.strip_prefix('$').unwrap_or(inner);
        if rest == "." {
            return Ok(Self::default());
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let found = STEP.as_ref().and_then(|step| step.captures(rest));
            let found = found.ok_or_else(|| format!("{text} is not understood from {rest:?} on"))?;
            let part = |name: &str| found.name(name).map(|part| part.as_str());
            steps.push(match (part("name"), part("index"), part("path"), part("quoted")) {
                (Some("*"), ..) => Step::All,
                (Some(name), ..) => Step::Name(name.replace('\\', "")),
                (_, Some(index), ..) => Step::Index(index.parse().map_err(|_| format!("[{index}] is too large"))?),
                (_, _, Some(path), _) => Step::Where(Self::parse(path)?, part("text").unwrap_or_default().to_owned()),
                (.., Some(name)) => Step::Name(name.to_owned()),
                (.., None) => Step::All,
            });
            rest = &rest[found[0].len()..];
        }
        Ok(Self(steps))
    }

    /// Every value that the path reaches.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![value];
        for step in &self.0 {
            found = match step {
                Step::Name(name) => found.into_iter().filter_map(|v| v.get(name)).collect(),
                Step::Index(i) => found.into_iter().filter_map(|v| v.get(i)).collect(),
                Step::All => found.into_iter().flat_map(children).collect(),
                Step::Where(path, wanted) => found
                    .into_iter()
                    .flat_map(children)
                    .filter(|v| path.find(v).first().is_some_and(|found| text_of(found) == *wanted))
                    .collect(),
            };
        }
        found
    }

    pub(crate) fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.find(value).into_iter().next()
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

/// A scalar as field selectors and filters compare it.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_reach_what_they_name() {
        let value = json!({"a": {"b.c": [10, 20]}, "l": [{"type": "Ready", "status": "True"}, {"type": "X", "n": 1}]});
        let check = |path: &str, expect: Value| {
            let found = JsonPath::parse(path).unwrap();
            assert_eq!(json!(found.find(&value)), expect, "{path}");
        };
        check(".a.b\\.c[1]", json!([20]));
        check("{.a['b.c'][*]}", json!([10, 20]));
        check(".l[?(@.type=='Ready')].status", json!(["True"]));
        check(".l[?(@.type==\"X\")].n", json!([1]));
        check(".missing.deeper", json!([]));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for path in ["a", ".a[", ".a[?(@.x>1)]", ".a[b]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
