//! HTTP for members, tills and integrations: the runtime API of one namespace.
//!
//! A request is read ([`input`]), its caller known ([`auth`]), a value handed to the engine, and the answer written
//! ([`output`], [`wire`], [`problem`]). Nothing is decided here, no SQL is written, Kubernetes is not known. Start at
//! [`endpoints`].

mod app;
mod auth;
mod endpoints;
mod input;
mod observe;
mod openapi;
mod output;
mod problem;
mod server;
mod stall;
mod symbol;
mod table;
mod trace;
mod wire;

pub use app::{ApiConfig, Measured, ReadMatch};
pub use auth::scope::Scope;
pub use problem::{Code, FieldError, Problem};

use app::App;
use axum::{Router, middleware};
use fanfare_core::model::reward::Symbology;
use std::future::Future;
use tokio::net::TcpListener;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

/// Serves the API on `listener` until `shutdown` resolves and running requests have ended.
pub async fn serve(config: ApiConfig, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let app = App::new(config);
    let router = assemble(app.clone());
    server::run(app, router, listener, shutdown).await;
}

/// The router itself, for tests that need no socket.
pub fn router(config: ApiConfig) -> Router {
    assemble(App::new(config))
}

/// The OpenAPI document, as `/openapi.json` serves it.
pub fn openapi_json() -> String {
    let (_, document) = described().split_for_parts();
    openapi::finish(document).to_pretty_json().unwrap_or_default()
}

/// A code as a picture in SVG, drawn as the API names it (`Qr` or `Code128`); nothing for another name or a text that does
/// not fit.
pub fn picture(code: &str, symbology: &str) -> Option<String> {
    let all = [Symbology::Qr, Symbology::Code128];
    let symbology = all.into_iter().find(|one| symbol::name(*one) == symbology)?;
    symbol::draw(code, symbology).ok()
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Description::openapi()).merge(endpoints::router())
}

fn assemble(app: App) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .fallback(|| async { Problem::not_found("path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "this path has no such method; see Allow")
        })
        .layer(middleware::from_fn_with_state(app.clone(), observe::around))
        .with_state(app)
}
