//! One object from observation to status: the path that a change, a timer and a start all take.

use crate::{
    codes, conditions, currency,
    driver::{Context, RESYNC},
    events::Note,
    figures,
    kinds::api_resource,
    measure::Put,
    observe::{self, Seen},
    plan::{Fault, Standing, Verdict, base_claims, campaign_claims, reason},
    queue::Key,
    status::{Change, FIGURES, changes, compare},
};
use fanfare_core::{
    ids::Name,
    model::{Kind, Plan, schedule::Phase},
};
use fanfare_engine::{
    CallError, Engine,
    publish::{Publish, Retire},
    suspend::Resume,
};
use kube::{
    Resource,
    api::{Patch, PatchParams},
    core::{DynamicObject, Request},
};
use serde_json::{Value, json};
use std::time::Duration;
use thiserror::Error;

/// Why an object could not be looked at; it is tried again.
#[derive(Debug, Error)]
pub enum Error {
    /// Whoever asks may not write any more.
    #[error("another may have taken over")]
    Deposed,
    /// The API server took too long.
    #[error("writing the status: no answer in {} s", WRITE_MAX.as_secs())]
    Late,
    /// The database did not take it.
    #[error("publishing: {0}")]
    Engine(#[from] CallError),
    /// The database did not answer.
    #[error("reading the database: {0}")]
    Store(#[from] fanfare_engine::store::Error),
    /// It was refused by the engine.
    #[error("publishing was refused: {0}")]
    Refused(String),
    /// The API server did not take the status.
    #[error("writing the status: {0}")]
    Kube(#[from] Box<kube::Error>),
}

impl Error {
    /// Whether another has won the right to write.
    pub(crate) fn is_fenced(&self) -> bool {
        match self {
            Self::Deposed => true,
            Self::Engine(error) => error.is_fenced(),
            Self::Late | Self::Store(_) | Self::Refused(_) | Self::Kube(_) => false,
        }
    }
}

/// How long the API server may take for a status: a connection that hangs must not hold a worker for good.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long after a campaign came or went the Runtime's are counted.
const COUNT_AFTER: Duration = Duration::from_secs(1);
/// When an object is looked at again that was published before the Runtime was.
const SOON: Duration = Duration::from_millis(500);
/// How often a channel or a reward with a Secret is looked at, since nobody tells when that comes or goes.
const SECRETS_EVERY: Duration = Duration::from_secs(10);

/// Looks at one object; answers when to look again, if not for a change before.
///
/// # Errors
/// [`Error`] when the database or the API server did not answer.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Option<Duration>, Error> {
    if !(context.may_write)() {
        return Err(Error::Deposed);
    }
    let engine = &context.engines.of(&key.namespace).await?;
    let Some(object) = context.catalog.get(key).filter(|object| object.metadata.deletion_timestamp.is_none()) else {
        retire(context, engine, key).await?;
        return Ok(None);
    };
    let mut seen = observe::observe(context, engine, key, &object);
    let runtime = match &seen.verdict {
        Verdict::Serve(plan, _) => match &**plan {
            Plan::CampaignRuntime(runtime) => Some(runtime.clone()),
            _ => None,
        },
        Verdict::Keep(_) => None,
    };
    if let Some(runtime) = &runtime
        && let Some((field, reason, remedy)) =
            currency::clash(currency::of_ledger(engine.store(), engine.namespace()).await?.as_deref(), runtime)
    {
        seen.verdict = Verdict::Keep(Fault::Invalid(format!("{field}: {reason}; {remedy}")));
    }
    if let Some(stopped) = seen.stopped.take() {
        let (outcome, _) = engine.execute(stopped).await?;
        outcome.map_err(|refused| Error::Refused(refused.refusal.detail))?;
    }
    let (mut hindrance, mut declared) = (None, None);
    if let Verdict::Serve(plan, revision) = &seen.verdict {
        if let (Plan::Campaign(plan), Some(wished_at)) = (&**plan, seen.resumed_at) {
            let resume = Resume {
                name: Name::from(key.name.as_str()),
                wished_at,
                plan: plan.clone(),
                revision: revision.clone(),
                generation: seen.generation,
                actor: seen.author.clone().unwrap_or_else(|| "unknown".into()),
            };
            let (outcome, _) = engine.execute(resume).await?;
            outcome.map_err(|refused| Error::Refused(refused.refusal.detail))?;
        }
        let publish = Publish {
            name: Name::from(key.name.as_str()),
            revision: revision.clone(),
            plan: (**plan).clone(),
            generation: seen.generation,
            author: seen.author.clone(),
        };
        let (outcome, _) = engine.execute(publish).await?;
        outcome.map_err(|refused| Error::Refused(refused.refusal.detail))?;
        count_again(context, key);
        hindrance = context.logins.fault(engine, plan).await;
        declared = codes::claim(engine, plan).await?;
    }
    (seen.hindrance, seen.codes) = (hindrance, declared);
    // The Runtime is there and the database does not serve it yet: its money can be told in a moment.
    let early = matches!(seen.verdict, Verdict::Serve(..)) && engine.plans().runtime.is_none();
    let next = report(context, engine, key, &object, &seen).await?;
    if early {
        return Ok(Some(SOON));
    }
    if key.kind == Kind::MessageChannel || seen.codes.is_some() {
        return Ok(Some(SECRETS_EVERY));
    }
    // Sizes of segments move with the time alone, and a status may be overwritten by hand.
    Ok(Some(next.map_or(RESYNC, |next| next.min(RESYNC))))
}

async fn retire(context: &Context, engine: &Engine, key: &Key) -> Result<(), Error> {
    let name = Name::from(key.name.as_str());
    let retire = Retire { kind: key.kind, name, actor: crate::events::REPORTER.into() };
    let (outcome, _) = engine.execute(retire).await?;
    outcome.map_err(|refused| Error::Refused(refused.refusal.detail))?;
    context.pace.forget(key);
    count_again(context, key);
    Ok(())
}

/// The Runtime shows how many campaigns there are; many at once are counted once.
fn count_again(context: &Context, changed: &Key) {
    if changed.kind == Kind::Campaign {
        for (key, _) in context.catalog.of_kind(Kind::CampaignRuntime, &changed.namespace) {
            context.queue.add(key, COUNT_AFTER);
        }
    }
}

/// Writes the status when it has to be, and events on transitions.
async fn report(
    context: &Context,
    engine: &Engine,
    key: &Key,
    object: &DynamicObject,
    seen: &Seen,
) -> Result<Option<Duration>, Error> {
    let shown = object.data.get("status").cloned().unwrap_or_else(|| json!({}));
    let facts = figures::of(context, engine, key, seen).await?;
    let wanted = status(context, key, seen, &shown, facts.status, facts.phase, &facts.standing);
    match compare(&shown, &wanted) {
        Change::None => return Ok(facts.next),
        Change::Figures => {
            if let Err(wait) = context.pace.figures(key, tokio::time::Instant::now()) {
                return Ok(Some(facts.next.map_or(wait, |next| next.min(wait))));
            }
        }
        Change::Transition => context.pace.wrote(key),
    }
    let resource = api_resource(key.kind);
    let params = PatchParams { field_manager: Some(crate::events::REPORTER.into()), ..PatchParams::default() };
    let version = object.metadata.resource_version.as_deref();
    let patch = json!({ "metadata": { "resourceVersion": version }, "status": changes(&shown, &wanted) });
    let url = DynamicObject::url_path(&resource, Some(&key.namespace));
    let request = Request::new(url).patch_subresource("status", &key.name, &params, &Patch::Merge(&patch));
    let request = request.map_err(|error| Box::new(kube::Error::BuildRequest(error)))?;
    let written = {
        // It is never closed.
        let _place = context.writes.acquire().await;
        // The watch brings what it became, so the answer is not read.
        tokio::time::timeout(WRITE_MAX, context.client.request_text(request)).await
    };
    let counts = |put| context.metrics.status_written(key.kind, put);
    match written.map_err(|_| Error::Late).inspect_err(|_| counts(Put::Failed))? {
        Ok(_) => counts(Put::Taken),
        // Changed or deleted meanwhile: the watch brings the newer one, which is looked at then.
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => {
            counts(Put::Conflict);
            return Ok(Some(Duration::from_millis(200)));
        }
        Err(error) => {
            counts(Put::Failed);
            return Err(Box::new(error).into());
        }
    }
    context.events.add(object.object_ref(&resource), transitions(&shown, &wanted));
    Ok(facts.next)
}

/// The whole status: figures, conditions and what it is about.
fn status(
    context: &Context,
    key: &Key,
    seen: &Seen,
    shown: &Value,
    figures: Value,
    phase: Phase,
    standing: &Standing,
) -> Value {
    let mut claims = match &seen.hindrance {
        Some(hindrance) => base_claims(&Verdict::Keep(Fault::Waiting(reason::SECRET_MISSING, hindrance.clone()))),
        None => base_claims(&seen.verdict),
    };
    claims.extend(seen.codes.clone());
    let mut status = figures;
    if status["budget"].is_null()
        && let Some(fields) = status.as_object_mut()
    {
        fields.remove("budget");
    }
    let money = match key.kind {
        Kind::Campaign => Some("metrics"),
        Kind::Reward => Some("cost"),
        _ => None,
    };
    if money.is_some_and(|name| status[name].is_null())
        && let (Some(fields), Some(shown)) = (status.as_object_mut(), shown.as_object())
    {
        // Money cannot be told without a Runtime's currency: what was shown last stays.
        for (name, value) in shown.iter().filter(|(name, _)| FIGURES.contains(&name.as_str())) {
            fields.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
    if key.kind == Kind::Campaign {
        claims.extend(campaign_claims(&seen.verdict, phase, standing));
        status["phase"] = json!(phase.as_str());
    }
    let former = shown.get("conditions").cloned().and_then(|c| serde_json::from_value(c).ok()).unwrap_or_default();
    let former: Vec<conditions::Condition> = former;
    let now = context.wall.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    status["conditions"] = json!(conditions::set(&former, &claims, seen.generation, &now));
    status["observedGeneration"] = json!(seen.generation);
    if matches!(key.kind, Kind::Campaign | Kind::Reward | Kind::Automation) {
        match &seen.verdict {
            Verdict::Serve(_, revision) => {
                let mut about = json!({ "hash": revision });
                for (field, value) in [("git", &seen.git), ("author", &seen.author)] {
                    if let Some(value) = value {
                        about[field] = json!(value);
                    }
                }
                status["revision"] = about;
            }
            Verdict::Keep(_) => {
                if let Some(about) = shown.get("revision") {
                    status["revision"] = about.clone();
                }
            }
        }
    }
    status
}

/// What changed between two statuses that a person would want to be told.
fn transitions(shown: &Value, wanted: &Value) -> Vec<Note> {
    let mut notes = Vec::new();
    let phase = |status: &Value| status.get("phase").and_then(Value::as_str).map(str::to_owned);
    if let (was, Some(is)) = (phase(shown), phase(wanted))
        && was.as_deref() != Some(is.as_str())
    {
        let text =
            was.map_or_else(|| format!("the campaign is {is}"), |was| format!("the campaign went from {was} to {is}"));
        notes.push(Note { warning: false, reason: format!("Campaign{is}"), action: "Reconcile", text });
    }
    let condition = |status: &Value, kind: &str| {
        let all = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        all.into_iter().find(|c| c["type"] == kind)
    };
    for kind in ["Ready", "WithinBudget", codes::KIND] {
        let (Some(is), was) = (condition(wanted, kind), condition(shown, kind)) else { continue };
        let told = is["reason"] == reason::REACHED;
        let same = was.is_some_and(|was| {
            was["status"] == is["status"] && was["reason"] == is["reason"] && (!told || was["message"] == is["message"])
        });
        let first_and_fine = kind != "Ready" && is["status"] == "True" && !told;
        if same || first_and_fine {
            continue;
        }
        let text = |field: &str| is[field].as_str().unwrap_or_default().to_owned();
        notes.push(Note {
            warning: is["status"] != "True" || told,
            reason: text("reason"),
            action: "Reconcile",
            text: text("message"),
        });
    }
    notes
}

impl Verdict {
    /// What is wrong, if anything is.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Serve(..) => None,
            Self::Keep(fault) => Some(fault),
        }
    }
}
