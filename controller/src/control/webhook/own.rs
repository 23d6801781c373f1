//! The controller's own certificates, in one Secret that all replicas read and the leader alone writes; when what is made
//! is `fanfare_core::rotation`'s to say.

use super::certificate::{self, Certified};
use crate::control::{connect::said, lease::OURS};
use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use fanfare_core::rotation::{self, Kept, Next, Span, Terms};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Api, api::PostParams, core::ObjectMeta};
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};

/// The key of the Secret under which everything stands.
const STATE: &str = "certificates.json";
/// The most authorities that are told.
const AUTHORITIES_MAX: usize = 3;

/// How long certificates last. API servers hear of a new authority within seconds; ten minutes leave room for faults.
pub const TERMS: Terms =
    Terms { authority: TimeDelta::days(365), leaf: TimeDelta::days(90), overlap: TimeDelta::minutes(10) };

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    certificate: String,
    key: String,
    made: DateTime<Utc>,
    ends: DateTime<Utc>,
}

impl Written {
    fn of(certified: &Certified) -> Self {
        Self {
            certificate: STANDARD.encode(&certified.certificate),
            key: STANDARD.encode(&certified.key),
            made: certified.span.made,
            ends: certified.span.ends,
        }
    }

    fn read(&self) -> anyhow::Result<Certified> {
        let span = Span { made: self.made, ends: self.ends };
        Ok(Certified { certificate: STANDARD.decode(&self.certificate)?, key: STANDARD.decode(&self.key)?, span })
    }
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificates {
    /// The newest first.
    authorities: Vec<Written>,
    leaf: Option<Written>,
    /// Which of the authorities has signed the leaf.
    signer: Option<usize>,
    /// What the leaf is for.
    names: Vec<String>,
}

impl Certificates {
    fn kept(&self, names: &[String]) -> Kept {
        let span = |written: &Written| Span { made: written.made, ends: written.ends };
        // One for other names is nobody's.
        let signer = if self.names == names { self.signer } else { None };
        Kept {
            authorities: self.authorities.iter().map(span).collect(),
            leaf: self.leaf.as_ref().map(|leaf| (span(leaf), signer)),
        }
    }

    /// Makes whatever is to be made now; `false` when nothing was.
    ///
    /// # Errors
    /// When what is kept cannot be read, or nothing random is to be had.
    pub fn rotate(
        &mut self,
        names: &[String],
        terms: &Terms,
        now: DateTime<Utc>,
        random: &dyn SecureRandom,
    ) -> anyhow::Result<bool> {
        let mut has_changed = false;
        while let Some(step) = rotation::next(&self.kept(names), terms, now) {
            has_changed = true;
            match step {
                Next::Authority => {
                    let made = certificate::authority(now, terms.authority, random)?;
                    self.authorities.insert(0, Written::of(&made));
                    self.authorities.truncate(AUTHORITIES_MAX);
                    self.signer = self.signer.map(|signer| signer + 1);
                }
                Next::Leaf => {
                    let signer = self.authorities.first().context("there is no authority")?.read()?;
                    self.leaf = Some(Written::of(&certificate::leaf(&signer, names, now, terms.leaf, random)?));
                    (self.signer, self.names) = (Some(0), names.to_vec());
                }
                Next::Forget => self.authorities.truncate(1),
            }
        }
        Ok(has_changed)
    }

    /// What callers have to trust, as PEM.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub fn bundle(&self) -> anyhow::Result<String> {
        self.authorities.iter().map(|authority| Ok(certificate::pem(&authority.read()?.certificate))).collect()
    }

    /// What is shown to callers.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub fn leaf(&self) -> anyhow::Result<Option<Certified>> {
        self.leaf.as_ref().map(Written::read).transpose()
    }
}

/// The Secret's certificates, and the Secret as it stands, if it does.
///
/// # Errors
/// When the API server does not answer, or the Secret is somebody else's.
pub async fn read(api: &Api<Secret>, name: &str) -> anyhow::Result<(Certificates, Option<Secret>)> {
    let Some(secret) =
        api.get_opt(name).await.map_err(said).with_context(|| format!("the Secret {name} cannot be read"))?
    else {
        return Ok((Certificates::default(), None));
    };
    let is_ours = secret.metadata.labels.as_ref().and_then(|all| all.get(OURS.0)).is_some_and(|by| by == OURS.1);
    if !is_ours {
        bail!(
            "the Secret {name} belongs to somebody else, since it has no label {}={}; name another with --webhook-secret, \
             or delete it",
            OURS.0,
            OURS.1
        );
    }
    let state = secret.data.as_ref().and_then(|data| data.get(STATE));
    let certificates = match state {
        Some(state) => {
            serde_json::from_slice(&state.0).with_context(|| format!("the Secret {name} cannot be understood"))?
        }
        None => Certificates::default(),
    };
    Ok((certificates, Some(secret)))
}

/// Writes the certificates, into the Secret that stands or into one that goes with its owners. Where another has written
/// meanwhile, nothing is.
///
/// # Errors
/// When the API server does not take it.
pub async fn write(
    api: &Api<Secret>,
    name: &str,
    certificates: &Certificates,
    old: Option<Secret>,
    owner_references: Option<Vec<OwnerReference>>,
) -> anyhow::Result<()> {
    let params = PostParams { field_manager: Some(OURS.1.into()), ..PostParams::default() };
    let data = [
        (STATE.to_owned(), ByteString(serde_json::to_vec(certificates)?)),
        // For people who want to look at it.
        ("ca.crt".to_owned(), ByteString(certificates.bundle()?.into_bytes())),
    ];
    let written = match old {
        Some(old) => {
            let secret = Secret { data: Some(data.into()), ..old };
            api.replace(name, &params, &secret).await
        }
        None => {
            let metadata = ObjectMeta {
                name: Some(name.into()),
                labels: Some([(OURS.0.into(), OURS.1.into())].into()),
                owner_references,
                ..ObjectMeta::default()
            };
            api.create(&params, &Secret { metadata, data: Some(data.into()), ..Secret::default() }).await
        }
    };
    written.map(drop).map_err(said).with_context(|| format!("the Secret {name} was not written"))
}
