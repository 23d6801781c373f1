//! Chance as a value: a decision that draws is handed its source, so that a test and a replay draw the same.

/// A source of uniformly distributed bits.
pub trait Random {
    /// The next 64 bits.
    fn bits(&mut self) -> u64;

    /// A number below `bound`, without modulo bias; 0 when `bound` is 0.
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let zone = u64::MAX - (u64::MAX - bound + 1) % bound;
        loop {
            let bits = self.bits();
            if bits <= zone {
                return bits % bound;
            }
        }
    }
}
