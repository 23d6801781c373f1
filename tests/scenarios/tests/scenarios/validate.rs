//! `fanfare validate`: every example passes, every invalid one fails with its golden words, in every output form.

use anyhow::{Context, Result, bail, ensure};
use fanfare_scenarios::{
    folder::{example, fixture, root},
    tools::{verb, verb_unread},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with(".fanfare") {
            found.extend(yaml_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[tokio::test]
async fn every_example_repository_is_valid() -> Result<()> {
    let mut folders = vec![fixture("shop")];
    for entry in fs::read_dir(root().join("examples"))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("invalid") {
            folders.push(path);
        }
    }
    ensure!(folders.len() > 1, "there are no examples");
    for folder in folders {
        let path = folder.display().to_string();
        verb(&["validate", &path], None).await?.code(0).with_context(|| path.clone())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_check_that_nobody_reads_to_its_end_still_tells_by_its_exit_code() -> Result<()> {
    for (folder, code) in [(example("invalid"), 1), (fixture("shop"), 0)] {
        for output in ["json", "text"] {
            let ended = verb_unread(&["validate", &folder.display().to_string(), "--output", output]).await?;
            ensure!(ended.code == code && ended.err.is_empty(), "{ended:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn explain_says_in_plain_words_who_is_meant() -> Result<()> {
    let folder = example("segments");
    let file = folder.join("segments.yaml").display().to_string();
    let text = verb(&["explain", "segment", &file], None).await?.code(0)?;
    for line in [
        "left-a-cart: Left a cart a day ago and has not bought since",
        "  did cart.abandoned within the last 7d and more than 1d ago, without order.paid since",
        "  ├ at least one of these holds:",
        "  │ ├ sum of total over order.paid within 30d is at least 2000",
        "  └ this does not hold:",
        "    └ belongs to the segment staff:",
        "      └ has at least one of the tags staff",
    ] {
        ensure!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
    // Presets stand in another file of the folder.
    ensure!(!text.contains("high-value:"), "{text}");
    let json = verb(&["explain", "segment", &folder.display().to_string(), "--output", "json"], None).await?.code(0)?;
    ensure!(json.contains("\"name\": \"high-value\""), "{json}");
    let wrong = example("invalid").join("unknown-event-field.yaml").display().to_string();
    let ended = verb(&["explain", "segment", &wrong], None).await?;
    ensure!(ended.code == 1 && ended.text().contains("did you mean `storeId`?"), "{}", ended.text());
    Ok(())
}

#[tokio::test]
async fn every_invalid_example_fails_with_its_golden_words() -> Result<()> {
    let files = yaml_files(&example("invalid"))?;
    ensure!(!files.is_empty(), "there are no invalid examples");
    let mut differ = Vec::new();
    for file in files {
        let path = file.display().to_string();
        let ended = verb(&["validate", &path], None).await?;
        // Paths differ between checkouts; names do not.
        let folder = format!("{}/", file.parent().context("no folder")?.display());
        let text = ended.text().replace(&folder, "");
        ensure!(ended.code == 1, "{path} ended with {}:\n{text}", ended.code);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let golden = root().join("crds/tests/golden").join(format!("{name}.txt"));
        let expect = fs::read_to_string(&golden).with_context(|| format!("cannot read {}", golden.display()))?;
        if expect.trim() != text.trim() {
            differ.push(format!("{path}\nexpected:\n{expect}\nfound:\n{text}"));
        }
    }
    ensure!(differ.is_empty(), "{}", differ.join("\n\n"));
    Ok(())
}

#[tokio::test]
async fn errors_come_in_the_form_that_a_pipeline_asks_for() -> Result<()> {
    let Some(file) = yaml_files(&example("invalid"))?.into_iter().next() else {
        bail!("there are no invalid examples")
    };
    let (path, name) =
        (file.display().to_string(), file.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let json = verb(&["validate", &path, "--output", "json"], None).await?.code(1)?;
    let json: Value = serde_json::from_str(&json).with_context(|| json.clone())?;
    ensure!(json.to_string().contains(&name), "{json}");
    let sarif = verb(&["validate", &path, "--output", "sarif"], None).await?.code(1)?;
    let sarif: Value = serde_json::from_str(&sarif).with_context(|| sarif.clone())?;
    let run = &sarif["runs"][0];
    ensure!(sarif["version"] == "2.1.0" && run["tool"]["driver"]["name"].is_string(), "{sarif}");
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    ensure!(place["region"]["startLine"].as_i64().unwrap_or(0) > 0, "{sarif}");
    ensure!(place["artifactLocation"]["uri"].as_str().is_some_and(|uri| uri.ends_with(&name)), "{sarif}");
    let github = verb(&["validate", &path, "--output", "github"], None).await?.code(1)?;
    ensure!(github.lines().any(|line| line.starts_with("::error file=") && line.contains("line=")), "{github}");
    Ok(())
}

#[tokio::test]
async fn bombs_duplicate_keys_and_yaml_1_1_words_are_told_apart() -> Result<()> {
    let sale = fs::read_to_string(fixture("shop").join("sale.yaml"))?;
    let laughs = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n\
        d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\n\
        g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]\nh: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g]\ni: [*h, *h, *h, *h, *h, *h, *h, *h, *h]\n";
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let cases = [
        ("a bomb", laughs.to_owned(), ""),
        ("depth", deep, ""),
        (
            "a duplicate key",
            sale.replace("  objective: Promotion", "  objective: Promotion\n  objective: Retention"),
            "objective",
        ),
        ("a YAML 1.1 boolean", sale.replace("visibility: Public", "visibility: yes"), "visibility"),
        ("a bare locale no", sale.replace("      en: {title", "      no: {title"), "no"),
        ("an unknown kind", sale.replace("kind: Campaign", "kind: Campain"), "Campain"),
    ];
    for (what, text, word) in cases {
        let ended = verb(&["validate", "-"], Some(&text)).await.context(what)?;
        ensure!(ended.code == 1 && ended.text().contains(word), "{what}: {ended:?}");
    }
    Ok(())
}
