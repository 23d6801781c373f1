//! Chance from the operating system: the one place that asks for it. Everything else is handed a seed or a source.

use rand::{TryRngCore, rngs::OsRng};

/// 32 unpredictable bytes.
///
/// # Errors
/// When the operating system has none.
pub fn seed() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

/// A new idempotency key.
///
/// # Errors
/// As [`seed`].
pub fn key() -> anyhow::Result<String> {
    Ok(seed()?.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}
