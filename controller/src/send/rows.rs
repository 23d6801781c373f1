//! Rows of a CSV or NDJSON file, plain or gzip, one after the other in bounded memory.

use anyhow::{Context, bail};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

/// The longest line of a file.
const LINE_MAX: usize = 1024 * 1024;

/// One row: its line in the file and its cells by column.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// From 1.
    pub line: u64,
    cells: Cells,
}

#[derive(Clone, Debug, PartialEq)]
enum Cells {
    Csv(Arc<BTreeMap<String, usize>>, csv::StringRecord),
    Json(serde_json::Value),
}

impl Row {
    /// The cell of a column; an empty one is `None`.
    ///
    /// # Errors
    /// When a CSV file has no such column.
    pub fn cell(&self, column: &str) -> anyhow::Result<Option<String>> {
        match &self.cells {
            Cells::Csv(header, record) => {
                let Some(index) = header.get(column) else {
                    let known = header.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                    bail!("there is no column {column:?}; the file has {known}");
                };
                Ok(record.get(*index).filter(|cell| !cell.is_empty() && *cell != "NA").map(str::to_owned))
            }
            Cells::Json(object) => {
                let value = if column.starts_with('/') { object.pointer(column) } else { object.get(column) };
                Ok(value.and_then(|value| match value {
                    serde_json::Value::Null => None,
                    serde_json::Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
                    other => Some(other.to_string()),
                }))
            }
        }
    }

    /// The whole object of an NDJSON row.
    pub fn object(&self) -> Option<&serde_json::Value> {
        match &self.cells {
            Cells::Json(object) => Some(object),
            Cells::Csv(..) => None,
        }
    }
}

/// The rows of a file.
pub struct Rows {
    source: Source,
}

enum Source {
    Csv { header: Arc<BTreeMap<String, usize>>, records: csv::StringRecordsIntoIter<Box<dyn Read>> },
    Json { lines: BufReader<Box<dyn Read>>, line: u64 },
}

/// Whether a file holds JSON lines, by its name or its first character.
fn is_json(path: &Path, first: Option<u8>) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.ends_with(".ndjson") || name.ends_with(".jsonl") || first == Some(b'{')
}

/// Opens a file; `counted` sees every byte that is read from the disk.
///
/// # Errors
/// When it cannot be read or has no header.
pub fn open(path: &Path, counted: impl Fn(u64) + 'static) -> anyhow::Result<Rows> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut plain = BufReader::new(Counted { file, counted });
    let magic = plain.fill_buf()?.get(..2) == Some(&[0x1f, 0x8b]);
    let inner: Box<dyn Read> =
        if magic { Box::new(flate2::bufread::MultiGzDecoder::new(plain)) } else { Box::new(plain) };
    let mut lines = BufReader::new(inner);
    let first = lines.fill_buf().with_context(|| format!("{} cannot be read", path.display()))?.first().copied();
    if first.is_none() {
        bail!("{} is empty", path.display());
    }
    let source = if is_json(path, first) {
        Source::Json { lines: BufReader::new(Box::new(lines)), line: 0 }
    } else {
        let boxed: Box<dyn Read> = Box::new(lines);
        let mut reader = csv::ReaderBuilder::new().from_reader(boxed);
        let header = reader.headers().with_context(|| format!("{} has no header that can be read", path.display()))?;
        let header = header.iter().enumerate().map(|(index, name)| (name.trim().to_owned(), index)).collect();
        Source::Csv { header: Arc::new(header), records: reader.into_records() }
    };
    Ok(Rows { source })
}

struct Counted<F> {
    file: File,
    counted: F,
}

impl<F: Fn(u64)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.counted)(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

impl Iterator for Rows {
    type Item = anyhow::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Csv { header, records } => {
                let record = match records.next()? {
                    Ok(record) => record,
                    Err(error) => return Some(Err(error.into())),
                };
                let line = record.position().map_or(0, csv::Position::line);
                Some(Ok(Row { line, cells: Cells::Csv(header.clone(), record) }))
            }
            Source::Json { lines, line } => loop {
                *line += 1;
                let mut text = Vec::new();
                let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
                match lines.by_ref().take(limit).read_until(b'\n', &mut text) {
                    Ok(0) => return None,
                    Ok(count) if count == LINE_MAX => {
                        return Some(Err(anyhow::anyhow!("line {line} is longer than {LINE_MAX} bytes")));
                    }
                    Ok(_) if text.trim_ascii().is_empty() => {}
                    Ok(_) => {
                        let parsed = serde_json::from_slice(&text).with_context(|| format!("line {line} is no JSON"));
                        return Some(parsed.map(|object| Row { line: *line, cells: Cells::Json(object) }));
                    }
                    Err(error) => return Some(Err(error.into())),
                }
            },
        }
    }
}
