//! The dashboard and the alerts: there when asked for, about what is there, and each alert with what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use domicile::server::Metrics;
use regex::Regex;
use serde_json::{Value, json};

use crate::helm::{NAMESPACE, chart, objects, of_kind, only, root};

const RULE: &str = "metrics.prometheusRule.enabled=true";
const DASHBOARD: &str = "metrics.grafanaDashboard.enabled=true";
/// Nothing left out.
const ALL: &str = "metrics.prometheusRule.disabled=[]";

/// What the API server and Prometheus itself have, with the labels that are of use here
/// (k8s.io/apiserver, pkg/admission/metrics).
const OTHERS: [(&str, &[&str]); 3] = [
    (
        "apiserver_admission_webhook_rejection_count",
        &["name", "type", "operation", "error_type", "rejection_code"],
    ),
    ("apiserver_admission_webhook_fail_open_count", &["name", "type"]),
    ("up", &[]),
];
/// What a scrape adds.
const SCRAPED: [&str; 3] = ["job", "namespace", "pod"];

/// The metrics that there are, and their labels.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let metrics = Metrics::new();
    metrics.reviewed("Pod", "CREATE", "Deny", Duration::from_micros(60));
    metrics.violations([("eu".to_owned(), "Pod", 2)]);
    metrics.exempted([("eu".to_owned(), "Pod", 1)]);
    metrics.nodes([("DE".to_owned(), 3)]);
    metrics.cached("Pod", 7);
    metrics.audited(Duration::from_millis(20));
    metrics.live_read("Pod", "found");
    metrics.refused("concurrency");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in metrics.encode().unwrap().lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = LABEL.captures_iter(labels).map(|label| label[1].to_owned());
        found.entry(name.to_owned()).or_default().extend(labels);
    }
    // One that has no series before something is read, and that nothing outside of the server can count.
    let source = fs::read_to_string(root().join("src/server/metrics.rs")).unwrap();
    assert!(source.contains(r#"r#"domicile_certificate_loads_total{result="used"} 1"#));
    found.insert("domicile_certificate_loads_total".to_owned(), BTreeSet::from(["result".to_owned()]));
    for (name, labels) in OTHERS {
        found.insert(name.to_owned(), labels.iter().map(|label| (*label).to_owned()).collect());
    }
    for labels in found.values_mut() {
        labels.extend(SCRAPED.map(str::to_owned));
    }
    found
}

/// Where the chart puts a value.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new("%[a-z]+%").unwrap());
static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"([a-z_]+)(?:=~|!~|!=|=)""#).unwrap());
static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""[^"]*""#).unwrap());
static SELECTOR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b([a-z_:]+)\{([^}]*)\}").unwrap());
static GROUPED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:by|on|without|ignoring) ?\(([^)]*)\)").unwrap());
static RANGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[[^\]]*\]|\boffset [0-9a-z]+").unwrap());
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b([a-z_:][a-z_:0-9]*)\b *(\(?)").unwrap());

/// What is wrong with an expression: metrics and labels that nothing has.
fn unknown(expression: &str, there: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for selector in SELECTOR.captures_iter(expression) {
        let known = there.get(&selector[1]);
        for label in LABEL.captures_iter(&selector[2]) {
            if known.is_some_and(|known| !known.contains(&label[1])) {
                wrong.push(format!("{} has no label {}", &selector[1], &label[1]));
            }
        }
    }
    let bare = QUOTED.replace_all(expression, "");
    let grouped: Vec<String> = GROUPED.captures_iter(&bare).map(|group| group[1].to_owned()).collect();
    let bare = GROUPED.replace_all(&bare, " ");
    let bare = RANGE.replace_all(&bare, " ");
    let bare = Regex::new(r"\{[^}]*\}").unwrap().replace_all(&bare, " ");
    for word in WORD.captures_iter(&bare) {
        let is_function = !word[2].is_empty();
        if is_function || ["or", "and", "unless"].contains(&&word[1]) {
            continue;
        }
        if there.contains_key(&word[1]) {
            used.insert(word[1].to_owned());
        } else {
            wrong.push(format!("nothing has a metric {}", &word[1]));
        }
    }
    if used.is_empty() {
        wrong.push("it is about no metric".to_owned());
    }
    for label in grouped.iter().flat_map(|group| group.split(',')).map(str::trim) {
        let known = label == "le" || used.iter().any(|name| there[name].contains(label));
        if !known {
            wrong.push(format!("it groups by {label}, which {used:?} do not have"));
        }
    }
    wrong
}

fn rules(settings: &[&str]) -> Vec<Value> {
    let rendered = objects(&[&[RULE], settings].concat());
    only(&rendered, "PrometheusRule")["spec"]["groups"][0]["rules"].as_array().unwrap().clone()
}

fn dashboard() -> Value {
    let rendered = objects(&[DASHBOARD]);
    let map = only(&rendered, "ConfigMap");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(map["metadata"]["namespace"], NAMESPACE);
    serde_json::from_str(map["data"]["domicile.json"].as_str().unwrap()).unwrap()
}

#[test]
fn neither_is_there_unless_asked_for() {
    let plain = objects(&[]);
    assert!(of_kind(&plain, "PrometheusRule").is_empty() && of_kind(&plain, "ConfigMap").is_empty());
    let rendered = objects(&[RULE, DASHBOARD]);
    only(&rendered, "PrometheusRule");
    only(&rendered, "ConfigMap");
}

#[test]
fn the_check_of_expressions_finds_what_is_wrong() {
    let there = metrics();
    let wrong = |expression: &str| unknown(expression, &there).join("; ");
    assert_eq!(
        wrong(r#"sum by (kind) (rate(domicile_admission_reviews_total{decision="Deny"}[10m])) * 60 > 1"#),
        ""
    );
    assert!(wrong("sum(domicile_denials_total) > 0").contains("nothing has a metric domicile_denials_total"));
    assert!(wrong("domicile_leader or vector(0) or domicile_leaders").contains("domicile_leaders"));
    assert!(wrong(r#"domicile_nodes{country="DE"}"#).contains("domicile_nodes has no label country"));
    assert!(wrong("sum by (policy) (domicile_nodes)").contains("groups by policy"));
    assert!(wrong("vector(1) > 0").contains("no metric"));
}

#[test]
fn alerts_are_about_metrics_that_there_are() {
    let there = metrics();
    let rules = rules(&[ALL]);
    assert!(rules.len() >= 14);
    for rule in &rules {
        let wrong = unknown(rule["expr"].as_str().unwrap(), &there);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", rule["alert"]);
        assert!(["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().unwrap()));
        assert!(rule["annotations"]["summary"].is_string() && rule["annotations"]["description"].is_string());
        assert!(!PLACEHOLDER.is_match(&rule.to_string()), "{rule}");
    }
}

/// When each alert fires, for promtool.
const WHEN: &str = include_str!("alerts.test.yaml");

#[test]
fn every_alert_has_a_case_in_which_it_fires() {
    let cases: Value = serde_saphyr::from_str(WHEN).unwrap();
    let cases = cases["tests"].as_array().unwrap().iter();
    let tests = cases.flat_map(|case| case["alert_rule_test"].as_array().unwrap());
    let firing: BTreeSet<&str> = tests
        .filter(|test| test["exp_alerts"] != json!([]))
        .map(|test| test["alertname"].as_str().unwrap())
        .collect();
    let rules = rules(&[ALL]);
    assert_eq!(firing, rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect());
}

/// Prometheus itself reads the alerts and the queries of the dashboard, and the alerts fire when they should.
#[test]
fn prometheus_understands_all_of_it() {
    let promtool = |arguments: &[&str]| match Command::new("promtool").args(arguments).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{said}");
            true
        }
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{error}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let groups = |rules: &[Value]| json!({"groups": [{"name": "domicile", "rules": rules}]}).to_string();
    let mut rules = rules(&[ALL]);
    let complete = file("complete.json", &groups(&rules));
    for rule in &mut rules {
        rule.as_object_mut().unwrap().remove("annotations");
    }
    file("rules.json", &groups(&rules));
    // As a rule that records it, promtool takes any query.
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.enumerate().map(|(number, target)| {
        let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
        json!({"record": format!("panel:query{number}"), "expr": query})
    });
    let queries = file("queries.json", &groups(&queries.collect::<Vec<_>>()));
    if promtool(&["check", "rules", &complete, &queries]) {
        promtool(&["test", "rules", &file("alerts.test.yaml", WHEN)]);
    } else {
        println!("SKIPPED: there is no promtool to ask (apt-get install prometheus)");
    }
}

#[test]
fn the_dashboard_is_about_metrics_that_there_are() {
    let (there, dashboard) = (metrics(), dashboard());
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let wrong = unknown(expression, &there);
            assert!(wrong.is_empty(), "{}: {wrong:#?}", panel["title"]);
            shown.extend(there.keys().filter(|name| expression.contains(name.as_str())).cloned());
        }
    }
    // And whatever Domicile has is on it somewhere, but for how often a certificate was read.
    let histogram = |name: &str| name.ends_with("_sum") || name.ends_with("_count");
    let ours = there.keys().filter(|name| name.starts_with("domicile_") && !histogram(name));
    let missing: Vec<&String> = ours.filter(|name| !shown.contains(*name)).collect();
    assert_eq!(missing, ["domicile_certificate_loads_total"]);
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let query = variable["query"]["query"].as_str().unwrap_or_default();
        assert!(query.is_empty() || query.contains("domicile_build_info"), "{query}");
    }
}

#[test]
fn panels_do_not_lie_on_each_other() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(numbers.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24);
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(taken.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}

#[test]
fn every_alert_has_its_entry_in_the_runbook_and_the_other_way_round() {
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let entries: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let rules = rules(&[ALL, r#"metrics.prometheusRule.runbookURL="https://docs.example.com/runbook.html""#]);
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(names, entries);
    for rule in &rules {
        let anchor = rule["alert"].as_str().unwrap().to_lowercase();
        assert_eq!(rule["annotations"]["runbook"], format!("docs/runbook.md#{anchor}"));
        assert_eq!(
            rule["annotations"]["runbook_url"],
            format!("https://docs.example.com/runbook.html#{anchor}")
        );
        let (_, entry) = runbook.split_once(&format!("## {}\n", rule["alert"].as_str().unwrap())).unwrap();
        let entry = entry.split("\n## ").next().unwrap();
        assert!(entry.contains("**Meanwhile**"), "{anchor}");
        assert!(entry.contains("**Do**") || entry.contains("| reason |"), "{anchor} says not what to do");
    }
    assert!(self::rules(&[]).iter().all(|rule| rule["annotations"].get("runbook_url").is_none()));
}

#[test]
fn values_reach_the_alerts() {
    let rules = rules(&[
        r#"metrics.prometheusRule={"enabled":true,"job":"other","disabled":["DomicileSlow"],"denialsPerMinute":2.5,"latencySeconds":0.25}"#,
    ]);
    let expression = |name: &str| {
        let rule = rules.iter().find(|rule| rule["alert"] == name);
        rule.map(|rule| rule["expr"].as_str().unwrap().to_owned())
    };
    assert_eq!(expression("DomicileDown").unwrap(), r#"absent(up{job="other"} == 1)"#);
    assert!(expression("DomicileDenials").unwrap().ends_with("> 2.5"));
    assert_eq!(expression("DomicileSlow"), None);
    assert!(expression("DomicileNoLeader").is_some());
    let slow = self::rules(&["metrics.prometheusRule.latencySeconds=0.25"]);
    let slow = slow.iter().find(|rule| rule["alert"] == "DomicileSlow").unwrap();
    assert!(slow["expr"].as_str().unwrap().ends_with("> 0.25"));
    // A job is what the ServiceMonitor makes of the Service: the chart's name.
    let monitor = objects(&["metrics.serviceMonitor.enabled=true"]);
    assert_eq!(only(&monitor, "ServiceMonitor")["spec"]["jobLabel"], json!("app.kubernetes.io/name"));
    assert_eq!(only(&monitor, "Service")["metadata"]["labels"]["app.kubernetes.io/name"], json!("domicile"));
    assert!(chart().join("files/alerts.yaml").is_file());
}
