//! The map: countries that hold data of one classification, filled, and those where it could come to be, hatched.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, PreEscaped, html};

use crate::residency::{ClassificationFacts, Placed};

/// Outlines, public domain; the file says from where.
const WORLD: &str = include_str!("world.txt");
/// What of the world a map shows: left, top, width, height; and the size of its labels.
const WHOLE: (&str, f32) = ("0 0 2000 875", 24.0);
const EUROPE: (&str, f32) = ("890 60 260 175", 7.0);
const IN_EUROPE: (std::ops::Range<i32>, std::ops::Range<i32>) = (900..1140, 65..230);

/// A country of the map.
struct Country {
    at: (i32, i32),
    outline: &'static str,
}

/// The world by country code; `--` is land without one.
pub(super) struct World(BTreeMap<&'static str, Country>);

impl World {
    pub(super) fn read() -> Self {
        let line = |line: &'static str| {
            let mut parts = line.splitn(4, ' ');
            let (code, x, y, outline) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            Some((code, Country { at: (x.parse().ok()?, y.parse().ok()?), outline }))
        };
        Self(WORLD.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect())
    }

    /// What the maps draw again and again, once: the land, and the countries that hold something.
    pub(super) fn definitions(&self, all: &[ClassificationFacts]) -> Markup {
        let used: BTreeSet<&str> = all.iter().flat_map(|one| &one.places).filter_map(country_of).collect();
        let outlined = |country: &&Country| country.outline != "-";
        let land: String = self.0.values().filter(outlined).map(|country| country.outline).collect();
        html! {
            svg.definitions width="0" height="0" aria-hidden="true" focusable="false" {
                defs {
                    pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                        rect width="6" height="6" fill="#fff" {}
                        rect width="2.5" height="6" fill="#6d4c9e" {}
                    }
                    path id="land" class="land" d=(PreEscaped(land)) {}
                    @for (code, country) in self.0.iter().filter(|(code, country)| used.contains(*code) && outlined(country)) {
                        path id={ "c-" (code) } d=(PreEscaped(country.outline)) {}
                    }
                }
            }
        }
    }

    /// The map of a classification.
    pub(super) fn figure(&self, number: usize, facts: &ClassificationFacts) -> Markup {
        let mut there: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for place in &facts.places {
            if let Some(code) = country_of(place).filter(|code| self.0.contains_key(code)) {
                let counted = there.entry(code).or_default();
                counted.0 += place.pods + place.volumes + place.snapshots;
                counted.1 += place.could;
            }
        }
        let unknown: usize = facts
            .places
            .iter()
            .filter(|place| place.jurisdiction.is_none())
            .map(|place| place.pods + place.volumes + place.snapshots)
            .sum();
        let in_europe = there.keys().any(|code| self.0.get(code).is_some_and(Country::is_in_europe));
        let title = format!("World map of {}: {}", facts.name, told(&there));
        let european = |code: &&str| self.0.get(code).is_some_and(Country::is_in_europe);
        let europe = there.iter().filter(|(code, _)| european(code)).map(|(code, counted)| (*code, *counted));
        let europe = format!("Europe, larger, with {}: {}", facts.name, told(&europe.collect()));
        html! {
            figure {
                div class=[in_europe.then_some("maps")] {
                    (self.map(&format!("m{number}"), &title, WHOLE, &there))
                    @if in_europe {
                        (self.map(&format!("e{number}"), &europe, EUROPE, &there))
                    }
                }
                figcaption {
                    span class="key is" {} "is there (with the number of pods, volumes and snapshots)"
                    span class="key could" {} "could come to be there"
                    ". "
                    @if unknown > 0 { strong { "Not on the map: " (unknown) " of which nobody knows where they are. " } }
                    "The table below says the same."
                }
            }
        }
    }

    fn map(
        &self,
        id: &str,
        title: &str,
        (view, size): (&str, f32),
        there: &BTreeMap<&str, (usize, usize)>,
    ) -> Markup {
        let countries =
            || there.iter().filter_map(|(code, counted)| Some((*code, self.0.get(code)?, *counted)));
        let class = |is: usize| if is > 0 { "is" } else { "could" };
        html! {
            svg.map viewBox=(view) role="img" aria-labelledby=(id) {
                title id=(id) { (title) }
                use href="#land" {}
                @for (code, country, (is, _)) in countries() {
                    @if country.outline == "-" {
                        circle class=(class(is)) cx=(country.at.0) cy=(country.at.1) r=(size * 0.3) {}
                    } @else {
                        use href={ "#c-" (code) } class=(class(is)) {}
                    }
                }
                // In Europe labels would lie on each other: the larger map has them.
                @for (code, country, (is, _)) in countries().filter(|(_, country, _)| view != WHOLE.0 || !country.is_in_europe()) {
                    text x=(country.at.0) y=(country.at.1) font-size=(size) stroke-width=(size / 4.0) aria-hidden="true" {
                        (code) @if is > 0 { " " (is) }
                    }
                }
            }
        }
    }
}

impl Country {
    fn is_in_europe(&self) -> bool {
        IN_EUROPE.0.contains(&self.at.0) && IN_EUROPE.1.contains(&self.at.1)
    }
}

/// The country of a place: a part of one is drawn as the whole.
fn country_of(place: &Placed) -> Option<&str> {
    place.jurisdiction.as_deref().map(|code| code.split_once('-').map_or(code, |(country, _)| country))
}

fn told(there: &BTreeMap<&str, (usize, usize)>) -> String {
    let words = |(code, (is, could)): (&&str, &(usize, usize))| match is {
        0 => format!("{could} could come to be in {code}"),
        is => format!("{is} in {code}"),
    };
    if there.is_empty() {
        "nothing is anywhere that is known".to_owned()
    } else {
        there.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geography::iso;

    #[test]
    fn every_country_has_a_point_on_the_map_and_most_an_outline() {
        let World(countries) = World::read();
        let lines = WORLD.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(countries.len(), lines, "a line that cannot be read, or a code twice");
        for (code, country) in countries.iter().filter(|(code, _)| **code != "--") {
            assert!(iso::is_country(code), "{code}");
            assert!((0..2_000).contains(&country.at.0) && (-20..900).contains(&country.at.1), "{code}");
        }
        // Antarctica alone is not there.
        assert_eq!(countries.len(), rust_iso3166::ALL.len());
        for (code, outlined) in [("DE", true), ("US", true), ("SG", false)] {
            assert_eq!(countries[code].outline != "-", outlined, "{code}");
        }
        let data =
            |country: &Country| country.outline.chars().all(|c| c.is_ascii_digit() || "Mlz -".contains(c));
        assert!(countries.values().all(data));
    }
}
