//! Who has to be looked at again when, because time alone changes where they belong.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// Seconds of one slot: what is further away is only sorted when its slot comes.
const SLOT_S: u32 = 3_600;
const NEVER: u32 = u32::MAX;

/// Instants, in seconds since 1970, by member; one a member.
#[derive(Debug, Default)]
pub(crate) struct Wheel {
    due: Vec<u32>,
    slots: BTreeMap<u32, Vec<u32>>,
    near: BinaryHeap<Reverse<(u32, u32)>>,
    slot: u32,
}

impl Wheel {
    /// Sets when a member has to be looked at; the last word counts.
    pub(crate) fn set(&mut self, id: u32, at: Option<u32>) {
        let (place, at) = (id as usize, at.unwrap_or(NEVER));
        if place >= self.due.len() {
            self.due.resize(place + 1, NEVER);
        }
        let Some(due) = self.due.get_mut(place).filter(|due| **due != at) else { return };
        *due = at;
        if at == NEVER {
        } else if at / SLOT_S <= self.slot {
            self.near.push(Reverse((at, id)));
        } else {
            self.slots.entry(at / SLOT_S).or_default().push(id);
        }
    }

    fn come_to(&mut self, slot: u32) {
        while self.slots.first_key_value().is_some_and(|(first, _)| *first <= slot) {
            let Some((of, ids)) = self.slots.pop_first() else { break };
            for id in ids {
                let due = self.due.get(id as usize).copied().unwrap_or(NEVER);
                if due / SLOT_S == of {
                    self.near.push(Reverse((due, id)));
                }
            }
        }
        self.slot = self.slot.max(slot);
    }

    /// Takes everybody who is due by this second.
    pub(crate) fn take_due(&mut self, now: u32) -> Vec<u32> {
        self.come_to(now / SLOT_S);
        let mut due = Vec::new();
        while let Some(Reverse((at, id))) = self.near.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.near.pop();
            if let Some(slot) = self.due.get_mut(id as usize).filter(|slot| **slot == at) {
                *slot = NEVER;
                due.push(id);
            }
        }
        due
    }

    /// Whether somebody may be due by this second.
    pub(crate) fn is_due(&self, now: u32) -> bool {
        self.near.peek().is_some_and(|Reverse((at, _))| *at <= now)
            || self.slots.first_key_value().is_some_and(|(slot, _)| *slot <= now / SLOT_S)
    }

    pub(crate) fn bytes(&self) -> usize {
        let slots: usize = self.slots.values().map(|ids| ids.capacity() * 4 + 48).sum();
        self.due.capacity() * 4 + slots + self.near.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_when_they_are_due_and_once() {
        let mut wheel = Wheel::default();
        wheel.set(1, Some(10));
        wheel.set(2, Some(100_000));
        wheel.set(3, Some(7_300));
        wheel.set(3, Some(7_200));
        wheel.set(4, Some(50));
        wheel.set(4, None);
        assert!(!wheel.is_due(9) || wheel.take_due(9).is_empty());
        assert_eq!(wheel.take_due(10), [1]);
        assert_eq!(wheel.take_due(7_199), Vec::<u32>::new());
        assert_eq!(wheel.take_due(7_200), [3]);
        assert_eq!(wheel.take_due(7_300), Vec::<u32>::new());
        wheel.set(5, Some(99_999));
        assert_eq!(wheel.take_due(200_000), [5, 2]);
        assert!(!wheel.is_due(300_000));
    }
}
