//! MessageTemplate and MessageChannel: what a message says and how it leaves.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::UnitCost;
use super::rules;
use super::status::{MessageChannelStatus, MessageTemplateStatus};
use super::text::Name;

/// What the message says, in each language.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "MessageTemplate",
    plural = "messagetemplates",
    singular = "messagetemplate",
    shortname = "msgt",
    category = "marketing",
    namespaced,
    derive = "PartialEq",
    status = "MessageTemplateStatus",
    doc = "A message template: what a message says, in each language.",
    printcolumn(name = "CATEGORY", type_ = "string", json_path = ".spec.category"),
    printcolumn(name = "CHANNEL", type_ = "string", json_path = ".spec.kind"),
    printcolumn(name = "LOCALES", type_ = "string", json_path = ".status.locales"),
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::template()))]
pub struct MessageTemplateSpec {
    /// Marketing: only for members who agreed to it. Transactional: about something the member did.
    pub category: Category,
    /// How the message is delivered: Email, or InApp (the inbox in your Mini Program).
    pub kind: TemplateKind,
    /// The texts in each language, by language tag, for example th. `{{member.name}}` and the like are filled in.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 20))]
    pub locales: BTreeMap<String, MessageText>,
}

/// What kind of message it is for the law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Category {
    Marketing,
    Transactional,
}

/// How a template is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplateKind {
    Email,
    InApp,
}

/// The text in one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageText {
    /// The subject. An Email needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 300))]
    pub subject: Option<String>,
    /// The text itself.
    #[schemars(length(min = 1, max = 20000))]
    pub body: String,
}

/// How messages leave. It needs exactly one of smtp and inApp.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "MessageChannel",
    plural = "messagechannels",
    singular = "messagechannel",
    shortname = "mchan",
    category = "marketing",
    namespaced,
    derive = "PartialEq",
    status = "MessageChannelStatus",
    doc = "A message channel: how messages leave, for example by e-mail or into the in-app inbox.",
    printcolumn(name = "KIND", type_ = "string", json_path = ".status.kind"),
    printcolumn(name = "SENT", type_ = "integer", json_path = ".status.sent"),
    printcolumn(name = "FAILED", type_ = "integer", json_path = ".status.failed"),
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::channel()))]
pub struct MessageChannelSpec {
    /// E-mail through a mail server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    /// The inbox in your Mini Program. It has no settings: write `inApp: {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_app: Option<InApp>,
    /// What one message costs you. It counts in the return on investment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_cost: Option<UnitCost>,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Smtp {
    /// The name of the mail server, for example smtp.example.com.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"))]
    pub host: String,
    /// Its port. Default: 587 with StartTls, 465 with Tls, 25 with None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i64>,
    /// How the connection is protected: StartTls (the default), Tls, or None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<SmtpSecurity>,
    /// The sender, for example Shop <news@example.com>.
    #[schemars(length(min = 3, max = 320))]
    pub from: String,
    /// Where user name and password are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SmtpSecurity {
    None,
    StartTls,
    Tls,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// A Secret with the keys `username` and `password`.
    pub secret_ref: SecretRef,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name of the Secret.
    pub name: Name,
}

/// The in-app inbox: there is nothing to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InApp {}
