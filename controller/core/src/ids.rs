//! Names and identifiers as types, so that a campaign's name is never handed over where a member's id is meant.
//!
//! They are opaque and cheap to clone. This module checks nothing: `crds::admit` and the HTTP extractors do.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, sync::Arc};

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    )*};
}

text_id! {
    /// A brand or tenant; nothing crosses it.
    Namespace;
    /// The name of a resource (Campaign, Segment, Reward, …) within its namespace; at most 63 characters.
    Name;
    /// The id under which the shop knows a member.
    MemberId;
    /// A random account of a member in the ledger, which holds no person.
    AccountId;
    /// A grant: one reward given to one member.
    GrantId;
    /// An order's id, chosen by the till and unique in the namespace.
    OrderId;
    /// A redemption of one voucher.
    RedemptionId;
    /// A reservation of flash-sale stock.
    HoldId;
    /// One passage of one member through an Automation.
    RunId;
    /// A message to a member.
    MessageId;
    /// A shop, as the Runtime lists it.
    StoreId;
    /// The digest of an accepted specification, hexadecimal.
    Revision;
    /// A voucher's code, normalised: upper case, no spaces or dashes.
    Code;
}
