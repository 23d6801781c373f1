//! The resources as the Kubernetes API, an editor and a file see them, and the one door from there to plans.
//!
//! Start at [`wire`] for what a marketing team writes, at [`admit`] for how it becomes a plan of `fanfare_core::model`
//! or every error at once, at [`files`] for reading a folder, at [`generate`] for CRDs and editor schemas. This crate holds no client and reads no clock:
//! time is handed in.

pub mod admit;
pub mod files;
pub mod generate;
pub mod nearest;
pub mod wire;
