//! Messages after admission: a text per locale, and how it leaves.

use crate::{ids::Name, money::Minor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message per locale, in Handlebars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplatePlan {
    /// Its name.
    pub name: Name,
    /// Marketing or transactional.
    pub category: Category,
    /// What it is written for.
    pub medium: Medium,
    /// Sources by locale.
    pub locales: BTreeMap<String, Source>,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Category {
    /// Needs consent.
    Marketing,
    /// Belongs to something that the member did.
    Transactional,
}

/// What a message is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Medium {
    Email,
    InApp,
}

/// A text in one locale, before it is rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Source {
    pub subject: String,
    pub body: String,
}

/// How a message leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelPlan {
    /// Its name.
    pub name: Name,
    /// By which means.
    pub means: Means,
    /// What one message costs.
    pub unit_cost: Minor,
}

/// By which means a message leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Means {
    /// Mail.
    Smtp {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        security: Security,
        /// The sender's mailbox.
        from: String,
        /// The Secret with `username` and `password`; without it, no login.
        credentials: Option<Name>,
    },
    /// The inbox that the Mini Program shows.
    InApp,
}

impl Means {
    /// The name that the status uses.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Smtp { .. } => "smtp",
            Self::InApp => "inApp",
        }
    }
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Security {
    None,
    StartTls,
    Tls,
}
