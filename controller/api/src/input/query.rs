//! Query parameters, as problems when they are wrong. Unknown ones are ignored, as is usual.

use crate::{
    app::App,
    problem::{Code, FieldError, Problem},
};
use axum::extract::FromRequestParts;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::request::Parts;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// Items of a page when the caller names no limit.
const LIMIT_DEFAULT: usize = 20;
/// The most items of a page.
pub(crate) const LIMIT_MAX: usize = 100;
/// The most parameters that are looked at.
const PARAMS_MAX: usize = 32;
/// The longest value of a parameter.
const VALUE_MAX: usize = 256;

/// The query's parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Vec<(String, String)>);

impl FromRequestParts<App> for Asked {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let raw = parts.uri.query().unwrap_or_default();
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()).take(PARAMS_MAX + 1) {
            if pairs.len() == PARAMS_MAX || value.len() > VALUE_MAX || value.contains('\0') {
                let detail = format!("at most {PARAMS_MAX} query parameters of {VALUE_MAX} bytes each are read");
                return Err(Problem::new(Code::Malformed, detail));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }
}

impl Asked {
    /// A parameter's value; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that is one of a few words.
    pub(crate) fn choice<T>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Problem>
    where
        T: Clone,
    {
        let Some(value) = self.get(name) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => Ok(Some(meaning.clone())),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(self.wrong(name, "it is none of the words known here", &format!("one of {}", known.join(", "))))
            }
        }
    }

    /// 422 for a parameter.
    pub(crate) fn wrong(&self, name: &str, reason: &str, remedy: &str) -> Problem {
        Problem::invalid(vec![FieldError::new(format!("?{name}"), reason, remedy)])
    }

    /// 422 for what is no cursor.
    pub(crate) fn wrong_cursor(&self) -> Problem {
        self.wrong("cursor", "it is no cursor", "the `next` of a former answer")
    }

    /// How many items are asked for.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else { return Ok(LIMIT_DEFAULT) };
        let limit = text.parse::<usize>().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.ok_or_else(|| self.wrong("limit", "it is no page size", &format!("a number from 1 to {LIMIT_MAX}")))
    }

    /// The page that is asked for.
    pub(crate) fn page(&self) -> Result<PageRequest, Problem> {
        let limit = self.limit()?;
        let after = match self.get("cursor") {
            None => None,
            Some(text) => {
                let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                Some(decoded.ok_or_else(|| self.wrong_cursor())?)
            }
        };
        Ok(PageRequest { limit, after })
    }
}

/// A page that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// 1 to [`LIMIT_MAX`].
    pub(crate) limit: usize,
    /// What the cursor stands for.
    pub(crate) after: Option<String>,
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct PageOf<T> {
    items: Vec<T>,
    /// For `?cursor=`; `null` at the end.
    next: Option<String>,
}

impl PageRequest {
    /// Makes the answer. `more` is the key of the last item where there may be another page.
    pub(crate) fn answer<T>(items: Vec<T>, more: Option<String>) -> PageOf<T> {
        PageOf { items, next: Self::cursor(more) }
    }

    /// The cursor that stands for the key of a page's last item.
    pub(crate) fn cursor(more: Option<String>) -> Option<String> {
        more.map(|key| URL_SAFE_NO_PAD.encode(key))
    }
}

/// How a list is paged, for the OpenAPI.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used; `Asked::page` reads it")]
pub(crate) struct Paging {
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next` of a former answer.
    cursor: Option<String>,
}
