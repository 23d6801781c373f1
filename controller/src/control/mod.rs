//! `fanfare controller`: the reconcilers on a Kubernetes API server, beside replicas of which one leads.
//!
//! Nothing that can heal ends the process: [`health`] says what is missing, and what needs it waits. [`run`] wires it:
//! [`connect`] finds the API server, [`checks`] looks again and again whether everything is there, [`lease`] says whether
//! this replica leads, [`namespaces`] opens engines under the leader's epoch, and `fanfare_reconcile` does the work. What it
//! makes for itself goes with its [`owner`].

pub mod checks;
pub mod connect;
pub mod health;
pub mod lease;
pub mod measure;
pub mod namespaces;
pub mod owner;
pub mod run;
pub mod webhook;
