//! Changes: what of them is judged, and what they would take away (sections 2 and 7).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails that way")]

mod losing;
mod namespaces;
mod reading;
#[path = "../support/mod.rs"]
mod support;

use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Decision, Reach, Reason, Request, Verb, Verdict, judge};
use serde_json::{Value, json};
use support::{EU, NODES, carried, create, now, object, parse, reasons, required, state, values};

/// Policies beside `eu-personal`, to see which of them are concerned.
const MORE: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-health}
spec: {classifications: [health], allow: [{jurisdictions: [EEA]}]}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: web-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], objectSelector: {matchLabels: {app: web}}}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: prod-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], namespaceSelector: {matchLabels: {env: prod}}}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: warn-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], action: Warn}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: audit-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], action: Audit}
";

/// A running pod in Frankfurt, which mounts a bound claim.
const POD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: orders
  namespace: shop
  labels: {app: web, tier: back}
  annotations: {domicile.dev/data-classification: personal}
spec:
  nodeName: fra
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
status: {phase: Running}
";

const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop, annotations: {domicile.dev/data-classification: personal}}
spec: {volumeName: pv-data, storageClassName: ebs}
";

const VOLUME: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-data, annotations: {domicile.dev/recorded-classification: personal}}
spec:
  csi: {driver: ebs.csi.aws.com}
  storageClassName: ebs
  claimRef: {namespace: shop, name: data}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [
    {key: topology.kubernetes.io/zone, operator: In, values: [eu-central-1a]}]}]}}
";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: web}, annotations: {domicile.dev/data-classification: personal}}
    spec: {nodeSelector: {topology.kubernetes.io/region: eu-west-1}}
";

fn value(yaml: &str) -> Value {
    values(yaml).remove(0)
}

/// Sets a field, on the way to which everything is a map or a list.
fn set(mut object: Value, path: &str, to: Value) -> Value {
    if to.is_null() {
        let (parent, last) = path.rsplit_once('/').unwrap();
        let last = last.replace("~1", "/");
        object.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&last).expect(path);
        return object;
    }
    let mut at = &mut object;
    for part in path[1..].split('/') {
        let part = part.replace("~1", "/");
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part.as_str()],
        };
    }
    *at = to;
    object
}

/// What is said of changing an object that is in this cluster.
fn change(cluster: &State, old: &Value, new: &Value) -> Verdict {
    let mut cluster = cluster.clone();
    cluster.apply(parse(old.clone()));
    judge(&Request::update(&parse(old.clone()), &parse(new.clone())), &cluster, now())
}

/// What is said of one edit of an object in a cluster with everything.
fn edit(yaml: &str, path: &str, to: Value) -> Verdict {
    let old = value(yaml);
    let shop = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {env: test}}\n";
    change(&state(&[NODES, EU, MORE, shop, CLAIM, VOLUME]), &old, &set(old.clone(), path, to))
}

const ANNOTATION: &str = "/metadata/annotations/domicile.dev~1data-classification";

const NAMESPACE: &str = "
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {env: prod}
  annotations: {domicile.dev/data-classification: 'personal, health'}
";
