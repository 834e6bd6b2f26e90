//! The page for an auditor and the facts behind it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use domicile::cluster::enforcement::{Enforcement, entry, ours};
use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Evidence, evidence};
use html5gum::{Token, Tokenizer};
use serde_json::{Value, json};

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

/// A page as a reader of HTML has it.
#[derive(Default)]
struct Read {
    /// Names of all elements.
    elements: Vec<String>,
    /// Attributes: element, name, value.
    attributes: Vec<(String, String, String)>,
    /// The text of each element, and of each row of a table.
    text: String,
    rows: Vec<String>,
}

fn read(page: &str) -> Read {
    let mut found = Read::default();
    let mut open: Vec<String> = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for Ok(token) in Tokenizer::new(page) {
        match token {
            Token::StartTag(tag) => {
                let name = text(&tag.name);
                for (key, value) in &tag.attributes {
                    found.attributes.push((name.clone(), text(key), text(value)));
                }
                if name == "tr" {
                    found.rows.push(String::new());
                }
                if !["meta", "link", "br"].contains(&name.as_str()) && !tag.self_closing {
                    open.push(name.clone());
                }
                found.elements.push(name);
                found.text.push('\n');
            }
            Token::EndTag(tag) => {
                let name = text(&tag.name);
                assert_eq!(open.pop().as_deref(), Some(name.as_str()), "elements are closed in order");
                found.text.push('\n');
                if let Some(row) = found.rows.last_mut() {
                    row.push('\n');
                }
            }
            Token::String(string) => {
                let string = text(&string);
                found.text.push_str(&string);
                if let Some(row) = found.rows.last_mut().filter(|_| open.iter().any(|one| one == "tr")) {
                    row.push_str(&string);
                }
            }
            Token::Error(error) => panic!("{error:?}"),
            Token::Comment(_) | Token::Doctype(_) => {}
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    found
}

/// Every string and number of a JSON value, with where it stands.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, path, found)),
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Number(number) => found.push((path.to_owned(), number.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Every fact of the JSON is on the page.
fn assert_all_facts(facts: &Value, page: &Read) {
    let moments: BTreeSet<&str> = page
        .attributes
        .iter()
        .filter(|(_, name, _)| name == "datetime")
        .map(|(_, _, value)| value.as_str())
        .collect();
    let mut all = Vec::new();
    leaves(facts, "", &mut all);
    assert!(all.len() > 50, "{facts}");
    for (path, text) in all {
        let said = match path.rsplit('.').next().unwrap() {
            "apiVersion" => continue,
            "at" | "until" | "from" | "since" | "brokenSince" => {
                assert!(moments.contains(text.as_str()), "{path}: {text}");
                continue;
            }
            "how" => match text.as_str() {
                "Is" => "there",
                "Could" => "could be there",
                _ => "not known",
            },
            "ends" => match text.as_str() {
                "Permission" => "Permissions that end",
                _ => "Denials that end",
            },
            "state" => match text.as_str() {
                "Open" => "In force",
                "Coming" => "Not yet",
                other => other,
            },
            _ => text.as_str(),
        };
        assert!(page.text.contains(said), "{path}: {said:?} is not on the page");
    }
}

/// Nothing is fetched, nothing runs, and headings do not skip a level.
fn assert_self_contained(page: &Read) {
    for element in &page.elements {
        assert!(
            !["script", "link", "img", "iframe", "object", "embed", "base", "form"]
                .contains(&element.as_str())
        );
    }
    for (element, name, value) in &page.attributes {
        assert!(!name.starts_with("on"), "{element} {name}");
        let link = element == "a" && (value.starts_with("https://") || value.starts_with("http://"));
        assert!(name != "href" || link || value.starts_with('#'), "{element} {value}");
        assert!(name != "src" && name != "srcset" && name != "style", "{element} {name}");
    }
    let mut last = 0;
    for heading in page.elements.iter().filter_map(|name| name.strip_prefix('h')?.parse::<u8>().ok()) {
        assert!(heading <= last + 1, "h{heading} follows h{last}");
        last = heading;
    }
    assert!(page.attributes.contains(&("html".into(), "lang".into(), "en".into())));
    for table in ["caption", "thead", "tbody"] {
        let count = |name: &str| page.elements.iter().filter(|one| *one == name).count();
        assert_eq!(count(table), count("table"), "{table}");
    }
    // What scrolls can be reached by key, and has a name.
    let of_boxes = |name: &str| {
        page.attributes.iter().filter(|(element, key, _)| element == "div" && key == name).count()
    };
    let tables = page.elements.iter().filter(|one| *one == "table").count();
    assert_eq!((of_boxes("tabindex"), of_boxes("aria-label")), (tables, tables));
    // Each map has a name.
    let ids: BTreeSet<&str> = page
        .attributes
        .iter()
        .filter(|(_, name, _)| name == "id")
        .map(|(_, _, value)| value.as_str())
        .collect();
    for (_, name, value) in
        page.attributes.iter().filter(|(_, name, _)| name == "aria-labelledby" || name == "href")
    {
        if name == "aria-labelledby" || value.starts_with('#') {
            assert!(ids.contains(value.trim_start_matches('#')), "{value}");
        }
    }
}

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
    for value in [
        policy("storage", &["Storage"]),
        policy("processing", &["Processing"]),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata("works"),
            "spec": {"nodeName": "us", "containers": []}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata("stores"), "spec": {"nodeName": "us",
            "containers": [], "volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "data"}}]}}),
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

fn with_webhooks(webhooks: &[Value]) -> Evidence {
    with_both(webhooks, Ok(&["records", "identities"].map(webhook)), &[])
}

/// One as the chart has it, but for its rules, which are wider.
fn webhook(name: &str) -> Value {
    let name = format!("{name}.domicile.dev");
    let conditions: Vec<Value> = entry(&name)
        .unwrap()
        .conditions
        .iter()
        .map(|(name, expression)| json!({"name": name, "expression": expression}))
        .collect();
    json!({"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None",
           "clientConfig": {"caBundle": "Y2E=", "url": "https://domicile/validate"}, "failurePolicy": "Fail",
           "matchConditions": conditions,
           "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}],
           "namespaceSelector": {"matchExpressions": [
               {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]}})
}

fn with_both(validating: &[Value], mutating: Result<&[Value], &str>, more: &[Value]) -> Evidence {
    let mut state = State::new(Settings::default());
    for name in ["kube-system", "shop"] {
        state.apply(object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})));
    }
    for one in more {
        state.apply(object(one.clone()));
    }
    let configuration = |webhooks: &[Value]| json!([{"metadata": {"name": "domicile", "creationTimestamp": "2026-03-01T10:00:00Z"}, "webhooks": webhooks}]);
    let mutating = mutating.map(|webhooks| serde_json::from_value(configuration(webhooks)).unwrap());
    let validating = serde_json::from_value(configuration(validating)).unwrap();
    let enforcement = Enforcement::Known(ours(validating, mutating.map_err(str::to_owned)));
    evidence(&state, "2026-11-24T00:00:00Z".parse().unwrap(), &enforcement)
}

/// The webhooks that judge and without which there would be a gap.
const JUDGE: [&str; 5] = ["workloads", "bindings", "volumes", "cluster", "exceptions"];

#[test]
fn coverage_says_what_enforcement_leaves_out() {
    let all: Vec<Value> = JUDGE.map(webhook).to_vec();
    let coverage = with_webhooks(&all).coverage;
    assert_eq!((coverage.enforced, coverage.remarks.as_slice()), (Some(true), &[][..]));
    let named: Vec<_> =
        coverage.webhooks.iter().map(|webhook| webhook.name.trim_end_matches(".domicile.dev")).collect();
    assert_eq!(named, ["bindings", "cluster", "exceptions", "volumes", "workloads", "identities", "records"]);
    assert_eq!(coverage.webhooks[0].purpose, Some("has the last word on the node of a pod"));
    assert_eq!(coverage.webhooks[0].since, Some("2026-03-01T10:00:00Z".parse().unwrap()));
    assert_eq!(coverage.webhooks[4].conditions, ["changes-more-than-finalizers-and-status"]);
    let excluded: Vec<_> = coverage.excluded.shown.iter().map(|one| one.namespace.as_str()).collect();
    assert_eq!(excluded, ["kube-system"]);

    let mut open = all.clone();
    open[1]["failurePolicy"] = "Ignore".into();
    open[2]["clientConfig"] = json!({"url": "https://domicile/validate"});
    open.remove(3);
    let coverage = with_webhooks(&open).coverage;
    assert_eq!(coverage.enforced, Some(false));
    assert_eq!(
        coverage.remarks,
        [
            "the webhook cluster.domicile.dev is missing: nodes could say of themselves where they are, and namespaces lose \
             their classification",
            "the webhook bindings.domicile.dev admits what it is asked about while nobody answers",
            "the webhook volumes.domicile.dev has no caBundle, so the API server may not trust it",
        ]
    );
    assert_eq!(
        with_both(&[], Ok(&[]), &[]).coverage.remarks,
        ["the API server has no webhook of Domicile: nothing is enforced"]
    );

    // Asked, and about nothing.
    let mut narrow = all.clone();
    let rule = |group: &str, operation: &str, resource: &str| json!({"apiGroups": [group], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]});
    narrow[0]["rules"] = json!([
        rule("", "CREATE", "pods"),
        rule("", "*", "pods/status"),
        rule("apps", "*", "*"),
        rule("batch", "*", "cronjobs")
    ]);
    narrow[1]["objectSelector"] = json!({"matchLabels": {"never": "matches"}});
    narrow[2]["matchConditions"] = json!([{"name": "never", "expression": "false"}]);
    narrow[3]["rules"] = json!([]);
    let coverage = with_webhooks(&narrow).coverage;
    assert_eq!(coverage.enforced, Some(false));
    assert_eq!(
        coverage.remarks,
        [
            "the webhook bindings.domicile.dev is asked only about objects whose labels match its objectSelector",
            "the webhook cluster.domicile.dev is not asked about UPDATE of nodes",
            "the webhook cluster.domicile.dev is not asked about UPDATE of nodes/status",
            "the webhook cluster.domicile.dev is not asked about UPDATE of namespaces",
            "the webhook volumes.domicile.dev is asked only under the condition never, which is none that Domicile's chart \
             gives it",
            "the webhook workloads.domicile.dev is not asked about CREATE and UPDATE of pods",
            "the webhook workloads.domicile.dev is not asked about CREATE and UPDATE of replicationcontrollers",
            "the webhook workloads.domicile.dev is not asked about CREATE and UPDATE of jobs",
        ]
    );
}

/// A condition of the chart by its name alone could be any.
#[test]
fn a_condition_is_known_by_what_it_says() {
    let mut all: Vec<Value> = JUDGE.map(webhook).to_vec();
    let expression = all[0]["matchConditions"][0]["expression"].as_str().unwrap().to_owned();
    // Lines may be broken anywhere.
    all[0]["matchConditions"][0]["expression"] = expression.replace(" || ", "\n  || ").into();
    assert_eq!(with_webhooks(&all).coverage.enforced, Some(true));
    all[0]["matchConditions"][0]["expression"] =
        format!("({expression}) && object.metadata.namespace != 'shop'").into();
    let coverage = with_webhooks(&all).coverage;
    assert_eq!(coverage.enforced, Some(false));
    assert_eq!(
        coverage.remarks,
        [
            "the webhook workloads.domicile.dev is asked only under the condition changes-more-than-finalizers-and-status, \
             which is written otherwise than in the chart of this version of Domicile, so it is not known what it leaves out"
        ]
    );
    // One of another webhook's is none of this one's.
    all[0] = webhook("workloads");
    all[1]["matchConditions"] = all[0]["matchConditions"].clone();
    let remarks = with_webhooks(&all).coverage.remarks;
    assert!(
        remarks.len() == 1 && remarks[0].starts_with("the webhook bindings.domicile.dev is asked only"),
        "{remarks:?}"
    );
}

#[test]
fn coverage_says_whether_what_is_inherited_is_written_down() {
    let judging: Vec<Value> = JUDGE.map(webhook).to_vec();
    let policy = |remedy: &str| {
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
               "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}], "remedy": remedy}})
    };
    let of = |mutating: Result<&[Value], &str>, remedy: &str| {
        let coverage = with_both(&judging, mutating, &[policy(remedy)]).coverage;
        (coverage.enforced, coverage.remarks)
    };
    let all = ["records", "identities", "confine"].map(webhook);
    assert_eq!(of(Ok(&all), "Confine"), (Some(true), vec![]));
    // Whoever confines nothing misses nothing.
    assert_eq!(of(Ok(&all[..2]), "Reject"), (Some(true), vec![]));
    let (enforced, remarks) = of(Ok(&[]), "Confine");
    assert_eq!(enforced, Some(false));
    assert_eq!(
        remarks,
        [
            "the webhook records.domicile.dev is missing: what volumes and snapshots inherit is not written down, and is lost \
             when what they have it from is gone",
            "the webhook identities.domicile.dev is missing: a binding that names its pod alone could bind another that has \
             got its name since",
            "the webhook confine.domicile.dev is missing: pods under a policy that confines are not confined, and may be \
             refused",
        ]
    );
    let (enforced, remarks) =
        of(Err("the user of the kubeconfig may not list mutatingwebhookconfigurations"), "Reject");
    assert_eq!(enforced, None);
    assert_eq!(
        remarks,
        [
            "the user of the kubeconfig may not list mutatingwebhookconfigurations: whether what is inherited is written down, \
             and pods are confined, is not known"
        ]
    );
    let mut narrow = all.clone();
    narrow[0]["rules"][0]["resources"] = json!(["persistentvolumes"]);
    narrow[2]["failurePolicy"] = "Ignore".into();
    let (_, remarks) = of(Ok(&narrow), "Confine");
    assert!(
        remarks.iter().any(|one| one
            == "the webhook confine.domicile.dev admits what it is asked about while nobody answers"),
        "{remarks:?}"
    );
    assert!(
        remarks
            .iter()
            .any(|one| one.ends_with("records.domicile.dev is not asked about CREATE of volumesnapshots")),
        "{remarks:?}"
    );
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

/// With this in the environment, the schema is written anew.
const WRITE: &str = "DOMICILE_WRITE_SCHEMA";

fn schema() -> Value {
    serde_json::to_value(domicile::cli::output::facts::schema()).unwrap()
}

fn errors(schema: &Value, facts: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(facts).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schema_of_the_facts_is_that_of_the_types() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/report.schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os(WRITE).is_some() {
        fs::write(file, &text).unwrap();
    }
    assert!(
        fs::read_to_string(file).is_ok_and(|written| written == text),
        "docs/schema/report.schema.json lags behind the types: {WRITE}=1 cargo test --test report"
    );
}

#[test]
fn the_facts_match_their_schema() {
    let schema = schema();
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    fs::write(&broken, "kind: [").unwrap();
    let broken = broken.to_str().unwrap();
    let of = |arguments: &[&str]| {
        let (_, out, err) = called(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{err}"))
    };
    let (example, incomplete) = (of(&EXAMPLE), of(&["--cluster", "examples/cluster", broken]));
    assert_eq!((&example["complete"], &incomplete["complete"]), (&json!(true), &json!(false)));
    for facts in [&example, &incomplete, &of(&["--cluster", "examples/policies"])] {
        assert_eq!(errors(&schema, facts), Vec::<String>::new());
    }
    // What the API server is asked, too.
    let judging: Vec<Value> = JUDGE.map(webhook).to_vec();
    let coverage = serde_json::to_value(with_webhooks(&judging).coverage).unwrap();
    let mut live = example.clone();
    live["coverage"] = coverage;
    assert_eq!(errors(&schema, &live), Vec::<String>::new());
    // A schema that lets everything pass would prove nothing.
    for (at, wrong) in [
        ("/source", Value::Null),
        ("/summary/denied", json!(-1)),
        ("/policies/0/action", json!("Refuse")),
        ("/policies/0/objects/leftOut", Value::Null),
        ("/coverage/enforced", json!("yes")),
        ("/coverage/webhooks/0", json!({})),
        ("/nodes", json!({"total": 1})),
        ("/at", json!(7)),
        ("/complete", json!("no")),
    ] {
        let mut facts = live.clone();
        *facts.pointer_mut(at).unwrap() = wrong;
        assert!(!errors(&schema, &facts).is_empty(), "{at}");
    }
    let mut facts = live.clone();
    facts["more"] = json!(1);
    assert!(!errors(&schema, &facts).is_empty(), "what is not described");
}
