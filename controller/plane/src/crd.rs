//! CustomResourceDefinitions: checking them, completing them, and compiling the resource they define.

use serde_json::{Value, json};

use crate::builtin;
use crate::cel::Rules;
use crate::json_path::JsonPath;
use crate::object::GroupResource;
use crate::registry::{Custom, Origin, Resource};
use crate::schema::{compile_custom, value_at};
use crate::status::FieldError;
use crate::table::Column;

const NOT_SIMPLE: &str = "must be a simple json path starting with .";
/// Selectable fields of one version, as upstream bounds them.
const SELECTABLE_FIELDS_MAX: usize = 8;

/// Fills in what a CRD may leave out.
pub(crate) fn complete(crd: &mut Value) {
    let kind = text(&crd["spec"]["names"]["kind"]);
    let Some(spec) = crd["spec"].as_object_mut() else { return };
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) else { return };
    names.entry("listKind").or_insert_with(|| json!(format!("{kind}List")));
    names.entry("singular").or_insert_with(|| json!(kind.to_lowercase()));
}

/// The status that says the CRD is served; times of an earlier one stay, and so do conditions that others wrote.
pub(crate) fn established_status(crd: &Value, now: &str) -> Value {
    let before = crd["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ];
    let is_ours = |condition: &Value| ours.iter().any(|(kind, ..)| condition["type"] == *kind);
    let own = ours.iter().map(|(kind, reason, message)| {
        let since = before.iter().find(|c| c["type"] == *kind).map(|c| &c["lastTransitionTime"]);
        let since = since.cloned().unwrap_or_else(|| json!(now));
        json!({"type": kind, "status": "True", "lastTransitionTime": since, "reason": reason, "message": message})
    });
    let conditions: Vec<Value> = own.chain(before.iter().filter(|c| !is_ours(c)).cloned()).collect();
    let versions = crd["spec"]["versions"].as_array().into_iter().flatten();
    let stored: Vec<&Value> = versions.filter(|v| v["storage"] == true).map(|v| &v["name"]).collect();
    json!({"conditions": conditions, "acceptedNames": crd["spec"]["names"], "storedVersions": stored})
}

/// The resources that a CRD defines: one for each version that is served.
///
/// # Errors
/// Every field that is wrong, or that the embedded plane does not do.
pub(crate) fn compile(crd: &Value, crd_version: u64) -> Result<Vec<Resource>, Vec<FieldError>> {
    let spec = &crd["spec"];
    let mut errors = check_names(crd);
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let stored: Vec<&str> =
        versions.iter().filter(|v| v["storage"] == true).filter_map(|v| v["name"].as_str()).collect();
    let [stored] = stored[..] else {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", &spec["versions"], why));
        return Err(errors);
    };
    if spec["conversion"]["strategy"].as_str().is_some_and(|s| s != "None") {
        errors.push(FieldError::forbidden("spec.conversion.strategy", "the embedded plane converts nothing: use None"));
    }
    let mut resources = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        // Upstream names what is the same in all versions at the top.
        let path = if versions.len() == 1 { "spec".to_owned() } else { format!("spec.versions[{index}]") };
        match compile_version(spec, version, &path, crd_version) {
            Ok(resource) => {
                let stored_as = format!("{}/{stored}", resource.group);
                resources.extend((version["served"] == true).then_some(Resource { stored_as, ..resource }));
            }
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(resources) } else { Err(errors) }
}

fn compile_version(spec: &Value, version: &Value, path: &str, crd_version: u64) -> Result<Resource, Vec<FieldError>> {
    let mut errors = Vec::new();
    let schema_path = format!("{path}.{}.openAPIV3Schema", if path == "spec" { "validation" } else { "schema" });
    let document = &version["schema"]["openAPIV3Schema"];
    if !document.is_object() {
        return Err(vec![FieldError::required("spec.versions[0].schema.openAPIV3Schema", "")]);
    }
    let mut gather = |found: Vec<FieldError>| errors.extend(found);
    let schema =
        compile_custom(document, builtin::object_meta(), &schema_path).map_err(&mut gather).unwrap_or_default();
    let rules = Rules::compile(document, &schema_path).map_err(&mut gather).unwrap_or_default();
    let columns = columns(version, path, &mut errors);
    let selectable = selectable(version, path, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let names = &spec["names"];
    let (group, plural, kind) = (text(&spec["group"]), text(&names["plural"]), text(&names["kind"]));
    let reversed: Vec<&str> = group.split('.').rev().collect();
    let model = format!("{}.{}.{kind}", reversed.join("."), text(&version["name"]));
    Ok(Resource {
        version: text(&version["name"]),
        list_kind: text(&names["listKind"]),
        singular: text(&names["singular"]),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        has_status: version["subresources"]["status"].is_object(),
        store: GroupResource::new(&group, &plural),
        stored_as: String::new(),
        columns,
        selectable,
        origin: Origin::Custom(Box::new(Custom { crd_version, model, document: document.clone(), schema, rules })),
        group,
        plural,
        kind,
    })
}

fn check_names(crd: &Value) -> Vec<FieldError> {
    let spec = &crd["spec"];
    let missing = |field: &&str| value_at(spec, field).is_none_or(|v| text(v).is_empty());
    let required = ["group", "scope", "names.plural", "names.kind"].into_iter().filter(missing);
    let mut errors: Vec<FieldError> = required.map(|field| FieldError::required(format!("spec.{field}"), "")).collect();
    let wanted = format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"]));
    let name = &crd["metadata"]["name"];
    if *name != wanted.as_str() {
        errors.push(FieldError::invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
    }
    let scopes = ["Cluster", "Namespaced"];
    if spec["scope"].as_str().is_some_and(|scope| !scopes.contains(&scope)) {
        errors.push(FieldError::unsupported("spec.scope", &spec["scope"], &scopes));
    }
    if spec["preserveUnknownFields"] == true {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid("spec.preserveUnknownFields", &json!(true), why));
    }
    if builtin::resources().iter().any(|r| r.group == text(&spec["group"])) {
        errors.push(FieldError::forbidden("spec.group", "this group is built in"));
    }
    errors
}

fn columns(version: &Value, path: &str, errors: &mut Vec<FieldError>) -> Vec<Column> {
    let given = version["additionalPrinterColumns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut columns = vec![Column::name()];
    for (i, column) in given.iter().enumerate() {
        if !matches!(column["type"].as_str(), Some("boolean" | "date" | "integer" | "number" | "string")) {
            let at = format!("{path}.additionalPrinterColumns[{i}].type");
            errors.push(FieldError::invalid(at, &column["type"], "must be one of boolean,date,integer,number,string"));
        }
        let implied =
            || format!("Custom resource definition column (in JSONPath format): {}", text(&column["jsonPath"]));
        match JsonPath::parse(&text(&column["jsonPath"])) {
            Ok(json_path) => {
                let (name, kind) = (text(&column["name"]), text(&column["type"]));
                let description = column["description"].as_str().map_or_else(implied, str::to_owned);
                let priority = column["priority"].as_i64().unwrap_or(0);
                columns.push(Column::at_path(&name, &kind, priority, &description, json_path));
            }
            Err(why) => {
                let why = if text(&column["jsonPath"]).starts_with('.') { &why } else { NOT_SIMPLE };
                let at = format!("{path}.additionalPrinterColumns[{i}].JSONPath");
                errors.push(FieldError::invalid(at, &column["jsonPath"], why));
            }
        }
    }
    if given.is_empty() {
        columns.push(Column::age("date"));
    }
    columns
}

fn selectable(version: &Value, path: &str, errors: &mut Vec<FieldError>) -> Vec<(String, JsonPath)> {
    let given = version["selectableFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    if given.len() > SELECTABLE_FIELDS_MAX {
        let (at, count) = (format!("{path}.selectableFields"), given.len() as u64);
        errors.push(FieldError::too_many(at, count, SELECTABLE_FIELDS_MAX as u64));
    }
    let mut fields = Vec::new();
    for (i, field) in given.iter().enumerate() {
        let json_path = text(&field["jsonPath"]);
        let steps = json_path.split('.').skip(1);
        let document = &version["schema"]["openAPIV3Schema"];
        let is_known = !steps.fold(document, |schema, step| &schema["properties"][step]).is_null();
        let unknown = || "is an invalid path: does not refer to a valid field".to_owned();
        match JsonPath::parse(&json_path).and_then(|parsed| is_known.then_some(parsed).ok_or_else(unknown)) {
            Ok(parsed) => fields.push((json_path.trim_start_matches('.').to_owned(), parsed)),
            Err(why) => {
                let at = format!("{path}.selectableFields[{i}].jsonPath");
                errors.push(FieldError::invalid(at, &field["jsonPath"], why));
            }
        }
    }
    fields
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd() -> Value {
        json!({"metadata": {"name": "widgets.test.dev"}, "spec": {
            "group": "test.dev", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
    }

    fn check(change: impl FnOnce(&mut Value), expect: &[&str]) {
        let mut value = crd();
        change(&mut value);
        let fields: Vec<String> = compile(&value, 1).err().into_iter().flatten().map(|e| e.field).collect();
        assert_eq!(fields, expect);
    }

    #[test]
    fn what_is_wrong_or_not_done_here_is_refused_by_field() {
        check(|_| (), &[]);
        check(|c| c["metadata"]["name"] = json!("x"), &["metadata.name"]);
        check(|c| c["spec"]["conversion"] = json!({"strategy": "Webhook"}), &["spec.conversion.strategy"]);
        check(|c| c["spec"]["versions"][0]["storage"] = json!(false), &["spec.versions"]);
        check(
            |c| c["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] = json!({"s": {}}),
            &["spec.validation.openAPIV3Schema.properties[s].type"],
        );
        check(
            |c| {
                c["spec"]["versions"][0]["additionalPrinterColumns"] =
                    json!([{"name": "X", "type": "string", "jsonPath": "x"}])
            },
            &["spec.additionalPrinterColumns[0].JSONPath"],
        );
    }

    #[test]
    fn names_that_are_left_out_follow_from_the_kind() {
        let mut value = crd();
        complete(&mut value);
        assert_eq!(value["spec"]["names"]["listKind"], "WidgetList");
        let resource = compile(&value, 1).unwrap().remove(0);
        assert_eq!((resource.singular.as_str(), resource.list_kind.as_str()), ("widget", "WidgetList"));
    }
}
