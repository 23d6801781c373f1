use super::*;
use crate::{
    fixtures::{bangkok, local, schedule, zone},
    recurrence::{RuleError, parse_rule},
    time::parse_local,
};
use chrono::{NaiveTime, TimeDelta};

fn window(rule: &str, anchor: &str, from: &str, to: &str) -> Window {
    let time = |text| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
    Window { rule: rule.into(), anchor: parse_local(anchor).unwrap(), from: time(from), to: time(to) }
}

#[test]
fn a_phase_holds_its_first_instant_and_not_its_last() {
    let cases = [
        ("2026-11-07T23:59", "Scheduled", "Scheduled"),
        ("2026-11-08T00:00", "Teaser", "Paused"),
        ("2026-11-10T23:59", "Teaser", "Paused"),
        ("2026-11-11T00:00", "Active", "Paused"),
        ("2026-11-11T23:59", "Active", "Paused"),
        ("2026-11-12T00:00", "CoolDown", "CoolDown"),
        ("2026-12-11T23:59", "CoolDown", "CoolDown"),
        ("2026-12-12T00:00", "Settling", "Settling"),
    ];
    for (at, free, suspended) in cases {
        assert_eq!(phase(&schedule(), false, false, bangkok(at)).as_str(), free, "{at}");
        assert_eq!(phase(&schedule(), true, false, bangkok(at)).as_str(), suspended, "{at} suspended");
    }
    assert_eq!(phase(&schedule(), false, true, bangkok("2026-12-12T00:00")), Phase::Ended);
    assert_eq!(phase(&schedule(), false, true, bangkok("2026-11-11T12:00")), Phase::Active, "settled too early");
}

#[test]
fn without_a_publishing_time_there_is_no_teaser_and_without_an_end_no_transition() {
    let open = Schedule { publish_at: None, end_at: None, ..schedule() };
    assert_eq!(phase(&open, false, false, bangkok("2026-11-10T23:59")), Phase::Scheduled);
    let start = bangkok("2026-11-11T00:00");
    assert_eq!(next_transition(&open, false, false, bangkok("2026-11-01T00:00")), Some((Phase::Active, start)));
    assert_eq!(next_transition(&open, false, false, start), None);
    assert_eq!(next_boundary(&open, &[], start), None);
}

#[test]
fn the_next_transition_skips_boundaries_that_change_nothing() {
    let (teaser, end) = (bangkok("2026-11-08T00:00"), bangkok("2026-11-12T00:00"));
    assert_eq!(next_transition(&schedule(), false, false, bangkok("2026-11-01T00:00")), Some((Phase::Teaser, teaser)));
    assert_eq!(next_transition(&schedule(), true, false, teaser), Some((Phase::CoolDown, end)));
    let cooled = bangkok("2026-12-12T00:00");
    assert_eq!(next_transition(&schedule(), false, false, end), Some((Phase::Settling, cooled)));
    assert_eq!(next_transition(&schedule(), false, false, cooled), None);
}

#[test]
fn windows_open_and_close_on_the_minute_also_over_midnight() {
    let day = window("FREQ=DAILY", "2026-11-11T00:00", "20:00", "22:00");
    let night = window("FREQ=WEEKLY;BYDAY=WE", "2026-11-11T00:00", "22:00", "02:00");
    let open = Schedule { end_at: None, ..schedule() };
    for (at, in_day, in_night) in [
        ("2026-11-10T21:00", false, false),
        ("2026-11-11T19:59", false, false),
        ("2026-11-11T20:00", true, false),
        ("2026-11-11T21:59", true, false),
        ("2026-11-11T22:00", false, true),
        ("2026-11-12T01:59", false, true),
        ("2026-11-12T02:00", false, false),
        ("2026-11-12T22:30", false, false),
        ("2036-11-12T22:30", false, true),
    ] {
        assert_eq!(is_open(&open, std::slice::from_ref(&day), bangkok(at)), in_day, "{at} day");
        assert_eq!(is_open(&open, std::slice::from_ref(&night), bangkok(at)), in_night, "{at} night");
        assert_eq!(is_open(&open, &[day.clone(), night.clone()], bangkok(at)), in_day || in_night, "{at} either");
    }
}

#[test]
fn a_mechanic_s_window_counts_only_inside_the_campaign_s() {
    let campaign = Schedule {
        windows: vec![window("FREQ=DAILY", "2026-11-11T00:00", "20:00", "22:00")],
        end_at: None,
        ..schedule()
    };
    let late = [window("FREQ=DAILY", "2026-11-11T00:00", "21:00", "23:00")];
    assert!(!is_open(&campaign, &late, bangkok("2026-11-11T20:30")));
    assert!(is_open(&campaign, &late, bangkok("2026-11-11T21:30")));
    assert!(!is_open(&campaign, &late, bangkok("2026-11-11T22:30")));
    assert_eq!(next_boundary(&campaign, &late, bangkok("2026-11-11T20:30")), Some((true, bangkok("2026-11-11T21:00"))));
    assert_eq!(
        next_boundary(&campaign, &late, bangkok("2026-11-11T21:00")),
        Some((false, bangkok("2026-11-11T22:00")))
    );
    assert_eq!(next_boundary(&campaign, &[], bangkok("2026-11-01T00:00")), Some((true, bangkok("2026-11-11T20:00"))));
}

#[test]
fn windows_that_join_have_no_boundary_between_them() {
    let open = Schedule { end_at: None, ..schedule() };
    let all_day = [window("FREQ=DAILY", "2026-11-11T00:00", "00:00", "00:00")];
    assert!(is_open(&open, &all_day, bangkok("2026-11-12T00:00")));
    assert_eq!(next_boundary(&open, &all_day, bangkok("2026-11-11T12:00")), None);
    let ends = Schedule { end_at: Some(bangkok("2026-11-20T00:00")), ..schedule() };
    let end = Some((false, bangkok("2026-11-20T00:00")));
    assert_eq!(next_boundary(&ends, &all_day, bangkok("2026-11-11T12:00")), end);
}

#[test]
fn a_rule_s_end_closes_for_good() {
    let open = Schedule { end_at: None, ..schedule() };
    for rule in ["FREQ=DAILY;COUNT=2", "FREQ=DAILY;UNTIL=20261112", "FREQ=DAILY;UNTIL=20261112T200000"] {
        let windows = [window(rule, "2026-11-11T00:00", "20:00", "22:00")];
        assert!(is_open(&open, &windows, bangkok("2026-11-12T21:00")), "{rule}");
        assert!(!is_open(&open, &windows, bangkok("2026-11-13T21:00")), "{rule}");
        assert_eq!(next_boundary(&open, &windows, bangkok("2026-11-12T22:00")), None, "{rule}");
    }
    // 20:00 in Bangkok is 13:00 UTC.
    let zulu = [window("FREQ=DAILY;UNTIL=20261112T125959Z", "2026-11-11T00:00", "20:00", "22:00")];
    assert!(!is_open(&open, &zulu, bangkok("2026-11-12T21:00")));
}

#[test]
fn an_interval_counts_from_the_anchor_however_long_ago() {
    let open = Schedule { end_at: None, start_at: bangkok("2020-01-01T00:00"), publish_at: None, ..schedule() };
    let third = [window("FREQ=DAILY;INTERVAL=3", "2020-01-01T00:00", "08:00", "09:00")];
    let fortnight = [window("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "2020-01-01T00:00", "08:00", "09:00")];
    let anchor = bangkok("2020-01-01T08:30");
    for days in 0..3_000 {
        let at = anchor + TimeDelta::days(days);
        assert_eq!(is_open(&open, &third, at), days % 3 == 0, "day {days}");
    }
    // 2020-01-01 is a Wednesday in the first week; its Friday is day 2, the next one two weeks later.
    for (days, expect) in [(2, true), (5, false), (9, false), (12, true), (16, true), (2 + 14 * 150, true)] {
        assert_eq!(is_open(&open, &fortnight, anchor + TimeDelta::days(days)), expect, "day {days}");
    }
}

#[test]
fn windows_keep_their_wall_times_over_clock_changes() {
    for (zone_name, day) in
        [("America/New_York", "2026-03-08"), ("America/New_York", "2026-11-01"), ("Australia/Lord_Howe", "2026-04-05")]
    {
        let zone = zone(zone_name);
        let year =
            Schedule { zone, publish_at: None, start_at: local("2026-01-01T00:00", zone), end_at: None, ..schedule() };
        let windows = [window("FREQ=DAILY", "2026-01-01T00:00", "20:00", "22:00")];
        let at = |time: &str| local(&format!("{day}T{time}"), zone);
        assert!(!is_open(&year, &windows, at("19:59")), "{zone_name} {day}");
        assert!(is_open(&year, &windows, at("20:00")), "{zone_name} {day}");
        assert!(!is_open(&year, &windows, at("22:00")), "{zone_name} {day}");
    }
}

#[test]
fn a_window_in_the_skipped_hour_does_not_exist_that_day_and_a_doubled_one_lasts_longer() {
    let zone = zone("America/New_York");
    let year =
        Schedule { zone, publish_at: None, start_at: local("2026-01-01T00:00", zone), end_at: None, ..schedule() };
    let windows = [window("FREQ=DAILY", "2026-01-01T00:00", "02:00", "03:00")];
    let spring = local("2026-03-08T00:00", zone);
    assert_eq!(next_boundary(&year, &windows, spring), Some((true, local("2026-03-09T02:00", zone))));
    let doubled = [window("FREQ=DAILY", "2026-01-01T00:00", "01:00", "02:00")];
    let first = local("2026-11-01T01:00", zone);
    assert_eq!(next_boundary(&year, &doubled, first), Some((false, first + TimeDelta::hours(2))));
}

#[test]
fn rules_that_cannot_be_meant_are_refused_with_a_remedy() {
    for (rule, expect) in [
        ("FREQ=HOURLY", "more often than daily"),
        ("FREQ=DAILY;BYHOUR=3", "from and to"),
        ("FREQ=SOMETIMES", "FREQ=DAILY"),
        ("", "FREQ=DAILY"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL=20261130"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day"),
        ("FREQ=DAILY;BYMONTH=13", "FREQ=DAILY"),
    ] {
        let error = parse_rule(rule).unwrap_err().to_string();
        assert!(error.contains(expect), "{rule}: {error}");
    }
    assert_eq!(parse_rule(&"X".repeat(300)).unwrap_err(), RuleError::TooLong);
    for rule in ["FREQ=DAILY", "RRULE:FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "freq=daily"] {
        assert!(parse_rule(rule).is_ok(), "{rule}: {:?}", parse_rule(rule).err());
    }
}
