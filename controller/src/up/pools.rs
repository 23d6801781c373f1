//! Lists of codes beside the resources: what `codes.import.file` names is imported, and again when the file changes.

use super::start::Running;
use crate::telemetry;
use anyhow::{Context, bail};
use fanfare_core::{codes, model::Plan};
use fanfare_crds::files::Loaded;
use fanfare_engine::pool::{IMPORT_MAX, ImportCodes, Imported};
use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The largest list of codes; more is sent with `fanfare codes import`.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// How many lines that were not taken are printed.
const PRINTED_MAX: usize = 10;

/// The lists that were read, each as it looked then.
pub type Read = BTreeMap<(String, PathBuf), (Option<SystemTime>, u64)>;

/// Whether a file may be a list of codes, so that a change of it is noticed.
pub fn is_list(name: &str) -> bool {
    [".csv", ".txt"].iter().any(|end| name.ends_with(end))
}

/// Imports the list of a Reward that names one, unless it was read as it is.
///
/// # Errors
/// When the file cannot be read or is no list.
pub async fn fill(running: &Running, resource: &Loaded, read: &mut Read) -> anyhow::Result<()> {
    let (Some(Plan::Reward(plan)), Some(file)) =
        (&resource.plan, resource.object.pointer("/spec/codes/import/file").and_then(|file| file.as_str()))
    else {
        return Ok(());
    };
    let path = inside(&running.dir, file)?;
    let meta = path.metadata().with_context(|| format!("{file} cannot be read"))?;
    let (key, look) = ((plan.name.to_string(), path.clone()), (meta.modified().ok(), meta.len()));
    if read.get(&key) == Some(&look) {
        return Ok(());
    }
    if meta.len() > FILE_MAX_BYTES {
        bail!(
            "{file} has more than {FILE_MAX_BYTES} bytes; import it with `fanfare codes import {} {file}`",
            plan.name
        );
    }
    let (lines, mut said) = list(BufReader::new(std::fs::File::open(&path)?), file)?;
    let mut added = 0;
    for part in lines.chunks(IMPORT_MAX) {
        let codes = part.iter().map(|(_, code)| code.clone()).collect();
        let command = ImportCodes { reward: plan.name.clone(), codes };
        let (done, _) = running.engine.execute(command).await?;
        let done = done.map_err(|no| anyhow::anyhow!(no.refusal.detail))?;
        for ((line, _), found) in part.iter().zip(done) {
            match found {
                Imported::Added => added += 1,
                Imported::Known => {}
                Imported::Elsewhere => said.push((*line, "another reward has this code".into())),
                Imported::Unusable => said.push((*line, "it is no code of letters and digits".into())),
            }
        }
    }
    said.sort_unstable();
    running.screen.say(|| {
        said.iter().take(PRINTED_MAX).for_each(|(line, what)| telemetry::complain(&format!("{file}:{line}: {what}")));
        if added > 0 {
            telemetry::say(&format!("imported {added} codes of Reward/{} from {file}", plan.name));
        }
    });
    read.insert(key, look);
    Ok(())
}

/// A file of the folder; a link that leads out of it is refused as well.
fn inside(dir: &Path, file: &str) -> anyhow::Result<PathBuf> {
    let cannot = || format!("{file} cannot be read");
    let (root, path) = (dir.canonicalize()?, dir.join(file).canonicalize().with_context(cannot)?);
    if path.starts_with(&root) { Ok(path) } else { bail!("{file} is outside the folder") }
}

/// Texts with the line that each stands on.
type Lines = Vec<(usize, String)>;

/// The codes of a list, each once, and what is said of the other lines.
fn list(text: impl BufRead, file: &str) -> anyhow::Result<(Lines, Lines)> {
    let (mut codes, mut said, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.with_context(|| format!("{file}:{line}: it is no text in UTF-8"))?;
        let Some(code) = codes::of_line(&text) else { continue };
        let first = *seen.entry(codes::normalise(code)).or_insert(line);
        if first == line {
            codes.push((line, code.to_owned()));
        } else {
            said.push((line, format!("line {first} has the same code")));
        }
    }
    Ok((codes, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_stands_in_a_list_again_is_told_with_the_line_that_had_it_first() {
        let (codes, said) = list("code\nPART-0001\nPART0002\npart0001\nPART 0001\n".as_bytes(), "codes.csv").unwrap();
        assert_eq!(codes, [(2, "PART-0001".into()), (3, "PART0002".into())]);
        assert_eq!(said, [4, 5].map(|line| (line, "line 2 has the same code".to_owned())));
    }
}
