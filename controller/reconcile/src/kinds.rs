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

/// The short name of a kind.
pub fn short(kind: Kind) -> &'static str {
    match kind {
        Kind::Campaign => "camp",
        Kind::Segment => "seg",
        Kind::Reward => "rwd",
        Kind::Automation => "auto",
        Kind::MessageTemplate => "msgt",
        Kind::MessageChannel => "mchan",
        Kind::CampaignRuntime => "crt",
    }
}

/// The kind that a person names as kubectl lets them: by kind, plural or short name, with or without the group.
pub fn named(text: &str) -> Option<Kind> {
    let text = text.to_lowercase();
    let name = text.strip_suffix(&format!(".{GROUP}")).unwrap_or(&text);
    Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str().to_lowercase() == name || [plural(*kind), short(*kind)].contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_as_kubectl_lets_people_name_it() {
        for text in ["Campaign", "campaign", "campaigns", "camp", "campaigns.fanfare.dev"] {
            assert_eq!(named(text), Some(Kind::Campaign), "{text}");
        }
        assert_eq!(named("crt"), Some(Kind::CampaignRuntime));
        assert_eq!(named("pods"), None);
    }
}
