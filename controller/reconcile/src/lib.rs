//! Reconcilers: for each kind observe → plan → apply → status, level-triggered.
//!
//! No decision depends on what changed: a timer, an event and a start run the same path. A no-op reconcile writes
//! nothing. One bad object never blocks the others: objects are watched as they are, untyped, and judged one by one.
//!
//! [`driver`] watches and queues, [`observe`] gathers what one decision needs, [`plan`] decides (purely), [`apply`] does
//! it, [`status`] says so. There is no SQL here and no HTTP but the Kubernetes client.

pub mod apply;
pub mod catalog;
pub(crate) mod codes;
pub mod conditions;
pub mod currency;
pub mod driver;
pub mod events;
pub mod figures;
pub mod kinds;
pub mod measure;
pub mod namespaces;
pub mod observe;
pub mod plan;
pub mod queue;
pub mod references;
pub mod secrets;
pub mod status;

pub use driver::{Config, MayWrite, run};
pub use kinds::{GROUP, VERSION, api_resource, plural};
pub use measure::Metrics;
pub use namespaces::{Opener, Scope};
pub use secrets::Logins;
