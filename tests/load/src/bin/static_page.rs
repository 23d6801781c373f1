//! The anchor of the feed: a static axum page of the same bytes. `static-page FILE` prints its port.

use anyhow::{Context, Result};
use axum::{Router, http::header, routing::get};
use bytes::Bytes;

#[tokio::main]
async fn main() -> Result<()> {
    let file = std::env::args().nth(1).context("static-page FILE")?;
    let page = Bytes::from(std::fs::read(file)?);
    let answer = move || {
        let page = page.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], page) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, Router::new().fallback(get(answer))).await?;
    Ok(())
}
