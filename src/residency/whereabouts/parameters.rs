//! Class parameters that say where a volume is made (semantics 3): the topology of a class that is written otherwise.

use super::{Finder, Whereabouts, given};
use crate::api::{VolumePlacement, keys};
use crate::cluster::{Declared, State};
use crate::geography::Driver;
use crate::objects::StorageClass;
use crate::placement::constraints::{Group, NodeTest, Term, Test};

impl<'a> Finder<'a> {
    /// Where volumes of a class are made whose parameters name the places. `None`: they name none.
    pub(super) fn asked_for(
        &self,
        driver: Option<&Driver>,
        class: &'a StorageClass,
    ) -> Option<Whereabouts<'a>> {
        let driver = driver?;
        let names = driver.place_parameters();
        let zones = values(class, names.zones);
        let regions = values(class, names.regions);
        let asked: Vec<_> = zones.iter().chain(&regions).map(|(parameter, _)| *parameter).take(1).collect();
        let asked = asked.first()?;
        let zone_key = driver.topology_keys.first().map_or(keys::ZONE, |key| &**key);
        let why = || {
            let codes: Vec<_> = zones.iter().chain(&regions).map(|(_, code)| code.as_str()).collect();
            format!(
                "StorageClass {} has it made where its parameter {asked} says, in {}, and nobody knows where that is: list the \
                 zone in a Geography, or declare it with the annotation domicile.dev/jurisdiction on the StorageClass",
                class.metadata.name,
                codes.join(" or ")
            )
        };
        // One that nobody knows is not made good by another.
        let made_in = |(region, zone): (Option<&String>, Option<&String>)| {
            let tests = [is(keys::REGION, region), is(zone_key, zone)].into_iter().flatten().collect();
            let group = Group { terms: vec![Term { tests: Some(tests) }] };
            self.find(Some(driver), &class.provisioner, Some(&group), &[], Declared::default(), Some(class))
        };
        let pairs = options(&regions).flat_map(|region| options(&zones).map(move |zone| (region, zone)));
        let found = pairs.map(made_in).reduce(Whereabouts::and)?;
        Some(match found {
            Whereabouts::Unknown { .. } => Whereabouts::Unknown { why: why() },
            found => found,
        })
    }
}

/// What the parameters of these names say, and which says it.
fn values<'c>(class: &'c StorageClass, names: &[&str]) -> Vec<(&'c str, String)> {
    let is_one = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let asking = class.parameters.iter().filter(|(name, _)| is_one(name));
    let each =
        asking.flat_map(|(name, value)| value.split(',').map(|code| (name.as_str(), code.trim().to_owned())));
    each.filter(|(_, code)| !code.is_empty()).collect()
}

/// The label has this value, if there is one.
fn is<'c>(label: &'c str, code: Option<&'c String>) -> Option<NodeTest<'c>> {
    code.map(|code| NodeTest::Label(label, Test::In(std::slice::from_ref(code))))
}

/// Each of these, or nothing once.
fn options<'c>(codes: &'c [(&str, String)]) -> impl Iterator<Item = Option<&'c String>> {
    codes.iter().map(|(_, code)| Some(code)).chain(codes.is_empty().then_some(None))
}

impl Whereabouts<'_> {
    /// The class whose driver could make it anywhere, once its pod has a node.
    pub(in crate::residency) fn left_open(&self, state: &State) -> Option<&StorageClass> {
        let Self::WithPod { class, alone: false, .. } = self else { return None };
        let driver = state.geography().driver(&class.provisioner);
        let anywhere = driver.is_none_or(|driver| driver.placement == VolumePlacement::Unknown);
        (anywhere && !given::makes_none(class)).then_some(*class)
    }
}
