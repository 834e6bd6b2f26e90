//! Policies and exceptions.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::{MOMENTS, REGION, RESTRICTED, TEAMS, TOKENS};

fn label_selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(TEAMS.to_vec()).prop_map(|team| json!({"matchLabels": {"team": team}})),
        (select(vec!["In", "NotIn"]), subsequence(TEAMS.to_vec(), 1..3)).prop_map(
            |(operator, values)| json!({"matchExpressions": [{"key": "team", "operator": operator, "values": values}]})
        ),
        select(vec!["Exists", "DoesNotExist"])
            .prop_map(|operator| json!({"matchExpressions": [{"key": "team", "operator": operator}]})),
    ]
}

/// Of nodes: also by labels that say where they are.
fn node_selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        5 => label_selector(),
        1 => select(vec!["north-1", "eu-central-1", "hall"]).prop_map(|region| json!({"matchLabels": {REGION: region}})),
        1 => Just(json!({"matchExpressions": [{"key": RESTRICTED, "operator": "Exists"}]})),
    ]
}

prop_compose! {
    pub(crate) fn place()(
        jurisdictions in weighted(0.6, subsequence(vec!["DE", "FR", "US", "EEA", "NORTH", "CA", "CA-QC", "TR"], 1..4)),
        regions in weighted(0.2, subsequence(vec!["eu-*", "north-1", "*-1", "hall", "us-east-1", "fsn1"], 1..3)),
        zones in weighted(0.1, subsequence(vec!["*a", "eu-central-1*", "cage", "north-1-x*"], 1..3)),
        providers in weighted(0.2, subsequence(vec!["aws", "hetzner", "acme", "bare", "cloudy"], 1..4)),
        laws in weighted(0.15, subsequence(vec!["DE", "US", "NORTH"], 1..3)),
        selector in weighted(0.15, node_selector()),
        from in weighted(0.1, select(MOMENTS.to_vec())),
        until in weighted(0.1, select(MOMENTS.to_vec())),
    ) -> Value {
        let mut place = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value { place.insert(key.to_owned(), value); }
        };
        set("jurisdictions", jurisdictions.map(Value::from));
        set("regions", regions.map(Value::from));
        set("zones", zones.map(Value::from));
        set("providers", providers.map(Value::from));
        set("providerJurisdictions", laws.map(Value::from));
        set("nodeSelector", selector);
        // The other way round is no valid place, and a policy with one permits nothing.
        let until = until.filter(|until| from.is_none_or(|from| from < *until));
        set("from", from.map(Value::from));
        set("until", until.map(Value::from));
        if place.keys().all(|key| key == "from" || key == "until") {
            place.insert("jurisdictions".to_owned(), json!(["DE", "FR"]));
        }
        Value::Object(place)
    }
}

prop_compose! {
    pub(crate) fn policy(number: usize)(
        classifications in subsequence(TOKENS.to_vec(), 1..3),
        activities in weighted(0.3, select(vec!["Processing", "Storage"])),
        namespaces in weighted(0.1, label_selector()),
        objects in weighted(0.15, label_selector()),
        (allow, deny) in prop_oneof![
            4 => vec(place(), 1..3).prop_map(|allow| (Some(allow), None)),
            2 => vec(place(), 1..3).prop_map(|deny| (None, Some(deny))),
            1 => (vec(place(), 1..3), vec(place(), 1..2)).prop_map(|(allow, deny)| (Some(allow), Some(deny))),
        ],
        action in prop_oneof![6 => Just("Deny"), 1 => Just("Warn"), 1 => Just("Audit")],
        assurance in prop_oneof![3 => Just("Observed"), 1 => Just("Proven")],
    ) -> Value {
        let mut spec = json!({"classifications": classifications, "action": action, "assurance": assurance});
        if let Some(activity) = activities { spec["activities"] = json!([activity]); }
        if let Some(selector) = namespaces { spec["namespaceSelector"] = selector; }
        if let Some(selector) = objects { spec["objectSelector"] = selector; }
        if let Some(allow) = allow { spec["allow"] = allow.into(); }
        if let Some(deny) = deny { spec["deny"] = deny.into(); }
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
               "metadata": {"name": format!("p{number}")}, "spec": spec})
    }
}

/// One that is broad and strict, so that what is pinned is often proven.
pub(crate) fn broad_policy(number: usize) -> impl Strategy<Value = Value> {
    let broad = subsequence(vec!["DE", "FR", "US", "CH", "GB", "EEA", "CA"], 1..6)
        .prop_map(|codes| json!({"allow": [{"jurisdictions": codes}]}));
    let spec = prop_oneof![
        4 => broad,
        2 => vec(place(), 1..3).prop_map(|deny| json!({"deny": deny})),
        1 => vec(place(), 1..3).prop_map(|allow| json!({"allow": allow})),
    ];
    (spec, select(vec!["Observed", "Proven"])).prop_map(move |(mut spec, assurance)| {
        spec["classifications"] = json!(TOKENS);
        spec["assurance"] = assurance.into();
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
               "metadata": {"name": format!("p{number}")}, "spec": spec})
    })
}

prop_compose! {
    pub(crate) fn exception(number: usize)(
        policies in subsequence(vec!["p0", "p1", "p2"], 1..3),
        objects in weighted(0.3, label_selector()),
        allow in vec(place(), 1..2),
        until in select(MOMENTS.to_vec()),
    ) -> Value {
        let mut spec = json!({"policies": policies, "allow": allow, "until": until, "reason": "a test"});
        if let Some(selector) = objects { spec["objectSelector"] = selector; }
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
               "metadata": {"name": format!("e{number}"), "namespace": "shop"}, "spec": spec})
    }
}
