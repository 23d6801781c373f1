//! The one door from a raw resource to a plan: `fanfare validate`, the plane's admission and reconcile all come through
//! here, so that a green pull request is not refused later for another reason.
//!
//! Three layers, each with every error at once: the schema (`structure`, then its CEL `rules`), the meaning of the
//! texts (one file a kind), and what depends on other resources (`references`, `budget`). An error that only follows
//! from another is left out. Nothing here reads a clock, a file or a server.

mod advice;
mod automation;
mod budget;
mod campaign;
mod context;
mod error;
mod events;
mod folder;
mod immutable;
mod limits;
mod mechanic;
mod message;
mod names;
mod references;
mod reward;
mod rules;
mod runtime;
mod segment;
mod structure;

use fanfare_core::ids::Revision;
use fanfare_core::model::{Kind, Plan, RuntimePlan};
use fanfare_core::time::Ts;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::nearest::did_you_mean;
use crate::{generate, wire};
use context::Context;
use error::Path;
pub(crate) use error::{FAULTS_MAX, Findings};

pub use advice::advise;
pub use error::{FieldError, code};
pub use folder::{Verdict, admit_all};
pub use references::{Catalog, PlanSet, check_references};

/// The annotation by which `fanfare suspend` stops a campaign; it wins over `spec.suspend`.
pub const SUSPENDED_ANNOTATION: &str = "fanfare.dev/suspended";

/// What is known at the door beside the resource itself.
#[derive(Clone, Copy, Debug)]
pub struct Door<'a> {
    /// Business time.
    pub now: Ts,
    /// The resource as it was accepted before, if there was one.
    pub old: Option<&'a Value>,
    /// The namespace's Runtime. Without it amounts, stores and attributes are checked by their form alone.
    pub runtime: Option<&'a RuntimePlan>,
    /// Whether money has moved in this namespace, so that its currency cannot change any more.
    pub has_ledger: bool,
}

impl Door<'_> {
    /// A door that knows nothing but the time.
    pub fn alone(now: Ts) -> Self {
        Self { now, old: None, runtime: None, has_ledger: false }
    }
}

/// A resource that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace, where it names one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its plan. Fit to be served only if the door knew the Runtime; else its amounts and times are not final.
    pub plan: Plan,
}

/// Which kind a raw resource says it is.
///
/// # Errors
/// When `apiVersion` or `kind` is missing or not ours.
pub fn kind_of(object: &Value) -> Result<Kind, Vec<FieldError>> {
    let mut findings = Findings::default();
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    match text("apiVersion") {
        Some(wire::API_VERSION) => {}
        Some(other) => {
            let reason = format!("there is no version `{other}` of this API");
            findings.push(Path::root("apiVersion"), code::NOT_ALLOWED, reason, format!("write {}", wire::API_VERSION));
        }
        None => {
            findings.push(
                Path::root("apiVersion"),
                code::REQUIRED,
                "is missing",
                format!("add apiVersion: {}", wire::API_VERSION),
            );
        }
    }
    let known = Kind::ALL.map(Kind::as_str);
    let kind = text("kind").and_then(Kind::parse);
    match (text("kind"), kind) {
        (_, Some(_)) => {}
        (Some(other), None) => {
            let list = format!("the kinds are {}", known.join(", "));
            let remedy = did_you_mean(other, known, &list);
            findings.push(Path::root("kind"), code::NOT_ALLOWED, format!("there is no kind `{other}`"), remedy);
        }
        (None, None) => {
            findings.push(Path::root("kind"), code::REQUIRED, "is missing", format!("add one of {}", known.join(", ")));
        }
    }
    match kind {
        Some(kind) if findings.errors.is_empty() => Ok(kind),
        _ => Err(findings.errors),
    }
}

/// Judges one resource by itself: everything that it alone shows to be wrong, and what cannot change any more.
///
/// # Errors
/// Every fault, in the order of the layers.
pub fn admit_one(object: &Value, door: &Door<'_>) -> Result<Admitted, Vec<FieldError>> {
    let kind = kind_of(object)?;
    let mut findings = Findings::default();
    metadata(object, &mut findings);
    body(kind, object, &mut findings);
    findings.follow_up(rules::check(kind, object));
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let mut context = Context::new(door.runtime);
    let compiled = if findings.errors.is_empty() {
        compile(kind, name, object, &mut context)
    } else {
        compile(kind, name, &whole(kind, object), &mut context)
    };
    findings.follow_up(context.findings.errors);
    if let Some(old) = door.old {
        findings.follow_up(immutable::check(kind, object, old, door));
    }
    match compiled {
        Some(plan) if findings.errors.is_empty() => {
            let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned);
            Ok(Admitted { kind, namespace, name: name.to_owned(), plan: with_revision(plan) })
        }
        None if findings.errors.is_empty() => {
            findings.push(Path::SPEC, code::WRONG_TYPE, "cannot be read", "compare it with the examples");
            Err(findings.errors)
        }
        _ => Err(findings.errors),
    }
}

/// Judges one resource for storing it, as the API's admission does: only what the document itself shows is refused.
/// What depends on another resource, which may come later in the same apply, is for reconcile to wait for; then there is
/// no plan yet.
///
/// # Errors
/// Every fault, if there is one that no other resource can heal.
pub fn admit_to_store(object: &Value, door: &Door<'_>) -> Result<Option<Admitted>, Vec<FieldError>> {
    match admit_one(object, door) {
        Ok(admitted) => Ok(Some(admitted)),
        Err(errors) if errors.iter().all(|error| code::is_waiting(error.code)) => Ok(None),
        Err(errors) => Err(errors),
    }
}

/// Judges one resource among the others: what it alone shows, what it refers to, and whether its budget can hold.
///
/// # Errors
/// Every fault. Those for which [`code::is_waiting`] holds may heal when another resource appears.
pub fn admit_with(object: &Value, door: &Door<'_>, catalog: &dyn Catalog) -> Result<Admitted, Vec<FieldError>> {
    let door = Door { runtime: catalog.runtime(), ..*door };
    let admitted = admit_one(object, &door)?;
    let needs_runtime = admitted.kind != Kind::CampaignRuntime && door.runtime.is_none();
    if needs_runtime {
        let mut findings = Findings::default();
        let remedy = "add a CampaignRuntime to the namespace";
        findings.push(Path::SPEC, code::RUNTIME, "there is no valid CampaignRuntime to serve it", remedy);
        return Err(findings.errors);
    }
    let missing = check_references(&admitted.plan, catalog);
    if missing.is_empty() { Ok(admitted) } else { Err(missing) }
}

/// What Kubernetes keeps in `metadata`.
const METADATA_FIELDS: [&str; 15] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "generateName",
    "finalizers",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

fn metadata(object: &Value, findings: &mut Findings) {
    let at = Path::root("metadata");
    let path = at.field("name");
    let remedy = "use lower-case letters, digits and hyphens, at most 63, such as `double-11`";
    match object.pointer("/metadata/name") {
        Some(Value::String(name)) if names::is_resource_name(name) => {}
        Some(Value::String(name)) => {
            findings.push(path, code::MALFORMED, format!("`{name}` is not a name"), remedy);
        }
        Some(_) => findings.push(path, code::WRONG_TYPE, "the name is no text", remedy),
        None => findings.push(path, code::REQUIRED, "is missing", "give the resource a name"),
    }
    for name in object.get("metadata").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str()) {
        if !METADATA_FIELDS.contains(&name) {
            let remedy =
                did_you_mean(name, METADATA_FIELDS, "remove it; name, namespace, labels and annotations stand here");
            findings.push(at.field(name), code::UNKNOWN_FIELD, format!("there is no field `{name}`"), remedy);
        }
    }
    for group in ["labels", "annotations"] {
        let entries = object.pointer(&format!("/metadata/{group}")).and_then(Value::as_object);
        for (key, value) in entries.into_iter().flatten().filter(|(_, value)| !value.is_string()) {
            let remedy = format!("write it in quotes: \"{value}\"");
            findings.push(at.field(group).field(key), code::WRONG_TYPE, "is no text", remedy);
        }
    }
}

/// The schema, without the parts that every Kubernetes object has.
fn body(kind: Kind, object: &Value, findings: &mut Findings) {
    let known = ["apiVersion", "kind", "metadata", "spec", "status"];
    for name in object.as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
        if !known.contains(&name) {
            let remedy = did_you_mean(name, known, "fields of a resource stand below spec");
            findings.push(Path::root(name), code::UNKNOWN_FIELD, format!("there is no field `{name}`"), remedy);
        }
    }
    let schema = generate::schema(kind).pointer("/properties/spec");
    match (schema, object.get("spec")) {
        (Some(schema), Some(spec)) => structure::check(schema, spec, Path::SPEC, findings),
        _ => findings.push(Path::SPEC, code::REQUIRED, "is missing", "add `spec`"),
    }
}

/// The resource with a specification that can be read, whatever is wrong with it.
fn whole(kind: Kind, object: &Value) -> Value {
    let schema = generate::schema(kind).pointer("/properties/spec").unwrap_or(&Value::Null);
    json!({"metadata": object.get("metadata"), "spec": structure::repaired(schema, object.get("spec"))})
}

/// Compiles the specification where it can be read at all; the structural check has said what hinders it.
fn compile(kind: Kind, name: &str, object: &Value, context: &mut Context<'_>) -> Option<Plan> {
    match kind {
        Kind::Campaign => {
            let mut plan = campaign::compile(name, &read(object)?, context);
            plan.suspended |= is_suspended(object);
            Some(Plan::Campaign(plan))
        }
        Kind::Segment => Some(Plan::Segment(segment::compile(name, &read(object)?, context))),
        Kind::Reward => reward::compile(name, &read(object)?, context).map(Plan::Reward),
        Kind::Automation => Some(Plan::Automation(automation::compile(name, &read(object)?, context))),
        Kind::MessageTemplate => Some(Plan::MessageTemplate(message::template(name, &read(object)?, context))),
        Kind::MessageChannel => message::channel(name, &read(object)?, context).map(Plan::MessageChannel),
        Kind::CampaignRuntime => runtime::compile(name, &read(object)?, context).map(Plan::CampaignRuntime),
    }
}

fn read<T: DeserializeOwned>(object: &Value) -> Option<T> {
    T::deserialize(object.get("spec")?).ok()
}

fn is_suspended(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    annotations.and_then(|annotations| annotations.get(SUSPENDED_ANNOTATION)).is_some()
}

/// How many characters of the digest a revision has: 64 bits tell the revisions of one resource apart.
const REVISION_LENGTH: usize = 16;

/// The digest of the plan, so that the same revision is always served the same way.
fn with_revision(mut plan: Plan) -> Plan {
    let text = serde_json::to_string(&plan).unwrap_or_default();
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let revision = Revision::from(&digest[..REVISION_LENGTH]);
    match &mut plan {
        Plan::Campaign(plan) => plan.revision = revision,
        Plan::Reward(plan) => plan.revision = revision,
        Plan::Automation(plan) => plan.revision = revision,
        Plan::Segment(_) | Plan::MessageTemplate(_) | Plan::MessageChannel(_) | Plan::CampaignRuntime(_) => {}
    }
    plan
}
