//! What is known of where something is. Any part may be unknown, and unknown never permits.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An ISO 3166-1 alpha-2 country (`DE`) or an ISO 3166-2 subdivision (`CA-QC`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jurisdiction {
    country: [u8; 2],
    /// Zero bytes where there is none or it is shorter.
    subdivision: [u8; 3],
}

impl Jurisdiction {
    /// The country, without its subdivision.
    #[must_use]
    pub fn country(self) -> Self {
        Self { country: self.country, subdivision: [0; 3] }
    }

    /// Whether this names a part of a country.
    #[must_use]
    pub fn is_subdivision(self) -> bool {
        self.subdivision[0] != 0
    }

    /// Whether everything in `other` is in `self`: the same, or the country of that subdivision.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self == other || self == other.country()
    }
}

/// Not of the form of an ISO 3166 code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither an ISO 3166-1 alpha-2 country such as DE nor an ISO 3166-2 subdivision such as CA-QC"
)]
pub struct NotAJurisdiction(pub String);

impl FromStr for Jurisdiction {
    type Err = NotAJurisdiction;

    /// Checks the form only; whether ISO knows the code, [`super::iso`] says.
    fn from_str(code: &str) -> Result<Self, NotAJurisdiction> {
        let refused = || NotAJurisdiction(code.to_owned());
        let bytes = code.as_bytes();
        let (country, rest) = bytes.split_first_chunk::<2>().ok_or_else(refused)?;
        if !country.iter().all(u8::is_ascii_uppercase) {
            return Err(refused());
        }
        let mut subdivision = [0; 3];
        match rest {
            [] => {}
            [b'-', tail @ ..] if (1..=3).contains(&tail.len()) => {
                if !tail.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
                    return Err(refused());
                }
                subdivision[..tail.len()].copy_from_slice(tail);
            }
            _ => return Err(refused()),
        }
        Ok(Self { country: *country, subdivision })
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.country {
            write!(f, "{}", char::from(byte))?;
        }
        if self.is_subdivision() {
            f.write_str("-")?;
            for byte in self.subdivision.into_iter().take_while(|b| *b != 0) {
                write!(f, "{}", char::from(byte))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is known of where a node or a volume is. `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// The provider, by the geography's names.
    pub provider: Option<Arc<str>>,
    /// The region's code.
    pub region: Option<Arc<str>>,
    /// The zone's code.
    pub zone: Option<Arc<str>>,
    /// Where it stands.
    pub jurisdiction: Option<Jurisdiction>,
    /// Whose law binds its operator.
    pub provider_jurisdiction: Option<Jurisdiction>,
}

impl fmt::Display for Location {
    /// `us-east-1, US`, `zone eu-central-1-ist-1a, TR`, `unknown location`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.zone.as_deref().or(self.region.as_deref());
        match (code, self.jurisdiction) {
            (Some(code), Some(jurisdiction)) => write!(f, "{code}, {jurisdiction}"),
            (Some(code), None) => write!(f, "{code}, jurisdiction unknown"),
            (None, Some(jurisdiction)) => write!(f, "{jurisdiction}"),
            (None, None) => f.write_str("location unknown"),
        }
    }
}
