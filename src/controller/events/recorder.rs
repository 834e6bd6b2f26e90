//! Writes events: one of what is said, and how often it was. What is said in other words is another event.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;

/// What was said for the last time so long ago is said anew.
const SERIES: SignedDuration = SignedDuration::from_mins(6);

/// The API server takes no longer name.
const NAME_LIMIT: usize = 253;

/// An event that is stored.
#[derive(Clone)]
struct Said {
    namespace: String,
    name: String,
    count: i32,
    last: Timestamp,
}

/// Writes events. Clones know what each other has said.
#[derive(Clone)]
pub(super) struct Recorder {
    client: Client,
    /// By the hash of all that two of one series have in common: notes of many objects take more room.
    said: Arc<Mutex<HashMap<u64, Said>>>,
    hashes: RandomState,
}

impl Recorder {
    pub(super) fn new(client: Client) -> Self {
        Self { client, said: Arc::default(), hashes: RandomState::new() }
    }

    /// Writes an event of which all is given but its name and its time.
    pub(super) async fn publish(&self, event: Event) -> kube::Result<()> {
        let now = Timestamp::now();
        let hash = self.hashes.hash_one(serde_json::to_string(&event).unwrap_or_default());
        let known = {
            let mut said = self.said.lock();
            said.retain(|_, one| one.last + SERIES > now);
            said.get(&hash).cloned()
        };
        let said = match known {
            Some(known) => self.again(known, now).await?,
            None => None,
        };
        let said = match said {
            Some(said) => said,
            None => self.create(event, now).await?,
        };
        self.said.lock().insert(hash, said);
        Ok(())
    }

    async fn create(&self, event: Event, now: Timestamp) -> kube::Result<Said> {
        let regarding = event.regarding.clone().unwrap_or_default();
        // As the API server has it of what has no namespace.
        let namespace = regarding.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let name = named(regarding.name.unwrap_or_default(), now);
        let metadata =
            ObjectMeta { name: Some(name.clone()), namespace: regarding.namespace, ..ObjectMeta::default() };
        let event = Event { metadata, event_time: Some(MicroTime(now)), ..event };
        self.api(&namespace).create(&PostParams::default(), &event).await?;
        Ok(Said { namespace, name, count: 1, last: now })
    }

    /// Counts it. `None`: it is not stored any more.
    async fn again(&self, known: Said, now: Timestamp) -> kube::Result<Option<Said>> {
        let count = known.count.saturating_add(1);
        let series = EventSeries { count, last_observed_time: MicroTime(now) };
        let (change, params) = (Patch::Merge(json!({"series": series})), PatchParams::default());
        match self.api(&known.namespace).patch(&known.name, &params, &change).await {
            Ok(_) => Ok(Some(Said { count, last: now, ..known })),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn api(&self, namespace: &str) -> Api<Event> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// What an event about an object of this name is called. Such a name may be as long as an event's.
fn named(mut object: String, at: Timestamp) -> String {
    let at = format!(".{:x}", at.as_nanosecond());
    object.truncate(object.floor_char_boundary(NAME_LIMIT - at.len()));
    format!("{}{at}", object.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_can_be_made_of_an_object_of_any_name() {
        let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        assert_eq!(named("web-1".into(), at), "web-1.18eaf2d571194000");
        for length in 230..=NAME_LIMIT {
            for end in ["b", "-b", ".b", "-.-b", "b.c-d.e-f.g-h.i-j.k"] {
                let object = format!("{}{end}", "a".repeat(length - end.len()));
                let name = named(object.clone(), at);
                let (about, _) = name.rsplit_once('.').unwrap();
                assert!(name.len() <= NAME_LIMIT && object.starts_with(about), "{name}");
                assert!(about.ends_with(|last: char| last.is_ascii_alphanumeric()), "{name}");
                assert!(about == object || name.len() > NAME_LIMIT - 5, "{name}");
            }
        }
    }
}
