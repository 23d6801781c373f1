//! What is to be looked at, and when: each object at most once in the queue and at most once in work.

use fanfare_core::model::Kind;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Of which kind.
    pub kind: Kind,
    /// In which namespace.
    pub namespace: String,
    /// Under which name.
    pub name: String,
}

#[derive(Debug, Default)]
struct Inner {
    due: BTreeMap<(Instant, u64), Key>,
    queued: HashMap<Key, (Instant, u64)>,
    /// Objects in work, and when to look again where that was asked meanwhile.
    working: HashMap<Key, Option<Instant>>,
    next: u64,
}

impl Inner {
    fn queue(&mut self, key: Key, at: Instant) {
        if let Some(place) = self.queued.get(&key) {
            if place.0 <= at {
                return;
            }
            self.due.remove(place);
        }
        self.next += 1;
        let place = (at, self.next);
        self.due.insert(place, key.clone());
        self.queued.insert(key, place);
    }
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Objects whose time has come.
    pub due: usize,
    /// Objects whose time comes later.
    pub planned: usize,
    /// Objects that are looked at now.
    pub working: usize,
}

/// The queue. Its size is that of the watched objects.
#[derive(Debug, Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
}

impl Queue {
    /// Has an object looked at after `delay`, or sooner if that was asked already.
    pub fn add(&self, key: Key, delay: Duration) {
        let at = Instant::now() + delay;
        let mut inner = self.inner.lock();
        match inner.working.get_mut(&key) {
            Some(again) => *again = Some(again.map_or(at, |other| other.min(at))),
            None => inner.queue(key, at),
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Waits for the next object that is due and takes it into work; [`Queue::done`] gives it back.
    pub async fn take(&self) -> Key {
        loop {
            let wait = {
                let mut inner = self.inner.lock();
                let now = Instant::now();
                match inner.due.first_key_value().map(|(place, _)| *place) {
                    Some(place) if place.0 <= now => {
                        if let Some(key) = inner.due.remove(&place) {
                            inner.queued.remove(&key);
                            inner.working.insert(key.clone(), None);
                            if inner.due.first_key_value().is_some_and(|(place, _)| place.0 <= now) {
                                self.changed.notify_one();
                            }
                            return key;
                        }
                        continue;
                    }
                    Some(place) => Some(place.0),
                    None => None,
                }
            };
            match wait {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Whether objects wait although their time has come.
    pub fn is_busy(&self) -> bool {
        self.inner.lock().due.first_key_value().is_some_and(|(place, _)| place.0 <= Instant::now())
    }

    /// How much there is to do.
    pub fn depth(&self) -> Depth {
        let inner = self.inner.lock();
        let due = inner.due.range(..=(Instant::now(), u64::MAX)).count();
        Depth { due, planned: inner.due.len() - due, working: inner.working.len() }
    }

    /// Ends the work on an object, to be looked at again after `again`, or sooner if that was asked meanwhile.
    pub fn done(&self, key: &Key, again: Option<Duration>) {
        let mut inner = self.inner.lock();
        let asked = inner.working.remove(key).flatten();
        let planned = again.map(|delay| Instant::now() + delay);
        if let Some(at) = [asked, planned].into_iter().flatten().min() {
            inner.queue(key.clone(), at);
        }
        drop(inner);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { kind: Kind::Segment, namespace: "n".into(), name: name.into() }
    }

    #[tokio::test]
    async fn an_object_is_queued_once_and_the_sooner_time_counts() {
        let queue = Queue::default();
        queue.add(key("a"), Duration::from_secs(60));
        queue.add(key("b"), Duration::from_secs(30));
        queue.add(key("a"), Duration::ZERO);
        assert_eq!(queue.take().await, key("a"));
        let left: Vec<Key> = queue.inner.lock().due.values().cloned().collect();
        assert_eq!(left, [key("b")]);
    }

    #[tokio::test]
    async fn an_object_in_work_is_not_given_out_twice() {
        let queue = Queue::default();
        queue.add(key("a"), Duration::ZERO);
        let taken = queue.take().await;
        queue.add(key("a"), Duration::ZERO);
        let mut again = Box::pin(queue.take());
        assert!(futures::poll!(&mut again).is_pending());
        queue.done(&taken, None);
        assert_eq!(again.await, key("a"));
    }

    #[tokio::test]
    async fn what_is_due_what_is_planned_and_what_is_in_work_are_told_apart() {
        let queue = Queue::default();
        for (name, delay) in [("a", 0), ("b", 0), ("c", 60)] {
            queue.add(key(name), Duration::from_secs(delay));
        }
        let taken = queue.take().await;
        assert_eq!(queue.depth(), Depth { due: 1, planned: 1, working: 1 });
        queue.done(&taken, Some(Duration::from_secs(60)));
        assert_eq!(queue.depth(), Depth { due: 1, planned: 2, working: 0 });
    }
}
