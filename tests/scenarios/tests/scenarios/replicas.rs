//! Several runtimes on one PostgreSQL behave as one, whichever of them a till talks to and whatever happens to the others.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{buy_big, cart, claim_coupon, line, paid, redeem},
    database::{Database, Server},
    folder::{Scratch, fixture},
    http::{Answer, Caller, fresh_key},
    retail::cents,
    runtime::Runtime,
    shop::{Shop, Start},
    tills::{Tills, longest_gap, settle},
    tools, wait,
};
use futures::future::join_all;
use std::time::{Duration, Instant};

/// What one runtime that stops in the middle of a batch may cost the others: the database takes the lane from it after
/// 3 seconds, and a loaded machine needs its time.
const STALL_MAX: Duration = Duration::from_secs(12);

/// A shop whose `up` publishes, and runtimes that serve it from the same database.
struct Chain {
    shop: Shop,
    runtimes: Vec<Runtime>,
}

impl Chain {
    async fn open(runtimes: usize) -> Result<Self> {
        Self::open_in(Scratch::copy_of(&fixture("shop"))?, Database::fresh().await?, runtimes).await
    }

    async fn open_in(folder: Scratch, database: Database, count: usize) -> Result<Self> {
        let shop = Shop::open_on(folder, Start::at(MIDDAY), database).await?;
        shop.ready().await?;
        let database = shop.database()?;
        let starts = (0..count).map(|_| Runtime::start(database, shop.credentials()));
        let runtimes = futures::future::try_join_all(starts).await?;
        Ok(Self { shop, runtimes })
    }

    /// One till at each runtime.
    fn tills(&self) -> Vec<Caller> {
        self.runtimes.iter().map(Runtime::till).collect()
    }

    async fn members(&self, count: usize) -> Result<()> {
        for number in 0..count {
            self.shop.member(&format!("m{number}")).await?;
        }
        Ok(())
    }

    /// A clean stop of everything, and the invariants hold.
    async fn close(self) -> Result<()> {
        for runtime in self.runtimes {
            runtime.stop().await?;
        }
        self.shop.close().await
    }
}

/// Three tills where each of these is.
fn thrice(tills: &[Caller]) -> Vec<Caller> {
    [tills, tills, tills].concat()
}

#[tokio::test]
async fn of_thirty_tills_at_two_runtimes_that_redeem_one_voucher_at_once_one_does() -> Result<()> {
    let chain = Chain::open(2).await?;
    let ann = chain.shop.member("ann").await?;
    buy_big(&chain.shop, "ann", "order-1").await?;
    let (_, code) = claim_coupon(&ann).await?;
    let tills = chain.tills();
    let orders: Vec<String> = (0..30).map(|number| format!("race-{number}")).collect();
    let races = orders.iter().enumerate().map(|(number, order)| redeem(&tills[number % 2], &code, order));
    let mut won = 0;
    for answer in join_all(races).await {
        let answer = answer?;
        match answer.status {
            201 => won += 1,
            _ => drop(answer.problem(409, "already-redeemed")?),
        }
    }
    ensure!(won == 1, "{won} tills redeemed it");
    chain.close().await
}

#[tokio::test]
async fn a_key_that_comes_to_both_runtimes_at_once_has_one_answer() -> Result<()> {
    let chain = Chain::open(2).await?;
    let ann = chain.shop.member("ann").await?;
    let (tills, key) = (chain.tills(), fresh_key());
    let body = paid("order-1", &cart("ann", &[line("1", "COAT-01", 2, "1000.00")]));
    let calls = (0..30).map(|number| tills[number % 2].post_keyed("/v1/orders", &key, &body));
    let answers = join_all(calls).await.into_iter().collect::<Result<Vec<Answer>>>()?;
    let decided = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
    ensure!(decided == 1, "{decided} of them were decided");
    let first = answers[0].body.clone();
    for answer in answers {
        let body = answer.is(201)?;
        ensure!(body == first, "{body} is not {first}");
    }
    let other = paid("order-1", &cart("ann", &[line("1", "MUG-01", 3, "100.00")]));
    for till in &tills {
        till.post_keyed("/v1/orders", &key, &other).await?.problem(422, "idempotency-key-reused")?;
    }
    claim_coupon(&ann).await.context("one order earns one coupon")?;
    chain.close().await
}

#[tokio::test]
async fn a_budget_is_never_overspent_by_customers_at_three_runtimes() -> Result<()> {
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.edit("sale.yaml", "limit: \"100000\"", "limit: \"1000\"")?;
    let chain = Chain::open_in(folder, Database::fresh().await?, 3).await?;
    chain.members(25).await?;
    let tills = chain.tills();
    let orders: Vec<_> = (0..25)
        .map(|number| paid(&format!("o-{number}"), &cart(&format!("m{number}"), &[line("1", "MUG-01", 1, "200.00")])))
        .collect();
    let burst = orders.iter().enumerate().map(|(number, order)| tills[number % 3].post("/v1/orders", order));
    let (mut spent, mut without) = (0, 0);
    for answer in join_all(burst).await {
        let order = answer?.is(201)?;
        let discount = cents(order["discount"].as_str().unwrap_or_default())?;
        spent += discount;
        without += usize::from(discount == 0);
    }
    ensure!((spent, without) == (100_000, 15), "{spent} satang were taken off, {without} orders went without");
    chain.close().await
}

#[tokio::test]
async fn what_is_published_is_served_everywhere_within_a_quarter_of_a_second() -> Result<()> {
    let chain = Chain::open(2).await?;
    let revision = async |caller: &Caller| -> Result<String> {
        let body = caller.get("/v1/campaigns/sale").await?.is(200)?;
        Ok(body["revision"].as_str().context("no revision")?.to_owned())
    };
    let (mut before, mut took) = (revision(chain.shop.anyone()).await?, Vec::new());
    for round in 0..5 {
        let (old, new) = (format!("title: One Day Sale{}", ".".repeat(round)), ".".repeat(round + 1));
        chain.shop.folder.edit("sale.yaml", &format!("  {old}\n"), &format!("  title: One Day Sale{new}\n"))?;
        // Where it was published it is served at once; from then on the clock runs.
        let began = Instant::now();
        let now = loop {
            let now = revision(chain.shop.anyone()).await?;
            if now != before {
                break now;
            }
            ensure!(began.elapsed() < wait::STATUS, "it was not published");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let published = Instant::now();
        for runtime in &chain.runtimes {
            while revision(runtime.anyone()).await? != now {
                ensure!(published.elapsed() < wait::SOON, "a runtime still serves what was before");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        took.push(published.elapsed());
        before = now;
    }
    took.sort_unstable();
    ensure!(took[2] < Duration::from_millis(250), "it took {took:?}");
    // Who has written somewhere reads it anywhere.
    let order = paid("order-1", &cart("ann", &[line("1", "MUG-01", 1, "100.00")]));
    let ann = chain.shop.member("ann").await?;
    let written = chain.runtimes[0].till().post("/v1/orders", &order).await?.check(201)?;
    let position = written.header("fanfare-position").context("no position")?;
    for runtime in &chain.runtimes {
        let headers = [("fanfare-min-position", position.as_str())];
        let read = runtime.anyone().with(ann.bearer().context("no token")?);
        read.send(reqwest::Method::GET, "/v1/campaigns", &headers, Vec::new()).await?.check(200)?;
        let far = [("fanfare-min-position", "999999999")];
        let answer = read.send(reqwest::Method::GET, "/v1/campaigns", &far, Vec::new()).await?;
        answer.problem(503, "overloaded")?;
    }
    chain.close().await
}

#[tokio::test]
async fn a_runtime_that_stops_in_the_middle_costs_the_others_seconds_and_nobody_an_entry() -> Result<()> {
    /// How often it is stopped, at most, until it was caught with the lane in its hands.
    const ROUNDS_MAX: usize = 12;
    let chain = Chain::open(3).await?;
    chain.members(6).await?;
    let tills = chain.tills();
    let (mut sales, mut caught) = (Vec::new(), false);
    for round in 0..ROUNDS_MAX {
        // Those of the one that is stopped wait for it; the others are what is watched.
        let frozen = vec![tills[0].clone(); 6];
        let stopped = Tills::open(&format!("s{round}"), &frozen, &[]);
        let others = Tills::open(&format!("w{round}"), &[tills[1].clone(), tills[2].clone()], &tills[1..]);
        tokio::time::sleep(Duration::from_millis(400 + 37 * round as u64)).await;
        chain.runtimes[0].freeze()?;
        let from = Instant::now();
        tokio::time::sleep(Duration::from_secs(6)).await;
        let others = others.close().await?;
        chain.runtimes[0].thaw()?;
        let gap = longest_gap(&others, from);
        ensure!(gap < STALL_MAX, "the others stood still for {gap:?}");
        let after = others.iter().filter_map(|sale| sale.answer.as_ref()).filter(|(_, at)| *at > from).count();
        ensure!(after > 0, "the others sold nothing any more");
        sales.extend(others);
        sales.extend(stopped.close().await?);
        if gap > Duration::from_secs(1) {
            caught = true;
            break;
        }
    }
    ensure!(caught, "it never held the lane when it was stopped; this shows nothing");
    settle(&chain.shop, &sales, &tills).await?;
    chain.close().await
}

#[tokio::test]
async fn a_runtime_that_is_killed_takes_nothing_with_it() -> Result<()> {
    let mut chain = Chain::open(2).await?;
    chain.members(6).await?;
    let tills = chain.tills();
    let load = Tills::open("k", &thrice(&tills), &tills[1..]);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    chain.runtimes.remove(0).kill()?;
    let from = Instant::now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let sales = load.close().await?;
    let gap = longest_gap(&sales, from);
    ensure!(gap < STALL_MAX, "nobody sold anything for {gap:?}");
    ensure!(sales.iter().any(|sale| sale.retries > 0), "nobody noticed");
    settle(&chain.shop, &sales, &chain.tills()).await?;
    chain.close().await
}

#[tokio::test]
async fn a_runtime_that_is_asked_to_end_finishes_what_it_began() -> Result<()> {
    let mut chain = Chain::open(2).await?;
    chain.members(6).await?;
    let tills = chain.tills();
    let load = Tills::open("e", &thrice(&tills), &tills[1..]);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    chain.runtimes.remove(0).stop().await?;
    let sales = load.close().await?;
    settle(&chain.shop, &sales, &chain.tills()).await?;
    chain.close().await
}

#[tokio::test]
async fn a_second_up_on_a_shared_database_is_refused_and_so_is_a_clock_that_is_set_back() -> Result<()> {
    let chain = Chain::open(1).await?;
    chain.members(1).await?;
    let (url, data) = (chain.shop.database()?.url(), Scratch::new()?);
    let (folder, data) = (chain.shop.folder.path().display().to_string(), data.path().display().to_string());
    let listen = ["--listen", "127.0.0.1:0", "--kube-listen", "127.0.0.1:0"];
    let early = ["up", &folder, "--data", &data, "--clock", "2026-11-11T11:00:00+07:00"];
    let ended = tools::verb_on(&url, &[&early[..], &listen[..]].concat()).await?;
    ensure!(ended.code == 1 && ended.err.contains("--clock: business time in this database"), "{ended:?}");
    let second = ["up", &folder, "--data", &data];
    let ended = tools::verb_on(&url, &[&second[..], &listen[..]].concat()).await?;
    ensure!(ended.code == 1 && ended.err.contains("another `fanfare up`, or the controller"), "{ended:?}");
    let here = chain.shop.now().await?;
    let there = chain.runtimes[0].anyone().get("/v1/campaigns").await?.time()?;
    let apart = (there - here).abs();
    ensure!(apart < chrono::TimeDelta::seconds(5), "the runtime's business time is {apart} away");
    chain.close().await
}

#[tokio::test]
async fn a_postgresql_that_restarts_under_load_is_waited_for_and_loses_nothing() -> Result<()> {
    let server = Server::start()?;
    let database = Database::on(server.url()).await?;
    let chain = Chain::open_in(Scratch::copy_of(&fixture("shop"))?, database, 2).await?;
    chain.members(6).await?;
    let tills = chain.tills();
    let mut sales = Vec::new();
    for round in 0..3 {
        let load = Tills::open(&format!("r{round}"), &thrice(&tills), &tills);
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.restart()?;
        let from = Instant::now();
        tokio::time::sleep(Duration::from_secs(4)).await;
        let round = load.close().await?;
        let gap = longest_gap(&round, from);
        ensure!(gap < STALL_MAX, "nobody sold anything for {gap:?}");
        ensure!(round.iter().any(|sale| sale.answer.as_ref().is_some_and(|(_, at)| *at > from)), "it did not heal");
        sales.extend(round);
    }
    for runtime in &chain.runtimes {
        wait::until("a runtime to be ready again", wait::SOON, async || runtime.anyone().get("/readyz").await?.is(200))
            .await?;
    }
    settle(&chain.shop, &sales, &tills).await?;
    chain.close().await
}

#[tokio::test]
async fn more_than_can_be_decided_is_answered_503_and_takes_no_memory() -> Result<()> {
    let chain = Chain::open(1).await?;
    let runtime = &chain.runtimes[0];
    let till = runtime.till();
    // Somebody holds the lane and does not let go.
    let mut holder = chain.shop.database()?.connect().await?;
    sqlx::raw_sql("BEGIN; SELECT * FROM lane FOR UPDATE").execute(&mut holder).await?;
    let before = runtime.memory_kib()?;
    let orders: Vec<_> =
        (0..1_000).map(|n| paid(&format!("o-{n}"), &cart("m0", &[line("1", "MUG-01", 1, "100.00")]))).collect();
    // A caller waits for at most 30 seconds: each of them is answered before.
    for answer in join_all(orders.iter().map(|order| till.post("/v1/orders", order))).await {
        let answer = answer?;
        ensure!(answer.header("retry-after").is_some(), "{answer:?}");
        answer.problem(503, "overloaded")?;
    }
    let grown_kib = runtime.memory_kib()?.saturating_sub(before);
    ensure!(grown_kib < 128 * 1024, "it grew by {grown_kib} KiB");
    runtime.anyone().get("/v1/campaigns").await?.check(200).context("reads go on")?;
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await?;
    chain.shop.member("m0").await?;
    let (order, _) =
        wait::until("an order", wait::SOON, async || till.post("/v1/orders", &orders[0]).await?.is(201)).await?;
    ensure!(order["state"] == "Committed", "{order}");
    chain.close().await
}

#[tokio::test]
async fn credentials_of_a_shared_database_are_made_and_taken_back_on_it() -> Result<()> {
    let chain = Chain::open(1).await?;
    let url = chain.shop.database()?.url();
    let namespace = chain.shop.credentials().namespace.clone();
    let enrol = ["terminal", "enrol", "--store", "bkk-01", "--namespace", &namespace];
    let made = tools::verb_on(&url, &enrol).await?.code(0)?;
    let told =
        |what: &str| made.lines().find_map(|line| line.strip_prefix(what)).context("not told").map(str::to_owned);
    let (id, key) = (told("id: ")?, told("key: ")?);
    let till = chain.runtimes[0].anyone().with(&key);
    let cart = cart("ann", &[line("1", "MUG-01", 1, "100.00")]);
    chain.shop.member("ann").await?;
    till.post("/v1/carts/evaluate", &cart).await?.check(200)?;
    tools::verb_on(&url, &["terminal", "revoke", &id]).await?.code(0)?;
    wait::until("the revocation", wait::SOON, async || {
        till.post("/v1/carts/evaluate", &cart).await?.problem(401, "unauthenticated")
    })
    .await?;
    let wrong = ["terminal", "enrol", "--store", "nowhere", "--namespace", &namespace];
    let refused = tools::verb_on(&url, &wrong).await?;
    ensure!(refused.code == 1 && refused.err.contains("lists no store \"nowhere\""), "{refused:?}");
    chain.close().await
}

#[tokio::test]
async fn the_ledger_is_read_and_corrected_on_the_database_alone() -> Result<()> {
    let chain = Chain::open(1).await?;
    let (url, namespace) = (chain.shop.database()?.url(), chain.shop.credentials().namespace.clone());
    chain.shop.member("ann").await?;
    buy_big(&chain.shop, "ann", "order-1").await?;
    let make =
        ["key", "create", "--label", "Mali", "--scope", "adjust", "--scope", "reports", "--namespace", &namespace];
    let made = tools::verb_on(&url, &make).await?.code(0)?;
    let key = made.lines().find_map(|line| line.strip_prefix("key: ")).context("no key was printed")?.to_owned();
    let nowhere = chain.shop.data().join("none").display().to_string();
    let on_it = async |args: &[&str]| {
        let place = ["--data", &nowhere, "--namespace", &namespace];
        tools::verb_on(&url, &[&["ledger"], args, &place[..]].concat()).await
    };
    let unnamed = on_it(&["export"]).await?;
    ensure!(unnamed.code != 0 && unnamed.err.contains("--api-key is missing"), "{unnamed:?}");
    let wrong = on_it(&["export", "--api-key", "nobodys"]).await?;
    ensure!(wrong.code != 0 && wrong.err.contains("unauthenticated"), "{wrong:?}");
    let lines = on_it(&["export", "--api-key", &key]).await?.code(0)?;
    ensure!(lines.contains("order-committed"), "{lines}");
    let points = ["adjust", "points", "--member", "ann", "--amount", "7", "--reason", "promised", "--api-key", &key];
    ensure!(on_it(&points).await?.code(0)?.contains("is posted"));
    let after = on_it(&["report", "trial-balance", "--api-key", &key]).await?.code(0)?;
    ensure!(after.starts_with("position,account,unit,amount,accounts"), "{after}");
    chain.close().await
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named_with_its_remedy_and_without_its_password() -> Result<()> {
    let database = Database::fresh().await?;
    let url = database.url();
    let (scheme, rest) = url.split_once("://").context("no scheme")?;
    let (login, place) = rest.split_once('@').context("no login")?;
    let (user, password) = login.split_once(':').context("no password")?;
    let (server, named) = place.rsplit_once('/').context("no database")?;
    let name = named.split('?').next().unwrap_or(named);
    let cases = [
        (format!("{scheme}://{user}:wr0ng@{place}"), "password"),
        (format!("{scheme}://{login}@127.0.0.1:1/{name}"), "127.0.0.1"),
        (format!("{scheme}://{login}@{server}/{name}-none"), "-none"),
        (format!("{scheme}://{login}@{server}/{name}?sslmode=perhaps"), "perhaps"),
        (format!("mysql://{login}@{place}"), "postgres://"),
        (url.clone(), "no namespace yet"),
    ];
    for (url, said) in cases {
        let ended = tools::verb_on(&url, &["runtime", "--namespace", "shop", "--listen", "127.0.0.1:0"]).await?;
        ensure!(ended.code != 0 && ended.err.contains(said), "{said:?} is not in {ended:?}");
        ensure!(
            !ended.text().contains(password) && !ended.text().contains("wr0ng"),
            "it tells the password: {ended:?}"
        );
    }
    let shop = Shop::open_on(Scratch::copy_of(&fixture("shop"))?, Start::at(MIDDAY), database).await?;
    let ended = tools::verb_on(&url, &["runtime", "--namespace", "shpo", "--listen", "127.0.0.1:0"]).await?;
    let known = &shop.credentials().namespace;
    ensure!(ended.code == 1 && ended.err.contains("\"shpo\"") && ended.err.contains(known), "{ended:?}");
    shop.close().await
}
