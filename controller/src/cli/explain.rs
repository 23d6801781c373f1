//! `fanfare explain segment FILE|NAME`: what a Segment means, node by node, in the words that its reasons use too.

use super::suspend::{Target, objects};
use crate::clock::WallClock;
use anyhow::{Context, bail};
use fanfare_core::{
    ids::Name,
    model::{Kind, Plan, SegmentPlan},
    segment::{Outline, outline},
    time::Clock,
};
use fanfare_crds::{
    admit::{Verdict, admit_all},
    files::{self, Colour, Format},
};
use kube::api::ListParams;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// How many objects of a kind are asked for at once; more Segments than this are no one's to read.
const OBJECTS_MAX: u32 = 5_000;

/// What is explained.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say in plain words who belongs to a Segment.
    Segment(SegmentArgs),
}

/// Which Segment.
#[derive(Debug, clap::Args)]
pub struct SegmentArgs {
    /// A file or folder, whose Segments are explained, or the name of a Segment that is applied.
    #[arg(value_name = "FILE|NAME")]
    what: String,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// Explains; exit code 1 where something is wrong with what was named.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Segment(args) = command;
    let path = PathBuf::from(&args.what);
    let (wanted, all) = if path.exists() {
        match of_files(&path) {
            Ok(found) => found,
            Err(code) => return Ok(code),
        }
    } else {
        of_cluster(&args.what, &args.target).await?
    };
    out!("{}", written(&wanted, &all, args.output));
    Ok(ExitCode::SUCCESS)
}

type Plans = BTreeMap<Name, SegmentPlan>;

/// The Segments that a path names, and all that stand beside them; mistakes are printed as `validate` does.
fn of_files(path: &Path) -> Result<(Vec<Name>, Plans), ExitCode> {
    let now = WallClock.now();
    let report = files::validate_paths(&[path.to_owned()], now);
    let code = report.exit_code();
    let named: Vec<Name> =
        segments(report.resources.iter().filter_map(|loaded| loaded.plan.as_ref())).into_keys().collect();
    if code != 0 || named.is_empty() {
        let colour = if std::io::stdout().is_terminal() { Colour::Ansi } else { Colour::Plain };
        outln!("{}", files::render(&report, Format::Text(colour)).trim_end());
        if code == 0 {
            outln!("there is no Segment in {}", path.display());
        }
        return Err(ExitCode::from(code.max(1)));
    }
    let folder = path.parent().filter(|_| path.is_file()).map(|parent| match parent.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => parent.to_owned(),
    });
    let beside = folder.map(|folder| files::validate_paths(&[folder], now)).unwrap_or_default();
    let all = beside.resources.iter().chain(&report.resources).filter_map(|loaded| loaded.plan.as_ref());
    Ok((named, segments(all)))
}

fn segments<'a>(plans: impl Iterator<Item = &'a Plan>) -> Plans {
    let of_segment = |plan: &Plan| match plan {
        Plan::Segment(plan) => Some((plan.name.clone(), plan.clone())),
        _ => None,
    };
    plans.filter_map(of_segment).collect()
}

/// The Segment of that name, read from the Kubernetes API with its Runtime and the others.
async fn of_cluster(name: &str, target: &Target) -> anyhow::Result<(Vec<Name>, Plans)> {
    let mut raw: Vec<Value> = Vec::new();
    for kind in [Kind::CampaignRuntime, Kind::Segment] {
        let listed = objects(target, kind).await?.list(&ListParams::default().limit(OBJECTS_MAX)).await;
        let listed = listed.with_context(|| {
            format!("{name:?} is no file, and the Kubernetes API does not say which Segments there are")
        })?;
        raw.extend(listed.items.iter().map(|object| fanfare_reconcile::observe::raw(object, kind)));
    }
    let verdicts = admit_all(&raw.iter().collect::<Vec<_>>(), WallClock.now());
    let of_name = |verdict: &&Verdict| verdict.kind == Some(Kind::Segment) && verdict.name.as_deref() == Some(name);
    let Some(found) = verdicts.iter().find(of_name) else {
        bail!("{name:?} is neither a file nor the name of a Segment; `kubectl get segments` lists them")
    };
    if let Err(errors) = &found.result {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        bail!("the Segment {name} cannot be served:\n  {}", errors.join("\n  "));
    }
    let all = segments(verdicts.iter().filter_map(|verdict| verdict.result.as_ref().ok()));
    Ok((vec![Name::from(name)], all))
}

fn written(wanted: &[Name], all: &Plans, output: Output) -> String {
    let lookup = |name: &Name| all.get(name).map(|plan| &plan.condition);
    let found = wanted.iter().filter_map(|name| all.get(name));
    let outlined = found.map(|plan| (plan, outline(&plan.condition, &lookup)));
    match output {
        Output::Json => {
            let value: Vec<Value> = outlined
                .map(|(plan, tree)| json!({"name": plan.name, "title": plan.title, "means": tree.means, "of": tree.of}))
                .collect();
            format!("{:#}\n", Value::Array(value))
        }
        Output::Text => {
            let texts: Vec<String> = outlined
                .map(|(plan, tree)| {
                    let mut text = format!("{}: {}\n", plan.name, plan.title);
                    branch(&tree, "  ", "  ", &mut text);
                    text
                })
                .collect();
            texts.join("\n")
        }
    }
}

fn branch(tree: &Outline, first: &str, further: &str, text: &mut String) {
    let colon = if tree.of.is_empty() { "" } else { ":" };
    text.push_str(&format!("{first}{}{colon}\n", tree.means));
    let last = tree.of.len().saturating_sub(1);
    for (index, part) in tree.of.iter().enumerate() {
        let (mark, below) = if index == last { ("└ ", "  ") } else { ("├ ", "│ ") };
        branch(part, &format!("{further}{mark}"), &format!("{further}{below}"), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_core::model::segment::Condition;

    #[test]
    fn each_node_stands_on_a_line_and_a_segment_that_is_named_is_explained_below_it() {
        let staff = Condition::Tags { any: vec!["staff".into()], all: Vec::new(), none: Vec::new() };
        let core = Condition::All(vec![
            Condition::List("vips".into()),
            Condition::Not(Box::new(Condition::Segment("staff".into()))),
        ]);
        let plan = |name: &str, condition| SegmentPlan { name: name.into(), title: format!("The {name}"), condition };
        let all: Plans = [plan("core", core), plan("staff", staff)].map(|plan| (plan.name.clone(), plan)).into();
        assert_eq!(
            written(&["core".into()], &all, Output::Text),
            "core: The core\n  all of these hold:\n  ├ stands on the list vips\n  └ this does not hold:\n    └ belongs to the segment staff:\n      └ has at least one of the tags staff\n"
        );
        let json: Value = serde_json::from_str(&written(&["core".into()], &all, Output::Json)).unwrap();
        assert_eq!(json[0]["of"][1]["of"][0]["means"], "belongs to the segment staff");
    }
}
