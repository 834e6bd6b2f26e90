//! Pods that are created and bound all the time, some of which may be where they ask to be and some of which may not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::stand::{FRANKFURT, KEY, VIRGINIA};

/// Calls that are open at once. Past them the load waits.
const OPEN: usize = 128;
/// No answer after this counts as a failed call. What became of it is seen in the end.
const PATIENCE: Duration = Duration::from_secs(20);
/// The claim with personal data that pods mount.
pub(crate) const CLAIM: &str = "orders";

/// What a pod is like. The first letter of its name says whether it may be created: `l` for legal, `i` for illegal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Personal data, pinned to a region at home; the scheduler binds it.
    PinnedAtHome,
    PinnedAbroad,
    /// Health data without a constraint, under a policy that confines it; the scheduler binds it.
    Confined,
    /// Personal data without a constraint.
    Unpinned,
    /// No data at all: the scheduler may bind it anywhere.
    Plain,
    /// Personal data, with the name of a node.
    NamedAtHome,
    NamedAbroad,
    /// It carries nothing itself, and mounts a claim with personal data.
    ClaimedAtHome,
    ClaimedAbroad,
    /// Personal data, pinned at home, and bound by hand.
    BoundAtHome,
    BoundAbroad,
}

impl Sort {
    const ALL: [Self; 11] = [
        Self::PinnedAtHome,
        Self::PinnedAbroad,
        Self::Confined,
        Self::Unpinned,
        Self::Plain,
        Self::NamedAtHome,
        Self::NamedAbroad,
        Self::ClaimedAtHome,
        Self::ClaimedAbroad,
        Self::BoundAtHome,
        Self::BoundAbroad,
    ];

    fn is_legal(self) -> bool {
        !matches!(self, Self::PinnedAbroad | Self::Unpinned | Self::NamedAbroad | Self::ClaimedAbroad)
    }

    /// The node that it is bound to by hand.
    fn bound(self) -> Option<&'static str> {
        match self {
            Self::BoundAtHome => Some(FRANKFURT),
            Self::BoundAbroad => Some(VIRGINIA),
            _ => None,
        }
    }

    pub(crate) fn pod(self, namespace: &str, number: usize) -> Value {
        let letter = if self.is_legal() { 'l' } else { 'i' };
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{letter}-{number}"), "namespace": namespace},
            "spec": {"containers": [{"name": "app", "image": "none"}]},
        });
        let carried = match self {
            Self::Plain | Self::ClaimedAtHome | Self::ClaimedAbroad => None,
            Self::Confined => Some("health"),
            _ => Some("personal"),
        };
        if let Some(carried) = carried {
            pod["metadata"]["annotations"] = json!({KEY: carried});
        }
        let spec = &mut pod["spec"];
        match self {
            Self::PinnedAtHome | Self::BoundAtHome | Self::BoundAbroad => {
                spec["nodeSelector"] = json!({"topology.kubernetes.io/region": "eu-central-1"});
            }
            Self::PinnedAbroad => {
                spec["nodeSelector"] = json!({"topology.kubernetes.io/region": "us-east-1"});
            }
            Self::NamedAtHome | Self::ClaimedAtHome => spec["nodeName"] = json!(FRANKFURT),
            Self::NamedAbroad | Self::ClaimedAbroad => spec["nodeName"] = json!(VIRGINIA),
            Self::Confined | Self::Unpinned | Self::Plain => {}
        }
        if matches!(self, Self::ClaimedAtHome | Self::ClaimedAbroad) {
            spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}]);
        }
        if self.bound().is_some() {
            spec["schedulerName"] = json!("mine");
        }
        pod
    }
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Admitted,
    /// By a judgement.
    Denied,
    /// Nothing was decided, so nothing was admitted.
    Failed,
}

/// What became of many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) legal_admitted: usize,
    pub(crate) legal_denied: usize,
    pub(crate) legal_failed: usize,
    pub(crate) illegal_admitted: usize,
    pub(crate) illegal_denied: usize,
    pub(crate) illegal_failed: usize,
    /// What failed calls were told, and how often; and what was refused to the legal.
    pub(crate) told: BTreeMap<String, usize>,
}

impl Tally {
    fn count(&mut self, is_legal: bool, (outcome, why): (Outcome, String)) {
        let counter = match (is_legal, outcome) {
            (true, Outcome::Admitted) => &mut self.legal_admitted,
            (true, Outcome::Denied) => &mut self.legal_denied,
            (true, Outcome::Failed) => &mut self.legal_failed,
            (false, Outcome::Admitted) => &mut self.illegal_admitted,
            (false, Outcome::Denied) => &mut self.illegal_denied,
            (false, Outcome::Failed) => &mut self.illegal_failed,
        };
        *counter += 1;
        if outcome == Outcome::Failed || (is_legal && outcome == Outcome::Denied) {
            // Names of pods and ports make no difference.
            let why: String = why.chars().filter(|c| !c.is_ascii_digit()).take(240).collect();
            *self.told.entry(why).or_default() += 1;
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.admitted() + self.denied() + self.failed()
    }

    pub(crate) fn admitted(&self) -> usize {
        self.legal_admitted + self.illegal_admitted
    }

    pub(crate) fn denied(&self) -> usize {
        self.legal_denied + self.illegal_denied
    }

    pub(crate) fn failed(&self) -> usize {
        self.legal_failed + self.illegal_failed
    }
}

/// What a call to the API server came to.
pub(crate) fn outcome<T>(answer: Result<T, kube::Error>) -> (Outcome, String) {
    match answer {
        Ok(_) => (Outcome::Admitted, String::new()),
        Err(kube::Error::Api(status)) if is_judgement(&status.message) => (Outcome::Denied, status.message),
        Err(error) => (Outcome::Failed, error.to_string()),
    }
}

/// Whether a refusal is one. What must be read and cannot be is refused as well, and that is a failure.
fn is_judgement(message: &str) -> bool {
    message.contains("denied the request") && !message.contains("cannot be judged")
}

/// A load that goes on until it is ended.
pub(crate) struct Load {
    tally: Arc<Mutex<Tally>>,
    creating: JoinHandle<()>,
    open: Arc<Semaphore>,
}

impl Load {
    pub(crate) fn begin(client: &Client, namespace: &str, rate: u32) -> Self {
        let (tally, open) = (Arc::<Mutex<Tally>>::default(), Arc::new(Semaphore::new(OPEN)));
        let creating = tokio::spawn({
            let (client, namespace) = (client.clone(), namespace.to_owned());
            let (tally, open) = (Arc::clone(&tally), Arc::clone(&open));
            async move {
                let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                for number in 0.. {
                    ticks.tick().await;
                    let place = Arc::clone(&open).acquire_owned().await.unwrap();
                    let (client, namespace, tally) = (client.clone(), namespace.clone(), Arc::clone(&tally));
                    tokio::spawn(async move {
                        one(&client, &namespace, number, &tally).await;
                        drop(place);
                    });
                }
            }
        });
        Self { tally, creating, open }
    }

    /// Counts from now on.
    pub(crate) fn count_anew(&self) {
        *self.tally.lock() = Tally::default();
    }

    /// Ends it, waits for what is open, and says what became of all calls.
    pub(crate) async fn end(self) -> Tally {
        self.creating.abort();
        let _all = self.open.acquire_many(u32::try_from(OPEN).unwrap()).await.unwrap();
        std::mem::take(&mut *self.tally.lock())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.creating.abort();
    }
}

async fn one(client: &Client, namespace: &str, number: usize, tally: &Mutex<Tally>) {
    let sort = Sort::ALL[number % Sort::ALL.len()];
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod: Pod = serde_json::from_value(sort.pod(namespace, number)).unwrap();
    let name = pod.metadata.name.clone().unwrap();
    let late = || (Outcome::Failed, format!("no answer within {} s", PATIENCE.as_secs()));
    let parameters = PostParams::default();
    let created = tokio::time::timeout(PATIENCE, pods.create(&parameters, &pod)).await;
    let created = created.map_or_else(|_| late(), outcome);
    let was_created = created.0 == Outcome::Admitted;
    tally.lock().count(sort.is_legal(), created);
    let Some(node) = sort.bound().filter(|_| was_created) else { return };
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "namespace": namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/binding"))
        .header("content-type", "application/json")
        .body(binding.to_string().into_bytes())
        .unwrap();
    let bound = tokio::time::timeout(PATIENCE, client.request::<Value>(request)).await;
    tally.lock().count(node == FRANKFURT, bound.map_or_else(|_| late(), outcome));
}
