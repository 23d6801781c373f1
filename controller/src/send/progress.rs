//! How many events of a file were acknowledged, kept beside the data, so that the same command goes on from there.

use anyhow::Context;
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// The place of one file, mapping and server.
pub struct Progress {
    path: PathBuf,
}

impl Progress {
    /// The place for this file and mapping, by the digest of their contents, and for the server where one is named: what
    /// one server acknowledged, another one does not have.
    ///
    /// # Errors
    /// When the file cannot be read or the folder cannot be made.
    pub fn of(data: &Path, file: &Path, mapping: Option<&Path>, server: Option<&str>) -> anyhow::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        for path in [Some(file), mapping].into_iter().flatten() {
            let mut source = std::fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                let count = source.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                hasher.update(&buffer[..count]);
            }
            hasher.update(&[0]);
        }
        hasher.update(server.unwrap_or_default().as_bytes());
        let folder = data.join("sends");
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self { path: folder.join(&hasher.finalize().to_hex()[..32]) })
    }

    /// How many events were acknowledged before.
    pub fn read(&self) -> u64 {
        std::fs::read_to_string(&self.path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Keeps how many were acknowledged.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, events: u64) -> anyhow::Result<()> {
        let draft = self.path.with_extension("tmp");
        std::fs::write(&draft, events.to_string())?;
        std::fs::rename(&draft, &self.path).with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_server_acknowledged_is_sent_to_another() {
        let dir = std::env::temp_dir().join(format!("fanfare-sends-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("events.csv");
        std::fs::write(&file, "a,b\n1,2\n").unwrap();
        let of = |server| Progress::of(&dir, &file, None, server).unwrap();
        of(Some("http://one")).write(7).unwrap();
        assert_eq!([Some("http://one"), Some("http://two"), None].map(|server| of(server).read()), [7, 0, 0]);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
