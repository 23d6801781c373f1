//! Who may use a database file: one process, held by a lock that the system frees when the process ends, however it ends.

use crate::{Error, Result};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Holds the lock file `<database>.lock` while it lives. The file itself stays: removing it would let two processes lock
/// two files of one name.
pub(super) struct Holder {
    _file: File,
}

impl Holder {
    /// Locks the database at `path`.
    ///
    /// # Errors
    /// [`Error::Locked`] when another one holds it, [`Error::Unavailable`] when the file cannot be made.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let name = PathBuf::from(name);
        let unusable = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", name.display()));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&name).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked(format!(
                "{} is held through {}; stop the other fanfare or name another database",
                path.display(),
                name.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

/// A directory of a database that is not kept; removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new one in the temporary directory.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when none can be made.
    pub(super) fn new() -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        /// Names that are tried: a killed process of the same id may have left some.
        const TRIES_MAX: u64 = 10_000;
        let mut last = None;
        for _ in 0..TRIES_MAX {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("fanfare-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => last = Some(error),
                Err(error) => return Err(Error::Unavailable(format!("{}: {error}", path.display()))),
            }
        }
        Err(Error::Unavailable(format!("no temporary directory is free: {last:?}")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "a temporary database could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_is_its_owner_s_alone_and_goes_with_it() {
        let (one, two) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        assert_ne!(one.path(), two.path());
        std::fs::write(one.path().join("file"), "x").unwrap();
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && two.path().exists());
    }
}
