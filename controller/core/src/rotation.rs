//! When certificates are made anew, from their times alone, so that whoever trusts the former authority never meets one that
//! it does not know: the new authority is told first, signs later, and the former one is told until nothing of it is left.

use crate::time::Ts;
use chrono::TimeDelta;

/// How long what is made lasts.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// An authority.
    pub authority: TimeDelta,
    /// What it signs.
    pub leaf: TimeDelta,
    /// How long a new authority is told before it signs, and a former one after it signed last: for everybody to hear of it.
    pub overlap: TimeDelta,
}

/// From when to when something is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it was made.
    pub made: Ts,
    /// When it ends.
    pub ends: Ts,
}

impl Span {
    /// Whether less than a third of it is left: there are two thirds of its time for a fault to be seen and mended.
    fn is_late(&self, now: Ts) -> bool {
        self.ends - now < (self.ends - self.made) / 3
    }
}

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The authorities that are told, the newest first.
    pub authorities: Vec<Span>,
    /// What is shown to callers, and which of the authorities has signed it; `None` when it is none of them.
    pub leaf: Option<(Span, Option<usize>)>,
}

/// What is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A new authority, told beside the others.
    Authority,
    /// A certificate, signed by the newest authority.
    Leaf,
    /// Nothing; authorities but the newest are told no longer.
    Forget,
}

/// What is to be done now, if anything; asked again after it was done.
pub fn next(kept: &Kept, terms: &Terms, now: Ts) -> Option<Next> {
    let Some(newest) = kept.authorities.first() else { return Some(Next::Authority) };
    if newest.is_late(now) {
        return Some(Next::Authority);
    }
    let Some((leaf, signer)) = &kept.leaf else { return Some(Next::Leaf) };
    let is_heard_of = now - newest.made >= terms.overlap;
    match signer {
        Some(0) if leaf.is_late(now) => Some(Next::Leaf),
        Some(0) if kept.authorities.len() > 1 && now - leaf.made >= terms.overlap => Some(Next::Forget),
        Some(0) => None,
        // The former authority's may be shown until the new one is heard of, unless it ends before.
        Some(_) if is_heard_of || leaf.ends - now < terms.overlap => Some(Next::Leaf),
        Some(_) => None,
        None => Some(Next::Leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn at(day: i64) -> Ts {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    const TERMS: Terms =
        Terms { authority: TimeDelta::days(360), leaf: TimeDelta::days(90), overlap: TimeDelta::days(1) };

    fn made(day: i64, lasts: TimeDelta) -> Span {
        Span { made: at(day), ends: at(day) + lasts }
    }

    #[test]
    fn everything_is_made_once_and_then_nothing_until_a_third_is_left() {
        let mut kept = Kept::default();
        assert_eq!(next(&kept, &TERMS, at(0)), Some(Next::Authority));
        kept.authorities.insert(0, made(0, TERMS.authority));
        assert_eq!(next(&kept, &TERMS, at(0)), Some(Next::Leaf), "nobody trusts another one yet");
        kept.leaf = Some((made(0, TERMS.leaf), Some(0)));
        for (day, expect) in [(0, None), (59, None), (61, Some(Next::Leaf))] {
            assert_eq!(next(&kept, &TERMS, at(day)), expect, "{day}");
        }
    }

    /// Lives three years in steps of hours, and looks at each step whether callers trust what they are shown.
    #[test]
    fn whoever_heard_of_the_authorities_a_day_late_trusts_every_certificate_at_every_hour() {
        let mut kept = Kept::default();
        let mut names: Vec<u32> = Vec::new();
        let mut shown = None;
        let mut told: Vec<(Ts, Vec<u32>)> = Vec::new();
        let mut made_in_all = 0;
        for hour in 0..(3 * 365 * 24) {
            let now = DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
            while let Some(step) = next(&kept, &TERMS, now) {
                match step {
                    Next::Authority => {
                        made_in_all += 1;
                        kept.authorities.insert(0, Span { made: now, ends: now + TERMS.authority });
                        names.insert(0, made_in_all);
                        kept.leaf = kept.leaf.map(|(span, signer)| (span, signer.map(|signer| signer + 1)));
                    }
                    Next::Leaf => {
                        kept.leaf = Some((Span { made: now, ends: now + TERMS.leaf }, Some(0)));
                        shown = names.first().copied();
                    }
                    Next::Forget => {
                        kept.authorities.truncate(1);
                        names.truncate(1);
                    }
                }
            }
            told.push((now, names.clone()));
            let heard = told.iter().rev().find(|(at, _)| now - *at >= TERMS.overlap).unwrap_or(&told[0]);
            assert!(shown.is_some_and(|shown| heard.1.contains(&shown)), "{now}: {shown:?} of {:?}", heard.1);
            assert!(kept.leaf.is_some_and(|(leaf, _)| now < leaf.ends) && names.len() <= 2);
        }
        assert_eq!(made_in_all, 5, "an authority every 240 days");
    }
}
