//! The in-app inbox of a member: what was sent there, and what was read.

use crate::{Command, Engine, Halt, plans::Plans, tx::Tx};
use fanfare_core::ids::{MemberId, MessageId};
use fanfare_store::{Keys, Page, rows::Message};

impl Engine {
    /// A page of a member's inbox, newest first.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn inbox(&self, member: &MemberId, page: Page) -> Result<Vec<Message>, fanfare_store::Error> {
        self.store().inbox(self.namespace(), member, page).await
    }
}

/// Notes that a member has read a message of its inbox.
#[derive(Clone, Debug)]
pub struct MarkRead {
    /// Who.
    pub member: MemberId,
    /// Which.
    pub message: MessageId,
}

impl Command for MarkRead {
    /// The message, `None` when the member has none of that id.
    type Answer = Option<Message>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.messages.insert(self.message.to_string());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Message>, Halt> {
        let found = tx.message(self.message.as_str())?.filter(|row| row.in_app && row.member == self.member).cloned();
        let Some(mut message) = found else { return Ok(None) };
        if message.read_at.is_none() {
            message.read_at = Some(tx.now);
            tx.put_message(message.clone());
        }
        Ok(Some(message))
    }
}
