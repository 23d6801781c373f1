//! `spendThreshold`: something for spending enough, in one order or over the campaign.

use crate::{
    ids::Name,
    money::{BasisPoints, Minor},
};
use serde::{Deserialize, Serialize};

/// Something for spending enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpendThreshold {
    /// Which spend counts.
    pub basis: Basis,
    /// Of one order or of all orders in the campaign.
    pub per: SpendPer,
    /// Which of the tiers reached are given.
    pub award: Award,
    /// Given again for each further multiple of the highest tier's spend.
    pub repeat: bool,
    /// By ascending spend.
    pub tiers: Vec<Tier>,
}

/// Which spend counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// What the items cost.
    BeforeDiscounts,
    /// What is left of it when this mechanic's turn comes.
    AfterDiscounts,
}

/// Over what spend is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpendPer {
    /// One order.
    Order,
    /// All orders of the member in the campaign; such a tier gives rewards, no money off.
    Campaign,
}

/// Which of the tiers reached are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Award {
    /// The highest.
    Highest,
    /// Each.
    All,
}

/// What is given from which spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tier {
    /// From here.
    pub spend: Minor,
    /// What.
    pub gives: Gives,
}

/// What a tier gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gives {
    /// A reward, when the order is committed.
    Reward(Name),
    /// Money off this order.
    AmountOff(Minor),
    /// A share off this order.
    PercentOff(BasisPoints),
}

impl super::Behaviour for SpendThreshold {
    fn kind(&self) -> &'static str {
        "spendThreshold"
    }
}
