//! `Accept-Language`: which locales the caller wants, best first (RFC 9110, 12.5.4). Which of them exist is the engine's.

use crate::app::App;
use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use std::convert::Infallible;

/// The most languages that are looked at.
const WANTED_MAX: usize = 8;
/// The longest language tag that is looked at.
const TAG_MAX: usize = 35;

/// Wanted language tags, best first, each followed by its shorter forms: `th-TH, en` is `th-TH`, `th`, `en`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locales(pub(crate) Vec<String>);

impl FromRequestParts<App> for Locales {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let header = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(header.map(Self::parse).unwrap_or_default())
    }
}

impl Locales {
    fn parse(header: &str) -> Self {
        let mut ranked: Vec<(u32, &str)> = header.split(',').take(WANTED_MAX).filter_map(one).collect();
        ranked.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let mut tags: Vec<String> = Vec::new();
        for (_, tag) in ranked {
            let mut tag = tag;
            loop {
                if !tags.iter().any(|known| known == tag) {
                    tags.push(tag.to_owned());
                }
                match tag.rsplit_once('-') {
                    Some((shorter, _)) => tag = shorter,
                    None => break,
                }
            }
        }
        Self(tags)
    }
}

/// `th-TH;q=0.8` as its weight in thousandths and its tag; nothing for what is not wanted or not a tag.
fn one(part: &str) -> Option<(u32, &str)> {
    let mut pieces = part.split(';').map(str::trim);
    let tag = pieces.next()?;
    let weight = pieces.find_map(|piece| piece.strip_prefix("q=")).map_or(Some(1_000), thousandths)?;
    let is_tag = !tag.is_empty() && tag.len() <= TAG_MAX && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (is_tag && weight > 0).then_some((weight, tag))
}

fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 {
        return None;
    }
    format!("{whole}{part:0<3}").parse().ok().filter(|weight| *weight <= 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_comes_first_and_falls_back_to_its_shorter_forms() {
        for (header, expect) in [
            ("th-TH, en;q=0.8", vec!["th-TH", "th", "en"]),
            ("en;q=0.5, zh-Hans-CN", vec!["zh-Hans-CN", "zh-Hans", "zh", "en"]),
            ("*, de;q=0, fr;q=abc, <x>", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(Locales::parse(header).0, expect, "{header}");
        }
    }
}
