//! What must hold of the repository itself: the arrows between the rooms, and that it names no machine.

use anyhow::{Context, Result, ensure};
use fanfare_scenarios::folder::root;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

/// A crate → what it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn cargo_uses() -> Result<Uses> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout)?;
    let name = |value: &Value| value["name"].as_str().map(str::to_owned);
    let mut uses = Uses::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let dependencies = package["dependencies"].as_array().context("no dependencies")?;
        // What only tests use opens no arrow: a test may look at a room from outside.
        let real = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        uses.insert(name(package).context("no name")?, real.filter_map(name).collect());
    }
    Ok(uses)
}

/// A row of the table: which rooms a crate uses, and which crates it never may.
struct Row {
    uses: BTreeSet<String>,
    never: BTreeSet<String>,
}

/// The rows below "## Rooms and arrows", by crate.
fn table() -> Result<BTreeMap<String, Row>> {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md"))?;
    let section = text.split("## Rooms and arrows").nth(1).context("no section `Rooms and arrows`")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [_folder, of, uses, never] = cells.as_slice() else { anyhow::bail!("four columns, please: {line}") };
        let of = names(of).pop_first().with_context(|| format!("no crate in {line}"))?;
        rows.insert(of, Row { uses: names(uses), never: names(never) });
    }
    Ok(rows)
}

#[test]
fn the_rooms_use_each_other_as_the_table_of_arrows_says() -> Result<()> {
    let (uses, table) = (cargo_uses()?, table()?);
    let crates: BTreeSet<_> = uses.keys().collect();
    ensure!(crates == table.keys().collect(), "cargo has {crates:?}, the table {:?}", table.keys());
    for (of, Row { uses: may, never }) in &table {
        let used = &uses[of];
        let ours: BTreeSet<_> = used.iter().filter(|name| uses.contains_key(*name)).cloned().collect();
        ensure!(ours == *may, "{of} uses {ours:?}; docs/ARCHITECTURE.md says {may:?}");
        let forbidden: Vec<_> = used.intersection(never).collect();
        ensure!(forbidden.is_empty(), "{of} uses {forbidden:?}, which it never may");
    }
    Ok(())
}

#[test]
fn no_committed_file_names_a_machine() -> Result<()> {
    let out = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output()?;
    ensure!(out.status.success(), "this needs a git checkout");
    let checkout = root().display().to_string();
    // Written in two halves, so that this file does not name them.
    let homes = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
    let mut found = Vec::new();
    for name in String::from_utf8_lossy(&out.stdout).split('\0').filter(|name| !name.is_empty()) {
        // A file that was removed but not committed yet, or one that is no text.
        let Ok(text) = fs::read_to_string(root().join(name)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let path_at = |home: &str| line.match_indices(home).any(|(at, _)| !continues_a_path(&line[..at]));
            if (checkout.len() > 4 && line.contains(&checkout)) || homes.iter().any(|home| path_at(home)) {
                found.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// Whether what stands before makes the folder a part of something longer, such as an address or a relative path.
fn continues_a_path(before: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '}' | ')'))
}

#[test]
fn every_dependency_comes_from_the_public_index() -> Result<()> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let sources: BTreeSet<_> = lock.lines().filter(|line| line.starts_with("source = ")).collect();
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    ensure!(sources == BTreeSet::from([public]), "{sources:?}");
    Ok(())
}

#[test]
fn a_version_stands_once_in_the_workspace() -> Result<()> {
    let out = Command::new("git").args(["ls-files", "*Cargo.toml"]).current_dir(root()).output()?;
    for name in String::from_utf8_lossy(&out.stdout).lines().filter(|name| *name != "Cargo.toml") {
        let text = fs::read_to_string(root().join(name))?;
        let dependencies = text.split("\n[").filter(|section| section.contains("dependencies]"));
        for line in dependencies.flat_map(|section| section.lines().skip(1)).filter(|line| line.contains('=')) {
            ensure!(line.contains("workspace = true"), "{name}: {line} names a version of its own");
        }
    }
    Ok(())
}

/// The first name in backticks of each row of a page's tables.
fn rows_of(page: &str) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(root().join(page))?;
    Ok(text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect())
}

/// Every name of a metric of ours in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let names = text.split(|c| !is_name(c)).filter(|name| name.starts_with("fanfare_"));
    names.map(str::to_owned).collect()
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_are_documented() -> Result<()> {
    let known = rows_of("docs/operations/metrics.md")?;
    ensure!(known.len() > 20, "{known:?}");
    for file in ["alerts.yaml", "dashboard.json"] {
        let asked = metrics_in(&fs::read_to_string(root().join("charts/fanfare/files/monitoring").join(file))?);
        ensure!(asked.len() > 10, "{file}: {asked:?}");
        // A histogram is asked for by its parts.
        let histogram = |name: &str| {
            let parts = ["_bucket", "_count", "_sum"];
            parts.iter().filter_map(|part| name.strip_suffix(part)).any(|base| known.contains(base))
        };
        let unknown: Vec<_> = asked.iter().filter(|name| !known.contains(*name) && !histogram(name)).collect();
        ensure!(unknown.is_empty(), "{file} asks for {unknown:?}, which docs/operations/metrics.md does not name");
    }
    Ok(())
}

#[test]
fn every_alert_is_documented_and_tested() -> Result<()> {
    let rules = fs::read_to_string(root().join("charts/fanfare/files/monitoring/alerts.yaml"))?;
    let alerts: BTreeSet<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect();
    let told: BTreeSet<_> =
        rows_of("docs/operations/alerts.md")?.into_iter().filter(|name| name.starts_with("Fanfare")).collect();
    ensure!(alerts == told, "the rules have {alerts:?}, docs/operations/alerts.md {told:?}");
    let tests = fs::read_to_string(root().join("tests/charts/alerts_test.yaml"))?;
    let untested: Vec<_> =
        alerts.iter().filter(|name| !tests.contains(&format!("alertname=\"{name}\"}}', value: 1"))).collect();
    ensure!(untested.is_empty(), "tests/charts/alerts_test.yaml never has {untested:?} fire");
    Ok(())
}
