//! The built-in kinds that are served, as a table of data, and their models from k8s-openapi.
//!
//! To add a kind: one row in [`KINDS`] and its type in [`generate_models`].

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::{apps, coordination, core, events};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::json_path::JsonPath;
use crate::object::GroupResource;
use crate::registry::{Origin, Resource};
use crate::schema::{Schema, compile_builtin, compile_object_meta};
use crate::table::{Column, human_duration_since};

pub(crate) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
pub(crate) const EVENTS_GROUP: &str = "events.k8s.io";

type CellFn = fn(&Value, jiff::Timestamp) -> Value;
/// Name, type, priority (1: only with `-o wide`), cell.
type ColumnRow = (&'static str, &'static str, i64, CellFn);

struct Kind {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    has_status: bool,
    model: &'static str,
    columns: &'static [ColumnRow],
    /// Label and path.
    selectable: &'static [(&'static str, &'static str)],
}

const NAME: ColumnRow = ("Name", "string", 0, |o, _| o["metadata"]["name"].clone());
const AGE: ColumnRow =
    ("Age", "string", 0, |o, now| json!(human_duration_since(&o["metadata"]["creationTimestamp"], now)));

const EVENT_COLUMNS: &[ColumnRow] = &[
    ("Last Seen", "string", 0, |o, now| json!(human_duration_since(last_seen(o), now))),
    ("Type", "string", 0, |o, _| o["type"].clone()),
    ("Reason", "string", 0, |o, _| o["reason"].clone()),
    ("Object", "string", 0, |o, _| json!(involved(o))),
    ("Subobject", "string", 1, |o, _| text(&o["involvedObject"]["fieldPath"])),
    ("Source", "string", 1, |o, _| source(o)),
    ("Message", "string", 0, |o, _| json!(o["message"].as_str().unwrap_or_default().trim())),
    ("First Seen", "string", 1, |o, now| json!(human_duration_since(first_seen(o), now))),
    ("Count", "string", 1, |o, _| json!(count(o))),
    ("Name", "string", 1, |o, _| o["metadata"]["name"].clone()),
];

/// Of the object that an Event is about; core/v1 and events.k8s.io/v1 name it differently.
const SUBJECT_FIELDS: &[&str] = &["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("reason", ".reason"),
    ("type", ".type"),
    ("reportingComponent", ".reportingComponent"),
    ("reportingController", ".reportingComponent"),
    ("source", ".source.component"),
];

#[rustfmt::skip]
const KINDS: &[Kind] = &[
    Kind {
        group: "", kind: "Namespace", plural: "namespaces", short_names: &["ns"], categories: &[],
        namespaced: false, has_status: true, model: "io.k8s.api.core.v1.Namespace",
        columns: &[NAME, ("Status", "string", 0, |o, _| o["status"]["phase"].clone()), AGE],
        selectable: &[("status.phase", ".status.phase")],
    },
    Kind {
        group: "", kind: "ConfigMap", plural: "configmaps", short_names: &["cm"], categories: &[],
        namespaced: true, has_status: false, model: "io.k8s.api.core.v1.ConfigMap",
        columns: &[NAME, ("Data", "string", 0, |o, _| json!((len(&o["data"]) + len(&o["binaryData"])).to_string())), AGE],
        selectable: &[],
    },
    Kind {
        group: "", kind: "Secret", plural: "secrets", short_names: &[], categories: &[],
        namespaced: true, has_status: false, model: "io.k8s.api.core.v1.Secret",
        columns: &[
            NAME, ("Type", "string", 0, |o, _| o["type"].clone()),
            ("Data", "string", 0, |o, _| json!(len(&o["data"]).to_string())), AGE,
        ],
        selectable: &[("type", ".type")],
    },
    Kind {
        group: "", kind: "Service", plural: "services", short_names: &["svc"], categories: &["all"],
        namespaced: true, has_status: true, model: "io.k8s.api.core.v1.Service",
        columns: &[
            NAME, ("Type", "string", 0, |o, _| o["spec"]["type"].clone()),
            ("Cluster-IP", "string", 0, |o, _| text(&o["spec"]["clusterIP"])),
            ("External-IP", "string", 0, |_, _| json!("<none>")),
            ("Port(s)", "string", 0, |o, _| json!(ports(o))), AGE,
            ("Selector", "string", 1, |o, _| json!(selector(&o["spec"]["selector"]))),
        ],
        selectable: &[],
    },
    Kind {
        group: "", kind: "ServiceAccount", plural: "serviceaccounts", short_names: &["sa"], categories: &[],
        namespaced: true, has_status: false, model: "io.k8s.api.core.v1.ServiceAccount",
        columns: &[NAME, AGE],
        selectable: &[],
    },
    Kind {
        group: "", kind: "Pod", plural: "pods", short_names: &["po"], categories: &["all"],
        namespaced: true, has_status: true, model: "io.k8s.api.core.v1.Pod",
        columns: &[
            NAME, ("Ready", "string", 0, |o, _| json!(format!("0/{}", o["spec"]["containers"].as_array().map_or(0, Vec::len)))),
            ("Status", "string", 0, |o, _| o["status"]["phase"].clone()), ("Restarts", "string", 0, |_, _| json!("0")), AGE,
            ("IP", "string", 1, |_, _| json!("<none>")), ("Node", "string", 1, |_, _| json!("<none>")),
            ("Nominated Node", "string", 1, |_, _| json!("<none>")), ("Readiness Gates", "string", 1, |_, _| json!("<none>")),
        ],
        selectable: &[
            ("spec.nodeName", ".spec.nodeName"), ("spec.restartPolicy", ".spec.restartPolicy"), ("status.phase", ".status.phase"),
            ("spec.schedulerName", ".spec.schedulerName"), ("spec.serviceAccountName", ".spec.serviceAccountName"),
        ],
    },
    Kind {
        group: "", kind: "PodTemplate", plural: "podtemplates", short_names: &[], categories: &[],
        namespaced: true, has_status: false, model: "io.k8s.api.core.v1.PodTemplate",
        columns: &[
            NAME, ("Containers", "string", 0, |o, _| json!(of_containers(&o["template"], "name"))),
            ("Images", "string", 0, |o, _| json!(of_containers(&o["template"], "image"))),
            ("Pod Labels", "string", 0, |o, _| json!(selector(&o["template"]["metadata"]["labels"]))),
        ],
        selectable: &[],
    },
    Kind {
        group: "", kind: "Event", plural: "events", short_names: &["ev"], categories: &[],
        namespaced: true, has_status: false, model: "io.k8s.api.core.v1.Event",
        columns: EVENT_COLUMNS, selectable: EVENT_FIELDS,
    },
    Kind {
        group: EVENTS_GROUP, kind: "Event", plural: "events", short_names: &["ev"], categories: &[],
        namespaced: true, has_status: false, model: "io.k8s.api.events.v1.Event",
        columns: EVENT_COLUMNS, selectable: EVENT_FIELDS,
    },
    Kind {
        group: "coordination.k8s.io", kind: "Lease", plural: "leases", short_names: &[], categories: &[],
        namespaced: true, has_status: false, model: "io.k8s.api.coordination.v1.Lease",
        columns: &[NAME, ("Holder", "string", 0, |o, _| text(&o["spec"]["holderIdentity"])), AGE],
        selectable: &[],
    },
    Kind {
        group: "apps", kind: "Deployment", plural: "deployments", short_names: &["deploy"], categories: &["all"],
        namespaced: true, has_status: true, model: "io.k8s.api.apps.v1.Deployment",
        columns: &[
            NAME, ("Ready", "string", 0, |o, _| json!(ready(o))),
            ("Up-to-date", "string", 0, |o, _| json!(number(&o["status"]["updatedReplicas"]).to_string())),
            ("Available", "string", 0, |o, _| json!(number(&o["status"]["availableReplicas"]).to_string())), AGE,
            ("Containers", "string", 1, |o, _| json!(of_containers(&o["spec"]["template"], "name"))),
            ("Images", "string", 1, |o, _| json!(of_containers(&o["spec"]["template"], "image"))),
            ("Selector", "string", 1, |o, _| json!(selector(&o["spec"]["selector"]["matchLabels"]))),
        ],
        selectable: &[],
    },
    Kind {
        group: crate::registry::CRD_GROUP, kind: "CustomResourceDefinition", plural: crate::registry::CRD_PLURAL,
        short_names: &["crd", "crds"], categories: &["api-extensions"], namespaced: false, has_status: true,
        model: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        columns: &[NAME, ("Created At", "date", 0, |o, _| o["metadata"]["creationTimestamp"].clone())],
        selectable: &[],
    },
];

fn generate_models() -> BTreeMap<String, Value> {
    let mut generator = SchemaSettings::openapi3().into_generator();
    generator.subschema_for::<core::v1::Namespace>();
    generator.subschema_for::<core::v1::ConfigMap>();
    generator.subschema_for::<core::v1::Secret>();
    generator.subschema_for::<core::v1::Service>();
    generator.subschema_for::<core::v1::ServiceAccount>();
    generator.subschema_for::<core::v1::Pod>();
    generator.subschema_for::<core::v1::PodTemplate>();
    generator.subschema_for::<core::v1::Event>();
    generator.subschema_for::<events::v1::Event>();
    generator.subschema_for::<coordination::v1::Lease>();
    generator.subschema_for::<apps::v1::Deployment>();
    generator.subschema_for::<apiextensions::v1::CustomResourceDefinition>();
    generator.take_definitions(true).into_iter().collect()
}

/// The OpenAPI models of the built-in kinds and of all they are made of, by name.
pub(crate) fn models() -> &'static BTreeMap<String, Value> {
    static MODELS: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    MODELS.get_or_init(generate_models)
}

/// What the API says of the field of `metadata` that a column shows.
pub(crate) fn description_of_metadata(column: &str) -> String {
    let field = match column {
        "Name" => "name",
        "Age" => "creationTimestamp",
        _ => return String::new(),
    };
    models()[OBJECT_META]["properties"][field]["description"].as_str().unwrap_or_default().to_owned()
}

/// The schema of `metadata`.
pub(crate) fn object_meta() -> &'static Arc<Schema> {
    static OBJECT_META_SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    OBJECT_META_SCHEMA.get_or_init(|| Arc::new(compile_object_meta(&models()[OBJECT_META], models())))
}

/// The schema of a built-in kind; both versions of Event are checked in the form they are stored in.
pub(crate) fn schema(model: &str) -> &'static Schema {
    static SCHEMAS: OnceLock<BTreeMap<&'static str, OnceLock<Schema>>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| KINDS.iter().map(|k| (k.model, OnceLock::new())).collect());
    let stored_as = if model == "io.k8s.api.events.v1.Event" { "io.k8s.api.core.v1.Event" } else { model };
    schemas[stored_as].get_or_init(|| compile_builtin(&models()[stored_as], models(), object_meta()))
}

pub(crate) fn resources() -> Vec<Resource> {
    KINDS.iter().map(resource).collect()
}

fn resource(kind: &Kind) -> Resource {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    let store_group = if kind.group == EVENTS_GROUP { "" } else { kind.group };
    Resource {
        group: kind.group.into(),
        version: "v1".into(),
        kind: kind.kind.into(),
        list_kind: format!("{}List", kind.kind),
        plural: kind.plural.into(),
        singular: kind.kind.to_lowercase(),
        short_names: owned(kind.short_names),
        categories: owned(kind.categories),
        namespaced: kind.namespaced,
        has_status: kind.has_status,
        store: GroupResource::new(store_group, kind.plural),
        stored_as: if store_group.is_empty() { "v1".into() } else { format!("{store_group}/v1") },
        columns: kind
            .columns
            .iter()
            .map(|(name, ty, priority, cell)| Column::computed(name, ty, *priority, *cell))
            .collect(),
        selectable: selectable(kind),
        origin: Origin::Builtin { model: kind.model },
    }
}

fn selectable(kind: &Kind) -> Vec<(String, JsonPath)> {
    let parsed = |label: String, path: &str| Some((label, JsonPath::parse(path).ok()?));
    let mut fields: Vec<_> =
        kind.selectable.iter().filter_map(|(label, path)| parsed((*label).to_owned(), path)).collect();
    if kind.kind == "Event" {
        let subject = if kind.group == EVENTS_GROUP { "regarding" } else { "involvedObject" };
        let of_subject = |f: &&str| parsed(format!("{subject}.{f}"), &format!(".involvedObject.{f}"));
        fields.extend(SUBJECT_FIELDS.iter().filter_map(of_subject));
    }
    fields
}

fn ready(deployment: &Value) -> String {
    format!("{}/{}", number(&deployment["status"]["readyReplicas"]), number(&deployment["spec"]["replicas"]))
}

fn len(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn text(value: &Value) -> Value {
    json!(value.as_str().unwrap_or_default())
}

fn selector(value: &Value) -> String {
    let pairs = value.as_object().into_iter().flatten();
    joined(pairs.map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "<none>".into() } else { parts.join(",") }
}

fn ports(service: &Value) -> String {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    joined(ports.map(|p| format!("{}/{}", number(&p["port"]), p["protocol"].as_str().unwrap_or("TCP"))))
}

fn of_containers(template: &Value, field: &str) -> String {
    let containers = template["spec"]["containers"].as_array().into_iter().flatten();
    containers.filter_map(|c| c[field].as_str()).collect::<Vec<_>>().join(",")
}

fn involved(event: &Value) -> String {
    let part = |key: &str| event["involvedObject"][key].as_str().unwrap_or_default();
    let kind = part("kind").to_lowercase();
    if part("name").is_empty() { kind } else { format!("{kind}/{}", part("name")) }
}

fn source(event: &Value) -> Value {
    let part = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    let of_source = [&event["source"]["component"], &event["source"]["host"]];
    let reporting = [&event["reportingComponent"], &event["reportingInstance"]];
    let named = if part(of_source[0]).is_some() { of_source } else { reporting };
    json!(named.into_iter().filter_map(part).collect::<Vec<_>>().join(", "))
}

fn count(event: &Value) -> i64 {
    let of_series = event["series"]["count"].as_i64();
    of_series.or_else(|| event["count"].as_i64()).unwrap_or(1).max(1)
}

/// When the event was last seen, whichever client wrote it.
fn last_seen(event: &Value) -> &Value {
    let candidates = [&event["series"]["lastObservedTime"], &event["lastTimestamp"], first_seen(event)];
    candidates.into_iter().find(|v| v.is_string()).unwrap_or(&Value::Null)
}

fn first_seen(event: &Value) -> &Value {
    let candidates = [&event["firstTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
    candidates.into_iter().find(|v| v.is_string()).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_model_and_a_schema_that_knows_metadata() {
        for kind in KINDS {
            assert!(models().contains_key(kind.model), "{}", kind.model);
            assert!(
                schema(kind.model).child("metadata").is_some_and(|m| m.child("labels").is_some()),
                "{}",
                kind.model
            );
        }
    }

    #[test]
    fn lists_of_pods_are_merged_by_their_keys() {
        let deployment = schema("io.k8s.api.apps.v1.Deployment");
        let path = ["spec", "template", "spec", "containers"];
        let containers = path.iter().try_fold(deployment, |s, key| s.child(key)).unwrap();
        assert_eq!(containers.list, crate::schema::ListKind::Map(vec!["name".into()]));
    }
}
