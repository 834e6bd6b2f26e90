//! Events as people see them.

use domicile::controller::events::{Events, Reason, Report};
use domicile::objects::ObjectRef;
use domicile::server::Metrics;
use serde_json::Value;

use crate::plane::{Plane, Trials};

pub(crate) fn trials() -> Trials {
    Trials::of("telling")
        .test("an_event_is_where_people_look_and_makes_no_storm", an_event_is_where_people_look)
        .test("an_event_about_a_volume_is_in_default", an_event_about_a_volume)
        .test("what_the_api_server_would_refuse_is_made_to_fit_or_counted", what_does_not_fit)
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// Reports, waits until all has been told, and gives the metrics.
async fn tell(plane: &Plane, reports: Vec<Report>) -> String {
    let metrics = Metrics::new();
    let (events, teller) = Events::new(Some(plane.client()), Some("domicile-0".into()), metrics.clone());
    for report in reports {
        events.report(report);
    }
    drop(events);
    teller.tell().await;
    metrics.encode().unwrap()
}

fn seen(plane: &Plane, namespace: &str) -> Vec<Value> {
    let list = plane.admin().kubectl(&["get", "events.events.k8s.io", "-n", namespace, "-o", "json"]).json();
    let items = list["items"].as_array().unwrap().iter();
    items.filter(|event| event["reportingController"] == "domicile.dev/controller").cloned().collect()
}

async fn an_event_is_where_people_look(plane: &'static Plane) {
    let namespace = plane.namespace("telling").await;
    let set = object("apps/v1", "ReplicaSet", &namespace, "web-5d8f");
    let note = "Pod web-5d8f-* may not run on node a1 (us-east-1, US)";
    let report =
        || Report::about(&set, Some("1-2-3"), Reason::ResidencyDenied, "Create", note).because_of("eu");
    // As often as a ReplicaSet tries in a minute, and more.
    let metrics = tell(plane, (0..40).map(|_| report()).collect()).await;
    assert!(metrics.contains("domicile_events_published_total 3\n"), "{metrics}");
    assert!(metrics.contains("domicile_events_dropped_total 37\n"), "{metrics}");

    let events = seen(plane, &namespace);
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!(event["series"]["count"], 3);
    assert_eq!(event["related"]["name"], "eu");
    assert_eq!(event["reportingInstance"], "domicile-0");
    let shown = plane.admin().kubectl(&["get", "events", "-n", &namespace]).ok();
    let line = shown.lines().find(|line| line.contains("ResidencyDenied")).unwrap();
    for word in ["Warning", "replicaset/web-5d8f", note] {
        assert!(line.contains(word), "{word} in {shown}");
    }
}

async fn an_event_about_a_volume(plane: &'static Plane) {
    let volume = object("v1", "PersistentVolume", "", "telling-pv");
    tell(plane, vec![Report::about(&volume, None, Reason::ResidencyConfined, "Create", "told")]).await;
    let events = seen(plane, "default");
    let event = events.iter().find(|event| event["regarding"]["name"] == "telling-pv").unwrap();
    assert_eq!((&event["type"], &event["note"]), (&"Normal".into(), &"told".into()));
}

async fn what_does_not_fit(plane: &'static Plane) {
    let namespace = plane.namespace("telling").await;
    let about = |name: &str| object("v1", "Pod", &namespace, name);
    let report = |name: &str, note: &str| {
        Report::about(&about(name), None, Reason::ResidencyWarned, "Create", note).because_of("eu")
    };
    // An event is named after its object, and some digits more.
    let longest = "a".repeat(253);
    let elsewhere = object("v1", "Pod", "telling-no-such-namespace", "web");
    let metrics = tell(
        plane,
        vec![
            report(&longest, "named"),
            report("long", &"é".repeat(2_000)),
            report("job-*", "unnamed"),
            Report::about(&elsewhere, None, Reason::ResidencyWarned, "Create", "nowhere"),
        ],
    )
    .await;
    assert!(metrics.contains("domicile_events_published_total 3\n"), "{metrics}");
    assert!(metrics.contains("domicile_events_dropped_total 1\n"), "{metrics}");
    let events = seen(plane, &namespace);
    let note = |name: &str| {
        let event = events.iter().find(|event| event["regarding"]["name"] == name);
        event.unwrap_or_else(|| panic!("{name} in {events:?}"))["note"].as_str().unwrap().to_owned()
    };
    assert_eq!(note(&longest), "named");
    assert_eq!(note("long"), format!("{}…", "é".repeat(510)));
    assert_eq!(note("job"), "unnamed");
}
