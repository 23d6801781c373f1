//! Kubernetes protobuf to JSON, for the built-in kinds, which Go clients send that way.
//!
//! Driven by the table in `protobuf.txt`. A field number that is not in it is an error, never dropped.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine;
use serde_json::{Map, Value, json};

/// Nesting of messages that is accepted; schemas of CRDs nest as deep as JSON may.
const DEPTH_MAX: usize = 128;
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
    let envelope = parts(body.strip_prefix(MAGIC).ok_or(ProtobufError::Magic)?)?;
    let type_meta = parts(envelope.bytes(1))?;
    let (api_version, kind) = (utf8(type_meta.bytes(1))?, utf8(type_meta.bytes(2))?);
    // Both groups have an Event, and number it differently.
    let of_group = api_version.split_once('/').map(|(group, _)| format!("{group}/{kind}"));
    let name = of_group.filter(|name| messages().contains_key(name.as_str())).unwrap_or_else(|| kind.clone());
    let mut object = message(&name, envelope.bytes(2), 0)?;
    object.insert("apiVersion".into(), json!(api_version));
    object.insert("kind".into(), json!(kind));
    Ok(Value::Object(object))
}

#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

/// The last value of each field of a small message whose meaning the caller knows.
struct Parts<'a>(BTreeMap<u64, Wire<'a>>);

impl<'a> Parts<'a> {
    fn bytes(&self, number: u64) -> &'a [u8] {
        if let Some(Wire::Bytes(bytes)) = self.0.get(&number) { bytes } else { b"" }
    }

    fn number(&self, number: u64) -> i64 {
        if let Some(Wire::Varint(value)) = self.0.get(&number) { value.cast_signed() } else { 0 }
    }
}

fn parts(bytes: &[u8]) -> Result<Parts<'_>, ProtobufError> {
    let (mut reader, mut found) = (Reader(bytes), BTreeMap::new());
    while let Some((number, wire)) = reader.field()? {
        found.insert(number, wire);
    }
    Ok(Parts(found))
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

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(ProtobufError::Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn field(&mut self) -> Result<Option<(u64, Wire<'a>)>, ProtobufError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed(u64::from_le_bytes(self.take(8)?.try_into().map_err(|_| ProtobufError::Malformed)?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ProtobufError::Malformed)?;
                Wire::Bytes(self.take(length)?)
            }
            _ => return Err(ProtobufError::Malformed),
        };
        Ok(Some((key >> 3, wire)))
    }
}

fn utf8(bytes: &[u8]) -> Result<String, ProtobufError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Malformed)
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
        let inside = |open, close| field.kind.strip_prefix(open).and_then(|k: &str| k.strip_suffix(close));
        if let Some(kind) = inside('[', ']') {
            let list = map.entry(field.name).or_insert_with(|| json!([]));
            list.as_array_mut().ok_or(ProtobufError::Malformed)?.push(value(kind, wire, depth)?);
        } else if let (Some(kind), Wire::Bytes(entry)) = (inside('{', '}'), wire) {
            let entry = parts(entry)?;
            let of_key = value(kind, entry.0.get(&2).copied().unwrap_or(Wire::Bytes(b"")), depth)?;
            map.entry(field.name).or_insert_with(|| json!({}))[utf8(entry.bytes(1))?] = of_key;
        } else {
            match value(field.kind, wire, depth)? {
                Value::Object(inner) if field.name == "." => map.extend(inner),
                value if value.is_null() || field.omits_empty && is_empty(&value) => {}
                value => drop(map.insert(field.name.to_owned(), value)),
            }
        }
    }
    Ok(map)
}

fn is_empty(value: &Value) -> bool {
    value == &json!(0) || value == &json!(0.0) || [json!(false), json!(""), json!({})].contains(value)
}

/// One value; null is "not set".
fn value(kind: &str, wire: Wire<'_>, depth: usize) -> Result<Value, ProtobufError> {
    Ok(match (kind, wire) {
        ("int", Wire::Varint(v)) => json!(v.cast_signed()),
        ("bool", Wire::Varint(v)) => json!(v != 0),
        ("float", Wire::Fixed(v)) => json!(f64::from_bits(v)),
        ("text", Wire::Bytes(b)) => json!(utf8(b)?),
        ("bytes", Wire::Bytes(b)) => json!(base64::engine::general_purpose::STANDARD.encode(b)),
        ("json", Wire::Bytes(b)) => match parts(b)?.bytes(1) {
            b"" => Value::Null,
            text => serde_json::from_slice(text).map_err(|_| ProtobufError::Malformed)?,
        },
        ("quantity", Wire::Bytes(b)) => json!(utf8(parts(b)?.bytes(1))?),
        ("time" | "microtime", Wire::Bytes(b)) => time(&parts(b)?, kind)?,
        ("intorstring", Wire::Bytes(b)) => match parts(b)? {
            text if text.number(1) == 1 => json!(utf8(text.bytes(3))?),
            int => json!(int.number(2)),
        },
        (union, Wire::Bytes(b)) if union.starts_with("JSONSchemaPropsOr") => {
            let mut either = message(union, b, depth + 1)?;
            let whole = ["Schema", "JSONSchemas", "Property"].into_iter().find_map(|of| either.remove(of));
            whole.or_else(|| either.remove("Allows")).unwrap_or_default()
        }
        (name, Wire::Bytes(b)) => Value::Object(message(name, b, depth + 1)?),
        _ => return Err(ProtobufError::Malformed),
    })
}

/// In the digits of `metav1.Time` or `metav1.MicroTime`; zero is "not set".
fn time(timestamp: &Parts<'_>, kind: &str) -> Result<Value, ProtobufError> {
    let seconds = timestamp.number(1);
    if seconds == 0 {
        return Ok(Value::Null);
    }
    let nanos = i32::try_from(timestamp.number(2)).map_err(|_| ProtobufError::Malformed)?;
    let time = jiff::Timestamp::new(seconds, nanos).map_err(|_| ProtobufError::Malformed)?;
    Ok(json!(if kind == "microtime" { format!("{time:.6}") } else { format!("{time:.0}") }))
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
        assert_eq!(decode(&envelope("Bus", b"")), Err(ProtobufError::Kind("Bus".into())));
        assert_eq!(decode(&envelope("ConfigMap", &[0x0a, 0xff])), Err(ProtobufError::Malformed));
        assert_eq!(decode(b"{}"), Err(ProtobufError::Magic));
    }

    #[test]
    fn every_type_that_is_named_is_a_message_or_known() {
        let known = ["text", "int", "bool", "float", "bytes", "json", "time", "microtime", "quantity", "intorstring"];
        for field in messages().values().flat_map(BTreeMap::values) {
            let kind = field.kind.trim_matches(['[', ']', '{', '}']);
            assert!(known.contains(&kind) || messages().contains_key(kind), "{field:?}");
        }
        assert!(messages().values().all(|fields| !fields.contains_key(&0)));
    }

    #[test]
    fn times_have_the_digits_of_their_type() {
        let bytes = [0x08, 0xe8, 0x07, 0x10, 0xc0, 0x84, 0x3d];
        let timestamp = parts(&bytes).unwrap();
        assert_eq!(time(&timestamp, "time").unwrap(), json!("1970-01-01T00:16:40Z"));
        assert_eq!(time(&timestamp, "microtime").unwrap(), json!("1970-01-01T00:16:40.001000Z"));
    }
}
