//! The CustomResourceDefinitions: whether they are there, served, and those of this version.

use super::report::Finding;
use crate::control::connect::said;
use fanfare_reconcile::VERSION;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use kube::{Api, Client};

const CHECK: &str = "customResourceDefinitions";
const APPLY: &str = "fanfare crds | kubectl apply --server-side -f -";

/// Looks at all of them.
pub async fn look(client: &Client) -> Vec<Finding> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut findings = Vec::new();
    for wanted in fanfare_crds::generate::crds() {
        let name = wanted.metadata.name.clone().unwrap_or_default();
        match api.get_opt(&name).await {
            Ok(found) => findings.extend(judge(&name, &wanted, found.as_ref())),
            Err(error) => {
                let remedy = format!("let this user `get` customresourcedefinitions, or have it compared: {APPLY}");
                findings.push(Finding::warn(CHECK, format!("{name} cannot be read: {:#}", said(error)), remedy));
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "all are there and of this version"));
    }
    findings
}

/// What is wrong with one.
fn judge(name: &str, wanted: &CustomResourceDefinition, found: Option<&CustomResourceDefinition>) -> Option<Finding> {
    let Some(found) = found else {
        let remedy = format!("{APPLY}, or start the controller with --install-crds");
        return Some(Finding::fail(CHECK, format!("{name} is not there"), remedy));
    };
    let conditions = found.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let established = conditions.iter().find(|condition| condition.type_ == "Established");
    if established.is_none_or(|condition| condition.status != "True") {
        let why =
            conditions.iter().filter(|condition| condition.status == "False" || condition.type_.starts_with("Non"));
        let why: Vec<String> = why.filter_map(|condition| condition.message.clone()).collect();
        let remedy = format!("delete what takes its names, then: {APPLY}");
        return Some(Finding::fail(CHECK, format!("{name} is not served: {}", why.join("; ")), remedy));
    }
    let (ours, theirs) = (version(wanted)?, version(found));
    if theirs.and_then(|version| version.schema.as_ref()) == ours.schema.as_ref() {
        return None;
    }
    let what = format!("{name} is of another version than this binary ({})", env!("CARGO_PKG_VERSION"));
    Some(Finding::warn(CHECK, what, format!("fields that it does not know are lost; with the newer binary: {APPLY}")))
}

fn version(definition: &CustomResourceDefinition) -> Option<&CustomResourceDefinitionVersion> {
    definition.spec.versions.iter().find(|version| version.name == VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Level;
    use serde_json::json;

    #[test]
    fn a_definition_has_to_be_there_served_and_of_this_version() {
        let wanted = fanfare_crds::generate::crds().remove(0);
        let with = |status: &str, title: &str| -> CustomResourceDefinition {
            let mut found = serde_json::to_value(&wanted).unwrap();
            found["status"] = json!({"conditions": [
                {"type": "NamesAccepted", "status": status, "reason": "R", "message": "names are taken"},
                {"type": "Established", "status": status, "reason": "R", "message": "m"},
            ], "storedVersions": []});
            if !title.is_empty() {
                found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = json!(title);
            }
            serde_json::from_value(found).unwrap()
        };
        let cases = [
            (Some(with("True", "")), None),
            (None, Some((Level::Fail, "is not there"))),
            (Some(with("False", "")), Some((Level::Fail, "names are taken"))),
            (Some(with("True", "another")), Some((Level::Warn, "is of another version"))),
        ];
        for (found, expect) in cases {
            let finding = judge("x", &wanted, found.as_ref());
            let told = finding.as_ref().map(|finding| (finding.level, finding.what.as_str()));
            match (told, expect) {
                (None, None) => {}
                (Some((level, what)), Some((wanted, part))) => {
                    assert!(level == wanted && what.contains(part), "{what}")
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
