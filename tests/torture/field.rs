//! Domicile installed, with two replicas behind a balancer, over a node in Germany and one in the United States, and the
//! load.

use std::time::{Duration, Instant};

use domicile::geography::Geography;
use domicile::objects::Object;
use domicile::residency::Decision;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::account::Row;
use crate::balancer::Balancer;
use crate::direct::denied;
use crate::installed::{NAMESPACE, Release};
use crate::load::{CLAIM, Load, Outcome, Sort, Tally, Turn, outcome, post};
use crate::plane::{Identity, Plane, eventually};
use crate::reference::World;
use crate::replica::Replica;
use crate::stand::{FRANKFURT, KEY, VIRGINIA, node};

const POLICIES: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}]}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: health-home}
spec: {classifications: [health], allow: [{jurisdictions: [DE]}], remedy: Confine}
";

/// What nodes are labelled with that go when the field does.
pub(crate) const FLOOD: &str = "example.com/flood";
/// Pods a second while faults are tried briefly.
const BRIEFLY: u32 = 20;
/// Answers in a row that must be right until it counts as recovered.
const IN_A_ROW: usize = 5;
/// Recovery takes no longer, whatever was done.
const RECOVERY: Duration = Duration::from_mins(2);

pub(crate) struct Field {
    pub(crate) plane: &'static Plane,
    pub(crate) admin: &'static Identity,
    pub(crate) namespace: String,
    pub(crate) replicas: Vec<Replica>,
    load: Option<Load>,
    tally: Tally,
    begun: Instant,
    pub(crate) balancer: Balancer,
    _release: Release<'static>,
}

impl Field {
    pub(crate) async fn up(plane: &'static Plane, name: &str) -> Self {
        Self::with(plane, name, &[], [String::new(), String::new()]).await
    }

    /// Everything there and ready, and the load on. Replicas get more arguments, and what a shell does before each.
    pub(crate) async fn with(
        plane: &'static Plane,
        name: &str,
        more: &[&str],
        preludes: [String; 2],
    ) -> Self {
        let admin = plane.admin();
        node(plane, FRANKFURT, "eu-central-1", "eu-central-1a").await;
        node(plane, VIRGINIA, "us-east-1", "us-east-1a").await;
        make_room(plane).await;
        let namespace = plane.namespace(name).await;
        // The ports come first, then the chart that names that of the balancer, then the account that it makes.
        let mut replicas = Vec::new();
        for (number, prelude) in preludes.iter().enumerate() {
            replicas.push(Replica::new(plane, format!("{name}-{number}"), more, prelude).await);
        }
        let balancer = Balancer::before(replicas.iter().map(|replica| replica.ports).collect()).await;
        let url = format!("webhook.url=https://127.0.0.1:{}", balancer.port);
        let release = Release::install(admin, &["--set", &url]);
        let account = plane.service_account(NAMESPACE, "domicile").await;
        for replica in &mut replicas {
            replica.becomes(&account.kubeconfig);
            replica.start();
        }
        let mut field = Self {
            plane,
            admin,
            namespace,
            replicas,
            load: None,
            tally: Tally::default(),
            begun: Instant::now(),
            balancer,
            _release: release,
        };
        for replica in &field.replicas {
            replica.ready().await;
        }
        field.apply(POLICIES);
        field.recovered().await;
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "annotations": {KEY: "personal"}},
            "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "torture",
                     "resources": {"requests": {"storage": "1Gi"}}},
        });
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "torture"},
            "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
        });
        field.apply(&class.to_string());
        field.apply(&claim.to_string());
        field.recovered().await;
        let rate = crate::asked().unwrap_or(BRIEFLY);
        field.load = Some(Load::begin(&plane.client(), &field.namespace, rate));
        field.goes_on_for(if crate::asked().is_some() { 3 } else { 1 }).await;
        field.load.as_ref().unwrap().count_anew();
        field.begun = Instant::now();
        field
    }

    pub(crate) fn apply(&self, manifest: &str) {
        self.admin.kubectl_reading(&["apply", "-n", &self.namespace, "-f", "-"], manifest).ok();
    }

    /// Creates an object there as the administrator, once.
    pub(crate) async fn post(&self, path: &str, object: &Value) -> Outcome {
        post(&self.plane.client(), path, object).await.0
    }

    /// The path of the pods of the load.
    pub(crate) fn pods(&self) -> String {
        format!("/api/v1/namespaces/{}/pods", self.namespace)
    }

    /// Tells the load whether what will be forbidden is.
    pub(crate) fn turn(&self, turn: Turn) {
        self.load.as_ref().unwrap().turn(turn);
    }

    /// Has half of the load be about nodes that have arrived.
    pub(crate) fn flood(&self, nodes: usize) {
        self.load.as_ref().unwrap().flood(nodes);
    }

    /// Has both replicas watch anew, so that no watch ends by itself within the next minute.
    pub(crate) async fn watch_anew(&self) {
        for replica in &self.replicas {
            replica.proxy.cut();
            replica.proxy.heal();
        }
        // What was cut is asked for again after a moment.
        self.goes_on_for(5).await;
        self.recovered().await;
    }

    /// Waits until both replicas deny all of these pods.
    pub(crate) async fn both_deny(&self, pods: &[Value], limit: Duration) -> Duration {
        let begun = Instant::now();
        let denies_all = async |replica: &Replica| {
            let mut heard = 0;
            loop {
                heard += denied(replica, &pods[heard..]).await;
                if heard == pods.len() {
                    return;
                }
                assert!(begun.elapsed() < limit, "{heard} of {} are denied after {limit:?}", pods.len());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::join!(denies_all(&self.replicas[0]), denies_all(&self.replicas[1]));
        begun.elapsed()
    }

    pub(crate) async fn goes_on_for(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// How long it takes from now until the legal is admitted, the illegal denied by a judgement, and something stored,
    /// several times in a row.
    pub(crate) async fn recovered(&self) -> Duration {
        let begun = Instant::now();
        let (mut right, mut first) = (0, Duration::ZERO);
        while right < IN_A_ROW {
            let said = self.dry_run().await;
            let took = begun.elapsed();
            if said == (Outcome::Admitted, Outcome::Denied) && self.stores().await {
                if right == 0 {
                    first = took;
                }
                right += 1;
            } else {
                right = 0;
            }
            assert!(
                took < RECOVERY,
                "not recovered after {} s: {said:?}; stored: {}",
                RECOVERY.as_secs(),
                self.stores().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        first
    }

    /// Whether what is admitted is also stored.
    async fn stores(&self) -> bool {
        let there: Api<ConfigMap> = Api::namespaced(self.plane.client(), &self.namespace);
        let manifest = json!({"metadata": {"generateName": "stored-"}});
        let (parameters, manifest) = (PostParams::default(), serde_json::from_value(manifest).unwrap());
        let written = there.create(&parameters, &manifest);
        matches!(tokio::time::timeout(Duration::from_secs(10), written).await, Ok(Ok(_)))
    }

    /// What becomes of a legal pod, and of an illegal one.
    pub(crate) async fn dry_run(&self) -> (Outcome, Outcome) {
        let pods: Api<Pod> = Api::namespaced(self.plane.client(), &self.namespace);
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let ask = async |sort: Sort| {
            let mut pod = sort.pod(&self.namespace, 0, Turn::Before, 0);
            pod["metadata"]["name"] = json!("probe");
            let pod = serde_json::from_value(pod).unwrap();
            let asked = tokio::time::timeout(Duration::from_secs(10), pods.create(&parameters, &pod)).await;
            asked.map_or(Outcome::Failed, |answer| outcome(answer).0)
        };
        (ask(Sort::PinnedAtHome).await, ask(Sort::PinnedAbroad).await)
    }

    /// Waits for both replicas.
    pub(crate) async fn both_ready(&self) {
        for replica in &self.replicas {
            replica.ready().await;
        }
    }

    /// The replica that the API server asks, and the other one. It may keep one connection, over HTTP/2, to one of them.
    pub(crate) async fn asked_and_other(&self) -> (&Replica, &Replica) {
        let count = || self.replicas.iter().map(Replica::reviews).collect::<Vec<_>>();
        let before = count();
        self.goes_on_for(1).await;
        let more: Vec<u64> = count().iter().zip(before).map(|(now, then)| now - then).collect();
        let [first, second] = &self.replicas[..] else { panic!("there are two") };
        if more[0] >= more[1] { (first, second) } else { (second, first) }
    }

    /// The number of the replica that leads.
    pub(crate) async fn leader(&self) -> usize {
        eventually("a replica leads", async || self.replicas.iter().position(Replica::leads)).await
    }

    /// Ends the load, holds everything that is placed against the reference, and enters what was seen.
    pub(crate) async fn account(
        &mut self,
        fault: &str,
        times: usize,
        recoveries: &[Duration],
        note: &str,
    ) -> Tally {
        let took = self.begun.elapsed();
        self.stop_the_load().await;
        let tally = std::mem::take(&mut self.tally);
        let (placed, wrong) = self.held_against_the_reference();
        let peak = self.replicas.iter().map(Replica::peak).max().unwrap_or_default();
        for replica in &mut self.replicas {
            assert!(replica.runs(), "a replica has ended by itself:\n{}", replica.output());
            assert!(!replica.output().contains("panicked"), "{}", replica.output());
        }
        let (admitted, denied) = (tally.illegal_admitted, tally.legal_denied);
        let row = Row {
            fault: fault.to_owned(),
            times,
            took,
            tally: tally.clone(),
            placed,
            wrong: wrong.len(),
            recoveries: recoveries.to_vec(),
            peak,
            note: note.to_owned(),
        };
        row.enter();
        assert!(wrong.is_empty(), "{fault}: placed or made where it may not be: {wrong:?}");
        assert_eq!((admitted, denied), (0, 0), "{fault}: illegal calls admitted, legal calls denied");
        tally
    }

    /// Ends the load, and keeps what became of it.
    pub(crate) async fn stop_the_load(&mut self) {
        if let Some(load) = self.load.take() {
            self.tally = load.end().await;
        }
    }

    /// How many pods have a node, and those that should not, or should not exist at all.
    fn held_against_the_reference(&self) -> (usize, Vec<String>) {
        let pods: Vec<Value> = self.listed("pods");
        let mut world = World { geography: Geography::with_objects([]).0, ..World::default() };
        for kind in ["nodes", "namespaces", "persistentvolumeclaims", "storageclasses"] {
            self.listed(kind).into_iter().for_each(|one| world.add(object(one)));
        }
        for kind in ["residencypolicies.domicile.dev", "residencyexceptions.domicile.dev"] {
            self.listed(kind).into_iter().for_each(|one| world.add(object(one)));
        }
        let (mut placed, mut wrong) = (0, Vec::new());
        for pod in pods {
            let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
            let Object::Pod(pod) = object(pod) else { panic!("{name} is no pod") };
            if name.starts_with("i-") {
                wrong.push(format!("{name} exists"));
            }
            if pod.spec.node_name.is_empty() {
                continue;
            }
            placed += 1;
            // It was there before it was forbidden.
            if name.starts_with("t-") {
                continue;
            }
            let expected =
                world.judge_pod(&pod.metadata.namespace, &pod.metadata, &pod.spec, Timestamp::now());
            if expected.decision == Decision::Deny {
                wrong.push(format!("{name} on {}: {:?}", pod.spec.node_name, expected.faults));
            }
        }
        (placed, wrong)
    }

    /// How many pods are on nodes whose names begin like this.
    pub(crate) fn placed_on(&self, nodes: &str) -> usize {
        let is_there =
            |pod: &&Value| pod["spec"]["nodeName"].as_str().is_some_and(|name| name.starts_with(nodes));
        self.listed("pods").iter().filter(is_there).count()
    }

    /// All objects of a kind, those of the namespace if they are in one.
    fn listed(&self, kind: &str) -> Vec<Value> {
        let list = self.admin.kubectl(&["get", kind, "-n", &self.namespace, "-o", "json"]).json();
        list["items"].as_array().unwrap().clone()
    }
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap().expect("a kind that is judged")
}

/// Room for every pod that is made here.
async fn make_room(plane: &'static Plane) {
    let nodes: Api<Node> = Api::all(plane.client());
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "1000000"});
    let patch = Patch::Merge(json!({"status": {"capacity": room, "allocatable": room}}));
    for name in [FRANKFURT, VIRGINIA] {
        nodes.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.load = None;
        for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
            self.admin.kubectl(&["delete", kind, "domicile", "--ignore-not-found"]);
        }
        self.replicas.clear();
        // Without kubelets, pods that are bound would stay.
        let pods = format!("/api/v1/namespaces/{}/pods?gracePeriodSeconds=0", self.namespace);
        self.admin.kubectl(&["delete", "--raw", &pods]);
        self.admin.kubectl(&["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"]);
        for name in [FRANKFURT, VIRGINIA] {
            self.admin.kubectl(&["delete", "node", name, "--ignore-not-found"]);
        }
        self.admin.kubectl(&["delete", "--raw", &format!("/api/v1/nodes?labelSelector={FLOOD}")]);
    }
}
