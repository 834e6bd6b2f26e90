//! Places and exceptions that begin and end (sections 4 and 7).

#![allow(clippy::unwrap_used, reason = "a test fails that way")]

mod support;

use domicile::cluster::State;
use domicile::objects::Object;
use domicile::residency::{Decision, Request, audit, judge};
use jiff::Timestamp;
use support::{EU, NODES, object, state};

/// A pod that only Virginia can take.
const POD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: orders
  namespace: shop
  labels: {app: migration}
  annotations: {domicile.dev/data-classification: personal}
spec: {nodeSelector: {topology.kubernetes.io/zone: us-east-1a}}
";

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap()
}

fn policy(places: &str) -> String {
    format!(
        "apiVersion: domicile.dev/v1alpha1\nkind: ResidencyPolicy\nmetadata: {{name: eu-personal}}\n\
         spec: {{classifications: [personal], {places}}}\n"
    )
}

fn decision(state: &State, pod: &Object, moment: &str) -> Decision {
    judge(&Request::create(pod), state, at(moment)).decision
}

/// What is said at each moment, of the pod and, once it runs, by the audit.
fn hold(cluster: &[&str], expected: &[(&str, Decision)]) {
    let running = POD.replace("spec: {", "spec: {nodeName: iad, ");
    let both = state(&[&[NODES], cluster].concat());
    let audited = state(&[&[NODES, running.as_str()], cluster].concat());
    let (pod, placed) = (object(POD), object(&running));
    // Whatever was asked before: in order, and backwards.
    for (moment, due) in expected.iter().chain(expected.iter().rev()) {
        assert_eq!(decision(&both, &pod, moment), *due, "{moment}");
        assert_eq!(decision(&both, &placed, moment), *due, "{moment}, with nodeName");
        let verdicts: Vec<Decision> = audit(&audited, at(moment)).map(|verdict| verdict.decision).collect();
        assert_eq!(verdicts, [*due], "{moment}, audited");
    }
}

use Decision::{Allow, Deny};

#[test]
fn s4_a_place_begins_at_its_moment_and_has_ended_at_its_moment() {
    hold(
        &[&policy(
            "allow: [{jurisdictions: [EEA]}, {jurisdictions: [US], from: '2023-07-10T00:00:00Z', until: '2027-07-10T00:00:00Z'}]",
        )],
        &[
            ("1970-01-01T00:00:00Z", Deny),
            ("2023-07-09T23:59:59.999999999Z", Deny),
            ("2023-07-10T00:00:00Z", Allow),
            ("2023-07-10T00:00:00.000000001Z", Allow),
            ("2025-01-01T00:00:00Z", Allow),
            ("2027-07-09T23:59:59.999999999Z", Allow),
            ("2027-07-10T00:00:00Z", Deny),
            ("2027-07-10T00:00:00.000000001Z", Deny),
            ("9999-01-01T00:00:00Z", Deny),
        ],
    );
}

#[test]
fn s4_a_moment_is_the_same_in_every_time_zone() {
    hold(
        &[&policy("allow: [{jurisdictions: [US], until: '2027-07-10T02:00:00+02:00'}]")],
        &[
            ("2027-07-09T23:59:59Z", Allow),
            ("2027-07-10T00:00:00Z", Deny),
            ("2027-07-10T01:59:59+02:00", Allow),
        ],
    );
}

#[test]
fn s4_a_place_without_a_beginning_or_an_end() {
    hold(
        &[&policy("allow: [{jurisdictions: [US], from: '2026-01-01T00:00:00Z'}]")],
        &[("2025-12-31T23:59:59Z", Deny), ("2026-01-01T00:00:00Z", Allow), ("9999-01-01T00:00:00Z", Allow)],
    );
    hold(
        &[&policy("allow: [{jurisdictions: [US], until: '2026-01-01T00:00:00Z'}]")],
        &[("0001-01-01T00:00:00Z", Allow), ("2025-12-31T23:59:59Z", Allow), ("2026-01-01T00:00:00Z", Deny)],
    );
}

#[test]
fn s4_what_is_denied_for_a_time() {
    hold(
        &[&policy(
            "deny: [{jurisdictions: [US], from: '2026-01-01T00:00:00Z', until: '2026-02-01T00:00:00Z'}]",
        )],
        &[
            ("2025-12-31T23:59:59Z", Allow),
            ("2026-01-01T00:00:00Z", Deny),
            ("2026-01-31T23:59:59Z", Deny),
            ("2026-02-01T00:00:00Z", Allow),
        ],
    );
}

#[test]
fn s4_several_changes_one_after_the_other() {
    // Safe Harbour, nothing, Privacy Shield, nothing, the Framework; and a ban inside it.
    hold(
        &[&policy(
            "allow: [{jurisdictions: [US], from: '2000-07-26T00:00:00Z', until: '2015-10-06T00:00:00Z'}, \
             {jurisdictions: [US], from: '2016-07-12T00:00:00Z', until: '2020-07-16T00:00:00Z'}, \
             {jurisdictions: [US], from: '2023-07-10T00:00:00Z'}], \
             deny: [{regions: ['us-east-*'], from: '2024-01-01T00:00:00Z', until: '2025-01-01T00:00:00Z'}]",
        )],
        &[
            ("2000-07-25T23:59:59Z", Deny),
            ("2000-07-26T00:00:00Z", Allow),
            ("2015-10-05T23:59:59Z", Allow),
            ("2015-10-06T00:00:00Z", Deny),
            ("2016-07-11T23:59:59Z", Deny),
            ("2016-07-12T00:00:00Z", Allow),
            ("2020-07-16T00:00:00Z", Deny),
            ("2023-07-10T00:00:00Z", Allow),
            ("2023-12-31T23:59:59Z", Allow),
            ("2024-01-01T00:00:00Z", Deny),
            ("2024-12-31T23:59:59Z", Deny),
            ("2025-01-01T00:00:00Z", Allow),
        ],
    );
}

#[test]
fn s4_one_place_ends_as_another_begins() {
    hold(
        &[&policy(
            "allow: [{jurisdictions: [US], until: '2026-01-01T00:00:00Z'}, {jurisdictions: [US], from: '2026-01-01T00:00:00Z'}]",
        )],
        &[("2025-12-31T23:59:59.999999999Z", Allow), ("2026-01-01T00:00:00Z", Allow)],
    );
}

fn exception(rest: &str) -> String {
    format!(
        "apiVersion: domicile.dev/v1alpha1\nkind: ResidencyException\nmetadata: {{name: move, namespace: shop}}\n\
         spec: {{policies: [eu-personal], reason: test, {rest}}}\n"
    )
}

const MOVE: &str = "allow: [{jurisdictions: [US]}], until: '2026-12-31T00:00:00Z'";

#[test]
fn s4_an_exception_has_ended_at_its_moment() {
    let expected = [
        ("2020-01-01T00:00:00Z", Allow),
        ("2026-12-30T23:59:59.999999999Z", Allow),
        ("2026-12-31T00:00:00Z", Deny),
        ("2030-01-01T00:00:00Z", Deny),
    ];
    hold(&[EU, &exception(MOVE)], &expected);
    // Over what is denied too.
    hold(&[&policy("deny: [{jurisdictions: [US]}]"), &exception(MOVE)], &expected);
    // It does not matter which comes first.
    hold(&[&exception(MOVE), EU], &expected);
}

#[test]
fn s4_a_place_of_an_exception_has_its_own_time() {
    let some = "allow: [{jurisdictions: [US], from: '2026-03-01T00:00:00Z', until: '2026-04-01T00:00:00Z'}, \
                {jurisdictions: [US], from: '2026-12-01T00:00:00Z'}], until: '2026-12-31T00:00:00Z'";
    hold(
        &[EU, &exception(some)],
        &[
            ("2026-02-28T23:59:59Z", Deny),
            ("2026-03-01T00:00:00Z", Allow),
            ("2026-03-31T23:59:59Z", Allow),
            ("2026-04-01T00:00:00Z", Deny),
            ("2026-12-01T00:00:00Z", Allow),
            ("2026-12-31T00:00:00Z", Deny),
        ],
    );
}

#[test]
fn s4_an_exception_helps_only_whom_it_names() {
    let now = "2026-06-01T00:00:00Z";
    for (what, rest, due) in [
        ("as it is", MOVE.to_owned(), Allow),
        ("the object", format!("objectSelector: {{matchLabels: {{app: migration}}}}, {MOVE}"), Allow),
        ("another object", format!("objectSelector: {{matchLabels: {{app: other}}}}, {MOVE}"), Deny),
        ("another place", MOVE.replace("US", "CN"), Deny),
    ] {
        hold(&[EU, &exception(&rest)], &[(now, due)]);
        assert!(!what.is_empty());
    }
    for (from, to) in [
        ("namespace: shop", "namespace: other"),
        ("[eu-personal]", "[another]"),
        ("reason: test", "reason: ' '"),
        ("jurisdictions: [US]", "jurisdictions: [NO-SUCH-GROUP]"),
    ] {
        hold(&[EU, &exception(MOVE).replace(from, to)], &[(now, Deny)]);
    }
    // Of two policies it loosens the one that it names.
    let second = EU.replace("eu-personal", "second");
    hold(&[EU, &second, &exception(MOVE)], &[(now, Deny)]);
    hold(&[EU, &second, &exception(MOVE).replace("[eu-personal]", "[eu-personal, second]")], &[(now, Allow)]);
}

#[test]
fn s4_volumes_follow_the_same_times() {
    let claim = object(
        "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop, labels: {domicile.dev/data-classification: personal}}
spec: {storageClassName: us}
",
    );
    let class = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: us}
provisioner: ebs.csi.aws.com
allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: [us-east-1a]}]}]
";
    let state = state(&[NODES, class, EU, &exception(MOVE)]);
    for (moment, due) in [("2026-12-30T23:59:59Z", Allow), ("2026-12-31T00:00:00Z", Deny)] {
        assert_eq!(decision(&state, &claim, moment), due, "{moment}");
    }
}

#[test]
fn s7_the_next_change_is_known() {
    let state = state(&[
        NODES,
        &policy(
            "allow: [{jurisdictions: [EEA]}, {jurisdictions: [US], from: '2023-07-10T00:00:00Z', until: '2027-07-10T00:00:00Z'}]",
        ),
        &exception(MOVE),
    ]);
    let policy = state.policies().get("eu-personal").unwrap();
    let change = |moment: &str| policy.next_change(at(moment)).map(|moment| moment.to_string());
    assert_eq!(change("2020-01-01T00:00:00Z").as_deref(), Some("2023-07-10T00:00:00Z"));
    assert_eq!(change("2023-07-10T00:00:00Z").as_deref(), Some("2027-07-10T00:00:00Z"));
    assert_eq!(change("2027-07-10T00:00:00Z"), None);
    let (_, exception) = state.policies().exceptions().next().unwrap();
    assert_eq!(exception.next_change(at("2026-06-01T00:00:00Z")), Some(at("2026-12-31T00:00:00Z")));
    assert_eq!(exception.next_change(at("2026-12-31T00:00:00Z")), None);
}
