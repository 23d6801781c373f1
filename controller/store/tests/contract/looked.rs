//! A look at a PostgreSQL tells what is there and changes nothing of it.

use crate::{fixtures::*, server::Database};
use fanfare_store::{
    Error, Writes,
    postgres::look::{Content, Schema, VERSION, look},
    restored::AWAITS,
};
use sqlx::ConnectOptions;

async fn seen(database: &Database) -> Schema {
    look(database.options().to_url_lossy().as_str()).await.unwrap().schema
}

async fn content(database: &Database) -> Content {
    match seen(database).await {
        Schema::Ours(_, content) => content,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_look_migrates_nothing_and_tells_empty_foreign_and_ours_apart() {
    let database = Database::new("look").await;
    for _ in 0..2 {
        assert_eq!(seen(&database).await, Schema::Empty, "the first look made nothing");
    }
    database.run("CREATE TABLE other (id int)").await;
    assert_eq!(seen(&database).await, Schema::Foreign);
    database.run("DROP TABLE other").await;
    let store = database.open().await;
    commit(&store, Writes { postings: vec![posting("1", "a", "b", 1)], ..writes() }).await.unwrap();
    let expect = Content { namespaces: vec![shop().to_string()], ..Content::default() };
    assert_eq!(seen(&database).await, Schema::Ours(VERSION, expect));
    database.run("DELETE FROM _sqlx_migrations WHERE version > 2").await;
    assert!(matches!(seen(&database).await, Schema::Ours(2, _)), "nor did this one");
}

#[tokio::test]
async fn a_look_finds_what_does_not_add_up_a_restore_and_what_a_user_may_not_do() {
    let database = Database::new("look_wrong").await;
    let store = database.open().await;
    commit(&store, Writes { postings: vec![posting("1", "a", "b", 1)], ..writes() }).await.unwrap();
    database.run("UPDATE balances SET amount = amount + 7 WHERE account = 'a'").await;
    database.run("UPDATE lane SET seq = 0").await;
    let why = format!("INSERT INTO settings (name, value) VALUES ('{AWAITS}', 'from a backup')");
    database.run(&why).await;
    let found = content(&database).await;
    assert_eq!(found.unbalanced.len(), 1, "{found:?}");
    assert!(found.unbalanced[0].ends_with(": 7"), "{found:?}");
    assert_eq!(found.ahead, [shop().to_string()]);
    assert_eq!(found.awaits.as_deref(), Some("from a backup"));

    let user = format!("reader_{}", database.name());
    database
        .run(&format!(
            "CREATE ROLE \"{user}\" LOGIN PASSWORD 'p'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{user}\";
             GRANT INSERT, UPDATE, DELETE ON settings TO \"{user}\""
        ))
        .await;
    let url = database.options().username(&user).password("p").to_url_lossy();
    let looked = look(url.as_str()).await;
    database.run(&format!("DROP OWNED BY \"{user}\"; DROP ROLE \"{user}\"")).await;
    let Schema::Ours(_, Content { denied, .. }) = looked.unwrap().schema else { panic!("they are ours") };
    assert!(denied.contains(&"INSERT on audit".to_owned()), "{denied:?}");
    assert!(!denied.iter().any(|denied| denied.contains("settings") || denied.starts_with("SELECT")), "{denied:?}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_with_its_place_and_without_the_password() {
    let database = Database::new("look_away").await;
    let options = database.options();
    let wrong = options.clone().database("no_such_database").password("s3cret");
    for url in [wrong.to_url_lossy().to_string(), "postgres://u:s3cret@127.0.0.1:1/db".into()] {
        let Err(Error::Unavailable(told)) = look(&url).await else { panic!("{url} was reached") };
        assert!(told.contains("127.0.0.1") || told.contains("no_such_database"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}
