use super::*;
use crate::time::parse_local;
use proptest::prelude::*;

fn at(second: i64) -> Ts {
    Ts::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn until(second: i64) -> Lot {
    Lot::new(None, Some(at(second)))
}

#[test]
fn a_lots_name_is_read_back() {
    let lots = [until(5), Lot::new(Some(at(1)), None), Lot::new(Some(at(1)), Some(at(9)))];
    for lot in lots {
        assert_eq!(Lot::parse(&lot.to_string()), Some(lot), "{lot}");
    }
    assert_eq!(Lot::ENDLESS.to_string(), "");
    for wrong in ["", "from-", "until-x", "from-20270115T080001Z-", "until-20270115T080001Z-x", "x"] {
        let read = Lot::parse(wrong);
        assert!(read.is_none() || wrong == "from-20270115T080001Z-", "{wrong}: {read:?}");
    }
    let half = Ts::from_timestamp_millis(1_800_000_000_500).unwrap();
    assert_eq!(Lot::new(None, Some(half)), until(1), "times move to the next whole second");
}

#[test]
fn points_for_whole_days_last_until_the_end_of_the_day_in_the_zone() {
    let zone: Tz = "Asia/Bangkok".parse().unwrap();
    let given = resolve(parse_local("2026-11-11T10:30").unwrap(), zone);
    let cases = [
        ("1d", "2026-11-13T00:00"),
        ("30d", "2026-12-12T00:00"),
        ("12h", "2026-11-11T22:30"),
        ("1d 1h", "2026-11-12T11:30"),
    ];
    for (span, end) in cases {
        let end = resolve(parse_local(end).unwrap(), zone);
        assert_eq!(lot_end(Span::parse(span).unwrap(), given, zone), end, "{span}");
    }
}

#[test]
fn spend_earns_by_steps_that_round_as_the_rule_says() {
    let earn = |rounding, points| Earn { event: "order.paid".into(), per_spend: Some(Minor(2_500)), points, rounding };
    // (spend, down, half up, up), one point a step of 25.00.
    let cases = [
        (0, 0, 0, 0),
        (-100, 0, 0, 0),
        (1, 0, 0, 1),
        (1_249, 0, 0, 1),
        (1_250, 0, 1, 1),
        (2_499, 0, 1, 1),
        (2_500, 1, 1, 1),
        (3_750, 1, 2, 2),
        (100_000, 40, 40, 40),
    ];
    for (net, down, half_up, up) in cases {
        for (rounding, points) in [(Rounding::Down, down), (Rounding::HalfUp, half_up), (Rounding::Up, up)] {
            assert_eq!(earn(rounding, 1).on_spend(Minor(net)), points, "{net} {rounding:?}");
            assert_eq!(earn(rounding, 5).on_spend(Minor(net)), 5 * points, "{net} {rounding:?}, five a step");
        }
    }
    let flat = Earn { per_spend: None, ..earn(Rounding::Down, 7) };
    assert_eq!((flat.on_spend(Minor(1)), flat.on_spend(Minor::ZERO)), (7, 0));
}

#[test]
fn the_lot_that_ends_first_is_spent_first_and_one_without_an_end_last() {
    let mut wallet = Wallet::of([(Lot::ENDLESS, 5), (until(20), 5), (until(10), 5)]);
    assert_eq!(wallet.spend(8), Some(vec![(until(10), 5), (until(20), 3)]));
    assert_eq!(wallet.spend(8), None, "only 7 are left");
    assert_eq!(wallet.spend(4), Some(vec![(until(20), 2), (Lot::ENDLESS, 2)]));
    assert_eq!(wallet.balance(), 3);
}

#[test]
fn points_of_a_lot_that_still_waits_and_is_empty_are_taken_as_if_they_were_spent() {
    let waits = Lot::new(Some(at(5)), None);
    for (now, first) in [(4, until(10)), (5, Lot::ENDLESS)] {
        let mut wallet = Wallet::of([(until(10), 7), (Lot::ENDLESS, 7)]);
        assert_eq!(wallet.take(1, Some(waits.as_of(at(now))), Negative::Forbid).lines, [(first, 1)], "at {now}");
    }
}

#[test]
fn what_is_owed_is_filled_by_what_comes_next_at_its_own_instant() {
    let mut wallet = Wallet::default();
    wallet.credit(Lot::new(Some(at(10)), Some(at(30))), 8, at(0));
    assert_eq!(wallet.take(5, None, Negative::Allow).short, 0);
    assert_eq!((wallet.balance(), wallet.pending()), (-5, 8));
    assert_eq!(wallet.take(5, None, Negative::Forbid).short, 5, "nothing more is owed where that is forbidden");
    // Seen late, after the lot's end as well: the debt was filled when the points became spendable.
    let steps = wallet.settle(at(100));
    assert_eq!(steps.iter().map(|step| step.turn).collect::<Vec<_>>(), [Turn::Matured, Turn::Lapsed]);
    assert_eq!((wallet.balance(), wallet.pending()), (0, 0));
}

#[test]
fn a_wallet_with_too_many_lots_puts_a_credit_where_it_lives_no_shorter() {
    let mut wallet = Wallet::of((0..LOTS_MAX as i64).map(|n| (until(10 * n + 100), 1)));
    let lines = wallet.credit(until(105), 7, at(0));
    assert_eq!(lines, [(until(110), 7)]);
    let lines = wallet.credit(until(1_000_000), 7, at(0));
    assert_eq!(lines, [(Lot::ENDLESS, 7)]);
}

/// What a wallet does, as one would write it without thinking: every second is lived through, every credit is kept alone.
#[derive(Default)]
struct Naive {
    now: i64,
    owed: i64,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    from: Option<i64>,
    until: Option<i64>,
    left: i64,
}

impl Naive {
    fn live_until(&mut self, now: i64) {
        for second in self.now + 1..=now {
            self.pieces.retain(|piece| piece.until != Some(second));
            for index in 0..self.pieces.len() {
                if self.pieces[index].from == Some(second) {
                    self.pieces[index].from = None;
                    self.fill(index);
                }
            }
        }
        self.now = now;
    }

    fn fill(&mut self, index: usize) {
        let fills = self.owed.min(self.pieces[index].left);
        self.owed -= fills;
        self.pieces[index].left -= fills;
    }

    fn sort(&mut self) {
        self.pieces.retain(|piece| piece.left > 0);
        self.pieces.sort_by_key(|piece| (piece.until.is_none(), piece.until));
    }

    fn credit(&mut self, from: Option<i64>, until: Option<i64>, points: i64) {
        self.pieces.push(Piece { from: from.filter(|from| *from > self.now), until, left: points });
        let last = self.pieces.len() - 1;
        if self.pieces[last].from.is_none() {
            self.fill(last);
        }
        self.sort();
    }

    fn take(&mut self, mut points: i64, own: Option<(Option<i64>, Option<i64>)>, negative: Negative) -> i64 {
        self.sort();
        let now = self.now;
        let is_own = |piece: &Piece| {
            own.is_some_and(|(from, until)| piece.until == until && piece.from == from.filter(|from| *from > now))
        };
        for first in [true, false] {
            for piece in &mut self.pieces {
                let meant = if first { is_own(piece) } else { piece.from.is_none() };
                let part = if meant { piece.left.min(points) } else { 0 };
                piece.left -= part;
                points -= part;
            }
        }
        if negative == Negative::Allow {
            self.owed += points;
            points = 0;
        }
        self.sort();
        points
    }

    fn balance(&self) -> i64 {
        self.pieces.iter().filter(|piece| piece.from.is_none()).map(|piece| piece.left).sum::<i64>() - self.owed
    }

    fn pending(&self) -> i64 {
        self.pieces.iter().filter(|piece| piece.from.is_some()).map(|piece| piece.left).sum()
    }
}

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    /// The job that sees to ends and maturities runs, or does not for a long time.
    Settle,
    Earn {
        wait: Option<i64>,
        live: Option<i64>,
        points: i64,
    },
    Spend(i64),
    /// One of the earlier credits comes back.
    Return(usize, i64),
    Give(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let earn = (proptest::option::of(1..20_i64), proptest::option::of(1..40_i64), 1..100_i64);
    let act = prop_oneof![
        (0..15_i64).prop_map(Act::Wait),
        Just(Act::Settle),
        earn.prop_map(|(wait, live, points)| Act::Earn { wait, live, points }),
        (1..120_i64).prop_map(Act::Spend),
        (any::<usize>(), 1..120_i64).prop_map(|(which, points)| Act::Return(which, points)),
        (1..60_i64).prop_map(Act::Give),
    ];
    proptest::collection::vec(act, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_wallet_comes_to_what_living_through_every_second_comes_to(acts in acts(), allow in any::<bool>()) {
        let negative = if allow { Negative::Allow } else { Negative::Forbid };
        let (mut naive, mut wallet, mut friend) = (Naive::default(), Wallet::default(), Wallet::default());
        let (mut now, mut outside) = (0, 0_i64);
        let mut credits: Vec<(Option<i64>, Option<i64>)> = Vec::new();
        let settle = |wallet: &mut Wallet, now: i64| -> i64 {
            wallet.settle(at(now)).iter().flat_map(|step| &step.lines).map(|(_, points)| points).sum()
        };
        for act in acts {
            match act {
                Act::Wait(seconds) => now += seconds,
                Act::Settle => outside -= settle(&mut wallet, now),
                Act::Earn { wait, live, points } => {
                    let from = wait.map(|wait| now + wait);
                    let until = live.map(|live| from.unwrap_or(now) + live);
                    naive.live_until(now);
                    naive.credit(from, until, points);
                    outside -= settle(&mut wallet, now);
                    let lines = wallet.credit(Lot::new(from.map(at), until.map(at)), points, at(now));
                    prop_assert_eq!(lines.iter().map(|(_, points)| points).sum::<i64>(), points);
                    outside -= points;
                    credits.push((from, until));
                }
                Act::Spend(points) => {
                    naive.live_until(now);
                    outside -= settle(&mut wallet, now);
                    let spent = wallet.spend(points);
                    prop_assert_eq!(spent.is_some(), naive.balance() >= points);
                    if spent.is_some() {
                        naive.take(points, None, Negative::Forbid);
                        outside += points;
                    }
                }
                Act::Return(which, points) => {
                    if credits.is_empty() { continue }
                    let own = credits[which % credits.len()];
                    naive.live_until(now);
                    outside -= settle(&mut wallet, now);
                    let lot = Lot::new(own.0.map(at), own.1.map(at)).as_of(at(now));
                    let taken = wallet.take(points, Some(lot), negative);
                    prop_assert_eq!(taken.short, naive.take(points, Some(own), negative));
                    prop_assert_eq!(taken.points() + taken.short, points);
                    outside += taken.points();
                }
                Act::Give(points) => {
                    naive.live_until(now);
                    outside -= settle(&mut wallet, now);
                    if let Some(lines) = wallet.spend(points) {
                        naive.take(points, None, Negative::Forbid);
                        outside -= settle(&mut friend, now);
                        for (lot, part) in lines {
                            friend.credit(lot, part, at(now));
                        }
                    }
                }
            }
            // Looked at without being touched: what it comes to does not depend on whether a job has run.
            naive.live_until(now);
            let mut seen = wallet.clone();
            seen.settle(at(now));
            prop_assert_eq!((seen.balance(), seen.pending()), (naive.balance(), naive.pending()));
            let lapsing: i64 = seen.expiring().iter().map(|(points, _)| points).sum();
            prop_assert!(lapsing <= seen.balance().max(0));
            prop_assert!(allow || seen.balance() >= 0);
            prop_assert!(seen.lots().all(|(lot, points)| points > 0 || lot == Lot::ENDLESS));
            // Nothing appears or vanishes: what left the wallets is outside.
            let kept = |wallet: &Wallet| wallet.lots().map(|(_, points)| points).sum::<i64>();
            prop_assert_eq!(kept(&wallet) + kept(&friend) + outside, 0);
        }
    }

    #[test]
    fn what_returns_leave_of_what_was_earned_does_not_depend_on_their_order(
        paid in 1..500_000_i64, parts in proptest::collection::vec(1..100_000_i64, 1..8), per in 1..10_000_i64,
        points in 1..20_i64, rounding in prop_oneof![Just(Rounding::Down), Just(Rounding::HalfUp), Just(Rounding::Up)],
    ) {
        let earn = Earn { event: "order.paid".into(), per_spend: Some(Minor(per)), points, rounding };
        let mut left = paid;
        let mut kept = earn.on_spend(Minor(left));
        let mut taken = 0;
        for part in parts.into_iter().chain([i64::MAX]) {
            left -= part.min(left);
            let now = earn.on_spend(Minor(left));
            prop_assert!(now <= kept);
            taken += kept - now;
            kept = now;
        }
        prop_assert_eq!((kept, taken), (0, earn.on_spend(Minor(paid))));
    }
}
