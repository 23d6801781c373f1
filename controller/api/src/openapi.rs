//! The description of this API, OpenAPI 3.1, from the handlers themselves.

use crate::problem::ProblemSchema;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder, Schema, Type,
        path::{Operation, Parameter},
        schema::AnyOf,
        security::{Http, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// A member's access token.
pub(crate) const MEMBER: &str = "member";
/// A terminal's key.
pub(crate) const TERMINAL: &str = "terminal";
/// An integration's key.
pub(crate) const INTEGRATION: &str = "integration";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fanfare",
        description = "What a Mini Program, a till and a CRM call. Amounts are decimal strings in the namespace's \
            currency, times RFC 3339 with offset, errors RFC 9457 problems with a stable `code`. A POST that moves value \
            takes an `Idempotency-Key`."
    ),
    components(schemas(ProblemSchema)),
    modifiers(&Security)
)]
pub(crate) struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = |description: &str| -> Http {
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build()
        };
        for (name, description) in [
            (MEMBER, "A member's access token, good for 15 minutes"),
            (TERMINAL, "A terminal's key, bound to one store"),
            (INTEGRATION, "An integration's API key with scopes"),
        ] {
            components.add_security_scheme(name, SecurityScheme::Http(bearer(description)));
        }
    }
}

/// Adds to every operation that a problem may be answered.
pub(crate) fn finish(mut document: openapi::OpenApi) -> openapi::OpenApi {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            describe(operation);
            leave_out(operation);
            may_fail(operation);
            tell_headers(operation);
        }
    }
    for schema in document.components.iter_mut().flat_map(|components| components.schemas.values_mut()) {
        any_fits(schema);
    }
    document
}

/// Of views that stand for each other without a mark, several may fit: two empty lists look alike.
fn any_fits(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(choice)) = schema else { return };
    if choice.items.iter().all(|item| matches!(item, RefOr::Ref(_))) {
        let mut any = AnyOf::new();
        (any.items, any.description) = (std::mem::take(&mut choice.items), choice.description.take());
        *schema = RefOr::T(Schema::AnyOf(any));
    }
}

/// Says which headers tell of time, position and patience.
fn tell_headers(operation: &mut Operation) {
    let text = |description: &str| {
        let of = ObjectBuilder::new().schema_type(Type::String);
        RefOr::T(HeaderBuilder::new().schema(Some(of)).description(Some(description)).build())
    };
    let is_key = |one: &RefOr<Parameter>| matches!(one, RefOr::T(one) if one.name == "Idempotency-Key");
    let takes_key = operation.parameters.iter().flatten().any(is_key);
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let time = "The business time of the answer, RFC 3339";
        response.headers.insert("Fanfare-Time".into(), text(time));
        if status == "default" {
            let wait = "In how many seconds to try again; with 429 and 503";
            response.headers.insert("Retry-After".into(), text(wait));
        } else {
            let position = "How far the ledger has come; send it as `Fanfare-Min-Position` to read nothing older";
            response.headers.insert("Fanfare-Position".into(), text(position));
        }
        let again = "`true` where an `Idempotency-Key` was used before and this is its first answer";
        if takes_key {
            response.headers.insert("Idempotency-Replayed".into(), text(again));
        }
    }
}

/// OpenAPI asks for a description of each response.
fn describe(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = if status == "201" { "It was made".into() } else { "It was done".into() };
        }
    }
}

/// A body that may be left out is not one that may be `null`.
fn leave_out(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema else { continue };
        let first = choice.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
        if let (Some(first), 2) = (first, choice.items.len()) {
            content.schema = Some(first);
            body.required = Some(Required::False);
        }
    }
}

fn may_fail(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new()
        .description("A problem; its `code` says which")
        .content(crate::problem::MEDIA_TYPE, content)
        .build();
    operation.responses.responses.entry("default".into()).or_insert(RefOr::T(response));
}
