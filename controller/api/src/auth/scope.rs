//! What the key of a till or an integration may do.

/// One thing that a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Evaluate carts, place, commit and void orders, check and redeem codes, resolve a shown code.
    Redeem,
    /// Take orders and redemptions back.
    Reverse,
    /// Send events.
    Event,
    /// Read and write members.
    Members,
    /// Upload lists.
    Lists,
    /// Ask who is in a segment.
    Segments,
    /// Import codes and have vouchers printed.
    Codes,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] =
        [Self::Redeem, Self::Reverse, Self::Event, Self::Members, Self::Lists, Self::Segments, Self::Codes];
    /// What a till gets when it is enrolled.
    pub const TILL: [Self; 3] = [Self::Redeem, Self::Reverse, Self::Event];

    /// The name that `fanfare key create --scope` takes and the database keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redeem => "redeem",
            Self::Reverse => "reverse",
            Self::Event => "event",
            Self::Members => "members",
            Self::Lists => "lists",
            Self::Segments => "segments",
            Self::Codes => "codes",
        }
    }

    /// The scope of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A scope as a type, so that an endpoint's signature says what it needs.
pub(crate) trait Needs: Send + Sync {
    /// Which.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident)*) => {$(
        /// See [`Scope`].
        #[derive(Clone, Debug)]
        pub(crate) struct $name;
        impl Needs for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}

needs! { Redeem Reverse Event Members Lists Segments Codes }
