//! What policies make of where a volume is (semantics 6).

use super::nodes::{operated, why_unknown};
use super::scope::{Ruling, nodes_answer};
use super::verdict::{Example, Finding, Matching, Reach, Reason};
use super::whereabouts::{Pin, Spot, Whereabouts};
use crate::api::Assurance;
use crate::cluster::State;
use crate::geography::{Location, Tri};
use crate::objects::StorageClass;
use crate::placement::bits::BitSet;

/// What one policy makes of a volume. `what` names it in messages, `field` is to blame.
pub(super) fn judge(
    state: &State,
    ruling: &Ruling<'_>,
    whereabouts: &Whereabouts<'_>,
    what: &str,
    field: &str,
) -> (Reach, Option<Finding>) {
    Judge { state, ruling, what, field }.whereabouts(whereabouts)
}

struct Judge<'a> {
    state: &'a State,
    ruling: &'a Ruling<'a>,
    what: &'a str,
    field: &'a str,
}

impl Judge<'_> {
    fn finding(&self, reason: Reason, message: String) -> Finding {
        Finding {
            policy: Some(self.ruling.policy.name.to_string()),
            action: self.ruling.policy.action,
            reason,
            message,
            field: Some(self.field.to_owned()),
            example: None,
            matching: None,
        }
    }

    fn permits(&self, spot: &Spot) -> bool {
        match spot.site {
            Some(site) if self.ruling.tells_by_location() => self.ruling.permits(site),
            _ => self
                .ruling
                .permits_location(&spot.location, |selector| nodes_answer(self.state, &spot.nodes, selector)),
        }
    }

    fn whereabouts(&self, whereabouts: &Whereabouts<'_>) -> (Reach, Option<Finding>) {
        match whereabouts {
            Whereabouts::At { spots, certain } => {
                // What hangs on labels of the nodes of this moment is no proof.
                let whatever_nodes =
                    |spot: &Spot| self.ruling.permits_location(&spot.location, |_| Tri::Unknown);
                let proven = *certain && spots.iter().all(whatever_nodes);
                let reach = if proven { Reach::Proven } else { Reach::Observed };
                self.spots(spots)
                    .map_or_else(|| self.at_best(reach), |finding| (Reach::Violated, Some(finding)))
            }
            Whereabouts::Anywhere { spots, pin } => {
                let outside = self.spots(spots).or_else(|| {
                let what = self.what;
                let (why, advice) = match pin {
                    Pin::Class => (
                        format!("nothing pins where {what} is made, so it can be made anywhere the cluster is"),
                        "Use a StorageClass with allowedTopologies there, or one that waits for the pod \
                         (volumeBindingMode WaitForFirstConsumer) and whose driver follows it",
                    ),
                    Pin::Volume => (
                        format!("nothing says where {what} is, so it can be anywhere the cluster is"),
                        "Say it in a nodeAffinity of the PersistentVolume, or with its annotation domicile.dev/jurisdiction",
                    ),
                    Pin::Claim => (
                        format!("nothing can say where {what} is, so it can be anywhere the cluster is"),
                        "Mount a PersistentVolumeClaim in its place, whose volume says where it is",
                    ),
                    Pin::Declaration => (
                        format!(
                            "the driver of {what} keeps it on nodes anywhere in the cluster, whatever a topology says of where it \
                             is reached"
                        ),
                        "Declare where it is with the annotation domicile.dev/jurisdiction on its PersistentVolume or StorageClass, \
                         once that keeps it there",
                    ),
                };
                self.anywhere(&why, advice)
                });
                match (outside, pin) {
                    (None, Pin::Declaration) => self.at_best_declared(),
                    (outside, _) => self.unpinned(outside),
                }
            }
            Whereabouts::OnNode => self.unpinned(self.anywhere(
                &format!(
                    "{} is on the disk of whatever node its pods run on, anywhere the cluster is",
                    self.what
                ),
                "Pin it with a nodeAffinity of the PersistentVolume",
            )),
            Whereabouts::WithPod { class, topologies, spots, alone } => {
                if let Some(finding) = self.spots(spots) {
                    return (Reach::Violated, Some(finding));
                }
                let mut findings = topologies.iter().map(|topology| self.whereabouts(topology));
                match findings.find(|(reach, _)| *reach != Reach::Violated) {
                    None if !topologies.is_empty() => {
                        let message = format!(
                            "StorageClass {} makes {} only where its allowedTopologies say, and none of that is \
                             permitted; the policy permits {}. Use another StorageClass",
                            class.metadata.name,
                            self.what,
                            self.ruling.wording()
                        );
                        let shown = topologies.iter().find_map(|topology| self.whereabouts(topology).1);
                        let mut finding = self.finding(Reason::VolumeOutsideJurisdiction, message);
                        finding.example = shown.and_then(|finding| finding.example);
                        (Reach::Violated, Some(finding))
                    }
                    // The pod decides, and is judged for it.
                    _ if *alone => (Reach::Observed, None),
                    _ => match whereabouts.left_open(self.state) {
                        Some(class) => self.at_best_unknown(class),
                        None => self.at_best(Reach::Observed),
                    },
                }
            }
            Whereabouts::NotGiven { .. } => (Reach::Observed, None),
            Whereabouts::Unknown { why } => {
                let nowhere = Spot::new(self.state, Location::default());
                if self.permits(&nowhere) {
                    // A policy that permits everything at this moment permits this too.
                    return self.at_best(Reach::Observed);
                }
                let message = format!(
                    "nobody knows where {} is or will be, and what is not known is not permitted: {why}",
                    self.what
                );
                (Reach::Violated, Some(self.finding(Reason::UnknownLocation, message)))
            }
        }
    }

    fn unpinned(&self, finding: Option<Finding>) -> (Reach, Option<Finding>) {
        finding.map_or_else(|| self.at_best(Reach::Observed), |finding| (Reach::Violated, Some(finding)))
    }

    fn at_best(&self, reach: Reach) -> (Reach, Option<Finding>) {
        if reach == Reach::Proven || self.ruling.policy.assurance == Assurance::Observed {
            return (reach, None);
        }
        let message = format!(
            "{} can be only where it is permitted now, but nothing that is written keeps it there, and the policy wants \
             proof: name region and zone in allowedTopologies of its StorageClass or in the nodeAffinity of its volume, or declare \
             where it is",
            self.what
        );
        (reach, Some(self.finding(Reason::NotProven, message)))
    }

    /// Of what is yet to be made by a driver that could keep it anywhere.
    fn at_best_unknown(&self, class: &StorageClass) -> (Reach, Option<Finding>) {
        self.at_best_for(|| {
            format!(
                "nobody knows where {} will be, since the driver {} could keep it anywhere, and the policy wants proof: declare \
                 where that is with the annotation domicile.dev/jurisdiction on StorageClass {}",
                self.what, class.provisioner, class.metadata.name
            )
        })
    }

    /// Of what its driver keeps on any nodes.
    fn at_best_declared(&self) -> (Reach, Option<Finding>) {
        self.at_best_for(|| {
            format!(
                "{} can be only where it is permitted now, but its driver keeps it on nodes anywhere in the cluster, and the policy \
                 wants proof: declare where it is with the annotation domicile.dev/jurisdiction on its PersistentVolume or \
                 StorageClass, once that keeps it there",
                self.what
            )
        })
    }

    /// As [`Self::at_best`] of what is observed, where that would name what does not help.
    fn at_best_for(&self, message: impl FnOnce() -> String) -> (Reach, Option<Finding>) {
        let (reach, finding) = self.at_best(Reach::Observed);
        (reach, finding.map(|finding| Finding { message: message(), ..finding }))
    }

    fn spots(&self, spots: &[Spot]) -> Option<Finding> {
        let outside: Vec<&Spot> = spots.iter().filter(|spot| !self.permits(spot)).collect();
        let known = |spot: &&&Spot| spot.location.jurisdiction.is_some();
        let shown = outside.iter().find(known).or_else(|| outside.first())?;
        let location = &shown.location;
        let place = match (&shown.because, location.jurisdiction) {
            (Some(because), Some(_)) => {
                format!("data of {} is or will be in {location}, since {because}", self.what)
            }
            (Some(because), None) => {
                format!("data of {} is or will be somewhere that is not known, since {because}", self.what)
            }
            (None, Some(_)) => {
                format!("{} is or will be in {location}{}", self.what, operated(location, self.ruling))
            }
            (None, None) => {
                format!(
                    "nobody knows where {} is or will be ({location}){}",
                    self.what,
                    self.why_unknown(shown)
                )
            }
        };
        let advice =
            shown.because.as_ref().map_or("", |_| ". Use a StorageClass that keeps nothing elsewhere");
        let reason = match location.jurisdiction {
            Some(_) => Reason::VolumeOutsideJurisdiction,
            None => Reason::UnknownLocation,
        };
        let mut finding =
            self.finding(reason, format!("{place}; the policy permits {}{advice}", self.ruling.wording()));
        finding.example = Some(Example { volume: Some(self.what.to_owned()), ..Example::at(location) });
        Some(finding)
    }

    /// Why nobody knows where something is that is where nodes are.
    fn why_unknown(&self, spot: &Spot) -> String {
        let mut nodes = spot.nodes.iter().filter_map(|slot| self.state.nodes().at(slot));
        match (nodes.next(), nodes.next()) {
            (Some(node), None) => {
                format!(": it is where node {} is, and nobody knows where that is: {}", node.name, why_unknown(node))
            }
            (Some(_), Some(_)) => {
                ": it is where one of several nodes is, and not all of those are in places that are known; name one node in its \
                 node affinity"
                    .into()
            }
            (None, _) => String::new(),
        }
    }

    /// Where the cluster is: every node's place must be permitted. `why` and `advice` are for people.
    fn anywhere(&self, why: &str, advice: &str) -> Option<Finding> {
        let nodes = self.state.nodes();
        let everywhere = nodes.born();
        let counts = nodes.by_site(everywhere);
        let sites: BitSet = counts.iter().map(|(site, _)| site.index()).collect();
        let outside = self.ruling.outside(&sites)?;
        let total = counts.iter().map(|(_, count)| count).sum();
        let not_permitted = counts.iter().filter(|(site, _)| outside.contains(site.index()));
        let matching = Matching { outside: not_permitted.clone().map(|(_, count)| count).sum(), total };
        let examples = not_permitted.filter_map(|(site, _)| Some((nodes.example(everywhere, *site)?, *site)));
        let site = |number| &self.state.sites().get(number).location;
        let (node, number) =
            examples.min_by_key(|(node, number)| (site(*number).jurisdiction.is_none(), &node.name))?;
        let message = format!(
            "{why}, such as near node {} ({}{}); the policy permits {}. {advice}",
            node.name,
            site(number),
            operated(site(number), self.ruling),
            self.ruling.wording()
        );
        let mut finding = self.finding(Reason::VolumeOutsideJurisdiction, message);
        finding.example = Some(Example { node: Some(node.name.to_string()), ..Example::at(site(number)) });
        finding.matching = Some(matching);
        Some(finding)
    }
}
