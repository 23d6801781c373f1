//! What the scenarios share: the real binary started on a folder, its callers over HTTP, stock kubectl, a mail server.
//!
//! Nothing of the product is linked here. A scenario sees what a shop's engineer sees: files, a process, HTTP, kubectl.
//! Start at [`shop::Shop`].

pub mod control;
pub mod customers;
pub mod database;
pub mod folder;
pub mod http;
pub mod mail;
pub mod process;
pub mod retail;
pub mod runtime;
pub mod shop;
pub mod tills;
pub mod tools;
pub mod wait;
