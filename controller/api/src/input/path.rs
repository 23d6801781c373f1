//! Names and ids in the path. What cannot be one is simply not there: 404.

use crate::{app::App, problem::Problem};
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

/// The longest name or id in a path.
pub(crate) const ID_MAX: usize = 128;

/// The path's parameters in their order, percent-decoded, each 1 to [`ID_MAX`] characters without control characters.
pub(crate) struct Ids<const N: usize>(pub(crate) [String; N]);

impl<const N: usize> FromRequestParts<App> for Ids<N> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let missing = || Problem::not_found("path");
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| missing())?;
        let mut values = Vec::with_capacity(N);
        for (_, value) in &params {
            if value.is_empty() || value.chars().count() > ID_MAX || value.chars().any(char::is_control) {
                return Err(missing());
            }
            values.push(value.to_owned());
        }
        values.try_into().map(Self).map_err(|_| missing())
    }
}

/// The one parameter of a path that has one.
pub(crate) struct Id(pub(crate) String);

impl FromRequestParts<App> for Id {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Ids([id]) = Ids::<1>::from_request_parts(parts, app).await?;
        Ok(Self(id))
    }
}
