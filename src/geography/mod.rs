//! Jurisdictions, groups, the catalog of clouds, and where a node or a volume is.
//!
//! [`Geography`] is what is known of places: the built-in catalog and the users' `Geography` objects, compiled. It is
//! made when one of them changes, and never changes itself. [`Geography::locate_node`] says where a node is,
//! [`Geography::locate_in`] and [`Geography::locate_named`] what a region or a zone means, and
//! [`Geography::resolve`] which jurisdictions a code or group stands for.

pub mod iso;

mod catalog;
mod compile;
mod drivers;
mod entry;
mod groups;
mod index;
mod locate;
mod location;
mod lookup;
mod pattern;
mod placing;
mod problem;
mod said;
mod tri;

pub use catalog::{GeographyError, Origin, Row, ZoneEntry};
pub use drivers::{Copies, Driver, PlaceParameters, canonical_driver};
pub use groups::{JurisdictionSet, UnknownCode};
pub use index::{Geography, GroupRow, Provider};
pub use locate::{Defaults, Located};
pub use location::{Jurisdiction, Location, NotAJurisdiction};
pub use lookup::{ClusterProviders, Known};
pub use pattern::Pattern;
pub use problem::{Problem, ProblemKind};
pub use tri::Tri;
