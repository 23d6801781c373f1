//! The API as its callers see it: the real router over a real engine and database, with clocks that a test sets.

mod authorisation;
mod campaigns;
mod events;
mod import;
mod bad_input;
mod login;
mod members;
mod openapi;
mod operations;
mod server;
mod support;
mod till;
