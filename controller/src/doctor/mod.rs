//! `fanfare doctor`: looks at an installation from outside and says of each thing whether it is well, and if not, what to do.
//!
//! It changes nothing: no definition is applied, no schema migrated, no row written. What is judged is judged by pure
//! functions of what was found, so that each line is tested by itself.

pub mod cluster;
pub mod database;
pub mod definitions;
pub mod folder;
pub mod lease;
pub mod report;
pub mod runtime;
pub mod webhook;
