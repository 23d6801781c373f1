//! What a batch tells those who follow: how members and plans are after it, as bytes beside its position.

use crate::audience::Learned;
use fanfare_core::{ids::Name, model::Kind, time::Ts};
use fanfare_store::{Writes, rows::Published};
use serde::{Deserialize, Serialize};

/// The most bytes of one batch's news. A batch that says more says only that everything has to be read anew: that costs
/// each replica a read of the members once, and no replica memory that grows with what another one was sent.
pub(crate) const NEWS_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The form of the bytes. Whoever meets another one reads everything anew.
const FORM: u8 = 1;

/// What memory has to learn from a batch once it is committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct News {
    /// When it was decided.
    pub(crate) at: Ts,
    #[serde(flatten)]
    pub(crate) learned: Learned,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) published: Vec<Published>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) retired: Vec<(Kind, Name)>,
}

/// What is read before anything else.
#[derive(Serialize, Deserialize)]
struct Head {
    form: u8,
    at: Ts,
    /// Whether what changed was too much to be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    anew: bool,
}

impl News {
    /// What there is to learn from a batch that writes `writes` at `at`; `counted` are the counters that it changed, as
    /// they are then.
    pub(crate) fn of(at: Ts, counted: &[(String, i64)], writes: &Writes) -> Self {
        Self {
            at,
            learned: Learned::of(writes, counted),
            published: writes.published.clone(),
            retired: writes.retired.clone(),
        }
    }

    /// The bytes that are kept: a line that says what they are, and what there is to learn.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let head = |anew| serde_json::to_vec(&Head { form: FORM, at: self.at, anew }).unwrap_or_default();
        let mut bytes = head(false);
        bytes.push(b'\n');
        match serde_json::to_writer(&mut bytes, self) {
            Ok(()) if bytes.len() <= NEWS_MAX_BYTES => bytes,
            _ => head(true),
        }
    }

    /// Reads such bytes; `None` when everything has to be read anew.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (head, body) = split(bytes)?;
        if head.anew || head.form != FORM { None } else { serde_json::from_slice(body).ok() }
    }

    /// When the batch that left these bytes was decided.
    pub(crate) fn instant(bytes: &[u8]) -> Option<Ts> {
        split(bytes).map(|(head, _)| head.at)
    }
}

fn split(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(end);
    Some((serde_json::from_slice(head).ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_core::ids::MemberId;

    fn news(members: usize) -> News {
        let at = "2026-11-11T05:00:00.000001Z".parse().unwrap();
        let list = (0..members).map(|n| MemberId::from(format!("member-{n}"))).collect();
        let writes = Writes { lists_set: vec![("vip".into(), list)], ..Writes::default() };
        News::of(at, &[], &writes)
    }

    #[test]
    fn news_are_read_as_they_were_told() {
        let told = news(3);
        assert_eq!(News::read(&told.bytes()).as_ref(), Some(&told));
        assert_eq!(News::instant(&told.bytes()), Some(told.at));
    }

    #[test]
    fn a_batch_that_says_too_much_says_that_everything_is_to_be_read_anew() {
        let told = news(NEWS_MAX_BYTES / 10);
        let bytes = told.bytes();
        assert!(bytes.len() < 100, "{} bytes", bytes.len());
        assert_eq!(News::read(&bytes), None);
        assert_eq!(News::instant(&bytes), Some(told.at));
    }

    #[test]
    fn bytes_of_another_form_are_not_guessed_at() {
        for bytes in [&b""[..], b"{}", b"{\"form\":9,\"at\":\"2026-11-11T05:00:00Z\"}\n{}", b"garbage\n{}"] {
            assert_eq!(News::read(bytes), None);
        }
    }
}
