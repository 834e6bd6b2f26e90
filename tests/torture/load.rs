//! Pods that are created and bound all the time, and volumes for claims, some of which may be where they ask to be and some
//! of which may not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::stand::{FRANKFURT, KEY, VIRGINIA};
use crate::stored::{Step, steps};

/// Calls that are open at once. Past them the load waits.
const OPEN: usize = 128;
/// No answer after this counts as a failed call. What became of it is seen in the end.
const PATIENCE: Duration = Duration::from_secs(20);
/// So often a claim with a volume, and not a pod: for each, all pods of the namespace are read.
const EVERY: usize = 53;
/// The claim with personal data that pods mount.
pub(crate) const CLAIM: &str = "orders";

/// Classifications that nothing is said of until policies come that forbid them at home.
pub(crate) const TURNING: usize = 18;

/// Whether those policies are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Turn {
    #[default]
    Before,
    /// They are stored, and nobody knows who has heard of them.
    Between,
    /// Every replica has.
    After,
}

/// What a pod is like. The first letter of its name says whether it may be created: `l` for legal, `i` for illegal, `t` for
/// one that may have been when that was asked, and `w` for one that may wait but not be anywhere.
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
    /// Data that will be forbidden, with the name of a node at home.
    Turning,
    /// Personal data in the regions of the nodes that have arrived; the scheduler binds it.
    FloodedAtHome,
    FloodedAbroad,
    /// With the name of one of those nodes.
    FloodNamedAtHome,
    FloodNamedAbroad,
    /// Pinned to their region at home, and bound by hand to one of them.
    FloodBoundAtHome,
    FloodBoundAbroad,
}

impl Sort {
    const ALL: [Self; 12] = [
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
        Self::Turning,
    ];

    /// Every other one, once there are such nodes.
    const FLOODED: [Self; 6] = [
        Self::FloodedAtHome,
        Self::FloodedAbroad,
        Self::FloodNamedAtHome,
        Self::FloodNamedAbroad,
        Self::FloodBoundAtHome,
        Self::FloodBoundAbroad,
    ];

    fn of(number: usize, flood: usize) -> Self {
        if flood > 0 && number % 2 == 1 {
            return Self::FLOODED[number / 2 % Self::FLOODED.len()];
        }
        Self::ALL[number % Self::ALL.len()]
    }

    /// Whether it may be created; nothing if that is not known at this moment.
    fn is_legal(self, turn: Turn) -> Option<bool> {
        match self {
            Self::PinnedAbroad
            | Self::Unpinned
            | Self::NamedAbroad
            | Self::ClaimedAbroad
            | Self::FloodNamedAbroad => Some(false),
            // Who has not heard of a node there admits it, as one that can go nowhere. It may never be bound.
            Self::FloodedAbroad => None,
            Self::Turning => match turn {
                Turn::Before => Some(true),
                Turn::Between => None,
                Turn::After => Some(false),
            },
            _ => Some(true),
        }
    }

    /// The node that it is bound to by hand, and whether it may be.
    fn bound(self, number: usize, flood: usize) -> Option<(String, bool)> {
        match self {
            Self::BoundAtHome => Some((FRANKFURT.to_owned(), true)),
            Self::BoundAbroad => Some((VIRGINIA.to_owned(), false)),
            Self::FloodBoundAtHome => Some((flooded(number, flood, true), true)),
            Self::FloodBoundAbroad => Some((flooded(number, flood, false), false)),
            _ => None,
        }
    }

    pub(crate) fn pod(self, namespace: &str, number: usize, turn: Turn, flood: usize) -> Value {
        let letter = match self.is_legal(turn) {
            Some(false) => 'i',
            _ if self == Self::Turning => 't',
            Some(true) => 'l',
            None => 'w',
        };
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{letter}-{number}"), "namespace": namespace},
            "spec": {"containers": [{"name": "app", "image": "none"}]},
        });
        let carried = match self {
            Self::Plain | Self::ClaimedAtHome | Self::ClaimedAbroad => None,
            Self::Confined => Some("health".to_owned()),
            Self::Turning => Some(turning(number / Self::ALL.len())),
            _ => Some("personal".to_owned()),
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
            Self::NamedAtHome | Self::ClaimedAtHome | Self::Turning => spec["nodeName"] = json!(FRANKFURT),
            Self::NamedAbroad | Self::ClaimedAbroad => spec["nodeName"] = json!(VIRGINIA),
            Self::FloodedAtHome | Self::FloodBoundAtHome | Self::FloodBoundAbroad => {
                spec["nodeSelector"] = json!({"topology.kubernetes.io/region": "eu-west-1"});
            }
            Self::FloodedAbroad => {
                spec["nodeSelector"] = json!({"topology.kubernetes.io/region": "us-west-2"});
            }
            Self::FloodNamedAtHome => spec["nodeName"] = json!(flooded(number, flood, true)),
            Self::FloodNamedAbroad => spec["nodeName"] = json!(flooded(number, flood, false)),
            Self::Confined | Self::Unpinned | Self::Plain => {}
        }
        if Self::FLOODED.contains(&self) {
            // A new node is tainted as not ready, and no kubelet is there to lift that.
            spec["tolerations"] = json!([{"operator": "Exists"}]);
        }
        if matches!(self, Self::ClaimedAtHome | Self::ClaimedAbroad) {
            spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}]);
        }
        if self.bound(number, flood.max(2)).is_some() {
            spec["schedulerName"] = json!("mine");
        }
        pod
    }
}

/// One of the nodes that have arrived, of which every other one is at home.
fn flooded(number: usize, flood: usize, at_home: bool) -> String {
    let pair = number % (flood / 2);
    format!("flood-{}", if at_home { 2 * pair } else { 2 * pair + 1 })
}

/// One of the classifications that will be forbidden.
pub(crate) fn turning(number: usize) -> String {
    format!("turning-{}", number % TURNING)
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

/// What was said to be stored, so that it has to be there in the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Made {
    /// With its node, if it has one.
    Pod(String, Option<String>),
    Claim(String),
    Volume(String),
    /// Others may delete it.
    Other,
}

/// What became of many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// What the load made, or tried to; bindings belong to their pods.
    pub(crate) tried: usize,
    pub(crate) made: Vec<Made>,
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
    /// Where both would have been right, the answer was.
    fn count(&mut self, is_legal: Option<bool>, (outcome, why): (Outcome, String)) {
        let is_legal = is_legal.unwrap_or(outcome != Outcome::Denied);
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
    shared: Arc<Shared>,
    creating: JoinHandle<()>,
    open: Arc<Semaphore>,
}

struct Shared {
    client: Client,
    namespace: String,
    tally: Mutex<Tally>,
    turn: Mutex<Turn>,
    /// Nodes that have arrived and can be named.
    flood: AtomicUsize,
}

impl Load {
    pub(crate) fn begin(client: &Client, namespace: &str, rate: u32) -> Self {
        let open = Arc::new(Semaphore::new(OPEN));
        let shared = Arc::new(Shared {
            client: client.clone(),
            namespace: namespace.to_owned(),
            tally: Mutex::default(),
            turn: Mutex::default(),
            flood: AtomicUsize::new(0),
        });
        let creating = tokio::spawn({
            let (shared, open) = (Arc::clone(&shared), Arc::clone(&open));
            async move {
                let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                for number in 0.. {
                    ticks.tick().await;
                    let place = Arc::clone(&open).acquire_owned().await.unwrap();
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move {
                        shared.one(number).await;
                        drop(place);
                    });
                }
            }
        });
        Self { shared, creating, open }
    }

    /// Counts from now on.
    pub(crate) fn count_anew(&self) {
        *self.shared.tally.lock() = Tally::default();
    }

    pub(crate) fn turn(&self, turn: Turn) {
        *self.shared.turn.lock() = turn;
    }

    /// Half of it is about these nodes from now on.
    pub(crate) fn flood(&self, nodes: usize) {
        self.shared.flood.store(nodes, Ordering::SeqCst);
    }

    /// Ends it, waits for what is open, and says what became of all calls.
    pub(crate) async fn end(self) -> Tally {
        self.creating.abort();
        let _all = self.open.acquire_many(u32::try_from(OPEN).unwrap()).await.unwrap();
        std::mem::take(&mut *self.shared.tally.lock())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.creating.abort();
    }
}

impl Shared {
    async fn one(&self, number: usize) {
        if number % EVERY == EVERY - 1 {
            self.store(number).await;
        } else {
            self.place(number).await;
        }
        self.tally.lock().tried += 1;
    }

    async fn place(&self, number: usize) {
        let flood = self.flood.load(Ordering::SeqCst);
        let sort = Sort::of(number, flood);
        let turn = *self.turn.lock();
        let pod = sort.pod(&self.namespace, number, turn, flood);
        let (name, node) = (&pod["metadata"]["name"], &pod["spec"]["nodeName"]);
        let made = |node: Option<&str>| Made::Pod(name.as_str().unwrap().to_owned(), node.map(str::to_owned));
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let created = self.post(&path, &pod).await;
        let was_created = created.0 == Outcome::Admitted;
        // What has turned meanwhile was right either way.
        let is_legal = sort.is_legal(turn).filter(|is| sort.is_legal(*self.turn.lock()) == Some(*is));
        self.count(is_legal, created, made(node.as_str()));
        let Some((node, may_be)) = sort.bound(number, flood).filter(|_| was_created) else { return };
        let path = format!("{path}/{}/binding", name.as_str().unwrap());
        let bound = self.post(&path, &binding(name, &node)).await;
        self.count(Some(may_be), bound, made(Some(&node)));
    }

    /// Every other claim gets a volume abroad.
    async fn store(&self, number: usize) {
        for Step { path, object, is_legal, made } in
            steps(&self.namespace, number, (number / EVERY).is_multiple_of(2))
        {
            let created = self.post(&path, &object).await;
            let goes_on = !is_legal || created.0 == Outcome::Admitted;
            self.count(Some(is_legal), created, made);
            if !goes_on {
                return;
            }
        }
    }

    fn count(&self, is_legal: Option<bool>, what: (Outcome, String), made: Made) {
        let mut tally = self.tally.lock();
        if what.0 == Outcome::Admitted {
            tally.made.push(made);
        }
        tally.count(is_legal, what);
    }

    async fn post(&self, path: &str, object: &Value) -> (Outcome, String) {
        let asked = tokio::time::timeout(PATIENCE, post(&self.client, path, object)).await;
        asked.unwrap_or_else(|_| (Outcome::Failed, format!("no answer within {} s", PATIENCE.as_secs())))
    }
}

/// What binds a pod to a node.
pub(crate) fn binding(pod: &Value, node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    })
}

/// Creates an object there.
pub(crate) async fn post(client: &Client, path: &str, object: &Value) -> (Outcome, String) {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())
        .unwrap();
    outcome(client.request::<Value>(request).await)
}
