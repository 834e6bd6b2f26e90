//! Statuses of an API server made by hand, into which others write too.

use std::convert::Infallible;

use http::{Request, Response};
use kube::client::Body;
use serde_json::Value;

use super::*;
use crate::objects::Object;

#[derive(Debug, Default)]
struct Server {
    /// By path.
    objects: BTreeMap<String, Value>,
    /// What was asked to be changed.
    changes: Vec<String>,
    /// Whether it answers nothing but errors, and how often it did.
    is_down: bool,
    failed: usize,
    /// Of what it does not take the status.
    refuses: Option<String>,
}

const POLICIES: &str = "/apis/domicile.dev/v1alpha1/residencypolicies";
const GEOGRAPHIES: &str = "/apis/domicile.dev/v1alpha1/geographies";

fn client(server: &Arc<Mutex<Server>>) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            let body = request.into_body().collect_bytes().await.unwrap_or_default();
            let mut server = server.lock();
            let is_refused =
                server.refuses.as_ref().is_some_and(|refused| path.ends_with(&format!("/{refused}/status")));
            let (code, answer) = if server.is_down || is_refused {
                server.failed += 1;
                let failure = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "code": 500, "reason": "InternalError", "message": "the disk is full"});
                (500, failure)
            } else if method == "PATCH" {
                server.changes.push(path.clone());
                let object = server.objects.get_mut(path.trim_end_matches("/status")).unwrap();
                json_patch::merge(object, &serde_json::from_slice(&body).unwrap());
                (200, object.clone())
            } else {
                let there = server.objects.iter().filter(|(one, _)| one.starts_with(&path));
                let items: Vec<Value> = there.map(|(_, object)| object.clone()).collect();
                (200, json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}))
            };
            let answer = Body::from(serde_json::to_vec(&answer).unwrap());
            Ok::<_, Infallible>(Response::builder().status(code).body(answer).unwrap())
        }
    });
    Client::new(service, "default")
}

fn policy(uid: &str) -> Value {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": "eu", "uid": uid, "generation": 1},
        "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}})
}

fn geography(uid: &str) -> Value {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "own", "uid": uid},
        "spec": {"groups": [{"name": "HOME", "members": ["DE"]}]}})
}

/// A policy and a geography, which are known and stored.
fn cluster() -> (Arc<Mutex<Server>>, Shared) {
    let (server, shared) = (Arc::<Mutex<Server>>::default(), Shared::complete(State::default()));
    make(&server, &shared, "1");
    (server, shared)
}

fn make(server: &Mutex<Server>, shared: &Shared, uid: &str) {
    for (path, object) in [(POLICIES, policy(uid)), (GEOGRAPHIES, geography(uid))] {
        let path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
        server.lock().objects.insert(path, object.clone());
        shared.apply(Object::from_value(object).unwrap().unwrap());
    }
}

fn of(shared: &Shared) -> Statuses {
    Statuses { shared: shared.clone(), ledger: Arc::default(), audited: watch::channel(1).1 }
}

fn status(server: &Mutex<Server>, path: &str) -> Value {
    server.lock().objects[path]["status"].clone()
}

#[tokio::test]
async fn what_somebody_else_has_written_is_put_right() {
    let (server, shared) = cluster();
    let (client, mut statuses, mut stored) = (client(&server), of(&shared), None);
    statuses.write(&client, &mut stored).await.unwrap();
    let (of_policy, of_geography) = (format!("{POLICIES}/eu"), format!("{GEOGRAPHIES}/own"));
    assert_eq!(status(&server, &of_policy)["compliance"]["violating"], 0);
    for path in [&of_policy, &of_geography] {
        let mut server = server.lock();
        let status = &mut server.objects.get_mut(path).unwrap()["status"];
        status["conditions"][0]["status"] = json!("Unknown");
        if path == &of_policy {
            status["compliance"]["violating"] = json!(3);
        }
    }
    let wait = statuses.write(&client, &mut stored).await.unwrap();
    assert!(wait <= COUNTS);
    // As if that time had passed.
    let read = &mut stored.as_mut().unwrap().read;
    *read = read.checked_sub(COUNTS).unwrap();
    statuses.write(&client, &mut stored).await.unwrap();
    assert_eq!(status(&server, &of_policy)["compliance"]["violating"], 0);
    assert_eq!(status(&server, &of_policy)["conditions"][0]["status"], "True");
    assert_eq!(status(&server, &of_geography)["conditions"][0]["status"], "False");
    // What is as it should be is not written again.
    let changes = server.lock().changes.len();
    let read = &mut stored.as_mut().unwrap().read;
    *read = read.checked_sub(COUNTS).unwrap();
    statuses.write(&client, &mut stored).await.unwrap();
    assert_eq!(server.lock().changes.len(), changes);
}

#[tokio::test]
async fn who_leads_no_more_writes_no_more_though_it_could_not_before() {
    let (server, shared) = cluster();
    server.lock().is_down = true;
    let (leads, led) = watch::channel(true);
    let writing = tokio::spawn(of(&shared).run(client(&server), led));
    while server.lock().failed == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    leads.send_replace(false);
    server.lock().is_down = false;
    tokio::time::sleep(AGAIN + Duration::from_secs(1)).await;
    assert_eq!(server.lock().changes, [""; 0]);
    leads.send_replace(true);
    while server.lock().changes.len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    writing.abort();
}

#[tokio::test]
async fn what_is_made_again_under_its_name_has_a_status_of_its_own() {
    let (server, shared) = cluster();
    let (client, mut statuses, mut stored) = (client(&server), of(&shared), None);
    statuses.write(&client, &mut stored).await.unwrap();
    assert_eq!(server.lock().changes.len(), 2);
    statuses.write(&client, &mut stored).await.unwrap();
    assert_eq!(server.lock().changes.len(), 2);
    // As `kubectl replace --force` does it, at once.
    make(&server, &shared, "2");
    assert!(status(&server, &format!("{POLICIES}/eu")).is_null());
    statuses.write(&client, &mut stored).await.unwrap();
    assert_eq!(server.lock().changes.len(), 4);
    for path in [format!("{POLICIES}/eu"), format!("{GEOGRAPHIES}/own")] {
        assert!(status(&server, &path)["conditions"].is_array(), "{path}");
    }
    // One that cannot be read has one too.
    for (kind, path, mut object) in
        [(Kind::ResidencyPolicy, POLICIES, policy("3")), (Kind::Geography, GEOGRAPHIES, geography("3"))]
    {
        object["spec"] = json!(3);
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        shared.write().apply_unreadable(kind, "", &name, &object, "spec: not a map");
        server.lock().objects.insert(format!("{path}/{name}"), object);
    }
    statuses.write(&client, &mut stored).await.unwrap();
    assert_eq!(server.lock().changes.len(), 6);
    statuses.write(&client, &mut stored).await.unwrap();
    assert_eq!(server.lock().changes.len(), 6);
}

#[tokio::test]
async fn a_status_that_is_not_taken_keeps_no_other_from_being_written() {
    let (server, shared) = cluster();
    // Before them all.
    let mut odd = policy("odd");
    odd["metadata"]["name"] = json!("a");
    server.lock().objects.insert(format!("{POLICIES}/a"), odd.clone());
    shared.apply(Object::from_value(odd).unwrap().unwrap());
    server.lock().refuses = Some("a".to_owned());
    let reason = of(&shared).write(&client(&server), &mut None).await.unwrap_err();
    assert!(reason.contains("policy a: ") && reason.contains("the disk is full"), "{reason}");
    for path in [format!("{POLICIES}/eu"), format!("{GEOGRAPHIES}/own")] {
        assert!(!status(&server, &path).is_null(), "{path}");
    }
}
