//! What only PostgreSQL promises: several processes on one database, lanes that survive their holders, tampering found.

use crate::{
    fixtures::*,
    server::{Database, Server},
    suite::batches::one_of_each,
};
use fanfare_core::{ids::Namespace, model::Kind};
use fanfare_store::{
    Error, Keys, Position, PostgresStore, Store, Writes,
    postgres::LOCK_WAIT_MAX,
    restored::AWAITS,
    rows::{Grant, Redemption, RedemptionState},
};
use futures::{StreamExt, future::join_all, stream};
use sqlx::{AssertSqlSafe, PgConnection, postgres::PgSslMode};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Ends every connection of a store that has a transaction open; answers how many.
async fn kill_holders(conn: &mut PgConnection) -> i64 {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

async fn counter(store: &dyn Store, key: &str) -> i64 {
    store.counters(&shop(), key).await.unwrap().first().map_or(0, |(_, value)| *value)
}

#[tokio::test]
async fn a_thousand_commands_of_two_processes_use_a_voucher_once_and_keep_a_cap() {
    const COMMANDS: usize = 1_000;
    const CAP: i64 = 300;
    let database = Database::new("race").await;
    let stores = [database.open().await, database.open().await];
    commit(&stores[0], Writes { new_grants: vec![grant("g-1", "m-1")], ..writes() }).await.unwrap();
    let (used, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    stream::iter(0..COMMANDS)
        .for_each_concurrent(12, async |number| {
            let store = &stores[number % 2];
            let ns = shop();
            let mut batch = store.begin(&ns).await.unwrap();
            let keys =
                Keys { counters: ["cap".into()].into(), redemptions_of: ["o-1".into()].into(), ..Keys::default() };
            let rows = batch.load(&keys).await.unwrap();
            let taken = rows.counters.first().map_or(0, |(_, value)| *value);
            let free = rows.redemptions.iter().all(|row| !row.state.is_live());
            if taken >= CAP && !free {
                refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let mut changes = Writes { postings: vec![posting("1", "a", "b", 1)], ..writes() };
            if taken < CAP {
                changes.counters.push(("cap".into(), 1));
            }
            if free {
                used.fetch_add(1, Ordering::Relaxed);
                changes.new_redemptions.push(redemption(&format!("r-{number}"), "g-1"));
            }
            batch.commit(changes).await.unwrap();
        })
        .await;
    assert_eq!(used.into_inner(), 1);
    assert_eq!(counter(&stores[1], "cap").await, CAP);
    assert_eq!(refused.into_inner(), COMMANDS - usize::try_from(CAP).unwrap());
    assert_eq!(stores[0].position(&shop()).await.unwrap(), Position(1 + CAP));
    assert_eq!(stores[1].verify(&shop()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_voucher_is_used_once_even_by_those_who_do_not_look() {
    let database = Database::new("blind").await;
    let stores = [database.open().await, database.open().await];
    commit(&stores[0], Writes { new_grants: vec![grant("g-1", "m-1")], ..writes() }).await.unwrap();
    let answers = join_all((0..16).map(async |number: usize| {
        let mut row = redemption(&format!("r-{number}"), "g-1");
        row.state = RedemptionState::Committed;
        commit(&stores[number % 2], Writes { new_redemptions: vec![row], ..writes() }).await
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(Error::Conflict(_)))), "{answers:?}");
}

#[tokio::test]
async fn a_namespace_s_first_batches_follow_each_other_too() {
    let database = Database::new("first").await;
    let stores = [database.open().await, database.open().await];
    for round in 0..10 {
        let ns = Namespace::from(format!("shop-{round}").as_str());
        let positions = join_all((0..6).map(async |number: usize| {
            let batch = stores[number % 2].begin(&ns).await.unwrap();
            if number == 3 {
                return None;
            }
            let writes = Writes { counters: vec![("c".into(), 1)], ..writes() };
            Some(batch.commit(writes).await.unwrap().0)
        }))
        .await;
        let mut positions = positions.into_iter().flatten().collect::<Vec<_>>();
        positions.sort_unstable();
        assert_eq!(positions, [1, 2, 3, 4, 5]);
        assert_eq!(stores[0].counters(&ns, "c").await.unwrap(), [("c".into(), 5)]);
    }
}

#[tokio::test]
async fn namespaces_do_not_wait_for_each_other() {
    let database = Database::new("lanes").await;
    let store = database.open().await;
    let (one, two) = (shop(), Namespace::from("other"));
    let held = store.begin(&one).await.unwrap();
    let counted = || Writes { counters: vec![("c".into(), 1)], ..writes() };
    commit_in(&store, &two, counted()).await.unwrap();
    held.commit(counted()).await.unwrap();
}

#[tokio::test]
async fn a_lane_that_is_held_too_long_is_unavailable() {
    let database = Database::new("held").await;
    let store = database.open().await;
    commit(&store, one_of_each()).await.unwrap();
    let mut conn = database.raw().await;
    sqlx::raw_sql("BEGIN; SELECT * FROM lane FOR UPDATE").execute(&mut conn).await.unwrap();
    let began = Instant::now();
    let ns = shop();
    let Some(Error::Unavailable(why)) = store.begin(&ns).await.err() else { panic!("it got the lane") };
    assert!(why.contains("lane was not free"), "{why}");
    assert!(began.elapsed() >= LOCK_WAIT_MAX, "{:?}", began.elapsed());
    assert_eq!(store.position(&ns).await.unwrap(), Position(1), "reads go on");
    sqlx::raw_sql("ROLLBACK").execute(&mut conn).await.unwrap();
    commit(&store, Writes { jobs: vec![job("j", 1)], ..writes() }).await.unwrap();
}

#[tokio::test]
async fn a_holder_that_stops_loses_its_lane_and_cannot_commit() {
    let database = Database::new("stopped").await;
    let stores = [database.open().await, database.open().await];
    let ns = shop();
    commit(&stores[0], one_of_each()).await.unwrap();
    let mut stopped = stores[0].begin(&ns).await.unwrap();
    stopped.load(&Keys { counters: ["c".into()].into(), ..Keys::default() }).await.unwrap();
    let next = commit(&stores[1], Writes { counters: vec![("next".into(), 1)], ..writes() }).await.unwrap();
    assert_eq!(next, Position(2));
    let late = stopped.commit(Writes { counters: vec![("late".into(), 1)], ..one_of_each() }).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    assert_eq!((counter(&stores[1], "late").await, counter(&stores[1], "next").await), (0, 1));
    // The store that stopped goes on with another connection.
    assert_eq!(commit(&stores[0], Writes { jobs: vec![job("j", 1)], ..writes() }).await.unwrap(), Position(3));
    assert_eq!(stores[0].verify(&ns).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_connection_cut_before_the_commit_leaves_nothing() {
    let database = Database::new("cut").await;
    let store = database.open().await;
    let mut conn = database.raw().await;
    let ns = shop();
    let batch = store.begin(&ns).await.unwrap();
    assert_eq!(kill_holders(&mut conn).await, 1);
    let cut = batch.commit(one_of_each()).await;
    assert!(matches!(cut, Err(Error::Unavailable(_))), "{cut:?}");
    assert_eq!(store.position(&ns).await.unwrap(), Position(0));
    assert_eq!(commit(&store, one_of_each()).await.unwrap(), Position(1));
}

#[tokio::test]
async fn a_connection_cut_in_the_commit_leaves_all_or_nothing() {
    const ROUNDS: usize = 60;
    let database = Database::new("cut_in_commit").await;
    let store = database.open().await;
    let mut conn = database.raw().await;
    let (mut there, mut lost) = (0, 0);
    for round in 0..ROUNDS {
        let (counters, postings) = (vec![("c".to_owned(), 1)], vec![posting("x", "a", "b", 1)]);
        let answers = vec![stored(&format!("k-{round}"))];
        let changes = Writes { counters, postings, idempotency: answers, ..writes() };
        // From before the first statement to behind the answer.
        let pause = Duration::from_micros(u64::try_from(round).unwrap() * 120);
        let cut = async {
            tokio::time::sleep(pause).await;
            kill_holders(&mut conn).await
        };
        let (answer, _) = futures::join!(commit(&store, changes), cut);
        // Whoever is left without an answer asks by the key.
        let keys = Keys { idempotency: [("till-1".into(), format!("k-{round}"))].into(), ..Keys::default() };
        let known = !load(&store, keys).await.idempotency.is_empty();
        match answer {
            Ok(_) => assert!(known, "acknowledged and lost"),
            Err(Error::Unavailable(_)) => lost += 1,
            Err(other) => panic!("{other}"),
        }
        there += i64::from(known);
        assert_eq!(counter(&store, "c").await, there);
        assert_eq!(store.position(&shop()).await.unwrap(), Position(there));
    }
    assert!(lost > 0, "no connection was cut");
    assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_loses_nothing_that_was_acknowledged_and_heals_by_itself() {
    const BEFORE: usize = 20;
    const AFTER: usize = 20;
    let server = Arc::new(Server::start());
    let store = PostgresStore::open(&server.url).await.unwrap();
    let mut told = Vec::new();
    let mut crash: Option<JoinHandle<()>> = None;
    let mut number = 0;
    while told.len() < BEFORE + AFTER || crash.as_ref().is_some_and(|crash| !crash.is_finished()) {
        number += 1;
        let (counters, postings) = (vec![("c".to_owned(), 1)], vec![posting("x", "a", "b", 1)]);
        let key = format!("k-{number}");
        let changes = Writes { counters, postings, idempotency: vec![stored(&key)], ..writes() };
        match commit(&store, changes).await {
            Ok(_) => told.push(key),
            Err(Error::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
        if told.len() == BEFORE && crash.is_none() {
            let server = Arc::clone(&server);
            crash = Some(tokio::task::spawn_blocking(move || server.crash()));
        }
    }
    crash.unwrap().await.unwrap();
    let keys = told.iter().map(|key| ("till-1".to_owned(), key.clone())).collect();
    let found = load(&store, Keys { idempotency: keys, ..Keys::default() }).await.idempotency.len();
    assert_eq!(found, told.len(), "acknowledged and lost");
    let written = counter(&store, "c").await;
    assert!((told.len()..=number).contains(&usize::try_from(written).unwrap()), "{written}");
    assert_eq!(store.position(&shop()).await.unwrap(), Position(written));
    assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn of_four_that_start_at_once_one_migrates() {
    let database = Database::new("migrate").await;
    let stores = join_all((0..4).map(async |_| database.open().await)).await;
    let mut conn = database.raw().await;
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&mut conn).await.unwrap();
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    let known = i64::try_from(std::fs::read_dir(migrations).unwrap().count()).unwrap();
    assert_eq!(applied, known, "each migration once");
    for (number, store) in (1..).zip(&stores) {
        let position = commit(store, Writes { counters: vec![("c".into(), 1)], ..writes() }).await.unwrap();
        assert_eq!(position, Position(number), "each sees the others");
    }
}

#[tokio::test]
async fn connections_are_encrypted_where_the_url_says_so() {
    let database = Database::new("tls").await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
        WHERE s.ssl AND a.datname = current_database()";
    let mut conn = database.raw().await;
    let store = PostgresStore::connect(database.options().ssl_mode(PgSslMode::Require)).await.unwrap();
    commit(&store, one_of_each()).await.unwrap();
    assert!(sqlx::query_scalar::<_, i64>(encrypted).fetch_one(&mut conn).await.unwrap() > 0);
    // The server's certificate is signed by nobody whom this machine trusts.
    let Err(error) = PostgresStore::connect(database.options().ssl_mode(PgSslMode::VerifyFull)).await else {
        panic!("connected to a server that nobody vouches for")
    };
    assert!(matches!(&error, Error::Unavailable(why) if why.contains("certificate")), "{error}");
}

#[tokio::test]
async fn connections_that_were_cut_while_they_rested_are_replaced() {
    let database = Database::new("rested").await;
    let store = database.open().await;
    let namespaces = ["a", "b", "c"].map(Namespace::from);
    let counted = || Writes { counters: vec![("c".into(), 1)], ..writes() };
    let held = join_all(namespaces.iter().map(|ns| store.begin(ns))).await;
    drop(held);
    commit(&store, counted()).await.unwrap();
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let cut: i64 = sqlx::query_scalar(sql).fetch_one(&mut database.raw().await).await.unwrap();
    assert!(cut >= 3, "{cut}");
    assert_eq!(commit(&store, counted()).await.unwrap(), Position(2), "nobody noticed");
}

#[tokio::test]
async fn a_reopened_database_has_everything() {
    let database = Database::new("reopened").await;
    let store = database.open().await;
    assert!(store.shared());
    commit(&store, one_of_each()).await.unwrap();
    store.close().await;
    let store = database.open().await;
    assert_eq!(store.grant(&shop(), &"g-1".into()).await.unwrap(), Some(grant("g-1", "m-1")));
    let next = Writes { postings: vec![posting("2", "a", "b", 1)], ..writes() };
    assert_eq!(commit(&store, next).await.unwrap(), Position(2), "the chain goes on");
    assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_database_in_another_place_starts_an_incarnation() {
    let database = Database::new("promoted").await;
    let store = database.open().await;
    commit(&store, one_of_each()).await.unwrap();
    assert_eq!((store.incarnation(), store.setting(AWAITS).await.unwrap()), (1, None));
    database.run("UPDATE settings SET value = '7/00000001' WHERE name = 'database-place'").await;
    let (one, other) = tokio::join!(database.open(), database.open());
    assert!(one.incarnation() > 1);
    assert_eq!(one.incarnation(), other.incarnation(), "of two who open it at once, one starts it");
    let why = String::from_utf8(one.setting(AWAITS).await.unwrap().unwrap()).unwrap();
    assert!(why.contains("7/00000001 became"), "{why}");
    let refused = store.begin(&shop()).await.err();
    assert!(matches!(refused, Some(Error::Restored(_))), "it read what was there before: {refused:?}");
    commit(&one, Writes { counters: vec![("c".into(), 1)], ..writes() }).await.unwrap();
    assert_eq!(database.open().await.incarnation(), one.incarnation(), "the same place is no restore");
}

/// Hosted servers may keep what tells one from another to themselves.
#[tokio::test]
async fn a_server_that_does_not_tell_its_identity_is_opened_all_the_same() {
    let database = Database::new("hosted").await;
    database.open().await.close().await;
    let role = format!("hosted_{}", database.name());
    let rights = format!(
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; CREATE ROLE \"{role}\" LOGIN PASSWORD 'hosted';
         GRANT ALL ON ALL TABLES IN SCHEMA public TO \"{role}\"; GRANT ALL ON SCHEMA public TO \"{role}\""
    );
    database.run(&rights).await;
    let options = database.options().username(&role).password("hosted");
    let store = PostgresStore::connect(options).await.unwrap();
    assert_eq!((store.incarnation(), store.setting(AWAITS).await.unwrap()), (1, None));
    commit(&store, Writes { counters: vec![("c".into(), 1)], ..writes() }).await.unwrap();
    store.ping().await.unwrap();
    store.close().await;
    database.run(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await;
}

/// A snapshot that is put back looks like the server that it was taken of.
#[tokio::test]
async fn a_lane_that_went_back_has_no_news() {
    let database = Database::new("snapshot").await;
    let store = database.open().await;
    let reached = commit(&store, one_of_each()).await.unwrap();
    assert!(store.news(&shop(), reached).await.unwrap().is_some());
    assert!(store.news(&shop(), Position(reached.0 + 1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_database_of_another_version_or_program_is_refused() {
    let cases = [
        ("9999", "INSERT INTO _sqlx_migrations VALUES (9999, 'newer', now(), true, '', 0)"),
        ("not the one of this binary", "UPDATE _sqlx_migrations SET checksum = ''"),
    ];
    for (says, sql) in cases {
        let database = Database::new("version").await;
        database.open().await.close().await;
        database.run(sql).await;
        let Err(Error::Version(why)) = PostgresStore::connect(database.options()).await else { panic!("{sql}") };
        assert!(why.contains(says) && why.contains(database.name()), "{why}");
    }
    let database = Database::new("foreign").await;
    database.run("CREATE TABLE bookmarks (url text)").await;
    let Err(Error::Version(why)) = PostgresStore::connect(database.options()).await else { panic!("opened") };
    assert!(why.contains("another program"), "{why}");
}

#[tokio::test]
async fn what_cannot_be_reached_names_place_and_remedy_and_no_secret() {
    let database = Database::new("unreachable").await;
    let (host, port) = (database.options().get_host().to_owned(), database.options().get_port());
    let user = database.options().get_username().to_owned();
    let cases = [
        (format!("postgres://{user}:s3cret@{host}:{port}/nowhere"), "check the user and the password"),
        (format!("postgres://{user}:s3cret@{host}:1/nowhere"), "check that PostgreSQL runs there"),
        ("postgres://a:s3cret@[/x".to_owned(), "write postgres://"),
        ("mysql://a:s3cret@b/x".to_owned(), "names neither kind"),
    ];
    for (url, remedy) in cases {
        let Err(error) = fanfare_store::open(&url).await else { panic!("{url} opened") };
        let text = error.to_string();
        assert!(matches!(error, Error::Unavailable(_)) && text.contains(remedy), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
        assert_eq!(text.contains("nowhere"), url.contains("nowhere"), "{text}");
    }
    let missing = database.options().database("nowhere");
    let Err(error) = PostgresStore::connect(missing).await else { panic!("opened") };
    assert!(error.to_string().contains("create the database"), "{error}");
}

#[tokio::test]
async fn news_that_are_forgotten_are_said_to_be() {
    let database = Database::new("news").await;
    let stores = [database.open().await, database.open().await];
    let ns = shop();
    let told = |number: u8| Writes { counters: vec![("c".into(), 1)], news: Some(vec![number]), ..writes() };
    for number in 1..=6 {
        commit(&stores[usize::from(number % 2)], told(number)).await.unwrap();
    }
    let news = stores[1].news(&ns, Position(2)).await.unwrap().unwrap();
    assert_eq!(news, (3..=6).map(|n| (Position(i64::from(n)), vec![n])).collect::<Vec<_>>());

    database.run("UPDATE news SET at = at - 601000000 WHERE seq <= 5").await;
    commit(&stores[0], told(7)).await.unwrap();
    for (since, kept) in [(3, None), (4, Some(vec![5, 6, 7])), (6, Some(vec![7])), (7, Some(vec![]))] {
        let news = stores[1].news(&ns, Position(since)).await.unwrap();
        let numbers = news.map(|news| news.iter().map(|(_, body)| body[0]).collect::<Vec<_>>());
        assert_eq!(numbers, kept, "{since}: four are cleared for each new one");
    }
    commit(&stores[0], told(8)).await.unwrap();
    assert_eq!(stores[0].news(&ns, Position(4)).await.unwrap(), None);

    // A page ends behind what is long, and goes on from there.
    let long = || Writes { news: Some(vec![9; 9 * 1024 * 1024]), ..told(0) };
    for _ in 0..3 {
        commit(&stores[0], long()).await.unwrap();
    }
    let mut pages = Vec::new();
    let mut since = Position(8);
    loop {
        let page = stores[1].news(&ns, since).await.unwrap().unwrap();
        let Some((last, _)) = page.last() else { break };
        since = *last;
        pages.push(page.len());
    }
    assert_eq!(pages, [2, 1]);
}

#[tokio::test]
async fn the_ledger_and_the_audit_trail_are_append_only() {
    let database = Database::new("append_only").await;
    commit(&database.open().await, one_of_each()).await.unwrap();
    let mut conn = database.raw().await;
    for table in ["ledger", "entries", "audit"] {
        for sql in [format!("UPDATE {table} SET ns = 9"), format!("DELETE FROM {table}"), format!("TRUNCATE {table}")] {
            let error = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut conn).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{sql}: {error}");
        }
    }
}

#[tokio::test]
async fn what_was_tampered_with_is_found() {
    let cases = [
        ("chain is broken at transaction 1", "UPDATE ledger SET rule = 'x' WHERE ns = {ns} AND seq = 1"),
        (
            "chain is broken at transaction 1",
            "UPDATE entries SET account = 'x' WHERE ns = {ns} AND seq = 1 AND line = 0",
        ),
        (
            "chain is broken at transaction 2",
            "DELETE FROM ledger WHERE ns = {ns} AND seq = 1; DELETE FROM entries WHERE ns = {ns} AND seq = 1",
        ),
        (
            "does not end where the lane says",
            "DELETE FROM ledger WHERE ns = {ns} AND seq = 2; DELETE FROM entries WHERE ns = {ns} AND seq = 2",
        ),
        (
            "does not sum to zero (sequence, unit, sum): 1, THB, 1",
            "UPDATE entries SET amount = amount + 1 WHERE ns = {ns} AND line = 0",
        ),
        ("has no transaction (sequence): 7", "INSERT INTO entries VALUES ({ns}, 7, 0, 'a', 'THB', 0)"),
        (
            "beyond the lane's sequence",
            "INSERT INTO ledger SELECT ns, 9, at, rule, reference, chain FROM ledger WHERE ns = {ns} AND seq = 2",
        ),
        (
            "not the sum of its entries (account, unit, balance, sum): b, THB, 8, 7",
            "UPDATE balances SET amount = 8 WHERE ns = {ns} AND account = 'b'",
        ),
        ("not the sum of its entries", "DELETE FROM balances WHERE ns = {ns} AND account = 'b'"),
        ("more was issued", "UPDATE balances SET account = 'stock/x/available' WHERE ns = {ns} AND account = 'x'"),
        ("more was issued", "UPDATE balances SET account = 'budget/x/reserved' WHERE ns = {ns} AND account = 'x'"),
        (
            "a use of a voucher has more than one live redemption (grant): g-1",
            "DROP INDEX redemptions_live; INSERT INTO redemptions SELECT ns, 'r-2', grant_id, order_id, store, \
             terminal, state, live, amount, expires_at, created_at, reversals, place FROM redemptions WHERE ns = {ns}",
        ),
        (
            "more live redemptions than uses (grant): g-1",
            "INSERT INTO redemptions SELECT ns, 'r-2', grant_id, order_id, store, terminal, state, live, amount, \
             expires_at, created_at, reversals, 2 FROM redemptions WHERE ns = {ns} LIMIT 1",
        ),
        (
            "what a gift card says is on it is not what the ledger says (grant): g-1",
            "UPDATE grants SET usage = '{\"card\": {\"given\": 1, \"paid\": 2}}' WHERE ns = {ns}",
        ),
        ("marked as live", "UPDATE redemptions SET live = false WHERE ns = {ns}"),
        ("is of no voucher", "UPDATE redemptions SET grant_id = 'g-9' WHERE ns = {ns}"),
        ("fewer than no uses", "UPDATE grants SET uses_left = -1 WHERE ns = {ns}"),
        (
            "issued rewards is not the number of their grants (reward, counter, grants): five-off, 5, 1",
            "INSERT INTO counters VALUES ({ns}, 'reward|five-off|issued', 5)",
        ),
        ("an identity of a member", "DELETE FROM identities WHERE ns = {ns}"),
        ("audit trail's chain is broken at a-1", "UPDATE audit SET actor = 'eve' WHERE ns = {ns}"),
        ("audit trail does not end", "DELETE FROM audit WHERE ns = {ns}"),
    ];
    // A namespace a case, so that one database does for all.
    let database = Database::new("tampered").await;
    let store = database.open().await;
    let free = ["ledger", "entries", "audit"].map(|table| format!("ALTER TABLE {table} DISABLE TRIGGER USER;"));
    database.run(&free.concat()).await;
    for (number, (finding, sql)) in (1..).zip(cases) {
        let ns = Namespace::from(format!("shop-{number}").as_str());
        let written = Writes { credentials: Vec::new(), refresh_tokens: Vec::new(), ..one_of_each() };
        commit_in(&store, &ns, written).await.unwrap();
        commit_in(&store, &ns, Writes { postings: vec![posting("2", "x", "y", 3)], ..writes() }).await.unwrap();
        assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
        database.run(&sql.replace("{ns}", &number.to_string())).await;
        let findings = store.verify(&ns).await.unwrap();
        assert!(findings.iter().any(|found| found.contains(finding)), "{sql}: {findings:?}");
    }
}

#[tokio::test]
async fn keys_and_prefixes_compare_by_their_bytes() {
    let database = Database::new("bytes").await;
    let store = database.open().await;
    let keys = ["B", "a", "a-b", "a|", "a|1", "a|\u{10fffe}", "a\u{e9}", "b"];
    let counters = keys.map(|key| (key.to_owned(), 1)).to_vec();
    commit(&store, Writes { counters, ..writes() }).await.unwrap();
    let found = |rows: Vec<(String, i64)>| rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(found(store.counters(&shop(), "").await.unwrap()), keys);
    assert_eq!(found(store.counters(&shop(), "a|").await.unwrap()), ["a|", "a|1", "a|\u{10fffe}"]);
}

#[tokio::test]
async fn a_batch_reads_no_table_through() {
    let database = Database::new("indexes").await;
    let store = database.open().await;
    let mut conn = database.raw().await;
    let before = read_through(&mut conn).await;
    commit(&store, Writes { news: Some(b"told".to_vec()), ..one_of_each() }).await.unwrap();
    let everything = Keys {
        members: ["m-1".into()].into(),
        identities: [("phone".into(), "+66-m-1".into())].into(),
        grants: ["g-1".into()].into(),
        codes: ["CODEg-1".into()].into(),
        grants_of: ["m-1".into()].into(),
        grants_by_cause: ["event:till/g-1".into()].into(),
        orders: ["o-1".into()].into(),
        redemptions: ["r-1".into()].into(),
        redemptions_of: ["o-1".into()].into(),
        holds: ["h-1".into()].into(),
        participations: [("double-11".into(), "m-1".into())].into(),
        counters: ["c".into()].into(),
        balances: [("b".into(), "THB".into())].into(),
        wallets: ["acc".into()].into(),
        events: [("till".into(), "e-1".into())].into(),
        runs: ["run-1".into()].into(),
        runs_of: [("welcome".into(), "m-1".into())].into(),
        messages: ["msg-1".into()].into(),
        jobs: ["j-1".into()].into(),
        idempotency: [("till-1".into(), "k-1".into())].into(),
        pool_places: ["voucher".into()].into(),
        pool_codes: ["POOL1".into()].into(),
    };
    let ns = shop();
    let mut batch = store.begin(&ns).await.unwrap();
    batch.news(Position(0)).await.unwrap();
    batch.load(&everything).await.unwrap();
    let changes = Writes {
        grants: vec![grant("g-1", "m-1")],
        orders: vec![order("o-1")],
        redemptions: vec![redemption("r-1", "g-1")],
        new_orders: Vec::new(),
        new_grants: vec![grant("g-2", "m-1")],
        new_redemptions: vec![redemption("r-2", "g-2")],
        done_jobs: vec!["j-1".into()],
        retired: vec![(Kind::Segment, name("all"))],
        list_removed: vec![(name("list"), "m-1".into())],
        revoked_families: vec!["fam".into()],
        new_events: Vec::new(),
        idempotency: vec![stored("k-2")],
        audit: Vec::new(),
        ..one_of_each()
    };
    batch.commit(changes).await.unwrap();
    store.close().await;
    assert_eq!(read_through(&mut conn).await, before, "a table was read through");
}

#[tokio::test]
async fn a_batch_on_a_table_that_was_empty_a_moment_ago_reads_what_it_asks_for() {
    const BATCHES: usize = 12;
    const ROWS: usize = 100;
    let database = Database::new("fresh").await;
    let store = database.open().await;
    let ns = shop();
    let ids = |kind: &str, batch: usize| (0..ROWS).map(move |row| format!("{kind}-{batch}-{row}")).collect::<Vec<_>>();
    // Plans are made here, and the tables are empty.
    let first = Writes { jobs: vec![job("first", 1)], idempotency: vec![stored("first")], ..writes() };
    let (new_grants, new_redemptions) = (vec![grant("g-1", "m-1")], vec![redemption("r-1", "g-1")]);
    commit(&store, Writes { new_grants, new_redemptions, ..first }).await.unwrap();
    let (grants, redemptions) = (vec![grant("g-1", "m-1")], vec![redemption("r-1", "g-1")]);
    commit(&store, Writes { grants, redemptions, ..writes() }).await.unwrap();
    let every_way = Keys {
        grants: ["g".into()].into(),
        codes: ["C".into()].into(),
        grants_of: ["m".into()].into(),
        grants_by_cause: ["c".into()].into(),
        redemptions: ["r".into()].into(),
        redemptions_of: ["o".into()].into(),
        idempotency: [("till-1".into(), "k".into())].into(),
        jobs: ["j".into()].into(),
        ..Keys::default()
    };
    load(&store, every_way).await;
    for batch in 0..BATCHES {
        let coded =
            |id: &String| Grant { code: Some(format!("C{id}").as_str().into()), ..grant(id, &format!("m-{id}")) };
        let new_grants = ids("g", batch).iter().map(coded).collect();
        commit(&store, Writes { new_grants, ..writes() }).await.unwrap();
    }
    for batch in 0..BATCHES {
        let keys = Keys {
            codes: ids("g", batch).iter().map(|id| format!("C{id}").as_str().into()).collect(),
            grants_by_cause: ids("order:g", batch).into_iter().collect(),
            redemptions_of: ids("o", batch).iter().map(|id| id.as_str().into()).collect(),
            idempotency: ids("k", batch).into_iter().map(|key| ("till-1".to_owned(), key)).collect(),
            jobs: ids("j", batch).into_iter().collect(),
            ..Keys::default()
        };
        let mut open = store.begin(&ns).await.unwrap();
        let grants = open.load(&keys).await.unwrap().grants;
        assert_eq!(grants.len(), ROWS);
        let used = |grant: &Grant| {
            let order = grant.id.as_str().replace("g-", "o-").as_str().into();
            Redemption { order: Some(order), ..redemption(&format!("r-{}", grant.id), grant.id.as_str()) }
        };
        let changes = Writes {
            new_redemptions: grants.iter().map(used).collect(),
            grants,
            idempotency: ids("k", batch).iter().map(|key| stored(key)).collect(),
            jobs: ids("j", batch).iter().map(|id| job(id, 1)).collect(),
            ..writes()
        };
        open.commit(changes).await.unwrap();
    }
    store.close().await;
    let mut conn = database.raw().await;
    read_through(&mut conn).await;
    let sql = "SELECT relname || ': ' || (seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables
        WHERE seq_tup_read + coalesce(idx_tup_fetch, 0) > $1";
    // A row is looked up, changed, and referred to; a table read through for each key would be read BATCHES * ROWS² / 2 times.
    let most = i64::try_from(BATCHES * ROWS * 8).unwrap();
    let much: Vec<String> = sqlx::query_scalar(sql).bind(most).fetch_all(&mut conn).await.unwrap();
    assert_eq!(much, [""; 0], "more than {most} rows were read");
}

/// How often each table was read through, once every other connection has ended: what one did is counted then.
async fn read_through(conn: &mut PgConnection) -> Vec<String> {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *conn).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sql = "SELECT relname || ' ' || coalesce(seq_scan, 0) FROM pg_stat_user_tables ORDER BY relname";
    sqlx::query_scalar(sql).fetch_all(conn).await.unwrap()
}
