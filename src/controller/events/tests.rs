//! Events against an API server made by hand.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::{CAPACITY, Events, Metrics, NOTE_LIMIT, ObjectRef, Reason, Report, nameable, shortened};

type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes every event, except those in the namespace `closed`, and in those that are named after a code.
fn server() -> (Client, Asked) {
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        let log = Arc::clone(&log);
        async move {
            let what = format!("{} {}", request.method(), request.uri().path());
            let body = request.into_body().collect_bytes().await.unwrap();
            let mut answer: Value = serde_json::from_slice(&body).unwrap();
            let mut code = 201;
            if what.contains("/closed/") {
                code = 403;
                answer = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "code": code, "reason": "Forbidden", "message": "the namespace is being terminated"});
            }
            let refusal = what.split('/').find_map(|part| part.strip_prefix("code-")?.parse().ok());
            if let Some(refusal) = refusal {
                code = refusal;
                answer = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "code": code, "reason": "", "message": "not now"});
            }
            log.lock().unwrap().push((what, answer.clone()));
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        }
    });
    (Client::new(service, "default"), asked)
}

fn object(kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn denied(namespace: &str, name: &str) -> Report {
    let about = object("ReplicaSet", namespace, name);
    Report::about(&about, Some("u1"), Reason::ResidencyDenied, "Create", "no").because_of("eu")
}

fn counted(metrics: &Metrics, what: &str) -> u64 {
    let text = metrics.encode().unwrap();
    let line = text.lines().find(|line| line.starts_with(what)).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn an_event_says_who_what_and_why_and_a_repetition_is_counted_in_it() {
    let (client, asked) = server();
    let metrics = Metrics::new();
    let (events, teller) = Events::new(Some(client), Some("domicile-0".into()), metrics.clone());
    events.report(denied("shop", "web-1"));
    events.report(denied("shop", "web-1"));
    drop(events);
    teller.tell().await;
    let asked = asked.lock().unwrap();
    let (what, event) = &asked[0];
    assert_eq!(what, "POST /apis/events.k8s.io/v1/namespaces/shop/events");
    assert_eq!(event["reason"], "ResidencyDenied");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["action"], "Create");
    assert_eq!(event["note"], "no");
    assert_eq!(event["reportingController"], "domicile.dev/controller");
    assert_eq!(event["reportingInstance"], "domicile-0");
    assert_eq!(
        event["regarding"],
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "namespace": "shop", "name": "web-1", "uid": "u1"})
    );
    assert_eq!(
        event["related"],
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "name": "eu"})
    );
    let (what, again) = &asked[1];
    assert!(what.starts_with("PATCH /apis/events.k8s.io/v1/namespaces/shop/events/web-1."), "{what}");
    assert_eq!(again["series"]["count"], 2);
    assert_eq!(counted(&metrics, "domicile_events_published_total"), 2);
}

#[tokio::test]
async fn what_is_said_in_other_words_is_another_event() {
    let (client, asked) = server();
    let (events, teller) = Events::new(Some(client), None, Metrics::new());
    for note in ["it may be abroad", "it mounts a share of nobody knows where", "it may be abroad"] {
        events.report(Report { note: note.into(), ..denied("shop", "web-1") });
    }
    drop(events);
    teller.tell().await;
    let asked = asked.lock().unwrap();
    let made: Vec<&Value> =
        asked.iter().filter(|(what, _)| what.starts_with("POST")).map(|(_, event)| &event["note"]).collect();
    assert_eq!(made, ["it may be abroad", "it mounts a share of nobody knows where"]);
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2].1["series"]["count"], 2);
    let name = asked[0].1["metadata"]["name"].as_str().unwrap();
    assert!(asked[2].0.ends_with(name), "{} is not of {name}", asked[2].0);
}

#[tokio::test]
async fn all_that_the_audit_says_of_an_object_is_told() {
    let (client, asked) = server();
    let (events, _) = Events::new(Some(client), None, Metrics::new());
    for number in 0..5 {
        let note = format!("spec.allow[{number}] ends");
        let report = Report { note, ..denied("shop", "web-1") };
        assert!(events.may_tell(&report));
        events.tell(&report).await.unwrap();
    }
    assert_eq!(asked.lock().unwrap().iter().filter(|(what, _)| what.starts_with("POST")).count(), 5);
}

#[tokio::test]
async fn who_has_much_refused_does_not_silence_the_audit() {
    let (client, asked) = server();
    let (events, _teller) = Events::new(Some(client), None, Metrics::new());
    for number in 0..CAPACITY * 2 {
        events.report(denied("shop", &format!("web-{number}")));
    }
    let about = object("Pod", "shop", "abroad");
    let report = Report::about(&about, None, Reason::ResidencyViolation, "Audit", "it is abroad");
    assert!(events.may_tell(&report));
    events.tell(&report).await.unwrap();
    assert_eq!(asked.lock().unwrap()[0].1["reason"], "ResidencyViolation");
    // The audit makes no storm either.
    let others = (0..1_000).filter(|number| {
        let about = object("Pod", "shop", &format!("abroad-{number}"));
        events.may_tell(&Report::about(&about, None, Reason::ResidencyViolation, "Audit", "it is abroad"))
    });
    assert!(others.count() < 100);
}

#[tokio::test]
async fn a_controller_that_tries_again_and_again_makes_no_storm() {
    let (client, asked) = server();
    let metrics = Metrics::new();
    let (events, teller) = Events::new(Some(client), None, metrics.clone());
    for _ in 0..200 {
        events.report(denied("shop", "web-1"));
    }
    // Others are still heard.
    events.report(denied("shop", "web-2"));
    drop(events);
    teller.tell().await;
    assert_eq!(asked.lock().unwrap().len(), 4);
    assert_eq!(counted(&metrics, "domicile_events_dropped_total"), 197);
}

#[tokio::test]
async fn what_cannot_be_published_is_counted_and_stops_nothing() {
    let (client, asked) = server();
    let metrics = Metrics::new();
    let (events, teller) = Events::new(Some(client), None, metrics.clone());
    events.report(denied("closed", "web-1"));
    let volume = object("PersistentVolume", "", "pv");
    events.report(Report::about(&volume, None, Reason::ResidencyConfined, "Create", "yes"));
    drop(events);
    teller.tell().await;
    let asked = asked.lock().unwrap();
    assert_eq!(asked[1].0, "POST /apis/events.k8s.io/v1/namespaces/default/events");
    assert_eq!(asked[1].1["regarding"].get("namespace"), None);
    assert_eq!(asked[1].1["type"], "Normal");
    assert_eq!(counted(&metrics, "domicile_events_dropped_total"), 1);
    assert_eq!(counted(&metrics, "domicile_events_published_total"), 1);
}

#[tokio::test]
async fn what_the_api_server_cannot_take_now_may_be_told_another_time() {
    let (client, _) = server();
    let metrics = Metrics::new();
    let (events, _teller) = Events::new(Some(client), None, metrics.clone());
    for (code, is_settled) in [
        (403, true),
        (409, true),
        (422, true),
        (429, false),
        (500, false),
        (502, false),
        (503, false),
        (504, false),
    ] {
        let told = events.tell(&denied(&format!("code-{code}"), "web-1")).await;
        assert_eq!(told.is_ok(), is_settled, "{code}: {told:?}");
    }
    assert_eq!(counted(&metrics, "domicile_events_dropped_total"), 3);
}

#[tokio::test]
async fn nobody_waits_for_a_queue_that_nobody_empties() {
    let metrics = Metrics::new();
    let (events, teller) = Events::new(None, None, metrics.clone());
    for number in 0..CAPACITY + 100 {
        events.report(denied("shop", &format!("web-{number}")));
    }
    // All together may say fewer than fit.
    assert!(counted(&metrics, "domicile_events_dropped_total") >= 100);
    drop(events);
    tokio::time::timeout(Duration::from_secs(5), teller.tell()).await.unwrap();
}

#[test]
fn a_note_is_cut_where_a_character_ends() {
    assert_eq!(shortened("short"), "short");
    let exact = "é".repeat(NOTE_LIMIT / 2);
    assert_eq!(shortened(&exact), exact);
    let cut = shortened(&format!("x{exact}"));
    assert!(cut.len() <= NOTE_LIMIT && cut.ends_with("é…"), "{}", cut.len());
}

#[test]
fn what_has_no_name_yet_goes_by_what_it_begins_with() {
    let name = |name: &str| {
        let report = Report::about(&object("Pod", "shop", name), None, Reason::ResidencyDenied, "Create", "");
        nameable(&report.regarding).name.unwrap()
    };
    assert_eq!((name("web-*"), name("web-1"), name("")), ("web".into(), "web-1".into(), "pod".into()));
}
