//! The resources as the Kubernetes API, an editor and a file see them, and the one door from there to plans.
pub mod wire;
