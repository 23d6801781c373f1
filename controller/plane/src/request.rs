//! One request on a resource, taken apart.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::registry::Resource;
use crate::status::ApiError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subresource {
    Main,
    Status,
}

/// Query parameters; an empty value counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Query(HashMap<String, String>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|v| !v.is_empty())
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "1"))
    }

    /// # Errors
    /// 400 for what is no whole number.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let why = || format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
        text.parse().map(Some).map_err(|_| ApiError::bad_request(why()))
    }
}

/// How the client wants objects to be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Plain,
    Table,
    /// Metadata alone.
    Partial,
}

impl Shape {
    /// The first media type of `accept` that is served.
    pub(crate) fn of(accept: &str) -> Self {
        let shape = |media: &str| {
            if !media.trim().starts_with("application/json") && !media.trim().starts_with("*/*") {
                None
            } else if media.contains("as=Table") {
                Some(Self::Table)
            } else if media.contains("as=PartialObjectMetadata") {
                Some(Self::Partial)
            } else {
                Some(Self::Plain)
            }
        };
        accept.split(',').find_map(shape).unwrap_or(Self::Plain)
    }
}

#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) resource: Arc<Resource>,
    /// Empty for cluster-scoped resources and for lists over all namespaces.
    pub(crate) namespace: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Subresource,
    pub(crate) query: Query,
    pub(crate) shape: Shape,
    pub(crate) content_type: String,
    pub(crate) user_agent: String,
    pub(crate) body: Bytes,
}

impl ApiRequest {
    /// The namespace that a list or watch is limited to.
    pub(crate) fn namespace_filter(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(self.namespace.as_str())
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.query.get("dryRun") == Some("All")
    }

    /// The field manager: named, or the first word of the user agent.
    pub(crate) fn manager(&self) -> String {
        let agent = || self.user_agent.split('/').next().filter(|a| !a.is_empty()).unwrap_or("unknown");
        self.query.get("fieldManager").unwrap_or_else(agent).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_media_type_that_is_served_decides_the_shape() {
        let check = |accept, expect| assert_eq!(Shape::of(accept), expect, "{accept}");
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Shape::Table);
        check("application/json", Shape::Plain);
        check("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Shape::Partial);
        check("application/vnd.kubernetes.protobuf,application/json", Shape::Plain);
        check("", Shape::Plain);
    }
}
