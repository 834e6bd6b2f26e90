//! The auditor's page, as a person sees it: in a browser, on a telephone, on a screen and on paper.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod browser;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::browser::{beside, dom};

/// A telephone and a screen.
const WIDTHS: [u32; 2] = [390, 1280];
const HEADINGS: [&str; 9] = [
    "Data residency report",
    "Summary",
    "Where the data is",
    "Policies",
    "Exceptions",
    "What ends",
    "Nodes",
    "Without a classification",
    "Enforcement",
];
/// What the summary calls each number of the facts.
const NUMBERS: [(&str, &str); 7] = [
    ("Objects judged", "judged"),
    ("Carry a classification", "classified"),
    ("Would be refused (Deny)", "denied"),
    ("Would be admitted with a warning (Warn)", "warned"),
    ("Would be admitted, and are only reported (Audit)", "reported"),
    ("Keep a policy only by an exception", "exempted"),
    ("Pods and claims that carry nothing", "unclassified"),
];

/// A page and its facts.
struct Made {
    folder: tempfile::TempDir,
    page: PathBuf,
    facts: Value,
}

/// The page of these files.
fn page(cluster: &[&str]) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .args(["report", "--at", "2026-11-24T00:00:00Z", "-o", "json", "--html"])
        .arg(&page)
        .arg("--cluster")
        .args(cluster)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Made { folder, page, facts: serde_json::from_slice(&output.stdout).unwrap() }
}

fn example() -> Made {
    page(&["examples/cluster", "examples/us-adequacy/today.yaml"])
}

/// The longest names that there are, of everything that is named on the page.
fn long() -> Made {
    let name = |letter: &str, length: usize| letter.repeat(length);
    let label = |letter: &str| name(letter, 63);
    let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": name("p", 253)},
        "spec": {"classifications": [label("c")], "legalBasis": [{"title": name("t", 253), "url": format!("https://{}", name("u", 900))}],
            "allow": [{"jurisdictions": ["DE"], "basis": name("b", 253), "until": "2030-01-01T00:00:00Z"}],
            "deny": [{"zones": [name("z", 63)], "until": "2030-01-01T00:00:00Z"}]}});
    let exception = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
        "metadata": {"name": name("e", 253), "namespace": label("n")},
        "spec": {"policies": [name("p", 253)], "allow": [{"jurisdictions": ["US"]}], "reason": name("r", 900),
            "until": "2030-01-01T00:00:00Z"}});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name("o", 253), "labels": {
        "topology.kubernetes.io/region": label("g"), "topology.kubernetes.io/zone": label("z")}}});
    let pod = |pod: &str, annotations: Value| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod, "namespace": label("n"), "annotations": annotations},
            "spec": {"nodeName": name("o", 253), "containers": []}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": label("n")}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        policy, exception, node, namespace,
        pod(&name("k", 253), json!({"domicile.dev/data-classification": label("c")})),
        pod("plain", json!({})),
    ]});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.json");
    fs::write(&file, list.to_string()).unwrap();
    page(&[file.to_str().unwrap()])
}

/// A document that holds the page in a frame of this width: a window is never as narrow as a telephone. Whether scripts
/// may run in the frame is said by `script`.
fn framed(made: &Made, width: u32, script: bool, change: impl Fn(String) -> String) -> PathBuf {
    let page = change(fs::read_to_string(&made.page).unwrap()).replace('&', "&amp;").replace('"', "&quot;");
    let allowed = if script { "allow-same-origin allow-scripts" } else { "allow-same-origin" };
    let frame = format!(
        "<iframe sandbox=\"{allowed}\" width=\"{width}\" height=\"2400\" style=\"border: 0; display: block\" srcdoc=\"{page}\"></iframe>"
    );
    let text = format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"></head><body style=\"margin: 0\">{frame}<script>{}</script></body></html>",
        include_str!("probe.js")
    );
    let file = made.folder.path().join("framed.html");
    fs::write(&file, text).unwrap();
    file
}

fn same(page: String) -> String {
    page
}

/// What a person sees of it.
fn measured(made: &Made, width: u32, script: bool, change: impl Fn(String) -> String) -> Value {
    let dom = dom(&framed(made, width, script, change));
    let (_, rest) =
        dom.split_once("data-measured=\"").unwrap_or_else(|| panic!("nothing is measured: {dom:.400}"));
    let (text, _) = rest.split_once('"').unwrap();
    serde_json::from_str(&decoded(text)).unwrap()
}

/// Text as `encodeURIComponent` has written it.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Width and height of a PNG.
fn size(picture: &[u8]) -> (u32, u32) {
    assert!(picture.starts_with(b"\x89PNG"), "no picture");
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn headings_and_numbers_are_seen_and_nothing_is_asked_of_the_network() {
    let made = example();
    assert!(made.facts["summary"]["denied"].as_u64() > Some(0), "there is something to see");
    for width in WIDTHS {
        let seen = measured(&made, width, true, same);
        assert_eq!(seen["width"], width);
        assert_eq!(seen["headings"], json!(HEADINGS));
        for (what, fact) in NUMBERS {
            assert_eq!(seen["numbers"][what], made.facts["summary"][fact].to_string(), "{what}");
        }
        for policy in made.facts["policies"].as_array().unwrap() {
            let heading = format!("Policy {}", policy["name"].as_str().unwrap());
            assert!(seen["text"].as_str().unwrap().contains(&heading), "{heading}");
        }
        assert!(seen["maps"].as_u64() >= Some(2), "{}", seen["maps"]);
        assert_eq!(seen["asked"], json!([]), "it asks for something");
    }
    // What asks is found out: the page would even forbid it.
    let asks = |page: String| {
        lax(&page).replace("<main>", "<main><img src=\"http://example.invalid/a.png\" alt=\"\">")
    };
    assert_eq!(measured(&made, 1280, true, asks)["asked"], json!(["http://example.invalid/a.png"]));
}

/// The page without what it says about itself of what may be fetched and run.
fn lax(page: &str) -> String {
    let (before, after) = page.split_once("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let (policy, after) = after.split_once('>').unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    format!("{before}{after}")
}

#[test]
fn it_is_the_same_without_script() {
    let made = example();
    for width in WIDTHS {
        let [with, without] = [true, false].map(|script| measured(&made, width, script, same));
        assert_eq!(without["headings"], json!(HEADINGS));
        assert!(with == without, "a script changes what is seen");
    }
    // The page lets none run, and the frame neither.
    let script =
        |page: &str| page.replace("</body>", "<script>document.title = 'a script ran'</script></body>");
    let title = |run: bool, change: &dyn Fn(String) -> String| {
        measured(&made, 1280, run, change)["title"].as_str().unwrap().to_owned()
    };
    assert!(title(true, &|page| script(&page)).starts_with("Data residency report"));
    assert_eq!(title(true, &|page| script(&lax(&page))), "a script ran");
    assert!(title(false, &|page| script(&lax(&page))).starts_with("Data residency report"));
}

#[test]
fn nothing_sticks_out_of_a_telephone_or_a_screen() {
    for made in [example(), long()] {
        for width in WIDTHS {
            let seen = measured(&made, width, true, same);
            assert_eq!(seen["wide"], json!([]), "at {width}");
            assert_eq!((&seen["width"], &seen["scrolls"]), (&json!(width), &json!(width)));
        }
    }
    // What sticks out is found out.
    let wide = |page: String| page.replace("<main>", "<main><p style=\"min-width: 3000px\">wide</p>");
    let seen = measured(&example(), 390, true, wide);
    assert!(seen["wide"][0] == "P wide" && seen["scrolls"].as_u64() > Some(3_000), "{}", seen["wide"]);
}

#[test]
fn every_text_stands_out() {
    for made in [example(), long()] {
        for width in WIDTHS {
            let seen = measured(&made, width, true, same);
            assert!(seen["texts"].as_u64() > Some(60), "{}", seen["texts"]);
            assert_eq!(seen["faint"], json!([]));
        }
    }
    // What is faint is found out.
    let faint = |page: String| page.replace("--soft: #4a5763", "--soft: #9aa7b3");
    assert!(measured(&example(), 1280, true, faint)["faint"].as_array().unwrap().len() > 10);
}

#[test]
fn there_is_something_in_the_pictures() {
    let made = example();
    let blank = made.folder.path().join("blank.html");
    fs::write(&blank, "<!doctype html><title>blank</title>").unwrap();
    for width in WIDTHS {
        let window = format!("--window-size={width},2400");
        let picture = |file: &Path| beside(file, "--screenshot", "png", &window);
        let (page, blank) = (picture(&made.page), picture(&blank));
        let scriptless = picture(&framed(&made, width, false, same));
        for one in [&page, &blank, &scriptless] {
            assert_eq!(size(one), (width, 2_400));
        }
        // A picture of one colour packs into next to nothing.
        for one in [&page, &scriptless] {
            assert!(one.len() > 10 * blank.len(), "{} bytes, and {} of a blank page", one.len(), blank.len());
        }
    }
}

#[test]
fn it_can_be_printed() {
    for (made, least) in [(example(), 5), (long(), 2)] {
        let document = beside(&made.page, "--print-to-pdf", "pdf", "--no-pdf-header-footer");
        assert!(document.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&document);
        let is_page = |(at, found): &(usize, &str)| !text[at + found.len()..].starts_with('s');
        let pages = text.match_indices("/Type /Page").filter(is_page).count();
        assert!((least..60).contains(&pages), "{pages} pages");
    }
}
