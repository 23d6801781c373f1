//! The places at which the process can be made to end: those that `fault_points::reach` marks in the product.

/// Reached while tills work. Each stands between two steps of a batch, from taking the lane to the answer on the wire.
pub(crate) const UNDER_LOAD: &[&str] = &[
    "lane-held",
    "decided-not-written",
    "written-not-committed",
    "committed",
    "committed-not-learned",
    "learned-not-answered",
    "one-of-several-answered",
    "answered-not-sent",
];

/// Within a commit of the database: about to write, about to sync. They need the shim below (`shim/disk.c`).
pub(crate) const ON_DISK: &[&str] = &["disk:sync", "disk:write"];

/// Reached once, while the process starts on what the last one left.
pub(crate) const AT_START: &[&str] = &["migrated", "rebuilt"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    fn marked(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                marked(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let names = text.split("fault_points::reach(\"").skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(names.map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_place_that_the_product_marks_is_killed_at_and_no_other() {
        let mut found = BTreeSet::new();
        marked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../controller"), &mut found);
        let known: BTreeSet<String> = UNDER_LOAD.iter().chain(AT_START).map(|name| (*name).to_owned()).collect();
        assert_eq!(found, known);
    }

    #[test]
    fn an_ordinary_build_has_no_such_place() {
        let Some(path) = std::env::var_os("FANFARE_BIN") else { return };
        let bytes = fs::read(&path).unwrap();
        let name = concat!("FANFARE_CRASH", "_AT").as_bytes();
        let found = bytes.windows(name.len()).any(|window| window == name);
        assert!(
            !found,
            "{} can be made to crash: it was built with the feature fault-points",
            Path::new(&path).display()
        );
    }
}
