//! The judge: what the definition says, as slowly and plainly as it can be said. It shares no code with the evaluator;
//! of the model it takes the types alone.

use crate::generate::Person;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use fanfare_core::{
    ids::Name,
    model::segment::{
        Behavior, Condition, InterestRule, LifecycleRule, Location, Measure, Period, Pick, Point, Scalar, Sequence,
        Stage, Stretch, Test, Until, Window,
    },
    time::Span,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Ts = DateTime<Utc>;

/// Whether a condition holds.
pub(crate) fn holds(
    condition: &Condition,
    person: &Person,
    now: Ts,
    zone: Tz,
    segments: &BTreeMap<Name, Condition>,
) -> bool {
    let again = |part: &Condition| holds(part, person, now, zone, segments);
    let today = now.with_timezone(&zone).date_naive();
    match condition {
        Condition::Everyone => true,
        Condition::Attribute { name, test } => {
            let value = person.attributes.get(name).map(json_of);
            passes(test, &value.into_iter().collect::<Vec<_>>(), today)
        }
        Condition::Behavior(behavior) => did(behavior, person, now, zone),
        Condition::Sequence(sequence) => did_in_order(sequence, person, now, zone),
        Condition::Lifecycle(question) => question.stages.contains(&stage(&question.rule, person, now, zone)),
        Condition::Location(location) => is_at(location, person, now, zone),
        Condition::Tags { any, all, none } => sets(any, all, none, &|tag| person.tags.contains(tag)),
        Condition::Interests(question) => {
            let liked = interests(&question.rule, person, now, zone);
            sets(&question.any, &question.all, &question.none, &|name| liked.iter().any(|liked| liked == name))
        }
        Condition::List(name) => person.lists.contains(name),
        Condition::Segment(name) => segments.get(name).is_some_and(again),
        Condition::Not(part) => !again(part),
        Condition::All(parts) => !parts.iter().any(|part| !again(part)),
        Condition::Any(parts) => parts.iter().any(again),
    }
}

fn sets(any: &[String], all: &[String], none: &[String], has: &dyn Fn(&String) -> bool) -> bool {
    let ok_any = any.is_empty() || any.iter().filter(|name| has(name)).count() > 0;
    ok_any && all.iter().filter(|name| !has(name)).count() == 0 && none.iter().filter(|name| has(name)).count() == 0
}

// --- values

fn json_of(value: &Scalar) -> Value {
    match value {
        Scalar::Flag(flag) => json!(flag),
        Scalar::Number(number) => json!(write_e4(number.e4.into())),
        Scalar::Text(text) => json!(text),
    }
}

fn write_e4(e4: i128) -> String {
    let sign = if e4 < 0 { "-" } else { "" };
    format!("{sign}{}.{:04}", e4.abs() / 10_000, e4.abs() % 10_000)
}

/// A number in ten-thousandths.
fn e4(value: &Value) -> Option<i128> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let negative = text.starts_with('-');
    let text = text.trim_start_matches('-');
    let (whole, part) = match text.find('.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, ""),
    };
    if whole.is_empty() || part.len() > 4 || !format!("{whole}{part}").chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut number: i128 = 0;
    for digit in whole.chars().chain(part.chars()).chain("0000".chars().skip(part.len())) {
        number = number * 10 + i128::from(digit.to_digit(10)?);
    }
    Some(if negative { -number } else { number })
}

/// One text for all values that are equal.
fn canon(value: &Value) -> String {
    match (e4(value), value) {
        (Some(number), _) => format!("number {number}"),
        (None, Value::Bool(flag)) => format!("flag {flag}"),
        (None, Value::String(text)) => format!("text {text}"),
        (None, other) => format!("text {other}"),
    }
}

fn date(value: &Value) -> Option<NaiveDate> {
    let text = value.as_str()?;
    if text.len() < 10 || !text.is_char_boundary(10) {
        return None;
    }
    text[..10].parse().ok()
}

/// Whether some values of one field pass.
fn passes(test: &Test, values: &[Value], today: NaiveDate) -> bool {
    let day = |asked: &dyn Fn(NaiveDate) -> bool| values.iter().filter_map(date).any(asked);
    match test {
        Test::In(wanted) => {
            let wanted: BTreeSet<String> = wanted.iter().map(|scalar| canon(&json_of(scalar))).collect();
            values.iter().any(|value| wanted.contains(&canon(value)))
        }
        Test::NotIn(unwanted) => !passes(&Test::In(unwanted.clone()), values, today),
        Test::Exists(true) => !values.is_empty(),
        Test::Exists(false) => values.is_empty(),
        Test::Between { least, most } => values.iter().any(|value| {
            let not_below = least.as_ref().is_none_or(|least| compare(value, &json_of(least)).is_some_and(|o| o >= 0));
            let not_above = most.as_ref().is_none_or(|most| compare(value, &json_of(most)).is_some_and(|o| o <= 0));
            not_below && not_above
        }),
        Test::Age { least, most } => day(&|born| {
            let birthdays = (born.year() + 1..=today.year()).filter(|year| comes_round_on(born, *year) <= today);
            let age = birthdays.count() as i64;
            born <= today && least.is_none_or(|least| age >= least) && most.is_none_or(|most| age <= most)
        }),
        Test::AnniversaryWithin { days } => day(&|date| {
            (0..=*days).any(|ahead| {
                let that = today + TimeDelta::days(ahead);
                comes_round_on(date, that.year()) == that
            })
        }),
        Test::AnniversaryIn(stretch) => day(&|date| {
            (-40..=40).map(|ahead| today + TimeDelta::days(ahead)).any(|that| {
                let same = match stretch {
                    Stretch::Today => that == today,
                    Stretch::ThisWeek => that.iso_week() == today.iso_week(),
                    Stretch::ThisMonth => (that.year(), that.month()) == (today.year(), today.month()),
                };
                same && comes_round_on(date, that.year()) == that
            })
        }),
        Test::DaysAhead { least, most } => day(&|date| {
            let ahead = date.signed_duration_since(today).num_days();
            least.is_none_or(|least| ahead >= least) && most.is_none_or(|most| ahead <= most)
        }),
    }
}

fn comes_round_on(date: NaiveDate, year: i32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, date.month(), date.day()) {
        Some(day) => day,
        None => NaiveDate::from_ymd_opt(year, 3, 1).unwrap(),
    }
}

fn compare(left: &Value, right: &Value) -> Option<i32> {
    let sign = |ordering: std::cmp::Ordering| ordering as i32;
    if let (Some(left), Some(right)) = (e4(left), e4(right)) {
        return Some(sign(left.cmp(&right)));
    }
    match (date(left), date(right)) {
        (Some(_), Some(_)) => Some(sign(left.as_str().cmp(&right.as_str()))),
        _ => None,
    }
}

// --- time

/// The first instant at which the clock on the wall shows `local` or later.
fn wall(local: NaiveDateTime, zone: Tz) -> Ts {
    let quarter = TimeDelta::minutes(15);
    let mut cell = local.and_utc() - TimeDelta::hours(27);
    cell -= TimeDelta::seconds(cell.timestamp().rem_euclid(900)) + TimeDelta::nanoseconds(nanos(cell));
    loop {
        let shows = cell.with_timezone(&zone).naive_local();
        if shows > local {
            return cell;
        }
        if local < shows + quarter {
            return cell + (local - shows);
        }
        cell += quarter;
    }
}

fn nanos(at: Ts) -> i64 {
    i64::from(at.timestamp_subsec_nanos())
}

/// That long before.
fn back(span: Span, now: Ts, zone: Tz) -> Ts {
    let seconds = TimeDelta::seconds(span.seconds);
    if span.days == 0 {
        return now - seconds;
    }
    wall(now.with_timezone(&zone).naive_local() - Days::new(span.days as u64), zone) - seconds
}

/// That long after.
fn forth(span: Span, at: Ts, zone: Tz) -> Ts {
    let seconds = TimeDelta::seconds(span.seconds);
    if span.days == 0 {
        return at + seconds;
    }
    wall(at.with_timezone(&zone).naive_local() + Days::new(span.days as u64), zone) + seconds
}

fn in_window(window: &Window, at: Ts, now: Ts, zone: Tz) -> bool {
    let day = at.with_timezone(&zone).date_naive();
    let today = now.with_timezone(&zone).date_naive();
    at <= now
        && window.within.is_none_or(|span| at >= back(span, now, zone))
        && window.before.is_none_or(|span| at < back(span, now, zone))
        && window.from.is_none_or(|from| at >= wall(from, zone))
        && window.to.is_none_or(|to| at < wall(to, zone))
        && window.period.is_none_or(|period| is_in(period, day, today))
}

fn is_in(period: Period, day: NaiveDate, today: NaiveDate) -> bool {
    let week = |date: NaiveDate| date - Days::new(date.weekday().num_days_from_monday().into());
    let month = |date: NaiveDate| date.year() * 12 + date.month0() as i32;
    let quarter = |date: NaiveDate| date.year() * 4 + date.month0() as i32 / 3;
    match period {
        Period::Today => day == today,
        Period::Yesterday => day == today - Days::new(1),
        Period::ThisWeek => week(day) == week(today),
        Period::LastWeek => week(day) == week(today) - Days::new(7),
        Period::ThisMonth => month(day) == month(today),
        Period::LastMonth => month(day) == month(today) - 1,
        Period::ThisQuarter => quarter(day) == quarter(today),
        Period::LastQuarter => quarter(day) == quarter(today) - 1,
        Period::ThisYear => day.year() == today.year(),
        Period::LastYear => day.year() == today.year() - 1,
    }
}

// --- events

/// An event that counts: its data as sent, its lines as they are left, what refunds said of it.
struct Live {
    at: Ts,
    data: Value,
    lines: Vec<Value>,
    refunds: Vec<Value>,
}

fn live(person: &Person, kind: &str, now: Ts) -> Vec<Live> {
    let of = |kind: &str| -> Vec<(Ts, Value)> {
        let events = person.events.iter().filter(|(of, at, _)| of == kind && *at <= now);
        events.map(|(_, at, data)| (*at, data.clone())).collect()
    };
    let mut live = Vec::new();
    for (at, data) in of(kind) {
        let mut refunds = Vec::new();
        if kind == "order.paid" {
            let order = data["orderId"].clone();
            refunds = of("order.refunded").into_iter().map(|(_, data)| data).collect();
            refunds.retain(|refund| !order.is_null() && refund["orderId"] == order);
            let back: i128 = refunds.iter().filter_map(|refund| e4(&refund["total"])).sum();
            if back > 0 && back >= e4(&data["total"]).unwrap_or(0) {
                continue;
            }
        }
        let lines = left_of(&data, &refunds);
        live.push(Live { at, data, lines, refunds });
    }
    live
}

fn left_of(data: &Value, refunds: &[Value]) -> Vec<Value> {
    let no_lines = Vec::new();
    let lines_of = |data: &Value| data["lines"].as_array().unwrap_or(&no_lines).clone();
    let key =
        |line: &Value| if line["id"].is_null() { ("sku", line["sku"].clone()) } else { ("id", line["id"].clone()) };
    let quantity = |line: &Value| e4(&line["quantity"]).unwrap_or(10_000);
    let mut back: Vec<_> = refunds.iter().flat_map(lines_of).map(|line| (key(&line), quantity(&line))).collect();
    back.retain(|((_, name), _)| !name.is_null());
    let mut left = Vec::new();
    for mut line in lines_of(data) {
        let bought = quantity(&line);
        let mut open = bought;
        for (of, quantity) in &mut back {
            if *of == key(&line) {
                let taken = open.min(*quantity);
                open -= taken;
                *quantity -= taken;
            }
        }
        if open == 0 && bought > 0 {
            continue;
        }
        let total = match (e4(&line["total"]), e4(&line["unitPrice"])) {
            (Some(total), _) if open == bought => Some(total),
            (Some(total), _) => Some((total * open).div_euclid(bought)),
            (None, Some(price)) => Some((price * open).div_euclid(10_000)),
            (None, None) => None,
        };
        line["quantity"] = json!(write_e4(open));
        line["total"] = total.map_or(Value::Null, |total| json!(write_e4(total)));
        left.push(line);
    }
    left
}

/// Every value at a path, through lists.
fn at_path(data: &Value, path: &[&str]) -> Vec<Value> {
    match (data, path) {
        (Value::Array(items), path) => items.iter().flat_map(|item| at_path(item, path)).collect(),
        (Value::Null | Value::Object(_), []) => Vec::new(),
        (value, []) => vec![value.clone()],
        (value, [step, rest @ ..]) => at_path(&value[step], rest),
    }
}

fn values(data: &Value, path: &str) -> Vec<Value> {
    at_path(data, &path.split('.').collect::<Vec<_>>())
}

impl Live {
    /// The lines that pass every test of lines.
    fn lines(&self, filter: &BTreeMap<String, Test>, today: NaiveDate) -> Vec<&Value> {
        let passes_all = |line: &&Value| {
            filter.iter().all(|(path, test)| match path.strip_prefix("lines.") {
                Some(path) => passes(test, &values(line, path), today),
                None => true,
            })
        };
        self.lines.iter().filter(passes_all).collect()
    }

    fn passes(&self, filter: &BTreeMap<String, Test>, today: NaiveDate) -> bool {
        let of_lines = filter.keys().any(|path| path.starts_with("lines."));
        let rest = filter.iter().filter(|(path, _)| !path.starts_with("lines."));
        rest.into_iter().all(|(path, test)| passes(test, &values(&self.data, path), today))
            && (!of_lines || !self.lines(filter, today).is_empty())
    }

    fn measured(&self, path: &str, filter: &BTreeMap<String, Test>, today: NaiveDate) -> Vec<Value> {
        match path.strip_prefix("lines.") {
            Some(path) => self.lines(filter, today).into_iter().flat_map(|line| values(line, path)).collect(),
            None => values(&self.data, path),
        }
    }

    fn numbers(&self, path: &str, filter: &BTreeMap<String, Test>, today: NaiveDate) -> Vec<i128> {
        let mut numbers: Vec<i128> = self.measured(path, filter, today).iter().filter_map(e4).collect();
        if !path.starts_with("lines.") && !numbers.is_empty() {
            numbers[0] -=
                self.refunds.iter().flat_map(|refund| values(refund, path)).filter_map(|v| e4(&v)).sum::<i128>();
        }
        numbers
    }
}

fn did(behavior: &Behavior, person: &Person, now: Ts, zone: Tz) -> bool {
    let Behavior { event, filter, window, pick, measure, least, most } = behavior;
    let today = now.with_timezone(&zone).date_naive();
    let all = live(person, event, now);
    let first = all.iter().map(|event| event.at).min();
    let last = all.iter().map(|event| event.at).max();
    let counts = |event: &&Live| {
        let picked = match pick {
            None => true,
            Some(Pick::First) => Some(event.at) == first,
            Some(Pick::Last) => Some(event.at) == last,
        };
        picked && in_window(window, event.at, now, zone) && event.passes(filter, today)
    };
    let events: Vec<&Live> = all.iter().filter(counts).collect();
    let numbers =
        |path: &String| events.iter().flat_map(|event| event.numbers(path, filter, today)).collect::<Vec<i128>>();
    let figure = match measure {
        Measure::Count => Some(events.len() as i128),
        Measure::Sum(path) => Some(numbers(path).iter().sum()),
        Measure::Average(path) => {
            let numbers = numbers(path);
            let count = numbers.len() as i128;
            (count > 0).then(|| numbers.iter().sum::<i128>().div_euclid(count))
        }
        Measure::Min(path) => numbers(path).into_iter().min(),
        Measure::Max(path) => numbers(path).into_iter().max(),
        Measure::Distinct(path) => {
            let values = events.iter().flat_map(|event| event.measured(path, filter, today));
            Some(values.map(|value| canon(&value)).collect::<BTreeSet<_>>().len() as i128)
        }
    };
    figure.is_some_and(|figure| {
        least.is_none_or(|least| figure >= i128::from(least)) && most.is_none_or(|most| figure <= i128::from(most))
    })
}

fn did_in_order(sequence: &Sequence, person: &Person, now: Ts, zone: Tz) -> bool {
    let today = now.with_timezone(&zone).date_naive();
    let instants = |event: &String, filter: &BTreeMap<String, Test>| -> Vec<Ts> {
        live(person, event, now).iter().filter(|event| event.passes(filter, today)).map(|event| event.at).collect()
    };
    let steps: Vec<Vec<Ts>> = sequence.steps.iter().map(|step| instants(&step.event, &step.filter)).collect();
    let mut ways: Vec<Vec<Ts>> = vec![Vec::new()];
    for (step, instants) in sequence.steps.iter().zip(&steps) {
        let mut longer = Vec::new();
        for way in &ways {
            for at in instants {
                let fits = match way.last() {
                    None => {
                        step.within.is_none_or(|span| *at >= back(span, now, zone))
                            && step.after.is_none_or(|span| *at < back(span, now, zone))
                    }
                    Some(before) => {
                        at > before
                            && step.within.is_none_or(|span| *at <= forth(span, *before, zone))
                            && step.after.is_none_or(|span| *at >= forth(span, *before, zone))
                    }
                };
                if fits {
                    longer.push(way.iter().copied().chain([*at]).collect());
                }
            }
        }
        ways = longer;
    }
    ways.iter().any(|way| match &sequence.without {
        None => true,
        Some(out) => !instants(&out.event, &out.filter).iter().any(|at| match out.until {
            Until::LastStep => *at > way[0] && at < way.last().unwrap(),
            Until::Now => *at > way[0],
        }),
    })
}

// --- the person

fn stage(rule: &LifecycleRule, person: &Person, now: Ts, zone: Tz) -> Stage {
    let stated = rule.joined.as_ref().and_then(|name| date(&json_of(person.attributes.get(name)?)));
    let joined = match stated {
        Some(day) => Some(wall(day.and_hms_opt(0, 0, 0).unwrap(), zone)),
        None => person.events.iter().map(|(_, at, _)| *at).chain(person.since).min(),
    };
    let last = rule.activity.iter().flat_map(|kind| live(person, kind, now)).map(|event| event.at).max();
    let Some(idle_since) = last.or(joined) else { return Stage::Churned };
    let idle = |span: Span| idle_since <= back(span, now, zone);
    if idle(rule.churned_after) {
        Stage::Churned
    } else if idle(rule.churn_risk_after) {
        Stage::ChurnRisk
    } else if idle(rule.dormant_after) {
        Stage::Dormant
    } else if joined.is_some_and(|joined| joined >= back(rule.new_for, now, zone)) {
        Stage::New
    } else {
        Stage::Active
    }
}

const PLACES: [&str; 4] = ["order.paid", "store.visited", "member.checkedIn", "member.located"];

fn is_at(location: &Location, person: &Person, now: Ts, zone: Tz) -> bool {
    let stated = |name: &Option<String>| {
        let value = name.as_ref().and_then(|name| person.attributes.get(name))?;
        match value {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        }
    };
    let events: Vec<Live> = PLACES.iter().flat_map(|kind| live(person, kind, now)).collect();
    // What an event says: a point, or else a store. Of one instant points come first, by latitude and longitude.
    let said = |event: &Live| {
        let degrees = |name: &str| event.data["location"][name].as_f64();
        let point = degrees("lat").zip(degrees("lng"));
        let point = point.filter(|(lat, lng)| lat.abs() <= 90.0 && lng.abs() <= 180.0);
        let store = event.data["storeId"].as_str().map(str::to_owned);
        match (point, store) {
            (Some((lat, lng)), _) => Some((0, ((lat * 1e6).round() as i32, (lng * 1e6).round() as i32), String::new())),
            (None, Some(store)) => Some((1, (0, 0), store)),
            (None, None) => None,
        }
    };
    let newest = events.iter().filter(|event| said(event).is_some()).map(|event| event.at).max();
    let place = events.iter().filter(|event| Some(event.at) == newest).filter_map(said).min();
    let in_store = |stores: &[fanfare_core::ids::StoreId]| {
        place.as_ref().is_some_and(|(kind, _, id)| *kind == 1 && stores.iter().any(|store| store.as_str() == id))
    };
    match location {
        Location::Near { point, radius_m, attribute, stores, .. } => {
            let home = stated(attribute).and_then(|text| {
                let (lat, lng) = text.split_once(',')?;
                Some((lat.parse::<f64>().ok()?, lng.parse::<f64>().ok()?))
            });
            let here = match (&home, &place) {
                (Some(home), _) => Some(*home),
                (None, Some((0, (lat, lng), _))) => Some((f64::from(*lat) / 1e6, f64::from(*lng) / 1e6)),
                _ => None,
            };
            match here {
                Some(here) => metres(here, *point) <= *radius_m as f64,
                None => home.is_none() && in_store(stores),
            }
        }
        Location::Region { any, attribute, stores } => match stated(attribute) {
            Some(region) => any.contains(&region),
            None => in_store(stores),
        },
        Location::PreferredStore { any, attribute, within } => {
            let learned = || {
                let mut visits: BTreeMap<&str, Vec<Ts>> = BTreeMap::new();
                for event in &events {
                    if let (Some(store), true) = (event.data["storeId"].as_str(), event.at >= back(*within, now, zone))
                    {
                        visits.entry(store).or_default().push(event.at);
                    }
                }
                let most = visits.values().map(Vec::len).max()?;
                visits.retain(|_, times| times.len() == most);
                let newest = visits.values().flatten().max().copied()?;
                visits.into_iter().find(|(_, times)| times.contains(&newest)).map(|(store, _)| store.to_owned())
            };
            let store = stated(attribute).or_else(learned);
            store.is_some_and(|store| any.iter().any(|wanted| wanted.as_str() == store))
        }
    }
}

/// By the chord between two points of a sphere.
fn metres(from: (f64, f64), to: Point) -> f64 {
    let vector = |(lat, lng): (f64, f64)| {
        let (lat, lng) = (lat.to_radians(), lng.to_radians());
        [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()]
    };
    let (a, b) = (vector(from), vector((f64::from(to.lat_e6) / 1e6, f64::from(to.lng_e6) / 1e6)));
    let chord = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    2.0 * 6_371_008.8 * (chord / 2.0).asin()
}

fn interests(rule: &InterestRule, person: &Person, now: Ts, zone: Tz) -> Vec<String> {
    let orders: Vec<Live> = live(person, "order.paid", now);
    let mut standing: BTreeMap<String, Vec<Ts>> = BTreeMap::new();
    for order in orders.iter().filter(|order| order.at >= back(rule.within, now, zone)) {
        let mut names = BTreeSet::new();
        for path in &rule.fields {
            let found = match path.strip_prefix("lines.") {
                Some(path) => order.lines.iter().flat_map(|line| values(line, path)).collect(),
                None => values(&order.data, path),
            };
            names.extend(found.iter().filter_map(|value| value.as_str().map(str::to_owned)));
        }
        for name in names {
            standing.entry(name).or_default().push(order.at);
        }
    }
    let mut liked: Vec<(String, Vec<Ts>)> =
        standing.into_iter().filter(|(_, times)| times.len() as i64 >= rule.orders).collect();
    liked.sort_by(|(name, times), (other_name, other)| {
        let by_count = other.len().cmp(&times.len());
        by_count.then(other.iter().max().cmp(&times.iter().max())).then(name.cmp(other_name))
    });
    liked.into_iter().take(rule.top as usize).map(|(name, _)| name).collect()
}
