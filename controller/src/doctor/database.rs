//! A shared database: whether it can be used, is of this version, keeps what it says, and adds up at a glance.

use super::report::Finding;
use crate::{
    clock::WallClock,
    database::{self, Address},
};
use chrono::TimeDelta;
use fanfare_core::time::{Clock, Ts};
use fanfare_store::postgres::look::{Content, Looked, Schema, VERSION};

/// The oldest PostgreSQL that is supported.
const SERVER_MIN: i32 = 140_000;
/// More than this between the clocks of this machine and the database is told: processes correct it, logs do not.
const SKEW: TimeDelta = TimeDelta::seconds(1);

/// Looks at it. Nothing is opened, migrated or written.
pub async fn look(address: &Address) -> Vec<Finding> {
    let before = WallClock.now();
    match database::look(address).await {
        Ok(looked) => judge(&looked, (before, WallClock.now())),
        Err(error) => {
            let remedy = "check the address, the login and that it runs";
            vec![Finding::fail("database", format!("{address}: {error:#}"), remedy)]
        }
    }
}

/// What was seen, and between which instants of our clock.
fn judge(looked: &Looked, between: (Ts, Ts)) -> Vec<Finding> {
    let Looked { server, is_standby, time, unsafe_settings, schema } = looked;
    let (major, minor) = (server / 10_000, server % 10_000);
    let mut findings = vec![match *server >= SERVER_MIN {
        true => Finding::ok("database", format!("PostgreSQL {major}.{minor} answers")),
        false => {
            let what = format!("PostgreSQL {major}.{minor} is older than {}", SERVER_MIN / 10_000);
            Finding::fail("database", what, "bring it up to date")
        }
    }];
    if *is_standby {
        let what = "it is a standby, which takes no writes";
        findings.push(Finding::fail("database", what, "name the primary"));
    }
    if !unsafe_settings.is_empty() {
        let what = format!("what was acknowledged may be lost at a power cut: {}", unsafe_settings.join(", "));
        findings.push(Finding::fail("durability", what, "set them to on"));
    }
    findings.push(skew(*time, between));
    match schema {
        Schema::Empty => {
            let remedy = "start `fanfare controller` or `fanfare up` on it, which makes the tables";
            findings.push(Finding::warn("schema", "it has no tables yet", remedy));
        }
        Schema::Foreign => {
            let what = "it holds tables of another program";
            findings.push(Finding::fail("schema", what, "name an empty database, or a schema of its own"));
        }
        Schema::Ours(version, content) => findings.extend(of_ours(*version, content)),
    }
    findings
}

fn skew(theirs: Ts, (before, after): (Ts, Ts)) -> Finding {
    let apart = if theirs < before { before - theirs } else { (theirs - after).max(TimeDelta::zero()) };
    let told = format!("the clocks of this machine and the database are {} ms apart", apart.num_milliseconds());
    match apart > SKEW {
        true => {
            Finding::warn("clock", told, "let both follow a time server (NTP); processes go by the database's clock")
        }
        false => Finding::ok("clock", told),
    }
}

fn of_ours(version: i64, content: &Content) -> Vec<Finding> {
    let Content { denied, awaits, namespaces, unbalanced, ahead } = content;
    let mut findings = vec![match version.cmp(&VERSION) {
        std::cmp::Ordering::Equal => Finding::ok("schema", format!("version {version}")),
        std::cmp::Ordering::Less => Finding::warn(
            "schema",
            format!("it is of version {version}, this binary of {VERSION}"),
            "the next start of this binary brings it up to date; end older processes first",
        ),
        std::cmp::Ordering::Greater => Finding::fail(
            "schema",
            format!("it is of version {version}, this binary knows {VERSION}"),
            "run the newer binary that wrote it",
        ),
    }];
    if !denied.is_empty() {
        let what = format!("this user may not {}", denied.join(", "));
        findings.push(Finding::fail("roles", what, "let it own the tables, or grant it"));
        return findings;
    }
    findings.push(Finding::ok("roles", "this user may read and write every table"));
    if let Some(why) = awaits {
        let what = format!("a restore awaits its reconciliation, and nothing that moves value is decided: {why}");
        let remedy = "have the tills' journals sent again, then: fanfare database reconciled --by NAME --reason TEXT";
        findings.push(Finding::fail("restore", what, remedy));
    }
    let wrong: Vec<String> = unbalanced
        .iter()
        .map(|sum| format!("balances do not sum to zero ({sum})"))
        .chain(ahead.iter().map(|namespace| format!("the ledger of {namespace} is ahead of its lane")))
        .collect();
    findings.push(match wrong.is_empty() {
        true => Finding::ok("ledger", format!("balances sum to zero in {} namespaces", namespaces.len())),
        false => Finding::fail("ledger", wrong.join("; "), "end every process and ask: fanfare audit verify"),
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Level;

    #[test]
    fn each_thing_that_is_wrong_with_a_database_is_told() {
        let now: Ts = "2026-11-11T10:00:00Z".parse().unwrap();
        let content = Content { namespaces: vec!["a".into()], ..Content::default() };
        let good = Looked {
            server: 150_004,
            is_standby: false,
            time: now,
            unsafe_settings: Vec::new(),
            schema: Schema::Ours(VERSION, content.clone()),
        };
        let ours = |version, content| Looked { schema: Schema::Ours(version, content), ..good.clone() };
        let list = |text: &str| vec![text.to_owned()];
        let cases = [
            (Looked { server: 130_010, ..good.clone() }, Level::Fail, "PostgreSQL 13.10 is older than 14"),
            (Looked { is_standby: true, ..good.clone() }, Level::Fail, "standby"),
            (Looked { unsafe_settings: list("fsync = off"), ..good.clone() }, Level::Fail, "fsync = off"),
            (Looked { time: now + TimeDelta::seconds(3), ..good.clone() }, Level::Warn, "3000 ms apart"),
            (Looked { time: now - TimeDelta::seconds(3), ..good.clone() }, Level::Warn, "3000 ms apart"),
            (Looked { schema: Schema::Empty, ..good.clone() }, Level::Warn, "no tables"),
            (Looked { schema: Schema::Foreign, ..good.clone() }, Level::Fail, "another program"),
            (ours(VERSION - 1, content.clone()), Level::Warn, "this binary of"),
            (ours(VERSION + 1, content.clone()), Level::Fail, "this binary knows"),
            (
                ours(VERSION, Content { denied: list("INSERT on ledger"), ..content.clone() }),
                Level::Fail,
                "may not INSERT on ledger",
            ),
            (ours(VERSION, Content { awaits: Some("backup".into()), ..content.clone() }), Level::Fail, "backup"),
            (ours(VERSION, Content { unbalanced: list("a, THB: 1"), ..content.clone() }), Level::Fail, "a, THB: 1"),
            (ours(VERSION, Content { ahead: list("a"), ..content }), Level::Fail, "ahead of its lane"),
        ];
        assert!(judge(&good, (now, now)).iter().all(|finding| finding.level == Level::Ok));
        for (looked, level, part) in cases {
            let findings = judge(&looked, (now, now));
            let bad: Vec<_> = findings.iter().filter(|finding| finding.level != Level::Ok).collect();
            assert!(bad.len() == 1 && bad[0].level == level && bad[0].what.contains(part), "{part}: {findings:?}");
        }
    }
}
