//! What was found of one member, in plain words: the figure beside each condition.

use super::plain::{measured, metres, scalar, stage_name};
use crate::{
    model::segment::{Behavior, Location, Place, Scalar, Sequence, Test},
    segment::{Asked, Found, Standing, Whereabouts, behavior, dates},
    time::{Ts, Tz, day_of},
};
use chrono::NaiveDate;

pub(in crate::segment) fn attribute_found(value: Option<&Scalar>, test: &Test, today: NaiveDate) -> String {
    let Some(value) = value else { return "not set".into() };
    let written = scalar(value);
    let Some(day) = dates::day(value) else { return written };
    match test {
        Test::Age { .. } => dates::age(day, today).map_or(written.clone(), |years| format!("{years} ({written})")),
        Test::DaysAhead { .. } => match dates::days_ahead(day, today) {
            0 => format!("{written}, today"),
            ahead @ 1.. => format!("{written}, {} ahead", days(ahead)),
            behind => format!("{written}, {} ago", days(-behind)),
        },
        Test::In(_)
        | Test::NotIn(_)
        | Test::Between { .. }
        | Test::Exists(_)
        | Test::AnniversaryWithin { .. }
        | Test::AnniversaryIn(_) => written,
    }
}

fn days(count: i64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

pub(in crate::segment) fn behavior_found(question: &Behavior, asked: &Asked<'_>) -> String {
    if question.pick.is_some() {
        return match behavior::ends(question, asked) {
            Some((first, _)) => format!("yes, {}", instant(first, asked.zone)),
            None => "no".into(),
        };
    }
    let figure = behavior::measure(question, asked);
    figure.map_or_else(|| "nothing to measure".into(), |figure| measured(&question.measure, figure))
}

pub(in crate::segment) fn sequence_found(sequence: &Sequence, found: &Found, zone: Tz) -> String {
    let taken = sequence.steps.iter().zip(&found.steps);
    let steps: Vec<String> = taken.map(|(step, at)| format!("{} {}", step.event, instant(*at, zone))).collect();
    let missing = sequence.steps.get(found.steps.len()).filter(|_| !found.holds);
    match (steps.is_empty(), missing) {
        (true, _) => "did not begin".into(),
        (false, None) => steps.join(", then "),
        (false, Some(step)) => format!("{}, but no {} that fits", steps.join(", then "), step.event),
    }
}

pub(in crate::segment) fn standing_found(standing: &Standing, asked: &Asked<'_>) -> String {
    let Standing { stage, joined, last } = standing;
    let ago = |at: Ts| days((day_of(asked.now, asked.zone) - day_of(at, asked.zone)).num_days());
    let since = match (last, joined) {
        (Some(last), _) => format!("last activity {} ago", ago(*last)),
        (None, Some(joined)) => format!("no activity, joined {} ago", ago(*joined)),
        (None, None) => "no activity".into(),
    };
    format!("{}: {since}", stage_name(*stage))
}

#[expect(clippy::cast_possible_truncation, reason = "no distance on earth exceeds an i64 of metres")]
pub(in crate::segment) fn place_found(location: &Location, whereabouts: &Whereabouts) -> String {
    match (location, whereabouts) {
        (_, Whereabouts::Unknown) => "not known".into(),
        (_, Whereabouts::Region(region)) => region.clone(),
        (_, Whereabouts::Place(Place::In(store))) => format!("the store {store}"),
        (Location::Near { point, .. }, Whereabouts::Place(Place::At(at))) => {
            format!("{at}, {} away", metres(point.distance_m(*at).ceil() as i64))
        }
        (Location::Region { .. } | Location::PreferredStore { .. }, Whereabouts::Place(Place::At(at))) => {
            at.to_string()
        }
    }
}

fn instant(at: Ts, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}
