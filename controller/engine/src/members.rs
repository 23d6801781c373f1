//! Members: what a shop says of them, what they say of themselves, and how a till finds one.
//!
//! Attributes are what the Runtime declares; identities are unique in the namespace. Nobody is created twice.

use crate::{
    Command, Engine, Halt,
    fault::{Fault, nearest},
    plans::Plans,
    tx::Tx,
};
use fanfare_core::{
    ids::{AccountId, MemberId},
    model::{
        RuntimePlan,
        runtime::Attribute,
        segment::{Decimal, Point, Scalar},
    },
};
use fanfare_store::{
    Keys,
    rows::{Consent, Member},
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The most free labels of one member.
pub const TAGS_MAX: usize = 200;
/// The most identities of one member.
pub const IDENTITIES_MAX: usize = 20;
/// The most channels or topics that a consent names.
pub const CONSENTS_MAX: usize = 100;
/// The longest attribute text, tag or identity, in bytes.
pub const TEXT_MAX_BYTES: usize = 500;
/// The longest id of a member, in bytes.
pub const ID_MAX_BYTES: usize = 200;
/// How a text is that is not plain.
const NOT_PLAIN: &str = "empty, longer than 500 bytes, with control characters";
/// The most members of one [`ImportMembers`].
pub const IMPORT_MAX: usize = 1_000;

/// The types that an identity may have.
pub const IDENTITY_TYPES: [&str; 4] = ["phone", "email", "wechat", "card"];

/// A member as it stands after a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The member.
    pub member: Member,
    /// Whether nobody knew it before.
    pub is_new: bool,
}

/// Why a member was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// The input is wrong.
    Invalid(Vec<Fault>),
    /// An identity belongs to another member.
    Conflict(Vec<Fault>),
}

/// What a shop says of a member. What is `None` stays as it is; what is given replaces.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// All attributes.
    pub attributes: Option<Map<String, Value>>,
    /// All tags.
    pub tags: Option<BTreeSet<String>>,
    /// Consents, by key: others stay as they are.
    pub consent: Option<Consent>,
    /// All identities as (type, value).
    pub identities: Option<Vec<(String, String)>>,
}

/// Creates or changes a member for the shop.
#[derive(Clone, Debug)]
pub struct UpsertMember {
    /// Which.
    pub id: MemberId,
    /// What is said of it.
    pub profile: Profile,
}

impl Command for UpsertMember {
    type Answer = Result<Saved, Unsaved>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.insert(self.id.clone());
        for (kind, value) in self.profile.identities.iter().flatten() {
            keys.identities.insert((kind.clone(), normalise(kind, value)));
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        upsert(tx, &self.id, &self.profile)
    }
}

/// Creates or changes many members; a wrong one is rejected and the others are taken.
#[derive(Clone, Debug)]
pub struct ImportMembers {
    /// At most [`IMPORT_MAX`].
    pub members: Vec<UpsertMember>,
}

/// What became of each row of an import, in order.
pub type Imported = Vec<Result<(), Unsaved>>;

impl Command for ImportMembers {
    type Answer = Imported;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        for member in &self.members {
            member.prefetch(plans, keys);
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Imported, Halt> {
        let mut outcomes = Vec::with_capacity(self.members.len());
        let mut missing = false;
        for row in &self.members {
            match upsert(tx, &row.id, &row.profile) {
                Ok(outcome) => outcomes.push(outcome.map(drop)),
                // Go on, so that one look at the database brings what all the others miss too.
                Err(Halt::Missing) => missing = true,
                Err(refused) => return Err(refused),
            }
        }
        if missing { Err(Halt::Missing) } else { Ok(outcomes) }
    }
}

/// Makes sure that a member exists, as a login or an event does.
#[derive(Clone, Debug)]
pub struct EnsureMember {
    /// Which; `None` makes a guest under a new id.
    pub id: Option<MemberId>,
}

impl Command for EnsureMember {
    type Answer = Saved;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.extend(self.id.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Saved, Halt> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => MemberId::from(format!("guest-{}", tx.new_id())),
        };
        ensure(tx, &id)
    }
}

/// Changes what a member says of itself: attributes that are the member's to tell; `null` takes one away.
#[derive(Clone, Debug)]
pub struct PatchMe {
    /// Who.
    pub member: MemberId,
    /// Attributes by name.
    pub attributes: Map<String, Value>,
}

impl Command for PatchMe {
    type Answer = Result<Member, Unsaved>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.insert(self.member.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let mut member = ensure(tx, &self.member)?.member;
        let runtime = tx.runtime()?;
        let mut faults = Vec::new();
        for (name, value) in &self.attributes {
            // Words from a list, such as a tier, are what the shop says of a member.
            if matches!(runtime.attributes.get(name), Some(Attribute::Enum(_))) {
                let at = pointer("/attributes", name);
                faults.push(Fault::new(at, "is set by the shop", "leave it out; the shop changes it"));
                continue;
            }
            match (value, runtime.attributes.contains_key(name)) {
                (Value::Null, true) => drop(member.attributes.remove(name)),
                _ => match typed(runtime, name, value) {
                    Ok(scalar) => drop(member.attributes.insert(name.clone(), scalar)),
                    Err(fault) => faults.push(fault),
                },
            }
        }
        if !faults.is_empty() {
            return Ok(Err(Unsaved::Invalid(faults)));
        }
        tx.put_member(member.clone());
        Ok(Ok(member))
    }
}

/// Sets what a member agrees to, by key; keys that are not named stay as they are.
#[derive(Clone, Debug)]
pub struct SetConsent {
    /// Who.
    pub member: MemberId,
    /// To what.
    pub consent: Consent,
}

impl Command for SetConsent {
    type Answer = Result<Member, Unsaved>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.insert(self.member.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let mut member = ensure(tx, &self.member)?.member;
        agree(&mut member.consent, &self.consent);
        let faults = consent_faults(&member.consent, "");
        if !faults.is_empty() {
            return Ok(Err(Unsaved::Invalid(faults)));
        }
        tx.put_member(member.clone());
        Ok(Ok(member))
    }
}

/// By what a till names a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handle {
    /// The shop's id.
    Id(MemberId),
    /// A phone number.
    Phone(String),
    /// A membership card's number.
    Card(String),
}

/// Finds a member; changes nothing.
#[derive(Clone, Debug)]
pub struct ResolveMember(pub Handle);

impl Command for ResolveMember {
    type Answer = Option<Member>;

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Member>, Halt> {
        let id = match &self.0 {
            Handle::Id(id) => Some(id.clone()),
            Handle::Phone(number) => tx.identity("phone", &normalise("phone", number))?.cloned(),
            Handle::Card(number) => tx.identity("card", &normalise("card", number))?.cloned(),
        };
        let Some(id) = id else { return Ok(None) };
        Ok(tx.member(&id)?.filter(|member| member.merged_into.is_none()).cloned())
    }
}

impl Engine {
    /// A member, `None` when nobody knows it.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn member(&self, id: &MemberId) -> Result<Option<Member>, fanfare_store::Error> {
        self.store().member(self.namespace(), id).await
    }
}

/// What a till may show of a member: the attribute `displayName`, `nickname` or `name`, else its id.
pub fn display_name(member: &Member) -> String {
    let named = ["displayName", "nickname", "name"].iter().find_map(|name| match member.attributes.get(*name) {
        Some(Scalar::Text(text)) => Some(text.clone()),
        _ => None,
    });
    named.unwrap_or_else(|| member.id.to_string())
}

/// The member of an id, made when nobody knows it.
///
/// # Errors
/// Missing when its row is not loaded.
pub(crate) fn ensure(tx: &mut Tx<'_>, id: &MemberId) -> Result<Saved, Halt> {
    if let Some(member) = tx.member(id)? {
        return Ok(Saved { member: member.clone(), is_new: false });
    }
    let account = AccountId::from(format!("{:016x}{:016x}", tx.random().bits(), tx.random().bits()));
    let member = Member {
        id: id.clone(),
        account,
        attributes: BTreeMap::new(),
        tags: BTreeSet::new(),
        consent: Consent::default(),
        identities: BTreeSet::new(),
        created_at: tx.now,
        merged_into: None,
    };
    tx.put_member(member.clone());
    Ok(Saved { member, is_new: true })
}

fn upsert(tx: &mut Tx<'_>, id: &MemberId, profile: &Profile) -> Result<Result<Saved, Unsaved>, Halt> {
    let Profile { attributes, tags, consent, identities } = profile;
    let mut faults = Vec::new();
    if let Some(reason) = id_fault(id) {
        faults.push(Fault::new("/id", reason, "use a short plain id"));
    }
    let known = tx.member(id)?.cloned();
    let runtime = tx.runtime()?;
    let attributes = attributes.as_ref().map(|given| {
        let typed = given.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
            let scalar = typed(runtime, name, value)?;
            Ok((name.clone(), scalar))
        });
        let (fine, wrong): (Vec<_>, Vec<_>) = typed.partition(Result::is_ok);
        faults.extend(wrong.into_iter().filter_map(Result::err));
        fine.into_iter().filter_map(Result::ok).collect::<BTreeMap<_, _>>()
    });
    for (at, tag) in tags.iter().flatten().enumerate() {
        if !is_plain(tag) || at >= TAGS_MAX {
            let reason = format!("is {NOT_PLAIN}, or beyond {TAGS_MAX} tags");
            faults.push(Fault::new(format!("/tags/{at}"), reason, "leave it out"));
        }
    }
    faults.extend(consent.iter().flat_map(|consent| consent_faults(consent, "/consent")));
    let identities = identities.as_ref().map(|given| checked_identities(given, &mut faults));
    if !faults.is_empty() {
        return Ok(Err(Unsaved::Invalid(faults)));
    }
    let taken = taken_identities(tx, id, identities.as_ref())?;
    if !taken.is_empty() {
        return Ok(Err(Unsaved::Conflict(taken)));
    }
    let is_new = known.is_none();
    let mut member = match known {
        Some(member) => member,
        None => ensure(tx, id)?.member,
    };
    if let Some(attributes) = attributes {
        member.attributes = attributes;
    }
    if let Some(tags) = tags {
        member.tags = tags.clone();
    }
    if let Some(consent) = consent {
        agree(&mut member.consent, consent);
    }
    if let Some(identities) = identities {
        member.identities = identities;
    }
    tx.put_member(member.clone());
    Ok(Ok(Saved { member, is_new }))
}

/// The identities that another member has.
fn taken_identities(
    tx: &Tx<'_>,
    id: &MemberId,
    identities: Option<&BTreeSet<(String, String)>>,
) -> Result<Vec<Fault>, Halt> {
    let mut taken = Vec::new();
    for (at, identity) in identities.into_iter().flatten().enumerate() {
        let holder = tx.identity(&identity.0, &identity.1)?.filter(|holder| *holder != id).cloned();
        let Some(holder) = holder else { continue };
        // The batch may have taken it off that member since it was loaded.
        if tx.member(&holder)?.is_some_and(|member| member.identities.contains(identity)) {
            let reason = format!("this {} belongs to another member", identity.0);
            taken.push(Fault::new(format!("/identities/{at}"), reason, "take it off that member first"));
        }
    }
    Ok(taken)
}

/// Why this cannot be a member's id, if it cannot.
pub(crate) fn id_fault(id: &MemberId) -> Option<String> {
    let text = id.as_str();
    let fits = !text.is_empty() && text.len() <= ID_MAX_BYTES && !text.contains(char::is_control);
    (!fits).then(|| format!("is empty, longer than {ID_MAX_BYTES} bytes or has control characters"))
}

/// A text that no database cuts and no screen garbles.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_MAX_BYTES && !text.contains(char::is_control)
}

fn checked_identities(given: &[(String, String)], faults: &mut Vec<Fault>) -> BTreeSet<(String, String)> {
    let mut identities = BTreeSet::new();
    for (at, (kind, value)) in given.iter().enumerate() {
        let value = normalise(kind, value);
        if !IDENTITY_TYPES.contains(&kind.as_str()) {
            let reason = format!("{kind:?} is no type of identity");
            let remedy = format!("use one of {}", IDENTITY_TYPES.join(", "));
            faults.push(Fault::new(format!("/identities/{at}/type"), reason, remedy));
        } else if !is_plain(&value) || at >= IDENTITIES_MAX {
            let reason = format!("is {NOT_PLAIN}, or beyond {IDENTITIES_MAX} identities");
            faults.push(Fault::new(format!("/identities/{at}/value"), reason, "leave it out or correct it"));
        } else if kind == "email" && !value.contains('@') {
            let at = format!("/identities/{at}/value");
            faults.push(Fault::new(at, "is no e-mail address", "write such as name@example.com"));
        } else {
            identities.insert((kind.clone(), value));
        }
    }
    identities
}

/// The one way in which an identity is written, so that a till's spelling finds it.
pub fn normalise(kind: &str, value: &str) -> String {
    match kind {
        "email" => value.trim().to_lowercase(),
        "phone" => value.chars().filter(|c| !c.is_whitespace() && !"-().".contains(*c)).collect(),
        "card" => value.chars().filter(|c| !c.is_whitespace() && *c != '-').collect(),
        _ => value.trim().to_owned(),
    }
}

fn agree(consent: &mut Consent, change: &Consent) {
    let Consent { channels, topics } = change;
    consent.channels.extend(channels.iter().map(|(key, yes)| (key.clone(), *yes)));
    consent.topics.extend(topics.iter().map(|(key, yes)| (key.clone(), *yes)));
}

fn consent_faults(consent: &Consent, base: &str) -> Vec<Fault> {
    let Consent { channels, topics } = consent;
    let mut faults = Vec::new();
    for (field, keys) in [("channels", channels), ("topics", topics)] {
        if keys.len() > CONSENTS_MAX || !keys.keys().all(|key| is_plain(key)) {
            let reason = format!("has more than {CONSENTS_MAX} keys, or one that is {NOT_PLAIN}");
            faults.push(Fault::new(format!("{base}/{field}"), reason, "name fewer, shorter or plain ones"));
        }
    }
    faults
}

fn pointer(base: &str, name: &str) -> String {
    format!("{base}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A value as the Runtime declares the attribute.
fn typed(runtime: &RuntimePlan, name: &str, value: &Value) -> Result<Scalar, Fault> {
    let at = pointer("/attributes", name);
    let Some(declared) = runtime.attributes.get(name) else {
        let remedy = match nearest(name, runtime.attributes.keys().map(String::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "declare it under the CampaignRuntime's spec.attributes".into(),
        };
        return Err(Fault::new(at, format!("the attribute {name:?} is not declared"), remedy));
    };
    let wrong = |remedy: String| Err(Fault::new(at.clone(), format!("{value} does not fit the attribute"), remedy));
    match declared {
        Attribute::Enum(words) => match value.as_str() {
            Some(word) if words.iter().any(|known| known == word) => Ok(Scalar::Text(word.into())),
            Some(word) => wrong(match nearest(word, words.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near:?}? One of {}", words.join(", ")),
                None => format!("use one of {}", words.join(", ")),
            }),
            None => wrong(format!("use one of {}", words.join(", "))),
        },
        Attribute::String => match value.as_str() {
            Some(text) if text.len() <= TEXT_MAX_BYTES && !text.contains('\0') => Ok(Scalar::Text(text.into())),
            _ => wrong(format!("use a text of at most {TEXT_MAX_BYTES} bytes, without NUL")),
        },
        Attribute::Number => {
            let text = match value {
                Value::Number(number) => number.to_string(),
                Value::String(text) => text.clone(),
                _ => String::new(),
            };
            match Decimal::parse(&text) {
                Some(number) => Ok(Scalar::Number(number)),
                None => wrong("use a number with at most four decimals".into()),
            }
        }
        Attribute::Date => match value.as_str().map(|text| (text, text.parse::<chrono::NaiveDate>())) {
            Some((text, Ok(_))) if text.len() == 10 => Ok(Scalar::Text(text.into())),
            _ => wrong("use a day such as \"1990-04-13\"".into()),
        },
        Attribute::Boolean => match value.as_bool() {
            Some(flag) => Ok(Scalar::Flag(flag)),
            None => wrong("use true or false".into()),
        },
        Attribute::Location => match Point::of_json(value) {
            Some(point) => Ok(Scalar::Text(point.to_string())),
            None => wrong("use {\"lat\": 13.74, \"lng\": 100.53}, or a text such as \"13.74,100.53\"".into()),
        },
    }
}
