//! What the controller makes for itself goes with what it is told to go with, and is not made again without that: on a
//! real API server with its garbage collector, as an uninstalled release leaves it.

use anyhow::{Result, ensure};
use fanfare_scenarios::{
    control::{ApiServer, Controller},
    database::Database,
    wait,
};
use serde_json::Value;

/// A Deployment that runs nothing, and a ClusterRole that allows nothing: what counts is that they are there.
fn release(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: fanfare}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: \
         {{app: fanfare}}}}\n  template:\n    metadata: {{labels: {{app: fanfare}}}}\n    spec: {{containers: [{{name: c, \
         image: none}}]}}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules: []\n"
    )
}

/// The kinds and names of what owns an object, and whether somebody waits for it.
fn owners(object: &Value) -> Vec<(String, String, bool)> {
    let all = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    let text = |owner: &Value, field: &str| owner[field].as_str().unwrap_or_default().to_owned();
    all.iter().map(|owner| (text(owner, "kind"), text(owner, "name"), owner["blockOwnerDeletion"] == true)).collect()
}

#[tokio::test]
async fn what_the_controller_made_goes_with_its_release_and_comes_again_with_the_next_one() -> Result<()> {
    let server = ApiServer::open().await?;
    if !server.is_real() {
        return Ok(());
    }
    let database = Database::fresh().await?;
    let (role, kubeconfig) = (format!("owner-{}", server.namespace), server.kubeconfig().display().to_string());
    let args = [
        "--kubeconfig",
        &kubeconfig,
        "--watch-namespaces",
        &server.namespace,
        "--lease-namespace",
        &server.namespace,
        "--install-crds",
        "--owner-deployment",
        "fanfare",
        "--owner-cluster-role",
        &role,
        "--webhook-listen",
        "127.0.0.1:0",
        "--webhook-url",
        "https://127.0.0.1:1",
        "--webhook-name",
        &role,
    ];
    let made = [
        ("lease", "fanfare-controller", ("Deployment", "fanfare")),
        ("secret", "fanfare-webhook", ("Deployment", "fanfare")),
        ("validatingwebhookconfiguration", &role, ("ClusterRole", &role)),
    ];
    let controller = Controller::start_with(&database.url(), &args).await?;
    let why = controller.misses("lease").await?;
    ensure!(why.contains("--owner-deployment: the Deployment fanfare is not there"), "{why}");
    ensure!(server.get("lease", "fanfare-controller").await.is_err(), "made without its owner");

    for _ in 0..2 {
        server.kubectl(&["apply", "-f", "-"], Some(&release(&role))).await?.code(0)?;
        wait::until("everything with its owner", wait::STATUS, async || {
            for (kind, name, (owner, of)) in made {
                let object = server.get(kind, name).await?;
                let found = owners(&object);
                ensure!(found == [(owner.to_owned(), of.to_owned(), false)], "{kind}/{name}: {found:?}");
            }
            Ok(())
        })
        .await?;
        controller.leads().await?;

        server.kubectl(&["delete", "deployment/fanfare", &format!("clusterrole/{role}")], None).await?.code(0)?;
        wait::until("everything to go", wait::STATUS, async || {
            for (kind, name, _) in made {
                ensure!(server.get(kind, name).await.is_err(), "{kind}/{name} is left");
            }
            Ok(())
        })
        .await?;
        controller.misses("lease").await?;
        for (kind, name, _) in made {
            ensure!(server.get(kind, name).await.is_err(), "{kind}/{name} was built up again");
        }
    }
    controller.stop().await
}
