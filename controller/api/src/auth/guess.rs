//! Guessing codes: each wrong one costs its caller, and who has guessed too often waits.
//!
//! A right code costs nothing. A wrong one costs a place in the bucket of the till, of the API key, of the member and,
//! for members, of the address (guest members are free to make); the bucket fills with time, and one that is overdrawn
//! by many calls at once takes longer. A till's own address is not counted: many tills share the line of their mall.

use super::DeskKey;
use crate::problem::{Code, Problem};
use fanfare_core::ids::MemberId;
use parking_lot::Mutex;
use std::collections::HashMap;

/// How many callers are remembered by each of two generations: an attacker who brings more forgets himself only after so
/// many others. A caller takes some 100 bytes.
const REMEMBERED_MAX: usize = 50_000;
/// The longest that a caller is made to wait, in milliseconds.
const DEBT_MAX_MS: i64 = 3_600_000;

/// How many wrong codes a caller has at once, and how long one more takes, in milliseconds of real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowance {
    burst: i64,
    each_ms: i64,
}

/// A till: a cashier who types badly, all day.
const TILL: Allowance = Allowance { burst: 50, each_ms: 1_000 };
/// An API key: a shop's backend with many shoppers behind it.
const CLIENT: Allowance = Allowance { burst: 1_000, each_ms: 50 };
/// A member: a few typing errors.
const MEMBER: Allowance = Allowance { burst: 10, each_ms: 10_000 };
/// An address: a café full of members.
const ADDRESS: Allowance = Allowance { burst: 100, each_ms: 1_000 };

/// Everyone who answers for the codes of one call.
#[derive(Clone, Debug)]
pub(crate) struct Guesser {
    answers: Vec<(String, Allowance)>,
    /// `till`, `integration` or `member`: what wrong codes are counted under.
    pub(crate) kind: &'static str,
}

impl Guesser {
    /// Every kind.
    pub(crate) const KINDS: [&'static str; 3] = ["till", "integration", "member"];

    /// A till or an integration, and the member for whom an integration asks.
    pub(crate) fn desk(desk: &DeskKey, member: Option<&MemberId>) -> Self {
        let id = format!("desk:{}", desk.id);
        if desk.store.is_some() {
            return Self { answers: vec![(id, TILL)], kind: "till" };
        }
        let member = member.map(|member| (format!("member:{member}"), MEMBER));
        Self { answers: std::iter::once((id, CLIENT)).chain(member).collect(), kind: "integration" }
    }

    /// A member, at an address, as far as that is known; hashed or not, it only has to be the same each time.
    pub(crate) fn member(member: &MemberId, address: Option<&str>) -> Self {
        let address = address.filter(|text| !text.is_empty()).map(|text| (format!("address:{text}"), ADDRESS));
        let member = (format!("member:{member}"), MEMBER);
        Self { answers: std::iter::once(member).chain(address).collect(), kind: "member" }
    }
}

/// When each caller's bucket is full again, in milliseconds.
#[derive(Default)]
struct Book {
    young: HashMap<String, i64>,
    old: HashMap<String, i64>,
}

impl Book {
    fn full_at(&self, caller: &str) -> i64 {
        self.young.get(caller).or_else(|| self.old.get(caller)).copied().unwrap_or(i64::MIN)
    }

    fn put(&mut self, caller: &str, full_at: i64) {
        if self.young.len() >= REMEMBERED_MAX && !self.young.contains_key(caller) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(caller.to_owned(), full_at);
    }
}

/// Who has guessed how often.
#[derive(Default)]
pub(crate) struct Guesses(Mutex<Book>);

impl Guesses {
    /// Lets a call with codes in at `now_ms`.
    ///
    /// # Errors
    /// 429 with `Retry-After` for whoever has named too many wrong codes.
    pub(crate) fn admit(&self, guesser: &Guesser, now_ms: i64) -> Result<(), Problem> {
        let book = self.0.lock();
        let wait = guesser.answers.iter().map(|(caller, allowance)| {
            // Free again once all but one place of the burst are still to be filled.
            book.full_at(caller).saturating_sub((allowance.burst - 1) * allowance.each_ms).saturating_sub(now_ms)
        });
        match wait.max() {
            Some(wait_ms) if wait_ms > 0 => {
                let seconds = u32::try_from((wait_ms + 999) / 1_000).unwrap_or(u32::MAX);
                let detail = "too many wrong codes; check the code and try again later";
                Err(Problem { retry_after_s: Some(seconds), ..Problem::new(Code::TooManyRequests, detail) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Notes wrong codes.
    pub(crate) fn note(&self, guesser: &Guesser, wrong: usize, now_ms: i64) {
        if wrong == 0 {
            return;
        }
        let wrong = i64::try_from(wrong).unwrap_or(i64::MAX);
        let mut book = self.0.lock();
        for (caller, allowance) in &guesser.answers {
            let from = book.full_at(caller).max(now_ms);
            let debt_max = DEBT_MAX_MS.max(allowance.burst * allowance.each_ms);
            let full_at = from.saturating_add(wrong.saturating_mul(allowance.each_ms)).min(now_ms + debt_max);
            book.put(caller, full_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_core::ids::StoreId;

    fn till(id: &str) -> Guesser {
        let store = Some(StoreId::from("s"));
        Guesser::desk(&DeskKey { id: id.into(), store, scopes: Vec::new() }, None)
    }

    #[test]
    fn wrong_codes_are_paid_for_and_right_ones_are_free() {
        let guesses = Guesses::default();
        let (guesser, other) = (till("a"), till("b"));
        for _ in 0..10_000 {
            guesses.admit(&guesser, 0).unwrap();
        }
        for wrong in 0..50 {
            guesses.admit(&guesser, 0).unwrap_or_else(|_| panic!("{wrong}"));
            guesses.note(&guesser, 1, 0);
        }
        let no = guesses.admit(&guesser, 0).unwrap_err();
        assert_eq!((no.code, no.retry_after_s), (Code::TooManyRequests, Some(1)));
        guesses.admit(&other, 0).unwrap();
        guesses.admit(&guesser, 1_000).unwrap();
        guesses.note(&guesser, 20, 1_000);
        assert_eq!(guesses.admit(&guesser, 1_000).unwrap_err().retry_after_s, Some(20));
        guesses.note(&guesser, usize::MAX, 1_000);
        assert!(guesses.admit(&guesser, 1_000).unwrap_err().retry_after_s.unwrap() <= 3_600);
        guesses.admit(&guesser, 3_700_000).unwrap();
    }

    #[test]
    fn many_guests_of_one_address_are_one_guesser() {
        let guesses = Guesses::default();
        let from = |member: usize, address: &str| Guesser::member(&MemberId::from(format!("m{member}")), Some(address));
        for member in 0..100 {
            let guest = from(member, "a");
            guesses.admit(&guest, 0).unwrap();
            guesses.note(&guest, 1, 0);
        }
        assert!(guesses.admit(&from(1_000, "a"), 0).is_err());
        guesses.admit(&from(1_000, "b"), 0).unwrap();
        guesses.admit(&from(1_000, ""), 0).unwrap();
    }

    #[test]
    fn memory_is_bounded_however_many_come() {
        let guesses = Guesses::default();
        for id in 0..3 * REMEMBERED_MAX {
            guesses.note(&till(&id.to_string()), 1, 0);
        }
        let book = guesses.0.lock();
        assert!(book.young.len() <= REMEMBERED_MAX && book.old.len() <= REMEMBERED_MAX);
    }
}
