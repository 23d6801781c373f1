//! Which texts are read: files, folders and standard input, each within limits.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is read.
pub const FILE_MAX_BYTES: u64 = 8 * 1024 * 1024;
/// The most files of one folder.
pub const FILES_MAX: usize = 20_000;
/// The deepest folder.
pub const FOLDERS_MAX_DEPTH: usize = 16;
/// The most neighbours of a single file that are read to resolve its references.
const NEIGHBOURS_MAX: usize = 500;

/// The name that stands for standard input.
pub const STDIN: &str = "-";

/// A text and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The path as it was given or found, or `<stdin>`.
    pub(crate) file: String,
    pub(crate) text: Content,
    pub(crate) role: Role,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(String),
    /// A file whose bytes are no text, or too many: a fault of the file, not of reading it.
    Refused {
        reason: String,
        remedy: &'static str,
    },
}

/// Why a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It was asked for by itself.
    File,
    /// It was found in a folder that was asked for.
    Folder,
    /// It lies beside a file that was asked for; its own faults are not shown.
    Neighbour,
}

/// Something that could not be read at all.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unreadable {
    /// What was asked for.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Reads everything that `paths` name. `stdin` is read where a path is `-`.
pub(crate) fn read(paths: &[PathBuf], stdin: &mut dyn Read) -> (Vec<Source>, Vec<Unreadable>) {
    let mut sources = Vec::new();
    let mut unreadable = Vec::new();
    for path in paths {
        let found = if path.as_os_str() == STDIN {
            bounded(stdin).map(|text| sources.push(Source { file: "<stdin>".to_owned(), text, role: Role::File }))
        } else if path.is_dir() {
            folder(path, 0, &mut sources)
        } else {
            one(path, Role::File).map(|source| sources.push(source))
        };
        if let Err(error) = found {
            unreadable.push(Unreadable { path: shown(path), reason: error.to_string() });
        }
    }
    neighbours(&mut sources);
    (sources, unreadable)
}

fn one(path: &Path, role: Role) -> io::Result<Source> {
    let mut file = fs::File::open(path)?;
    Ok(Source { file: shown(path), text: bounded(&mut file)?, role })
}

fn bounded(reader: &mut dyn Read) -> io::Result<Content> {
    let mut bytes = Vec::new();
    reader.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_MAX_BYTES) {
        let reason = format!("the file has more than {FILE_MAX_BYTES} bytes");
        return Ok(Content::Refused { reason, remedy: "split it" });
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Content::Text(text),
        Err(error) => {
            let reason = format!("the file is not UTF-8 from byte {}", error.utf8_error().valid_up_to());
            Content::Refused { reason, remedy: "save it as UTF-8" }
        }
    })
}

fn folder(path: &Path, depth: usize, sources: &mut Vec<Source>) -> io::Result<()> {
    if depth > FOLDERS_MAX_DEPTH {
        return Err(io::Error::other(format!("{} is deeper than {FOLDERS_MAX_DEPTH} folders", shown(path))));
    }
    for entry in sorted(path)? {
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if entry.is_dir() {
            // Demo data is no resource, and a link could lead in a circle.
            if name != "demo" && !entry.is_symlink() {
                folder(&entry, depth + 1, sources)?;
            }
        } else if is_resource_file(&name) {
            if sources.len() >= FILES_MAX {
                return Err(io::Error::other(format!("there are more than {FILES_MAX} files")));
            }
            sources.push(one(&entry, Role::Folder)?);
        }
    }
    Ok(())
}

fn sorted(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries)
}

/// Whether a file of that name holds resources: YAML or JSON, but no kustomization.
pub fn is_resource_file(name: &str) -> bool {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    ["yaml", "yml", "json"].contains(&extension)
        && !["kustomization", "Kustomization"].contains(&stem)
        && !name.starts_with('.')
}

/// Adds what lies beside single files, so that references to it resolve.
fn neighbours(sources: &mut Vec<Source>) {
    let mut folders: Vec<PathBuf> = sources
        .iter()
        .filter(|source| source.role == Role::File && source.file != "<stdin>")
        .filter_map(|source| Path::new(&source.file).parent().map(Path::to_path_buf))
        .collect();
    folders.sort();
    folders.dedup();
    for folder in folders {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let Ok(entries) = sorted(here) else { continue };
        let files = entries.into_iter().filter(|entry| {
            let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            is_resource_file(&name) && entry.is_file()
        });
        for entry in files.take(NEIGHBOURS_MAX) {
            let known = sources.iter().any(|source| same(Path::new(&source.file), &entry));
            if let (false, Ok(source)) = (known, one(&entry, Role::Neighbour)) {
                sources.push(source);
            }
        }
    }
}

fn same(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| path.strip_prefix(".").unwrap_or(path).to_path_buf();
    plain(one) == plain(other)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
