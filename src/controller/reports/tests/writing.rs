//! Several reports are written side by side, and one after another about the same object.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::super::dialect::DIALECTS;
use super::super::write::clear;
use super::super::{Keeping, TOGETHER, keeping};
use super::{enter, finding, pod};
use crate::api::Action;
use crate::cluster::faked;
use crate::controller::ledger::Ledger;

/// An API server that takes its time.
#[derive(Debug, Default)]
struct Server {
    /// What is asked at the moment, and the most that ever was.
    asked: (usize, usize),
    /// Method and object of every write, as they began.
    writes: Vec<String>,
    /// Objects of which two writes were under way.
    raced: BTreeSet<String>,
    under_way: BTreeSet<String>,
    /// Objects whose reports it does not take.
    refuses: BTreeSet<String>,
}

const SLOW: Duration = Duration::from_millis(10);

fn client(server: &Arc<Mutex<Server>>) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            let body = request.into_body().collect_bytes().await.unwrap_or_default();
            let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let object = body["scope"]["name"].as_str().map_or_else(|| name.clone(), str::to_owned);
            let is_write = method != "GET";
            let is_refused = {
                let mut server = server.lock();
                server.asked.0 += 1;
                server.asked.1 = server.asked.1.max(server.asked.0);
                if is_write {
                    server.writes.push(format!("{method} {object}"));
                    if !server.under_way.insert(object.clone()) {
                        server.raced.insert(object.clone());
                    }
                }
                server.refuses.contains(&object) && is_write
            };
            tokio::time::sleep(SLOW).await;
            let mut server = server.lock();
            server.asked.0 -= 1;
            if is_write {
                server.under_way.remove(&object);
            } else {
                body = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                    "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}")}});
            }
            let mut code = 200;
            if is_refused {
                code = 500;
                body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "code": code, "reason": "InternalError", "message": "the disk is full"});
            } else if method == "PATCH" {
                body["metadata"] = json!({"name": name, "namespace": "shop"});
                body["apiVersion"] = json!("openreports.io/v1alpha1");
                body["kind"] = json!("Report");
            }
            let body = Body::from(serde_json::to_vec(&body).unwrap_or_default());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

fn judged(ledger: &Mutex<Ledger>, name: &str, is_broken: bool) {
    let findings = is_broken.then(|| finding(Some("eu"), Action::Deny)).into_iter().collect();
    enter(&mut ledger.lock(), &pod(name), &["eu"], findings, &[]);
}

/// Writes until nothing is left to write, without a pause.
async fn settle(keeping: &mut Keeping<'_>) {
    loop {
        while keeping.may_begin() {
            keeping.begin();
        }
        let Some(done) = keeping.writing.next().await else { return };
        keeping.end(done);
    }
}

#[tokio::test]
async fn reports_are_written_side_by_side_and_those_of_one_object_in_order() {
    let server = Arc::<Mutex<Server>>::default();
    let client = client(&server);
    let ledger = Arc::<Mutex<Ledger>>::default();
    let mut keeping = keeping(&client, &DIALECTS[0], Arc::clone(&ledger), 100);
    keeping.coming_in = [None, None];
    let names: Vec<String> = (0..40).map(|number| format!("p{number:02}")).collect();
    for name in &names {
        judged(&ledger, name, true);
        keeping.look_at([pod(name)]);
    }
    // While the first are under way, what there is to say of them changes.
    while keeping.may_begin() {
        keeping.begin();
    }
    assert_eq!(keeping.writing.len(), TOGETHER);
    for name in &names[..TOGETHER] {
        judged(&ledger, name, false);
        keeping.look_at([pod(name)]);
    }
    settle(&mut keeping).await;
    let server = server.lock();
    assert_eq!(server.asked.1, TOGETHER);
    assert!(server.raced.is_empty(), "{:?}", server.raced);
    for (number, name) in names.iter().enumerate() {
        let writes: Vec<&String> = server.writes.iter().filter(|one| one.ends_with(name.as_str())).collect();
        let expected = [format!("POST {name}"), format!("PATCH {name}")];
        let expected = &expected[..if number < TOGETHER { 2 } else { 1 }];
        assert_eq!(writes, expected.iter().collect::<Vec<_>>());
    }
    assert_eq!((keeping.shelf.len(), keeping.busy.len(), keeping.waiting.len()), (40, 0, 0));
    assert!(!keeping.is_behind());
}

#[tokio::test]
async fn what_comes_in_of_a_report_that_is_being_written_counts_afterwards() {
    let server = Arc::<Mutex<Server>>::default();
    let client = client(&server);
    let ledger = Arc::<Mutex<Ledger>>::default();
    let mut keeping = keeping(&client, &DIALECTS[0], Arc::clone(&ledger), 100);
    keeping.coming_in = [None, None];
    for name in ["a", "b"] {
        judged(&ledger, name, true);
        keeping.look_at([pod(name)]);
    }
    let content = super::content(&ledger.lock(), &pod("a"), &[]);
    let own = content.report(&pod("a"), "uid-a", &DIALECTS[0]);
    let mut forged = content.report(&pod("b"), "uid-b", &DIALECTS[0]);
    forged["summary"]["pass"] = json!(7);
    while keeping.may_begin() {
        keeping.begin();
    }
    for report in [own, forged] {
        let report = serde_json::from_value(report).unwrap();
        keeping.take(true, Ok(kube::runtime::watcher::Event::Apply(report)));
    }
    assert_eq!(keeping.shelf.len(), 0);
    settle(&mut keeping).await;
    // What this process has written itself is no change, and what somebody has made of it meanwhile is one.
    assert_eq!(keeping.changed, BTreeSet::from([pod("b")]));
    keeping.look_at([pod("a"), pod("b")]);
    settle(&mut keeping).await;
    assert_eq!(server.lock().writes, ["POST a", "POST b", "PATCH b"]);
}

#[tokio::test]
async fn one_that_always_fails_holds_up_no_other_and_there_is_never_one_too_many() {
    let server = Arc::<Mutex<Server>>::default();
    server.lock().refuses.insert("a".to_owned());
    let client = client(&server);
    let ledger = Arc::<Mutex<Ledger>>::default();
    let mut keeping = keeping(&client, &DIALECTS[0], Arc::clone(&ledger), 3);
    keeping.coming_in = [None, None];
    for name in ["a", "b", "c", "d", "e"] {
        judged(&ledger, name, true);
        keeping.look_at([pod(name)]);
    }
    settle(&mut keeping).await;
    let written = server.lock().writes.clone();
    assert_eq!(written.iter().filter(|one| *one == "POST a").count(), 1, "{written:?}");
    // Three have begun before the first has failed, and only two of them are there.
    assert_eq!((keeping.shelf.len(), keeping.changed.clone()), (2, BTreeSet::from([pod("a")])));
    // What is kept gives way to what is broken, each to another one.
    for name in ["b", "c"] {
        judged(&ledger, name, false);
        keeping.look_at([pod(name)]);
    }
    settle(&mut keeping).await;
    for name in ["f", "g", "h"] {
        judged(&ledger, name, true);
        keeping.look_at([pod(name)]);
    }
    settle(&mut keeping).await;
    assert_eq!(keeping.shelf.objects(), ["f", "g", "h"].map(pod));
}

#[tokio::test]
async fn what_is_held_back_holds_up_nobody() {
    let older = &DIALECTS[1];
    let names: Vec<String> = (0..600).map(|number| format!("r{number:03}")).collect();
    let stored = Mutex::new(names.iter().map(|name| (name.clone(), false)).collect::<BTreeMap<_, _>>());
    let (client, asked) = faked::server(move |what, _| {
        let (method, path) = what.split_once(' ').unwrap();
        let mut stored = stored.lock();
        if method == "DELETE" {
            // A finalizer keeps each third.
            let name = path.rsplit('/').next().unwrap().trim_end_matches('?');
            if name.ends_with(['0', '3', '6', '9']) {
                stored.insert(name.to_owned(), true);
            } else {
                stored.remove(name);
            }
            return Some((
                200,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
            ));
        }
        if path.contains("clusterpolicyreports") {
            return Some((200, json!({"metadata": {}, "items": []})));
        }
        let after =
            path.split('&').find_map(|part| part.strip_prefix("continue=")).unwrap_or_default().to_owned();
        let rest: Vec<_> = stored.iter().filter(|(name, _)| **name > after).collect();
        let page = &rest[..rest.len().min(250)];
        let items: Vec<Value> = page
            .iter()
            .map(|(name, goes)| {
                let at = goes.then_some("2026-11-24T10:00:00Z");
                json!({"metadata": {"name": name, "namespace": "shop", "deletionTimestamp": at}})
            })
            .collect();
        let next = page.last().filter(|_| rest.len() > page.len()).map(|(name, _)| (*name).clone());
        Some((200, json!({"metadata": {"continue": next}, "items": items})))
    });
    tokio::time::timeout(Duration::from_secs(30), clear(&client, older)).await.unwrap();
    let deleted = || {
        let asked = asked.lock().unwrap();
        asked.iter().filter(|(what, _)| what.starts_with("DELETE")).count()
    };
    assert_eq!(deleted(), names.len());
    // What goes already is not taken away again.
    tokio::time::timeout(Duration::from_secs(30), clear(&client, older)).await.unwrap();
    assert_eq!(deleted(), names.len());
}
