use super::*;
use crate::{codes::normalise, fixtures::bangkok, model::reward::Offline, time::Span};
use proptest::prelude::*;

fn payload() -> Payload {
    Payload {
        key: [1, 2, 3, 4],
        grant: GrantId::from("01J9Z3N5T8V2X4B6C8D0E2F4G6"),
        issued_ms: bangkok("2026-11-11T10:00").timestamp_millis(),
        life_s: 30,
        nonce: 0x00ab_cdef,
        offline_max: Some(Minor(20_000)),
        grace_s: 3_600,
    }
}

fn rotating(offline: Option<Offline>) -> Guard {
    Guard { rotate: Some(Span::seconds(30)), holder_only: false, offline }
}

fn allowance() -> Option<Offline> {
    Some(Offline { max_amount: Minor(20_000), grace_for: Span::seconds(3_600) })
}

/// Seconds after the payload was made: what happens to it now, and when a till says that it was `said` seconds after.
fn check(guard: &Guard, now_s: i64, said_s: Option<i64>, expect: Option<Taken>) {
    let payload = payload();
    let at = |seconds| payload.issued_at() + TimeDelta::seconds(seconds);
    let found = taken(&payload.to_code().unwrap(), guard, at(now_s), said_s.map(at));
    assert_eq!(found.as_ref().ok(), expect.as_ref(), "{now_s} {said_s:?}: {found:?}");
    if let Err(no) = found {
        assert_eq!(no.reason, Reason::PayloadExpired);
    }
}

#[test]
fn a_payload_lives_for_its_life_and_a_clock_may_be_behind() {
    let guard = rotating(None);
    for (now_s, fresh) in [(-31, false), (-30, true), (0, true), (29, true), (30, false), (31, false), (3_000, false)] {
        check(&guard, now_s, None, fresh.then_some(Taken::Now));
    }
}

#[test]
fn what_a_till_took_offline_is_taken_within_the_allowance_only() {
    let guard = rotating(allowance());
    let offline = Some(Taken::Offline(Minor(20_000)));
    check(&guard, 40, None, None);
    check(&guard, 40, Some(10), offline);
    check(&guard, 40, Some(59), offline);
    check(&guard, 70, Some(60), None);
    check(&guard, 600, Some(-31), None);
    check(&guard, 3_610, Some(10), offline);
    check(&guard, 3_611, Some(10), None);
    check(&guard, 10, Some(5), Some(Taken::Now));
    check(&rotating(None), 40, Some(10), None);
}

#[test]
fn a_rotating_code_is_not_taken_by_its_plain_code_and_a_plain_one_is() {
    let now = bangkok("2026-11-11T10:00");
    let plain = Code::from("ABCD1234");
    assert_eq!(taken(&plain, &rotating(None), now, None).unwrap_err().reason, Reason::PayloadExpired);
    assert_eq!(taken(&plain, &Guard::default(), now, None), Ok(Taken::Now));
}

#[test]
fn nobody_can_type_a_payload_that_was_not_checked() {
    let code = payload().to_code().unwrap();
    assert_eq!(Payload::of(&code), Some(payload()));
    assert_eq!(Payload::of(&normalise(code.as_str())), None);
    let shown = write(&payload().body().unwrap(), &[7; SIGNATURE_BYTES]);
    assert_eq!(Payload::of(&normalise(&shown)), None);
}

#[test]
fn a_shown_payload_is_short_survives_a_scanner_and_nothing_else_is_read() {
    let body = payload().body().unwrap();
    let shown = write(&body, &[0xa5; SIGNATURE_BYTES]);
    assert_eq!(shown.len(), TEXT_CHARS);
    assert!(shown.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.'), "{shown}");
    assert_eq!(split(&shown), Some((body, [0xa5; SIGNATURE_BYTES])));
    assert_eq!(split(&format!(" {}\r\n", shown.to_lowercase())), split(&shown));
    for wrong in
        ["", "FP1.", "FP1.0", &shown[..170], &format!("{shown}0"), &shown.replace('F', "U"), "FM1.x.1.y", "ไทยไทย"]
    {
        assert_eq!(split(wrong), None, "{wrong}");
    }
    let another = Payload { grant: "short".into(), ..payload() };
    assert_eq!(another.body(), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        id: u128, issued in 0..(1_i64 << 47), life: u16, nonce in 0..(1_u32 << 24), max in 0..(1_i64 << 40),
        grace in 0..(1_u32 << 24), key: [u8; 4], signature: [u8; 32],
    ) {
        let said = Payload {
            key, grant: GrantId::from(id_text(id.to_be_bytes())), issued_ms: issued, life_s: life, nonce,
            offline_max: (max > 0).then_some(Minor(max)), grace_s: grace,
        };
        let body = said.body().unwrap();
        prop_assert_eq!(Payload::read(&body), Some(said.clone()));
        prop_assert_eq!(Payload::of(&said.to_code().unwrap()), Some(said));
        let both = [signature, signature].concat().try_into().unwrap();
        prop_assert_eq!(split(&write(&body, &both)), Some((body, both)));
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}") {
        prop_assert!(split(&text).is_none());
        let _ = Payload::of(&Code::from(format!("\u{1}{text}")));
    }
}
