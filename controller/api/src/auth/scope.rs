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
    /// Read reports: a till its own store's day, an integration all of them and the ledger.
    Reports,
    /// Propose corrections of the ledger.
    Adjust,
    /// Approve or turn down corrections that another person proposed.
    Approve,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 10] = [
        Self::Redeem,
        Self::Reverse,
        Self::Event,
        Self::Members,
        Self::Lists,
        Self::Segments,
        Self::Codes,
        Self::Reports,
        Self::Adjust,
        Self::Approve,
    ];
    /// What a till gets when it is enrolled.
    pub const TILL: [Self; 4] = [Self::Redeem, Self::Reverse, Self::Event, Self::Reports];

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
            Self::Reports => "reports",
            Self::Adjust => "adjust",
            Self::Approve => "approve",
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
    /// Another one that will do as well.
    const OR: Option<Scope> = None;
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

needs! { Redeem Reverse Event Members Lists Segments Codes Reports Adjust Approve }

/// Either side of a correction: who proposes and who approves both see what waits.
#[derive(Clone, Debug)]
pub(crate) struct AdjustOrApprove;

impl Needs for AdjustOrApprove {
    const SCOPE: Scope = Scope::Adjust;
    const OR: Option<Scope> = Some(Scope::Approve);
}
