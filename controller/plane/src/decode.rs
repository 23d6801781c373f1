//! Reading request bodies: JSON with duplicate fields noticed, YAML for apply patches, protobuf for built-in kinds.
//!
//! The parsers of JSON and of YAML both refuse what nests more than 128 levels deep.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::field_path::FieldPath;
use crate::protobuf;
use crate::status::ApiError;

/// A body as read.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) value: Value,
    /// Paths of fields that are there twice; the last one counts.
    pub(crate) duplicates: Vec<String>,
}

/// # Errors
/// 400 for text that is not what its content type says, 415 for a type that is not read here.
pub(crate) fn decode(body: &[u8], content_type: &str) -> Result<Decoded, ApiError> {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    match media {
        "application/vnd.kubernetes.protobuf" => {
            let value = protobuf::decode(body).map_err(|e| ApiError::unsupported_media_type(e.to_string()))?;
            Ok(Decoded { value, duplicates: Vec::new() })
        }
        "application/apply-patch+yaml" | "application/yaml" => decode_yaml(body),
        "" | "application/json" => decode_json(body),
        m if m.ends_with("+json") => decode_json(body),
        _ => Err(ApiError::unsupported_media_type(format!(
            "the body of the request was in an unknown format ({media}) - accepted media types include: \
             application/json, application/yaml, application/vnd.kubernetes.protobuf"
        ))),
    }
}

fn decode_json(body: &[u8]) -> Result<Decoded, ApiError> {
    let mut duplicates = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Seed { path: &FieldPath::Root, duplicates: &mut duplicates }
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|e| ApiError::bad_request(format!("the body of the request is not valid JSON: {e}")))?;
    Ok(Decoded { value, duplicates })
}

fn decode_yaml(body: &[u8]) -> Result<Decoded, ApiError> {
    // Most clients send JSON under this type; YAML is a superset that costs more to read.
    if let Ok(decoded) = decode_json(body) {
        return Ok(decoded);
    }
    let mut duplicates = Vec::new();
    let value = Seed { path: &FieldPath::Root, duplicates: &mut duplicates }
        .deserialize(serde_yaml::Deserializer::from_slice(body))
        .map_err(|e| ApiError::bad_request(format!("the body of the request is not valid YAML: {e}")))?;
    Ok(Decoded { value, duplicates })
}

struct Seed<'a> {
    path: &'a FieldPath<'a>,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Seed { path, duplicates } = self;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Seed { path: &path.index(items.len()), duplicates })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let Seed { path, duplicates } = self;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let here = path.key(&key);
            let value = entries.next_value_seed(Seed { path: &here, duplicates })?;
            if map.contains_key(&key) {
                duplicates.push(here.to_string());
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn duplicate_fields_are_named_and_the_last_counts() {
        let decoded = decode(br#"{"spec":{"a":1,"l":[{"x":1,"x":2}],"a":3}}"#, "application/json").unwrap();
        assert_eq!(decoded.value, json!({"spec": {"a": 3, "l": [{"x": 2}]}}));
        assert_eq!(decoded.duplicates, ["spec.l[0].x", "spec.a"]);
    }

    #[test]
    fn an_apply_patch_may_be_yaml() {
        let decoded = decode(b"spec:\n  a: 1\n  on: [x]\n", "application/apply-patch+yaml").unwrap();
        assert_eq!(decoded.value["spec"]["a"], 1);
    }

    #[test]
    fn a_yaml_bomb_is_refused() {
        let levels = (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
        let bomb = format!("a0: &a0 [x]\n{}", levels.collect::<String>());
        assert_eq!(decode(bomb.as_bytes(), "application/apply-patch+yaml").unwrap_err().code, 400);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let code = |body: &[u8], media: &str| decode(body, media).unwrap_err().code;
        assert_eq!(code(b"{", "application/json"), 400);
        assert_eq!(code(b"{} {}", "application/json"), 400);
        assert_eq!(code(b"x", "application/cbor"), 415);
        let deep = "[".repeat(100_000);
        assert_eq!(code(deep.as_bytes(), "application/json"), 400);
        assert_eq!(code(deep.as_bytes(), "application/apply-patch+yaml"), 400);
    }
}
