//! ISO 3166: which codes exist, and what they are called.

use std::fmt;

use super::Jurisdiction;

/// A code that ISO 3166 does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?} is no code of ISO 3166{help}")]
pub struct NotIso {
    /// The code.
    pub code: String,
    /// What to write instead, where that can be told.
    pub help: Help,
}

/// What to write instead; displays as nothing, or as a clause that follows a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Help(pub Option<String>);

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |help| write!(f, ": {help}"))
    }
}

/// Subdivisions that are countries in ISO 3166-1 too. One place must have one name, or a policy that denies `HK` would
/// let `CN-HK` pass; the country's is the one.
const ALSO_A_COUNTRY: [(&str, &str); 35] = [
    ("CN-HK", "HK"),
    ("CN-MO", "MO"),
    ("CN-TW", "TW"),
    ("FI-01", "AX"),
    ("FR-971", "GP"),
    ("FR-972", "MQ"),
    ("FR-973", "GF"),
    ("FR-974", "RE"),
    ("FR-976", "YT"),
    ("FR-BL", "BL"),
    ("FR-GF", "GF"),
    ("FR-GP", "GP"),
    ("FR-MF", "MF"),
    ("FR-MQ", "MQ"),
    ("FR-NC", "NC"),
    ("FR-PF", "PF"),
    ("FR-PM", "PM"),
    ("FR-RE", "RE"),
    ("FR-TF", "TF"),
    ("FR-WF", "WF"),
    ("FR-YT", "YT"),
    ("NL-AW", "AW"),
    ("NL-BQ1", "BQ"),
    ("NL-BQ2", "BQ"),
    ("NL-BQ3", "BQ"),
    ("NL-CW", "CW"),
    ("NL-SX", "SX"),
    ("NO-21", "SJ"),
    ("NO-22", "SJ"),
    ("US-AS", "AS"),
    ("US-GU", "GU"),
    ("US-MP", "MP"),
    ("US-PR", "PR"),
    ("US-UM", "UM"),
    ("US-VI", "VI"),
];

/// Countries whose subdivisions all stand side by side. Elsewhere ISO lists several levels in one list
/// (`GB-ENG` and `GB-LND`) and does not say which lies in which.
const ONE_LEVEL: [&str; 14] =
    ["AE", "AR", "AT", "AU", "BR", "CA", "CH", "CN", "DE", "IN", "JP", "MX", "MY", "US"];

/// Names in daily use that ISO writes otherwise.
const MISTAKEN: [(&str, &str); 3] = [("UK", "GB"), ("EL", "GR"), ("KO", "KR")];

/// Whether this is an ISO 3166-1 alpha-2 code.
#[must_use]
pub fn is_country(code: &str) -> bool {
    rust_iso3166::from_alpha2(code).is_some()
}

/// Whether this is an ISO 3166-2 code that is not a country of its own.
#[must_use]
pub fn is_subdivision(code: &str) -> bool {
    rust_iso3166::iso3166_2::from_code(code).is_some() && country_of_its_own(code).is_none()
}

fn country_of_its_own(code: &str) -> Option<&'static str> {
    ALSO_A_COUNTRY.iter().find(|(subdivision, _)| *subdivision == code).map(|(_, country)| *country)
}

/// What it is called in English: `Germany`, `Quebec, Canada`.
#[must_use]
pub fn name(code: &str) -> Option<String> {
    if let Some(country) = rust_iso3166::from_alpha2(code) {
        return Some(country.name.to_owned());
    }
    rust_iso3166::iso3166_2::from_code(code)
        .map(|subdivision| format!("{}, {}", subdivision.name, subdivision.country_name))
}

/// Reads a code that ISO 3166 has.
pub fn parse(code: &str) -> Result<Jurisdiction, NotIso> {
    if (is_country(code) || is_subdivision(code))
        && let Ok(jurisdiction) = code.parse()
    {
        return Ok(jurisdiction);
    }
    Err(NotIso { code: code.to_owned(), help: Help(help(code)) })
}

/// Reads a code of ISO 3166-1.
pub fn parse_country(code: &str) -> Result<Jurisdiction, NotIso> {
    match parse(code) {
        Ok(jurisdiction) if jurisdiction.is_subdivision() => Err(NotIso {
            code: code.to_owned(),
            help: Help(Some(format!("a country is needed here, such as {}", jurisdiction.country()))),
        }),
        result => result,
    }
}

/// What to write instead of a code that ISO does not have.
fn help(code: &str) -> Option<String> {
    if let Some(country) = country_of_its_own(code) {
        return Some(format!("it has a country code of its own, {country}"));
    }
    let upper = code.to_ascii_uppercase();
    if upper != code && (is_country(&upper) || is_subdivision(&upper)) {
        return Some(format!("did you mean {upper}?"));
    }
    if let Some((_, right)) = MISTAKEN.iter().find(|(wrong, _)| *wrong == upper) {
        return Some(format!("did you mean {right}?"));
    }
    let (country, _) = code.split_once('-')?;
    is_country(country).then(|| format!("ISO 3166-2 lists no such part of {country}"))
}

/// Whether one of two subdivisions could lie in the other.
pub(super) fn may_nest(one: Jurisdiction, other: Jurisdiction) -> bool {
    let country = one.country();
    if country != other.country() || ONE_LEVEL.contains(&country.to_string().as_str()) {
        return false;
    }
    let kind = |code: Jurisdiction| {
        rust_iso3166::iso3166_2::from_code(&code.to_string()).map(|found| found.subdivision_type)
    };
    kind(one) != kind(other)
}
