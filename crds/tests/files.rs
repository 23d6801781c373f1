//! Authors' files: what is read, what is refused and where it is shown, and that no input breaks the reader.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use fanfare_core::model::Kind;
use fanfare_crds::admit::code;
use fanfare_crds::files::{Colour, Format, Report, render, validate_from, validate_paths, validate_text};
use serde_json::Value;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_500_000, 0).unwrap()
}

fn read(text: &str) -> Report {
    validate_text("a.yaml", text, now())
}

fn segment(rest: &str) -> String {
    format!("apiVersion: fanfare.dev/v1alpha1\nkind: Segment\nmetadata: {{name: all}}\nspec:\n  title: All\n{rest}")
}

fn places(report: &Report) -> Vec<(usize, usize, &str, &str)> {
    let place = |finding: &'_ fanfare_crds::files::Finding| (finding.line, finding.column);
    report
        .findings
        .iter()
        .map(|finding| (place(finding).0, place(finding).1, finding.path.as_str(), finding.code))
        .collect()
}

#[test]
fn a_fault_is_shown_where_it_stands() {
    for (text, expect) in [
        (segment("  match: {everyone: yes}\n"), (6, 21, "spec.match.everyone", code::SYNTAX)),
        (segment("  match: {everyone: \"true\"}\n"), (6, 21, "spec.match.everyone", code::WRONG_TYPE)),
        (segment("  match:\n    evryone: true\n"), (7, 5, "spec.match.evryone", code::UNKNOWN_FIELD)),
        (segment("  match: {}\n"), (6, 3, "spec.match", code::CONFLICT)),
        (segment("  match:\n"), (6, 3, "spec.match", code::REQUIRED)),
        (segment(""), (4, 1, "spec.match", code::REQUIRED)),
        (
            segment("  match: {all: [{everyone: true}, {list: {name: No Name}}]}\n"),
            (6, 49, "spec.match.all[1].list.name", code::MALFORMED),
        ),
        (segment("  match: {everyone: true}\n  match: {everyone: true}\n"), (7, 3, "spec.match", code::DUPLICATE)),
        (segment("  match: {everyone: !!bool true}\n"), (6, 28, "spec.match.everyone", code::SYNTAX)),
        (segment("  <<: {match: {everyone: true}}\n  match: {everyone: true}\n"), (6, 3, "spec.<<", code::SYNTAX)),
        (segment("  match: {everyone: true\n"), (6, 10, "", code::SYNTAX)),
        (segment("  match:\n\teveryone: true\n"), (7, 1, "", code::SYNTAX)),
        ("kind: Segment\nmetadata: {name: a}\nspec: {}\n".into(), (1, 1, "apiVersion", code::REQUIRED)),
        ("- a\n- b\n".into(), (1, 3, "apiVersion", code::REQUIRED)),
    ] {
        let report = read(&text);
        assert_eq!(places(&report).first(), Some(&expect), "{text}\n{}", render(&report, Format::Text(Colour::Plain)));
        assert_eq!(report.exit_code(), 1);
        assert!(!report.findings[0].remedy.is_empty());
    }
}

#[test]
fn a_fault_in_one_document_leaves_the_others_good() {
    let good = segment("  match: {everyone: true}\n");
    let text = format!(
        "{good}---\n{}---\n# nothing\n---\n{}",
        good.replace("all", "some").replace("everyone", "everone"),
        good.replace("name: all", "name: rest")
    );
    let report = read(&text);
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.resources.iter().filter(|loaded| loaded.plan.is_some()).count(), 2);
}

#[test]
fn aliases_are_read_and_what_they_stand_for_is_bounded() {
    let report =
        read(&segment("  match: {any: [{attribute: {name: a, in: &v [x, z]}}, {attribute: {name: b, in: *v}}]}\n"));
    assert_eq!(report.exit_code(), 0, "{}", render(&report, Format::Text(Colour::Plain)));
    let own = read(&segment("  match: &m {not: *m}\n"));
    assert_eq!(own.exit_code(), 1);
}

/// Texts that make naive readers use up memory, stack or time.
#[test]
fn hostile_texts_are_refused_in_bounded_time() {
    let wide = |depth: usize| {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..depth {
            let before = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(","));
        }
        text
    };
    let mut chain = String::from("a0: &a0 x\n");
    for level in 1..50_000 {
        chain += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(","));
    for (name, text) in [
        ("aliases of aliases", wide(40)),
        ("a chain of aliases", chain),
        ("a long text, many times", long),
        ("open brackets", "[".repeat(1_000_000)),
        ("open braces", "{a: ".repeat(500_000)),
        ("open blocks", (0..5_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("many documents", "---\na: 1\n".repeat(20_000)),
        ("many anchors", (0..200_000).map(|at| format!("k{at}: &k{at} 1\n")).collect()),
        ("a very large text", format!("a: {}", "x".repeat(7_000_000))),
    ] {
        let started = Instant::now();
        let report = validate_text("hostile.yaml", &text, now());
        assert_eq!(report.exit_code(), 1, "{name}");
        assert!(started.elapsed() < Duration::from_secs(15), "{name} took {:?}", started.elapsed());
    }
}

/// Whatever is done to a good file, the reader answers and every place it names is in the file.
#[test]
fn no_damage_breaks_the_reader() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/double-11");
    let mut texts: Vec<String> = ["campaign.yaml", "rewards.yaml", "segments.yaml"]
        .iter()
        .map(|name| fs::read_to_string(folder.join(name)).unwrap())
        .collect();
    texts.push("{\"apiVersion\": \"fanfare.dev/v1alpha1\",\n\t\"kind\": \"Segment\", \"spec\": {}}".into());
    for text in &texts {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).step_by(text.len() / 60 + 1).collect();
        for at in places {
            let (before, after) = text.split_at(at);
            let rest: String = after.chars().skip(1).collect();
            for damaged in [
                before.to_owned(),
                format!("{before}{rest}"),
                format!("{before}: [{after}"),
                format!("{before}\t{after}"),
            ] {
                for name in ["a.yaml", "a.json"] {
                    let report = validate_text(name, &damaged, now());
                    for finding in &report.findings {
                        assert!(finding.offset + finding.length <= damaged.len(), "{finding:?}");
                    }
                    assert!(!render(&report, Format::Text(Colour::Plain)).is_empty());
                }
            }
        }
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }
}

const CAMPAIGN: &str = "apiVersion: fanfare.dev/v1alpha1\nkind: Campaign\nmetadata: {name: sale}\nspec:\n  title: Sale\n  objective: Promotion\n  schedule: {startAt: \"2026-11-11T00:00\"}\n  audience: {include: [{segment: all}]}\n  mechanics: [{name: half, discount: {percentOff: \"50%\", items: {all: true}}}]\n";
const RUNTIME: &str = "apiVersion: fanfare.dev/v1alpha1\nkind: CampaignRuntime\nmetadata: {name: shop}\nspec: {timeZone: Asia/Bangkok, currency: THB, locales: {default: en}}\n";

#[test]
fn a_folder_is_read_without_demo_data_hidden_folders_and_kustomizations() {
    let folder = Folder::new("folder")
        .with("runtime.yml", RUNTIME)
        .with("deep/er/campaign.yaml", CAMPAIGN)
        .with("deep/segment.json", "{\"apiVersion\":\"fanfare.dev/v1alpha1\",\n\t\"kind\":\"Segment\",\"metadata\":{\"name\":\"all\"},\"spec\":{\"title\":\"All\",\"match\":{\"everyone\":true}}}")
        .with("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: smtp}\n")
        .with("demo/broken.yaml", "a: [")
        .with(".fanfare/broken.yaml", "a: [")
        .with("kustomization.yaml", "resources: [no]")
        .with("notes.txt", "a: [");
    let report = validate_paths(std::slice::from_ref(&folder.0), now());
    assert_eq!(report.exit_code(), 0, "{}", render(&report, Format::Text(Colour::Plain)));
    assert_eq!(report.resources.len(), 3);
    assert_eq!(report.others.len(), 1);
}

#[test]
fn a_single_file_is_judged_beside_its_neighbours() {
    let folder = Folder::new("neighbours")
        .with("campaign.yaml", CAMPAIGN)
        .with("runtime.yaml", RUNTIME)
        .with("broken.yaml", "a: [")
        .with("segment.yaml", &segment("  match: {everyone: true}\n"));
    let report = validate_paths(&[folder.0.join("campaign.yaml")], now());
    assert_eq!(report.exit_code(), 0, "{}", render(&report, Format::Text(Colour::Plain)));
    assert_eq!(report.resources.len(), 1);
    fs::remove_file(folder.0.join("segment.yaml")).unwrap();
    let report = validate_paths(&[folder.0.join("campaign.yaml")], now());
    assert_eq!(places(&report), [(8, 34, "spec.audience.include[0].segment", code::NOT_FOUND)]);
}

#[test]
fn campaigns_without_a_runtime_are_told_so() {
    let folder =
        Folder::new("no-runtime").with("a.yaml", CAMPAIGN).with("b.yaml", &segment("  match: {everyone: true}\n"));
    let report = validate_paths(std::slice::from_ref(&folder.0), now());
    assert_eq!(report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [code::RUNTIME]);
}

#[test]
fn what_cannot_be_read_is_another_exit_code() {
    let folder = Folder::new("unreadable").with("latin.yaml", "").with("empty/readme.txt", "");
    assert_eq!(validate_paths(&[folder.0.join("nowhere.yaml")], now()).exit_code(), 2);
    assert_eq!(validate_paths(&[folder.0.join("empty")], now()).exit_code(), 2);
    fs::write(folder.0.join("latin.yaml"), b"title: caf\xe9\n").unwrap();
    assert_eq!(validate_paths(&[folder.0.join("latin.yaml")], now()).exit_code(), 1);
}

#[test]
fn standard_input_is_read_for_a_hyphen() {
    let text = segment("  match: {everyone: true}\n");
    let report = validate_from(&["-".into()], &mut text.as_bytes(), now());
    assert_eq!((report.exit_code(), report.resources[0].kind), (0, Some(Kind::Segment)));
    let report = validate_from(&["-".into()], &mut "{\"a\": }".as_bytes(), now());
    assert_eq!(places(&report), [(1, 7, "", code::SYNTAX)]);
}

#[test]
fn the_same_findings_are_written_for_machines() {
    let report = read(&segment("  match: {everyone: \"true, 100%\"}\n"));
    let json: Value = serde_json::from_str(&render(&report, Format::Json)).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["findings"][0]["path"], "spec.match.everyone");
    assert_eq!(json["findings"][0]["line"], 6);
    assert_eq!(json["findings"][0]["resource"], "Segment/all");
    let sarif: Value = serde_json::from_str(&render(&report, Format::Sarif)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "wrong-type");
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a.yaml");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 21);
    let github = render(&report, Format::Github);
    assert!(
        github.starts_with("::error file=a.yaml,line=6,col=21,title=wrong-type::Segment/all spec.match.everyone: "),
        "{github}"
    );
    assert!(github.contains("true, 100%25") && github.lines().count() == 1, "{github}");
    let coloured = render(&report, Format::Text(Colour::Ansi));
    assert!(coloured.contains("\u{1b}["));
}
