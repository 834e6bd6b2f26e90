//! Three-valued truth: what is not known is neither.

use std::ops::Not;

/// True, false, or not known. Unknown never permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tri {
    /// Certainly.
    True,
    /// Certainly not.
    False,
    /// It could be either.
    Unknown,
}

impl Tri {
    /// Both. One that is false decides.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    /// Either. One that is true decides.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }

    /// Whether it is certain: what an `allow` place asks.
    #[must_use]
    pub fn is_true(self) -> bool {
        self == Self::True
    }

    /// Whether it is ruled out: what a `deny` place must be.
    #[must_use]
    pub fn is_false(self) -> bool {
        self == Self::False
    }
}

impl Not for Tri {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Tri {
    fn from(certain: bool) -> Self {
        if certain { Self::True } else { Self::False }
    }
}
