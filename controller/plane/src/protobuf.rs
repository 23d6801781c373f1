//! Kubernetes protobuf to JSON, for the built-in kinds that kubectl 1.32 and later create that way.
//!
//! Driven by the table in `protobuf.txt`. A field number that is not in it is an error, never dropped.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine;
use serde_json::{Map, Value, json};

/// Nesting of messages that is accepted; the deepest kind here has seven levels.
const DEPTH_MAX: usize = 16;
const MAGIC: &[u8] = b"k8s\0";

#[derive(Debug, thiserror::Error, PartialEq)]
pub(crate) enum ProtobufError {
    #[error("the body does not begin with the Kubernetes protobuf magic")]
    Magic,
    #[error("the protobuf body is malformed")]
    Malformed,
    #[error("protobuf bodies of kind {0} are not read by the embedded plane; send JSON")]
    Kind(String),
    #[error(
        "field {number} of {message} is not read from protobuf by the embedded plane; send JSON, as kubectl apply does"
    )]
    Field { message: String, number: u64 },
}

/// What a field holds, as `protobuf.txt` says it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Field {
    name: &'static str,
    kind: &'static str,
    /// Absent in JSON when zero or empty.
    omits_empty: bool,
}

type Messages = BTreeMap<&'static str, BTreeMap<u64, Field>>;

fn messages() -> &'static Messages {
    static MESSAGES: OnceLock<Messages> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let (mut messages, mut current) = (Messages::new(), "");
        for line in include_str!("protobuf.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let mut words = line.split_whitespace();
            if !line.starts_with(' ') {
                current = line;
                messages.insert(current, BTreeMap::new());
            } else if let (Some(number), Some(name), Some(kind)) = (words.next(), words.next(), words.next()) {
                let field = Field { name, kind: kind.trim_end_matches('?'), omits_empty: kind.ends_with('?') };
                messages.entry(current).or_default().insert(number.parse().unwrap_or_default(), field);
            }
        }
        messages
    })
}

/// Decodes the envelope and the object in it, which gets its apiVersion and kind.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let mut envelope = Reader(body.strip_prefix(MAGIC).ok_or(ProtobufError::Magic)?);
    let (mut type_meta, mut raw) = (Map::new(), &b""[..]);
    while let Some((number, wire)) = envelope.field()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => type_meta = message("TypeMeta", bytes, 0)?,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (api_version, kind) = (text(&type_meta, "apiVersion"), text(&type_meta, "kind"));
    // Both groups have an Event, and number it differently.
    let of_group = api_version.split_once('/').map(|(group, _)| format!("{group}/{kind}"));
    let name = of_group.filter(|name| messages().contains_key(name.as_str())).unwrap_or_else(|| kind.clone());
    let mut object = message(&name, raw, 0)?;
    object.insert("apiVersion".into(), json!(api_version));
    object.insert("kind".into(), json!(kind));
    Ok(Value::Object(object))
}

enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(ProtobufError::Malformed)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ProtobufError::Malformed)
    }

    fn field(&mut self) -> Result<Option<(u64, Wire<'a>)>, ProtobufError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ProtobufError::Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(ProtobufError::Malformed)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            _ => return Err(ProtobufError::Malformed),
        };
        Ok(Some((key >> 3, wire)))
    }
}

fn utf8(bytes: &[u8]) -> Result<String, ProtobufError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Malformed)
}

fn text(map: &Map<String, Value>, key: &str) -> String {
    map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(map: &Map<String, Value>, key: &str) -> i64 {
    map.get(key).and_then(Value::as_i64).unwrap_or(0)
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, ProtobufError> {
    if depth > DEPTH_MAX {
        return Err(ProtobufError::Malformed);
    }
    let fields = messages().get(name).ok_or_else(|| ProtobufError::Kind(name.to_owned()))?;
    let mut map = Map::new();
    let mut reader = Reader(bytes);
    while let Some((number, wire)) = reader.field()? {
        let field = fields.get(&number).ok_or_else(|| ProtobufError::Field { message: name.to_owned(), number })?;
        let before = map.remove(field.name);
        if let Some(value) = field_value(*field, before, wire, depth)? {
            map.insert(field.name.to_owned(), value);
        }
    }
    Ok(map)
}

/// The value of one field, added to what `before` it was there; `None` when it is to be left out.
fn field_value(
    field: Field,
    before: Option<Value>,
    wire: Wire<'_>,
    depth: usize,
) -> Result<Option<Value>, ProtobufError> {
    let value = match (field.kind, wire) {
        ("int" | "bool", Wire::Varint(0)) if field.omits_empty => return Ok(None),
        ("int", Wire::Varint(v)) => json!(v.cast_signed()),
        ("bool", Wire::Varint(v)) => json!(v != 0),
        ("text", Wire::Bytes([])) => return Ok(None),
        ("text", Wire::Bytes(b)) => json!(utf8(b)?),
        ("bytes", Wire::Bytes(b)) => json!(base64::engine::general_purpose::STANDARD.encode(b)),
        ("time" | "microtime", Wire::Bytes(b)) => return time(&message("Timestamp", b, depth)?, field.kind),
        ("intorstring", Wire::Bytes(b)) => {
            let either = message("IntOrString", b, depth)?;
            if number(&either, "type") == 1 { json!(text(&either, "text")) } else { json!(number(&either, "int")) }
        }
        ("map" | "bytesmap", Wire::Bytes(b)) => {
            let mut entry = message(if field.kind == "map" { "Entry" } else { "BytesEntry" }, b, depth)?;
            let mut entries = before.unwrap_or_else(|| json!({}));
            entries[text(&entry, "key")] = entry.remove("value").unwrap_or_else(|| json!(""));
            entries
        }
        ("texts", Wire::Bytes(b)) => appended(before, json!(utf8(b)?)),
        (kind, Wire::Bytes(b)) => match kind.strip_prefix('[').and_then(|k| k.strip_suffix(']')) {
            Some(name) => appended(before, Value::Object(message(name, b, depth + 1)?)),
            None => {
                let inner = message(kind, b, depth + 1)?;
                if inner.is_empty() && field.omits_empty {
                    return Ok(None);
                }
                Value::Object(inner)
            }
        },
        _ => return Err(ProtobufError::Malformed),
    };
    Ok(Some(value))
}

fn appended(list: Option<Value>, item: Value) -> Value {
    let Some(Value::Array(mut items)) = list else { return json!([item]) };
    items.push(item);
    Value::Array(items)
}

/// In the digits of `metav1.Time` or `metav1.MicroTime`; zero is "not set".
fn time(timestamp: &Map<String, Value>, kind: &str) -> Result<Option<Value>, ProtobufError> {
    let (seconds, nanos) = (number(timestamp, "seconds"), number(timestamp, "nanos"));
    if seconds == 0 {
        return Ok(None);
    }
    let nanos = i32::try_from(nanos).map_err(|_| ProtobufError::Malformed)?;
    let time = jiff::Timestamp::new(seconds, nanos).map_err(|_| ProtobufError::Malformed)?;
    Ok(Some(json!(if kind == "microtime" { format!("{time:.6}") } else { format!("{time:.0}") })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn envelope(kind: &str, object: &[u8]) -> Vec<u8> {
        let type_meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &type_meta), field(2, object)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let entry = [field(1, b"k"), field(2, b"v")].concat();
        let object = [field(1, &field(1, b"cm1")), field(2, &entry)].concat();
        let expect = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm1"}, "data": {"k": "v"}});
        assert_eq!(decode(&envelope("ConfigMap", &object)).unwrap(), expect);
    }

    #[test]
    fn nothing_is_dropped_silently() {
        let unknown = field(15, b"x");
        let error = ProtobufError::Field { message: "ConfigMap".into(), number: 15 };
        assert_eq!(decode(&envelope("ConfigMap", &unknown)), Err(error));
        assert_eq!(decode(&envelope("Pod", b"")), Err(ProtobufError::Kind("Pod".into())));
        assert_eq!(decode(&envelope("ConfigMap", &[0x0a, 0xff])), Err(ProtobufError::Malformed));
        assert_eq!(decode(b"{}"), Err(ProtobufError::Magic));
    }

    #[test]
    fn every_type_that_is_named_is_a_message_or_known() {
        let known = ["text", "int", "bool", "bytes", "texts", "map", "bytesmap", "time", "microtime", "intorstring"];
        for field in messages().values().flat_map(BTreeMap::values) {
            let kind = field.kind.trim_matches(['[', ']']);
            assert!(known.contains(&kind) || messages().contains_key(kind), "{field:?}");
        }
        assert!(messages().values().all(|fields| !fields.contains_key(&0)));
    }

    #[test]
    fn times_have_the_digits_of_their_type() {
        let bytes = [0x08, 0xe8, 0x07, 0x10, 0xc0, 0x84, 0x3d];
        let timestamp = message("Timestamp", &bytes, 0).unwrap();
        assert_eq!(time(&timestamp, "time").unwrap(), Some(json!("1970-01-01T00:16:40Z")));
        assert_eq!(time(&timestamp, "microtime").unwrap(), Some(json!("1970-01-01T00:16:40.001000Z")));
    }
}
