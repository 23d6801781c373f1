//! `meta.k8s.io/v1` Tables: what `kubectl get` prints.

use serde_json::{Value, json};

use crate::builtin;
use crate::json_path::JsonPath;
use crate::registry::Resource;
use crate::view;

/// Where a cell's content comes from.
#[derive(Debug, Clone)]
enum Cell {
    Path(JsonPath),
    Computed(fn(&Value, jiff::Timestamp) -> Value),
}

/// One column of a resource's table.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: String,
    kind: String,
    format: &'static str,
    priority: i64,
    description: String,
    cell: Cell,
}

impl Column {
    /// The first column of every custom kind.
    pub(crate) fn name() -> Self {
        Self::computed("Name", "string", 0, |o, _| o["metadata"]["name"].clone())
    }

    pub(crate) fn age(kind: &str) -> Self {
        let since_creation = |o: &Value, now| json!(human_duration_since(&o["metadata"]["creationTimestamp"], now));
        Self::computed("Age", kind, 0, since_creation)
    }

    pub(crate) fn computed(name: &str, kind: &str, priority: i64, cell: fn(&Value, jiff::Timestamp) -> Value) -> Self {
        let description = builtin::description_of_metadata(name);
        let format = if name == "Name" { "name" } else { "" };
        Self { name: name.into(), kind: kind.into(), format, priority, description, cell: Cell::Computed(cell) }
    }

    pub(crate) fn at_path(name: &str, kind: &str, priority: i64, description: &str, path: JsonPath) -> Self {
        let description = description.into();
        Self { name: name.into(), kind: kind.into(), format: "", priority, description, cell: Cell::Path(path) }
    }

    fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format,
            "description": self.description, "priority": self.priority,
        })
    }

    fn cell(&self, object: &Value, now: jiff::Timestamp) -> Value {
        let path = match &self.cell {
            Cell::Computed(compute) => return compute(object, now),
            Cell::Path(path) => path,
        };
        let found = path.first(object);
        match (self.kind.as_str(), found) {
            ("date", Some(Value::String(text))) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => json!(human_duration(now.as_second() - time.as_second())),
                Err(_) => json!("<invalid>"),
            },
            (_, None | Some(Value::Null)) => Value::Null,
            ("string", Some(value @ (Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_)))) => {
                json!(value.to_string())
            }
            ("integer" | "number", Some(value)) if !value.is_number() => Value::Null,
            ("boolean", Some(value)) if !value.is_boolean() => Value::Null,
            (_, Some(value)) => value.clone(),
        }
    }
}

/// What a row carries beside its cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    /// From the query parameter `includeObject`.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        match text {
            Some("None") => Self::None,
            Some("Object") => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// `object` is in its stored form.
pub(crate) fn row(resource: &Resource, object: &Value, include: Include, now: jiff::Timestamp) -> Value {
    let cells: Vec<Value> = resource.columns.iter().map(|c| c.cell(object, now)).collect();
    match include {
        Include::None => json!({"cells": cells, "object": null}),
        Include::Metadata => json!({"cells": cells, "object": partial(object)}),
        Include::Object => json!({"cells": cells, "object": view::to_shown(resource, object.clone())}),
    }
}

/// The metadata of an object alone.
pub(crate) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

pub(crate) fn column_definitions(resource: &Resource) -> Value {
    resource.columns.iter().map(Column::definition).collect()
}

/// `columns` is null on all but the first event of a watch.
pub(crate) fn table(metadata: Value, columns: Value, rows: Vec<Value>) -> Value {
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns, "rows": rows})
}

/// How long ago, in the words of kubectl.
pub(crate) fn human_duration_since(time: &Value, now: jiff::Timestamp) -> String {
    match time.as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok()) {
        Some(time) => human_duration(now.as_second() - time.as_second()),
        None => "<unknown>".into(),
    }
}

/// Kubernetes' `duration.HumanDuration`.
fn human_duration(seconds: i64) -> String {
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{small_unit}") }
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..-1 => "<invalid>".into(),
        -1..=0 => "0s".into(),
        1..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_worded_as_kubectl_words_them() {
        let check = |seconds, expect: &str| assert_eq!(human_duration(seconds), expect);
        check(-5, "<invalid>");
        check(0, "0s");
        check(119, "119s");
        check(121, "2m1s");
        check(3599, "59m");
        check(10_860, "3h1m");
        check(90_000, "25h");
        check(259_200, "3d");
        check(800_000, "9d");
    }

    #[test]
    fn cells_follow_the_column_type() {
        let object = json!({"a": {"m": {"x": 1}, "n": 3, "t": "2026-01-01T00:00:00Z"}});
        let now: jiff::Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let check = |kind: &str, path: &str, expect: Value| {
            let column = Column::at_path("X", kind, 0, "", JsonPath::parse(path).unwrap());
            assert_eq!(column.cell(&object, now), expect);
        };
        check("string", ".a.m", json!("{\"x\":1}"));
        check("integer", ".a.n", json!(3));
        check("string", ".a.n", json!("3"));
        check("date", ".a.t", json!("60s"));
        check("string", ".a.missing", Value::Null);
    }
}
