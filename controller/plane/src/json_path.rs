//! The JSONPath that CRDs use for printer columns and selectable fields: names, indexes, `*` and one equality filter.

use serde_json::Value;

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
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(bracketed) = rest.strip_prefix('[') {
                let end = closing_bracket(bracketed).ok_or_else(|| format!("'[' is not closed in {text}"))?;
                steps.push(parse_bracket(&bracketed[..end])?);
                rest = &bracketed[end + 1..];
            } else if let Some(dotted) = rest.strip_prefix('.') {
                let (name, after) = take_name(dotted);
                match name.as_str() {
                    "" if after.is_empty() && steps.is_empty() => {}
                    "" if after.starts_with('[') => {}
                    "" => return Err(format!("a name is missing in {text}")),
                    "*" => steps.push(Step::All),
                    _ => steps.push(Step::Name(name)),
                }
                rest = after;
            } else {
                return Err(format!("{text} must begin with '.'"));
            }
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

/// A dotted name; `\.` is a dot inside it.
fn take_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, &text[i..]),
            _ => name.push(c),
        }
    }
    (name, "")
}

fn closing_bracket(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (1, None);
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

fn parse_bracket(text: &str) -> Result<Step, String> {
    let text = text.trim();
    if text == "*" {
        return Ok(Step::All);
    }
    if let Ok(index) = text.parse() {
        return Ok(Step::Index(index));
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|t| t.strip_suffix(')')) {
        let (path, wanted) = filter.split_once("==").ok_or_else(|| format!("only == is understood in [{text}]"))?;
        let path = path.trim().strip_prefix('@').ok_or_else(|| format!("a filter begins with @ in [{text}]"))?;
        return Ok(Step::Where(JsonPath::parse(path)?, unquote(wanted.trim()).to_owned()));
    }
    match unquote(text) {
        name if name.len() < text.len() => Ok(Step::Name(name.to_owned())),
        _ => Err(format!("[{text}] is not understood")),
    }
}

fn unquote(text: &str) -> &str {
    let strip = |q: char| text.strip_prefix(q).and_then(|t| t.strip_suffix(q));
    strip('\'').or_else(|| strip('"')).unwrap_or(text)
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
