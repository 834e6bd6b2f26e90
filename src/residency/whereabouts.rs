//! Where a volume is, or will be made (semantics 3 and 6).

mod beside;
mod given;
mod parameters;
mod settled;
mod snapshots;
mod topology;

use std::borrow::Cow;
use std::rc::Rc;

use self::beside::Beside;
pub(super) use self::settled::Settled;
use self::topology::{Labelled, Rest, one_by_one};
use crate::api::VolumePlacement;
use crate::cluster::{ClaimEntry, Declared, Kind, State, VolumeEntry, is_bound};
use crate::geography::{Driver, Location};
use crate::objects::{BindingMode, StorageClass};
use crate::placement::bits::BitSet;
use crate::placement::constraints::Group;
use crate::placement::selector::Labels;
use crate::placement::sites::SiteId;

/// One place where data of a volume is.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) location: Location,
    /// A site of that location, if one is known.
    pub(super) site: Option<SiteId>,
    /// The nodes that its affinity matches, for places that select nodes.
    pub(super) nodes: Rc<BitSet>,
    /// Why data is there, where the volume itself is not.
    pub(super) because: Option<String>,
}

impl Spot {
    /// A spot that no node tells more of.
    pub(super) fn new(state: &State, location: Location) -> Self {
        Self { site: state.sites().at(&location), location, nodes: Rc::default(), because: None }
    }

    fn of_nodes(state: &State, location: Location, nodes: &Rc<BitSet>) -> Self {
        Self { nodes: Rc::clone(nodes), ..Self::new(state, location) }
    }
}

/// What would pin a volume that nothing pins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pin {
    /// Its class: it is yet to be made.
    Class,
    /// The volume itself, which is there.
    Volume,
    /// Nothing: it stands in its pod.
    Claim,
    /// Nothing but a declaration: its driver keeps it on any nodes.
    Declaration,
}

/// Where a volume is.
#[derive(Clone, Debug)]
pub(super) enum Whereabouts<'a> {
    /// At all of these; `certain` if that does not hang on the nodes of this moment.
    At { spots: Vec<Spot>, certain: bool },
    /// Where its driver puts it, which is where the cluster is; and at these.
    Anywhere { spots: Vec<Spot>, pin: Pin },
    /// Where the pod that mounts it first goes, which must be in one of the topologies, if there are any. `alone`: that is
    /// all there is to it.
    WithPod { class: &'a StorageClass, topologies: Vec<Whereabouts<'a>>, spots: Vec<Spot>, alone: bool },
    /// On the node of its pod, whichever that is.
    OnNode,
    /// Nobody knows, and why.
    Unknown { why: String },
    /// Of the kind that would say it, nothing was given.
    NotGiven { what: String },
}

/// What to do when it is not known where a driver keeps its volumes.
const DECLARE: &str = "declare it with the annotation domicile.dev/jurisdiction on the PersistentVolume or its \
                       StorageClass, or add the driver to a Geography";

/// Finds where volumes are. `class` stands in for the class of its name, to see what a change would do.
#[derive(Clone, Copy)]
pub(super) struct Finder<'a> {
    pub(super) state: &'a State,
    pub(super) class: Option<&'a StorageClass>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        Self { state, class: None }
    }

    fn class_named(&self, name: &str) -> Option<&'a StorageClass> {
        self.class.filter(|class| class.metadata.name == name).or_else(|| self.state.class(name))
    }

    /// The class that a claim is made with; `None` if it is made with none.
    pub(super) fn class_of(&self, claim: &ClaimEntry) -> Option<(Cow<'a, str>, Option<&'a StorageClass>)> {
        match claim.class.as_deref() {
            Some("") => None,
            Some(name) => Some((Cow::Owned(name.to_owned()), self.class_named(name))),
            None => {
                self.state.default_class().map(|class| (Cow::Borrowed(&*class.metadata.name), Some(class)))
            }
        }
    }

    /// The volume that a claim and it name each other with.
    pub(super) fn bound(
        &self,
        namespace: &str,
        name: &str,
        claim: &ClaimEntry,
    ) -> Option<(&'a str, &'a VolumeEntry)> {
        let volume = claim.volume.as_deref()?;
        self.state.named_volume(volume).filter(|(_, entry)| is_bound(entry, namespace, name))
    }

    /// Where a claim's data is, or will be. `name` is absent for a claim that somebody is yet to make and to name.
    pub(super) fn claim(&self, namespace: &str, name: Option<&str>, claim: &ClaimEntry) -> Whereabouts<'a> {
        if let Some(volume) = claim.volume.as_deref() {
            return match self.state.volume(volume) {
                Some(entry) => self.volume(entry),
                None if self.state.is_absent(Kind::PersistentVolume) => {
                    Whereabouts::NotGiven { what: format!("PersistentVolume {volume}") }
                }
                None => Whereabouts::Unknown {
                    why: format!(
                        "its PersistentVolume {volume} does not exist; make it first, or correct spec.volumeName"
                    ),
                },
            };
        }
        let class = self.class_of(claim);
        if let Some(kept) = self.at_kept(namespace, name) {
            return match class {
                // It is taken if it is large enough and of the modes that are asked for, of which nothing is kept here.
                Some((_, Some(class))) if !given::makes_none(class) => {
                    self.provisioned(class, claim.source.is_some()).if_not(kept)
                }
                _ => kept,
            };
        }
        match class {
            Some((_, Some(class)))
                if given::makes_none(class) && class.volume_binding_mode == BindingMode::Immediate =>
            {
                self.of_free(&class.metadata.name, namespace, name)
            }
            Some((_, Some(class))) => {
                let made = self.provisioned(class, claim.source.is_some());
                self.or_free(made, &class.metadata.name, namespace, name)
            }
            // A class need not exist for claims to take volumes that name it.
            Some((class, None)) if self.free(&class, namespace, name).next().is_some() => {
                self.of_free(&class, namespace, name)
            }
            // As long as no class is the default, a claim that names none takes what has none.
            None if claim.class.is_some() || self.free("", namespace, name).next().is_some() => {
                self.of_free("", namespace, name)
            }
            missing if self.state.is_absent(Kind::StorageClass) => Whereabouts::NotGiven {
                what: missing.map_or_else(
                    || "a default StorageClass".into(),
                    |(name, _)| format!("StorageClass {name}"),
                ),
            },
            Some((name, None)) => {
                Whereabouts::Unknown { why: format!("its StorageClass {name} does not exist") }
            }
            None => Whereabouts::Unknown {
                why: "it names no StorageClass, and no StorageClass is the cluster's default".into(),
            },
        }
    }

    /// Where volumes of a class are made.
    pub(super) fn provisioned(&self, class: &'a StorageClass, copied: bool) -> Whereabouts<'a> {
        let driver = self.state.geography().driver(&class.provisioner);
        // They go before its topologies, and before the pod.
        if let Some(asked_for) = self.asked_for(driver, class) {
            return asked_for.made_early();
        }
        // A copy is made before a node is asked; and no node moves what is declared to be elsewhere.
        // And a driver that knows no topology keeps it wherever the cluster is, whichever node waits for it.
        let spreads = driver.is_some_and(Driver::knows_no_topology);
        let waits = class.volume_binding_mode == BindingMode::WaitForFirstConsumer && !copied && !spreads;
        let is_declared =
            class.allowed_topologies.is_empty() && Declared::by(&class.metadata).jurisdiction.is_some();
        if waits && !is_declared {
            let only = |term| {
                let group = Group { terms: vec![term] };
                self.find(driver, &class.provisioner, Some(&group), &[], Declared::default(), Some(class))
            };
            let topologies = class.allowed_topologies.iter().flat_map(one_by_one).map(only).collect();
            let placement = driver.map_or(VolumePlacement::Unknown, |driver| driver.placement);
            let alone = placement != VolumePlacement::Unknown || given::makes_none(class);
            return Whereabouts::WithPod {
                class,
                topologies,
                spots: self.copies(driver, class, None),
                alone,
            };
        }
        let group = Group::of_topologies(&class.allowed_topologies);
        let group = (!class.allowed_topologies.is_empty()).then_some(group);
        self.find(driver, &class.provisioner, group.as_ref(), &[], Declared::default(), Some(class))
            .made_early()
    }

    /// Where an existing volume is.
    pub(super) fn volume(&self, volume: &VolumeEntry) -> Whereabouts<'a> {
        let driver = self.state.geography().driver(&volume.driver);
        let group = volume.affinity.as_deref().map(Group::of_volume);
        let class = self.class_named(&volume.class);
        let found = self.find(driver, &volume.driver, group.as_ref(), &volume.labels, volume.declared, class);
        // What nothing places may be where its class has volumes made, or have been made by somebody else.
        let made = class.filter(|_| group.is_none() && matches!(found, Whereabouts::Anywhere { .. }));
        let made = made.and_then(|class| self.asked_for(driver, class));
        let found = match made {
            Some(made) => found.and(made),
            None => found,
        };
        found.pinned_by(Pin::Volume)
    }

    /// Where an inline volume of a pod is.
    pub(super) fn inline(&self, source: &str) -> Whereabouts<'a> {
        let driver = self.state.geography().driver(source);
        match driver.map_or(VolumePlacement::Unknown, |driver| driver.placement) {
            VolumePlacement::NodeLocal => Whereabouts::OnNode,
            VolumePlacement::Unknown => Whereabouts::Unknown {
                why: format!(
                    "{source} could keep it anywhere; mount a PersistentVolumeClaim in its place, whose volume says where it is, \
                     or add the driver to a Geography"
                ),
            },
            VolumePlacement::Cluster => {
                self.find(driver, source, None, &[], Declared::default(), None).pinned_by(Pin::Claim)
            }
        }
    }

    fn find(
        &self,
        driver: Option<&Driver>,
        driver_name: &str,
        group: Option<&Group<'_>>,
        labels: &Labels,
        stated: Declared,
        class: Option<&'a StorageClass>,
    ) -> Whereabouts<'a> {
        // Of one that is kept on any nodes it says from where it is reached.
        let replicates = driver.is_some_and(Driver::replicates);
        let group = group.filter(|_| !replicates);
        // What has no affinity can be reached from every node.
        let nodes =
            Rc::new(group.map_or_else(|| self.state.nodes().born().clone(), |group| self.matching(group)));
        let spot = |location| Spot::of_nodes(self.state, location, &nodes);
        let at = |mut spots: Vec<Spot>, certain: bool| {
            let more = class.map(|class| self.copies(driver, class, Some(&spots))).unwrap_or_default();
            spots.extend(more);
            Whereabouts::At { spots, certain }
        };
        let named = group.map(|group| self.named_by(group, driver)).unwrap_or_default();
        // Whatever else is known, it is there as well.
        let mut spots: Vec<_> = named.known.iter().cloned().map(spot).collect();
        if named.is_complete() {
            return at(spots, named.certain);
        }
        let labelled = if named.lost { Labelled::default() } else { self.labelled(labels, driver) };
        spots.extend(labelled.known.iter().cloned().map(spot));
        if labelled.is_complete() {
            return at(spots, named.certain);
        }
        let class_says = class.map(|class| Declared::by(&class.metadata)).unwrap_or_default();
        for declaration in [stated, class_says] {
            if let Some(jurisdiction) = declaration.jurisdiction {
                spots.push(spot(Location {
                    provider: driver.and_then(|driver| driver.provider.clone()),
                    jurisdiction: Some(jurisdiction),
                    provider_jurisdiction: declaration.provider_jurisdiction,
                    ..Location::default()
                }));
                return at(spots, named.certain);
            }
        }
        let placement = driver.map_or(VolumePlacement::Unknown, |driver| driver.placement);
        if group.is_some() {
            match self.by_nodes(&named, driver) {
                Beside::Nodes(more) => {
                    spots.extend(more);
                    return at(spots, false);
                }
                Beside::Disagreed(more) => spots.extend(more),
                // Anywhere but unpinned.
                Beside::Unknown(why) => return Whereabouts::Unknown { why },
            }
        }
        match (labelled.rest, placement) {
            (_, VolumePlacement::Unknown) if driver_name.is_empty() => {
                Whereabouts::Unknown { why: format!("it names no driver; {DECLARE}") }
            }
            (_, VolumePlacement::Unknown) => {
                let why = format!("the driver {driver_name} could keep its volumes anywhere; {DECLARE}");
                Whereabouts::Unknown { why }
            }
            (Rest::Wrong, _) => {
                let why = "its labels for region and zone contradict each other; correct them, or say where it is in its \
                           nodeAffinity";
                Whereabouts::Unknown { why: why.to_owned() }
            }
            (Rest::Open(codes), _) => match self.by_labelled_nodes(&codes, driver) {
                Err(why) => Whereabouts::Unknown { why },
                Ok(more) => {
                    spots.extend(more);
                    match group {
                        // Nodes of its topology disagree.
                        Some(_) => Whereabouts::Anywhere { spots, pin: Pin::Class },
                        None => at(spots, false),
                    }
                }
            },
            (Rest::Nothing, VolumePlacement::Cluster) => {
                let more = class.map(|class| self.copies(driver, class, Some(&[]))).unwrap_or_default();
                spots.extend(more);
                spots.extend(self.of_absent_provider(driver));
                let pin = if replicates { Pin::Declaration } else { Pin::Class };
                Whereabouts::Anywhere { spots, pin }
            }
            (Rest::Nothing, VolumePlacement::NodeLocal) => Whereabouts::OnNode,
        }
    }

    fn matching(&self, group: &Group<'_>) -> BitSet {
        // Taints do not keep data off a node.
        let nodes = self.state.nodes();
        nodes.within(nodes.born(), group)
    }

    /// Where a class makes its driver keep copies. `sources`: where the volume is; absent if that is not known yet.
    fn copies(&self, driver: Option<&Driver>, class: &StorageClass, sources: Option<&[Spot]>) -> Vec<Spot> {
        let Some(driver) = driver else { return Vec::new() };
        let mut spots = Vec::new();
        for (parameter, value) in &class.parameters {
            for rule in driver.copies.iter().filter(|rule| rule.asks(parameter, value)) {
                let because = format!("StorageClass {} asks for {parameter}: {value}", class.metadata.name);
                let at =
                    |location| Spot { because: Some(because.clone()), ..Spot::new(self.state, location) };
                let elsewhere = || at(Location { provider: driver.provider.clone(), ..Location::default() });
                let there = |region: Option<&str>| {
                    region
                        .and_then(|region| self.located(Some(driver), Some(region), None))
                        .map_or_else(elsewhere, at)
                };
                let copy_of = |source: &Spot| {
                    let region = source.location.region.as_deref();
                    there(region.and_then(|region| rule.region_of_copy(region)).map(|to| &**to))
                };
                match sources {
                    _ if rule.names_the_region() => spots.push(there(Some(value))),
                    Some(sources) if !sources.is_empty() => spots.extend(sources.iter().map(copy_of)),
                    _ => spots.push(elsewhere()),
                }
            }
        }
        spots
    }
}

impl Whereabouts<'_> {
    /// In no place yet.
    fn nowhere() -> Self {
        Self::At { spots: Vec::new(), certain: false }
    }

    fn pinned_by(self, pin: Pin) -> Self {
        match self {
            Self::Anywhere { spots, pin: Pin::Class } => Self::Anywhere { spots, pin },
            other => other,
        }
    }

    /// Where it is if it is made, or a volume that is kept for it is taken. What a pod decides is judged with the pod.
    fn if_not(self, kept: Self) -> Self {
        match self {
            Self::WithPod { spots, .. } if spots.is_empty() => kept,
            Self::WithPod { spots, .. } => kept.made_early().and(Self::At { spots, certain: false }),
            made => kept.made_early().and(made),
        }
    }

    /// Where it is if no pod was asked before it was made, or taken.
    fn made_early(self) -> Self {
        match self {
            Self::OnNode => Self::Anywhere { spots: Vec::new(), pin: Pin::Class },
            other => other,
        }
    }

    /// Both of two.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::At { mut spots, certain }, Self::At { spots: more, certain: too }) => {
                spots.extend(more);
                Self::At { spots, certain: certain && too }
            }
            (Self::Unknown { why }, _) | (_, Self::Unknown { why }) => Self::Unknown { why },
            (
                Self::Anywhere { mut spots, pin },
                Self::At { spots: more, .. } | Self::Anywhere { spots: more, .. },
            )
            | (Self::At { mut spots, .. }, Self::Anywhere { spots: more, pin }) => {
                spots.extend(more);
                Self::Anywhere { spots, pin }
            }
            (other, _) => other,
        }
    }
}
