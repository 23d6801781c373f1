//! A power cut: what the disk had not synced is gone, or half of it is.
//!
//! The shim (`shim/disk.c`) notes every write to a database file before it is done and every sync after it succeeded.
//! From a copy made before the start and that log, the files are made as a cut could have left them: what was synced is
//! there; of what was written since, nothing, everything, or any of its blocks.

use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What a disk writes at once.
const BLOCK: usize = 4_096;
/// Five 64-bit numbers.
const HEADER: usize = 40;

/// How much of what was not synced a cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    Nothing,
    Everything,
    SomeBlocks,
}

/// The shim and its files.
#[derive(Debug)]
pub(crate) struct Power {
    shim: PathBuf,
    log: PathBuf,
    control: PathBuf,
    copy: PathBuf,
    /// Forget the syncs, to show that the harness notices.
    forgets: bool,
}

/// What the log says of one file.
#[derive(Debug, Default)]
struct File {
    /// As it is on the disk for sure.
    synced: Vec<u8>,
    /// As every program sees it.
    seen: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Change>,
    /// It was removed and not made again.
    gone: bool,
    /// How many of them stood before the sync that is under way.
    before_sync: usize,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

/// What a cut has taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    /// Writes that were not synced.
    pub(crate) unsynced: usize,
    /// Syncs.
    pub(crate) syncs: usize,
}

impl Power {
    /// With files beside the data.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn new(shim: &Path, work: &Path, forgets: bool) -> Result<Self> {
        ensure!(shim.exists(), "{} is not there; tests/crash/run builds it", shim.display());
        let control = work.join("disk.control");
        fs::create_dir_all(work)?;
        fs::write(&control, [0])?;
        Ok(Self { shim: shim.into(), log: work.join("disk.log"), control, copy: work.join("before"), forgets })
    }

    /// What a process has to be started with.
    pub(crate) fn environment(&self) -> [(&'static str, &Path); 3] {
        [("LD_PRELOAD", &self.shim), ("FANFARE_SHIM_LOG", &self.log), ("FANFARE_SHIM_CONTROL", &self.control)]
    }

    /// Makes the disk fail: `f` no space, `w` a write fails, `e` a sync fails; 0: it is well.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub(crate) fn fail(&self, how: u8) -> Result<()> {
        use std::os::unix::fs::FileExt;
        // In place: the shim has it mapped.
        Ok(fs::File::options().write(true).open(&self.control)?.write_all_at(&[how], 0)?)
    }

    /// Before a start: what is there counts as synced.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub(crate) fn begin(&self, data: &Path) -> Result<()> {
        drop(fs::remove_dir_all(&self.copy));
        fs::create_dir_all(&self.copy)?;
        for path in databases(data)? {
            fs::copy(&path, self.copy.join(path.file_name().context("a file has a name")?))?;
        }
        Ok(fs::write(&self.log, [])?)
    }

    /// Cuts the power of a process that was killed: leaves in `data` what the disk could have had.
    ///
    /// # Errors
    /// When the log does not explain the files as they are: then the shim does not see every write.
    pub(crate) fn cut(&self, data: &Path, leaves: Leaves, chance: &mut ChaCha8Rng) -> Result<Taken> {
        let (files, mut taken) = self.read()?;
        for (path, file) in &files {
            let is = fs::read(path).unwrap_or_default();
            if file.gone && is.is_empty() {
                continue;
            }
            // A write that was noted may not have been done yet; with all but the last few it must be the same.
            let explained = is == file.seen || (0..=8).any(|last| file.without_last(last) == is);
            ensure!(explained, "{}: {} bytes that the shim did not see", path.display(), is.len());
            taken.unsynced += file.pending.len();
            fs::write(path, file.after_a_cut(leaves, chance))?;
        }
        // The index of the log is made anew from the log.
        for path in fs::read_dir(data)? {
            let path = path?.path();
            if path.to_string_lossy().ends_with(".db-shm") {
                fs::remove_file(path)?;
            }
        }
        Ok(taken)
    }

    fn read(&self) -> Result<(BTreeMap<PathBuf, File>, Taken)> {
        let log = fs::read(&self.log)?;
        let mut rest = &log[..];
        let mut names: BTreeMap<u64, PathBuf> = BTreeMap::new();
        let mut files: BTreeMap<PathBuf, File> = BTreeMap::new();
        let mut taken = Taken::default();
        while rest.len() >= HEADER {
            let number = |at: usize| rest[at * 8..].first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
            let (kind, of, offset, length) = (number(0), number(1), number(2), number(3));
            let (offset, length) = (usize::try_from(offset)?, usize::try_from(length)?);
            // A kill may have come while a record was written.
            let Some(bytes) = rest.get(HEADER..HEADER + length) else { break };
            rest = &rest[HEADER + length..];
            let kind = u8::try_from(kind)?;
            if kind == b'N' {
                let path = PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
                let before = path.file_name().map(|name| self.copy.join(name)).and_then(|path| fs::read(path).ok());
                let synced = before.unwrap_or_default();
                files.entry(path.clone()).or_insert(File { seen: synced.clone(), synced, ..File::default() });
                names.insert(of, path);
                continue;
            }
            let file = names.get(&of).and_then(|path| files.get_mut(path)).context("the log names no such file")?;
            match kind {
                b'W' => file.note(Change::Write(offset, bytes.to_vec())),
                b'D' => *file = File { gone: true, ..File::default() },
                b'T' => file.note(Change::Cut(offset)),
                b'B' => file.before_sync = file.pending.len(),
                b'S' if !self.forgets => {
                    taken.syncs += 1;
                    for change in file.pending.drain(..file.before_sync) {
                        change.apply(&mut file.synced);
                    }
                    file.before_sync = 0;
                }
                // A sync that failed: the system has dropped what it should have written, and will not try again.
                b'X' => {
                    drop(file.pending.drain(..file.before_sync));
                    file.before_sync = 0;
                }
                _ => {}
            }
        }
        Ok((files, taken))
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Cut(length) => to.resize(*length, 0),
        }
    }

    /// Its parts that a disk writes at once.
    fn blocks(&self) -> Vec<Change> {
        let Self::Write(at, bytes) = self else { return vec![Self::Cut(self.length())] };
        let mut parts = Vec::new();
        let (mut from, end) = (*at, at + bytes.len());
        while from < end {
            let to = ((from / BLOCK + 1) * BLOCK).min(end);
            parts.push(Self::Write(from, bytes[from - at..to - at].to_vec()));
            from = to;
        }
        parts
    }

    fn length(&self) -> usize {
        match self {
            Self::Write(_, bytes) => bytes.len(),
            Self::Cut(length) => *length,
        }
    }
}

impl File {
    fn note(&mut self, change: Change) {
        self.gone = false;
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    /// As programs saw it before the last few changes, which may have been noted and not done.
    fn without_last(&self, last: usize) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let done = self.pending.len().saturating_sub(last);
        self.pending[..done].iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }

    fn after_a_cut(&self, leaves: Leaves, chance: &mut ChaCha8Rng) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.pending {
            match leaves {
                Leaves::Nothing => {}
                Leaves::Everything => change.apply(&mut bytes),
                Leaves::SomeBlocks => {
                    change
                        .blocks()
                        .iter()
                        .filter(|_| chance.random_ratio(1, 2))
                        .for_each(|part| part.apply(&mut bytes));
                }
            }
        }
        bytes
    }
}

fn databases(data: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(data) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.to_string_lossy().into_owned();
        if [".db", ".db-wal", ".db-journal"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_cut_leaves_what_was_synced_and_of_the_rest_any_blocks() {
        let mut file = File { synced: vec![1; 3 * BLOCK], seen: vec![1; 3 * BLOCK], ..File::default() };
        file.note(Change::Write(BLOCK - 1, vec![2; BLOCK + 1]));
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(file.after_a_cut(Leaves::Nothing, &mut chance), file.synced);
        assert_eq!(file.after_a_cut(Leaves::Everything, &mut chance), file.seen);
        let mut torn = 0;
        for _ in 0..50 {
            let left = file.after_a_cut(Leaves::SomeBlocks, &mut chance);
            torn += usize::from(left != file.synced && left != file.seen);
            assert!(left[..BLOCK - 1].iter().all(|byte| *byte == 1) && left[2 * BLOCK] == 1);
        }
        assert!(torn > 5, "{torn} of 50 were torn");
    }
}
