//! The listener: keep-alive, a graceful end, and clients that are slow or too many.

use crate::support::Shop;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

/// Long enough for a busy machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

async fn read_until(stream: &mut TcpStream, needle: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4_096];
    while !seen.contains(needle) {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "closed after {seen:?}");
        seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    seen
}

#[tokio::test]
async fn a_connection_serves_several_requests_and_the_end_waits_for_none_that_is_idle() {
    let shop = Shop::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(fanfare_api::serve(shop.config.clone(), listener, async {
        drop(stopped.await);
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let answer = read_until(&mut stream, "{\"status\":\"ok\"}").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let mut nonsense = TcpStream::connect(address).await.unwrap();
    nonsense.write_all(b"\x16\x03\x01\x02\x00nonsense\r\n\r\n").await.unwrap();
    read_until(&mut nonsense, "400").await;

    stop.send(()).unwrap();
    timeout(PATIENCE, serving).await.expect("the end came").unwrap();
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0; 8])).await.unwrap().unwrap(), 0, "idle connections are closed");
}

#[tokio::test]
async fn a_client_that_sends_too_much_reads_why() {
    let shop = Shop::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(fanfare_api::serve(shop.config.clone(), listener, async {
        drop(stopped.await);
    }));
    let body = format!("{{\"memberId\": \"{}\"}}", "a".repeat(9 * 1024 * 1024));
    let head = "POST /v1/auth/dev HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    let declared = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let chunked = format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for request in [declared, chunked] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        timeout(PATIENCE, stream.write_all(request.as_bytes())).await.unwrap().expect("all of it was taken");
        let answer = read_until(&mut stream, "too-large").await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
}
