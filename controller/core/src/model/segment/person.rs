//! What a member's behaviour says of the person: the stage of its life with the shop, where it is, what it likes.

use crate::{ids::StoreId, time::Span};
use serde::{Deserialize, Serialize};

/// A stage of a member's life with the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Came lately.
    New,
    /// Comes.
    Active,
    /// Stays away.
    Dormant,
    /// Stays away for long.
    ChurnRisk,
    /// Is gone.
    Churned,
}

/// A question for a member's stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// One of these.
    pub stages: Vec<Stage>,
    /// The Runtime's rule.
    pub rule: LifecycleRule,
}

/// Which stage a member is in.
///
/// A member *joined* on the day that the attribute `joined` says, where the rule names one and the member has it; else
/// when it became known or at its first event, whichever came first. It has been *idle* since its last activity, without
/// any since it joined. Then, in this order: `Churned`, `ChurnRisk` or `Dormant` when it has been idle for at least so
/// long, `New` when it joined not longer ago than `new_for`, else `Active`. Somebody of whom nothing says when it joined,
/// and who never did anything, is `Churned`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// How long after joining a member is new; the end is inclusive.
    pub new_for: Span,
    /// Idle for so long: dormant.
    pub dormant_after: Span,
    /// Idle for so long: at risk.
    pub churn_risk_after: Span,
    /// Idle for so long: gone.
    pub churned_after: Span,
    /// The types of events that are an activity; `order.paid` net of refunds.
    pub activity: Vec<String>,
    /// The date attribute that says when a member joined.
    pub joined: Option<String>,
}

impl Default for LifecycleRule {
    fn default() -> Self {
        Self {
            new_for: Span::days(30),
            dormant_after: Span::days(60),
            churn_risk_after: Span::days(90),
            churned_after: Span::days(180),
            activity: ["order.paid", "store.visited", "member.checkedIn"].map(str::to_owned).to_vec(),
            joined: None,
        }
    }
}

/// A point on earth, in millionths of a degree (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point {
    /// North of the equator, -90 to 90 degrees.
    pub lat_e6: i32,
    /// East of Greenwich, -180 to 180 degrees.
    pub lng_e6: i32,
}

/// The types of events that say where a member is: by `location: {lat, lng}` in their data, else by `storeId`.
pub const PLACE_EVENTS: [&str; 4] = ["order.paid", "store.visited", "member.checkedIn", "member.located"];

/// Where a member is or shops.
///
/// A member's place is its attribute of that name, where one is named and set; else what the newest event of
/// [`PLACE_EVENTS`] says that says any (several at one instant: the smallest, [`Place`] in its order). `order.paid` is net
/// of refunds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Location {
    /// The member's place is at most so far from a point.
    Near {
        /// The point.
        point: Point,
        /// The store that stands there, where the author named one.
        store: Option<StoreId>,
        /// How far, in metres along a sphere of 6,371,008.8 m radius.
        radius_m: i64,
        /// The attribute that holds a place ([`Point`] as text), where there is one.
        attribute: Option<String>,
        /// The stores that lie inside: a place that is a store counts by its being one of these.
        stores: Vec<StoreId>,
    },
    /// The member's region is one of these.
    Region {
        /// The regions.
        any: Vec<String>,
        /// The attribute that holds a region, where there is one.
        attribute: Option<String>,
        /// The stores in these regions: a place that is a store counts by its being one of these.
        stores: Vec<StoreId>,
    },
    /// The member's preferred store is one of these. It is the attribute's, where one is named and set; else the store of
    /// most events of [`PLACE_EVENTS`] with a `storeId` in the window; of equals the one with the newest event, then the
    /// smallest id.
    PreferredStore {
        /// The stores.
        any: Vec<StoreId>,
        /// The attribute that holds a store's id, where there is one.
        attribute: Option<String>,
        /// How far back visits count.
        within: Span,
    },
}

/// What an event says of where a member is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At a point.
    At(Point),
    /// In a store.
    In(StoreId),
}

/// What a member likes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interests {
    /// Holds when the member has at least one of these (empty: not asked).
    pub any: Vec<String>,
    /// Holds when the member has each of these.
    pub all: Vec<String>,
    /// Holds when the member has none of these.
    pub none: Vec<String>,
    /// The Runtime's rule.
    pub rule: InterestRule,
}

/// How interests are learned from orders.
///
/// Of the orders of the window (net of refunds, line by line), each value of the fields counts once an order. A value that
/// stands in enough orders is an interest; of these the `top` ones are kept, by how many orders, then by how new the
/// newest of them is, then by their name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterestRule {
    /// Paths into an order's data.
    pub fields: Vec<String>,
    /// How far back orders count.
    pub within: Span,
    /// In how many orders a value has to stand.
    pub orders: i64,
    /// How many are kept.
    pub top: i64,
}

impl Default for InterestRule {
    fn default() -> Self {
        Self {
            fields: ["lines.category", "lines.brand"].map(str::to_owned).to_vec(),
            within: Span::days(180),
            orders: 2,
            top: 5,
        }
    }
}
