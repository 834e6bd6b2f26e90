//! Reading a cluster, against an API server made by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

use std::sync::{Arc, Mutex};

use domicile::cluster::Loaded;
use domicile::cluster::live::{LiveError, read};
use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// Answers each path with query; what is not listed is an empty list.
fn server(
    answer: impl Fn(&str) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> (Client, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
    let service = tower::service_fn(move |request: Request<Body>| {
        let path = request.uri().to_string();
        log.lock().unwrap().push(format!("{} {path}", request.method()));
        let (code, body) = answer(&path).unwrap_or((200, json!({"items": []})));
        async move {
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            let status = StatusCode::from_u16(code).unwrap();
            Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    });
    (Client::new(service, "default"), asked)
}

#[expect(clippy::unnecessary_wraps, reason = "what a server answers may be nothing in particular")]
fn status(code: u16, reason: &str, message: &str) -> Option<(u16, Value)> {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": message});
    Some((code, body))
}

async fn run(client: &Client) -> Result<Loaded, LiveError> {
    read(client, &mut |_| {}).await
}

fn names(loaded: &Loaded) -> Vec<String> {
    loaded.objects.iter().map(|s| format!("{} ({})", s.object.reference(), s.source)).collect()
}

#[tokio::test]
async fn every_page_of_every_kind_is_read_and_nothing_is_written() {
    let (client, asked) = server(|path| {
        if !path.starts_with("/api/v1/pods?") {
            return None;
        }
        let named =
            |name: &str| json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"nodeName": "n"}});
        if path.contains("continue=more") {
            return Some((200, json!({"metadata": {"continue": ""}, "items": [named("b")]})));
        }
        Some((200, json!({"metadata": {"continue": "more"}, "items": [named("a")]})))
    });
    let loaded = run(&client).await.unwrap();
    assert_eq!(names(&loaded), ["Pod shop/a (cluster)", "Pod shop/b (cluster)"]);
    assert!(loaded.errors.is_empty() && loaded.not_served.is_empty());
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 21);
    for request in asked.iter() {
        assert!(request.starts_with("GET /api") && request.contains("limit=500"), "{request}");
    }
    assert!(
        asked
            .iter()
            .any(|request| request.starts_with("GET /apis/snapshot.storage.k8s.io/v1/volumesnapshots?"))
    );
}

#[tokio::test]
async fn what_is_not_served_is_noted_and_what_is_forbidden_is_an_error() {
    let (client, _) = server(|path| match path {
        path if path.contains("snapshot.storage.k8s.io") => {
            status(404, "NotFound", "the server could not find it")
        }
        path if path.contains("/pods") => status(403, "Forbidden", "pods is forbidden"),
        path if path.contains("/nodes") => Some((200, json!({"items": [{"metadata": {"name": "n"}}]}))),
        _ => None,
    });
    let loaded = run(&client).await.unwrap();
    assert_eq!(names(&loaded), ["Node/n (cluster)"]);
    let not_served: Vec<_> = loaded.not_served.iter().map(String::as_str).collect();
    let group = "snapshot.storage.k8s.io";
    assert_eq!(
        not_served,
        [
            format!("volumesnapshotclasses.{group}"),
            format!("volumesnapshotcontents.{group}"),
            format!("volumesnapshots.{group}")
        ]
    );
    assert_eq!(loaded.errors.len(), 1);
    assert_eq!(
        loaded.errors[0].to_string(),
        "cluster: may not list pods: the user of the kubeconfig needs the verb `list` on `pods` in every namespace"
    );
}

#[tokio::test]
async fn an_object_that_does_not_fit_is_named_and_the_others_are_read() {
    let (client, _) = server(|path| {
        let items = json!({"items": [{"metadata": {"name": "odd"}, "spec": {"taints": 3}}, {"metadata": {"name": "n"}}]});
        path.starts_with("/api/v1/nodes").then_some((200, items))
    });
    let loaded = run(&client).await.unwrap();
    assert_eq!(names(&loaded), ["Node/n (cluster)"]);
    let error = loaded.errors[0].to_string();
    assert!(error.starts_with("cluster: object \"odd\": Node: spec.taints: invalid type"), "{error}");
}

#[tokio::test]
async fn pages_that_expire_are_read_again_once() {
    let expired = Mutex::new(false);
    let (client, _) = server(move |path| {
        if !path.starts_with("/api/v1/pods?") {
            return None;
        }
        if path.contains("continue=") && !std::mem::replace(&mut expired.lock().unwrap(), true) {
            return status(410, "Expired", "too old");
        }
        let next = if path.contains("continue=") { "" } else { "more" };
        let name = if path.contains("continue=") { "b" } else { "a" };
        Some((200, json!({"metadata": {"continue": next}, "items": [{"metadata": {"name": name}}]})))
    });
    assert_eq!(names(&run(&client).await.unwrap()), ["Pod default/a (cluster)", "Pod default/b (cluster)"]);
}

#[tokio::test]
async fn what_ends_everything_says_what_to_do() {
    for (answer, says) in [
        (status(401, "Unauthorized", "no"), "does not accept the kubeconfig's credentials: no. Log in again"),
        (status(500, "InternalError", "etcd is down"), "the cluster cannot list nodes: etcd is down"),
        (status(410, "Expired", "too old"), "changes faster than it can be read"),
        (Some((200, json!([]))), "the cluster cannot list nodes: "),
        (Some((200, json!({}))), "the cluster cannot list nodes: "),
    ] {
        let (client, _) = server(move |_| answer.clone());
        let error = run(&client).await.unwrap_err().to_string();
        assert!(error.contains(says), "{says:?} expected in {error:?}");
    }
    let service = tower::service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(std::io::Error::other("connection refused"))
    });
    let error = run(&Client::new(service, "default")).await.unwrap_err();
    assert!(matches!(error, LiveError::Unreachable { .. }));
    let error = error.to_string();
    assert!(error.contains("connection refused") && error.contains("kubectl get nodes"), "{error}");
}
