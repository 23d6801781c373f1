//! Runs one case on one server and tells what could be seen.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::header;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::case::{Case, Step};
use crate::mask::Masks;
use crate::server::Server;

/// How long a step with `until` asks again. The garbage collector of a real cluster looks for new kinds every 30 s, and on a
/// busy machine that takes it several rounds.
const UNTIL_S: u64 = 180;
const ASK_AGAIN_MS: u64 = 50;

/// One client that cases with kubectl run through.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// The program.
    pub program: std::path::PathBuf,
    /// The number behind `1.` in its version.
    pub minor: u32,
}

/// A case on a server.
pub(crate) struct Run<'a> {
    server: &'a Server,
    kubectl: Option<&'a Kubectl>,
    /// What `$name` stands for.
    known: HashMap<String, String>,
    masks: Masks,
}

/// What one step showed.
pub(crate) type Seen = Value;

impl<'a> Run<'a> {
    /// `id` is unique to this run of this case.
    pub(crate) fn new(server: &'a Server, kubectl: Option<&'a Kubectl>, case: &Case, id: &str) -> Result<Self> {
        let namespace = format!("case-{id}");
        let named = vec![(namespace.clone(), "$ns"), (id.to_owned(), "$id")];
        let known = HashMap::from([("ns".to_owned(), namespace), ("id".to_owned(), id.to_owned())]);
        Ok(Self { server, kubectl, known, masks: Masks::new(&case.mask, named)? })
    }

    /// Makes the namespace, runs every step, and lets the namespace go.
    pub(crate) async fn case(&mut self, case: &Case) -> Result<Vec<Seen>> {
        let namespace = self.known["ns"].clone();
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::ACCEPT, "application/json")];
        let made = self.server.send("POST /api/v1/namespaces", object.to_string().into(), headers, None).await?;
        if made.code != 201 {
            bail!("{}: no namespace: {}", self.server.name, String::from_utf8_lossy(&made.body));
        }
        let mut seen = Vec::new();
        for (i, step) in case.steps.iter().enumerate() {
            let shown = self.step(step).await.with_context(|| format!("{}: step {}", self.server.name, i + 1))?;
            if !step.quiet {
                seen.push(shown);
            }
        }
        Ok(seen)
    }

    async fn step(&mut self, step: &Step) -> Result<Seen> {
        let until = Instant::now() + Duration::from_secs(UNTIL_S);
        loop {
            let (mut shown, raw) = match (&step.call, &step.kubectl) {
                (Some(call), None) => self.call(step, call).await?,
                (None, Some(args)) => self.command(step, args).await?,
                _ => bail!("a step is either a call or a kubectl"),
            };
            if !is_reached(step, &shown, &raw) {
                if Instant::now() > until {
                    bail!("never came: {:?} {:?} {:?}; last: {shown}", step.until, step.until_has, step.until_text);
                }
                tokio::time::sleep(Duration::from_millis(ASK_AGAIN_MS)).await;
                continue;
            }
            for (name, pointer) in &step.save {
                let found = raw.pointer(pointer).with_context(|| format!("{pointer} is not in {raw}"))?;
                self.known.insert(name.clone(), found.as_str().map_or_else(|| found.to_string(), str::to_owned));
            }
            cut(step, &mut shown);
            if !step.quiet {
                self.masks.value(&mut shown);
            }
            return Ok(shown);
        }
    }

    async fn call(&mut self, step: &Step, call: &str) -> Result<(Seen, Value)> {
        let call = self.fill(call);
        let body = self.body(step)?;
        let by_method = match (call.split(' ').next(), body.is_empty()) {
            (_, true) => "",
            (Some("PATCH"), _) => "application/merge-patch+json",
            _ => "application/json",
        };
        let content_type = step.content_type.as_deref().unwrap_or(by_method);
        let accept = step.accept.as_deref().unwrap_or("application/json");
        let headers = [(header::CONTENT_TYPE, content_type), (header::ACCEPT, accept)];
        let answer = self.server.send(&call, body, headers, step.events).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let body = match serde_json::from_str::<Value>(&text) {
            Ok(value) => value,
            // A watch: one event a line.
            Err(_) => match text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>() {
                Ok(events) => Value::Array(events),
                Err(_) => Value::String(text),
            },
        };
        let mut shown = json!({"code": answer.code, "type": answer.content_type, "body": body});
        if !answer.warnings.is_empty() {
            shown["warnings"] = json!(answer.warnings);
        }
        Ok((shown, body))
    }

    async fn command(&mut self, step: &Step, args: &str) -> Result<(Seen, Value)> {
        let kubectl = self.kubectl.context("a step with kubectl needs one")?;
        let mut args: Vec<String> = split(&self.fill(args));
        args.extend(["--namespace".to_owned(), self.known["ns"].clone()]);
        let stdin = self.body(step)?;
        let ran = self.server.kubectl(&kubectl.program, &args, &stdin, step.edit.as_ref()).await?;
        let mut lines = |text: &str| {
            let masked = self.masks.output(text);
            let mut lines: Vec<String> = masked.lines().map(str::to_owned).collect();
            if step.sorted {
                lines.sort();
            }
            json!(lines)
        };
        let shown = json!({"code": ran.code, "stdout": lines(&ran.stdout), "stderr": lines(&ran.stderr)});
        let raw = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| json!(ran.stdout.trim()));
        Ok((shown, raw))
    }

    fn body(&self, step: &Step) -> Result<Bytes> {
        Ok(match (&step.body, &step.text) {
            (Some(Value::Array(many)), _) if step.kubectl.is_some() => {
                let list = json!({"apiVersion": "v1", "kind": "List", "items": many});
                self.fill(&list.to_string()).into()
            }
            (Some(value), _) => self.fill(&value.to_string()).into(),
            (None, Some(text)) => self.fill(text).into(),
            (None, None) => Bytes::new(),
        })
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.known {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }
}

fn is_reached(step: &Step, shown: &Seen, raw: &Value) -> bool {
    step.until.is_none_or(|code| shown["code"] == code)
        && step.until_has.iter().all(|(pointer, wanted)| raw.pointer(pointer).unwrap_or(&Value::Null) == wanted)
        && step.until_text.as_ref().is_none_or(|text| shown.to_string().contains(text))
}

/// Leaves of an answer what the step wants compared.
fn cut(step: &Step, shown: &mut Seen) {
    if !step.only.is_empty() {
        let parts = step.only.iter().map(|p| (p.clone(), shown["body"].pointer(p).cloned().unwrap_or_default()));
        shown["body"] = Value::Object(parts.collect());
    }
    for pointer in &step.without {
        let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(Value::Object(map)) = shown["body"].pointer_mut(parent) {
            map.remove(key);
        }
    }
}

/// Splits as a shell does, as far as single quotes go.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![];
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for c in text.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                begun = true;
            }
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// Where two transcripts part, by path; at most `max` lines.
pub(crate) fn differences(expected: &Value, found: &Value, max: usize) -> Vec<String> {
    let mut out = Vec::new();
    compare("", expected, found, &mut out);
    let more = out.len().saturating_sub(max);
    out.truncate(max);
    if more > 0 {
        out.push(format!("… and {more} more"));
    }
    out
}

fn compare(path: &str, expected: &Value, found: &Value, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().for_each(|key| compare_parts(&format!("{path}/{key}"), a.get(key), b.get(key), out));
        }
        (Value::Array(a), Value::Array(b)) => {
            (0..a.len().max(b.len())).for_each(|i| compare_parts(&format!("{path}/{i}"), a.get(i), b.get(i), out));
        }
        (a, b) if a == b => {}
        (a, b) => out.push(line(path, Some(a), Some(b))),
    }
}

fn compare_parts(path: &str, expected: Option<&Value>, found: Option<&Value>, out: &mut Vec<String>) {
    match (expected, found) {
        (Some(expected), Some(found)) => compare(path, expected, found, out),
        _ => out.push(line(path, expected, found)),
    }
}

fn line(path: &str, expected: Option<&Value>, found: Option<&Value>) -> String {
    let show = |value: Option<&Value>| value.map_or_else(|| "(absent)".to_owned(), |v| shorten(&v.to_string()));
    format!("{path}\n        real:  {}\n        plane: {}", show(expected), show(found))
}

fn shorten(text: &str) -> String {
    const SHOWN_MAX: usize = 600;
    if text.len() <= SHOWN_MAX {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(SHOWN_MAX).collect::<String>())
    }
}

/// Reads the minor version of a kubectl; `None` where the program is none.
pub async fn minor_of(program: &Path) -> Option<u32> {
    let output = tokio::process::Command::new(program).args(["version", "--client"]).output().await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rest = text.split("v1.").nth(1)?;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        assert_eq!(split("get wd -o 'jsonpath={.a} {.b}' ''"), ["get", "wd", "-o", "jsonpath={.a} {.b}", ""]);
    }

    #[test]
    fn a_difference_names_its_path_and_both_sides() {
        let found = differences(&json!({"a": [1, {"b": 2}]}), &json!({"a": [1, {"b": 3}], "c": 1}), 9);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("/a/1/b\n") && found[1].contains("(absent)"), "{found:?}");
    }
}
