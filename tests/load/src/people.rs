//! A shop's members and a year of what they did, from a seed: the same for the product and for what it is measured against.
//!
//! Ages of events lie a few hours off whole days, so that windows of days hold the same ones for as long as a run takes.

/// A day, in seconds.
pub(crate) const DAY: u32 = 86_400;
/// Days of history.
pub(crate) const DAYS: u32 = 365;
/// Events a member, on average.
pub(crate) const EVENTS_PER_MEMBER: u32 = 10;
/// Kinds of events, by number.
#[allow(dead_code, reason = "who only counts needs no names")]
pub(crate) const KINDS: [&str; 5] = ["shop.purchase", "shop.visit", "app.opened", "coupon.viewed", "shop.review"];
/// Tiers, by number.
#[allow(dead_code, reason = "who only counts needs no names")]
pub(crate) const TIERS: [&str; 4] = ["blue", "silver", "gold", "black"];
/// How many cities there are.
pub(crate) const CITIES: u32 = 50;
/// How many tags there are.
pub(crate) const TAGS: u32 = 64;

/// Small, seeded: SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    /// A number below `most`.
    pub(crate) fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * u128::from(most)) >> 64) as u32
    }
}

/// Something that a member did.
#[derive(Clone, Copy)]
pub(crate) struct Did {
    /// Into [`KINDS`].
    pub(crate) kind: u8,
    /// How long ago, in seconds.
    pub(crate) age: u32,
    /// In hundredths; purchases alone have one.
    pub(crate) amount: u32,
}

/// A member.
pub(crate) struct Person {
    /// Into [`TIERS`].
    pub(crate) tier: u8,
    /// Below [`CITIES`].
    pub(crate) city: u8,
    /// Year, month, day.
    pub(crate) born: (u32, u32, u32),
    /// One bit a tag.
    pub(crate) tags: u64,
    /// Whether it stands on the list that is excluded.
    pub(crate) excluded: bool,
    /// The oldest first.
    pub(crate) did: Vec<Did>,
}

/// The member of this number.
pub(crate) fn person(seed: u64, number: u32) -> Person {
    let dice = &mut Dice(seed ^ (u64::from(number) << 20));
    let tier = [0, 0, 0, 0, 0, 0, 1, 1, 2, 3][dice.below(10) as usize];
    // Small cities are smaller: the least of two.
    let city = dice.below(CITIES).min(dice.below(CITIES)) as u8;
    let born = (1950 + dice.below(58), 1 + dice.below(12), 1 + dice.below(28));
    let tags = (0..dice.below(7)).fold(0, |tags, _| tags | 1 << dice.below(TAGS));
    let excluded = dice.below(50) == 0;
    // Most do little, a few much.
    let often = [1, 2, 3, 5, 9, 40][dice.below(6) as usize] * (1 + u32::from(tier)) * EVENTS_PER_MEMBER / 16;
    let since = if dice.below(3) == 0 { dice.below(DAYS) } else { 0 };
    let mut did: Vec<Did> = (0..dice.below(2 * often + 1))
        .map(|_| {
            let kind = [0, 0, 0, 0, 0, 1, 1, 1, 2, 3][dice.below(10) as usize];
            let age = (since + dice.below(DAYS - since)) * DAY + DAY / 3 + dice.below(DAY / 3);
            let amount = if kind == 0 { 2_000 + dice.below(400) * dice.below(400) } else { 0 };
            Did { kind, age, amount }
        })
        .collect();
    did.sort_by_key(|did| std::cmp::Reverse(did.age));
    Person { tier, city, born, tags, excluded, did }
}
