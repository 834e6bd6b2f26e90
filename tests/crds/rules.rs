//! What the definitions accept and refuse. `OpenAPI` is asked of a JSON Schema validator, CEL of an evaluator.

use std::collections::BTreeSet;

use domicile::api::{Geography, ResidencyException, ResidencyPolicy};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{definition, open_api, walk};

const POLICY: &str = r#"
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: nordic-health}
spec:
  classifications: [health, personal]
  activities: [Processing, Storage]
  namespaceSelector: {matchLabels: {tenant: clinic}}
  objectSelector:
    matchExpressions:
      - {key: example.org/tier, operator: In, values: [gold, ""]}
      - {key: legacy, operator: DoesNotExist}
  allow:
    - jurisdictions: [EEA, CH, CA-QC]
    - jurisdictions: [US]
      providers: [aws]
      from: "2023-07-10T00:00:00Z"
      until: "2027-07-10T00:00:00Z"
      basis: "Decision (EU) 2023/1795"
    - nodeSelector: {matchLabels: {example.org/cage: a1}}
  deny:
    - providerJurisdictions: [CN]
    - regions: ["eu-*"]
      zones: ["*-1a"]
  action: Warn
  assurance: Proven
  remedy: Confine
  legalBasis: [{title: "GDPR Art. 44", url: "https://eur-lex.europa.eu/eli/reg/2016/679/oj"}]
status:
  observedGeneration: 3
  conditions:
    - {type: Ready, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}
  compliance: {checked: 240, violating: 2, lastAudit: "2026-01-01T00:00:00Z"}
"#;

const GEOGRAPHY: &str = r#"
apiVersion: domicile.dev/v1alpha1
kind: Geography
metadata: {name: our-cloud}
spec:
  groups: [{name: ADEQUATE, members: [EEA, CH, JP, CA-QC], source: "our counsel"}]
  regions:
    - {provider: openstack, region: "fra*", zone: nova-istanbul, jurisdiction: TR, providerJurisdiction: DE, place: Istanbul}
    - {provider: openstack, region: yul, jurisdiction: CA-QC}
  providers:
    - name: openstack
      schemes: [openstack]
      jurisdiction: DE
      zoneRule: "^(?<region>[a-z]+)-[0-9]$"
      providerIDZone: "^openstack://(?P<zone>[^/]+)/"
  drivers:
    - name: cinder.csi.openstack.org
      provider: openstack
      topologyKeys: [topology.cinder.csi.openstack.org/zone]
      regionKeys: [example.org/region]
      placement: Cluster
      copies: [{parameter: skuName, values: ["*_GRS"], to: [{from: fra1, region: ber1}]}]
      snapshots: {locationParameter: storage-locations, default: Unknown}
status:
  observedGeneration: 1
  conditions:
    - {type: Conflict, status: "False", reason: Alone, message: "no other", lastTransitionTime: "2026-01-01T00:00:00Z"}
"#;

const EXCEPTION: &str = r#"
apiVersion: domicile.dev/v1alpha1
kind: ResidencyException
metadata: {name: migration, namespace: shop}
spec:
  policies: [nordic-health]
  objectSelector: {matchLabels: {app: migration}}
  allow: [{jurisdictions: [US], from: "2026-12-01T00:00:00Z"}]
  until: "2026-12-31T00:00:00Z"
  reason: "DR test, ticket 4711"
"#;

fn example(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

/// Everything that an API server would say against an object, each with the path it is about. As there, rules are
/// asked only of an object that has the right shape.
fn refusals(object: &Value) -> Vec<String> {
    let schema = open_api(&definition(object["kind"].as_str().unwrap()));
    let shape = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let misshapen: Vec<String> =
        shape.iter_errors(object).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if !misshapen.is_empty() {
        return misshapen;
    }
    let broken = kube_cel::Validator::new().validate(&schema, object, None).err();
    broken
        .iter()
        .flat_map(|errors| errors.iter())
        .map(|error| {
            assert_eq!(error.kind, kube_cel::ErrorKind::ValidationFailure, "{error}");
            error.to_string()
        })
        .collect()
}

/// A change to an example, and what is said against it. No words: nothing is.
struct Case {
    example: &'static str,
    at: &'static str,
    /// Null takes the field away.
    value: Value,
    refused: &'static str,
}

fn case(example: &'static str, at: &'static str, value: Value, refused: &'static str) -> Case {
    Case { example, at, value, refused }
}

fn accepted(example: &'static str, at: &'static str, value: Value) -> Case {
    case(example, at, value, "")
}

impl Case {
    fn object(&self) -> Value {
        let mut object = example(self.example);
        let (parent, field) = self.at.rsplit_once('/').unwrap();
        let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("no {}", self.at));
        match parent {
            Value::Object(fields) if self.value.is_null() => {
                fields.remove(field).unwrap_or_else(|| panic!("no {}", self.at));
            }
            Value::Object(fields) => {
                fields.insert(field.to_owned(), self.value.clone());
            }
            Value::Array(items) => items[field.parse::<usize>().unwrap()] = self.value.clone(),
            _ => panic!("{} is in no object", self.at),
        }
        object
    }
}

/// One label, one expression, as a node selector that is wrong or right.
fn node_selector(operator: &str, values: &Value) -> Value {
    json!([{"nodeSelector": {"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]}}])
}

fn policy_cases() -> Vec<Case> {
    let long = |length: usize| "x".repeat(length);
    vec![
        accepted(POLICY, "/spec/deny", Value::Null),
        accepted(POLICY, "/spec/allow", Value::Null),
        accepted(POLICY, "/spec/objectSelector", json!({})),
        accepted(POLICY, "/spec/allow", json!([{"regions": ["*"]}])),
        accepted(POLICY, "/spec/allow", json!([{"zones": ["a"]}])),
        accepted(POLICY, "/spec/allow", json!([{"providers": ["gcp"]}])),
        accepted(POLICY, "/spec/allow", json!([{"providerJurisdictions": ["EEA"]}])),
        accepted(POLICY, "/spec/allow", json!([{"regions": ["a"], "until": "2020-01-01T00:00:00+02:00"}])),
        accepted(POLICY, "/spec/allow", json!([{"regions": ["a"], "from": "2020-01-01T00:00:00Z"}])),
        accepted(POLICY, "/spec/allow", node_selector("Exists", &json!([]))),
        accepted(POLICY, "/spec/allow", json!([{"basis": long(1024), "zones": [long(253)]}])),
        case(POLICY, "/spec/classifications", Value::Null, "\"classifications\" is a required property"),
        case(POLICY, "/spec/classifications", json!([]), "/spec/classifications: [] has less than 1 item"),
        case(POLICY, "/spec/classifications", json!(["Personal"]), "/spec/classifications/0: "),
        case(POLICY, "/spec/classifications", json!(["-a"]), "/spec/classifications/0: "),
        case(POLICY, "/spec/classifications", json!([long(64)]), "longer than 63"),
        case(
            POLICY,
            "/spec/classifications",
            json!(["a", "b", "a"]),
            "spec.classifications: a classification is listed twice",
        ),
        case(
            POLICY,
            "/spec/classifications",
            json!((0..33).map(|n| format!("c{n}")).collect::<Vec<_>>()),
            "has more than 32",
        ),
        case(POLICY, "/spec/activities", json!([]), "/spec/activities: "),
        case(POLICY, "/spec/activities", json!(["Transit"]), "/spec/activities/0: "),
        case(POLICY, "/spec/allow", json!([]), "/spec/allow: [] has less than 1 item"),
        case(POLICY, "/spec/deny", json!([]), "/spec/deny: [] has less than 1 item"),
        case(
            POLICY,
            "/spec",
            json!({"classifications": ["a"]}),
            "spec: the policy permits and forbids nothing",
        ),
        case(POLICY, "/spec/allow/0", json!({}), "spec.allow[0]: the place names nothing"),
        case(POLICY, "/spec/deny/1", json!({"basis": "none"}), "spec.deny[1]: the place names nothing"),
        case(POLICY, "/spec/allow/0", json!({"nodeSelector": {}}), "spec.allow[0]: the place names nothing"),
        case(
            POLICY,
            "/spec/allow/0",
            json!({"nodeSelector": {"matchLabels": {}, "matchExpressions": []}}),
            "the place names nothing",
        ),
        case(POLICY, "/spec/allow/0/jurisdictions", json!([]), "/spec/allow/0/jurisdictions: "),
        case(POLICY, "/spec/allow/0/jurisdictions", json!(["E E A"]), "/spec/allow/0/jurisdictions/0: "),
        case(POLICY, "/spec/deny/1/regions", json!([""]), "/spec/deny/1/regions/0: "),
        case(POLICY, "/spec/allow/1/until", json!("2023-07-10T00:00:00Z"), "the place ends before it begins"),
        case(
            POLICY,
            "/spec/allow/1/until",
            json!("2023-07-10T01:00:00+02:00"),
            "the place ends before it begins",
        ),
        case(POLICY, "/spec/allow/1/from", json!("next summer"), "/spec/allow/1/from: "),
        case(POLICY, "/spec/allow", node_selector("In", &json!([])), "operators In and NotIn need values"),
        case(
            POLICY,
            "/spec/deny",
            node_selector("Exists", &json!(["a"])),
            "operators In and NotIn need values",
        ),
        case(POLICY, "/spec/allow", node_selector("Gt", &json!(["1"])), "/operator: "),
        case(POLICY, "/spec/allow", node_selector("In", &json!(["a b"])), "/values/0: "),
        case(
            POLICY,
            "/spec/objectSelector/matchExpressions/0/values",
            Value::Null,
            "operators In and NotIn need values",
        ),
        case(POLICY, "/spec/namespaceSelector/matchLabels/tenant", json!(long(64)), "longer than 63"),
        case(POLICY, "/spec/action", json!("Block"), "/spec/action: "),
        case(POLICY, "/spec/assurance", json!("proven"), "/spec/assurance: "),
        case(POLICY, "/spec/remedy", json!(""), "/spec/remedy: "),
        case(POLICY, "/spec/legalBasis/0/title", Value::Null, "\"title\" is a required property"),
        case(POLICY, "/spec/allow/0/basis", json!(long(1025)), "longer than 1024"),
        case(POLICY, "/status/compliance/violating", json!(-1), "/status/compliance/violating: "),
    ]
}

fn geography_cases() -> Vec<Case> {
    vec![
        accepted(GEOGRAPHY, "/spec", json!({"groups": [{"name": "EEA-PLUS", "members": ["EEA", "GB"]}]})),
        accepted(GEOGRAPHY, "/spec/groups", json!([])),
        accepted(GEOGRAPHY, "/spec/drivers/0/placement", Value::Null),
        accepted(GEOGRAPHY, "/spec/groups/0/name", json!("eu")),
        accepted(GEOGRAPHY, "/spec/groups/0/name", json!("US-EAST")),
        case(GEOGRAPHY, "/spec", json!({}), "spec: the geography says nothing"),
        case(GEOGRAPHY, "/spec", json!({"groups": [], "drivers": []}), "spec: the geography says nothing"),
        case(GEOGRAPHY, "/spec/groups/0/name", json!("DE"), "spec.groups[0].name: a group may not look like"),
        case(
            GEOGRAPHY,
            "/spec/groups/0/name",
            json!("US-CA"),
            "spec.groups[0].name: a group may not look like",
        ),
        case(
            GEOGRAPHY,
            "/spec/groups/0/name",
            json!("FR-75C"),
            "spec.groups[0].name: a group may not look like",
        ),
        case(GEOGRAPHY, "/spec/groups/0/name", json!("my group"), "/spec/groups/0/name: "),
        case(GEOGRAPHY, "/spec/groups/0/members", json!([]), "/spec/groups/0/members: "),
        case(GEOGRAPHY, "/spec/regions/0/jurisdiction", json!("Turkey"), "/spec/regions/0/jurisdiction: "),
        case(GEOGRAPHY, "/spec/regions/0/jurisdiction", json!("tr"), "/spec/regions/0/jurisdiction: "),
        case(GEOGRAPHY, "/spec/regions/0/jurisdiction", json!("TR-"), "/spec/regions/0/jurisdiction: "),
        case(
            GEOGRAPHY,
            "/spec/regions/0/jurisdiction",
            Value::Null,
            "\"jurisdiction\" is a required property",
        ),
        case(
            GEOGRAPHY,
            "/spec/regions/0/providerJurisdiction",
            json!("US-CA"),
            "/spec/regions/0/providerJurisdiction: ",
        ),
        case(GEOGRAPHY, "/spec/regions/0/provider", Value::Null, "\"provider\" is a required property"),
        case(GEOGRAPHY, "/spec/regions/0/region", json!(""), "/spec/regions/0/region: "),
        case(GEOGRAPHY, "/spec/providers/0/schemes", json!(["aws://"]), "/spec/providers/0/schemes/0: "),
        case(GEOGRAPHY, "/spec/providers/0/jurisdiction", json!("EEA"), "/spec/providers/0/jurisdiction: "),
        case(
            GEOGRAPHY,
            "/spec/providers/0/zoneRule",
            json!("^([a-z]+)-[0-9]$"),
            "spec.providers[0].zoneRule: the rule yields no region",
        ),
        case(
            GEOGRAPHY,
            "/spec/providers/0/providerIDZone",
            json!("^a/(.+)$"),
            "spec.providers[0].providerIDZone: the expression yields no zone",
        ),
        case(GEOGRAPHY, "/spec/drivers/0/placement", json!("Anywhere"), "/spec/drivers/0/placement: "),
        case(GEOGRAPHY, "/spec/drivers/0/topologyKeys", json!(["a/b/c"]), "/spec/drivers/0/topologyKeys/0: "),
        case(GEOGRAPHY, "/spec/drivers/0/copies/0/values", json!([]), "/spec/drivers/0/copies/0/values: "),
        case(
            GEOGRAPHY,
            "/spec/drivers/0/snapshots/default",
            json!("Nowhere"),
            "/spec/drivers/0/snapshots/default: ",
        ),
    ]
}

fn exception_cases() -> Vec<Case> {
    vec![
        accepted(EXCEPTION, "/spec/objectSelector", Value::Null),
        accepted(EXCEPTION, "/spec/allow", json!([{"regions": ["us-*"]}])),
        case(EXCEPTION, "/spec/policies", Value::Null, "\"policies\" is a required property"),
        case(EXCEPTION, "/spec/policies", json!([]), "/spec/policies: "),
        case(EXCEPTION, "/spec/policies", json!(["EU Personal"]), "/spec/policies/0: "),
        case(EXCEPTION, "/spec/allow", Value::Null, "\"allow\" is a required property"),
        case(EXCEPTION, "/spec/allow", json!([]), "/spec/allow: "),
        case(EXCEPTION, "/spec/allow", json!([{}]), "spec.allow[0]: the place names nothing"),
        case(EXCEPTION, "/spec/until", Value::Null, "\"until\" is a required property"),
        case(EXCEPTION, "/spec/until", json!("2026-12-31"), "/spec/until: "),
        case(
            EXCEPTION,
            "/spec/until",
            json!("2026-12-01T00:00:00Z"),
            "a place begins after the exception has ended",
        ),
        case(EXCEPTION, "/spec/reason", Value::Null, "\"reason\" is a required property"),
        case(EXCEPTION, "/spec/reason", json!(""), "/spec/reason: "),
        case(EXCEPTION, "/spec/reason", json!(" \t\n"), "spec.reason: `reason` is blank"),
    ]
}

#[test]
fn good_is_accepted_and_bad_is_refused() {
    let mut wrong = Vec::new();
    for case in policy_cases().into_iter().chain(geography_cases()).chain(exception_cases()) {
        let refusals = refusals(&case.object());
        let right = match case.refused {
            "" => refusals.is_empty(),
            words => refusals.iter().any(|refusal| refusal.contains(words)),
        };
        if !right {
            wrong.push(format!(
                "{} = {}\n  want {:?}\n  got {refusals:#?}",
                case.at, case.value, case.refused
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case_that_breaks_it() {
    let mut broken = BTreeSet::new();
    for case in policy_cases().into_iter().chain(geography_cases()).chain(exception_cases()) {
        let kind = example(case.example)["kind"].as_str().unwrap().to_owned();
        broken.extend(refusals(&case.object()).into_iter().map(|refusal| (kind.clone(), refusal)));
    }
    for crd in domicile::api::crds() {
        walk(&open_api(&crd), "", None, &mut |path, _, schema| {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let message = rule["message"].as_str().unwrap();
                assert!(
                    broken.iter().any(|(_, refusal)| refusal.contains(message)),
                    "{path}: nothing breaks: {message}"
                );
            }
        });
    }
}

fn round_trips<T: Serialize + DeserializeOwned>(yaml: &str) {
    let read = example(yaml);
    assert_eq!(refusals(&read), Vec::<String>::new());
    let typed: T = serde_json::from_value(read.clone()).unwrap();
    assert_eq!(serde_json::to_value(typed).unwrap(), read);
}

#[test]
fn examples_round_trip() {
    round_trips::<ResidencyPolicy>(POLICY);
    round_trips::<Geography>(GEOGRAPHY);
    round_trips::<ResidencyException>(EXCEPTION);
}

#[test]
fn omitted_fields_take_the_defaults_of_the_schema() {
    let bare = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "bare"},
        "spec": {"classifications": ["personal"], "deny": [{"jurisdictions": ["KP"]}]},
    });
    let filled = kube_cel::apply_defaults(&open_api(&definition("ResidencyPolicy")), &bare);
    let typed: ResidencyPolicy = serde_json::from_value(bare).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap()["spec"], filled["spec"]);
}

#[test]
fn an_unknown_field_is_an_error() {
    let mut misspelt = example(POLICY);
    misspelt["spec"]["allow"][0]["jurisdiction"] = json!(["DE"]);
    let error = serde_json::from_value::<ResidencyPolicy>(misspelt).unwrap_err();
    assert!(error.to_string().contains("unknown field `jurisdiction`"), "{error}");
}
