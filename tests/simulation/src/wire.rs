//! Carries the tills' requests to the API in waves, so that the same seed gives the same course.
//!
//! A wave is one request of every till that still works. Reads are done one after the other; then all writes at once, some
//! of them twice, in an order that the seed draws, so that they fold into common batches. Only then is everyone answered.

use fanfare_crash::record::{Answer, Request, Wire};
use futures::future::join_all;
use http_body_util::BodyExt;
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;
use tower::ServiceExt;

/// One write in so many is sent twice at once.
const TWICE: u32 = 12;

/// A request that waits for its wave.
pub(crate) struct Waiting {
    from: usize,
    request: Request,
    answer: oneshot::Sender<Option<Answer>>,
}

/// The requests that wait.
pub(crate) type Queue = Arc<Mutex<Vec<Waiting>>>;

/// One caller's end.
pub(crate) struct Line {
    /// Which caller.
    pub(crate) from: usize,
    /// Where its requests wait.
    pub(crate) queue: Queue,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.from)
    }
}

impl Wire for Line {
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + '_>> {
        let (answer, told) = oneshot::channel();
        let waiting = Waiting { from: self.from, request, answer };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
        Box::pin(async move { told.await.ok().flatten() })
    }
}

/// Calls the API within this process.
pub(crate) async fn call(router: &axum::Router, request: &Request) -> Option<Answer> {
    let mut made = http::Request::builder().method(request.method.as_str()).uri(&request.path);
    if !request.bearer.is_empty() {
        made = made.header("authorization", format!("Bearer {}", request.bearer));
    }
    if !request.key.is_empty() {
        made = made.header("idempotency-key", &request.key);
    }
    let body = match &request.body {
        Some(body) => {
            made = made.header("content-type", request.media_type());
            serde_json::to_vec(body).ok()?
        }
        None => Vec::new(),
    };
    let answer = router.clone().oneshot(made.body(axum::body::Body::from(body)).ok()?).await.ok()?;
    let status = answer.status().as_u16();
    let replayed = answer.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some(Answer { status, replayed, body })
}

/// What a wave has seen.
#[derive(Debug, Default)]
pub(crate) struct Wave {
    /// Writes.
    pub(crate) writes: u64,
    /// What must not be.
    pub(crate) findings: Vec<String>,
    /// What every answer was, in order, for the digest of the whole course.
    pub(crate) course: Vec<u8>,
}

/// Answers what waits. Of several replicas each till has its own, and doubles go to another;
/// a check sends none, since it asks what was there before.
pub(crate) async fn answer(
    mut waiting: Vec<Waiting>,
    routers: &[axum::Router],
    chance: &mut ChaCha8Rng,
    doubles: bool,
) -> Wave {
    let mut wave = Wave::default();
    waiting.sort_by_key(|one| one.from);
    let (reads, mut writes): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.request.method == "GET");
    for Waiting { from, request, answer } in reads {
        let told = call(&routers[from % routers.len()], &request).await;
        drop(answer.send(told.filter(Answer::is_decision)));
    }
    writes.shuffle(chance);
    wave.writes = writes.len() as u64;
    // Where each goes, and its double. One replica after the other, so that who gets the lane first is the seed's choice.
    let doubled: Vec<bool> = writes.iter().map(|_| chance.random_ratio(1, TWICE) && doubles).collect();
    let mut told: Vec<(Option<Answer>, Option<Answer>)> = writes.iter().map(|_| (None, None)).collect();
    for (replica, router) in routers.iter().enumerate() {
        let mut sent: Vec<(usize, bool)> = Vec::new();
        for (at, one) in writes.iter().enumerate() {
            let own = one.from % routers.len() == replica;
            sent.extend(own.then_some((at, false)));
            // The double of a till with one replica comes at the same time, else to the other one.
            sent.extend((doubled[at] && (!own || routers.len() == 1)).then_some((at, true)));
        }
        let answers = join_all(sent.iter().map(|(at, _)| call(router, &writes[*at].request))).await;
        for ((at, is_double), answer) in sent.into_iter().zip(answers) {
            let place = &mut told[at];
            *(if is_double { &mut place.1 } else { &mut place.0 }) = answer;
        }
    }
    for (one, (first, second)) in writes.into_iter().zip(told) {
        let (first, second) = (first.filter(Answer::is_decision), second.filter(Answer::is_decision));
        if let (Some(first), Some(second)) = (&first, &second)
            && !one.request.key.is_empty()
            && !first.same_as(second)
        {
            wave.findings.push(format!(
                "{} under {} was answered {} and {}",
                one.request.path,
                one.request.key,
                first.told(),
                second.told()
            ));
        }
        let told = first.or(second);
        wave.course.extend_from_slice(&told.as_ref().map_or(0, |told| told.status).to_be_bytes());
        wave.course.extend_from_slice(told.as_ref().map_or(&[][..], |told| &told.body));
        drop(one.answer.send(told));
    }
    wave
}
