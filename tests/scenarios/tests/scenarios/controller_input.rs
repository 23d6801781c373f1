//! What `fanfare controller` lacks at its start or later: said by readiness or a condition, with a remedy, and never by a
//! process that ends again and again.

use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    control::{ApiServer, Controller},
    database::Database,
    folder::{Scratch, fixture},
    runtime::Runtime,
    shop::Credentials,
    tools, wait,
};
use sqlx::AssertSqlSafe;

#[tokio::test]
async fn a_kubeconfig_that_is_missing_or_wrong_is_named() -> Result<()> {
    let scratch = Scratch::new()?;
    scratch.write("broken", "clusters: [")?;
    for (file, named) in [("nowhere", "nowhere cannot be read"), ("broken", "broken cannot be read")] {
        let path = scratch.path().join(file).display().to_string();
        let ended = tools::verb_on("postgres://u@127.0.0.1:1/x", &["controller", "--kubeconfig", &path]).await?;
        ensure!(ended.code == 1 && ended.err.contains("--kubeconfig") && ended.err.contains(named), "{ended:?}");
    }
    let ended = tools::verb_on("sqlite:x.db", &["controller"]).await?;
    ensure!(ended.code == 1 && ended.err.contains("--database: this is no address of a PostgreSQL"), "{ended:?}");
    Ok(())
}

/// A kubeconfig of an API server that is not there.
const NOWHERE: &str = "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n\
    clusters: [{name: c, cluster: {server: \"http://127.0.0.1:1\"}}]\nusers: [{name: u, user: {}}]\n";

#[tokio::test]
async fn an_api_server_or_a_database_that_is_away_is_named_by_readiness_and_waited_for() -> Result<()> {
    let database = Database::fresh().await?;
    let scratch = Scratch::new()?;
    scratch.write("kubeconfig", NOWHERE)?;
    let kubeconfig = scratch.path().join("kubeconfig").display().to_string();
    let mut away = Controller::start_with(&database.url(), &["--kubeconfig", &kubeconfig]).await?;
    let why = away.misses("apiServer").await?;
    ensure!(why.contains("http://127.0.0.1:1"), "{why}");
    wait::until("the database, which is there", wait::SOON, async || {
        let (_, body) = away.readiness().await?;
        ensure!(body["missing"].get("database").is_none(), "{body}");
        Ok(())
    })
    .await?;

    let server = ApiServer::open().await?;
    let kubeconfig = server.kubeconfig().display().to_string();
    let mine = ["--kubeconfig", &kubeconfig, "--watch-namespaces", &server.namespace, "--install-crds"];
    let mut no_database = Controller::start_with("postgres://u:s3cret@127.0.0.1:1/x", &mine).await?;
    let why = no_database.misses("database").await?;
    ensure!(why.contains("127.0.0.1:1") && !why.contains("s3cret"), "{why}");

    let newer = Database::fresh().await?;
    let foreign = Database::fresh().await?;
    drop(tools::verb_on(&newer.url(), &["audit", "verify"]).await?);
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'later', true, '', 0)";
    sqlx::raw_sql(sql).execute(&mut newer.connect().await?).await?;
    sqlx::raw_sql("CREATE TABLE theirs (x int)").execute(&mut foreign.connect().await?).await?;
    for (database, said) in [(&newer, "9999"), (&foreign, "another program")] {
        let mut controller = Controller::start_with(&database.url(), &mine).await?;
        let why = controller.misses("database").await?;
        ensure!(why.contains(said), "{why}");
        ensure!(controller.runs()?, "it waits");
    }
    ensure!(away.runs()? && no_database.runs()?, "nobody gave up");
    Ok(())
}

#[tokio::test]
async fn a_crd_that_is_missing_at_the_start_is_named_and_waited_for() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    if server.is_real() {
        return Ok(()); // Its definitions are every scenario's.
    }
    let kubeconfig = server.kubeconfig().display().to_string();
    let args = ["--kubeconfig", &kubeconfig, "--watch-namespaces", &server.namespace];
    let controller = Controller::start_with(&database.url(), &args).await?;
    let why = controller.misses("customResourceDefinitions").await?;
    ensure!(why.contains("campaigns.fanfare.dev") && why.contains("fanfare crds"), "{why}");
    let definitions = tools::verb(&["crds"], None).await?.code(0)?;
    server.kubectl(&["apply", "--server-side", "-f", "-"], Some(&definitions)).await?.code(0)?;
    controller.leads().await
}

#[tokio::test]
async fn a_lease_of_somebody_else_is_not_taken() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    let lease = "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: fanfare-controller}\n";
    server.kubectl(&["apply", "-f", "-"], Some(lease)).await?.code(0)?;
    let controller = Controller::start(&server, &database).await?;
    let why = controller.misses("lease").await?;
    ensure!(why.contains("belongs to somebody else") && why.contains("--lease"), "{why}");
    let found = server.get("lease", "fanfare-controller").await?;
    ensure!(found["spec"].get("holderIdentity").is_none(), "it was taken: {found}");
    server.kubectl(&["delete", "lease", "fanfare-controller"], None).await?.code(0)?;
    controller.leads().await
}

#[tokio::test]
async fn a_secret_that_no_runtime_has_is_a_condition_that_goes_when_one_has_it() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    let controller = Controller::start(&server, &database).await?;
    controller.leads().await?;
    server.apply(&fixture("shop")).await?;
    let channel = "apiVersion: fanfare.dev/v1alpha1\nkind: MessageChannel\nmetadata: {name: mail}\nspec: {smtp: {host: \
        mail.example, port: 587, security: StartTls, from: shop@example.com, credentials: {secretRef: {name: mail-login}}}}\n";
    server.kubectl(&["apply", "-f", "-"], Some(channel)).await?.code(0)?;
    server.condition(("messagechannel", "mail"), ("Ready", "True", "Published")).await?;

    let place = ["--database", &database.url(), "--namespace", &server.namespace].map(str::to_owned);
    let enrol = ["terminal", "enrol", "--store", "bkk-01", "--label", "till"];
    let args: Vec<&str> = enrol.into_iter().chain(place[2..].iter().map(String::as_str)).collect();
    wait::until("a till to be enrolled", wait::SOON, async || tools::verb_on(&database.url(), &args).await?.code(0))
        .await?;
    let credentials = Credentials {
        namespace: server.namespace.clone(),
        api_url: String::new(),
        kube_url: String::new(),
        store_id: "bkk-01".into(),
        terminal_key: String::new(),
        integration_key: String::new(),
    };
    let secrets = Scratch::new()?;
    let folder = secrets.path().display().to_string();
    let runtime = Runtime::start_with(&database, &credentials, &["--secrets", &folder]).await?;
    let why = server.condition(("messagechannel", "mail"), ("Ready", "False", "SecretMissing")).await?;
    ensure!(why.contains("mail-login") && why.contains("username and password"), "{why}");
    ensure!(!runtime.log().contains("panicked"), "{}", runtime.log());
    secrets.write("mail-login/username", "shop")?;
    secrets.write("mail-login/password", "s3cret-of-the-shop")?;
    server.condition(("messagechannel", "mail"), ("Ready", "True", "Published")).await?;
    let told = sqlx::query_scalar::<_, i64>(AssertSqlSafe(
        "SELECT count(*) FROM settings WHERE position('s3cret' in convert_from(value, 'UTF8')) > 0 AND name LIKE 'login/%'",
    ));
    ensure!(told.fetch_one(&mut database.connect().await?).await? == 0, "a password is in the database");
    runtime.stop().await.context("the runtime")?;
    controller.stop().await
}

#[tokio::test]
async fn a_namespace_that_a_controller_looks_after_is_refused_to_an_up_that_would_retire_it() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    let controller = Controller::start(&server, &database).await?;
    controller.leads().await?;
    server.apply(&fixture("shop")).await?;
    server.condition(("campaign", "sale"), ("Ready", "True", "Published")).await?;
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.edit("runtime.yaml", "{name: shop}", &format!("{{name: shop, namespace: {}}}", server.namespace))?;
    let place = folder.path().display().to_string();
    let args = ["up", &place, "--listen", "127.0.0.1:0", "--kube-listen", "127.0.0.1:0"];
    let refused = tools::verb_on(&database.url(), &args).await?;
    ensure!(refused.code == 1 && refused.err.contains("publishes to this namespace"), "{refused:?}");
    controller.stop().await
}
