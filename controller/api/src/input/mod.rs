//! What comes in over HTTP, bounded and checked before a handler sees it. No rule of the business is here.

pub(crate) mod card;
pub(crate) mod event;
pub(crate) mod idempotency;
pub(crate) mod import;
pub(crate) mod json;
pub(crate) mod locale;
pub(crate) mod origin;
pub(crate) mod path;
pub(crate) mod query;
