//! What depends on other resources: whether they are there, fit together, and do not contain each other.

use std::collections::BTreeMap;

use fanfare_core::ids::Name;
use fanfare_core::mechanic::{Rule, spend_threshold::Gives};
use fanfare_core::model::automation::{Action, Occasion};
use fanfare_core::model::campaign::Audience;
use fanfare_core::model::message::{Means, Medium};
use fanfare_core::model::segment::Condition;
use fanfare_core::model::{AutomationPlan, CampaignPlan, Kind, Plan, RuntimePlan, SegmentPlan, TemplatePlan};
use fanfare_core::segment::SEGMENT_DEPTH_MAX;

use super::budget;
use super::error::{FieldError, Findings, Path, code};
use crate::nearest::did_you_mean;

/// How many conditions a Segment may come to, those of the Segments that it names included, each time anew.
const CONDITIONS_IN_ALL_MAX: u64 = 2_000;

/// The other resources of a namespace.
pub trait Catalog {
    /// Its Runtime, if there is a valid one.
    fn runtime(&self) -> Option<&RuntimePlan>;
    /// The names that exist, valid or not.
    fn names(&self, kind: Kind) -> Vec<&str>;
    /// The plan of that name, if it is valid.
    fn plan(&self, kind: Kind, name: &str) -> Option<&Plan>;
}

/// A [`Catalog`] in memory.
#[derive(Clone, Debug, Default)]
pub struct PlanSet {
    entries: BTreeMap<(Kind, String), Option<Plan>>,
}

impl PlanSet {
    /// Says that a resource exists, though it may not be valid.
    pub fn declare(&mut self, kind: Kind, name: &str) {
        self.entries.entry((kind, name.to_owned())).or_default();
    }

    /// Adds or replaces a valid resource.
    pub fn insert(&mut self, name: &str, plan: Plan) {
        self.entries.insert((plan.kind(), name.to_owned()), Some(plan));
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Option<Plan>)> {
        let from = (kind, String::new());
        let entries = self.entries.range(from..).take_while(move |((of, _), _)| *of == kind);
        entries.map(|((_, name), plan)| (name.as_str(), plan))
    }

    /// Takes a resource out.
    pub fn remove(&mut self, kind: Kind, name: &str) {
        self.entries.remove(&(kind, name.to_owned()));
    }
}

impl Catalog for PlanSet {
    fn runtime(&self) -> Option<&RuntimePlan> {
        self.of(Kind::CampaignRuntime).find_map(|(_, plan)| match plan {
            Some(Plan::CampaignRuntime(plan)) => Some(plan),
            _ => None,
        })
    }

    fn names(&self, kind: Kind) -> Vec<&str> {
        self.of(kind).map(|(name, _)| name).collect()
    }

    fn plan(&self, kind: Kind, name: &str) -> Option<&Plan> {
        self.entries.get(&(kind, name.to_owned())).and_then(Option::as_ref)
    }
}

/// Everything that is wrong with `plan` among the resources of `catalog`.
pub fn check_references(plan: &Plan, catalog: &dyn Catalog) -> Vec<FieldError> {
    let mut check = Check { catalog, findings: Findings::default() };
    match plan {
        Plan::Campaign(plan) => check.campaign(plan),
        Plan::Segment(plan) => check.segment(plan),
        Plan::Automation(plan) => check.automation(plan),
        Plan::MessageTemplate(plan) => check.template(plan),
        Plan::Reward(_) | Plan::MessageChannel(_) | Plan::CampaignRuntime(_) => {}
    }
    check.findings.errors
}

struct Check<'a> {
    catalog: &'a dyn Catalog,
    findings: Findings,
}

impl Check<'_> {
    fn exists(&mut self, kind: Kind, name: &Name, path: Path<'_>) {
        let names = self.catalog.names(kind);
        if !names.contains(&name.as_str()) {
            let kind = kind.as_str();
            let remedy = did_you_mean(name.as_str(), names, &format!("add a {kind} of that name, or name another"));
            self.findings.push(path, code::NOT_FOUND, format!("there is no {kind} `{name}`"), remedy);
        }
    }

    fn audience(&mut self, audience: &Audience, path: Path<'_>) {
        for (field, segments) in [("include", &audience.include), ("exclude", &audience.exclude)] {
            let list = path.field(field);
            for (index, segment) in segments.iter().enumerate() {
                self.exists(Kind::Segment, segment, list.index(index).field("segment"));
            }
        }
    }

    fn campaign(&mut self, plan: &CampaignPlan) {
        let path = Path::SPEC;
        self.audience(&plan.audience, path.field("audience"));
        let mechanics = path.field("mechanics");
        for (index, mechanic) in plan.mechanics.iter().enumerate() {
            let at = mechanics.index(index);
            self.audience(&mechanic.scope.audience, at.field("audience"));
            match &mechanic.rule {
                Rule::SpendThreshold(rule) => {
                    let rule_at = at.field("spendThreshold");
                    let tiers = rule_at.field("tiers");
                    for (index, tier) in rule.tiers.iter().enumerate() {
                        if let Gives::Reward(reward) = &tier.gives {
                            self.exists(Kind::Reward, reward, tiers.index(index).field("reward"));
                        }
                    }
                }
                Rule::Lottery(rule) => {
                    let rule_at = at.field("lottery");
                    let prizes = rule_at.field("prizes");
                    for (index, prize) in rule.prizes.iter().enumerate() {
                        if let Some(reward) = &prize.reward {
                            self.exists(Kind::Reward, reward, prizes.index(index).field("reward"));
                        }
                    }
                }
                Rule::Discount(_) | Rule::FlashSale(_) => {}
            }
        }
        if self.findings.errors.is_empty() {
            budget::check(plan, self.catalog, &mut self.findings);
        }
    }

    fn segment(&mut self, plan: &SegmentPlan) {
        let path = Path::SPEC;
        self.condition(&plan.condition, &plan.name, path.field("match"));
        if self.findings.errors.is_empty() {
            self.weight(plan, path.field("match"));
        }
    }

    /// Refuses a Segment that is small to write and huge to ask, because it names Segments that name Segments.
    fn weight(&mut self, plan: &SegmentPlan, path: Path<'_>) {
        let mut known = BTreeMap::new();
        let (conditions, deep) = self.weight_of(&plan.condition, 0, &mut known);
        let remedy = "name fewer Segments, or write their conditions here";
        if conditions > CONDITIONS_IN_ALL_MAX {
            let reason = format!(
                "comes to {conditions} conditions with the Segments that it names; at most {CONDITIONS_IN_ALL_MAX} are asked"
            );
            self.findings.push(path, code::MISFIT, reason, remedy);
        }
        if deep > SEGMENT_DEPTH_MAX {
            let reason =
                format!("names Segments that name Segments, {deep} deep; at most {SEGMENT_DEPTH_MAX} are asked");
            self.findings.push(path, code::MISFIT, reason, remedy);
        }
    }

    /// How many conditions one comes to, and how deep the Segments stand that it names.
    fn weight_of(&self, condition: &Condition, depth: usize, known: &mut BTreeMap<Name, (u64, usize)>) -> (u64, usize) {
        match condition {
            Condition::Segment(name) => {
                if let Some((conditions, deep)) = known.get(name) {
                    return (conditions.saturating_add(1), deep + 1);
                }
                if depth > SEGMENT_DEPTH_MAX {
                    return (1, 1);
                }
                // Those of a cycle that does not come back to the origin: their own admission refuses them.
                known.insert(name.clone(), (0, 0));
                let weight = match self.catalog.plan(Kind::Segment, name.as_str()) {
                    Some(Plan::Segment(plan)) => self.weight_of(&plan.condition, depth + 1, known),
                    _ => (0, 0),
                };
                known.insert(name.clone(), weight);
                (weight.0.saturating_add(1), weight.1 + 1)
            }
            Condition::All(parts) | Condition::Any(parts) => {
                let mut whole = (1_u64, 0);
                for part in parts {
                    let (conditions, deep) = self.weight_of(part, depth, known);
                    whole = (whole.0.saturating_add(conditions), whole.1.max(deep));
                }
                whole
            }
            Condition::Not(part) => {
                let (conditions, deep) = self.weight_of(part, depth, known);
                (conditions.saturating_add(1), deep)
            }
            _ => (1, 0),
        }
    }

    fn condition(&mut self, condition: &Condition, origin: &Name, path: Path<'_>) {
        match condition {
            Condition::Segment(name) => {
                let at = path.field("segment");
                self.exists(Kind::Segment, name, at);
                if let Some(way) = self.way_back(name, origin) {
                    let reason = format!("the segment contains itself: {origin} → {way}");
                    self.findings.push(at, code::CYCLE, reason, "remove one of these references");
                }
            }
            Condition::All(inner) => self.conditions(inner, origin, path.field("all")),
            Condition::Any(inner) => self.conditions(inner, origin, path.field("any")),
            Condition::Not(inner) => self.condition(inner, origin, path.field("not")),
            Condition::Everyone
            | Condition::Attribute { .. }
            | Condition::Behavior(_)
            | Condition::Sequence(_)
            | Condition::Lifecycle(_)
            | Condition::Location(_)
            | Condition::Tags { .. }
            | Condition::Interests(_)
            | Condition::List(_) => {}
        }
    }

    fn conditions(&mut self, conditions: &[Condition], origin: &Name, path: Path<'_>) {
        for (index, condition) in conditions.iter().enumerate() {
            self.condition(condition, origin, path.index(index));
        }
    }

    /// How `from` leads back to `origin`, if it does: `a → b → origin`.
    fn way_back(&self, from: &Name, origin: &Name) -> Option<String> {
        let mut seen: Vec<&Name> = Vec::new();
        let mut ways = vec![(from.clone(), from.to_string())];
        let mut visited: Vec<Name> = Vec::new();
        while let Some((name, way)) = ways.pop() {
            if name == *origin {
                return Some(way);
            }
            if visited.contains(&name) {
                continue;
            }
            if let Some(Plan::Segment(plan)) = self.catalog.plan(Kind::Segment, name.as_str()) {
                seen.clear();
                segments_of(&plan.condition, &mut seen);
                ways.extend(seen.iter().map(|next| ((*next).clone(), format!("{way} → {next}"))));
            }
            visited.push(name);
        }
        None
    }

    fn automation(&mut self, plan: &AutomationPlan) {
        let path = Path::SPEC;
        let mut occasion = |occasion: &Occasion, at: Path<'_>| {
            if let Some(segment) = occasion.segment() {
                let at = at.field("segment");
                self.exists(Kind::Segment, segment, at.field("name"));
            }
        };
        occasion(&plan.trigger, path.field("trigger"));
        let exits = path.field("exit");
        for (index, exit) in plan.exit.iter().enumerate() {
            occasion(exit, exits.index(index));
        }
        let steps = path.field("steps");
        for (index, step) in plan.steps.iter().enumerate() {
            let at = steps.index(index);
            match &step.action {
                Action::Send { channel, template, on_ambiguous: _ } => {
                    let send = at.field("send");
                    self.exists(Kind::MessageChannel, channel, send.field("channel"));
                    self.exists(Kind::MessageTemplate, template, send.field("template"));
                    self.fits(channel, template, send.field("template"));
                }
                Action::Issue { reward } => {
                    let issue = at.field("issue");
                    self.exists(Kind::Reward, reward, issue.field("reward"));
                }
                Action::Wait { .. } => {}
            }
        }
    }

    fn fits(&mut self, channel: &Name, template: &Name, path: Path<'_>) {
        let means = match self.catalog.plan(Kind::MessageChannel, channel.as_str()) {
            Some(Plan::MessageChannel(plan)) => &plan.means,
            _ => return,
        };
        let written_for = match self.catalog.plan(Kind::MessageTemplate, template.as_str()) {
            Some(Plan::MessageTemplate(plan)) => plan.medium,
            _ => return,
        };
        let (sent_as, word) = match means {
            Means::Smtp { .. } => (Medium::Email, "Email"),
            Means::InApp => (Medium::InApp, "InApp"),
        };
        if sent_as != written_for {
            let reason = format!("`{template}` is not written for `{channel}`, which sends {word}");
            self.findings.push(path, code::MISFIT, reason, format!("name a template of kind: {word}"));
        }
    }

    fn template(&mut self, plan: &TemplatePlan) {
        let Some(runtime) = self.catalog.runtime() else { return };
        if !plan.locales.contains_key(&runtime.default_locale) {
            let reason = format!("there is no text in `{}`, the Runtime's default language", runtime.default_locale);
            let remedy = "add it: members whose own language is missing read it";
            self.findings.push(Path::SPEC.field("locales"), code::NOT_FOUND, reason, remedy);
        }
    }
}

fn segments_of<'a>(condition: &'a Condition, found: &mut Vec<&'a Name>) {
    match condition {
        Condition::Segment(name) => found.push(name),
        Condition::All(inner) | Condition::Any(inner) => inner.iter().for_each(|each| segments_of(each, found)),
        Condition::Not(inner) => segments_of(inner, found),
        Condition::Everyone
        | Condition::Attribute { .. }
        | Condition::Behavior(_)
        | Condition::Sequence(_)
        | Condition::Lifecycle(_)
        | Condition::Location(_)
        | Condition::Tags { .. }
        | Condition::Interests(_)
        | Condition::List(_) => {}
    }
}
