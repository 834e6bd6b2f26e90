//! Has the leader write how each policy fares into its status, and whether a geography is in use into its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::watch;

use super::ledger::{Counts, Ledger};
use crate::api::{Compliance, GeographyStatus, ResidencyPolicyStatus};
use crate::cluster::{Kind, Problem, Shared, State};

/// What changes within this time is written once.
const SETTLE: Duration = Duration::from_millis(200);
/// How many objects a policy selects changes all the time, and is written no more often than this. As often it is read
/// what is stored: somebody else may have written it.
const COUNTS: Duration = Duration::from_secs(30);
/// No call takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long is waited after a call that failed.
const AGAIN: Duration = Duration::from_secs(2);
/// The API server takes no longer message in a condition.
const MESSAGE_LIMIT: usize = 8_192;

/// What writing statuses takes.
#[derive(Debug)]
pub struct Statuses {
    /// What is known of the cluster.
    pub shared: Shared,
    /// What has been found.
    pub ledger: Arc<Mutex<Ledger>>,
    /// Changes after each audit.
    pub audited: watch::Receiver<u64>,
}

/// The statuses that were stored at a moment, or have been written since.
struct Stored {
    read: Instant,
    policies: BTreeMap<String, Known<ResidencyPolicyStatus>>,
    geographies: BTreeMap<String, Known<GeographyStatus>>,
}

/// A status that is stored.
struct Known<S> {
    /// That of the object that has it: another may come to have its name.
    uid: String,
    status: S,
    /// When this process wrote it.
    written: Option<Instant>,
}

impl Stored {
    /// Reads all of them. What is as it was `before` was written when that was.
    async fn read(
        policies: &Api<DynamicObject>,
        geographies: &Api<DynamicObject>,
        before: Option<Self>,
    ) -> Result<Self, String> {
        let read = Instant::now();
        let mut written = before.map(|before| before.policies).unwrap_or_default();
        let mut policies = statuses::<ResidencyPolicyStatus>(policies).await?;
        for (name, known) in &mut policies {
            let before = written.remove(name).filter(|before| before.status == known.status);
            known.written = before.and_then(|before| before.written);
        }
        Ok(Self { read, policies, geographies: statuses(geographies).await? })
    }

    /// Forgets those of objects that have been made again under their names, and so have none.
    fn keep_only(&mut self, state: &State) {
        let is_it = |kind, name: &str, uid: &str| state.uid(kind, name).is_none_or(|now| now == uid);
        self.policies.retain(|name, known| is_it(Kind::ResidencyPolicy, name, &known.uid));
        self.geographies.retain(|name, known| is_it(Kind::Geography, name, &known.uid));
    }
}

impl Statuses {
    /// Writes statuses while this process leads, for as long as the future is polled.
    pub async fn run(mut self, client: Client, mut leads: watch::Receiver<bool>) {
        loop {
            if *leads.borrow_and_update() {
                tokio::select! {
                    biased;
                    changed = leads.changed() => if changed.is_err() { return },
                    () = self.lead(&client) => {}
                }
            } else if leads.changed().await.is_err() {
                return;
            }
        }
    }

    async fn lead(&mut self, client: &Client) {
        let mut stored: Option<Stored> = None;
        loop {
            let wait = match self.write(client, &mut stored).await {
                Ok(wait) => wait,
                Err(reason) => {
                    tracing::warn!(reason, "a status could not be written; trying again");
                    // What is stored may not be what was thought.
                    stored = None;
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            tokio::select! {
                changed = self.audited.changed() => match changed {
                    Ok(()) => tokio::time::sleep(SETTLE).await,
                    Err(_) => std::future::pending().await,
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Writes what differs, and says how long nothing need be done if nothing changes. One status that is not taken keeps
    /// no other from being written.
    async fn write(&mut self, client: &Client, stored: &mut Option<Stored>) -> Result<Duration, String> {
        // Before the first audit nothing is known.
        if *self.audited.borrow_and_update() == 0 {
            return Ok(COUNTS);
        }
        // Of any form: one that cannot be read has a status too, and holds up no other's.
        let of = |kind: Kind| Api::<DynamicObject>::all_with(client.clone(), &kind.api_resource());
        let (policies, geographies) = (of(Kind::ResidencyPolicy), of(Kind::Geography));
        let known = stored.take();
        let stored = stored.insert(match known {
            Some(known) if known.read.elapsed() < COUNTS => known,
            known => Stored::read(&policies, &geographies, known).await?,
        });
        stored.keep_only(&self.shared.read());
        let now = Timestamp::now();
        let mut wait = COUNTS.saturating_sub(stored.read.elapsed());
        let mut refused = None;
        let wanted = self.wanted_of_policies(stored, now);
        stored.policies.retain(|name, _| wanted.contains_key(name));
        for (name, status) in wanted {
            let known = stored.policies.get(&name);
            if known.is_some_and(|known| known.status == status) {
                continue;
            }
            if let Some(Known { status: known, written: Some(written), .. }) = known
                && only_counts_differ(known, &status)
                && let Some(left) = COUNTS.checked_sub(written.elapsed())
            {
                wait = wait.min(left);
                continue;
            }
            match patch(&policies, &name, &status).await? {
                Ok(Some(uid)) => {
                    stored.policies.insert(name, Known { uid, status, written: Some(Instant::now()) });
                }
                Ok(None) => {}
                Err(reason) => drop(refused.get_or_insert(format!("policy {name}: {reason}"))),
            }
        }
        let wanted = self.wanted_of_geographies(stored, now);
        stored.geographies.retain(|name, _| wanted.contains_key(name));
        for (name, status) in wanted {
            if stored.geographies.get(&name).is_some_and(|known| known.status == status) {
                continue;
            }
            match patch(&geographies, &name, &status).await? {
                Ok(Some(uid)) => {
                    stored.geographies.insert(name, Known { uid, status, written: Some(Instant::now()) });
                }
                Ok(None) => {}
                Err(reason) => drop(refused.get_or_insert(format!("geography {name}: {reason}"))),
            }
        }
        refused.map_or(Ok(wait), Err)
    }

    fn wanted_of_policies(&self, stored: &Stored, now: Timestamp) -> BTreeMap<String, ResidencyPolicyStatus> {
        let state = self.shared.read();
        let ledger = self.ledger.lock();
        let problems = by_name(state.problems(), "ResidencyPolicy");
        let none = Counts::default();
        let written = state.written_policies().map(|(name, policy)| (name, policy.metadata.generation));
        // One that cannot be read is in force as well as it can be, and says so.
        let unreadable = problems.keys().map(|name| (name.as_str(), None));
        let all: BTreeMap<&str, Option<i64>> = unreadable.chain(written).collect();
        all.into_iter()
            .map(|(name, generation)| {
                let counts = ledger.counts().get(name).unwrap_or(&none);
                let before = stored.policies.get(name).map(|known| &known.status);
                let problems = problems.get(name).map_or(&[][..], Vec::as_slice);
                (name.to_owned(), of_policy(generation, problems, counts, before, now))
            })
            .collect()
    }

    fn wanted_of_geographies(&self, stored: &Stored, now: Timestamp) -> BTreeMap<String, GeographyStatus> {
        let state = self.shared.read();
        let problems = by_name(state.problems(), "Geography");
        let names: BTreeSet<&str> =
            state.geography_names().chain(problems.keys().map(String::as_str)).collect();
        names
            .into_iter()
            .map(|name| {
                let before = stored.geographies.get(name).map(|known| &known.status);
                let problems = problems.get(name).map_or(&[][..], Vec::as_slice);
                (name.to_owned(), of_geography(problems, before, now))
            })
            .collect()
    }
}

fn by_name(problems: Vec<Problem>, kind: &str) -> BTreeMap<String, Vec<Problem>> {
    let mut found: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
    for problem in problems.into_iter().filter(|problem| problem.object.kind == kind) {
        found.entry(problem.object.name.clone()).or_default().push(problem);
    }
    found
}

fn of_policy(
    generation: Option<i64>,
    problems: &[Problem],
    counts: &Counts,
    before: Option<&ResidencyPolicyStatus>,
    now: Timestamp,
) -> ResidencyPolicyStatus {
    let known = before.and_then(|before| before.conditions.as_deref()).unwrap_or_default();
    let (violating, exempted) = (counts.total(), counts.spared());
    let spared = match exempted {
        0 => String::new(),
        number => format!("{number} of {} objects keep it only because of an exception", counts.checked),
    };
    let compliant = if violating == 0 {
        ("True", "NoViolation", spared)
    } else {
        let broken = format!("{violating} of {} objects break it", counts.checked);
        ("False", "Violations", if spared.is_empty() { broken } else { format!("{broken}, {spared}") })
    };
    let conditions = vec![
        condition("Compliant", compliant, known, now),
        condition("Ready", ready(problems, "it is in force"), known, now),
    ];
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (checked, violating, exempted) = (number(counts.checked), number(violating), Some(number(exempted)));
    let counted = before.and_then(|before| before.compliance.as_ref());
    let last_audit = counted
        .filter(|before| {
            (before.checked, before.violating, before.exempted) == (checked, violating, exempted)
        })
        .map_or(Some(now), |before| before.last_audit);
    ResidencyPolicyStatus {
        observed_generation: generation,
        conditions: Some(conditions),
        compliance: Some(Compliance { checked, violating, exempted, last_audit }),
    }
}

fn of_geography(problems: &[Problem], before: Option<&GeographyStatus>, now: Timestamp) -> GeographyStatus {
    let known = before.and_then(|before| before.conditions.as_deref()).unwrap_or_default();
    let (wrong, conflicting): (Vec<Problem>, Vec<Problem>) =
        problems.iter().cloned().partition(|problem| problem.refused);
    let conflict = if conflicting.is_empty() {
        ("False", "NoConflict", String::new())
    } else {
        ("True", "Conflict", messages(&conflicting))
    };
    let conditions = vec![
        condition("Conflict", conflict, known, now),
        condition("Ready", ready(&wrong, "it is in use"), known, now),
    ];
    GeographyStatus { observed_generation: None, conditions: Some(conditions) }
}

fn ready(problems: &[Problem], fine: &str) -> (&'static str, &'static str, String) {
    let reason = if problems.iter().any(|problem| problem.refused) { "Invalid" } else { "NotResolved" };
    if problems.is_empty() {
        ("True", "InForce", fine.to_owned())
    } else {
        ("False", reason, messages(problems))
    }
}

fn messages(problems: &[Problem]) -> String {
    let all: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let mut text = all.join("; ");
    text.truncate(text.floor_char_boundary(MESSAGE_LIMIT));
    text
}

fn condition(
    kind: &str,
    (status, reason, message): (&str, &str, String),
    known: &[Condition],
    now: Timestamp,
) -> Condition {
    let same = known.iter().find(|known| known.type_ == kind && known.status == status);
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: same
            .map_or_else(|| Time(whole_seconds(now)), |known| known.last_transition_time.clone()),
        observed_generation: None,
    }
}

/// As the API server keeps times of conditions.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Whether nothing is new but how many objects a policy selects.
fn only_counts_differ(known: &ResidencyPolicyStatus, wanted: &ResidencyPolicyStatus) -> bool {
    let rest = |status: &ResidencyPolicyStatus| {
        let violating = status.compliance.as_ref().map(|counts| (counts.violating, counts.exempted));
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let conditions: Vec<_> = conditions
            .iter()
            .map(|one| (one.type_.clone(), one.status.clone(), one.reason.clone()))
            .collect();
        (status.observed_generation, violating, conditions)
    };
    rest(known) == rest(wanted)
}

/// The statuses that are stored, by name. One that is not of this form will be written anew.
async fn statuses<S: DeserializeOwned>(
    api: &Api<DynamicObject>,
) -> Result<BTreeMap<String, Known<S>>, String> {
    match tokio::time::timeout(TIMEOUT, api.list(&ListParams::default())).await {
        Ok(Ok(list)) => {
            let status = |object: DynamicObject| {
                let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
                let status = serde_json::from_value(object.data.get("status")?.clone()).ok()?;
                Some((name, Known { uid, status, written: None }))
            };
            Ok(list.items.into_iter().filter_map(status).collect())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

/// What became of a status that was to be written: the uid of the object that has it, if there is one, or why it was not
/// taken.
type Patched = Result<Option<String>, String>;

/// Writes a status. It fails if there is no answer.
async fn patch<S: Serialize + Sync>(
    api: &Api<DynamicObject>,
    name: &str,
    status: &S,
) -> Result<Patched, String> {
    let change = Patch::Merge(json!({"status": status}));
    let params = PatchParams::default();
    match tokio::time::timeout(TIMEOUT, api.patch_status(name, &params, &change)).await {
        Ok(Ok(object)) => Ok(Ok(Some(object.uid().unwrap_or_default()))),
        Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Ok(Ok(None)),
        Ok(Err(kube::Error::Api(status))) => Ok(Err(status.message.clone())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    mod writing;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn counts(checked: usize, violating: usize) -> Counts {
        let violating = Some(("Pod", violating)).filter(|(_, number)| *number > 0).into_iter().collect();
        Counts { checked, violating, exempted: BTreeMap::new() }
    }

    #[test]
    fn a_status_says_since_when() {
        let first = of_policy(Some(1), &[], &counts(3, 0), None, at("2026-01-01T00:00:00Z"));
        let then = of_policy(Some(1), &[], &counts(3, 2), Some(&first), at("2026-02-01T00:00:00.5Z"));
        let later = of_policy(Some(1), &[], &counts(9, 2), Some(&then), at("2026-03-01T00:00:00Z"));
        let compliant = |status: &ResidencyPolicyStatus| {
            let condition = status.conditions.as_ref().unwrap()[0].clone();
            (condition.status, condition.message, condition.last_transition_time.0.to_string())
        };
        assert_eq!(compliant(&first), ("True".into(), String::new(), "2026-01-01T00:00:00Z".into()));
        let violating = "2 of 3 objects break it";
        assert_eq!(compliant(&then), ("False".into(), violating.into(), "2026-02-01T00:00:00Z".into()));
        assert_eq!(compliant(&later).2, "2026-02-01T00:00:00Z");
        assert!(only_counts_differ(&then, &later) && !only_counts_differ(&first, &then));
        // Nothing is written where nothing has changed.
        assert_eq!(of_policy(Some(1), &[], &counts(9, 2), Some(&later), at("2026-04-01T00:00:00Z")), later);
    }

    #[test]
    fn a_status_says_what_is_only_exempted() {
        let now = at("2026-01-01T00:00:00Z");
        let spared = Counts { exempted: [("Pod", 1)].into(), ..counts(3, 0) };
        let status = of_policy(Some(1), &[], &spared, None, now);
        let condition = status.conditions.as_ref().unwrap()[0].clone();
        assert_eq!(condition.status, "True");
        assert_eq!(condition.message, "1 of 3 objects keep it only because of an exception");
        assert_eq!(status.compliance.as_ref().unwrap().exempted, Some(1));
        let none = of_policy(Some(1), &[], &counts(3, 0), Some(&status), now);
        assert!(!only_counts_differ(&status, &none));
    }

    #[test]
    fn a_status_says_what_is_wrong() {
        let problem = |message: &str, refused| Problem {
            object: crate::objects::ObjectRef {
                api_version: String::new(),
                kind: String::new(),
                namespace: String::new(),
                name: String::new(),
            },
            message: message.to_owned(),
            refused,
        };
        let now = at("2026-01-01T00:00:00Z");
        let status = of_policy(None, &[problem("spec.allow[0]: what", false)], &counts(0, 0), None, now);
        let ready = status.conditions.unwrap()[1].clone();
        assert_eq!(
            [ready.type_, ready.status, ready.reason, ready.message],
            ["Ready", "False", "NotResolved", "spec.allow[0]: what"].map(str::to_owned)
        );
        let geography = of_geography(&[problem("they differ", false)], None, now).conditions.unwrap();
        assert_eq!((&*geography[0].status, &*geography[1].status), ("True", "True"));
        let geography = of_geography(&[problem("XX is no country", true)], None, now).conditions.unwrap();
        assert_eq!((&*geography[0].status, &*geography[1].status), ("False", "False"));
    }

    #[test]
    fn what_cannot_be_read_says_so_too() {
        let shared = Shared::complete(crate::cluster::State::default());
        for kind in [Kind::ResidencyPolicy, Kind::Geography] {
            shared.write().apply_unreadable(kind, "", "odd", &json!({"spec": 3}), "spec: not a map");
        }
        let statuses = Statuses { shared, ledger: Arc::default(), audited: watch::channel(1).1 };
        let (policies, geographies) = (BTreeMap::new(), BTreeMap::new());
        let (stored, now) =
            (Stored { read: Instant::now(), policies, geographies }, at("2026-01-01T00:00:00Z"));
        let policies = statuses.wanted_of_policies(&stored, now);
        let geographies = statuses.wanted_of_geographies(&stored, now);
        for conditions in [policies["odd"].conditions.clone(), geographies["odd"].conditions.clone()] {
            let ready = conditions.unwrap().remove(1);
            assert_eq!((&*ready.type_, &*ready.status, &*ready.reason), ("Ready", "False", "Invalid"));
            assert!(ready.message.contains("spec: not a map"), "{}", ready.message);
        }
    }
}
