//! Folders: the repository's own, and scratch ones that vanish with the scenario.

use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").components().collect()
}

/// One of the example campaign repositories.
pub fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// One of the scenarios' own campaign repositories.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A scratch folder. It is removed when dropped, unless `FANFARE_KEEP` is set.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty one.
    ///
    /// # Errors
    /// When the temporary folder cannot be written.
    pub fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fanfare-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // A process id comes back after a while, and with it a folder that a killed run has left.
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Makes one with a copy of `source`, without what a run of it has left (`.fanfare`).
    ///
    /// # Errors
    /// When `source` is missing or a file cannot be copied.
    pub fn copy_of(source: &Path) -> Result<Self> {
        let scratch = Self::new()?;
        copy(source, &scratch.0).with_context(|| format!("cannot copy {}", source.display()))?;
        Ok(scratch)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Replaces a text that must stand in the file, so that an edit never silently does nothing.
    ///
    /// # Errors
    /// When the text does not stand there.
    pub fn edit(&self, name: &str, old: &str, new: &str) -> Result<()> {
        let path = self.0.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if !text.contains(old) {
            bail!("{name} does not contain {old:?}");
        }
        self.write(name, &text.replace(old, new))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.0.join(name)).with_context(|| format!("cannot remove {name}"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::env::var_os("FANFARE_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() == ".fanfare" {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
