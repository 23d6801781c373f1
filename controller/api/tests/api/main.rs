//! The API as its callers see it: the real router over a real engine and database, with clocks that a test sets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod authorisation;
mod bad_input;
mod campaigns;
mod codes;
mod events;
mod finance;
mod import;
mod login;
mod members;
mod money_input;
mod openapi;
mod operations;
mod origin;
mod points;
mod promised;
mod rewards;
mod server;
mod support;
mod till;
