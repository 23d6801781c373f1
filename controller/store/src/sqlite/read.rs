//! What needs no transaction: reads on their own connections, which see what was committed last.

use super::{SqliteStore, error::refused, lane, load, reports, verify};
use crate::{
    Answer, Batch, CREDENTIALS_MAX, News, PAGE_MAX, Page, Position, Result, Store,
    decode::{self, Cursor, instant},
    encode::to_json,
    reports::{Asked, Cut, ExceptionsOf, Inspection},
    restored,
    rows::{
        Audit, Credential, Event, Grant, GrantState, Job, LedgerLine, Member, Message, Order, Participation, Pooled,
        Published, Redemption, RefreshToken, Run,
    },
};
use fanfare_core::{
    ids::{AccountId, Code, GrantId, MemberId, Name, Namespace, OrderId, RedemptionId, StoreId},
    ledger::{Entry, account},
    model::Kind,
    time::Ts,
};
use futures::{StreamExt, stream::BoxStream};
use sqlx::{
    Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

/// A query on the rows of one namespace, whose name is `?1`.
macro_rules! in_ns {
    ($before:expr, $after:expr) => {
        concat!($before, " = (SELECT lane.ns FROM lane WHERE lane.name = ?1)", $after)
    };
}

type Prepared<'a> = Query<'a, Sqlite, SqliteArguments>;

fn query<'a>(sql: &'static str, ns: &'a Namespace) -> Prepared<'a> {
    sqlx::query(sql).bind(ns.as_str())
}

/// The rows of a page as SQL counts them.
fn limit(page: &Page) -> i64 {
    rows_max(page.limit.min(PAGE_MAX))
}

fn rows_max(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The first text that no text with this prefix reaches.
fn beyond(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

impl SqliteStore {
    async fn all<T>(&self, query: Prepared<'_>, decode: impl Fn(&SqliteRow) -> Result<T>) -> Result<Vec<T>> {
        decode::all(&query.fetch_all(&self.readers).await.map_err(refused)?, decode)
    }

    async fn maybe<T>(&self, query: Prepared<'_>, decode: impl Fn(&SqliteRow) -> Result<T>) -> Result<Option<T>> {
        query.fetch_optional(&self.readers).await.map_err(refused)?.as_ref().map(decode).transpose()
    }

    fn stream<'a, T: 'a>(
        &'a self,
        query: Prepared<'a>,
        decode: impl Fn(&SqliteRow) -> Result<T> + Send + 'a,
    ) -> BoxStream<'a, Result<T>> {
        query.fetch(&self.readers).map(move |row| row.map_err(refused).and_then(|row| decode(&row))).boxed()
    }

    async fn grants_by(&self, query: Prepared<'_>) -> Result<Vec<Grant>> {
        let mut conn = self.readers.acquire().await.map_err(refused)?;
        let rows = query.fetch_all(&mut *conn).await.map_err(refused)?;
        load::decode_grants(self, &mut conn, &rows).await
    }
}

impl Store for SqliteStore {
    fn begin<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, Box<dyn Batch + 'a>> {
        Box::pin(async move { Ok(Box::new(lane::begin(self, namespace).await?) as Box<dyn Batch + 'a>) })
    }

    fn shared(&self) -> bool {
        false
    }

    fn incarnation(&self) -> i64 {
        self.incarnation
    }

    fn position<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Position> {
        Box::pin(async move {
            let found = self.maybe(query("SELECT seq FROM lane WHERE name = ?1", ns), |row| Cursor::new(row).int());
            Ok(Position(found.await?.unwrap_or(0)))
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let found: i64 = sqlx::query_scalar("SELECT max(number) FROM incarnation")
                .fetch_one(&self.readers)
                .await
                .map_err(refused)?;
            restored::still(found, self.incarnation)
        })
    }

    fn time(&self) -> Answer<'_, Option<Ts>> {
        Box::pin(async { Ok(None) })
    }

    fn news<'a>(&'a self, _: &'a Namespace, _: Position) -> Answer<'a, Option<News>> {
        Box::pin(async { Ok(Some(News::new())) })
    }

    fn published<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Vec<Published>> {
        let sql = in_ns!(
            concat!("SELECT ", published_columns!(), " FROM published WHERE ns"),
            " AND served = 1 ORDER BY kind, name"
        );
        Box::pin(self.all(query(sql, ns), decode::published))
    }

    fn members<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Member>> {
        let sql = in_ns!(concat!("SELECT ", member_columns!(), " FROM members WHERE ns"), " ORDER BY id");
        self.stream(query(sql, ns), decode::member)
    }

    fn events<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Event>> {
        // The plus keeps SQLite off the index by namespace: the table itself is in order of acceptance.
        let sql = in_ns!(
            concat!("SELECT ", event_columns!(), " FROM events WHERE member IS NOT NULL AND +ns"),
            " ORDER BY row"
        );
        self.stream(query(sql, ns), decode::event)
    }

    fn lists<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<(Name, MemberId)>> {
        let sql = in_ns!("SELECT list, member FROM list_members WHERE ns", " ORDER BY list, member");
        self.stream(query(sql, ns), decode::listed)
    }

    fn participations<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Participation>> {
        let sql = in_ns!(
            concat!("SELECT ", participation_columns!(), " FROM participations WHERE ns"),
            " ORDER BY campaign, member"
        );
        self.stream(query(sql, ns), decode::participation)
    }

    fn counters<'a>(&'a self, ns: &'a Namespace, prefix: &'a str) -> Answer<'a, Vec<(String, i64)>> {
        let sql = in_ns!("SELECT key, value FROM counters WHERE key >= ?2 AND key < ?3 AND ns", " ORDER BY key");
        Box::pin(self.all(query(sql, ns).bind(prefix).bind(beyond(prefix)), decode::count))
    }

    fn balances<'a>(&'a self, ns: &'a Namespace, prefix: &'a str) -> Answer<'a, Vec<Entry>> {
        let sql = in_ns!(
            "SELECT account, unit, amount FROM balances WHERE account >= ?2 AND account < ?3 AND ns",
            " ORDER BY account, unit"
        );
        Box::pin(self.all(query(sql, ns).bind(prefix).bind(beyond(prefix)), decode::entry))
    }

    fn member<'a>(&'a self, ns: &'a Namespace, id: &'a MemberId) -> Answer<'a, Option<Member>> {
        let sql = in_ns!(concat!("SELECT ", member_columns!(), " FROM members WHERE id = ?2 AND ns"), "");
        Box::pin(self.maybe(query(sql, ns).bind(id.as_str()), decode::member))
    }

    fn grants_of<'a>(
        &'a self,
        ns: &'a Namespace,
        member: &'a MemberId,
        state: Option<GrantState>,
        page: Page,
    ) -> Answer<'a, Vec<Grant>> {
        let sql = in_ns!(
            concat!(
                "SELECT ",
                grant_columns!(),
                " FROM grants WHERE member = ?2 AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR id < ?4) AND ns"
            ),
            " ORDER BY id DESC LIMIT ?5"
        );
        let limit = limit(&page);
        let query =
            query(sql, ns).bind(member.as_str()).bind(state.map(GrantState::as_str)).bind(page.after).bind(limit);
        Box::pin(self.grants_by(query))
    }

    fn grant<'a>(&'a self, ns: &'a Namespace, id: &'a GrantId) -> Answer<'a, Option<Grant>> {
        let sql = in_ns!(concat!("SELECT ", grant_columns!(), " FROM grants WHERE id = ?2 AND ns"), "");
        Box::pin(async move { Ok(self.grants_by(query(sql, ns).bind(id.as_str())).await?.pop()) })
    }

    fn imported_code<'a>(&'a self, ns: &'a Namespace, code: &'a Code) -> Answer<'a, Option<Pooled>> {
        let sql = in_ns!("SELECT place, code, spelling FROM code_pool WHERE code = ?2 AND ns", "");
        Box::pin(async move {
            let found = self.maybe(query(sql, ns).bind(code.as_str()), decode::pooled).await?;
            Ok(found.map(|(_, row)| row))
        })
    }

    fn order<'a>(&'a self, ns: &'a Namespace, id: &'a OrderId) -> Answer<'a, Option<Order>> {
        let sql = in_ns!(concat!("SELECT ", order_columns!(), " FROM orders WHERE id = ?2 AND ns"), "");
        Box::pin(self.maybe(query(sql, ns).bind(id.as_str()), decode::order))
    }

    fn redemption<'a>(&'a self, ns: &'a Namespace, id: &'a RedemptionId) -> Answer<'a, Option<Redemption>> {
        let sql = in_ns!(concat!("SELECT ", redemption_columns!(), " FROM redemptions WHERE id = ?2 AND ns"), "");
        Box::pin(self.maybe(query(sql, ns).bind(id.as_str()), decode::redemption))
    }

    fn redemptions_of<'a>(&'a self, ns: &'a Namespace, order: &'a OrderId) -> Answer<'a, Vec<Redemption>> {
        let sql = in_ns!(
            concat!("SELECT ", redemption_columns!(), " FROM redemptions WHERE order_id = ?2 AND ns"),
            " ORDER BY id"
        );
        Box::pin(self.all(query(sql, ns).bind(order.as_str()), decode::redemption))
    }

    fn inbox<'a>(&'a self, ns: &'a Namespace, member: &'a MemberId, page: Page) -> Answer<'a, Vec<Message>> {
        let sql = in_ns!(
            concat!(
                "SELECT ",
                message_columns!(),
                " FROM messages WHERE in_app = 1 AND state = 'Sent' AND member = ?2 AND (?3 IS NULL OR id < ?3) AND ns"
            ),
            " ORDER BY id DESC LIMIT ?4"
        );
        let limit = limit(&page);
        Box::pin(self.all(query(sql, ns).bind(member.as_str()).bind(page.after).bind(limit), decode::message))
    }

    fn wallet_lines<'a>(
        &'a self,
        ns: &'a Namespace,
        account: &'a AccountId,
        page: Page,
    ) -> Answer<'a, Vec<LedgerLine>> {
        // A transaction that touches several lots is one line; one that only moves points between them is none.
        let sql = in_ns!(
            "SELECT e.seq, min(e.line), l.at, l.rule, l.reference, ?2, e.unit, sum(e.amount), l.chain
            FROM entries e JOIN ledger l ON l.ns = e.ns AND l.seq = e.seq
            WHERE (e.account = ?2 OR (e.account >= ?2 || '/' AND e.account < ?2 || '0')) AND e.account GLOB 'wallet/*'
            AND e.seq <= ?3 AND e.ns",
            " GROUP BY e.seq, e.unit HAVING sum(e.amount) <> 0 AND (e.seq, min(e.line)) < (?3, ?4)
            ORDER BY e.seq DESC, min(e.line) DESC LIMIT ?5"
        );
        Box::pin(async move {
            let Some((seq, line)) = page.after.as_deref().map_or(Some((i64::MAX, 0)), LedgerLine::parse_cursor) else {
                return Ok(Vec::new());
            };
            let query = query(sql, ns).bind(account::wallet(account)).bind(seq).bind(line).bind(limit(&page));
            self.all(query, decode::line).await
        })
    }

    fn ledger<'a>(&'a self, ns: &'a Namespace, from: Position) -> BoxStream<'a, Result<LedgerLine>> {
        let sql = in_ns!(
            concat!(
                "SELECT ",
                line_columns!(),
                " FROM ledger l CROSS JOIN entries e ON e.ns = l.ns AND e.seq = l.seq WHERE l.seq > ?2 AND l.ns"
            ),
            " ORDER BY l.seq, e.line"
        );
        self.stream(query(sql, ns).bind(from.0), decode::line)
    }

    fn audit<'a>(&'a self, ns: &'a Namespace, page: Page) -> Answer<'a, Vec<Audit>> {
        let sql = in_ns!(
            concat!("SELECT ", audit_columns!(), " FROM audit WHERE (?2 IS NULL OR id < ?2) AND ns"),
            " ORDER BY id DESC LIMIT ?3"
        );
        let limit = limit(&page);
        Box::pin(self.all(query(sql, ns).bind(page.after).bind(limit), decode::audit))
    }

    fn due<'a>(&'a self, ns: &'a Namespace, now: Ts, limit: usize) -> Answer<'a, Vec<Job>> {
        let sql = in_ns!(
            concat!("SELECT ", job_columns!(), " FROM jobs WHERE due_at <= ?2 AND ns"),
            " ORDER BY due_at, id LIMIT ?3"
        );
        Box::pin(self.all(query(sql, ns).bind(now.timestamp_micros()).bind(rows_max(limit)), decode::job))
    }

    fn next_due<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Option<Ts>> {
        let sql = in_ns!("SELECT min(due_at) FROM jobs WHERE ns", "");
        Box::pin(async move {
            let found = self.maybe(query(sql, ns), |row| Cursor::new(row).opt_int()).await?.flatten();
            found.map(instant).transpose()
        })
    }

    fn outbox<'a>(&'a self, ns: &'a Namespace, limit: usize) -> Answer<'a, Vec<Message>> {
        let sql = in_ns!(
            concat!("SELECT ", message_columns!(), " FROM messages WHERE state = 'Queued' AND ns"),
            " ORDER BY id LIMIT ?2"
        );
        Box::pin(self.all(query(sql, ns).bind(rows_max(limit)), decode::message))
    }

    fn sending<'a>(&'a self, ns: &'a Namespace, limit: usize) -> Answer<'a, Vec<Message>> {
        let sql = in_ns!(
            concat!("SELECT ", message_columns!(), " FROM messages WHERE state = 'Sending' AND ns"),
            " ORDER BY id LIMIT ?2"
        );
        Box::pin(self.all(query(sql, ns).bind(rows_max(limit)), decode::message))
    }

    fn credential<'a>(&'a self, digest: &'a str) -> Answer<'a, Option<Credential>> {
        let sql = concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials c JOIN lane ON lane.ns = c.ns WHERE c.digest = ?1"
        );
        Box::pin(self.maybe(sqlx::query(sql).bind(digest), decode::credential))
    }

    fn credentials<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Vec<Credential>> {
        let sql = concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials c JOIN lane ON lane.ns = c.ns WHERE lane.name = ?1 ORDER BY c.id LIMIT ?2"
        );
        Box::pin(self.all(query(sql, ns).bind(rows_max(CREDENTIALS_MAX)), decode::credential))
    }

    fn refresh_token<'a>(&'a self, digest: &'a str) -> Answer<'a, Option<RefreshToken>> {
        let sql = concat!(
            "SELECT ",
            refresh_token_columns!(),
            " FROM refresh_tokens t JOIN lane ON lane.ns = t.ns WHERE t.digest = ?1"
        );
        Box::pin(self.maybe(sqlx::query(sql).bind(digest), decode::refresh_token))
    }

    fn setting<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        let query = sqlx::query("SELECT value FROM settings WHERE name = ?1").bind(name);
        Box::pin(self.maybe(query, |row| Ok(Cursor::new(row).bytes()?.to_vec())))
    }

    fn set_setting<'a>(&'a self, name: &'a str, value: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move {
            let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            sqlx::query(sql).bind(name).bind(value).execute(&self.writer).await.map_err(refused)?;
            Ok(())
        })
    }

    fn first_setting<'a>(&'a self, name: &'a str, value: &'a [u8]) -> Answer<'a, Vec<u8>> {
        Box::pin(async move {
            // The update changes nothing: it makes the row that stands come back.
            let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET value = settings.value RETURNING value";
            let query = sqlx::query_scalar(sql).bind(name).bind(value);
            query.fetch_one(&self.writer).await.map_err(refused)
        })
    }

    fn restored<'a>(&'a self, why: &'a str) -> Answer<'a, i64> {
        Box::pin(async move {
            let mut transaction = self.writer.begin().await.map_err(refused)?;
            let sql = "SELECT max(number) FROM incarnation";
            let found = sqlx::query_scalar(sql).fetch_one(&mut *transaction).await.map_err(refused)?;
            restored::still(found, self.incarnation)?;
            // By the clock, so that a backup that is restored twice has another one each time.
            let sql = "INSERT INTO incarnation (number, reason) SELECT max(max(number) + 1, unixepoch()), ?1
                FROM incarnation RETURNING number";
            let number = sqlx::query_scalar(sql).bind(why).fetch_one(&mut *transaction).await.map_err(refused)?;
            let sql = "INSERT INTO settings (name, value) VALUES (?1, CAST(?2 AS BLOB))
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            let awaits = sqlx::query(sql).bind(restored::AWAITS).bind(why);
            awaits.execute(&mut *transaction).await.map_err(refused)?;
            transaction.commit().await.map_err(refused)?;
            Ok(number)
        })
    }

    fn raise<'a>(&'a self, setting: &'a str) -> Answer<'a, i64> {
        Box::pin(async move {
            let sql = "INSERT INTO settings (name, value) VALUES (?1, CAST('1' AS BLOB)) ON CONFLICT (name) DO UPDATE
                SET value = CAST(CAST(CAST(CAST(value AS TEXT) AS INTEGER) + 1 AS TEXT) AS BLOB)
                RETURNING CAST(CAST(value AS TEXT) AS INTEGER)";
            sqlx::query_scalar(sql).bind(setting).fetch_one(&self.writer).await.map_err(refused)
        })
    }

    fn revisions<'a>(&'a self, ns: &'a Namespace, kind: Kind, name: &'a Name) -> Answer<'a, Vec<Published>> {
        let sql = in_ns!(
            concat!("SELECT ", published_columns!(), " FROM published WHERE kind = ?2 AND name = ?3 AND ns"),
            " ORDER BY ordinal DESC LIMIT ?4"
        );
        let query = query(sql, ns).bind(kind.as_str()).bind(name.as_str()).bind(rows_max(PAGE_MAX));
        Box::pin(self.all(query, decode::published))
    }

    fn runs<'a>(&'a self, ns: &'a Namespace, automation: &'a Name, page: Page) -> Answer<'a, Vec<Run>> {
        let sql = in_ns!(
            concat!(
                "SELECT ",
                run_columns!(),
                " FROM runs WHERE automation = ?2 AND state = 'Active' AND (?3 IS NULL OR id < ?3) AND ns"
            ),
            " ORDER BY id DESC LIMIT ?4"
        );
        Box::pin(async move {
            let limit = limit(&page);
            let query = query(sql, ns).bind(automation.as_str()).bind(page.after).bind(limit);
            let mut conn = self.readers.acquire().await.map_err(refused)?;
            let rows = query.fetch_all(&mut *conn).await.map_err(refused)?;
            load::decode_runs(self, &mut conn, &rows).await
        })
    }

    fn cut<'a>(&'a self, ns: &'a Namespace, asked: &'a Asked) -> Answer<'a, Cut> {
        Box::pin(reports::cut(self, ns, asked))
    }

    fn exceptions<'a>(&'a self, ns: &'a Namespace, of: &'a ExceptionsOf, page: Page) -> Answer<'a, Vec<Audit>> {
        let sql = in_ns!(
            concat!(
                "SELECT ",
                audit_columns!(),
                " FROM audit WHERE action = 'exception' AND (?2 IS NULL OR id < ?2)
                AND (?3 IS NULL OR detail->>'$.kind' = ?3) AND (?4 IS NULL OR detail->>'$.store' = ?4)
                AND (?5 IS NULL OR detail->>'$.businessDate' = ?5) AND ns"
            ),
            " ORDER BY id DESC LIMIT ?6"
        );
        let (limit, ExceptionsOf { kind, store, business_date }) = (limit(&page), of);
        let query = query(sql, ns).bind(page.after).bind(kind.as_deref()).bind(store.as_ref().map(StoreId::as_str));
        Box::pin(self.all(query.bind(business_date.as_deref()).bind(limit), decode::audit))
    }

    fn answered<'a>(
        &'a self,
        ns: &'a Namespace,
        source: &'a str,
        answers: &'a str,
        open: bool,
        page: Page,
    ) -> Answer<'a, Vec<(Event, Option<Event>)>> {
        let asked = in_ns!(
            concat!(
                "SELECT ",
                event_columns!(),
                " FROM events WHERE source = ?2 AND (?3 IS NULL OR id < ?3) AND (?4 = 0 OR NOT EXISTS
                    (SELECT 1 FROM events a WHERE a.ns = events.ns AND a.source = ?5 AND a.id = events.id)) AND ns"
            ),
            " ORDER BY id DESC LIMIT ?6"
        );
        let given = in_ns!(
            concat!(
                "SELECT ",
                event_columns!(),
                " FROM events WHERE source = ?2 AND id IN (SELECT value FROM json_each(?3)) AND ns"
            ),
            ""
        );
        Box::pin(async move {
            let query = query(asked, ns).bind(source).bind(page.after.as_deref()).bind(open).bind(answers);
            let events = self.all(query.bind(limit(&page)), decode::event).await?;
            let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
            let query = sqlx::query(given).bind(ns.as_str()).bind(answers).bind(to_json(&ids)?);
            let answers = self.all(query, decode::event).await?;
            Ok(crate::reports::paired(events, answers))
        })
    }

    fn inspect<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Inspection> {
        Box::pin(verify::inspect(self, ns))
    }

    fn namespaces(&self) -> Answer<'_, Vec<Namespace>> {
        Box::pin(self.all(sqlx::query("SELECT name FROM lane ORDER BY name"), |row| Cursor::new(row).text()))
    }
}
