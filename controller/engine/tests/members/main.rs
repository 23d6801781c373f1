//! The member half of the engine on a real database with a clock that a test sets: members, events, journeys, the feed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test that cannot go on fails")]

mod crossings;
#[path = "../database/mod.rs"]
mod database;
mod events;
mod feed;
#[expect(dead_code, reason = "core's own tests need more of it")]
#[path = "../../../core/tests/segments/generate.rs"]
mod generate;
mod journeys;
#[path = "../../../core/tests/segments/naive.rs"]
mod naive;
mod people;
mod replicas;
mod segments;
mod settlement;
mod shared;
mod support;
