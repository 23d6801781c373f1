//! The right to write of whoever won it: an epoch that the next winner raises, after which nothing of the former one is
//! written any more.
//!
//! The epoch is a setting. [`crate::Store::raise`] waits for batches that hold the former one, and a batch that names an
//! epoch which is not the latest is void as a whole. Who may raise it is not decided here.

/// The epoch that a batch is written under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The setting that counts the epochs.
    pub setting: String,
    /// What [`crate::Store::raise`] answered.
    pub epoch: i64,
}

impl Fence {
    /// Checks what the setting holds.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] when it holds another epoch, or none.
    pub(crate) fn check(&self, stands: Option<&[u8]>) -> crate::Result<()> {
        let stands = stands.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("none");
        if stands.parse() == Ok(self.epoch) {
            return Ok(());
        }
        Err(crate::Error::Fenced(format!("{} is {stands}, and this was decided under {}", self.setting, self.epoch)))
    }
}
