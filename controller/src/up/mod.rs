//! `fanfare up`: everything of a folder on one machine.
//!
//! [`run`](start::run) wires the rooms in order: database and clock, plane, engine, controllers, listeners; then
//! [`folder`] keeps the plane equal to the folder, [`table`] shows what happens and [`demo`] lets shoppers arrive.

pub mod admin;
pub mod admission;
pub mod bridge;
pub mod credentials;
pub mod demo;
pub mod folder;
pub mod git;
pub mod holder;
pub mod pools;
pub mod secrets;
pub mod start;
pub mod table;
