//! What stands between the API server and a replica: the certificate, its Secret, and the bundle that trusts it.

use std::time::Instant;

use serde_json::json;

use crate::balancer::is_ready;
use crate::field::Field;
use crate::installed::NAMESPACE;
use crate::load::Outcome;
use crate::plane::{Plane, Trials, eventually};
use crate::replicas::times;

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("certificates")
        .alone("the_bundle_is_emptied", the_bundle_is_emptied)
        .alone("the_secret_is_deleted", the_secret_is_deleted);
    if crate::asked().is_none() {
        return trials;
    }
    trials.alone("the_certificate_expires", the_certificate_expires)
}

async fn the_bundle_is_emptied(plane: &'static Plane) {
    let mut field = Field::up(plane, "emptied").await;
    let mut recoveries = Vec::new();
    let rounds = times(1, 6);
    for round in 0..rounds {
        for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
            let entries =
                field.admin.kubectl(&["get", kind, "domicile", "-o", "json"]).json()["webhooks"].clone();
            // It is taken away, or there and empty.
            let change =
                if round % 2 == 0 { json!({"op": "remove"}) } else { json!({"op": "replace", "value": ""}) };
            let changes: Vec<_> = (0..entries.as_array().unwrap().len())
                .map(|number| {
                    let mut change = change.clone();
                    change["path"] = json!(format!("/webhooks/{number}/clientConfig/caBundle"));
                    change
                })
                .collect();
            let patch = json!(changes).to_string();
            field.admin.kubectl(&["patch", kind, "domicile", "--type=json", "-p", &patch]).ok();
        }
        recoveries.push(field.recovered().await);
        field.goes_on_for(2).await;
    }
    field.account("every caBundle is removed, or emptied, by hand", rounds, &recoveries, "").await;
}

async fn the_secret_is_deleted(plane: &'static Plane) {
    let mut field = Field::up(plane, "secret").await;
    let mut recoveries = Vec::new();
    let rounds = times(1, 3);
    for _ in 0..rounds {
        let begun = Instant::now();
        field.admin.kubectl(&["delete", "secret", "domicile-tls", "-n", NAMESPACE]).ok();
        eventually("it is made anew", async || {
            (field.admin.kubectl(&["get", "secret", "domicile-tls", "-n", NAMESPACE]).status == 0)
                .then_some(())
        })
        .await;
        field.recovered().await;
        recoveries.push(begun.elapsed());
        field.both_ready().await;
        field.goes_on_for(times(1, 3) as u64).await;
    }
    field.account("the Secret with the certificate is deleted", rounds, &recoveries, "").await;
}

/// It can only expire if it cannot be renewed, as while the API server is out of reach.
async fn the_certificate_expires(plane: &'static Plane) {
    let mut field = Field::with(plane, "expired", &["--tls-lifetime=40s"], Default::default()).await;
    field.excuse();
    for replica in &field.replicas {
        replica.proxy.cut();
    }
    // Connections that are open are not looked at again; a new one is refused, and nobody is sent there.
    eventually("both say that they are not ready", async || {
        let [first, second] = &field.replicas[..] else { panic!("there are two") };
        (!is_ready(first.ports.metrics).await && !is_ready(second.ports.metrics).await).then_some(())
    })
    .await;
    field.balancer.close();
    field.goes_on_for(10).await;
    let said = field.dry_run().await;
    assert_eq!(said, (Outcome::Failed, Outcome::Failed), "an expired certificate was good enough");
    for replica in &field.replicas {
        replica.proxy.heal();
    }
    let recovery = field.recovered().await;
    field.both_ready().await;
    field.goes_on_for(3).await;
    field.account("both replicas are cut off until their certificate has expired", 1, &[recovery], "").await;
}
