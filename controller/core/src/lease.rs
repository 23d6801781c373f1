//! Who leads, from what a Lease says and for how long it has said so.
//!
//! Nobody's clock is compared with anybody else's: a Lease has lapsed when it has not changed for as long as its holder
//! said it lasts, measured by whoever looks. The holder stops acting earlier than that, measured from before it asked for
//! its last renewal. What a process that stood still all the while does afterwards is refused by the database's epoch.

use std::time::Duration;

/// How a lease is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// For how long it lasts without being renewed.
    pub lasts: Duration,
}

impl Terms {
    /// How often it is renewed, or looked at.
    pub fn look_every(&self) -> Duration {
        self.lasts / 7
    }

    /// For how long the holder acts on a renewal.
    pub fn act_for(&self) -> Duration {
        self.lasts * 2 / 3
    }
}

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who has it; nobody after it was given back.
    pub holder: Option<String>,
    /// For how long it lasts, as its holder says.
    pub lasts: Duration,
    /// Changes with every renewal.
    pub version: String,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take it: nobody has it, or whoever had it is gone.
    Take,
    /// Renew it: it is ours.
    Renew,
    /// Leave it to its holder.
    Wait,
}

/// One who wants to lead. Instants are measured from any one moment by a clock that does not go back.
#[derive(Clone, Debug)]
pub struct Candidate {
    name: String,
    terms: Terms,
    /// The version of the Lease that was seen last, and since when.
    seen: Option<(String, Duration)>,
    /// When the renewal that succeeded last was asked for.
    renewed: Option<Duration>,
}

impl Candidate {
    /// Somebody whose name no other has.
    pub fn new(name: String, terms: Terms) -> Self {
        Self { name, terms, seen: None, renewed: None }
    }

    /// What to do, where the Lease says this, or there is none.
    pub fn step(&mut self, lease: Option<&Lease>, now: Duration) -> Step {
        let Some(lease) = lease else {
            self.seen = None;
            return Step::Take;
        };
        let since = match &self.seen {
            Some((version, since)) if *version == lease.version => *since,
            _ => {
                self.seen = Some((lease.version.clone(), now));
                now
            }
        };
        match &lease.holder {
            None => Step::Take,
            Some(holder) if *holder == self.name => Step::Renew,
            Some(_) => {
                self.renewed = None;
                if now.saturating_sub(since) > lease.lasts { Step::Take } else { Step::Wait }
            }
        }
    }

    /// A renewal, or the taking, that was asked for at `asked` has succeeded.
    pub fn renewed(&mut self, asked: Duration) {
        self.renewed = Some(asked);
    }

    /// Until when it may act as the leader; `None` when it does not lead.
    pub fn leads_until(&self) -> Option<Duration> {
        self.renewed.map(|asked| asked + self.terms.act_for())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn lease(holder: Option<&str>, version: &str) -> Lease {
        Lease { holder: holder.map(Into::into), lasts: S(15), version: version.into() }
    }

    #[test]
    fn a_lease_is_taken_when_nobody_has_it_or_its_holder_was_silent_for_as_long_as_it_lasts() {
        let mut me = Candidate::new("me".into(), Terms { lasts: S(15) });
        assert_eq!(me.step(None, S(0)), Step::Take);
        assert_eq!(me.step(Some(&lease(None, "0")), S(0)), Step::Take);
        let steps = [
            ("1", 1, Step::Wait),
            ("1", 15, Step::Wait),
            ("2", 16, Step::Wait), // Renewed: it lasts from here.
            ("2", 31, Step::Wait),
            ("2", 32, Step::Take),
        ];
        for (version, at, expect) in steps {
            assert_eq!(me.step(Some(&lease(Some("other"), version)), S(at)), expect, "{version} at {at}");
        }
        assert_eq!(me.step(Some(&lease(Some("me"), "3")), S(33)), Step::Renew);
    }

    #[test]
    fn the_holder_stops_acting_before_anybody_else_may_take_it() {
        let terms = Terms { lasts: S(15) };
        let mut me = Candidate::new("me".into(), terms);
        assert_eq!(me.leads_until(), None);
        me.renewed(S(100));
        let until = me.leads_until().unwrap();
        assert!(until < S(100) + terms.lasts && terms.look_every() * 3 < terms.act_for());
        me.step(Some(&lease(Some("other"), "9")), S(101));
        assert_eq!(me.leads_until(), None, "another has it");
    }
}
