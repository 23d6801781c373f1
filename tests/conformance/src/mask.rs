//! Takes out of an answer what differs by nature: times, uids, versions, addresses. What is the same stays the same: the
//! first version of an object becomes `rv1` everywhere in a case, so a write that changed nothing still shows.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

#[expect(clippy::expect_used, reason = "the patterns are constants")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

static UID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"));
static TIME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| [+-]\d{4}( UTC)?|[+-]\d\d:\d\d)"));
static RFC1123: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"));
/// Versions in running text, such as messages and YAML.
static VERSION_IN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?i)(resource ?version"?: "?|resourceVersion=|ResourceVersion in [a-z ]+(?:: | \()|current: )(\d+)"#)
});
static AGE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^((\d+[ydhms]){1,2}|<unknown>)$"));
static AGE_IN_TEXT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)(?P<before>^|\s)(\d+[ydhms]){1,2}(?P<after>\s|$)"));

/// What one case has masked so far.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    seen: HashMap<String, String>,
    own: Vec<Regex>,
    /// What `$ns` and `$id` became.
    named: Vec<(String, &'static str)>,
}

impl Masks {
    /// # Errors
    /// When a mask of the case is no pattern.
    pub(crate) fn new(own: &[String], named: Vec<(String, &'static str)>) -> Result<Self, regex::Error> {
        let own = own.iter().map(|m| Regex::new(m)).collect::<Result<_, _>>()?;
        Ok(Self { seen: HashMap::new(), own, named })
    }

    fn stable(&mut self, class: &str, text: &str) -> String {
        let next = self.seen.values().filter(|v| v.starts_with(class)).count() + 1;
        self.seen.entry(format!("{class} {text}")).or_insert_with(|| format!("{class}{next}")).clone()
    }

    /// One text.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for own in &self.own {
            text = own.replace_all(&text, "<masked>").into_owned();
        }
        for (found, name) in &self.named {
            text = text.replace(found.as_str(), name);
        }
        text = UID.replace_all(&text, |c: &Captures<'_>| self.stable("uid", &c[0])).into_owned();
        text = TIME.replace_all(&text, "<time>").into_owned();
        text = RFC1123.replace_all(&text, "<time>").into_owned();
        VERSION_IN_TEXT.replace_all(&text, "$1<rv>").into_owned()
    }

    /// Output of a program: ages too, and the width of columns that follows from them.
    pub(crate) fn output(&mut self, text: &str) -> String {
        let text = self.text(text);
        let text = AGE_IN_TEXT.replace_all(&text, "$before<age>$after");
        let squeezed = text.lines().map(|line| {
            let start = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{}{}", &line[..start], words.join(" "))
        });
        squeezed.collect::<Vec<_>>().join("\n")
    }

    /// A whole answer.
    pub(crate) fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|v| self.value(v)),
            Value::Object(map) => {
                let is_list = map.contains_key("items") || map.contains_key("rows");
                let is_bookmark = map.get("type").is_some_and(|t| t == "BOOKMARK");
                // Keys of managed fields name the uids of owners.
                for key in map.keys().filter(|k| UID.is_match(k)).cloned().collect::<Vec<_>>() {
                    let value = map.remove(&key).unwrap_or_default();
                    map.insert(self.text(&key), value);
                }
                for (key, value) in map.iter_mut() {
                    match key.as_str() {
                        "metadata" if is_list => self.list_metadata(value),
                        "object" if is_bookmark => self.bookmark(value),
                        "resourceVersion" if value.as_str().is_some_and(|v| v.parse::<u64>().is_ok()) => {
                            let text = value.as_str().unwrap_or_default().to_owned();
                            *value = self.stable("rv", &text).into();
                        }
                        "cells" => self.cells(value),
                        "managedFields" => {
                            self.value(value);
                            // They are in the order of their times, to the second.
                            value.as_array_mut().into_iter().for_each(|all| all.sort_by_key(Value::to_string));
                        }
                        "resources" => {
                            // Kinds are listed in no order.
                            let name = |v: &Value| v["name"].as_str().unwrap_or_default().to_owned();
                            value.as_array_mut().into_iter().for_each(|items| items.sort_by_key(name));
                            self.value(value);
                        }
                        _ => self.value(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// The version of a list is that of the whole server.
    fn list_metadata(&mut self, metadata: &mut Value) {
        for key in ["resourceVersion", "continue"] {
            if metadata[key].as_str().is_some_and(|t| !t.is_empty()) {
                metadata[key] = "<opaque>".into();
            }
        }
        self.value(metadata);
    }

    fn bookmark(&mut self, object: &mut Value) {
        object["metadata"]["resourceVersion"] = "<opaque>".into();
        self.value(object);
    }

    fn cells(&mut self, cells: &mut Value) {
        for cell in cells.as_array_mut().into_iter().flatten() {
            match cell {
                Value::String(text) if AGE.is_match(text) => *cell = "<age>".into(),
                other => self.value(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_the_same_stays_the_same() {
        let mut masks = Masks::new(&[], vec![("ns-7".into(), "$ns")]).unwrap();
        let one = |version: &str| json!({"metadata": {"resourceVersion": version, "namespace": "ns-7"}});
        let mut all = json!([one("5"), one("5"), one("9")]);
        masks.value(&mut all);
        let versions: Vec<&str> = (0..3).filter_map(|i| all[i]["metadata"]["resourceVersion"].as_str()).collect();
        assert_eq!(versions, ["rv1", "rv1", "rv2"]);
        assert_eq!(all[0]["metadata"]["namespace"], "$ns");
    }

    #[test]
    fn ages_and_times_go_and_words_stay() {
        let mut masks = Masks::new(&[], vec![]).unwrap();
        assert_eq!(masks.output("a   5s\nb  2m31s\nc  2026-01-01T00:00:00Z"), "a <age>\nb <age>\nc <time>");
    }
}
