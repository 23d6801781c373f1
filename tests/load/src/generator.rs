//! The load generator: HTTP/1.1 over kept-alive connections, requests prepared as bytes, so that it costs both sides of a
//! comparison the same and as little as possible.

use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The most bytes of one answer.
const ANSWER_MAX: usize = 1 << 20;
/// By how much a timer may be late by itself.
const LATE_MAX: Duration = Duration::from_millis(3);

/// What one run saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Answers by status.
    pub(crate) statuses: std::collections::BTreeMap<u16, usize>,
    /// Latency of each answer.
    pub(crate) latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Seen {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// How many answers had this status.
    pub(crate) fn count(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// The latency that a share of the answers stayed below, in milliseconds.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// A GET as bytes.
pub(crate) fn get(path: &str, bearer: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {bearer}\r\naccept: application/json\r\n\r\n"
    )
    .into_bytes()
}

/// A POST as bytes.
pub(crate) fn post(path: &str, bearer: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {bearer}\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A POST that carries its own identity in its body.
pub(crate) fn post_as(path: &str, bearer: &str, media: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {bearer}\r\ncontent-type: {media}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends each connection's requests, one after another, and all connections at once.
pub(crate) async fn each_once(port: u16, connections: Vec<Vec<Vec<u8>>>) -> Result<Seen> {
    each_once_among(&[port], connections).await
}

/// Like [`each_once`]; the connections are dealt out to the ports.
pub(crate) async fn each_once_among(ports: &[u16], connections: Vec<Vec<Vec<u8>>>) -> Result<Seen> {
    let start = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .zip(ports.iter().copied().cycle())
        .map(|(requests, port)| {
            tokio::spawn(async move {
                let (mut wire, mut seen) = (Wire::open(port).await?, Seen::default());
                for request in &requests {
                    wire.call(request, &mut seen).await?;
                }
                anyhow::Ok(seen)
            })
        })
        .collect();
    join(tasks, start).await
}

/// Like [`each_once`], at a steady pace of `rate` requests a second in all, each connection in its turn. A request that
/// could not be sent when it was due, because the answer before it was late, counts from when it was due.
pub(crate) async fn paced(port: u16, connections: Vec<Vec<Vec<u8>>>, rate: f64) -> Result<Seen> {
    let start = Instant::now();
    let count = connections.len() as f64;
    let tasks: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(place, requests)| {
            tokio::spawn(async move {
                let (mut wire, mut seen) = (Wire::open(port).await?, Seen::default());
                for (number, request) in requests.iter().enumerate() {
                    let due = start + Duration::from_secs_f64((place as f64 + count * number as f64) / rate);
                    tokio::time::sleep_until(due.into()).await;
                    // The timer counts whole milliseconds, so it is late by up to one: that is not the server's.
                    let late = if due.elapsed() > LATE_MAX { due } else { Instant::now() };
                    wire.call_since(late, request, &mut seen).await?;
                }
                anyhow::Ok(seen)
            })
        })
        .collect();
    let seen = join(tasks, start).await?;
    ensure!(seen.count(201) * 100 > seen.latencies.len() * 90, "what was paced was not done: {:?}", seen.statuses);
    Ok(seen)
}

/// Repeats each connection's one request for so long.
pub(crate) async fn repeat(port: u16, requests: Vec<Vec<u8>>, span: Duration) -> Result<Seen> {
    let start = Instant::now();
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            tokio::spawn(async move {
                let (mut wire, mut seen) = (Wire::open(port).await?, Seen::default());
                while start.elapsed() < span {
                    wire.call(&request, &mut seen).await?;
                }
                anyhow::Ok(seen)
            })
        })
        .collect();
    join(tasks, start).await
}

async fn join(tasks: Vec<tokio::task::JoinHandle<Result<Seen>>>, start: Instant) -> Result<Seen> {
    let mut all = Seen::default();
    for task in tasks {
        let Seen { statuses, latencies, elapsed: _ } = task.await??;
        for (status, count) in statuses {
            *all.statuses.entry(status).or_default() += count;
        }
        all.latencies.extend(latencies);
    }
    all.elapsed = start.elapsed();
    Ok(all)
}

struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    async fn call(&mut self, request: &[u8], seen: &mut Seen) -> Result<()> {
        self.call_since(Instant::now(), request, seen).await
    }

    async fn call_since(&mut self, start: Instant, request: &[u8], seen: &mut Seen) -> Result<()> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            ensure!(self.buffer.len() <= ANSWER_MAX, "the answer is too large");
            if let Some((status, whole)) = head(&self.buffer)? {
                while self.buffer.len() < whole {
                    ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the answer broke off");
                }
                seen.latencies.push(start.elapsed());
                *seen.statuses.entry(status).or_default() += 1;
                return Ok(());
            }
        }
    }
}

/// Status and length of head and body, once the head is there.
fn head(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end])?;
    let status = text.get(9..12).context("no status")?.parse()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    match length {
        Some(length) => Ok(Some((status, end + 4 + length?))),
        None if status == 204 || status == 304 => Ok(Some((status, end + 4))),
        None => bail!("an answer without content-length:\n{text}"),
    }
}
