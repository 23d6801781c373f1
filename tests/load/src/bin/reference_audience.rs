//! The five questions as somebody would write them by hand: packed events, member after member, two threads.
//!
//! `reference-audience SEED MEMBERS MONTH` prints `Q1 COUNT MILLISECONDS` and so on, the median of several runs.

#[path = "../people.rs"]
pub(crate) mod people;

use people::{DAY, Person, person};
use std::time::Instant;

const RUNS: usize = 15;
/// Members that a thread takes at once.
const PIECE: usize = 16_384;

/// Columns of members; events as age, kind and amount in 8 bytes, the oldest first.
#[derive(Default)]
struct Shop {
    tier: Vec<u8>,
    city: Vec<u8>,
    month: Vec<u8>,
    tags: Vec<u64>,
    excluded: Vec<bool>,
    first: Vec<u32>,
    events: Vec<u64>,
}

fn age(event: u64) -> u32 {
    (event >> 32) as u32
}
fn kind(event: u64) -> u8 {
    (event >> 28 & 15) as u8
}
fn amount(event: u64) -> u32 {
    (event & 0xfff_ffff) as u32
}

impl Shop {
    fn take(&mut self, person: Person) {
        self.tier.push(person.tier);
        self.city.push(person.city);
        self.month.push(person.born.1 as u8);
        self.tags.push(person.tags);
        self.excluded.push(person.excluded);
        self.events.extend(
            person.did.iter().map(|did| u64::from(did.age) << 32 | u64::from(did.kind) << 28 | u64::from(did.amount)),
        );
        self.first.push(self.events.len() as u32);
    }
    #[inline(always)]
    fn of(&self, member: usize) -> &[u64] {
        let from = if member == 0 { 0 } else { self.first[member - 1] };
        &self.events[from as usize..self.first[member] as usize]
    }
    /// Gold or black, not excluded, spent over 2,000 in 30 days, 3 visits in 90, no purchase within 7.
    fn spenders(&self, member: usize) -> bool {
        if self.tier[member] < 2 || self.excluded[member] {
            return false;
        }
        let (mut spent, mut visits) = (0_u64, 0);
        for event in self.of(member).iter().rev() {
            if age(*event) > 90 * DAY {
                break;
            }
            match kind(*event) {
                0 if age(*event) <= 7 * DAY => return false,
                0 if age(*event) <= 30 * DAY => spent += u64::from(amount(*event)),
                1 => visits += 1,
                _ => {}
            }
        }
        spent > 200_000 && visits >= 3
    }
    /// Three purchases before 90 days, none within 60, over 5,000 in all.
    fn churning(&self, member: usize) -> bool {
        let (mut count, mut spent) = (0, 0_u64);
        for event in self.of(member).iter().rev().filter(|event| kind(**event) == 0) {
            if age(*event) <= 60 * DAY {
                return false;
            }
            spent += u64::from(amount(*event));
            count += u32::from(age(*event) > 90 * DAY);
        }
        count >= 3 && spent > 500_000
    }
    /// The first purchase ever is of the last 14 days.
    fn newcomers(&self, member: usize) -> bool {
        self.of(member).iter().find(|event| kind(**event) == 0).is_some_and(|event| age(*event) <= 14 * DAY)
    }
    /// Two cities, one of two tags and not a third, a birthday in the month.
    fn birthdays(&self, member: usize, month: u8) -> bool {
        let tags = self.tags[member];
        (self.city[member] == 0 || self.city[member] == 4)
            && tags & (1 << 3 | 1 << 17) != 0
            && tags & (1 << 5) == 0
            && self.month[member] == month
    }
    /// Saw a coupon within 90 days and bought within 7 days after it.
    fn converted(&self, member: usize) -> bool {
        let mut bought: Option<u32> = None;
        let mut at_once: Option<u32> = None;
        for event in self.of(member).iter().rev() {
            let age = age(*event);
            if age > 90 * DAY {
                break;
            }
            if at_once.is_some_and(|other| age > other) {
                (bought, at_once) = (at_once, None);
            }
            match kind(*event) {
                3 if bought.is_some_and(|bought| age - bought <= 7 * DAY) => return true,
                0 => at_once = Some(age),
                _ => {}
            }
        }
        false
    }
    fn count(&self, holds: impl Fn(usize) -> bool + Sync) -> usize {
        let next = std::sync::atomic::AtomicUsize::new(0);
        let members = self.tier.len();
        let work = || {
            let mut count = 0;
            loop {
                let from = next.fetch_add(PIECE, std::sync::atomic::Ordering::Relaxed);
                if from >= members {
                    return count;
                }
                count += (from..members.min(from + PIECE)).filter(|member| holds(*member)).count();
            }
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(work);
            work() + other.join().unwrap_or(0)
        })
    }
}

/// Each question's name, how many members it holds for, and the median time in milliseconds.
pub(crate) fn measured(seed: u64, members: u32, month: u8) -> Vec<(&'static str, usize, f64)> {
    let mut shop = Shop::default();
    (0..members).for_each(|number| shop.take(person(seed, number)));
    let measure = |name: &'static str, ask: &dyn Fn() -> usize| {
        let mut times = Vec::new();
        let mut count = 0;
        for _ in 0..RUNS {
            let began = Instant::now();
            count = ask();
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        (name, count, times[RUNS / 2])
    };
    vec![
        measure("Q1", &|| shop.count(|member| shop.spenders(member))),
        measure("Q2", &|| shop.count(|member| shop.churning(member))),
        measure("Q3", &|| shop.count(|member| shop.newcomers(member))),
        measure("Q4", &|| shop.count(|member| shop.birthdays(member, month))),
        measure("Q5", &|| shop.count(|member| shop.converted(member))),
    ]
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (Some(seed), Some(members), Some(month)) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: reference-audience SEED MEMBERS MONTH");
        return;
    };
    for (name, count, time) in measured(seed, members as u32, month as u8) {
        println!("{name} {count} {time}");
    }
}
