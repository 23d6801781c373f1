use super::*;
use crate::{
    fixtures::{bangkok, local, name, zone},
    model::automation::Step,
};

fn plan(reentry: Reentry) -> AutomationPlan {
    let step = |named: &str, action, next| Step { name: name(named), action, next };
    let send = Action::Send { channel: name("inbox"), template: name("welcome"), on_ambiguous: OnAmbiguous::Skip };
    AutomationPlan {
        name: name("welcome"),
        revision: "r".into(),
        trigger: "member.registered".into(),
        reentry,
        exit: vec!["order.paid".into()],
        steps: vec![
            step("hello", send, 1),
            step("pause", Action::Wait { lasts: Span::days(3), until: NaiveTime::from_hms_opt(10, 0, 0) }, 2),
            step("gift", Action::Issue { reward: name("coupon") }, 3),
        ],
    }
}

#[test]
fn a_run_walks_its_steps_to_the_end() {
    let plan = plan(Reentry::Once);
    let now = bangkok("2026-11-11T12:00");
    let zone = zone("Asia/Bangkok");
    assert!(matches!(next(&plan, 0, now, zone), Next::Send { then: 1, .. }));
    let until = bangkok("2026-11-15T10:00");
    assert_eq!(next(&plan, 1, now, zone), Next::Wait { step: name("pause"), until, then: 2 });
    assert_eq!(next(&plan, 2, now, zone), Next::Issue { step: name("gift"), reward: name("coupon"), then: 3 });
    assert_eq!(next(&plan, 3, now, zone), Next::End);
    assert!(starts(&plan, "member.registered") && exits(&plan, "order.paid") && !exits(&plan, "x"));
}

#[test]
fn a_wait_ends_at_the_first_such_time_at_or_after_its_span() {
    for (zone_name, now, lasts, until, expect) in [
        ("Asia/Bangkok", "2026-11-11T10:00", "3d", "10:00", "2026-11-14T10:00"),
        ("Asia/Bangkok", "2026-11-11T10:01", "3d", "10:00", "2026-11-15T10:00"),
        ("Asia/Bangkok", "2026-11-11T09:00", "3d", "10:00", "2026-11-14T10:00"),
        ("America/New_York", "2026-03-07T02:30", "1d", "02:30", "2026-03-08T03:00"),
        ("America/New_York", "2026-10-31T12:00", "1d", "12:00", "2026-11-01T12:00"),
    ] {
        let zone = zone(zone_name);
        let wall = NaiveTime::parse_from_str(until, "%H:%M").unwrap();
        let at = waits_until(Span::parse(lasts).unwrap(), Some(wall), local(now, zone), zone);
        assert_eq!(at, local(expect, zone), "{zone_name} {now} {lasts} {until}");
    }
    let now = bangkok("2026-11-11T10:00");
    assert_eq!(waits_until(Span::seconds(60), None, now, zone("Asia/Bangkok")), now + chrono::TimeDelta::seconds(60));
}

#[test]
fn a_member_enters_again_only_as_the_policy_says() {
    let now = bangkok("2026-11-11T12:00");
    let never = Entries::default();
    let active = Entries { active: true, last: Some(bangkok("2026-11-11T11:00")) };
    let done = Entries { active: false, last: Some(bangkok("2026-11-10T12:00")) };
    for (policy, of_never, of_active, of_done) in [
        (Reentry::Once, true, false, false),
        (Reentry::AfterExit, true, false, true),
        (Reentry::Always(None), true, true, true),
        (Reentry::Always(Some(Span::days(1))), true, false, true),
        (Reentry::Always(Some(Span::days(2))), true, false, false),
    ] {
        let enter = |past| enters(&plan(policy), past, now, zone("Asia/Bangkok"));
        assert_eq!((enter(never), enter(active), enter(done)), (of_never, of_active, of_done), "{policy:?}");
    }
}
