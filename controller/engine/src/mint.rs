//! Chance and new ids for the decisions of a batch, from one seeded source.

use fanfare_core::{random::Random, time::Ts};
use rand_chacha::{
    ChaCha12Rng,
    rand_core::{RngCore, SeedableRng},
};

/// The source of chance of one writer.
pub struct Mint {
    source: ChaCha12Rng,
}

impl Mint {
    /// A source from a seed: of the operating system in production, fixed in tests.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { source: ChaCha12Rng::from_seed(seed) }
    }

    /// A number of its own.
    pub(crate) fn number(&mut self) -> u64 {
        self.source.next_u64()
    }

    /// A source for one command, so that running it again draws the same.
    pub fn fork(&mut self) -> Draw {
        let mut seed = [0; 32];
        self.source.fill_bytes(&mut seed);
        let source = ChaCha12Rng::from_seed(seed);
        Draw { start: source.clone(), source }
    }
}

/// The source of chance of one command.
pub struct Draw {
    start: ChaCha12Rng,
    source: ChaCha12Rng,
}

impl Draw {
    /// Starts over, for another run of the same command.
    pub fn rewind(&mut self) {
        self.source = self.start.clone();
    }

    /// Goes on from here, for the next command of the same call.
    pub(crate) fn keep(&mut self) {
        self.start = self.source.clone();
    }

    /// A new id: 26 characters, ordered by time, with the database's incarnation in its random part, so that no id made
    /// after a restore can meet one made before it.
    pub fn id(&mut self, at: Ts, incarnation: i64) -> String {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        let incarnation = u128::try_from(incarnation & 0xffff).unwrap_or(0);
        let random = (incarnation << 64) | u128::from(self.source.next_u64());
        ulid::Ulid::from_parts(millis, random).to_string()
    }
}

impl Random for Draw {
    fn bits(&mut self) -> u64 {
        self.source.next_u64()
    }
}
