//! `lottery`: entries, earned by an event or bought with points, are drawn for prizes at once, from a seeded source.

use crate::{ids::Name, model::campaign::Limit};
use serde::{Deserialize, Serialize};

/// A draw for prizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lottery {
    /// How a member gets an entry.
    pub entry: Entry,
    /// How many entries count (`Counted::Entries`).
    pub limits: Vec<Limit>,
    /// What can be drawn; at least one with weight.
    pub prizes: Vec<Prize>,
    /// After so many draws of a member without a reward, the next gives one.
    pub guaranteed_after: Option<i64>,
}

/// How a member gets an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// By an event of this type.
    Event(String),
    /// By paying so many points for a draw.
    Points(i64),
}

/// What can be drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prize {
    /// Its name within the lottery.
    pub name: Name,
    /// What it gives; without it, nothing.
    pub reward: Option<Name>,
    /// How likely, against the sum of the weights that are left.
    pub weight: i64,
    /// How many there are; without it, no end.
    pub quantity: Option<i64>,
    /// How many on one day of the campaign's zone.
    pub per_day: Option<i64>,
}

impl super::Behaviour for Lottery {
    fn kind(&self) -> &'static str {
        "lottery"
    }
}
