//! Jurisdictions, groups, the catalog of clouds, and where a node or a volume is.

mod location;

pub use location::{Jurisdiction, Location, NotAJurisdiction};
