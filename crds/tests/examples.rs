//! Every file under `examples/` is a test: the good ones pass, the bad ones are told what is wrong in golden words.
//!
//! `FANFARE_REGENERATE=1 cargo test -p fanfare-crds --test examples` writes the golden texts anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use fanfare_crds::files::{Colour, Format, Report, render, validate_paths, validate_text};

fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_500_000, 0).unwrap()
}

fn plain(report: &Report) -> String {
    render(report, Format::Text(Colour::Plain))
}

#[test]
fn the_good_examples_have_nothing_wrong() {
    for name in ["double-11", "loyalty", "minimal", "rewards", "segments"] {
        let report = validate_paths(&[examples().join(name)], now());
        assert_eq!(report.exit_code(), 0, "{}", plain(&report));
        assert!(report.resources.iter().all(|loaded| loaded.plan.is_some()));
    }
}

#[test]
fn every_good_example_names_its_schema_and_the_schema_is_there() {
    for folder in ["double-11", "loyalty", "minimal", "rewards", "segments", "invalid"] {
        for entry in fs::read_dir(examples().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=");
                let schema = schema.unwrap_or_else(|| panic!("{} has no modeline", path.display()));
                assert!(path.parent().unwrap().join(schema).exists(), "{}: {schema}", path.display());
            }
        }
    }
}

#[test]
fn every_bad_example_is_told_what_is_wrong_in_these_words() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let regenerate = std::env::var_os("FANFARE_REGENERATE").is_some();
    let mut stale = Vec::new();
    for path in bad_examples() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let report = validate_text(&format!("{name}.yaml"), &text, now());
        assert_eq!(report.exit_code(), 1, "{name} must be refused");
        let said = plain(&report);
        let file = golden.join(format!("{name}.txt"));
        if regenerate {
            fs::create_dir_all(&golden).unwrap();
            fs::write(&file, &said).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != said {
            stale.push(format!("{name}:\n{said}"));
        }
    }
    assert!(stale.is_empty(), "other words than in crds/tests/golden:\n{}", stale.join("\n"));
}

#[test]
fn a_bad_example_is_refused_the_same_way_by_itself_and_in_its_folder() {
    let folder = validate_paths(&[examples().join("invalid")], now());
    for path in bad_examples() {
        let alone = validate_paths(std::slice::from_ref(&path), now());
        let words = |report: &Report| -> Vec<(String, String)> {
            let name = path.file_name().unwrap();
            let of_file = report.findings.iter().filter(|finding| Path::new(&finding.file).file_name() == Some(name));
            of_file.map(|finding| (finding.path.clone(), finding.reason.clone())).collect()
        };
        assert_eq!(words(&alone), words(&folder), "{}", path.display());
    }
}

fn bad_examples() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(examples().join("invalid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 20);
    paths
}
