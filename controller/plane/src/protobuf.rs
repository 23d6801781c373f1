//! Kubernetes protobuf to JSON, for the built-in kinds that kubectl 1.32 and later create that way.
//!
//! Driven by a table. A field number that is not in it is an error, never dropped.

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

#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Int,
    Bool,
    TextMap,
    /// Values are base64 in JSON.
    BytesMap,
    Time,
    IntOrString,
    Message(&'static str),
    Texts,
    Messages(&'static str),
    /// As `Int`, `Bool` and `Message`, but absent in JSON when zero or empty.
    OptionalInt,
    OptionalBool,
    OptionalMessage(&'static str),
}

use Type::*;

type Field = (u64, &'static str, Type);

#[rustfmt::skip]
const MESSAGES: &[(&str, &[Field])] = &[
    ("ObjectMeta", &[
        (1, "name", Text), (2, "generateName", Text), (3, "namespace", Text), (4, "selfLink", Text),
        (5, "uid", Text), (6, "resourceVersion", Text), (7, "generation", OptionalInt),
        (8, "creationTimestamp", Time), (9, "deletionTimestamp", Time), (10, "deletionGracePeriodSeconds", Int),
        (11, "labels", TextMap), (12, "annotations", TextMap), (13, "ownerReferences", Messages("OwnerReference")),
        (14, "finalizers", Texts),
    ]),
    ("OwnerReference", &[
        (1, "kind", Text), (3, "name", Text), (4, "uid", Text), (5, "apiVersion", Text), (6, "controller", Bool),
        (7, "blockOwnerDeletion", Bool),
    ]),
    ("Empty", &[]),
    ("Namespace", &[
        (1, "metadata", Message("ObjectMeta")), (2, "spec", OptionalMessage("NamespaceSpec")),
        (3, "status", OptionalMessage("NamespaceStatus")),
    ]),
    ("NamespaceSpec", &[(1, "finalizers", Texts)]),
    ("NamespaceStatus", &[(1, "phase", Text)]),
    ("ConfigMap", &[
        (1, "metadata", Message("ObjectMeta")), (2, "data", TextMap), (3, "binaryData", BytesMap),
        (4, "immutable", Bool),
    ]),
    ("Secret", &[
        (1, "metadata", Message("ObjectMeta")), (2, "data", BytesMap), (3, "type", Text), (4, "stringData", TextMap),
        (5, "immutable", Bool),
    ]),
    ("ServiceAccount", &[(1, "metadata", Message("ObjectMeta")), (4, "automountServiceAccountToken", Bool)]),
    ("Service", &[
        (1, "metadata", Message("ObjectMeta")), (2, "spec", Message("ServiceSpec")),
        (3, "status", OptionalMessage("ServiceStatus")),
    ]),
    ("ServiceSpec", &[
        (1, "ports", Messages("ServicePort")), (2, "selector", TextMap), (3, "clusterIP", Text), (4, "type", Text),
        (5, "externalIPs", Texts), (7, "sessionAffinity", Text), (8, "loadBalancerIP", Text),
        (10, "externalName", Text), (11, "externalTrafficPolicy", Text), (12, "healthCheckNodePort", OptionalInt),
        (13, "publishNotReadyAddresses", OptionalBool), (18, "clusterIPs", Texts),
    ]),
    ("ServicePort", &[
        (1, "name", Text), (2, "protocol", Text), (3, "port", Int), (4, "targetPort", IntOrString),
        (5, "nodePort", OptionalInt), (6, "appProtocol", Text),
    ]),
    ("ServiceStatus", &[(1, "loadBalancer", OptionalMessage("Empty"))]),
    ("Deployment", &[
        (1, "metadata", Message("ObjectMeta")), (2, "spec", Message("DeploymentSpec")),
        (3, "status", OptionalMessage("DeploymentStatus")),
    ]),
    ("DeploymentSpec", &[
        (1, "replicas", Int), (2, "selector", Message("LabelSelector")), (3, "template", Message("PodTemplateSpec")),
        (4, "strategy", OptionalMessage("DeploymentStrategy")), (5, "minReadySeconds", OptionalInt),
        (6, "revisionHistoryLimit", Int), (7, "paused", OptionalBool), (9, "progressDeadlineSeconds", Int),
    ]),
    ("DeploymentStrategy", &[(1, "type", Text)]),
    ("DeploymentStatus", &[
        (1, "observedGeneration", OptionalInt), (2, "replicas", OptionalInt), (3, "updatedReplicas", OptionalInt),
        (4, "availableReplicas", OptionalInt), (5, "unavailableReplicas", OptionalInt),
        (7, "readyReplicas", OptionalInt),
    ]),
    ("LabelSelector", &[(1, "matchLabels", TextMap), (2, "matchExpressions", Messages("LabelSelectorRequirement"))]),
    ("LabelSelectorRequirement", &[(1, "key", Text), (2, "operator", Text), (3, "values", Texts)]),
    ("PodTemplateSpec", &[(1, "metadata", OptionalMessage("ObjectMeta")), (2, "spec", Message("PodSpec"))]),
    ("PodSpec", &[
        (2, "containers", Messages("Container")), (3, "restartPolicy", Text), (6, "dnsPolicy", Text),
        (8, "serviceAccountName", Text), (9, "serviceAccount", Text), (10, "nodeName", Text),
        (11, "hostNetwork", OptionalBool), (12, "hostPID", OptionalBool), (13, "hostIPC", OptionalBool),
        (16, "hostname", Text), (17, "subdomain", Text), (19, "schedulerName", Text),
        (24, "priorityClassName", Text),
    ]),
    ("Container", &[
        (1, "name", Text), (2, "image", Text), (3, "command", Texts), (4, "args", Texts), (5, "workingDir", Text),
        (6, "ports", Messages("ContainerPort")), (7, "env", Messages("EnvVar")),
        (8, "resources", OptionalMessage("Empty")), (13, "terminationMessagePath", Text),
        (14, "imagePullPolicy", Text), (16, "stdin", OptionalBool), (17, "stdinOnce", OptionalBool),
        (18, "tty", OptionalBool), (20, "terminationMessagePolicy", Text),
    ]),
    ("ContainerPort", &[
        (1, "name", Text), (2, "hostPort", OptionalInt), (3, "containerPort", Int), (4, "protocol", Text),
        (5, "hostIP", Text),
    ]),
    ("EnvVar", &[(1, "name", Text), (2, "value", Text)]),
    ("DeleteOptions", &[
        (1, "gracePeriodSeconds", Int), (2, "preconditions", Message("Preconditions")),
        (3, "orphanDependents", Bool), (4, "propagationPolicy", Text), (5, "dryRun", Texts),
    ]),
    ("Preconditions", &[(1, "uid", Text), (2, "resourceVersion", Text)]),
    ("SelfSubjectAccessReview", &[
        (1, "metadata", OptionalMessage("ObjectMeta")), (2, "spec", Message("SelfSubjectAccessReviewSpec")),
        (3, "status", OptionalMessage("SubjectAccessReviewStatus")),
    ]),
    ("SelfSubjectAccessReviewSpec", &[
        (1, "resourceAttributes", Message("ResourceAttributes")),
        (2, "nonResourceAttributes", Message("NonResourceAttributes")),
    ]),
    ("ResourceAttributes", &[
        (1, "namespace", Text), (2, "verb", Text), (3, "group", Text), (4, "version", Text), (5, "resource", Text),
        (6, "subresource", Text), (7, "name", Text),
    ]),
    ("NonResourceAttributes", &[(1, "path", Text), (2, "verb", Text)]),
    ("SubjectAccessReviewStatus", &[
        (1, "allowed", OptionalBool), (2, "reason", Text), (3, "evaluationError", Text), (4, "denied", OptionalBool),
    ]),
    ("SelfSubjectReview", &[
        (1, "metadata", OptionalMessage("ObjectMeta")), (2, "status", OptionalMessage("SelfSubjectReviewStatus")),
    ]),
    ("SelfSubjectReviewStatus", &[(1, "userInfo", OptionalMessage("UserInfo"))]),
    ("UserInfo", &[(1, "username", Text), (2, "uid", Text), (3, "groups", Texts)]),
    ("SelfSubjectRulesReview", &[
        (1, "metadata", OptionalMessage("ObjectMeta")), (2, "spec", Message("SelfSubjectRulesReviewSpec")),
        (3, "status", OptionalMessage("SubjectRulesReviewStatus")),
    ]),
    ("SelfSubjectRulesReviewSpec", &[(1, "namespace", Text)]),
    ("SubjectRulesReviewStatus", &[(3, "incomplete", OptionalBool), (4, "evaluationError", Text)]),
];

/// Decodes the envelope and the object in it, which gets its apiVersion and kind.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let mut envelope = Reader(body.strip_prefix(MAGIC).ok_or(ProtobufError::Magic)?);
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &b""[..]);
    while let Some((number, wire)) = envelope.field()? {
        match (number, wire) {
            (1, Wire::Bytes(type_meta)) => {
                let mut reader = Reader(type_meta);
                while let Some((number, wire)) = reader.field()? {
                    match (number, wire) {
                        (1, Wire::Bytes(text)) => api_version = utf8(text)?,
                        (2, Wire::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = message(&kind, raw, 0)?;
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

fn base64(bytes: &[u8]) -> Value {
    json!(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, ProtobufError> {
    if depth > DEPTH_MAX {
        return Err(ProtobufError::Malformed);
    }
    let (_, fields) = MESSAGES.iter().find(|(n, _)| *n == name).ok_or_else(|| ProtobufError::Kind(name.to_owned()))?;
    let mut map = Map::new();
    let mut reader = Reader(bytes);
    while let Some((number, wire)) = reader.field()? {
        let (_, key, kind) = fields
            .iter()
            .find(|(n, ..)| *n == number)
            .ok_or_else(|| ProtobufError::Field { message: name.to_owned(), number })?;
        add_field(&mut map, key, *kind, wire, depth)?;
    }
    Ok(map)
}

fn add_field(
    map: &mut Map<String, Value>,
    key: &str,
    kind: Type,
    wire: Wire<'_>,
    depth: usize,
) -> Result<(), ProtobufError> {
    let value = match (kind, wire) {
        (OptionalInt, Wire::Varint(0)) | (OptionalBool, Wire::Varint(0)) => return Ok(()),
        (Int | OptionalInt, Wire::Varint(v)) => json!(v.cast_signed()),
        (Bool | OptionalBool, Wire::Varint(v)) => json!(v != 0),
        (Text, Wire::Bytes([])) => return Ok(()),
        (Text, Wire::Bytes(b)) => json!(utf8(b)?),
        (Time, Wire::Bytes(b)) => match time(b)? {
            Some(time) => json!(time),
            None => return Ok(()),
        },
        (IntOrString, Wire::Bytes(b)) => int_or_string(b)?,
        (Message(name), Wire::Bytes(b)) => Value::Object(message(name, b, depth + 1)?),
        (OptionalMessage(name), Wire::Bytes(b)) => {
            let inner = message(name, b, depth + 1)?;
            if inner.is_empty() {
                return Ok(());
            }
            Value::Object(inner)
        }
        (TextMap | BytesMap, Wire::Bytes(b)) => {
            let (entry_key, entry) = map_entry(kind, b)?;
            let mut entries = match map.remove(key) {
                Some(Value::Object(entries)) => entries,
                _ => Map::new(),
            };
            entries.insert(entry_key, entry);
            Value::Object(entries)
        }
        (Texts, Wire::Bytes(b)) => appended(map.remove(key), json!(utf8(b)?)),
        (Messages(name), Wire::Bytes(b)) => appended(map.remove(key), Value::Object(message(name, b, depth + 1)?)),
        _ => return Err(ProtobufError::Malformed),
    };
    map.insert(key.to_owned(), value);
    Ok(())
}

fn appended(list: Option<Value>, item: Value) -> Value {
    let mut items = match list {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items.push(item);
    Value::Array(items)
}

fn map_entry(kind: Type, bytes: &[u8]) -> Result<(String, Value), ProtobufError> {
    let (mut key, mut value) = (String::new(), json!(""));
    let mut reader = Reader(bytes);
    while let Some((number, wire)) = reader.field()? {
        match (number, kind, wire) {
            (1, _, Wire::Bytes(b)) => key = utf8(b)?,
            (2, BytesMap, Wire::Bytes(b)) => value = base64(b),
            (2, _, Wire::Bytes(b)) => value = json!(utf8(b)?),
            _ => return Err(ProtobufError::Malformed),
        }
    }
    Ok((key, value))
}

/// Seconds since 1970; zero is "not set".
fn time(bytes: &[u8]) -> Result<Option<String>, ProtobufError> {
    let (mut seconds, mut reader) = (0, Reader(bytes));
    while let Some((number, wire)) = reader.field()? {
        if let (1, Wire::Varint(v)) = (number, wire) {
            seconds = v.cast_signed();
        }
    }
    if seconds == 0 {
        return Ok(None);
    }
    jiff::Timestamp::from_second(seconds).map(|t| Some(t.to_string())).map_err(|_| ProtobufError::Malformed)
}

fn int_or_string(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut int, mut text, mut reader) = (false, 0, String::new(), Reader(bytes));
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, Wire::Varint(v)) => is_text = v == 1,
            (2, Wire::Varint(v)) => int = v.cast_signed(),
            (3, Wire::Bytes(b)) => text = utf8(b)?,
            _ => return Err(ProtobufError::Malformed),
        }
    }
    Ok(if is_text { json!(text) } else { json!(int) })
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
    fn every_message_that_is_named_is_in_the_table() {
        for (_, fields) in MESSAGES {
            for (_, _, kind) in *fields {
                if let Message(name) | Messages(name) | OptionalMessage(name) = kind {
                    assert!(MESSAGES.iter().any(|(n, _)| n == name), "{name}");
                }
            }
        }
    }
}
