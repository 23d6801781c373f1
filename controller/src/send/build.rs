//! Makes a CloudEvent of the rows of one group.

use super::{
    mapping::{Form, Mapping, Source, TextColumn, Time},
    rows::Row,
};
use anyhow::{Context, bail};
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The event of these rows; the error names the line and the column.
///
/// # Errors
/// When a cell is missing or does not parse.
pub fn event(mapping: &Mapping, rows: &[Row]) -> anyhow::Result<Value> {
    let Some(first) = rows.first() else { bail!("a group without rows") };
    let at_line = || format!("line {}", first.line);
    let id = needed(first, &mapping.id).with_context(at_line).context("id")?;
    let subject = needed(first, &mapping.subject).with_context(at_line).context("subject")?;
    let time = time(first, &mapping.time).with_context(at_line).context("time")?;
    let data = object(&mapping.data, rows, None).with_context(at_line)?;
    Ok(json!({
        "specversion": "1.0",
        "id": id,
        "source": mapping.source,
        "type": mapping.kind,
        "subject": subject,
        "time": time.to_rfc3339(),
        "datacontenttype": "application/json",
        "data": data,
    }))
}

fn text(row: &Row, column: &TextColumn) -> anyhow::Result<Option<String>> {
    let TextColumn { column, trim_end, prefix } = column;
    Ok(row.cell(column)?.map(|cell| {
        let cell = cell.trim();
        let cell = if trim_end.is_empty() { cell } else { cell.strip_suffix(trim_end.as_str()).unwrap_or(cell) };
        format!("{prefix}{cell}")
    }))
}

fn needed(row: &Row, column: &TextColumn) -> anyhow::Result<String> {
    text(row, column)?.with_context(|| format!("column {:?} is empty", column.column))
}

fn time(row: &Row, time: &Time) -> anyhow::Result<DateTime<Utc>> {
    let Time { column, format, time_zone } = time;
    let cell = row.cell(column)?.with_context(|| format!("column {column:?} is empty"))?;
    let wrong = || format!("column {column:?}: {cell:?} is not a time of the format {format:?}");
    match format.as_str() {
        "rfc3339" => Ok(DateTime::parse_from_rfc3339(&cell).with_context(wrong)?.to_utc()),
        "unix" => DateTime::from_timestamp(cell.parse().with_context(wrong)?, 0).with_context(wrong),
        "unixMillis" => DateTime::from_timestamp_millis(cell.parse().with_context(wrong)?).with_context(wrong),
        pattern => {
            if let Ok(with_offset) = DateTime::parse_from_str(&cell, pattern) {
                return Ok(with_offset.to_utc());
            }
            let local = NaiveDateTime::parse_from_str(&cell, pattern).with_context(wrong)?;
            let resolved = time_zone.from_local_datetime(&local).earliest().with_context(wrong)?;
            Ok(resolved.to_utc())
        }
    }
}

fn object(fields: &BTreeMap<String, Source>, rows: &[Row], number: Option<usize>) -> anyhow::Result<Value> {
    let mut made = Map::new();
    for (name, source) in fields {
        if let Some(value) = value(source, rows, number).with_context(|| name.clone())? {
            made.insert(name.clone(), value);
        }
    }
    Ok(Value::Object(made))
}

/// A value; an empty cell has none. `number` is the row's within its group, inside `each`.
fn value(source: &Source, rows: &[Row], number: Option<usize>) -> anyhow::Result<Option<Value>> {
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(match source {
        Source::Constant(value) => Some(value.clone()),
        Source::Column { text: column, form, digits } => match text(row, column)? {
            Some(cell) => {
                let wrong = || format!("column {:?}: {cell:?} is not of the form {form:?}", column.column);
                Some(formed(&cell, *form, *digits).with_context(wrong)?)
            }
            None => None,
        },
        Source::Sum { column, digits } => {
            let mut sum = 0_i64;
            for row in rows {
                if let Some(cell) = row.cell(column)? {
                    let wrong = || format!("line {}: column {column:?}: {cell:?} is not a number", row.line);
                    sum =
                        sum.checked_add(scaled(&cell, *digits).with_context(wrong)?).context("the sum is too large")?;
                }
            }
            Some(Value::String(written(sum, *digits)))
        }
        Source::Count => Some(json!(rows.len())),
        Source::Row => number.map(|number| json!(number.to_string())),
        Source::Each(fields) => {
            let each =
                rows.iter().enumerate().map(|(index, row)| object(fields, std::slice::from_ref(row), Some(index + 1)));
            Some(Value::Array(each.collect::<anyhow::Result<_>>()?))
        }
        Source::Fields(fields) => Some(object(fields, rows, number)?),
    })
}

fn formed(cell: &str, form: Form, digits: u32) -> Option<Value> {
    match form {
        Form::Text => Some(json!(cell)),
        Form::Integer => cell.parse::<i64>().ok().map(Value::from),
        Form::Number => serde_json::from_str::<serde_json::Number>(cell).ok().map(Value::Number),
        Form::Boolean => match cell {
            "true" | "1" => Some(json!(true)),
            "false" | "0" => Some(json!(false)),
            _ => None,
        },
        Form::Decimal => scaled(cell, digits).map(|value| Value::String(written(value, digits))),
    }
}

/// Reads a decimal exactly, also in scientific form, rounded half up (away from zero) to `digits`.
fn scaled(cell: &str, digits: u32) -> Option<i64> {
    let (mantissa, exponent) = match cell.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (cell, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all = format!("{whole}{part}");
    if all.is_empty() || all.len() > 30 || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i128 = all.parse().ok()?;
    let shift = exponent.checked_sub(i32::try_from(part.len()).ok()?)?.checked_add(i32::try_from(digits).ok()?)?;
    let magnitude = if shift >= 0 {
        value.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?)?
    } else {
        match 10_i128.checked_pow(shift.unsigned_abs()) {
            Some(divisor) => (value + divisor / 2) / divisor,
            None => 0,
        }
    };
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

fn written(value: i64, digits: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let scale = 10_u64.pow(digits);
    let (whole, part) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    if digits == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part:0width$}", width = digits as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_and_rounded_half_up() {
        let cases = [
            ("3.5", 2, "3.50"),
            ("4.4e-16", 2, "0.00"),
            ("1.005", 2, "1.01"),
            ("-1.005", 2, "-1.01"),
            ("12", 0, "12"),
            ("1e3", 2, "1000.00"),
            ("0.15", 1, "0.2"),
        ];
        for (cell, digits, expect) in cases {
            assert_eq!(scaled(cell, digits).map(|value| written(value, digits)).as_deref(), Some(expect), "{cell}");
        }
        for wrong in ["", "x", "1,5", "--1", "1e999999999999"] {
            assert_eq!(scaled(wrong, 2), None, "{wrong}");
        }
    }
}
