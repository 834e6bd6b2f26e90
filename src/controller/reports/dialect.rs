//! In which of two forms reports are kept, as the cluster serves them.

use kube::Client;
use kube::core::ApiResource;

use crate::cluster::watch;

/// A group of kinds for reports.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    group: &'static str,
    version: &'static str,
    /// The kind and the plural of one about something in a namespace, and of one about something that is in none.
    kinds: [(&'static str, &'static str); 2],
    /// Whether a report as a whole says whose it is, and not each of its results alone.
    pub(super) says_source: bool,
}

/// All of them, the preferred one first: what followed on PolicyReport, and PolicyReport, which more clusters have.
pub(super) const DIALECTS: [Dialect; 2] = [
    Dialect {
        group: "openreports.io",
        version: "v1alpha1",
        kinds: [("Report", "reports"), ("ClusterReport", "clusterreports")],
        says_source: true,
    },
    Dialect {
        group: "wgpolicyk8s.io",
        version: "v1alpha2",
        kinds: [("PolicyReport", "policyreports"), ("ClusterPolicyReport", "clusterpolicyreports")],
        says_source: false,
    },
];

impl Dialect {
    /// As `apiVersion` says it.
    pub(super) fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// The kind of reports about what is in a namespace, or in none.
    pub(super) fn resource(&self, namespaced: bool) -> ApiResource {
        let (kind, plural) = self.kinds[usize::from(!namespaced)];
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }
}

/// Those that the cluster serves, the preferred one first.
pub(super) async fn served(client: &Client) -> Result<Vec<&'static Dialect>, String> {
    let mut found = Vec::new();
    for dialect in &DIALECTS {
        let resources = watch::served(client, &dialect.api_version()).await?;
        if dialect.kinds.iter().all(|(_, plural)| resources.iter().any(|one| one == plural)) {
            found.push(dialect);
        }
    }
    Ok(found)
}
