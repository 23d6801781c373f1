//! From which device and address a shopper's call comes, for limits per device and per address. Both are hashed here under
//! the namespace's own key, so that neither is kept, logged or told.
//!
//! A member's device is what its app says in `Fanfare-Device`; its address is the peer's, or, where the peer is a proxy on
//! this machine, the last one of `Forwarded`. An integration acts for shoppers and says both, or neither. A till is the
//! shop's own: it has none.

use crate::{
    app::App,
    auth::DeskKey,
    problem::{Code, Problem},
};
use axum::extract::FromRequestParts;
use fanfare_engine::origin::Origin;
use http::{HeaderMap, header, request::Parts};
use std::net::{IpAddr, Ipv6Addr};

/// The header by which an app names the device that it runs on.
pub(crate) const DEVICE: &str = "fanfare-device";
/// The longest name of a device.
const DEVICE_MAX: usize = 128;

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What a call says of where it comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Came {
    device: Option<String>,
    forwarded: Option<IpAddr>,
    peer: Option<IpAddr>,
}

impl FromRequestParts<App> for Came {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let device = parts.headers.get(DEVICE).map(|value| {
            let text = value.to_str().unwrap_or_default().trim();
            let fine = (1..=DEVICE_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
            let detail = format!("Fanfare-Device: 1 to {DEVICE_MAX} printable ASCII characters, without spaces");
            fine.then(|| text.to_owned()).ok_or_else(|| Problem::new(Code::Malformed, detail))
        });
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        Ok(Self { device: device.transpose()?, forwarded: forwarded(&parts.headers), peer })
    }
}

impl Came {
    /// Where a member's call comes from. What is not said shares one allowance, so that leaving it out gains nothing.
    pub(crate) fn of_member(&self, app: &App) -> Origin {
        let address = match self.peer {
            Some(peer) if peer.is_loopback() => self.forwarded.or(self.peer),
            peer => peer,
        };
        let told = |kind, value: Option<String>| Some(value.map_or_else(String::new, |text| app.hidden(kind, &text)));
        let device = told("device", self.device.clone());
        Origin { device, address: told("address", address.map(network)), card: None }
    }

    /// Where the shopper is for whom this desk calls, as far as an integration says.
    pub(crate) fn of_desk(&self, app: &App, desk: &DeskKey) -> Origin {
        if desk.store.is_some() {
            return Origin::default();
        }
        let device = self.device.as_ref().map(|text| app.hidden("device", text));
        let address = self.forwarded.map(|address| app.hidden("address", &network(address)));
        Origin { device, address, card: None }
    }
}

/// What counts as one address: of IPv6, the network of 64 bits that a subscriber has for itself.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

/// The last address of `Forwarded` (RFC 7239), or of `X-Forwarded-For`: the one that the nearest proxy saw.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = |name: &str| headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next();
    let standard = last(header::FORWARDED.as_str()).and_then(|element| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
        })
    });
    address(standard.or_else(|| last("x-forwarded-for"))?)
}

/// An address, perhaps quoted, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next()?.parse().ok();
    }
    text.parse().ok().or_else(|| text.rsplit_once(':')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_proxy_s_word_counts() {
        for (name, value, expect) in [
            ("forwarded", "for=192.0.2.60", Some("192.0.2.60")),
            ("forwarded", "for=10.0.0.1, For=\"[2001:db8:1:2:3::4]:4711\";proto=https", Some("2001:db8:1:2::")),
            ("forwarded", "for=192.0.2.43:8080;by=1", Some("192.0.2.43")),
            ("forwarded", "for=unknown", None),
            ("forwarded", "by=1", None),
            ("x-forwarded-for", "evil, 192.0.2.7", Some("192.0.2.7")),
            ("x-forwarded-for", "::ffff:192.0.2.7", Some("192.0.2.7")),
            ("x-forwarded-for", "", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(http::HeaderName::from_static(name), value.parse().unwrap());
            assert_eq!(forwarded(&headers).map(network).as_deref(), expect, "{name}: {value}");
        }
    }
}
