//! A message ready to leave, and what a channel says of it. What sends it lives in `notify`.

use crate::ids::MessageId;
use thiserror::Error;

/// A rendered message with its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The message's id, which the provider is told so that sending it again is seen.
    pub id: MessageId,
    /// The address that the channel understands.
    pub to: String,
    /// Its subject, in one line.
    pub subject: String,
    /// Its text: HTML for mail.
    pub body: String,
    /// In which locale, such as `th`.
    pub locale: String,
}

/// Why a message did not certainly leave.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendFault {
    /// It will never be taken: a bad address, a refused text.
    #[error("refused: {0}")]
    Refused(String),
    /// It was certainly not taken, but may be later: no connection, a busy server, a missing password.
    #[error("not taken: {0}")]
    NotTaken(String),
    /// It was handed over and nobody said whether it was taken.
    #[error("unknown whether it left: {0}")]
    Ambiguous(String),
}
