//! What is to be written instead: another place, and nothing else of what the pod asks for.

use domicile::residency::{Decision, Fix};
use serde_json::{Value, json};

use super::support::{EU, NODES};
use super::*;

/// The terms of the affinity that is to be written, in words; none without a fix.
fn terms(fix: Option<Fix>) -> Vec<String> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let words = |one: &Value| {
        let values: Vec<String> = list(&one["values"]).iter().map(text).collect();
        format!("{} {} {}", text(&one["key"]), text(&one["operator"]), values.join(","))
    };
    let term =
        |one: &Value| list(&one["matchExpressions"]).iter().map(words).collect::<Vec<_>>().join(" and ");
    fix.map_or_else(Vec::new, |fix| list(&fix.value["nodeSelectorTerms"]).iter().map(term).collect())
}

fn fixed(cluster: &[&str], spec: &str) -> Vec<String> {
    let verdict = judged(&state(cluster), spec);
    assert_eq!(verdict.decision, Decision::Deny, "{spec}: {verdict:#?}");
    terms(verdict.fix)
}

#[test]
fn s5_a_fix_keeps_what_the_pod_asks_for_beside_its_place() {
    let fast = ["dub", "iad"].iter().fold(NODES.to_owned(), |nodes, name| {
        let labels = format!("{{name: {name}, labels: {{");
        nodes.replace(&labels, &format!("{labels}disk: ssd, "))
    });
    let disk = within("disk", "ssd");
    for spec in [expressions(&disk), expressions(&format!("{disk}, {}", within(REGION, "us-east-1")))] {
        assert_eq!(fixed(&[&fast, EU], &spec), [format!("disk In ssd and {REGION} In eu-west-1")], "{spec}");
    }
    let verdict = judged(&state(&[&fast, EU]), &format!("nodeSelector: {{disk: ssd, {REGION}: us-east-1}}"));
    let due = json!({"disk": "ssd", REGION: "eu-west-1"});
    assert_eq!(verdict.fix.map(|fix| fix.value), Some(due));
}

/// Once it is followed, the pod would be refused for the other.
#[test]
fn s5_no_fix_of_its_place_while_something_else_is_wrong() {
    let wrong =
        pod("").replace("{name: p,", "{name: p, annotations: {domicile.dev/data-classification: Not OK},");
    assert_ne!(wrong, pod(""));
    assert_ne!(fixed(&[NODES, EU], ""), [""; 0]);
    let verdict = judge(&Request::create(&object(&wrong)), &state(&[NODES, EU]), now());
    let due = [Reason::NodeOutsideJurisdiction, Reason::InvalidClassification];
    assert_eq!((support::reasons(&verdict), verdict.fix), (due.to_vec(), None));
}

/// Where no region says where a node is, the label that a place of the policy selects does.
#[test]
fn s5_a_fix_names_the_label_that_a_place_selects() {
    let racks = EU.replace("{jurisdictions: [EEA]}", "{nodeSelector: {matchLabels: {rack: safe}}}");
    let node = |rack: &str| {
        format!("{{apiVersion: v1, kind: Node, metadata: {{name: {rack}, labels: {{rack: {rack}}}}}}}")
    };
    assert_eq!(fixed(&[&node("safe"), &node("open"), &racks], ""), ["rack In safe"]);
    // Not where no node bears it, and others are permitted.
    let either = EU.replace("allow: [", "allow: [{nodeSelector: {matchLabels: {rack: safe}}}, ");
    let of = |name: &str, rack: &str, country: &str| {
        node(rack).replace(
            &format!("{{name: {rack}, labels: {{"),
            &format!("{{name: {name}, labels: {{kubernetes.io/hostname: {name}, domicile.dev/jurisdiction: {country}, "),
        )
    };
    let abroad = of("c", "open", "US");
    let hosts = |names: &str| [format!("kubernetes.io/hostname In {names}")];
    assert_eq!(fixed(&[&of("a", "open", "DE"), &of("b", "open", "IE"), &abroad, &either], ""), hosts("a,b"));
    assert_eq!(fixed(&[&of("a", "safe", "DE"), &abroad, &either], ""), ["rack In safe"]);
}

/// More than a dozen values nobody wants to read.
#[test]
fn s5_a_fix_names_no_more_than_twelve_regions() {
    for count in [12, 13] {
        let names: Vec<String> = (10..10 + count).map(|number| format!("hall-{number}")).collect();
        let entry = |name: &String| format!("{{provider: dc, region: {name}, jurisdiction: DE}}");
        let geography = format!(
            "{{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {{name: g}}, spec: {{providers: [{{name: dc, schemes: \
             [dc]}}], regions: [{{provider: dc, region: far, jurisdiction: US}}, {}]}}}}",
            names.iter().map(entry).collect::<Vec<_>>().join(", ")
        );
        let node = |name: &str| {
            format!(
                "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{{REGION}: {name}}}}}, spec: {{providerID: \
                 'dc://{name}'}}}}"
            )
        };
        let nodes: Vec<String> = names.iter().map(|name| node(name)).collect();
        let due = if count == 12 { vec![format!("{REGION} In {}", names.join(","))] } else { Vec::new() };
        assert_eq!(fixed(&[&geography, &node("far"), &nodes.join("\n---\n"), EU], ""), due, "{count}");
    }
}

/// Nodes may be made once a pod waits for them.
#[test]
fn s5_where_no_node_is_permitted_a_fix_names_the_regions_of_the_provider() {
    let abroad = NODES.split("---").find(|node| node.contains("name: iad")).unwrap();
    let fixed = fixed(&[abroad, EU], "");
    let [regions] = &fixed[..] else { panic!("{fixed:?}") };
    let (key, values) = regions.split_once(" In ").unwrap();
    let values: Vec<&str> = values.split(',').collect();
    assert!(key == REGION && values.contains(&"eu-west-1") && !values.contains(&"us-east-1"), "{regions}");
}

/// The scheduler would choose among those that the rest leaves.
#[test]
fn s5_a_fix_of_a_node_that_is_named_leaves_its_name_out() {
    let home = expressions(&within(REGION, "eu-west-1"));
    for (rest, helps) in [(home.as_str(), true), ("", false)] {
        let fix = judged(&state(&[NODES, EU]), &format!("nodeName: iad, {rest}")).fix;
        let due = helps.then(|| Fix { path: "spec.nodeName".into(), value: Value::Null });
        assert_eq!(fix, due, "{rest}");
    }
}

/// An empty term matches nothing, and would match much with the place added to it; a place that is named is replaced.
#[test]
fn s5_a_fix_adds_its_place_to_terms_that_match_something() {
    let disk = NODES.replace("labels: {", "labels: {disk: ssd, ");
    let ssd = within("disk", "ssd");
    let due = |rest: &str| [format!("disk In ssd and {REGION} In {rest}")];
    let spec = affinity(&format!("{{matchExpressions: [{ssd}]}}, {{}}"));
    assert_eq!(
        fixed(&[&disk, EU], &spec),
        due(&format!("eu-central-1,eu-west-1 and {ZONE} In eu-central-1a,eu-west-1a"))
    );
    let spec = expressions(&format!("{ssd}, {}", within(REGION, "eu-west-1, us-east-1")));
    assert_eq!(fixed(&[&disk, EU], &spec), due("eu-west-1"));
}

/// A list of all that is permitted is no fix when it is long.
#[test]
fn s5_where_no_node_is_permitted_a_fix_names_no_more_than_twelve_regions() {
    let abroad = NODES.split("---").find(|node| node.contains("name: iad")).unwrap();
    let many = EU.replace("allow: [{jurisdictions: [EEA]}]", "deny: [{jurisdictions: [US]}]");
    assert_ne!(many, EU);
    assert_eq!(fixed(&[abroad, &many], ""), [""; 0]);
}
