//! Sets of members by their dense ids: a sorted list while it is short, a flat bitset once that is smaller.

/// Members in one word.
pub(crate) const WORD: usize = 64;

/// A set of dense ids.
#[derive(Clone, Debug)]
pub(crate) enum Bits {
    /// Sorted, each once.
    Sparse(Vec<u32>),
    /// One bit an id, and how many are set.
    Dense(Vec<u64>, usize),
}

impl Default for Bits {
    fn default() -> Self {
        Self::Sparse(Vec::new())
    }
}

impl Bits {
    /// A sorted list costs 32 bits an id: from here on the flat form is smaller.
    const SPARSE_MAX: usize = 1_024;

    /// An empty set in its flat form, for `ids` ids.
    pub(crate) fn flat(ids: usize) -> Self {
        Self::Dense(vec![0; ids.div_ceil(WORD)], 0)
    }

    /// How many ids it holds.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Sparse(ids) => ids.len(),
            Self::Dense(_, count) => *count,
        }
    }

    pub(crate) fn has(&self, id: u32) -> bool {
        match self {
            Self::Sparse(ids) => ids.binary_search(&id).is_ok(),
            Self::Dense(words, _) => words.get(id as usize / WORD).is_some_and(|word| word >> (id % 64) & 1 == 1),
        }
    }

    /// Puts an id in or takes it out; whether that changed anything.
    pub(crate) fn set(&mut self, id: u32, inside: bool) -> bool {
        match self {
            Self::Sparse(ids) => match (ids.binary_search(&id), inside) {
                (Err(place), true) => {
                    ids.insert(place, id);
                    self.widen();
                    true
                }
                (Ok(place), false) => {
                    ids.remove(place);
                    true
                }
                _ => false,
            },
            Self::Dense(words, count) => {
                let place = id as usize / WORD;
                if place >= words.len() {
                    if !inside {
                        return false;
                    }
                    words.resize(place + 1, 0);
                }
                let Some(word) = words.get_mut(place) else { return false };
                let bit = 1 << (id % 64);
                if (*word & bit != 0) == inside {
                    return false;
                }
                *word ^= bit;
                *count = if inside { *count + 1 } else { *count - 1 };
                true
            }
        }
    }

    fn widen(&mut self) {
        let Self::Sparse(ids) = self else { return };
        let most = ids.last().map_or(0, |id| *id as usize);
        if ids.len() <= Self::SPARSE_MAX.max(most / 32) {
            return;
        }
        let mut words = vec![0; most / WORD + 1];
        for id in &*ids {
            if let Some(word) = words.get_mut(*id as usize / WORD) {
                *word |= 1 << (id % 64);
            }
        }
        *self = Self::Dense(words, ids.len());
    }

    /// Keeps of `mask`, whose first bit is the id `first` (a multiple of 64), what is in the set.
    pub(crate) fn narrow(&self, first: usize, mask: &mut [u64]) {
        match self {
            Self::Dense(words, _) => {
                let rest = words.get(first / WORD..).unwrap_or_default();
                let (shared, beyond) = mask.split_at_mut(mask.len().min(rest.len()));
                for (kept, word) in shared.iter_mut().zip(rest) {
                    *kept &= word;
                }
                beyond.fill(0);
            }
            Self::Sparse(ids) => {
                let from = ids.partition_point(|id| (*id as usize) < first);
                let mut inside = ids.get(from..).unwrap_or_default().iter().map(|id| *id as usize - first).peekable();
                for (place, kept) in mask.iter_mut().enumerate() {
                    let mut word = 0;
                    while let Some(offset) = inside.next_if(|offset| *offset < (place + 1) * WORD) {
                        word |= 1 << (offset % WORD);
                    }
                    *kept &= word;
                }
            }
        }
    }

    /// Makes a set of the words of a flat bitset.
    pub(crate) fn of_words(words: Vec<u64>) -> Self {
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        Self::Dense(words, count)
    }

    /// What it occupies, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Sparse(ids) => ids.capacity() * 4,
            Self::Dense(words, _) => words.capacity() * 8,
        }
    }
}

/// The places of the bits that are set, lowest first.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_set_holds_what_was_put_in_whether_it_is_short_or_long() {
        let mut set = Bits::default();
        let mut model = BTreeSet::new();
        let mut state = 7_u64;
        for step in 0..20_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let id = u32::try_from(state >> 50).unwrap();
            let inside = step % 3 != 0;
            let changed = if inside { model.insert(id) } else { model.remove(&id) };
            assert_eq!(set.set(id, inside), changed);
        }
        assert!(matches!(set, Bits::Dense(..)), "it became long");
        let sparse = Bits::Sparse(model.iter().copied().collect());
        for set in [&set, &sparse] {
            assert_eq!(set.len(), model.len());
            for first in [0, 128, 16_000, 64_000] {
                let mut mask = [u64::MAX; 5];
                set.narrow(first, &mut mask);
                for offset in 0..320 {
                    let id = u32::try_from(first + offset).unwrap();
                    assert_eq!(mask[offset / WORD] >> (offset % WORD) & 1 == 1, model.contains(&id), "{id}");
                    assert_eq!(set.has(id), model.contains(&id));
                }
            }
        }
    }
}
