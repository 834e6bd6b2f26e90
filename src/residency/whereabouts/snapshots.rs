//! Where snapshots are kept (semantics 6).

use super::{Declared, Finder, Spot, Whereabouts};
use crate::api::SnapshotDefault;
use crate::cluster::{Kind, SnapshotEntry};
use crate::geography::{Location, canonical_driver};

/// The driver whose snapshots are kept by the region, and not by the zone of their volume. Others keep them beside it.
const REGIONAL: &str = "ebs.csi.aws.com";

/// What to do when it is not known where a snapshot is.
const DECLARE: &str = "declare it with the annotation domicile.dev/jurisdiction on its VolumeSnapshotContent or VolumeSnapshotClass";

impl<'a> Finder<'a> {
    /// Where a snapshot is kept.
    pub(in crate::residency) fn snapshot(&self, namespace: &str, entry: &SnapshotEntry) -> Whereabouts<'a> {
        let source =
            entry.claim.as_deref().and_then(|claim| Some((claim, self.state.claim(namespace, claim)?)));
        let volume =
            source.and_then(|(name, claim)| self.bound(namespace, name, claim)).map(|(_, volume)| volume);
        let source_class = source.and_then(|(_, claim)| self.class_of(claim)).and_then(|(_, class)| class);
        let content = entry.content.as_deref().and_then(|content| self.state.content(content));
        let driver_name = entry
            .driver
            .as_deref()
            .or_else(|| content.and_then(|content| content.driver.as_deref()))
            .or_else(|| volume.map(|volume| &*volume.driver))
            .or_else(|| source_class.map(|class| class.provisioner.as_str()));
        let class_name =
            entry.class.as_deref().or_else(|| content.and_then(|content| content.class.as_deref()));
        // What was there before its object is of no class unless it names one.
        let is_made = entry.claim.is_some() && entry.content.is_none();
        let default = || self.state.default_snapshot_class(canonical_driver(driver_name?));
        let class = match class_name {
            Some(name) => self.state.snapshot_class(name),
            None => is_made.then(default).flatten(),
        };
        let driver = driver_name
            .or_else(|| class.map(|class| class.driver.as_str()))
            .and_then(|name| self.state.geography().driver(name));
        let stated = class.map(|class| Declared::by(&class.metadata)).unwrap_or_default();
        let provider = driver.and_then(|driver| driver.provider.clone());
        let spot = |location| Spot::new(self.state, location);
        let of_content = content.map_or(entry.declared, |content| content.declared);
        for declaration in [of_content, stated] {
            if let Some(jurisdiction) = declaration.jurisdiction {
                let location = Location {
                    provider,
                    jurisdiction: Some(jurisdiction),
                    provider_jurisdiction: declaration.provider_jurisdiction,
                    ..Location::default()
                };
                return Whereabouts::At { spots: vec![spot(location)], certain: true };
            }
        }
        let storage = driver.map(|driver| &driver.snapshots);
        let parameter = storage.and_then(|storage| storage.location_parameter.as_deref());
        if let (None, Some(_)) = (class, parameter)
            && (is_made || class_name.is_some())
            && let Some(unsaid) = self.without_class(class_name)
        {
            return unsaid;
        }
        // Drivers read the names of parameters in any case.
        let regions = parameter.and_then(|parameter| {
            let mut parameters = class?.parameters.iter();
            parameters.find(|(name, _)| name.eq_ignore_ascii_case(parameter)).map(|(_, value)| value)
        });
        let regions: Vec<_> = regions
            .into_iter()
            .flat_map(|regions| regions.split(','))
            .map(str::trim)
            .filter(|region| !region.is_empty())
            .collect();
        // A parameter that names none is as good as absent.
        if !regions.is_empty() {
            let locations = regions.into_iter().flat_map(|region| {
                // A region without a zone contradicts nothing.
                let location = self.located(driver, Some(region), None).unwrap_or_default();
                let of = provider.as_deref().filter(|_| location.jurisdiction.is_none());
                match of.and_then(|of| self.state.geography().multi_region(of, region)) {
                    Some(within) => within
                        .iter()
                        .map(|code| Location { jurisdiction: Some(code), ..location.clone() })
                        .collect(),
                    None => vec![location],
                }
            });
            return Whereabouts::At { spots: locations.map(spot).collect(), certain: true };
        }
        if storage.is_some_and(|storage| storage.default == SnapshotDefault::Unknown) {
            let why = match parameter {
                Some(_) if !is_made => format!("its driver can keep snapshots anywhere, and this one was there before; {DECLARE}"),
                Some(parameter) => format!(
                    "its driver keeps snapshots elsewhere unless told where; name the regions with the parameter {parameter} \
                     of a VolumeSnapshotClass"
                ),
                None => "its driver can keep snapshots elsewhere than their source; declare where with the annotation \
                         domicile.dev/jurisdiction on their VolumeSnapshotClass"
                    .into(),
            };
            return Whereabouts::Unknown { why };
        }
        match source {
            Some((name, claim)) => match self.claim(namespace, Some(name), claim) {
                Whereabouts::WithPod { .. } => Whereabouts::nowhere(),
                Whereabouts::At { spots, certain }
                    if driver.is_some_and(|driver| *driver.name == *REGIONAL) =>
                {
                    let spots = spots.into_iter().map(|spot| self.in_region(spot)).collect();
                    Whereabouts::At { spots, certain }
                }
                found => found,
            },
            None => self.without_source(entry),
        }
    }

    /// What is known of a driver's snapshots that a class could send elsewhere, if it is not known what the class says.
    fn without_class(&self, name: Option<&str>) -> Option<Whereabouts<'a>> {
        let is_absent = self.state.is_absent(Kind::VolumeSnapshotClass);
        match name {
            Some(name) if is_absent => {
                Some(Whereabouts::NotGiven { what: format!("VolumeSnapshotClass {name}") })
            }
            Some(name) => Some(Whereabouts::Unknown {
                why: format!("its VolumeSnapshotClass {name}, which could send it elsewhere, does not exist"),
            }),
            None => is_absent.then(|| Whereabouts::NotGiven { what: "a default VolumeSnapshotClass".into() }),
        }
    }

    /// What is known of a snapshot whose claim is not there.
    fn without_source(&self, entry: &SnapshotEntry) -> Whereabouts<'a> {
        match &entry.claim {
            Some(claim) if self.state.is_absent(Kind::PersistentVolumeClaim) => {
                Whereabouts::NotGiven { what: format!("PersistentVolumeClaim {claim}") }
            }
            _ => Whereabouts::Unknown { why: format!("its source is not known; {DECLARE}") },
        }
    }

    /// The region of a volume, which is in one of its zones that may stand elsewhere.
    fn in_region(&self, of: Spot) -> Spot {
        let (Some(provider), Some(region)) = (&of.location.provider, &of.location.region) else { return of };
        let region = self.state.geography().ordinary(provider, region);
        let law = |location: &Location| (location.jurisdiction, location.provider_jurisdiction);
        if region.jurisdiction.is_none() || law(&region) == law(&of.location) {
            return of;
        }
        Spot::new(self.state, region)
    }
}
