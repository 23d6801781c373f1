//! What only SQLite promises: one process a file, durability over a restart, tampering found.

use crate::{fixtures::*, suite::batches::one_of_each};
use fanfare_store::{Error, Position, SqliteStore, Store, Writes};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

async fn raw(file: &File) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file.path()).create_if_missing(true).connect().await.unwrap()
}

async fn tamper(file: &File, sql: &str) {
    let mut conn = raw(file).await;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_second_opening_is_refused_and_names_the_file() {
    let file = File::new("sqlite-locked");
    let store = file.open().await;
    let Err(Error::Locked(why)) = SqliteStore::open(file.path()).await else { panic!("not locked") };
    assert!(why.contains("fanfare.db") && why.contains("stop the other"), "{why}");
    drop(store);
    file.open().await;
}

#[tokio::test]
async fn a_reopened_database_has_everything() {
    let file = File::new("sqlite-reopened");
    let store = file.open().await;
    commit(&store, one_of_each()).await.unwrap();
    store.set_setting("key", b"value").await.unwrap();
    store.close().await;
    assert!(!file.path().with_extension("db-wal").exists(), "closing leaves one whole file");

    let store = file.open().await;
    assert_eq!(store.position(&shop()).await.unwrap(), Position(1));
    assert_eq!(store.grant(&shop(), &"g-1".into()).await.unwrap(), Some(grant("g-1", "m-1")));
    assert_eq!(store.setting("key").await.unwrap(), Some(b"value".to_vec()));
    let next = Writes { postings: vec![posting("2", "a", "b", 1)], ..writes() };
    assert_eq!(commit(&store, next).await.unwrap(), Position(2), "the chain goes on");
    assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_database_of_another_version_or_program_is_refused() {
    let file = File::new("sqlite-newer");
    file.open().await.close().await;
    tamper(&file, "INSERT INTO _sqlx_migrations VALUES (9999, 'newer', 0, 1, x'00', 0)").await;
    let Err(Error::Version(why)) = SqliteStore::open(file.path()).await else { panic!("opened") };
    assert!(why.contains("9999"), "{why}");

    let file = File::new("sqlite-changed");
    file.open().await.close().await;
    tamper(&file, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    assert!(matches!(SqliteStore::open(file.path()).await, Err(Error::Version(_))));

    let file = File::new("sqlite-foreign");
    tamper(&file, "CREATE TABLE bookmarks (url TEXT)").await;
    let Err(Error::Version(why)) = SqliteStore::open(file.path()).await else { panic!("opened") };
    assert!(why.contains("another program"), "{why}");

    let file = File::new("sqlite-no-database");
    std::fs::write(
        file.path(),
        "this is no database, but a text that is long enough to be read as a header ".repeat(20),
    )
    .unwrap();
    assert!(matches!(SqliteStore::open(file.path()).await, Err(Error::Corrupt(_))));
}

#[tokio::test]
async fn a_batch_is_refused_once_another_program_has_written() {
    let file = File::new("sqlite-written-by-another");
    let store = file.open().await;
    commit(&store, one_of_each()).await.unwrap();
    tamper(&file, "UPDATE counters SET value = 0").await;
    for _ in 0..2 {
        assert!(matches!(store.begin(&shop()).await.err(), Some(Error::Locked(_))));
    }
    drop(store);
    assert!(file.open().await.begin(&shop()).await.is_ok());
}

#[tokio::test]
async fn the_ledger_and_the_audit_trail_are_append_only() {
    let file = File::new("sqlite-append-only");
    let store = file.open().await;
    commit(&store, one_of_each()).await.unwrap();
    let mut conn = raw(&file).await;
    for table in ["ledger", "entries", "audit"] {
        for sql in [format!("UPDATE {table} SET ns = 9"), format!("DELETE FROM {table}")] {
            let error = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut conn).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{sql}: {error}");
        }
    }
}

#[tokio::test]
async fn what_was_tampered_with_is_found() {
    let cases = [
        ("chain is broken at transaction 1", "UPDATE ledger SET rule = 'x' WHERE seq = 1"),
        ("chain is broken at transaction 1", "UPDATE entries SET account = 'x' WHERE seq = 1 AND line = 0"),
        ("chain is broken at transaction 2", "DELETE FROM ledger WHERE seq = 1; DELETE FROM entries WHERE seq = 1"),
        ("does not end where the lane says", "DELETE FROM ledger WHERE seq = 2; DELETE FROM entries WHERE seq = 2"),
        (
            "does not sum to zero (sequence, unit, sum): 1, THB, 1",
            "UPDATE entries SET amount = amount + 1 WHERE line = 0",
        ),
        ("has no transaction (sequence): 7", "INSERT INTO entries VALUES (1, 7, 0, 'a', 'THB', 0)"),
        (
            "beyond the lane's sequence",
            "INSERT INTO ledger SELECT ns, 9, at, rule, reference, chain FROM ledger WHERE seq = 2",
        ),
        (
            "not the sum of its entries (account, unit, balance, sum): b, THB, 8, 7",
            "UPDATE balances SET amount = 8 WHERE account = 'b'",
        ),
        ("not the sum of its entries", "DELETE FROM balances WHERE account = 'b'"),
        ("more was issued", "UPDATE balances SET account = 'stock/x/available' WHERE account = 'x'"),
        ("more was issued", "UPDATE balances SET account = 'budget/x/reserved' WHERE account = 'x'"),
        (
            "a use of a voucher has more than one live redemption (grant): g-1",
            "DROP INDEX redemptions_live; INSERT INTO redemptions SELECT NULL, ns, 'r-2', grant_id, order_id, store, \
             terminal, state, live, amount, expires_at, created_at, reversals, place FROM redemptions",
        ),
        (
            "more live redemptions than uses (grant): g-1",
            "INSERT INTO redemptions SELECT NULL, ns, 'r-2', grant_id, order_id, store, terminal, state, live, amount, \
             expires_at, created_at, reversals, 2 FROM redemptions",
        ),
        (
            "what a gift card says is on it is not what the ledger says (grant): g-1",
            "UPDATE grants SET usage = '{\"card\": {\"given\": 1, \"paid\": 2}}'",
        ),
        ("marked as live", "UPDATE redemptions SET live = 0"),
        ("is of no voucher", "PRAGMA foreign_keys = OFF; UPDATE redemptions SET grant_id = 'g-9'"),
        ("fewer than no uses", "UPDATE grants SET uses_left = -1"),
        (
            "issued rewards is not the number of their grants (reward, counter, grants): five-off, 5, 1",
            "INSERT INTO counters VALUES (1, 'reward|five-off|issued', 5)",
        ),
        ("an identity of a member", "DELETE FROM identities"),
        ("audit trail's chain is broken at a-1", "UPDATE audit SET actor = 'eve'"),
        ("audit trail does not end", "DELETE FROM audit"),
    ];
    for (number, (finding, sql)) in cases.into_iter().enumerate() {
        let file = File::new(&format!("sqlite-tampered-{number}"));
        let store = file.open().await;
        commit(&store, one_of_each()).await.unwrap();
        commit(&store, Writes { postings: vec![posting("2", "x", "y", 3)], ..writes() }).await.unwrap();
        assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
        let free = ["ledger_is_not", "entries_are_not", "audit_is_not"]
            .map(|trigger| format!("DROP TRIGGER {trigger}_updated; DROP TRIGGER {trigger}_deleted;"))
            .concat();
        tamper(&file, &format!("{free}{sql}")).await;
        let findings = store.verify(&shop()).await.unwrap();
        assert!(findings.iter().any(|found| found.contains(finding)), "{sql}: {findings:?}");
    }
}

#[tokio::test]
async fn readers_see_the_last_commit_while_a_batch_is_open() {
    for store in [File::new("sqlite-readers").open().await, SqliteStore::in_memory().await.unwrap()] {
        commit(&store, one_of_each()).await.unwrap();
        let ns = shop();
        let batch = store.begin(&ns).await.unwrap();
        assert_eq!(store.position(&ns).await.unwrap(), Position(1));
        assert!(store.grant(&ns, &"g-1".into()).await.unwrap().is_some());
        drop(batch);
    }
}
