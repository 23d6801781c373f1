//! Scenarios: the real binary, real HTTP, stock kubectl. One test is one story, and its name says what must hold.
//!
//! After each the shop is stopped cleanly and `fanfare audit verify` reads the invariants from what it kept.

mod authors;
mod bad_input;
mod bad_money;
mod budgets;
mod caps;
mod controller;
mod controller_faults;
mod controller_input;
mod controller_owner;
mod crash;
mod crossings;
mod doctor;
mod kube;
mod ledger;
mod logs;
mod mail;
mod metrics;
mod newcomer;
mod opening_hours;
mod partner_codes;
mod points;
mod replicas;
mod restored;
mod retail;
mod rewards;
mod road;
mod stopping;
mod till_day;
mod tills;
mod validate;

/// In the middle of the fixture's sale, which runs on 11 November 2026 in Bangkok.
const MIDDAY: &str = "2026-11-11T12:00:00+07:00";
