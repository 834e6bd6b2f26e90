//! What reports say, and which are kept.

mod writing;

use serde_json::json;

use super::content::{Content, Outcome, about, essence, since};
use super::dialect::DIALECTS;
use super::*;
use crate::api::Action;
use crate::cluster::Kind;
use crate::residency::{Finding, Reason, Verdict};

fn key(kind: Kind, namespace: &str, name: &str) -> Key {
    Key { kind, namespace: namespace.into(), name: name.into() }
}

fn pod(name: &str) -> Key {
    key(Kind::Pod, "shop", name)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn finding(policy: Option<&str>, action: Action) -> Finding {
    Finding {
        policy: policy.map(str::to_owned),
        action,
        reason: Reason::NodeOutsideJurisdiction,
        message: "it is abroad".into(),
        field: None,
        example: None,
        matching: None,
    }
}

fn enter(ledger: &mut Ledger, object: &Key, policies: &[&str], findings: Vec<Finding>, spared: &[Finding]) {
    let mut verdict = Verdict::allow(object.to_ref());
    verdict.policies = policies.iter().map(|name| Arc::from(*name)).collect();
    verdict.deny(findings);
    ledger.enter(object, Some(&verdict), spared, at(100));
}

fn content(ledger: &Ledger, object: &Key, known: &[content::Since]) -> Content {
    Content::of(&ledger.standings(object), known, at(200)).unwrap()
}

#[test]
fn a_report_says_what_came_of_each_policy() {
    let mut ledger = Ledger::default();
    let findings = vec![
        finding(Some("audited"), Action::Audit),
        finding(Some("denied"), Action::Deny),
        finding(Some("warned"), Action::Warn),
        finding(None, Action::Deny),
    ];
    let policies = ["audited", "denied", "kept", "spared", "warned"];
    enter(&mut ledger, &pod("a"), &policies, findings, &[finding(Some("spared"), Action::Deny)]);
    let [open, older] = &DIALECTS;
    let report = content(&ledger, &pod("a"), &[]).report(&pod("a"), "u-1", open);
    let result = |policy: &str, result: &str, severity: Option<&str>, message: &str, second: i64| {
        let mut line = json!({"source": "domicile", "category": "Data residency", "policy": policy, "result": result,
            "scored": result == "fail" || result == "pass", "timestamp": {"seconds": second, "nanos": 0}});
        if let Some(severity) = severity {
            line["severity"] = json!(severity);
        }
        if !message.is_empty() {
            line["message"] = json!(message);
            line["properties"] = json!({"reason": "NodeOutsideJurisdiction"});
        }
        line
    };
    let without = "a ResidencyException permits it; without it: policy spared: it is abroad";
    let scope = json!({"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "a", "uid": "u-1"});
    let expected = json!({
        "apiVersion": "openreports.io/v1alpha1",
        "kind": "Report",
        "metadata": {
            "name": "domicile-u-1",
            "namespace": "shop",
            "labels": {"app.kubernetes.io/managed-by": "domicile"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u-1"}],
        },
        "source": "domicile",
        "scope": scope,
        "summary": {"pass": 1, "fail": 3, "warn": 1, "skip": 1, "error": 0},
        "results": [
            result("audited", "fail", Some("medium"), "policy audited: it is abroad", 100),
            result("denied", "fail", Some("high"), "policy denied: it is abroad", 100),
            result("domicile", "fail", Some("high"), "it is abroad", 100),
            result("warned", "warn", Some("low"), "policy warned: it is abroad", 100),
            result("spared", "skip", None, without, 100),
            result("kept", "pass", None, "", 200),
        ],
    });
    assert_eq!(report, expected);
    assert_eq!(about(&report), Some((pod("a"), "u-1")));

    let volume = key(Kind::PersistentVolume, "", "pv");
    enter(&mut ledger, &volume, &["kept"], vec![], &[]);
    let report = content(&ledger, &volume, &[]).report(&volume, "u-2", older);
    assert_eq!(report["kind"], "ClusterPolicyReport");
    assert!(report["source"].is_null() && report["metadata"]["namespace"].is_null(), "{report}");
    assert!(report["scope"]["namespace"].is_null(), "{report}");
    assert_eq!(about(&report), Some((volume, "u-2")));
}

#[test]
fn a_report_remembers_since_when() {
    let mut ledger = Ledger::default();
    enter(&mut ledger, &pod("a"), &["eu", "us"], vec![finding(Some("eu"), Action::Deny)], &[]);
    let first = content(&ledger, &pod("a"), &[]).report(&pod("a"), "u", &DIALECTS[0]);
    // Another leader has seen the violation later, and the rest is as it was.
    let mut other = Ledger::default();
    enter(&mut other, &pod("a"), &["eu", "us"], vec![finding(Some("eu"), Action::Deny)], &[]);
    let mut stored = first.clone();
    stored["results"][0]["timestamp"]["seconds"] = json!(7);
    stored["results"][1]["timestamp"]["seconds"] = json!(8);
    let again = content(&other, &pod("a"), &since(&stored)).report(&pod("a"), "u", &DIALECTS[0]);
    assert_eq!(again, stored);
    assert_eq!(essence(&again), essence(&first));
    // What has another outcome now begins now.
    enter(&mut other, &pod("a"), &["eu", "us"], vec![], &[]);
    let restored = content(&other, &pod("a"), &since(&stored));
    let seconds: Vec<i64> = restored.since().iter().map(|one| one.second).collect();
    assert_eq!((restored.worst(), seconds), (Outcome::Pass, vec![200, 8]));
}

#[test]
fn a_report_is_bounded() {
    let mut ledger = Ledger::default();
    let names: Vec<String> = (0..500).map(|number| format!("p{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = Finding { message: "ü".repeat(9_000), ..finding(Some("p499"), Action::Deny) };
    enter(&mut ledger, &pod("a"), &names, vec![long], &[]);
    let report = content(&ledger, &pod("a"), &[]).report(&pod("a"), "u", &DIALECTS[0]);
    assert_eq!(report["results"].as_array().unwrap().len(), 64);
    assert_eq!(report["results"][0]["policy"], "p499");
    assert_eq!(report["summary"], json!({"pass": 499, "fail": 1, "warn": 0, "skip": 0, "error": 0}));
    assert!(report.to_string().len() < 20_000);
}

/// A shelf, and what an API server would hold.
struct Bench {
    ledger: Ledger,
    shelf: Shelf,
}

impl Bench {
    fn of(limit: usize) -> Self {
        Self { ledger: Ledger::default(), shelf: Shelf::new(&DIALECTS[0], limit) }
    }

    fn judged(&mut self, name: &str, is_broken: bool) {
        let findings = is_broken.then(|| finding(Some("eu"), Action::Deny)).into_iter().collect();
        enter(&mut self.ledger, &pod(name), &["eu"], findings, &[]);
        self.shelf.look(&pod(name), &self.ledger, at(200));
    }

    /// Does what is to be done, and says what it was.
    fn done(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(object) = self.shelf.next() {
            let step = self.shelf.step(&object, &self.ledger, at(200));
            let uid = format!("uid-{}", object.name);
            let what = match step {
                Step::Nothing => "nothing",
                Step::NoRoom => "no room",
                Step::Create(content) => match self.shelf.room(|_| false) {
                    Room::None => "no room",
                    room => {
                        if let Room::InPlaceOf(spare, uid) = room {
                            done.push(format!("delete {}", spare.name));
                            self.shelf.lost(&spare, &uid);
                        }
                        let stored = content.report(&object, &uid, &DIALECTS[0]);
                        self.shelf.wrote(&object, &uid, &content, &stored);
                        "create"
                    }
                },
                Step::Update(uid, content) => {
                    let stored = content.report(&object, &uid, &DIALECTS[0]);
                    self.shelf.wrote(&object, &uid, &content, &stored);
                    "update"
                }
                Step::Delete(uid) => {
                    self.shelf.lost(&object, &uid);
                    "delete"
                }
            };
            done.push(format!("{what} {}", object.name));
        }
        done
    }
}

#[test]
fn only_a_difference_is_written_and_what_is_broken_first() {
    let mut bench = Bench::of(10);
    for (name, is_broken) in [("a", false), ("b", false), ("c", true)] {
        bench.judged(name, is_broken);
    }
    assert_eq!(bench.done(), ["create c", "create a", "create b"]);
    for (name, is_broken) in [("a", false), ("b", true), ("c", false)] {
        bench.judged(name, is_broken);
    }
    assert_eq!(bench.done(), ["update b", "update c"]);
    // There and back before its turn.
    bench.judged("b", false);
    bench.judged("b", true);
    assert!(bench.done().is_empty());
    bench.ledger.enter(&pod("a"), None, &[], at(300));
    bench.shelf.look(&pod("a"), &bench.ledger, at(300));
    assert_eq!(bench.done(), ["delete a"]);
}

#[test]
fn there_are_never_more_reports_than_asked_for() {
    let mut bench = Bench::of(2);
    for name in ["a", "b", "c"] {
        bench.judged(name, false);
    }
    assert_eq!(bench.done(), ["create a", "create b"]);
    bench.judged("d", true);
    assert_eq!(bench.done(), ["delete b", "create d"]);
    bench.judged("e", true);
    bench.judged("f", true);
    assert_eq!(bench.done(), ["delete a", "create e", "no room f"]);
    assert_eq!((bench.shelf.len(), bench.ledger.selected()), (2, 6));
}

#[test]
fn what_others_change_is_written_again_and_what_the_api_server_drops_is_not() {
    let mut bench = Bench::of(10);
    bench.judged("a", true);
    assert_eq!(bench.done(), ["create a"]);
    let content = content(&bench.ledger, &pod("a"), &[]);
    let report = content.report(&pod("a"), "uid-a", &DIALECTS[0]);
    // As it comes in.
    assert_eq!(bench.shelf.saw(&report), Ok(None));
    let mut forged = report.clone();
    forged["results"][0]["result"] = json!("pass");
    assert_eq!(bench.shelf.saw(&forged), Ok(Some(pod("a"))));
    bench.shelf.look(&pod("a"), &bench.ledger, at(300));
    assert_eq!(bench.done(), ["update a"]);
    // Nor may somebody say that it began later.
    let mut later = report.clone();
    later["results"][0]["timestamp"]["seconds"] = json!(150);
    assert_eq!(bench.shelf.saw(&later), Ok(Some(pod("a"))));
    bench.shelf.look(&pod("a"), &bench.ledger, at(300));
    let Step::Update(_, again) = bench.shelf.step(&pod("a"), &bench.ledger, at(300)) else {
        panic!("not written")
    };
    assert_eq!(again.since()[0].second, 100);
    assert_eq!(bench.done(), ["update a"]);
    // Or speak for what is elsewhere.
    let mut elsewhere = report.clone();
    elsewhere["metadata"]["namespace"] = json!("other");
    assert_eq!(bench.shelf.saw(&elsewhere), Err(shelf::Stray));
    // A definition without `properties` loses them at every write.
    let mut pruned = report;
    pruned["results"][0].as_object_mut().unwrap().remove("properties");
    bench.shelf.wrote(&pod("a"), "uid-a", &content, &pruned);
    assert_eq!(bench.shelf.saw(&pruned), Ok(None));
    bench.shelf.look(&pod("a"), &bench.ledger, at(300));
    assert!(bench.done().is_empty());
    // Taken away, it comes back; that of an object that had the name before does not count.
    assert!(!bench.shelf.lost(&pod("a"), "uid-of-another"));
    assert!(bench.shelf.lost(&pod("a"), "uid-a"));
    bench.shelf.look(&pod("a"), &bench.ledger, at(300));
    assert_eq!(bench.done(), ["create a"]);
    assert_eq!(bench.shelf.saw(&json!({"metadata": {"name": "mine"}})), Err(shelf::Stray));
}

#[test]
fn reports_say_since_when() {
    let mut ledger = Ledger::default();
    let findings = vec![finding(Some("eu"), Action::Deny), finding(None, Action::Deny)];
    enter(&mut ledger, &pod("a"), &["eu", "us"], findings, &[]);
    let report = content(&ledger, &pod("a"), &[]).report(&pod("a"), "u", &DIALECTS[0]);
    let beginnings = Beginnings::of([&report, &json!({"results": [{}]})]);
    let since = |policy| beginnings.since(&pod("a").to_ref(), policy);
    assert_eq!((since(Some("eu")), since(None)), (Some(at(100)), Some(at(100))));
    // What is kept is not broken since anything.
    assert_eq!((since(Some("us")), since(Some("other"))), (None, None));
    assert_eq!(beginnings.since(&pod("b").to_ref(), Some("eu")), None);
    // Nor is another object of that name.
    let mut of = beginnings.clone();
    of.note_object(&pod("a").to_ref(), "u");
    assert_eq!(of, beginnings);
    of.note_object(&pod("a").to_ref(), "made anew");
    assert_eq!(of.since(&pod("a").to_ref(), Some("eu")), None);
}

#[test]
fn nothing_piles_up_while_nothing_is_written() {
    let mut bench = Bench::of(5);
    for number in 0..100 {
        bench.judged(&format!("kept-{number}"), false);
        bench.judged(&format!("broken-{number}"), true);
    }
    let waiting = std::iter::from_fn(|| bench.shelf.next()).count();
    assert_eq!(waiting, 10);
}
