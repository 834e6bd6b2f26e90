//! Single objects as they are now, read from the API server past every cache.

use std::sync::Arc;
use std::time::Duration;

use super::kind::Kind;
use super::lanes::Lanes;
use super::live::chain;
use super::overlay::Fresh;
use super::references::{Key, references};
use super::resource::{Resource, SNAPSHOTS};
use super::seen::Seen;
use crate::objects::{Object, ParseError};
use kube::api::{GetParams, ListParams};
use kube::core::Request;
use kube::{Api, Client};

/// Objects a page.
const PAGE: u32 = 500;
/// How long what is read for several goes on. Each of them gives up by itself.
const SHARED: Duration = Duration::from_secs(5);

/// Why it is not known what an object is now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The API server does not answer in time.
    #[error("{what} cannot be read: the API server did not answer within {} ms", timeout.as_millis())]
    Slow {
        /// The object.
        what: String,
        /// How long was waited.
        timeout: Duration,
    },
    /// The API server refuses, or cannot be reached.
    #[error("{what} cannot be read: {reason}")]
    Refused {
        /// The object.
        what: String,
        /// What was said.
        reason: String,
    },
    /// The answer is not the object that was asked for, in a form that is understood.
    #[error("{what} is stored in a form that is not understood: {reason}")]
    NotUnderstood {
        /// The object.
        what: String,
        /// What is wrong.
        reason: String,
    },
}

impl ReadError {
    /// As metrics tell of it.
    #[must_use]
    pub fn result(&self) -> &'static str {
        if matches!(self, Self::Slow { .. }) { "late" } else { "failed" }
    }
}

/// Reads single objects.
#[derive(Clone)]
pub enum Reader {
    /// From the API server, consistently: what was stored before the call is seen.
    Live(Live),
    /// The state comes from files, and there is nothing newer than it.
    Files,
}

/// What reads from the API server take.
#[derive(Clone)]
pub struct Live {
    client: Client,
    /// Many pods are bound to a node and in a namespace at once.
    busy: Reads<Key, Option<Object>>,
    /// The pods that wait, by their namespace: many claims are made or bound in one at once, and each asks for all of them.
    waiting: Reads<String, Arc<[Object]>>,
}

type Reads<K, V> = Arc<Lanes<K, Result<V, ReadError>>>;

impl Reader {
    /// One that reads with this client.
    #[must_use]
    pub fn live(client: Client) -> Self {
        Self::Live(Live { client, busy: Arc::default(), waiting: Arc::default() })
    }

    /// Reads one object and says what the state should be asked with: the object, or that there is none.
    ///
    /// `None` if there is nothing newer than the state. `namespace` is empty for cluster-scoped kinds.
    ///
    /// # Errors
    /// If it cannot be known. That is no permission.
    pub async fn look(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        timeout: Duration,
    ) -> Result<Option<Fresh>, ReadError> {
        let Self::Live(_) = self else { return Ok(None) };
        let found = self.get(kind, namespace, name, timeout).await?;
        let gone = || Fresh::Gone(kind, namespace.to_owned(), name.to_owned());
        Ok(Some(found.map_or_else(gone, Fresh::Is)))
    }

    /// Reads one object. `None`: there is none, or, from files, none newer than the state.
    ///
    /// # Errors
    /// If it cannot be known.
    pub async fn get(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        timeout: Duration,
    ) -> Result<Option<Object>, ReadError> {
        let Self::Live(Live { client, busy, .. }) = self else { return Ok(None) };
        let resource = Resource::of(kind);
        let namespace = if resource.namespaced { namespace } else { "" };
        // Names come from objects that nobody has validated yet, and become part of a path.
        let nameable = is_name(name) && (!resource.namespaced || is_name(namespace));
        let Some(key) = Key::new(kind, namespace, name).filter(|_| nameable) else { return Ok(None) };
        if !matches!(kind, Kind::Node | Kind::Namespace) {
            return read(client, &key, timeout).await;
        }
        let (client, read_for) = (client.clone(), key.clone());
        let reading = busy.read(&key, || async move { read(&client, &read_for, SHARED).await });
        shared(reading, what(kind, namespace, name), timeout).await
    }

    /// Reads the pods of a namespace that mount a claim, have a node and do not run yet, as those do that wait for the claim.
    /// From files: none that are newer than the state.
    ///
    /// # Errors
    /// If it cannot be known.
    pub async fn waiting_pods(&self, namespace: &str, timeout: Duration) -> Result<Arc<[Object]>, ReadError> {
        let Self::Live(Live { client, waiting, .. }) = self else { return Ok(Arc::default()) };
        if !is_name(namespace) {
            return Ok(Arc::default());
        }
        let what = format!("the pods of namespace {namespace} that wait on their nodes");
        let (lane, client, of) = (namespace.to_owned(), client.clone(), what.clone());
        let reading = waiting.read(&lane, || {
            let namespace = lane.clone();
            async move {
                let listing = list_waiting(&client, &namespace, &of);
                let slow = || ReadError::Slow { what: of.clone(), timeout: SHARED };
                tokio::time::timeout(SHARED, listing).await.unwrap_or_else(|_| Err(slow()))
            }
        });
        shared(reading, what, timeout).await
    }
}

/// The answer of a read that others wait for too, or that it does not come in time.
async fn shared<V>(
    reading: impl Future<Output = Option<Result<V, ReadError>>>,
    what: String,
    timeout: Duration,
) -> Result<V, ReadError> {
    match tokio::time::timeout(timeout, reading).await {
        Ok(Some(answer)) => answer,
        Ok(None) => Err(ReadError::Refused { what, reason: "the read ended without an answer".to_owned() }),
        Err(_) => Err(ReadError::Slow { what, timeout }),
    }
}

/// Reads a page after the other, and keeps of each no more than the pods that somebody may ask for.
async fn list_waiting(client: &Client, namespace: &str, what: &str) -> Result<Arc<[Object]>, ReadError> {
    let api: Api<Seen> = Api::namespaced_with(client.clone(), namespace, &Kind::Pod.api_resource());
    let mut params = ListParams::default().fields("spec.nodeName!=,status.phase=Pending").limit(PAGE);
    let mut pods = Vec::new();
    loop {
        let page = api.list(&params).await.map_err(|error| ReadError::Refused {
            what: what.to_owned(),
            reason: match error {
                kube::Error::Api(status) => status.message.clone(),
                error => chain(&error),
            },
        })?;
        for Seen { mut value, .. } in page.items {
            // In a list the API server does not say it of each.
            if let Some(fields) = value.as_object_mut() {
                fields.insert("apiVersion".to_owned(), "v1".into());
                fields.insert("kind".to_owned(), "Pod".into());
            }
            let not_understood = |error: ParseError| ReadError::NotUnderstood {
                what: "a pod among them".to_owned(),
                reason: error.to_string(),
            };
            let pod = Object::from_value(value).map_err(not_understood)?;
            pods.extend(pod.filter(mounts_a_claim));
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(pods.into()),
        }
    }
}

fn mounts_a_claim(pod: &Object) -> bool {
    references(pod).iter().any(|key| key.kind == Kind::PersistentVolumeClaim)
}

/// Reads one object that has a name which can stand in a path.
async fn read(client: &Client, key: &Key, timeout: Duration) -> Result<Option<Object>, ReadError> {
    let Key { kind, namespace, name } = key;
    let (kind, namespace, name) = (*kind, namespace.as_str(), name.as_str());
    let resource = Resource::of(kind);
    let what = what(kind, namespace, name);
    let request = Request::new(resource.path(namespace)).get(name, &GetParams::default());
    let request = match request {
        Ok(request) => request,
        Err(error) => return Err(ReadError::Refused { what, reason: chain(&error) }),
    };
    let Ok(answer) = tokio::time::timeout(timeout, client.request::<Seen>(request)).await else {
        return Err(ReadError::Slow { what, timeout });
    };
    let seen = match answer {
        Ok(seen) => seen,
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
        // The cluster does not serve the kind, and says so in plain text. Of any other kind that is no answer.
        Err(kube::Error::Api(status)) if status.code == 404 && resource.group == SNAPSHOTS => {
            return Ok(None);
        }
        Err(kube::Error::Api(status)) => {
            return Err(ReadError::Refused { what, reason: status.message.clone() });
        }
        Err(error) => return Err(ReadError::Refused { what, reason: chain(&error) }),
    };
    let object = match Object::from_value(seen.value) {
        Ok(object) => object,
        Err(error) => return Err(ReadError::NotUnderstood { what, reason: error.to_string() }),
    };
    match object {
        Some(object) if Kind::of(&object) == Some(kind) && object.key() == (namespace, name) => {
            Ok(Some(object))
        }
        _ => {
            let reason = "the API server answered with something else".to_owned();
            Err(ReadError::NotUnderstood { what, reason })
        }
    }
}

/// Whether an object can have this name: a DNS subdomain, as all of the kinds that are read.
fn is_name(name: &str) -> bool {
    let inside = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=253).contains(&bytes.len())
        && bytes.iter().all(|byte| inside(byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().is_some_and(inside)
        && bytes.last().is_some_and(inside)
}

fn what(kind: Kind, namespace: &str, name: &str) -> String {
    let kind = kind.as_str();
    if namespace.is_empty() { format!("{kind}/{name}") } else { format!("{kind} {namespace}/{name}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::faked::{refusal, server};
    use super::{Fresh, Kind, ReadError, Reader};

    const SOON: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn one_object_is_read_consistently() {
        let (client, asked) = server(|_, _| {
            let pod =
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "web"}});
            Some((200, pod))
        });
        let found = Reader::live(client).look(Kind::Pod, "shop", "web", SOON).await.unwrap();
        assert!(matches!(found, Some(Fresh::Is(_))));
        // No resource version is named: the answer is what is stored now.
        assert_eq!(asked.lock().unwrap()[0].0, "GET /api/v1/namespaces/shop/pods/web");
    }

    /// Of a pod that has a node and mounts a claim.
    fn mounting(claim: &str) -> Value {
        let volumes = json!([{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]);
        json!({"nodeName": "n", "volumes": volumes})
    }

    /// Nested as deep as somebody likes who may write the object.
    fn deep() -> Value {
        let nested = (0..1000).fold(json!({}), |inner, _| json!({"f:a": inner}));
        json!([{"manager": "deep", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": nested}])
    }

    #[tokio::test]
    async fn what_nobody_reads_may_be_nested_deep() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "shop", "name": "web", "managedFields": deep()},
            "spec": mounting("data")});
        let (client, _) = server(move |what, _| {
            let list = json!({"kind": "PodList", "metadata": {}, "items": [pod]});
            Some((200, if what.contains("fieldSelector") { list } else { pod.clone() }))
        });
        let reader = Reader::live(client);
        assert!(reader.get(Kind::Pod, "shop", "web", SOON).await.unwrap().is_some());
        assert_eq!(reader.waiting_pods("shop", SOON).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn pods_that_wait_are_read_page_by_page() {
        let (client, asked) = server(|what, _| {
            let (name, next) = if what.contains("continue=more") { ("b", "") } else { ("a", "more") };
            Some((
                200,
                json!({"apiVersion": "v1", "kind": "PodList", "metadata": {"continue": next},
                "items": [
                    {"metadata": {"namespace": "shop", "name": name}, "spec": mounting("data")},
                    {"metadata": {"namespace": "shop", "name": "bare"}, "spec": {"nodeName": "n"}},
                ]}),
            ))
        });
        let found = Reader::live(client).waiting_pods("shop", SOON).await.unwrap();
        assert_eq!(found.iter().map(|pod| pod.key().1).collect::<Vec<_>>(), ["a", "b"]);
        let first = asked.lock().unwrap()[0].0.clone();
        assert!(first.starts_with("GET /api/v1/namespaces/shop/pods?"), "{first}");
        assert!(first.contains("spec.nodeName%21%3D") && !first.contains("resourceVersion"), "{first}");
        let (client, _) = server(|_, _| refusal(403, "Forbidden", "pods is forbidden"));
        let error = Reader::live(client).waiting_pods("shop", SOON).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "the pods of namespace shop that wait on their nodes cannot be read: pods is forbidden"
        );
        assert!(Reader::Files.waiting_pods("shop", SOON).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_list_serves_all_who_asked_before_it_began() {
        let (client, asked) = server(|_, _| {
            let pod = json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": mounting("data")});
            Some((200, json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod]})))
        });
        let reader = Reader::live(client);
        let asks = (0..50).map(|_| reader.waiting_pods("shop", SOON));
        let found = futures::future::join_all(asks).await;
        assert!(found.iter().all(|pods| pods.as_ref().is_ok_and(|pods| pods.len() == 1)));
        assert_eq!(asked.lock().unwrap().len(), 1);
        reader.waiting_pods("shop", SOON).await.unwrap();
        assert_eq!(asked.lock().unwrap().len(), 2, "what was read before is not said again");
    }

    #[tokio::test]
    async fn what_is_not_there_is_gone() {
        let (client, _) = server(|_, _| refusal(404, "NotFound", "pods \"web\" not found"));
        let found = Reader::live(client).look(Kind::Pod, "shop", "web", SOON).await.unwrap();
        let Some(Fresh::Gone(kind, namespace, name)) = found else { panic!("{found:?}") };
        assert_eq!((kind, &*namespace, &*name), (Kind::Pod, "shop", "web"));
    }

    #[tokio::test]
    async fn no_name_leads_anywhere_else() {
        let (client, asked) = server(|_, _| refusal(500, "InternalError", "asked"));
        let reader = Reader::live(client);
        for (namespace, name) in [
            ("shop", "../secrets/x"),
            ("shop", ""),
            ("", "web"),
            ("..", "web"),
            ("shop", "a?watch=true"),
            ("shop", "A"),
        ] {
            let found = reader.look(Kind::PersistentVolumeClaim, namespace, name, SOON).await;
            assert!(matches!(found, Ok(Some(Fresh::Gone(..)))), "{namespace}/{name}: {found:?}");
        }
        assert!(asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_known_is_an_error_that_says_so() {
        let (client, _) = server(|what, _| match what {
            what if what.contains("slow") => None,
            what if what.contains("refused") => refusal(403, "Forbidden", "nodes is forbidden"),
            what if what.contains("odd") => Some((
                200,
                json!({"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "odd"}, "spec": {"taints": 3}}),
            )),
            _ => Some((200, json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "another"}}))),
        });
        let reader = Reader::live(client);
        let said = async |name| reader.get(Kind::Node, "", name, SOON).await.unwrap_err().to_string();
        assert_eq!(
            said("slow").await,
            "Node/slow cannot be read: the API server did not answer within 200 ms"
        );
        assert_eq!(said("refused").await, "Node/refused cannot be read: nodes is forbidden");
        let odd = said("odd").await;
        assert!(
            odd.starts_with("Node/odd is stored in a form that is not understood: Node: spec.taints"),
            "{odd}"
        );
        let other = reader.get(Kind::Node, "", "one", SOON).await;
        assert!(matches!(other, Err(ReadError::NotUnderstood { .. })), "{other:?}");
    }

    #[tokio::test]
    async fn files_have_nothing_newer() {
        assert!(Reader::Files.look(Kind::Node, "", "n", SOON).await.unwrap().is_none());
    }
}
