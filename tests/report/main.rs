//! The page for an auditor and the facts behind it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod counts;
mod coverage;
mod page;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use domicile::cluster::enforcement::Enforcement;
use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Validity, evidence};
use serde_json::{Value, json};

use crate::page::{assert_all_facts, assert_self_contained, read};

/// Calls the program from the repository's root.
fn called(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .env_clear()
        .env("KUBECONFIG", "no-such-kubeconfig")
        .arg("report")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

const EXAMPLE: [&str; 5] =
    ["--cluster", "examples/cluster", "examples/us-adequacy/today.yaml", "--at", "2026-11-24T00:00:00Z"];

#[test]
fn the_page_says_all_that_the_json_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let html = path.to_str().unwrap();
    let (status, out, err) = called(&[&EXAMPLE[..], &["--html", html, "-o", "json"]].concat());
    assert_eq!(status, 0, "{err}");
    let facts: Value = serde_json::from_str(&out).unwrap();
    let page = read(&fs::read_to_string(&path).unwrap());
    assert_all_facts(&facts, &page);
    assert_self_contained(&page);
    // Beside each classification, on which basis.
    let (places, _) = page.text.split_once("What breaks it").unwrap();
    let places = places.replace('\n', "");
    assert!(places.contains("US with provider aws: Implementing Decision (EU) 2023/1795"), "{places}");
    assert!(page.attributes.contains(&("a".into(), "href".into(), "#p-0".into())));
    assert_eq!(facts["coverage"]["enforced"], Value::Null);
    assert!(page.text.contains("Whether the policies are enforced is not known."));
}

#[test]
fn the_facts_of_the_example_are_those_of_its_readme() {
    let (status, out, err) = called(&[&EXAMPLE[..], &["-o", "json"]].concat());
    assert_eq!(status, 0, "{err}");
    let facts: Value = serde_json::from_str(&out).unwrap();
    let named = |list: &Value, name: &str| -> Value {
        list.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    };
    // In Istanbul, and the volume that is left in Virginia.
    let personal = named(&facts["policies"], "eu-personal");
    let broken: Vec<_> = personal["violations"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["object"]["name"])
        .collect();
    assert!(broken.contains(&&json!("customer-api-7d9f8c6b5-m8rqz")), "{broken:?}");
    assert!(
        personal["allow"].as_array().unwrap().iter().any(|grant| grant["until"] == "2031-12-19T00:00:00Z")
    );
    // The newsletter: two pods and a volume in Virginia, rightly.
    let newsletter = named(&facts["classifications"], "newsletter");
    let virginia =
        newsletter["places"].as_array().unwrap().iter().find(|place| place["jurisdiction"] == "US").unwrap();
    assert_eq!((&virginia["pods"], &virginia["volumes"]), (&json!(2), &json!(1)));
    assert_eq!(named(&facts["policies"], "eu-newsletter")["violations"]["shown"], json!([]));
    let exception = named(&facts["exceptions"]["shown"], "migration-2026");
    assert_eq!((&exception["state"], &exception["namespace"]), (&json!("Open"), &json!("crm")));
    assert!(exception["objects"].as_u64().unwrap() >= 1);
    assert!(exception["reason"].as_str().unwrap().contains("CHG-20931"));
    let doubtful: Vec<_> =
        facts["nodes"]["doubtful"]["shown"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(doubtful, [&json!("fra-3")]);
    // What audit counts, the report counts.
    let audit = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .args(["audit", "-o", "json"])
        .args(EXAMPLE)
        .output()
        .unwrap();
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(facts["summary"]["denied"], audit["summary"]["deny"]);
    assert_eq!(facts["summary"]["judged"], json!(audit["results"].as_array().unwrap().len()));
}

/// A copy of a cluster as `kubectl get -o yaml` makes it, with what its policy says of itself.
#[test]
fn the_page_says_since_when() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
         "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]},
         "status": {"conditions": [{"type": "Compliant", "status": "False", "reason": "Violations", "message": "",
             "lastTransitionTime": "2026-03-01T10:00:00Z"}]}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "orders", "namespace": "shop",
             "annotations": {"domicile.dev/data-classification": "personal"}}, "spec": {"nodeName": "gone"}},
    ]});
    fs::write(path("cluster.json"), objects.to_string()).unwrap();
    let report = |at: &str| {
        let html = path("page.html");
        let call = ["--cluster", &path("cluster.json"), "--at", at, "--html", &html, "-o", "json"];
        let (status, out, err) = called(&call);
        assert_eq!(status, 0, "{err}");
        let facts: Value = serde_json::from_str(&out).unwrap();
        (facts, read(&fs::read_to_string(html).unwrap()))
    };
    let (facts, page) = report("2026-11-24");
    assert_eq!(facts["policies"][0]["brokenSince"], "2026-03-01T10:00:00Z");
    assert_eq!(facts["policies"][0]["violations"]["shown"][0]["since"], Value::Null);
    assert_all_facts(&facts, &page);
    let text = page.text.replace('\n', "");
    assert!(text.contains("Something has broken it since 2026-03-01 10:00 UTC"), "{text}");
    assert!(text.contains("The oldest violation whose beginning is known stands since 2026-03-01 10:00 UTC"));
    // On a day before, nobody knew.
    let (facts, page) = report("2026-02-01");
    assert_eq!(facts["policies"][0]["brokenSince"], Value::Null);
    assert!(!page.text.contains("Something has broken it since"));
}

#[test]
fn what_was_not_given_is_named_and_nothing_is_praised_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("none.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    let call = ["--cluster", &path("none.yaml"), "--html", &path("page.html"), "-o", "json"];
    let (status, out, err) = called(&call);
    assert_eq!(status, 0, "{err}");
    let facts: Value = serde_json::from_str(&out).unwrap();
    let page = read(&fs::read_to_string(path("page.html")).unwrap());
    let not_given: Vec<_> =
        facts["notGiven"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    for kind in ["Node", "Namespace", "Pod", "ResidencyPolicy", "StorageClass", "PersistentVolumeClaim"] {
        assert!(not_given.contains(&kind), "{kind}: {not_given:?}");
        assert!(page.text.contains(kind), "{kind}");
    }
    assert!(page.text.contains("Not looked at"));
    for praise in
        ["It is known where every node is.", "Nothing that was judged breaks a policy", "Every pod and claim"]
    {
        assert!(!page.text.contains(praise), "{praise}");
    }
    assert!(page.text.contains("No node was looked at."));
    assert!(page.text.contains("No policy was given: whether there is one is not known."));
    assert!(!page.attributes.iter().any(|(_, name, value)| name == "class" && value == "good"));

    fs::write(path("broken.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: [\n").unwrap();
    let (_, out, _) = called(&["--cluster", &path("broken.yaml"), "--html", "-"]);
    assert!(read(&out).text.contains("No policy could be read: whether there is one is not known."), "{out}");
}

#[test]
fn wrong_calls_and_incomplete_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (status, out, err) = called(&EXAMPLE);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("--html"), "{err}");
    let (status, _, err) = called(&[&EXAMPLE[..], &["--html", &path("no/such/folder.html")]].concat());
    assert!(status == 2 && err.contains("cannot be written"), "{err}");
    fs::write(path("broken.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: [\n").unwrap();
    let (status, out, _) = called(&["--cluster", &path("broken.yaml"), "--html", "-"]);
    assert_eq!(status, 2);
    assert!(read(&out).text.contains("This report is incomplete"), "{out}");
    let (status, _, err) = called(&["--html", "-"]);
    assert!(status == 2 && err.contains("no cluster: "), "{err}");
}

/// How much lighter one colour is than another, as WCAG 2 has it: 1 to 21.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| {
        let digits = colour.trim_start_matches('#');
        let digits = if digits.len() == 3 {
            digits.chars().flat_map(|one| [one, one]).collect()
        } else {
            digits.to_owned()
        };
        let part = |at: usize| {
            let part = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126f64.mul_add(part(0), 0.7152f64.mul_add(part(2), 0.0722 * part(4)))
    };
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn texts_and_countries_stand_out() {
    let style = fs::read_to_string("src/cli/page/style.css").unwrap();
    let colour = |name: &str| {
        let (_, rest) = style.split_once(&format!("--{name}: ")).unwrap();
        rest.split_once(';').unwrap().0.to_owned()
    };
    for (text, ground) in [
        ("ink", "paper"),
        ("soft", "paper"),
        ("is", "paper"),
        ("bad", "paper"),
        ("good", "paper"),
        ("paper", "is"),
    ] {
        let found = contrast(&colour(text), &colour(ground));
        assert!(found >= 4.5, "{text} on {ground}: {found:.1}");
    }
    // What is filled or hatched is told from other land by more than its hue.
    for filled in ["is", "could"] {
        assert!(contrast(&colour(filled), &colour("land")) >= 3.0, "{filled}");
    }
    assert!((contrast("#000", "#fff") - 21.0).abs() < 0.01);
}

/// What somebody would write who wants the page to say or do something else.
const HOSTILE: &str = "</td></table><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'";

#[test]
fn no_text_of_the_cluster_becomes_a_part_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let place = json!({"jurisdictions": ["DE"], "basis": HOSTILE, "until": "2030-01-01T00:00:00Z"});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": HOSTILE, "labels": {
            "topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": HOSTILE}},
         "spec": {"providerID": "aws:///us-east-1a/i-1"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOSTILE}},
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": HOSTILE, "namespace": HOSTILE, "annotations": {"domicile.dev/data-classification": "personal"}},
         "spec": {"nodeName": HOSTILE}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain", "namespace": HOSTILE}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd", "namespace": "a",
         "annotations": {"domicile.dev/data-classification": HOSTILE}}},
        {"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": HOSTILE},
         "spec": {"classifications": ["personal"], "allow": [place],
                  "legalBasis": [{"title": HOSTILE, "url": "javascript:alert(1)"},
                                 {"title": "a law", "url": format!("https://example.com/{HOSTILE}")}]}},
        {"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
         "metadata": {"name": HOSTILE, "namespace": HOSTILE},
         "spec": {"policies": [HOSTILE], "allow": [place], "until": "2030-01-01T00:00:00Z", "reason": HOSTILE}},
    ]});
    fs::write(path("cluster.json"), objects.to_string()).unwrap();
    let html = path("report.html");
    let (_, out, err) = called(&["--cluster", &path("cluster.json"), "--html", &html, "-o", "json"]);
    let facts: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
    let page = read(&fs::read_to_string(&html).unwrap());
    assert_self_contained(&page);
    assert_all_facts(&facts, &page);
    assert!(page.text.matches(HOSTILE).count() >= 10, "as text, it is there");
    assert!(!page.attributes.iter().any(|(_, _, value)| value.starts_with("javascript:")));
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap().unwrap()
}

#[test]
fn under_a_policy_is_only_what_it_governs() {
    let mut state = State::new(Settings::default());
    let policy = |name: &str, activities: &[&str]| {
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": name},
            "spec": {"classifications": ["payment"], "activities": activities, "allow": [{"jurisdictions": ["IN"]}]}})
    };
    let metadata = |name: &str| {
        json!({"name": name, "namespace": "shop",
        "annotations": {"domicile.dev/data-classification": "payment"}})
    };
    let pod_that = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata(name), "spec": spec});
    for value in [
        policy("storage", &["Storage"]),
        policy("processing", &["Processing"]),
        pod_that("works", json!({"nodeName": "us", "containers": []})),
        pod_that(
            "stores",
            json!({"nodeName": "us", "containers": [], "volumes": [
            {"name": "a", "persistentVolumeClaim": {"claimName": "data"}}]}),
        ),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata("data"), "spec": {}}),
    ] {
        state.apply(object(value));
    }
    let nobody = Enforcement::NotKnown("nobody was asked".into());
    let facts = evidence(&state, "2026-11-24T00:00:00Z".parse().unwrap(), &nobody);
    let under = |name: &str| {
        let policy = facts.policies.iter().find(|one| one.name == name).unwrap();
        let objects = policy.objects.shown.iter().map(|one| one.object.name.as_str());
        objects.collect::<BTreeSet<_>>()
    };
    assert_eq!(under("storage"), BTreeSet::from(["data", "stores"]));
    assert_eq!(under("processing"), BTreeSet::from(["stores", "works"]));
    // Also where no other policy is.
    let mut alone = State::new(Settings::default());
    for value in
        [policy("storage", &["Storage"]), pod_that("works", json!({"nodeName": "us", "containers": []}))]
    {
        alone.apply(object(value));
    }
    let facts = evidence(&alone, "2026-11-24T00:00:00Z".parse().unwrap(), &nobody);
    assert_eq!(facts.policies[0].objects.len(), 0);
}

/// Its pods are made where the policy has them put, whatever its template leaves open.
#[test]
fn a_workload_that_is_confined_could_run_where_its_pods_will() {
    let place = |remedy: &str| {
        let mut state = State::new(Settings::default());
        for value in [
            json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eea"},
                "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}], "remedy": remedy}}),
            json!({"apiVersion": "v1", "kind": "Node", "spec": {"providerID": "gce://p/us-central1-a/i"},
                "metadata": {"name": "us", "labels": {"topology.kubernetes.io/region": "us-central1"}}}),
            json!({"apiVersion": "v1", "kind": "Node", "spec": {"providerID": "gce://p/europe-west3-a/i"},
                "metadata": {"name": "de", "labels": {"topology.kubernetes.io/region": "europe-west3"}}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": []}, "metadata":
                    {"labels": {"a": "b"}, "annotations": {"domicile.dev/data-classification": "personal"}}}}}),
        ] {
            state.apply(object(value));
        }
        let nobody = Enforcement::NotKnown("nobody was asked".into());
        let facts = evidence(&state, "2026-11-24T00:00:00Z".parse().unwrap(), &nobody);
        facts.policies[0].objects.shown[0].standing.place.clone()
    };
    assert_eq!(place("Confine"), "could run in DE");
    assert_eq!(place("Reject"), "could run in DE, US");
}

#[test]
fn the_numbers_are_what_their_words_say() {
    let mut state = State::new(Settings::default());
    let node = |name: &str, region: &str| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {
            "topology.kubernetes.io/region": region}}, "spec": {"providerID": format!("aws:///{region}a/i-1")}})
    };
    let pod = |name: &str, node: &str, carries: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop",
            "annotations": {"domicile.dev/data-classification": carries}}, "spec": {"nodeName": node, "containers": []}})
    };
    for value in [
        node("de", "eu-central-1"),
        node("us", "us-east-1"),
        pod("home", "de", "personal"),
        pod("away", "us", "personal"),
        pod("odd", "de", "not a name"),
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
            "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}}),
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
            "metadata": {"name": "drill", "namespace": "shop"}, "spec": {"policies": ["eu"], "reason": "a drill",
                "allow": [{"jurisdictions": ["US"]}], "until": "2027-01-01T00:00:00Z"}}),
    ] {
        state.apply(object(value));
    }
    let nobody = Enforcement::NotKnown("nobody was asked".into());
    let facts = evidence(&state, "2026-11-24T00:00:00Z".parse().unwrap(), &nobody);
    // The exception applies to both, and only one needs it. What is odd breaks no policy, and is refused.
    assert_eq!((facts.policies[0].excepted, facts.summary.exempted), (2, 1));
    assert_eq!((facts.summary.denied, facts.policies[0].violations.len()), (1, 0));
}

/// The end of a denial permits more, the end of a permission less.
#[test]
fn what_ends_is_told_apart_by_what_its_end_does() {
    let folder = tempfile::tempdir().unwrap();
    let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
        "spec": {"classifications": ["personal"],
            "allow": [{"jurisdictions": ["EEA"]}, {"jurisdictions": ["US"], "until": "2031-01-01T00:00:00Z"}],
            "deny": [{"jurisdictions": ["HU"], "until": "2030-01-01T00:00:00Z"},
                     {"jurisdictions": ["PL"], "until": "2020-01-01T00:00:00Z"}]}});
    let file = folder.path().join("cluster.json");
    fs::write(&file, policy.to_string()).unwrap();
    let page = folder.path().join("page.html");
    let arguments = ["--cluster", file.to_str().unwrap(), "--at", "2026-11-24", "-o", "json", "--html"];
    let (status, facts, err) = called(&[&arguments[..], &[page.to_str().unwrap()]].concat());
    assert_eq!(status, 0, "{err}");
    let facts: Value = serde_json::from_str(&facts).unwrap();
    let ends = |place: &str, ends: &str, until: &str| json!({"until": until, "ends": ends, "of": "policy eu", "place": place});
    assert_eq!(
        facts["endings"]["shown"],
        json!([
            ends("HU", "Denial", "2030-01-01T00:00:00Z"),
            ends("US", "Permission", "2031-01-01T00:00:00Z")
        ])
    );
    let text = read(&fs::read_to_string(&page).unwrap()).text;
    let (_, text) = text.split_once("Permissions that end").unwrap();
    let (permissions, denials) = text.split_once("Denials that end").unwrap();
    let (denials, _) = denials.split_once("Nodes").unwrap();
    assert!(permissions.contains("2031-01-01") && !permissions.contains("2030-01-01"), "{permissions}");
    assert!(denials.contains("2030-01-01") && denials.contains("HU") && !denials.contains("PL"), "{denials}");
}

#[test]
fn long_lists_are_cut_and_counted() {
    let mut state = State::new(Settings::default());
    state.apply(object(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": "eu"}, "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}})));
    for number in 0..1_000 {
        state.apply(object(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("p{number:04}"), "namespace": "a",
                         "annotations": {"domicile.dev/data-classification": "personal"}},
            "spec": {"nodeName": "gone"}})));
    }
    let facts = evidence(
        &state,
        "2026-11-24T00:00:00Z".parse().unwrap(),
        &Enforcement::NotKnown("nobody was asked".into()),
    );
    let policy = &facts.policies[0];
    assert_eq!((policy.objects.shown.len(), policy.objects.left_out), (200, 800));
    assert_eq!((policy.violations.shown.len(), policy.violations.len()), (200, 1_000));
    assert_eq!(policy.objects.shown[0].object.name, "p0000");
    assert_eq!(facts.summary.denied, 1_000);
    assert_eq!(
        (facts.classifications[0].places[0].jurisdiction.clone(), facts.classifications[0].places[0].pods),
        (None, 1_000)
    );
}

#[test]
fn what_is_bounded_in_time_counts_from_its_beginning_until_its_end() {
    let at = |day: &str| format!("2026-06-{day}T00:00:00Z").parse().unwrap();
    for (from, until, said) in [
        (None, None, "Open"),
        (Some("02"), None, "Coming"),
        (Some("01"), None, "Open"),
        (Some("01"), Some("02"), "Open"),
        (None, Some("01"), "Ended"),
    ] {
        let validity = Validity::of(from.map(at), until.map(at), at("01"));
        assert_eq!((validity.as_str(), &*format!("{validity:?}")), (said, said), "{from:?} to {until:?}");
    }
}
