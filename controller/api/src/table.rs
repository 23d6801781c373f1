//! Answers for spreadsheets: the same content as CSV where the caller asks for it.

use crate::{
    input::query::Asked,
    output::{Answer, bytes_of},
    problem::{Code, Problem},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// The media type of CSV, as it is answered.
pub(crate) const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");

/// Whether CSV is wanted rather than `usual`: `?format=csv`, else what `Accept` prefers, in its order.
pub(crate) fn wants_csv(headers: &HeaderMap, asked: &Asked, usual: (&str, &str)) -> Result<bool, Problem> {
    let (name, media) = usual;
    if let Some(csv) = asked.choice("format", &[("csv", true), (name, false)])? {
        return Ok(csv);
    }
    let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else { return Ok(false) };
    for wanted in accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim()) {
        match wanted {
            "*/*" | "application/*" => return Ok(false),
            "text/csv" | "text/*" => return Ok(true),
            other if other == media => return Ok(false),
            _ => {}
        }
    }
    Err(Problem::new(Code::NotAcceptable, format!("this comes as {media} or text/csv")))
}

/// A table as CSV.
pub(crate) fn csv(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Answer {
    let mut bytes = lines(std::iter::once(heads.iter().map(ToString::to_string).collect()))?;
    bytes.extend(lines(rows)?);
    Ok(bytes_of(StatusCode::OK, CSV, bytes.into()))
}

/// Rows of a table without its heading.
pub(crate) fn lines(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Problem> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| inert(cell))).map_err(|error| Problem::internal(&error))?;
    }
    writer.into_inner().map_err(|error| Problem::internal(&error))
}

/// A spreadsheet takes a text that begins like a formula for one. Ids and reasons are written by others, so such a text,
/// unless it is a number, is led by an apostrophe.
fn inert(cell: &str) -> String {
    let like_a_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_number = cell.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b'.') && cell.starts_with('-');
    if like_a_formula && !is_number { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_numbers_stay_numbers() {
        for (cell, expect) in [
            ("-12.50", "-12.50"),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("-1+cmd", "'-1+cmd"),
            ("@x", "'@x"),
            ("o-1", "o-1"),
            ("", ""),
        ] {
            assert_eq!(inert(cell), expect);
        }
        let text = lines([vec!["a,b".to_owned(), "say \"x\"".to_owned()]]).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "\"a,b\",\"say \"\"x\"\"\"\n");
    }

    #[test]
    fn the_first_accepted_form_is_taken() {
        let usual = ("json", "application/json");
        for (accept, expect) in [
            ("text/csv", Some(true)),
            ("application/json, text/csv", Some(false)),
            ("text/csv;q=1, */*", Some(true)),
            ("*/*", Some(false)),
            ("image/png", None),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_csv(&headers, &Asked::default(), usual).ok(), expect, "{accept}");
        }
        assert!(!wants_csv(&HeaderMap::new(), &Asked::default(), usual).unwrap());
    }
}
