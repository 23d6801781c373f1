//! W3C Trace Context: a caller's `traceparent` is taken into what is logged of the call, and `traceresponse` tells the caller
//! which part of the trace the call was. No trace is begun here, and none is sent anywhere.

use http::{HeaderMap, HeaderName, HeaderValue};
use ring::rand::{SecureRandom, SystemRandom};
use tracing::Span;

static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) static TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// The length of version 00: `00-` trace `-` parent `-` flags.
const LENGTH: usize = 55;

/// A call's place in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// 32 hexadecimal digits.
    trace: String,
    /// The caller's part of it: 16 digits.
    parent: String,
    /// The call's own part.
    own: String,
    is_sampled: bool,
}

impl Trace {
    /// What the headers of a call say; `None` where they say nothing or nothing that can be read, which is no fault of the
    /// call. `number` is one that this process gives once: it stands in where the machine has no chance to give.
    pub(crate) fn of(headers: &HeaderMap, number: u64) -> Option<Self> {
        let mut all = headers.get_all(&TRACE_PARENT).iter();
        let (Some(only), None) = (all.next(), all.next()) else { return None };
        let (trace, parent, is_sampled) = read(only.to_str().ok()?)?;
        let mut bytes = [0; 8];
        if SystemRandom::new().fill(&mut bytes).is_err() || bytes == [0; 8] {
            bytes = number.saturating_add(1).to_be_bytes();
        }
        let own = format!("{:016x}", u64::from_be_bytes(bytes));
        Some(Self { trace: trace.into(), parent: parent.into(), own, is_sampled })
    }

    /// The span in which the call is handled. Of the level of errors, so that it is there whatever is logged.
    pub(crate) fn span(&self, request: &str) -> Span {
        let Self { trace, parent, own, is_sampled: _ } = self;
        tracing::error_span!("request", request, trace, parent, span = own)
    }

    /// What the caller is told.
    pub(crate) fn answer(&self) -> HeaderValue {
        let Self { trace, parent: _, own, is_sampled } = self;
        let text = format!("00-{trace}-{own}-{:02x}", u8::from(*is_sampled));
        // Digits and hyphens alone.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Trace, parent and whether the caller records it.
fn read(text: &str) -> Option<(&str, &str, bool)> {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |part: &str| is_hex(part) && part.bytes().any(|byte| byte != b'0');
    let (head, tail) = text.split_at_checked(LENGTH)?;
    let parts: Vec<&str> = head.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let lengths = [version.len(), trace.len(), parent.len(), flags.len()];
    // A later version may be longer, behind a further hyphen.
    let is_whole = if *version == "00" { tail.is_empty() } else { tail.is_empty() || tail.starts_with('-') };
    let is_good = lengths == [2, 32, 16, 2]
        && is_whole
        && is_hex(version)
        && *version != "ff"
        && is_id(trace)
        && is_id(parent)
        && is_hex(flags);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    is_good.then_some((trace, parent, flags & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_parent_is_read_as_the_standard_says_and_anything_else_is_none() {
        let good = format!("00-{TRACE}-{PARENT}-01");
        assert_eq!(read(&good), Some((TRACE, PARENT, true)));
        assert_eq!(read(&format!("00-{TRACE}-{PARENT}-00")), Some((TRACE, PARENT, false)));
        assert_eq!(read(&format!("cc-{TRACE}-{PARENT}-01-what-will-be")), Some((TRACE, PARENT, true)));
        let zeros = "0".repeat(32);
        for wrong in [
            String::new(),
            "00".into(),
            format!("{good}-more"),
            format!("cc-{TRACE}-{PARENT}-01.more"),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("00-{zeros}-{PARENT}-01"),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{PARENT}-0x"),
            format!("00-{TRACE}{PARENT}--01-"),
            format!("00-{}-{PARENT}-01é", &TRACE[..31]),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_answer_names_the_trace_and_a_part_of_its_own_and_two_parents_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(Trace::of(&headers, 1), None);
        let value = HeaderValue::try_from(format!("00-{TRACE}-{PARENT}-01")).unwrap();
        headers.append(&TRACE_PARENT, value.clone());
        let (one, other) = (Trace::of(&headers, 1).unwrap(), Trace::of(&headers, 2).unwrap());
        assert_ne!(one.own, other.own);
        assert_eq!(one.answer().to_str().unwrap(), format!("00-{TRACE}-{}-01", one.own));
        assert!(read(one.answer().to_str().unwrap()).is_some());
        headers.append(&TRACE_PARENT, value);
        assert_eq!(Trace::of(&headers, 3), None);
    }
}
