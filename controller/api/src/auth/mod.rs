//! Who calls: read from `Authorization`, once, before anything else of a request.
//!
//! A member has an access token, a till and an integration an opaque key of which the database keeps only a digest.
//! An endpoint names whom it serves by the extractor it takes; the golden table in `tests` shows the outcome.

pub(crate) mod guess;
pub(crate) mod hs256;
pub(crate) mod keys;
pub(crate) mod limit;
pub(crate) mod member_code;
pub(crate) mod payload_keys;
pub(crate) mod scope;
pub(crate) mod token;

use crate::{
    app::App,
    problem::{Code, Problem},
};
use axum::extract::FromRequestParts;
use fanfare_core::{
    ids::{MemberId, StoreId},
    reason::{Reason, Refusal},
};
use http::{header, request::Parts};
use scope::{Needs, Scope};
use std::{marker::PhantomData, sync::Arc};

/// Whoever calls.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody in particular.
    Anyone,
    /// A member.
    Member(MemberId),
    /// A till or an integration.
    Desk(Arc<DeskKey>),
}

/// A till or an integration, as its key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeskKey {
    /// The public id of its key.
    pub(crate) id: String,
    /// The store that a till is bound to; an integration has none.
    pub(crate) store: Option<StoreId>,
    /// What it may do.
    pub(crate) scopes: Vec<Scope>,
}

impl DeskKey {
    /// Whose idempotency keys these are: the terminal's or the client's, not its secret's.
    pub(crate) fn idempotency_scope(&self) -> String {
        let kind = if self.store.is_some() { "terminal" } else { "client" };
        format!("{kind}:{}", self.id)
    }

    /// The till that the key belongs to; an integration is none.
    pub(crate) fn terminal(&self) -> Option<String> {
        self.store.as_ref().map(|_| self.id.clone())
    }

    /// The store of a call that names `named`: a till's is its own, and naming another is refused.
    pub(crate) fn store_of(&self, named: Option<StoreId>) -> Result<Option<StoreId>, Problem> {
        match (&self.store, named) {
            (None, named) => Ok(named),
            (Some(own), None) => Ok(Some(own.clone())),
            (Some(own), Some(named)) if *own == named => Ok(Some(named)),
            (Some(own), Some(named)) => {
                let detail =
                    format!("this till is bound to store {own}, not to {named}; leave storeId out or send {own}");
                Err((&Refusal::new(Reason::StoreMismatch, detail)).into())
            }
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(header::AUTHORIZATION) else { return Ok(Self::Anyone) };
        let wrong = || Problem::new(Code::Unauthenticated, "Authorization is not of the form \"Bearer …\"");
        let text = header.to_str().map_err(|_| wrong())?;
        let (scheme, secret) = text.split_once(' ').ok_or_else(wrong)?;
        let secret = secret.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || secret.is_empty() {
            return Err(wrong());
        }
        if keys::is_one(secret) {
            app.keys().check(app, secret).await.map(Self::Desk)
        } else {
            app.tokens().check(secret, app.real_now().timestamp()).map(Self::Member)
        }
    }
}

fn nobody(wanted: &str) -> Problem {
    Problem::new(Code::Unauthenticated, format!("this call needs {wanted} in Authorization: Bearer …"))
}

fn another(wanted: &str) -> Problem {
    Problem::new(Code::Forbidden, format!("this call is for {wanted}"))
}

/// A member, nobody else.
#[derive(Clone, Debug)]
pub(crate) struct Member(pub(crate) MemberId);

impl Member {
    /// Whose idempotency keys these are.
    pub(crate) fn idempotency_scope(&self) -> String {
        format!("member:{}", self.0)
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Member(member) => Ok(Self(member)),
            Caller::Anyone => Err(nobody("a member's access token")),
            Caller::Desk(_) => Err(another("members")),
        }
    }
}

/// A member, or anyone (a till and an integration see what anyone sees).
#[derive(Clone, Debug)]
pub(crate) struct OptionalMember(pub(crate) Option<MemberId>);

impl FromRequestParts<App> for OptionalMember {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(match Caller::from_request_parts(parts, app).await? {
            Caller::Member(member) => Self(Some(member)),
            Caller::Anyone | Caller::Desk(_) => Self(None),
        })
    }
}

/// A till or an integration that has the scope `S`.
#[derive(Clone, Debug)]
pub(crate) struct Desk<S: Needs>(pub(crate) Arc<DeskKey>, PhantomData<S>);

impl<S: Needs> Desk<S> {
    fn admit(key: Arc<DeskKey>) -> Result<Self, Problem> {
        if key.scopes.contains(&S::SCOPE) || S::OR.is_some_and(|other| key.scopes.contains(&other)) {
            return Ok(Self(key, PhantomData));
        }
        let scope = S::SCOPE.as_str();
        Err(Problem::new(Code::Forbidden, format!("this key lacks the scope {scope:?}; make one that has it")))
    }
}

impl<S: Needs> FromRequestParts<App> for Desk<S> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Desk(key) => Self::admit(key),
            Caller::Anyone => Err(nobody("a terminal key or an API key")),
            Caller::Member(_) => Err(another("tills and integrations")),
        }
    }
}

/// An integration that has the scope `S`; a till is not one.
#[derive(Clone, Debug)]
pub(crate) struct Integration<S: Needs>(Arc<DeskKey>, PhantomData<S>);

impl<S: Needs> Integration<S> {
    /// The public id of its key, as the audit names it.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Whether its key has this scope too.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.0.scopes.contains(&scope)
    }

    /// Whose idempotency keys these are.
    pub(crate) fn idempotency_scope(&self) -> String {
        self.0.idempotency_scope()
    }
}

impl<S: Needs> FromRequestParts<App> for Integration<S> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Desk(key) if key.store.is_none() => Desk::<S>::admit(key).map(|desk| Self(desk.0, PhantomData)),
            Caller::Anyone => Err(nobody("an API key")),
            Caller::Desk(_) | Caller::Member(_) => Err(another("integrations")),
        }
    }
}

/// Whoever may price a cart: a member for itself, or a desk that redeems.
#[derive(Clone, Debug)]
pub(crate) enum Shopper {
    /// A member.
    Member(MemberId),
    /// A till or an integration.
    Desk(Arc<DeskKey>),
}

impl FromRequestParts<App> for Shopper {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Member(member) => Ok(Self::Member(member)),
            Caller::Desk(key) => Desk::<scope::Redeem>::admit(key).map(|desk| Self::Desk(desk.0)),
            Caller::Anyone => Err(nobody("an access token, a terminal key or an API key")),
        }
    }
}

/// Whoever may give points on: a member its own, or an integration that manages members.
#[derive(Clone, Debug)]
pub(crate) enum PointsGiver {
    /// A member.
    Member(Member),
    /// The shop.
    Shop(Arc<DeskKey>),
}

impl FromRequestParts<App> for PointsGiver {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Member(member) => Ok(Self::Member(Member(member))),
            Caller::Desk(key) if key.store.is_none() => {
                Desk::<scope::Members>::admit(key).map(|desk| Self::Shop(desk.0))
            }
            Caller::Desk(_) => Err(another("members and integrations")),
            Caller::Anyone => Err(nobody("an access token or an API key")),
        }
    }
}
