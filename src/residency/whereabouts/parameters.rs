//! Class parameters that say where a volume is made (semantics 3): the topology of a class that is written otherwise.

use super::{Finder, Whereabouts, given};
use crate::api::{VolumePlacement, keys};
use crate::cluster::{Declared, State};
use crate::geography::Driver;
use crate::objects::StorageClass;
use crate::placement::constraints::{Group, NodeTest, Term, Test};

impl<'a> Finder<'a> {
    /// Where volumes of a class are made whose parameters name the zones. `None`: they name none.
    pub(super) fn asked_for(
        &self,
        driver: Option<&Driver>,
        class: &'a StorageClass,
    ) -> Option<Whereabouts<'a>> {
        let names = driver?.zone_parameters();
        // Drivers read the names of parameters in any case.
        let is_zone = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        let asking: Vec<_> = class.parameters.iter().filter(|(name, _)| is_zone(name)).collect();
        let zones = asking.iter().flat_map(|(_, value)| value.split(','));
        let zones: Vec<_> = zones.map(str::trim).filter(|zone| !zone.is_empty()).map(str::to_owned).collect();
        let (asked, _) = asking.first().filter(|_| !zones.is_empty())?;
        let key = driver?.topology_keys.first().map_or(keys::ZONE, |key| &**key);
        let why = format!(
            "StorageClass {} has it made where its parameter {asked} says, in {}, and nobody knows where that is: list the zone in \
             a Geography, or declare it with the annotation domicile.dev/jurisdiction on the StorageClass",
            class.metadata.name,
            zones.join(" or ")
        );
        // One that nobody knows is not made good by another.
        let made_in = |zone: &String| {
            let tests = vec![NodeTest::Label(key, Test::In(std::slice::from_ref(zone)))];
            let group = Group { terms: vec![Term { tests: Some(tests) }] };
            self.find(driver, &class.provisioner, Some(&group), &[], Declared::default(), Some(class))
        };
        let found = zones.iter().map(made_in).reduce(Whereabouts::and)?;
        Some(match found {
            Whereabouts::Unknown { .. } => Whereabouts::Unknown { why },
            found => found,
        })
    }
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
