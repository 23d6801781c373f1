//! Short texts with a fixed form (money, percentages, durations, times, names): one Rust type and one schema pattern each.
//!
//! A value here is only known to have the right shape; `admit` gives it meaning. The table `FORMS` lets the
//! structural check say in plain words what a pattern means.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What a pattern means to an author: used for the reason and the remedy of a mismatch.
pub(crate) struct Form {
    /// The pattern as it stands in the schema.
    pub(crate) pattern: &'static str,
    /// "a duration", "a percentage" …
    pub(crate) noun: &'static str,
    /// How to write it right.
    pub(crate) remedy: &'static str,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident { max: $max:literal, pattern: $pattern:literal, noun: $noun:literal, remedy: $remedy:literal })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub String);

            impl $name {
                /// The text as it was written.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl From<&str> for $name {
                fn from(text: &str) -> Self {
                    Self(text.to_owned())
                }
            }

            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn inline_schema() -> bool {
                    true
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({"type": "string", "maxLength": $max, "pattern": $pattern})
                }
            }
        )*

        /// Every form, looked up by its pattern.
        pub(crate) const FORMS: &[Form] = &[$(Form { pattern: $pattern, noun: $noun, remedy: $remedy }),*];
    };
}

texts! {
    /// The name of a resource, mechanic, step, list or tag group: lower-case letters, digits and hyphens.
    Name {
        max: 63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        noun: "a name", remedy: "use lower-case letters, digits and hyphens, such as `double-11`"
    }
    /// An id or label given by another system (a SKU, store, channel, category, brand, tag).
    Label {
        max: 64, pattern: "^[^\\s\\x00-\\x1f]([^\\x00-\\x1f]*[^\\s\\x00-\\x1f])?$",
        noun: "an id", remedy: "write at least one character, without line breaks or spaces at the ends"
    }
    /// An amount of money in the Runtime's currency, as a decimal text.
    Money {
        max: 17, pattern: "^(0|[1-9][0-9]{0,11})(\\.[0-9]{1,4})?$",
        noun: "an amount of money", remedy: "write digits in quotes without currency or separators, such as \"1250.50\""
    }
    /// A percentage with its sign.
    Percent {
        max: 8, pattern: "^(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?%$",
        noun: "a percentage", remedy: "write a number followed by %, such as \"12.5%\""
    }
    /// A length of time in days, hours, minutes and seconds.
    Span {
        max: 32, pattern: "^([0-9]{1,5}d)?( ?[0-9]{1,5}h)?( ?[0-9]{1,5}m)?( ?[0-9]{1,5}s)?$",
        noun: "a duration", remedy: "write days, hours, minutes and seconds in this order, such as `30d 12h 10m`"
    }
    /// A local date and time without offset.
    LocalTime {
        max: 19, pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$",
        noun: "a local date and time", remedy: "write it without offset, such as \"2026-11-11T00:00\"; the zone stands in timeZone"
    }
    /// A time of the day.
    ClockTime {
        max: 5, pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$",
        noun: "a time of day", remedy: "write hours and minutes in quotes, such as \"20:00\""
    }
    /// An IANA time zone.
    Zone {
        max: 64, pattern: "^[A-Za-z][A-Za-z0-9_+/-]*$",
        noun: "a time zone", remedy: "write an IANA zone, such as `Asia/Bangkok`"
    }
    /// An ISO 4217 currency code.
    Currency {
        max: 3, pattern: "^[A-Z]{3}$",
        noun: "a currency", remedy: "write its three-letter code, such as `THB`"
    }
    /// A language tag.
    Locale {
        max: 35, pattern: "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        noun: "a language", remedy: "write a language tag, such as `th` or `zh-Hans`"
    }
    /// The type of an event.
    EventType {
        max: 100, pattern: "^[a-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*)*$",
        noun: "the type of an event", remedy: "write words joined by dots, such as `order.paid`"
    }
    /// A field of an event's data or a member's attribute.
    FieldName {
        max: 64, pattern: "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*$",
        noun: "the name of a field", remedy: "write letters, digits and underscores, such as `total`"
    }
    /// A decimal number.
    Decimal {
        max: 20, pattern: "^-?(0|[1-9][0-9]{0,13})(\\.[0-9]{1,4})?$",
        noun: "a number", remedy: "write digits in quotes, such as \"2000\" or \"0.5\""
    }
    /// A distance on earth.
    Distance {
        max: 12, pattern: "^[0-9]{1,6}(\\.[0-9]{1,3})?(m|km)$",
        noun: "a distance", remedy: "write metres or kilometres, such as `800m` or `5km`"
    }
    /// The SHA-256 digest of a file, in hexadecimal.
    Sha256 {
        max: 64, pattern: "^[0-9a-f]{64}$",
        noun: "a SHA-256 digest", remedy: "write its 64 hexadecimal digits in lower case"
    }
    /// A web address.
    Url {
        max: 2048, pattern: "^https?://[^\\s]+$",
        noun: "a web address", remedy: "write it in full, such as `https://example.com/banner.webp`"
    }
    /// A code prefix.
    Prefix {
        max: 8, pattern: "^[0-9A-Z]{1,8}$",
        noun: "a code prefix", remedy: "use up to 8 capital letters and digits"
    }
    /// A code that people type, such as WELCOME10.
    WordCode {
        max: 32, pattern: "^[0-9A-Za-z][-0-9A-Za-z]{2,31}$",
        noun: "a code", remedy: "use 3 to 32 letters, digits and hyphens, such as `WELCOME10`"
    }
}
