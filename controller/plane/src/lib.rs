//! The embedded plane: a small Kubernetes API server for one machine, so that the same reconcilers and stock kubectl
//! work without a cluster.
//!
//! It knows nothing of our kinds: CRDs and admission are handed to it. It serves loopback only, keeps one version of a
//! kind, converts nothing and has no RBAC.
//!
//! Start reading at [`Plane`]; a request goes route → one of get, list, watch, write, delete; a write goes
//! prepare → admission → storage → watch cache; housekeeping is in `gc`.

mod admission;
mod builtin;
mod builtin_defaults;
mod cel;
mod cel_check;
mod crd;
mod decode;
mod delete;
mod desired;
mod discovery;
mod field_path;
mod gc;
mod json_path;
mod list;
mod meta;
mod namespace;
mod object;
mod openapi;
mod openapi_v2;
mod patch;
mod plane;
mod prepare;
mod protobuf;
mod registry;
mod request;
mod respond;
mod review;
mod route;
mod schema;
mod selector;
mod server;
mod sqlite;
mod status;
mod storage;
mod table;
mod view;
mod watch;
mod watch_cache;
mod write;

pub use admission::{Admission, AdmissionRequest, AllowAll, Cause, Denial, Operation};
pub use plane::{Clock, Plane, PlaneConfig, StartError, UidSource};
pub use server::ServeError;
pub use sqlite::DatabaseError;
