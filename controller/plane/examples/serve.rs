//! Serves a plane alone: `cargo run -p fanfare-plane --example serve -- FILE.db 127.0.0.1:8080 > kubeconfig`.

use std::sync::Arc;

use fanfare_plane::{Plane, PlaneConfig};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(database), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: serve DATABASE ADDRESS".into());
    };
    let plane = Plane::start(PlaneConfig::new(database, Arc::new(jiff::Timestamp::now))).await?;
    let listener = TcpListener::bind(address).await?;
    println!("{}", plane.kubeconfig(listener.local_addr()?, "default"));
    plane.serve(listener).await?;
    Ok(())
}
