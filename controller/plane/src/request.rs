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
    /// Of a Namespace: who else has to let it go.
    Finalize,
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

/// Media types that are answered, all with JSON, which is YAML too; clients of protobuf read what the answer says it is.
const SERVED: &[&str] =
    &["", "*/*", "application/*", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

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
    ///
    /// # Errors
    /// 406 when none is.
    pub(crate) fn of(accept: &str) -> Result<Self, ApiError> {
        let shape = |media: &str| {
            let mut parts = media.split(';').map(str::trim);
            if !SERVED.contains(&parts.next().unwrap_or_default()) {
                return None;
            }
            let parts: Vec<&str> = parts.collect();
            match parts.iter().find_map(|p| p.strip_prefix("as=")) {
                None => Some(Self::Plain),
                Some("Table") if parts.contains(&"v=v1beta1") => Some(Self::Table),
                Some(_) if !parts.contains(&"v=v1") => None,
                Some("Table") => Some(Self::Table),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Partial),
                Some(_) => None,
            }
        };
        accept.split(',').find_map(shape).ok_or_else(ApiError::not_acceptable)
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
        let check = |accept, expect| assert_eq!(Shape::of(accept).ok(), expect, "{accept}");
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(Shape::Table));
        check("application/json", Some(Shape::Plain));
        check("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some(Shape::Partial));
        check("application/vnd.kubernetes.protobuf,application/json", Some(Shape::Plain));
        check("", Some(Shape::Plain));
        check("application/xml", None);
        check("application/json;as=Table;v=v2;g=meta.k8s.io", None);
    }
}
