//! The mapping file: which column becomes what. Strict, as every file that a person writes.

use anyhow::{Context, bail};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// The most fields of one event's data.
const FIELDS_MAX: usize = 64;
/// How deep data may be nested.
const DEPTH_MAX: usize = 3;
/// The largest mapping file.
const BYTES_MAX: u64 = 256 * 1024;

/// What becomes of a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mapping {
    /// The events' source.
    pub source: String,
    /// The events' type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The events' id.
    pub id: TextColumn,
    /// The member's id.
    pub subject: TextColumn,
    /// When it happened.
    pub time: Time,
    /// Rows with the same value of this column become one event.
    #[serde(default)]
    pub group_by: Option<String>,
    /// Only rows with one of these values are taken.
    #[serde(default, rename = "where")]
    pub only: BTreeMap<String, Vec<String>>,
    /// The events' data.
    pub data: BTreeMap<String, Source>,
}

/// A text from a column.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextColumn {
    /// Which.
    pub column: String,
    /// Taken off the end.
    #[serde(default)]
    pub trim_end: String,
    /// Put before.
    #[serde(default)]
    pub prefix: String,
}

/// A time from a column.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Time {
    /// Which.
    pub column: String,
    /// `rfc3339`, `unix`, `unixMillis` or a pattern.
    #[serde(default = "rfc3339")]
    pub format: String,
    /// The zone of patterns without an offset.
    #[serde(default = "utc")]
    pub time_zone: chrono_tz::Tz,
}

fn rfc3339() -> String {
    "rfc3339".into()
}

fn utc() -> chrono_tz::Tz {
    chrono_tz::Tz::UTC
}

/// Where a value comes from: exactly one of the first seven.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSource {
    #[serde(rename = "const")]
    constant: Option<serde_json::Value>,
    column: Option<String>,
    sum: Option<String>,
    count: Option<String>,
    row: Option<bool>,
    each: Option<BTreeMap<String, Source>>,
    fields: Option<BTreeMap<String, Source>>,
    #[serde(rename = "as")]
    form: Option<Form>,
    digits: Option<u32>,
    #[serde(default)]
    trim_end: String,
    #[serde(default)]
    prefix: String,
}

/// Where a value comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawSource")]
pub enum Source {
    /// As it stands.
    Constant(serde_json::Value),
    /// A cell of the group's first row (within `each`: of the row).
    Column {
        /// Which.
        text: TextColumn,
        /// As what.
        form: Form,
        /// Digits of a decimal.
        digits: u32,
    },
    /// A sum over the rows.
    Sum {
        /// Of which column.
        column: String,
        /// Digits after the point.
        digits: u32,
    },
    /// The number of rows.
    Count,
    /// The row's number within the group.
    Row,
    /// One object a row.
    Each(BTreeMap<String, Source>),
    /// A nested object.
    Fields(BTreeMap<String, Source>),
}

/// As what a cell is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    #[default]
    Text,
    Integer,
    Number,
    Boolean,
    Decimal,
}

/// Digits of a decimal where none are named.
const DIGITS: u32 = 2;
/// The most digits of a decimal.
const DIGITS_MAX: u32 = 4;

impl TryFrom<RawSource> for Source {
    type Error = String;

    fn try_from(raw: RawSource) -> Result<Self, String> {
        let RawSource { constant, column, sum, count, row, each, fields, form, digits, trim_end, prefix } = raw;
        let digits_given = digits.is_some();
        let digits = digits.unwrap_or(DIGITS);
        if digits > DIGITS_MAX {
            return Err(format!("digits: at most {DIGITS_MAX}"));
        }
        let given = [
            constant.is_some(),
            column.is_some(),
            sum.is_some(),
            count.is_some(),
            row.is_some(),
            each.is_some(),
            fields.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err("a value needs exactly one of const, column, sum, count, row, each, fields".into());
        }
        let extras = form.is_some() || !trim_end.is_empty() || !prefix.is_empty();
        if extras && column.is_none() {
            return Err("as, trimEnd and prefix go with column".into());
        }
        if digits_given && sum.is_none() && form != Some(Form::Decimal) {
            return Err("digits goes with sum, or with column and as: decimal".into());
        }
        if let Some(value) = constant {
            return Ok(Self::Constant(value));
        }
        if let Some(column) = column {
            let text = TextColumn { column, trim_end, prefix };
            return Ok(Self::Column { text, form: form.unwrap_or_default(), digits });
        }
        if let Some(column) = sum {
            return Ok(Self::Sum { column, digits });
        }
        if let Some(what) = count {
            return if what == "rows" { Ok(Self::Count) } else { Err("count: write `rows`".into()) };
        }
        if let Some(row) = row {
            return if row { Ok(Self::Row) } else { Err("row: write `true`".into()) };
        }
        match (each, fields) {
            (Some(each), _) => Ok(Self::Each(each)),
            (None, Some(fields)) => Ok(Self::Fields(fields)),
            (None, None) => Err("a value needs a source".into()),
        }
    }
}

/// Reads a mapping.
///
/// # Errors
/// When it cannot be read; the message names the file and the place.
pub fn read(path: &Path) -> anyhow::Result<Mapping> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("--mapping: {shown} cannot be read"))?.len();
    if size > BYTES_MAX {
        bail!("--mapping: {shown} is larger than {BYTES_MAX} bytes");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("--mapping: {shown} cannot be read"))?;
    parse(&text).with_context(|| format!("--mapping: {shown}"))
}

/// Reads a mapping from its text.
///
/// # Errors
/// When it is not one.
pub fn parse(text: &str) -> anyhow::Result<Mapping> {
    let mapping: Mapping = serde_yaml::from_str(text)?;
    for (name, value) in [("source", &mapping.source), ("type", &mapping.kind)] {
        if value.is_empty() || value.len() > 200 {
            bail!("{name}: write 1 to 200 characters");
        }
    }
    check(&mapping.data, 1, false).context("data")?;
    Ok(mapping)
}

fn check(fields: &BTreeMap<String, Source>, depth: usize, in_each: bool) -> anyhow::Result<()> {
    if depth > DEPTH_MAX {
        bail!("nested deeper than {DEPTH_MAX} levels");
    }
    if fields.len() > FIELDS_MAX {
        bail!("more than {FIELDS_MAX} fields");
    }
    for (name, source) in fields {
        match source {
            Source::Each(_) if in_each => bail!("{name}: `each` cannot stand inside `each`"),
            Source::Each(inner) => check(inner, depth + 1, true).with_context(|| name.clone())?,
            Source::Fields(inner) => check(inner, depth + 1, in_each).with_context(|| name.clone())?,
            Source::Row if !in_each => bail!("{name}: `row` stands inside `each`"),
            Source::Constant(_) | Source::Column { .. } | Source::Sum { .. } | Source::Count | Source::Row => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "source: s\ntype: order.paid\nid: {column: b}\nsubject: {column: h, prefix: hh-}\n\
                        time: {column: t}\ngroupBy: b\ndata: {total: {sum: v}, lines: {each: {id: {row: true}}}}\n";

    #[test]
    fn a_mapping_is_read_strictly() {
        assert_eq!(parse(GOOD).unwrap().kind, "order.paid");
        let cases = [
            ("type: order.paid", "type: ''", "type"),
            ("{sum: v}", "{sum: v, column: w}", "exactly one"),
            ("{sum: v}", "{sum: v, digits: 9}", "digits"),
            ("{row: true}", "{each: {}}", "each"),
            ("groupBy: b", "groupby: b", "groupby"),
            ("{sum: v}", "{const: x, as: integer}", "go with column"),
        ];
        for (from, to, names) in cases {
            let error = format!("{:#}", parse(&GOOD.replace(from, to)).unwrap_err());
            assert!(error.contains(names), "{to}: {error}");
        }
    }
}
