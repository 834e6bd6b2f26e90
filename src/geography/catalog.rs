//! The built-in catalog: data files in the shape of a `Geography`, embedded.

use std::sync::Arc;

use super::pattern::Pattern;
use super::{Jurisdiction, Location};
use crate::api::GeographySpec;

/// One file a provider, and one each for what is not a place. A place's facts carry their own source.
const FILES: [(&str, &str); 26] = [
    ("alibaba", include_str!("data/alibaba.yaml")),
    ("aws", include_str!("data/aws.yaml")),
    ("azure", include_str!("data/azure.yaml")),
    ("digitalocean", include_str!("data/digitalocean.yaml")),
    ("drivers", include_str!("data/drivers.yaml")),
    ("exoscale", include_str!("data/exoscale.yaml")),
    ("gcd-germany", include_str!("data/gcd-germany.yaml")),
    ("gcp", include_str!("data/gcp.yaml")),
    ("groups", include_str!("data/groups.yaml")),
    ("hetzner", include_str!("data/hetzner.yaml")),
    ("huawei", include_str!("data/huawei.yaml")),
    ("ibm", include_str!("data/ibm.yaml")),
    ("ionos", include_str!("data/ionos.yaml")),
    ("linode", include_str!("data/linode.yaml")),
    ("oci", include_str!("data/oci.yaml")),
    ("otc", include_str!("data/otc.yaml")),
    ("ovh", include_str!("data/ovh.yaml")),
    ("providers", include_str!("data/providers.yaml")),
    ("s3ns", include_str!("data/s3ns.yaml")),
    ("scaleway", include_str!("data/scaleway.yaml")),
    ("stackit", include_str!("data/stackit.yaml")),
    ("tencent", include_str!("data/tencent.yaml")),
    ("upcloud", include_str!("data/upcloud.yaml")),
    ("vultr", include_str!("data/vultr.yaml")),
    ("yandex", include_str!("data/yandex.yaml")),
    ("aws-zones", include_str!("data/aws-zones.yaml")),
];

/// A defect of the embedded catalog.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GeographyError {
    /// A data file cannot be read.
    #[error("built-in catalog, data/{file}.yaml: {message}")]
    File {
        /// The file's name.
        file: &'static str,
        /// What is wrong.
        message: String,
    },
    /// An entry is wrong.
    #[error("built-in catalog, {field}: {message}")]
    Entry {
        /// The entry's path.
        field: String,
        /// What is wrong.
        message: String,
    },
}

/// The catalog as it is written, read anew file by file.
pub(super) fn specs() -> impl Iterator<Item = Result<GeographySpec, GeographyError>> {
    FILES.into_iter().map(|(file, text)| {
        serde_saphyr::from_str(text)
            .map_err(|error| GeographyError::File { file, message: error.to_string() })
    })
}

/// Who says so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The catalog that this build carries.
    BuiltIn,
    /// The `Geography` object of this name.
    Object(Arc<str>),
}

/// Where a region, or a zone of it, is.
#[derive(Clone, Debug)]
pub struct Row {
    /// The provider whose codes these are.
    pub provider: Arc<str>,
    /// The region's code.
    pub region: Pattern,
    /// The zone's code. Absent: the region's ordinary zones.
    pub zone: Option<Pattern>,
    /// Where it stands.
    pub jurisdiction: Jurisdiction,
    /// Whose law binds the operator here. Absent: the provider's.
    pub provider_jurisdiction: Option<Jurisdiction>,
    /// City or area, for people.
    pub place: Option<Arc<str>>,
    /// Where the fact comes from.
    pub source: Option<Arc<str>>,
    /// Who says so.
    pub origin: Origin,
}

/// A zone that the geography lists for a region.
#[derive(Clone, Debug)]
pub struct ZoneEntry<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) location: Location,
    pub(super) foreign: bool,
}

impl ZoneEntry<'_> {
    /// The zone's code as it was written: a code or a glob.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// Whether it means this zone.
    #[must_use]
    pub fn matches(&self, zone: &str) -> bool {
        self.pattern.matches(zone)
    }

    /// Every zone that it means, if they are few.
    #[must_use]
    pub fn literals(&self) -> Option<Vec<Arc<str>>> {
        self.pattern.literals()
    }

    /// Where it is. The zone's code is absent where the pattern is a glob.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether it stands elsewhere than the ordinary zones of its region, or under another operator's law.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }
}
