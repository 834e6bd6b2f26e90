//! What is told, and when, to an API server made by hand.

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::super::ledger::Transition;
use super::*;
use crate::cluster::Kind;

/// An API server where everything that is asked for is there.
#[derive(Debug, Default)]
struct Server {
    /// The events that it has taken.
    events: Vec<Value>,
    /// Whether nothing is answered, and how much was asked then.
    is_cut: bool,
    /// Whether nobody is there to answer.
    is_away: bool,
    unanswered: usize,
    /// The pod of which no event can be taken.
    ill: Option<&'static str>,
    /// When the Lease was renewed.
    renewed: Option<Timestamp>,
}

fn client(server: &Arc<Mutex<Server>>) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            let body = request.into_body().collect_bytes().await.unwrap_or_default();
            let (is_cut, is_away) = {
                let mut server = server.lock();
                server.unanswered += usize::from(server.is_cut || server.is_away);
                (server.is_cut, server.is_away)
            };
            if is_away {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
            }
            if is_cut {
                std::future::pending::<()>().await;
            }
            let mut server = server.lock();
            let answer: Value = match &*method {
                "POST" => {
                    let event: Value = serde_json::from_slice(&body).unwrap();
                    if server.ill.is_some_and(|ill| event["regarding"]["name"] == ill) {
                        server.unanswered += 1;
                        return Ok(Response::builder().status(500).body(Body::empty()).unwrap());
                    }
                    server.events.push(event.clone());
                    event
                }
                _ if path.ends_with("/events") => {
                    json!({"apiVersion": "events.k8s.io/v1", "kind": "EventList", "metadata": {},
                        "items": server.events})
                }
                _ if path.ends_with("/leases/domicile") => {
                    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "domicile"},
                        "spec": {"holderIdentity": "other", "renewTime": server.renewed}})
                }
                _ => {
                    let name = path.rsplit('/').next().unwrap();
                    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                        "metadata": {"name": name, "uid": format!("uid-{name}")}})
                }
            };
            let answer = Body::from(serde_json::to_vec(&answer).unwrap());
            Ok(Response::builder().status(200).body(answer).unwrap())
        }
    });
    Client::new(service, "default")
}

/// News that a pod breaks a policy.
fn broken(pod: &str) -> News {
    let object = Key { kind: Kind::Pod, namespace: "shop".into(), name: pod.into() };
    let broken = Some(format!("{pod} is abroad"));
    News::Standing(Transition { at: Timestamp::now(), object, policy: Some("eu".into()), broken })
}

/// A herald at work, that leads as it is told to.
struct Run {
    server: Arc<Mutex<Server>>,
    herald: Arc<Herald>,
    leads: watch::Sender<bool>,
    metrics: Metrics,
    task: tokio::task::JoinHandle<()>,
}

impl Run {
    fn of(herald: Herald, leads: bool) -> Self {
        let (server, herald) = (Arc::<Mutex<Server>>::default(), Arc::new(herald));
        let (client, metrics) = (client(&server), herald.metrics.clone());
        let (events, _) = Events::new(Some(client.clone()), Some("domicile-0".into()), metrics.clone());
        let (leads, led) = watch::channel(leads);
        let (at_work, lookout) = (Arc::clone(&herald), Lookout::new(client.clone(), "default", "domicile"));
        let task = tokio::spawn(async move {
            at_work.run(client, events, lookout, led, watch::channel(1).1).await;
        });
        Self { server, herald, leads, metrics, task }
    }

    /// Waits until so many events have been taken, and gives what they are about.
    async fn told(&self, number: usize) -> Vec<String> {
        for _ in 0..200 {
            if self.server.lock().events.len() >= number {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // And none too many.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let server = self.server.lock();
        let about = |event: &Value| event["regarding"]["name"].as_str().unwrap_or_default().to_owned();
        server.events.iter().map(about).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn who_leads_no_more_tells_no_more_and_forgets_nothing() {
    let run = Run::of(Herald::new(Metrics::new()), true);
    run.herald.hear([broken("a")]);
    assert_eq!(run.told(1).await, ["a"]);
    run.server.lock().is_cut = true;
    run.herald.hear([broken("b"), broken("c")]);
    while run.server.lock().unanswered == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.leads.send_replace(false);
    tokio::time::sleep(Duration::from_millis(100)).await;
    run.server.lock().is_cut = false;
    assert_eq!(run.told(1).await, ["a"]);
    assert!(run.metrics.encode().unwrap().contains("domicile_leader 0"));
    // Another has told of one of them meanwhile.
    let mut other = run.server.lock().events[0].clone();
    other["regarding"]["name"] = json!("b");
    run.server.lock().events.push(other);
    run.leads.send_replace(true);
    assert_eq!(run.told(3).await, ["a", "b", "c"]);
}

/// As if the news that it has heard had come so long ago.
fn age(herald: &Herald, by: Duration) {
    for waiting in herald.news.lock().iter_mut() {
        waiting.since = waiting.since.checked_sub(by).unwrap();
    }
}

#[tokio::test]
async fn what_was_found_while_nobody_led_is_told_however_long_that_was() {
    let run = Run::of(Herald::new(Metrics::new()), false);
    run.herald.hear([broken("a")]);
    age(&run.herald, FRESH * 5);
    run.leads.send_replace(true);
    assert_eq!(run.told(1).await, ["a"]);
}

#[tokio::test]
async fn only_what_somebody_tells_is_forgotten() {
    let server = Arc::<Mutex<Server>>::default();
    let (herald, mut lookout) =
        (Herald::new(Metrics::new()), Lookout::new(client(&server), "default", "domicile"));
    herald.hear([broken("a")]);
    age(&herald, FRESH * 5);
    herald.hear([broken("b")]);
    let mut left = async |renewed: Option<&str>| {
        server.lock().renewed = renewed.map(|at| at.parse().unwrap());
        herald.forget_told(&mut lookout).await;
        herald.news.lock().len()
    };
    assert_eq!(left(None).await, 2);
    // It was renewed by somebody who may be gone.
    for _ in 0..3 {
        assert_eq!(left(Some("2026-11-24T10:00:00Z")).await, 2);
    }
    assert_eq!(left(Some("2026-11-24T10:00:10Z")).await, 1);
}

#[tokio::test]
async fn what_the_api_server_does_not_answer_is_told_again() {
    let run = Run::of(Herald::new(Metrics::new()), true);
    run.herald.hear([broken("a")]);
    run.told(1).await;
    run.server.lock().is_away = true;
    run.herald.hear([broken("b")]);
    while run.server.lock().unanswered < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.server.lock().is_away = false;
    assert_eq!(run.told(2).await, ["a", "b"]);
    assert_eq!(run.server.lock().events[1]["regarding"]["uid"], "uid-b");
    assert!(run.metrics.encode().unwrap().contains("domicile_events_dropped_total 0"));
}

#[tokio::test]
async fn an_event_that_is_never_taken_does_not_hold_up_the_others_for_ever() {
    let run = Run::of(Herald { patience: AGAIN, ..Herald::new(Metrics::new()) }, true);
    run.server.lock().ill = Some("a");
    run.herald.hear([broken("a"), broken("b")]);
    assert_eq!(run.told(1).await, ["b"]);
    assert!(run.server.lock().unanswered > 1);
    assert!(run.metrics.encode().unwrap().contains("domicile_events_dropped_total 1"));
}

#[tokio::test]
async fn each_place_that_ends_is_told_of_also_by_who_takes_over() {
    let ends = |index: usize, left: &str| News::Expiring {
        grant: Key { kind: Kind::ResidencyPolicy, namespace: String::new(), name: "eu".into() },
        note: format!("spec.allow[{index}] of policy eu ends at 2027-07-31T00:00:00Z, in {left}: what then"),
    };
    let run = Run::of(Herald::new(Metrics::new()), true);
    run.herald.hear([ends(1, "20 hours")]);
    run.told(1).await;
    run.leads.send_replace(false);
    // As another replica, some time later.
    run.herald.hear([ends(1, "19 hours"), ends(2, "4 days")]);
    run.leads.send_replace(true);
    run.told(2).await;
    let server = run.server.lock();
    let notes: Vec<&str> = server.events.iter().map(|event| event["note"].as_str().unwrap()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[1].starts_with("spec.allow[2] "), "{notes:?}");
}

#[test]
fn what_a_node_breaks_is_the_same_news_to_every_replica() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let key = |kind| Key { kind, namespace: String::new(), name: "late".into() };
    let seen = at("2026-11-24T10:00:00Z");
    let joined = News::Joining { node: key(Kind::Node), policy: "eu".into(), note: "1 Pod".into(), at: seen };
    // Another replica saw it, and told it, a moment before this one did.
    assert!(!joined.is_another_time(at("2026-11-24T09:59:59Z")));
    assert!(!joined.is_another_time(at("2026-11-24T10:00:01Z")));
    assert!(joined.is_another_time(at("2026-11-24T09:50:00Z")));
    let conflict = News::Conflict { node: key(Kind::Node), note: "it is in two places".into() };
    assert!(!conflict.is_another_time(at("2026-11-24T09:50:00Z")));
    let (reason, subject, note) = told(&joined);
    assert_eq!((reason, &*subject.policy, &*note), (Reason::ResidencyViolation, "eu", "1 Pod"));
}
