//! Members, events, conditions and times from a seed. Texts and times come from small sets, so that they meet.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use fanfare_core::{
    ids::{Name, StoreId},
    model::segment::{
        Behavior, Condition, Decimal, Exclusion, InterestRule, Interests, Lifecycle, LifecycleRule, Location, Measure,
        Period, Pick, Point, Scalar, Sequence, Stage, Step, Stretch, Test, Until, Window,
    },
    segment::{MemberFacts, PastEvent},
    time::{Span, Ts, Tz, resolve},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A generated member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) attributes: BTreeMap<String, Scalar>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) lists: BTreeSet<Name>,
    pub(crate) since: Option<Ts>,
    pub(crate) events: Vec<(String, Ts, Value)>,
}

impl Person {
    pub(crate) fn facts(&self) -> MemberFacts {
        let mut events: BTreeMap<String, Vec<PastEvent>> = BTreeMap::new();
        for (kind, at, data) in &self.events {
            events.entry(kind.clone()).or_default().push(PastEvent { at: *at, data: data.clone() });
        }
        for of_kind in events.values_mut() {
            of_kind.sort_by_key(|event| std::cmp::Reverse(event.at));
        }
        let Self { attributes, tags, lists, since, .. } = self.clone();
        MemberFacts { attributes, tags, lists, since, events }
    }
}

/// SplitMix64: the same seed, the same draws.
pub(crate) struct Dice(u64);

const ZONES: [Tz; 6] = [
    Tz::Asia__Bangkok,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Europe__Berlin,
    Tz::America__Havana,
    Tz::UTC,
];
/// Around clock changes of these zones, the leap day, the ends of a year and a quarter, and an ordinary day.
const NOWS: [&str; 10] = [
    "2026-03-08T03:30",
    "2026-03-29T12:00",
    "2026-11-01T01:30",
    "2026-10-25T02:15",
    "2026-04-05T01:45",
    "2028-02-29T10:00",
    "2026-12-31T23:59",
    "2027-01-01T00:00",
    "2026-07-01T00:10",
    "2026-11-11T10:00",
];
const STORES: [&str; 4] = ["bkk-01", "bkk-02", "cnx-01", "hkt-01"];
const CATEGORIES: [&str; 4] = ["coffee", "tea", "cake", "gift-card"];
const BRANDS: [&str; 3] = ["hillside", "lotus", "river"];
const SKUS: [&str; 5] = ["TEA-01", "TEA-02", "COF-01", "CAK-01", "12"];
const TAGS: [&str; 4] = ["coffee", "staff", "press", "vip"];
const KINDS: [&str; 7] = [
    "order.paid",
    "store.visited",
    "cart.abandoned",
    "member.checkedIn",
    "member.located",
    "quiz.finished",
    "order.refunded",
];
const SPANS: [&str; 9] = ["1h", "12h", "1d", "24h", "2d", "7d", "30d", "1d 1h", "90d"];
const AMOUNTS: [&str; 6] = ["0", "99.5", "100", "250.25", "500", "1999.9999"];
const CENTRE: Point = Point { lat_e6: 13_740_000, lng_e6: 100_530_000 };

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0x5eed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn text(&mut self, of: &[&str]) -> String {
        self.pick(of).to_owned()
    }

    fn some_of(&mut self, of: &[&str]) -> Vec<String> {
        of.iter().filter(|_| self.one_in(2)).map(|text| (*text).to_owned()).collect()
    }

    fn at_least_one_of(&mut self, of: &[&str]) -> Vec<String> {
        let some = self.some_of(of);
        if some.is_empty() { vec![self.text(of)] } else { some }
    }

    fn maybe<T>(&mut self, of: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(of).then(|| make(self))
    }

    pub(crate) fn zone(&mut self) -> Tz {
        self.pick(&ZONES)
    }

    pub(crate) fn now(&mut self, zone: Tz) -> Ts {
        let text = self.text(&NOWS);
        resolve(NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M").unwrap(), zone)
    }

    pub(crate) fn span(&mut self) -> Span {
        Span::parse(self.pick(&SPANS)).unwrap()
    }

    fn name(&mut self) -> Name {
        Name::from(self.pick(&["a", "b", "c", "nowhere"]))
    }

    /// Keeps at most so many of some times.
    pub(crate) fn thin(&mut self, times: &mut Vec<Ts>, most: usize) {
        while times.len() > most {
            let place = self.below(times.len() as u64) as usize;
            times.swap_remove(place);
        }
    }

    // --- a member

    pub(crate) fn person(&mut self, now: Ts, zone: Tz) -> Person {
        let mut person = Person { since: self.maybe(2, |dice| dice.instant(now, zone)), ..Person::default() };
        for (name, value) in [
            ("tier", Scalar::Text(self.text(&["silver", "gold", "platinum"]))),
            ("age", Scalar::Number(Decimal { e4: i64::try_from(self.below(60)).unwrap() * 10_000 })),
            ("birthDate", Scalar::Text(self.date(now, zone, 40))),
            ("memberSince", Scalar::Text(self.date(now, zone, 1))),
            ("vip", Scalar::Flag(self.one_in(2))),
            ("home", Scalar::Text(self.point().to_string())),
            ("region", Scalar::Text(self.text(&["TH-10", "TH-50"]))),
            ("preferredStore", Scalar::Text(self.text(&STORES))),
        ] {
            if self.below(3) > 0 {
                person.attributes.insert(name.to_owned(), value);
            }
        }
        person.tags = self.some_of(&TAGS).into_iter().collect();
        person.lists = self.some_of(&["a", "b"]).into_iter().map(Name::from).collect();
        let mut orders = Vec::new();
        for n in 0..self.below(14) {
            let kind = self.text(&KINDS);
            let at = match person.events.last() {
                Some((_, at, _)) if self.one_in(8) => *at,
                _ => self.instant(now, zone),
            };
            let data = match kind.as_str() {
                "order.paid" => self.order(n, &mut orders),
                "order.refunded" => self.refund(&orders),
                _ => self.plain_data(),
            };
            person.events.push((kind, at, data));
        }
        person
    }

    /// Some time of the last months, often exactly as long ago as a condition asks, and now and then ahead.
    fn instant(&mut self, now: Ts, zone: Tz) -> Ts {
        match self.below(8) {
            0 => self.span().before(now, zone),
            1 => now,
            2 => now + TimeDelta::minutes(i64::try_from(self.below(5)).unwrap()),
            3 => now - TimeDelta::minutes(i64::try_from(self.below(3_000)).unwrap()),
            4 => now - TimeDelta::seconds(i64::try_from(self.below(86_400 * 400)).unwrap()),
            _ => now - TimeDelta::seconds(i64::try_from(self.below(86_400 * 95)).unwrap()),
        }
    }

    fn date(&mut self, now: Ts, zone: Tz, years: u64) -> String {
        if self.one_in(8) {
            return self.text(&["2000-02-29", "1996-02-29", "2001-03-01", "2001-02-28", "2026-11-11", "no date"]);
        }
        let today = now.with_timezone(&zone).date_naive();
        let near = i64::try_from(self.below(80)).unwrap() - 40;
        let back = i32::try_from(self.below(years + 1)).unwrap();
        let day = today + TimeDelta::days(near);
        let past = chrono::Datelike::with_year(&day, chrono::Datelike::year(&day) - back);
        past.unwrap_or(day).to_string()
    }

    fn point(&mut self) -> Point {
        let mut near = |scale: i32| i32::try_from(self.below(200)).unwrap() * scale - 100 * scale;
        Point { lat_e6: CENTRE.lat_e6 + near(700), lng_e6: CENTRE.lng_e6 + near(700) }
    }

    fn order(&mut self, n: u64, orders: &mut Vec<Value>) -> Value {
        let mut data = self.plain_data();
        let id = if self.one_in(10) { "o0".to_owned() } else { format!("o{n}") };
        data["orderId"] = json!(id);
        data["total"] = if self.one_in(3) { json!(100.5) } else { json!(self.text(&AMOUNTS)) };
        data["channel"] = json!(self.text(&["pos", "miniProgram"]));
        let lines: Vec<Value> = (0..self.below(4)).map(|index| self.line(index)).collect();
        if !lines.is_empty() {
            data["lines"] = Value::Array(lines);
        }
        orders.push(data.clone());
        data
    }

    fn line(&mut self, index: u64) -> Value {
        let mut line = json!({"sku": self.text(&SKUS)});
        if self.below(3) > 0 {
            line["id"] = json!((index + 1).to_string());
        }
        if self.below(4) > 0 {
            line["quantity"] = json!(1 + self.below(3));
        }
        match self.below(3) {
            0 => line["unitPrice"] = json!(self.text(&AMOUNTS)),
            1 => line["total"] = json!(self.text(&AMOUNTS)),
            _ => {}
        }
        if self.below(4) > 0 {
            line["category"] = json!(self.text(&CATEGORIES));
        }
        if self.one_in(2) {
            line["brand"] = json!(self.text(&BRANDS));
        }
        line
    }

    fn refund(&mut self, orders: &[Value]) -> Value {
        let mut order = match orders {
            [] => json!({"orderId": "o9", "total": "50"}),
            orders => orders[self.below(orders.len() as u64) as usize].clone(),
        };
        if self.one_in(2) {
            order["total"] = json!(self.text(&AMOUNTS));
        }
        if let Some(lines) = order["lines"].as_array_mut() {
            lines.retain(|_| self.one_in(2));
            for line in lines {
                if self.one_in(2) {
                    line["quantity"] = json!(1);
                }
            }
        }
        order
    }

    fn plain_data(&mut self) -> Value {
        let mut data = json!({});
        if self.below(3) > 0 {
            data["storeId"] = json!(self.text(&STORES));
        }
        if self.one_in(3) {
            let point = self.point();
            data["location"] = json!({"lat": f64::from(point.lat_e6) / 1e6, "lng": f64::from(point.lng_e6) / 1e6});
        }
        if self.one_in(12) {
            data["location"] = json!({"lat": 91.0, "lng": 0.0});
        }
        if self.one_in(2) {
            data["score"] = json!(self.below(5));
        }
        if self.one_in(3) {
            data["labels"] = json!(self.some_of(&CATEGORIES));
        }
        if self.one_in(3) {
            data["passed"] = json!(self.one_in(2));
        }
        data
    }

    // --- a condition

    pub(crate) fn segments(&mut self, zone: Tz) -> BTreeMap<Name, Condition> {
        let a = self.leaf(zone);
        let b = self.condition_of(2, zone);
        let c = Condition::Not(Box::new(Condition::Segment(Name::from("a"))));
        [("a", a), ("b", b), ("c", c)].map(|(name, condition)| (Name::from(name), condition)).into()
    }

    pub(crate) fn condition(&mut self, zone: Tz) -> Condition {
        match self.below(12) {
            0 => Condition::Segment(self.name()),
            _ => self.condition_of(2, zone),
        }
    }

    fn condition_of(&mut self, depth: u64, zone: Tz) -> Condition {
        if depth == 0 {
            return self.leaf(zone);
        }
        let parts = |dice: &mut Self| (0..1 + dice.below(3)).map(|_| dice.condition_of(depth - 1, zone)).collect();
        match self.below(5) {
            0 => Condition::All(parts(self)),
            1 => Condition::Any(parts(self)),
            2 => Condition::Not(Box::new(self.condition_of(depth - 1, zone))),
            _ => self.leaf(zone),
        }
    }

    pub(crate) fn leaf(&mut self, zone: Tz) -> Condition {
        match self.below(16) {
            0 => Condition::Everyone,
            1..=3 => {
                let (name, test) = self.attribute();
                Condition::Attribute { name, test }
            }
            4..=8 => Condition::Behavior(self.behavior(zone)),
            9 | 10 => Condition::Sequence(self.sequence()),
            11 => Condition::Lifecycle(self.lifecycle()),
            12 | 13 => Condition::Location(self.location()),
            14 => {
                let (any, all, none) = self.sets(&TAGS);
                Condition::Tags { any, all, none }
            }
            _ if self.one_in(3) => Condition::List(Name::from(self.pick(&["a", "b", "c"]))),
            _ => {
                let (any, all, none) = self.sets(&["coffee", "tea", "hillside"]);
                let rule = InterestRule {
                    within: Span::days(self.pick(&[30, 90])),
                    orders: self.pick(&[1, 1, 2]),
                    top: self.pick(&[1, 2, 5]),
                    ..InterestRule::default()
                };
                Condition::Interests(Interests { any, all, none, rule })
            }
        }
    }

    fn sets(&mut self, of: &[&str]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let names = self.at_least_one_of(of);
        match self.below(3) {
            0 => (names, Vec::new(), Vec::new()),
            1 => (Vec::new(), names, Vec::new()),
            _ => (Vec::new(), Vec::new(), names),
        }
    }

    fn attribute(&mut self) -> (String, Test) {
        let texts = |texts: Vec<String>| texts.into_iter().map(Scalar::Text).collect::<Vec<_>>();
        let bounds = |dice: &mut Self, most: u64| {
            let least = dice.maybe(2, |dice| i64::try_from(dice.below(most)).unwrap());
            (least, least.map_or(Some(5), |_| None))
        };
        match self.below(10) {
            0 => ("tier".to_owned(), Test::In(texts(self.at_least_one_of(&["silver", "gold"])))),
            1 => ("tier".to_owned(), Test::NotIn(texts(self.at_least_one_of(&["silver", "gold"])))),
            2 => ("home".to_owned(), Test::Exists(self.one_in(2))),
            3 => {
                let number = Scalar::Number(Decimal { e4: i64::try_from(self.below(60)).unwrap() * 10_000 });
                let both = self.one_in(2);
                ("age".to_owned(), Test::Between { least: Some(number.clone()), most: both.then_some(number) })
            }
            4 => ("vip".to_owned(), Test::In(vec![Scalar::Flag(true)])),
            5 => {
                let day = Scalar::Text(self.text(&["2001-03-01", "1990-01-01", "2026-11-11"]));
                ("birthDate".to_owned(), Test::Between { least: None, most: Some(day) })
            }
            6 => {
                let (least, most) = bounds(self, 40);
                ("birthDate".to_owned(), Test::Age { least, most })
            }
            7 => ("birthDate".to_owned(), Test::AnniversaryWithin { days: self.pick(&[0, 1, 7, 30, 364]) }),
            8 => {
                let stretch = self.pick(&[Stretch::Today, Stretch::ThisWeek, Stretch::ThisMonth]);
                ("birthDate".to_owned(), Test::AnniversaryIn(stretch))
            }
            _ => {
                let (least, most) =
                    self.pick(&[(Some(-30), Some(0)), (Some(0), Some(14)), (None, Some(-10)), (Some(3), None)]);
                ("memberSince".to_owned(), Test::DaysAhead { least, most })
            }
        }
    }

    fn filter(&mut self) -> BTreeMap<String, Test> {
        let mut filter = BTreeMap::new();
        while self.one_in(3) {
            let texts = |texts: Vec<String>| texts.into_iter().map(Scalar::Text).collect::<Vec<_>>();
            let (path, test) = match self.below(9) {
                0 => ("storeId", Test::In(texts(self.at_least_one_of(&STORES)))),
                1 => ("storeId", Test::NotIn(texts(self.at_least_one_of(&STORES)))),
                2 => ("lines.sku", Test::In(texts(self.at_least_one_of(&SKUS)))),
                3 => ("lines.category", Test::In(texts(self.at_least_one_of(&CATEGORIES)))),
                4 => ("lines.brand", Test::NotIn(texts(self.at_least_one_of(&BRANDS)))),
                5 => ("lines.quantity", Test::Between { least: Some(Scalar::Text("2".into())), most: None }),
                6 => ("labels", Test::In(texts(self.at_least_one_of(&CATEGORIES)))),
                7 => ("passed", Test::In(vec![Scalar::Flag(true)])),
                _ => ("storeId", Test::Exists(self.one_in(2))),
            };
            filter.insert(path.to_owned(), test);
        }
        filter
    }

    fn window(&mut self, zone: Tz) -> Window {
        let mut window = Window::default();
        match self.below(8) {
            0 => {}
            1..=3 => window.within = Some(self.span()),
            4 => window.before = Some(self.span()),
            5 => (window.within, window.before) = (Some(self.span()), Some(self.span())),
            6 => {
                window.period = Some(self.pick(&[
                    Period::Today,
                    Period::Yesterday,
                    Period::ThisWeek,
                    Period::LastWeek,
                    Period::ThisMonth,
                    Period::LastMonth,
                    Period::ThisQuarter,
                    Period::LastQuarter,
                    Period::ThisYear,
                    Period::LastYear,
                ]));
            }
            _ => {
                let now = self.now(zone).with_timezone(&zone).naive_local();
                window.from = self.maybe(2, |_| now - TimeDelta::days(30));
                window.to = self.maybe(2, |_| now);
            }
        }
        window
    }

    fn behavior(&mut self, zone: Tz) -> Behavior {
        let event = if self.one_in(2) { "order.paid".to_owned() } else { self.text(&KINDS) };
        let of_order = event == "order.paid";
        let number = if of_order { self.text(&["total", "lines.quantity", "lines.total"]) } else { "score".to_owned() };
        let value =
            if of_order { self.text(&["storeId", "lines.sku", "channel"]) } else { self.text(&["storeId", "labels"]) };
        let measure = match self.below(9) {
            0..=2 => Measure::Count,
            3 | 4 => Measure::Sum(number),
            5 => Measure::Average(number),
            6 => Measure::Min(number),
            7 => Measure::Max(number),
            _ => Measure::Distinct(value),
        };
        let counts = matches!(measure, Measure::Count | Measure::Distinct(_));
        let bound = if counts {
            i64::try_from(self.below(4)).unwrap()
        } else {
            self.pick(&[0, 10_000, 20_000, 995_000, 1_000_000, 2_502_500, 6_000_000])
        };
        let pick = self.maybe(5, |dice| dice.pick(&[Pick::First, Pick::Last]));
        let (least, most) = match self.below(3) {
            0 => (Some(bound), None),
            1 => (None, Some(bound)),
            _ => (Some(bound), Some(bound + if counts { 1 } else { 5_000_000 })),
        };
        Behavior { event, filter: self.filter(), window: self.window(zone), pick, measure, least, most }
    }

    fn sequence(&mut self) -> Sequence {
        let mut steps = Vec::new();
        for index in 0..1 + self.below(3) {
            let (within, after) = match self.below(if index == 0 { 6 } else { 4 }) {
                0 | 1 => (Some(self.span()), None),
                2 => (None, Some(self.span())),
                _ => (None, None),
            };
            steps.push(Step { event: self.text(&KINDS[..4]), filter: self.filter(), within, after });
        }
        let until = if steps.len() == 1 { Until::Now } else { self.pick(&[Until::LastStep, Until::Now]) };
        let without = self.maybe(2, |dice| Exclusion { event: dice.text(&KINDS), filter: dice.filter(), until });
        Sequence { steps, without }
    }

    fn lifecycle(&mut self) -> Lifecycle {
        let all = [Stage::New, Stage::Active, Stage::Dormant, Stage::ChurnRisk, Stage::Churned];
        let stages: Vec<Stage> = all.into_iter().filter(|_| self.one_in(2)).collect();
        let usual = LifecycleRule::default();
        let rule = match self.below(3) {
            0 => usual,
            1 => LifecycleRule { joined: Some("memberSince".into()), ..usual },
            _ => LifecycleRule {
                new_for: Span::days(7),
                dormant_after: Span::days(2),
                churn_risk_after: Span::days(7),
                churned_after: Span::days(30),
                activity: vec!["order.paid".into(), "quiz.finished".into()],
                joined: None,
            },
        };
        Lifecycle { stages, rule }
    }

    fn location(&mut self) -> Location {
        let stores = self.some_of(&STORES).into_iter().map(StoreId::from).collect();
        let named = |dice: &mut Self, name: &str| dice.maybe(2, |_| name.to_owned());
        match self.below(4) {
            0 => Location::Region {
                any: self.at_least_one_of(&["TH-10", "TH-50"]),
                attribute: named(self, "region"),
                stores,
            },
            1 => {
                Location::PreferredStore { any: stores, attribute: named(self, "preferredStore"), within: self.span() }
            }
            _ => Location::Near {
                point: CENTRE,
                store: None,
                radius_m: self.pick(&[1_000, 5_003, 12_000]),
                attribute: named(self, "home"),
                stores,
            },
        }
    }
}

/// The times at which an answer may change: when an event, a joining or a date reaches the edge of a window; just before,
/// at and just after each.
pub(crate) fn edges(condition: &Condition, person: &Person, now: Ts, zone: Tz) -> Vec<Ts> {
    let mut spans = vec![Span::days(1)];
    let mut local: Vec<NaiveDateTime> = Vec::new();
    collect(condition, &mut spans, &mut local);
    let mut edges: Vec<Ts> = local.iter().map(|local| resolve(*local, zone)).collect();
    for at in person.events.iter().map(|(_, at, _)| *at).chain(person.since) {
        edges.push(at);
        edges.extend(spans.iter().map(|span| span.after(at, zone)));
    }
    let today: NaiveDate = now.with_timezone(&zone).date_naive();
    edges.extend((-1..=2).map(|days| resolve((today + TimeDelta::days(days)).and_hms_opt(0, 0, 0).unwrap(), zone)));
    let beside = [TimeDelta::seconds(-1), TimeDelta::nanoseconds(-1), TimeDelta::zero(), TimeDelta::nanoseconds(1)];
    edges.into_iter().flat_map(|at| beside.map(|step| at + step)).collect()
}

fn collect(condition: &Condition, spans: &mut Vec<Span>, local: &mut Vec<NaiveDateTime>) {
    match condition {
        Condition::Behavior(behavior) => {
            spans.extend(behavior.window.within.into_iter().chain(behavior.window.before));
            local.extend(behavior.window.from.into_iter().chain(behavior.window.to));
        }
        Condition::Sequence(sequence) => {
            spans.extend(sequence.steps.iter().flat_map(|step| step.within.into_iter().chain(step.after)));
        }
        Condition::Lifecycle(question) => {
            let rule = &question.rule;
            spans.extend([rule.new_for, rule.dormant_after, rule.churn_risk_after, rule.churned_after]);
        }
        Condition::Location(Location::PreferredStore { within, .. }) => spans.push(*within),
        Condition::Interests(question) => spans.push(question.rule.within),
        Condition::Not(part) => collect(part, spans, local),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| collect(part, spans, local)),
        Condition::Everyone
        | Condition::Attribute { .. }
        | Condition::Location(_)
        | Condition::Tags { .. }
        | Condition::List(_)
        | Condition::Segment(_) => {}
    }
}

/// Each question that a condition asks, by its kind.
pub(crate) fn count_kinds<'a>(condition: &'a Condition, count: &mut dyn FnMut(&'static str, &'a Condition)) {
    let kind = match condition {
        Condition::Attribute { test, .. } => match test {
            Test::In(_) | Test::NotIn(_) | Test::Between { .. } | Test::Exists(_) => "attribute",
            Test::Age { .. } => "age",
            Test::AnniversaryWithin { .. } | Test::AnniversaryIn(_) => "anniversary",
            Test::DaysAhead { .. } => "days ahead",
        },
        Condition::Behavior(behavior) => match behavior.measure {
            _ if behavior.pick.is_some() => "first or last",
            Measure::Count => "count",
            Measure::Sum(_) => "sum",
            Measure::Average(_) => "average",
            Measure::Min(_) => "min",
            Measure::Max(_) => "max",
            Measure::Distinct(_) => "distinct",
        },
        Condition::Sequence(_) => "sequence",
        Condition::Lifecycle(_) => "lifecycle",
        Condition::Location(Location::Near { .. }) => "near",
        Condition::Location(Location::Region { .. }) => "region",
        Condition::Location(Location::PreferredStore { .. }) => "preferred store",
        Condition::Tags { .. } => "tags",
        Condition::Interests(_) => "interests",
        Condition::List(_) => "list",
        Condition::Segment(_) => "segment",
        Condition::Not(part) => return count_kinds(part, count),
        Condition::All(parts) | Condition::Any(parts) => {
            return parts.iter().for_each(|part| count_kinds(part, count));
        }
        Condition::Everyone => return,
    };
    count(kind, condition);
}
