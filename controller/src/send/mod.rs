//! `fanfare events send`: rows of a file become CloudEvents, by a mapping, and are sent in batches, resumably.
//!
//! [`mapping`] reads the mapping, [`rows`] the file, [`build`] makes events of rows, [`group`] gathers the rows of one
//! event, [`progress`] keeps how far it came. The format is documented in `docs/reference/event-mapping.md`.

pub mod build;
pub mod group;
pub mod mapping;
pub mod progress;
pub mod rows;
