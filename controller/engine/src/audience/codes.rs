//! Attributes as columns: each member has the code of its value, and each value is tested once.

use fanfare_core::model::segment::Scalar;
use std::collections::HashMap;

/// The most different values of one column. A column with more is given up, and its attribute read member by member.
pub(crate) const VALUES_MAX: usize = 65_535;

/// The code of what is missing.
pub(crate) const MISSING: u16 = 0;

/// Values by code; the code 0 is no value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    codes: HashMap<Scalar, u16>,
    values: Vec<Scalar>,
}

impl Dictionary {
    /// The code of a value, a new one if need be; `None` when there are too many.
    pub(crate) fn code(&mut self, value: &Scalar) -> Option<u16> {
        if let Some(code) = self.codes.get(value) {
            return Some(*code);
        }
        let code = u16::try_from(self.values.len() + 1).ok().filter(|code| usize::from(*code) <= VALUES_MAX)?;
        self.codes.insert(value.clone(), code);
        self.values.push(value.clone());
        Some(code)
    }

    /// The value of a code.
    pub(crate) fn value(&self, code: u16) -> Option<&Scalar> {
        self.values.get(usize::from(code).checked_sub(1)?)
    }

    /// What holds of each code, in order, from that of what is missing.
    pub(crate) fn each<T>(&self, mut of: impl FnMut(Option<&Scalar>) -> T) -> Vec<T> {
        std::iter::once(None).chain(self.values.iter().map(Some)).map(&mut of).collect()
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// What it occupies, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        let text = |value: &Scalar| if let Scalar::Text(text) = value { text.len() * 2 } else { 0 };
        self.values.iter().map(text).sum::<usize>() + self.values.len() * (2 * size_of::<Scalar>() + 8)
    }
}

/// Codes side by side, one byte each while that is enough.
#[derive(Clone, Debug)]
pub(crate) enum Codes {
    /// Codes up to 255.
    Narrow(Vec<u8>),
    /// All codes.
    Wide(Vec<u16>),
}

impl Default for Codes {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Codes {
    pub(crate) fn get(&self, place: usize) -> u16 {
        match self {
            Self::Narrow(codes) => codes.get(place).copied().map_or(MISSING, u16::from),
            Self::Wide(codes) => codes.get(place).copied().unwrap_or(MISSING),
        }
    }

    /// Makes room for a code.
    fn fit(&mut self, code: u16) {
        if let (Self::Narrow(codes), true) = (&mut *self, code > u16::from(u8::MAX)) {
            *self = Self::Wide(codes.iter().copied().map(u16::from).collect());
        }
    }

    /// Sets the code of a place, which may lie behind the end.
    pub(crate) fn set(&mut self, place: usize, code: u16) {
        self.fit(code);
        match self {
            Self::Narrow(codes) => {
                if place >= codes.len() {
                    codes.resize(place + 1, 0);
                }
                if let (Some(slot), Ok(code)) = (codes.get_mut(place), u8::try_from(code)) {
                    *slot = code;
                }
            }
            Self::Wide(codes) => {
                if place >= codes.len() {
                    codes.resize(place + 1, MISSING);
                }
                if let Some(slot) = codes.get_mut(place) {
                    *slot = code;
                }
            }
        }
    }

    /// Replaces a stretch by other codes.
    pub(crate) fn splice(&mut self, stretch: std::ops::Range<usize>, by: &[u16]) {
        for code in by {
            self.fit(*code);
        }
        match self {
            Self::Narrow(codes) => {
                drop(codes.splice(stretch, by.iter().map(|code| u8::try_from(*code).unwrap_or(u8::MAX))));
            }
            Self::Wide(codes) => drop(codes.splice(stretch, by.iter().copied())),
        }
    }

    pub(crate) fn shrink(&mut self) {
        match self {
            Self::Narrow(codes) => codes.shrink_to_fit(),
            Self::Wide(codes) => codes.shrink_to_fit(),
        }
    }

    /// What they occupy, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Narrow(codes) => codes.capacity(),
            Self::Wide(codes) => codes.capacity() * 2,
        }
    }
}

/// An attribute of every member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    /// Its values.
    pub(crate) values: Dictionary,
    /// By dense id.
    pub(crate) codes: Codes,
    /// Whether there were too many values: the column knows nothing then.
    pub(crate) full: bool,
}

impl Column {
    pub(crate) fn set(&mut self, member: u32, value: Option<&Scalar>) {
        if self.full {
            return;
        }
        let code = value.map_or(Some(MISSING), |value| self.values.code(value));
        match code {
            Some(code) if code == self.codes.get(member as usize) => {}
            Some(code) => self.codes.set(member as usize, code),
            None => *self = Self { full: true, ..Self::default() },
        }
    }

    /// How many of the selected members have each value.
    pub(crate) fn spread(&self, selected: &[u64]) -> Vec<(Option<Scalar>, i64)> {
        let mut counts = vec![0_i64; self.values.len() + 1];
        for (place, word) in selected.iter().enumerate() {
            for bit in super::ones(*word) {
                if let Some(count) = counts.get_mut(usize::from(self.codes.get(place * super::WORD + bit))) {
                    *count += 1;
                }
            }
        }
        self.values.each(|value| value.cloned()).into_iter().zip(counts).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes() + self.codes.bytes()
    }
}
