//! What the catalog does not know: a cloud with a zone abroad, bare metal without a zone rule, a cloud that uses the
//! first one's code for a region elsewhere.

use std::sync::{Arc, LazyLock};

use domicile::api::GeographySpec;
use domicile::cluster::{Settings, State};
use domicile::geography::Geography;
use serde_json::{Value, json};

fn small() -> Value {
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "small"},
        "spec": {
            "groups": [{"name": "NORTH", "members": ["DE", "FR"]}, {"name": "WIDE", "members": ["NORTH", "US", "CA-QC"]}],
            "providers": [
                {"name": "acme", "schemes": ["acme"], "jurisdiction": "DE",
                 "zoneRule": "^(?<region>[a-z]+-[0-9])[a-z]$", "providerIDZone": "^acme:///(?<zone>[^/]+)/"},
                {"name": "bare", "schemes": ["bare"], "providerIDZone": "^bare:///(?<zone>[^/]+)/"},
                {"name": "cloudy", "schemes": ["cloudy"], "jurisdiction": "US"},
            ],
            "regions": [
                {"provider": "acme", "region": "north-1", "jurisdiction": "DE"},
                {"provider": "acme", "region": "north-1", "zone": "north-1-x[ab]", "jurisdiction": "CH"},
                {"provider": "acme", "region": "south-1", "jurisdiction": "US", "providerJurisdiction": "US"},
                {"provider": "bare", "region": "hall", "jurisdiction": "FR", "providerJurisdiction": "FR"},
                {"provider": "bare", "region": "hall", "zone": "cage", "jurisdiction": "US"},
                {"provider": "bare", "region": "annex-*", "jurisdiction": "DE"},
                {"provider": "cloudy", "region": "north-1", "jurisdiction": "GB"},
                {"provider": "cloudy", "region": "north-1", "zone": "lab", "jurisdiction": "GB", "providerJurisdiction": "DE"},
            ],
            "drivers": [
                {"name": "disk.acme.test", "provider": "acme", "topologyKeys": ["topology.acme.test/zone"], "placement": "Cluster",
                 "copies": [{"parameter": "mirror", "values": ["yes"], "to": [{"from": "north-1", "region": "south-1"}]}],
                 "snapshots": {"locationParameter": "where", "default": "Unknown"}},
                {"name": "disk.bare.test", "provider": "bare", "topologyKeys": ["topology.bare.test/zone"], "placement": "Cluster"},
                {"name": "spread.test", "placement": "Cluster", "topologyKeys": ["topology.spread.test/zone"]},
                {"name": "share.test", "placement": "Unknown"},
                {"name": "local.test", "placement": "NodeLocal"},
            ],
        },
    })
}

/// As the first, and some of it otherwise.
fn moved() -> Value {
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "moved"},
        "spec": {
            "providers": [{"name": "bare", "schemes": ["bare"], "jurisdiction": "FR"}],
            "regions": [
                {"provider": "acme", "region": "south-1", "zone": "south-1a", "jurisdiction": "CA-QC"},
                {"provider": "hetzner", "region": "fsn1", "zone": "fsn1-dc14", "jurisdiction": "PL"},
                {"provider": "cloudy", "region": "north-1", "jurisdiction": "IE"},
            ],
        },
    })
}

pub(crate) struct Known {
    pub(crate) geography: Arc<Geography>,
    /// A state that has the geographies and nothing else.
    pub(crate) state: State,
}

/// The catalog alone, with the first, and with both.
pub(crate) static GEOGRAPHIES: LazyLock<Vec<Known>> = LazyLock::new(|| {
    [vec![], vec![small()], vec![small(), moved()]]
        .into_iter()
        .map(|manifests| {
            let specs: Vec<(String, GeographySpec)> = manifests
                .iter()
                .map(|manifest| {
                    let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
                    (name, serde_json::from_value(manifest["spec"].clone()).unwrap())
                })
                .collect();
            let (geography, _) =
                Geography::with_objects(specs.iter().map(|(name, spec)| (name.as_str(), spec)));
            let mut state = State::new(Settings::default());
            for manifest in manifests {
                state.apply(super::parse(&manifest));
            }
            Known { geography, state }
        })
        .collect()
});
