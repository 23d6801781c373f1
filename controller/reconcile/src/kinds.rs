//! The kinds as the Kubernetes API names them: one table.

use fanfare_core::model::Kind;
use kube::core::ApiResource;

/// The API group of every kind.
pub const GROUP: &str = "fanfare.dev";
/// The version of every kind.
pub const VERSION: &str = "v1alpha1";

/// The plural under which a kind is served.
pub fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Campaign => "campaigns",
        Kind::Segment => "segments",
        Kind::Reward => "rewards",
        Kind::Automation => "automations",
        Kind::MessageTemplate => "messagetemplates",
        Kind::MessageChannel => "messagechannels",
        Kind::CampaignRuntime => "campaignruntimes",
    }
}

/// How a client addresses a kind.
pub fn api_resource(kind: Kind) -> ApiResource {
    ApiResource {
        group: GROUP.into(),
        version: VERSION.into(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: kind.as_str().into(),
        plural: plural(kind).into(),
    }
}
