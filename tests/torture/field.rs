//! Domicile installed, with two replicas behind a balancer, over a node in Germany and one in the United States, and the
//! load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domicile::geography::Geography;
use domicile::objects::{Object, PersistentVolume};
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
use crate::load::{CLAIM, Load, Made, Outcome, Sort, Tally, Turn, outcome, post};
use crate::plane::{Identity, Plane, eventually};
use crate::reference::World;
use crate::replica::Replica;
use crate::stand::{FRANKFURT, KEY, VIRGINIA, node};
use crate::stored::LABEL;

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

/// What is held against the reference, or what it looks at.
const KINDS: [&str; 8] = [
    "nodes",
    "namespaces",
    "pods",
    "persistentvolumeclaims",
    "persistentvolumes",
    "storageclasses",
    "residencypolicies.domicile.dev",
    "residencyexceptions.domicile.dev",
];

/// What came of holding everything against the reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reckoning {
    /// Pods with a node.
    pub(crate) placed: usize,
    /// Claims, volumes and attachments.
    pub(crate) stored: usize,
    /// What may not be where it is, by the reference.
    pub(crate) wrong: Vec<String>,
    /// What may not exist at all, by its name.
    pub(crate) illegal: Vec<String>,
    /// What was said to be stored, and is not there.
    pub(crate) lost: Vec<String>,
}

pub(crate) struct Field {
    pub(crate) plane: &'static Plane,
    pub(crate) admin: &'static Identity,
    pub(crate) namespace: String,
    pub(crate) replicas: Vec<Replica>,
    load: Option<Load>,
    tally: Tally,
    begun: Instant,
    is_excused: bool,
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
            is_excused: false,
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

    /// Takes the webhooks off, and says what brings them back.
    pub(crate) fn enforcement_off(&self) -> Vec<String> {
        let off = |kind: &&str| {
            let mut there = self.admin.kubectl(&["get", kind, "domicile", "-o", "json"]).json();
            let metadata = there["metadata"].as_object_mut().unwrap();
            metadata.retain(|key, _| ["name", "labels", "annotations"].contains(&key.as_str()));
            self.admin.kubectl(&["delete", kind, "domicile"]).ok();
            there.to_string()
        };
        ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"].iter().map(off).collect()
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
        let heard = begun.elapsed();
        assert!(heard < limit, "all are denied after {heard:?}, and {limit:?} were stated");
        heard
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
    pub(crate) async fn stores(&self) -> bool {
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
        let (tally, Reckoning { wrong, illegal, lost, .. }) =
            self.reckon(fault, times, recoveries, note).await;
        assert!(wrong.is_empty(), "{fault}: placed where it may not be: {wrong:?}");
        assert!(illegal.is_empty(), "{fault}: made though it may not be: {illegal:?}");
        assert!(lost.is_empty(), "{fault}: said to be stored, and not there: {lost:?}");
        let (admitted, denied) = (tally.illegal_admitted, tally.legal_denied);
        assert_eq!((admitted, denied), (0, 0), "{fault}: illegal calls admitted, legal calls denied");
        tally
    }

    /// As [`Self::account`], whatever there is.
    pub(crate) async fn reckon(
        &mut self,
        fault: &str,
        times: usize,
        recoveries: &[Duration],
        note: &str,
    ) -> (Tally, Reckoning) {
        let took = self.begun.elapsed();
        self.stop_the_load().await;
        let tally = std::mem::take(&mut self.tally);
        let reckoning = self.held_against_the_reference(&tally.made);
        let peak = self.replicas.iter().map(Replica::peak).max().unwrap_or_default();
        for replica in &mut self.replicas {
            assert!(replica.runs(), "a replica has ended by itself:\n{}", replica.output());
            assert!(!replica.output().contains("panicked"), "{}", replica.output());
        }
        let row = Row {
            fault: fault.to_owned(),
            times,
            took,
            tally: tally.clone(),
            reckoning: reckoning.clone(),
            recoveries: recoveries.to_vec(),
            peak,
            note: note.to_owned(),
        };
        let rate = row.rate();
        row.enter();
        if let Some(asked) = crate::asked().filter(|_| !self.is_excused) {
            assert!(
                2.0 * rate >= f64::from(asked),
                "{fault}: only {rate:.0} a second of {asked} that were asked for"
            );
        }
        (tally, reckoning)
    }

    /// The load need not come to what is asked for: what befalls it is in its way.
    pub(crate) fn excuse(&mut self) {
        self.is_excused = true;
    }

    /// Ends the load, and keeps what became of it.
    pub(crate) async fn stop_the_load(&mut self) {
        if let Some(load) = self.load.take() {
            self.tally = load.end().await;
        }
    }

    /// Holds everything that is stored against the reference.
    fn held_against_the_reference(&self, made: &[Made]) -> Reckoning {
        let mut world = World { geography: Geography::with_objects([]).0, ..World::default() };
        for kind in KINDS {
            self.listed(kind).into_iter().for_each(|one| world.add(object(one)));
        }
        // Those of others are there, and no business of this.
        let is_ours = |volume: &PersistentVolume| {
            volume.spec.claim_ref.as_ref().is_some_and(|of| of.namespace == self.namespace)
        };
        let ours: BTreeSet<_> =
            world.volumes.iter().filter(|one| is_ours(one)).map(|one| &one.metadata.name).collect();
        let pods = world.pods.iter().map(|one| Object::Pod(Box::new(one.clone())));
        let claims = world.claims.iter().map(|one| Object::Claim(Box::new(one.clone())));
        let volumes =
            world.volumes.iter().filter(|one| is_ours(one)).map(|one| Object::Volume(Box::new(one.clone())));
        let attachments = self.listed("volumeattachments").into_iter().map(object);
        let mut reckoning = Reckoning::default();
        let now = Timestamp::now();
        for one in pods.chain(claims).chain(volumes).chain(attachments) {
            let (name, at) = match &one {
                Object::Pod(pod) => (&pod.metadata.name, &pod.spec.node_name),
                Object::Claim(claim) => (&claim.metadata.name, &claim.spec.volume_name),
                Object::Volume(volume) => (&volume.metadata.name, &volume.spec.storage_class_name),
                Object::Attachment(one) if !ours.contains(&one.spec.source.persistent_volume_name) => {
                    continue;
                }
                Object::Attachment(one) => (&one.metadata.name, &one.spec.node_name),
                other => panic!("{other:?} is not reckoned with"),
            };
            let name = name.strip_prefix(&format!("{}-", self.namespace)).unwrap_or(name);
            if name.starts_with("i-") {
                reckoning.illegal.push(name.to_owned());
            }
            let is_pod = matches!(one, Object::Pod(_));
            if is_pod && at.is_empty() {
                continue;
            }
            if is_pod {
                reckoning.placed += 1;
            } else {
                reckoning.stored += 1;
            }
            // It was there before it was forbidden.
            if name.starts_with("t-") {
                continue;
            }
            let expected = world.judge(&one, now);
            if expected.decision == Decision::Deny {
                reckoning.wrong.push(format!("{name} at {at:?}: {:?}", expected.faults));
            }
        }
        let pods: BTreeMap<_, _> =
            world.pods.iter().map(|one| (one.metadata.name.as_str(), one.spec.node_name.as_str())).collect();
        let is_there = |made: &&Made| match made {
            Made::Pod(name, None) => pods.contains_key(name.as_str()),
            Made::Pod(name, Some(node)) => pods.get(name.as_str()) == Some(&node.as_str()),
            Made::Claim(name) => world.claim(&self.namespace, name).is_some(),
            Made::Volume(name) => world.volume(name).is_some(),
            Made::Other => true,
        };
        reckoning.lost = made.iter().filter(|made| !is_there(made)).map(|made| format!("{made:?}")).collect();
        reckoning
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
        let ours = format!("{LABEL}={}", self.namespace);
        self.admin.kubectl(&["delete", "volumeattachments,persistentvolumes", "-l", &ours, "--wait=false"]);
    }
}
