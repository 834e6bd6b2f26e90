//! Policies that confine (section 7): what is judged as its confined pod would be, and what is not.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails that way")]

mod support;

use domicile::cluster::Kind;
use domicile::objects::{NodeSelectorTerm, Object, WorkloadKind};
use domicile::placement::constraints::is_label_value;
use domicile::residency::{Decision, Reach, Reason, Request, audit, confine, explain, judge};
use support::{EU, NODES, create, now, object, reasons, state};

fn confining() -> String {
    EU.replace("allow:", "remedy: Confine, allow:")
}

/// `spec` is that of a pod.
fn pod(spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: shop, labels: \
         {{domicile.dev/data-classification: personal}}}}\nspec: {spec}\n"
    )
}

fn workload(kind: &str, spec: &str) -> String {
    let template =
        format!("{{metadata: {{labels: {{domicile.dev/data-classification: personal}}}}, spec: {spec}}}");
    let (group, spec) = match kind {
        "CronJob" => ("batch/v1", format!("{{jobTemplate: {{spec: {{template: {template}}}}}}}")),
        "Job" => ("batch/v1", format!("{{template: {template}}}")),
        "ReplicationController" => ("v1", format!("{{template: {template}}}")),
        _ => ("apps/v1", format!("{{template: {template}}}")),
    };
    format!("apiVersion: {group}\nkind: {kind}\nmetadata: {{name: w, namespace: shop}}\nspec: {spec}\n")
}

const ABROAD: &str = "{nodeSelector: {topology.kubernetes.io/region: us-east-1}}";

/// Some can go abroad, all can be confined.
const LOOSE: [&str; 4] = [
    "{}",
    "{nodeSelector: {topology.kubernetes.io/region: eu-central-1}}",
    "{tolerations: [{operator: Exists}]}",
    "{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [
      {key: topology.kubernetes.io/region, operator: In, values: [us-east-1, eu-west-1]}]}]}}}}",
];

#[test]
fn s7_a_pod_that_can_be_confined_is_permitted() {
    for spec in LOOSE {
        let verdict = create(&[NODES, &confining()], &pod(spec));
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Proven), "{spec}");
        assert!(verdict.findings.is_empty() && verdict.warnings.is_empty(), "{verdict:#?}");
        assert_eq!(create(&[NODES, EU], &pod(spec)).decision, Decision::Deny, "{spec}");
    }
}

/// Regions that a glob describes, and labels that a place asks for beside something else, cannot be written as an affinity.
#[test]
fn s7_a_pod_whose_constraints_exclude_nothing_permitted_is_not_denied_for_what_cannot_be_written() {
    const ONE: &str = "
{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: own}, spec: {regions: [{provider: openstack, region: 'fra*', jurisdiction: DE}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: one, labels: {tier: secure, topology.kubernetes.io/region: fra1}}, spec: {providerID: 'openstack:///1'}}
";
    let both = EU.replace("allow:", "remedy: Confine, allow:").replace(
        "[{jurisdictions: [EEA]}]",
        "[{jurisdictions: [EEA], nodeSelector: {matchLabels: {tier: secure}}}]",
    );
    assert_ne!(both, confining());
    // Nor is one half of what a place asks for written alone.
    let abroad = "{apiVersion: v1, kind: Node, metadata: {name: iad, labels: {topology.kubernetes.io/region: us-east-1}}, spec: \
                  {providerID: 'aws:///us-east-1a/i'}}";
    let verdict = create(&[ONE, abroad, &both], &pod("{}"));
    assert_eq!((verdict.decision, verdict.reach), (Decision::Deny, Reach::Violated), "{verdict:#?}");
    for (policy, spec, reach) in [
        (confining(), "{}", Reach::Proven),
        (confining(), "{nodeSelector: {tier: secure}}", Reach::Proven),
        (both, "{nodeSelector: {tier: secure}}", Reach::Observed),
    ] {
        for object in [pod(spec), workload("Deployment", spec)] {
            let verdict = create(&[ONE, &policy], &object);
            assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, reach), "{spec}: {verdict:#?}");
        }
    }
}

#[test]
fn s7_a_pod_that_cannot_be_confined_is_denied() {
    for spec in [
        ABROAD,
        "{nodeSelector: {topology.kubernetes.io/zone: eu-central-1-ist-1a}}",
        "{nodeSelector: {kubernetes.io/hostname: iad, topology.kubernetes.io/region: us-east-1}}",
        "{nodeSelector: {topology.kubernetes.io/region: no-such-region}}",
        "{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [
          {key: topology.kubernetes.io/region, operator: In, values: [us-east-1]}]}]}}}}",
    ] {
        let verdict = create(&[NODES, &confining()], &pod(spec));
        assert_eq!((verdict.decision, verdict.reach), (Decision::Deny, Reach::Violated), "{spec}");
        assert_eq!(reasons(&verdict), [Reason::NodeOutsideJurisdiction], "{spec}");
        assert!(verdict.findings[0].message.contains("cannot be confined"), "{}", verdict.findings[0].message);
    }
}

#[test]
fn s7_a_node_that_is_named_is_not_confined_away() {
    for (node, decision) in
        [("fra", Decision::Allow), ("iad", Decision::Deny), ("ist", Decision::Deny), ("gone", Decision::Deny)]
    {
        let verdict = create(&[NODES, &confining()], &pod(&format!("{{nodeName: {node}}}")));
        assert_eq!(verdict.decision, decision, "{node}");
    }
}

#[test]
fn s7_workloads_are_judged_as_their_confined_pods_would_be() {
    for kind in ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"] {
        for spec in LOOSE {
            let verdict = create(&[NODES, &confining()], &workload(kind, spec));
            assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Proven), "{kind} {spec}");
        }
        assert_eq!(
            create(&[NODES, &confining()], &workload(kind, ABROAD)).decision,
            Decision::Deny,
            "{kind}"
        );
    }
}

/// The explanation shows the nodes that are left, and who leaves them.
#[test]
fn s7_what_explains_a_workload_is_confined_too() {
    let mut state = state(&[NODES, &confining()]);
    state.apply(object(&workload("Deployment", "{}")));
    let kind = Kind::Workload(WorkloadKind::Deployment);
    let explained = explain(&state, kind, "shop", "w", now()).unwrap();
    let [term] = explained.chain.terms.as_slice() else { panic!("{explained:#?}") };
    assert_eq!(term.term, "what policy eu-personal confines it to");
    assert!(!term.nodes.is_empty());
    for nodes in &term.nodes {
        assert!(["DE", "IE"].contains(&nodes.jurisdiction.as_deref().unwrap()), "{explained:#?}");
    }
}

#[test]
fn s7_a_daemon_set_is_judged_as_it_is_written() {
    for spec in LOOSE {
        let confined = create(&[NODES, &confining()], &workload("DaemonSet", spec));
        let written = create(&[NODES, EU], &workload("DaemonSet", spec));
        assert_eq!((confined.decision, confined.reach), (written.decision, written.reach), "{spec}");
        assert_eq!(confined.decision, Decision::Deny, "{spec}");
    }
    let pinned = "{nodeSelector: {topology.kubernetes.io/region: eu-west-1}}";
    assert_eq!(create(&[NODES, &confining()], &workload("DaemonSet", pinned)).decision, Decision::Allow);
}

#[test]
fn s7_a_daemon_sets_pod_is_pinned_and_judged_so() {
    let pinned = |node: &str| {
        pod(&format!(
            "{{affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{{matchFields: [
              {{key: metadata.name, operator: In, values: [{node}]}}]}}]}}}}}}}}"
        ))
    };
    assert_eq!(create(&[NODES, &confining()], &pinned("fra")).decision, Decision::Allow);
    assert_eq!(create(&[NODES, &confining()], &pinned("iad")).decision, Decision::Deny);
}

#[test]
fn s7_binding_and_what_exists_are_judged_as_ever() {
    for (node, decision) in [("fra", Decision::Allow), ("iad", Decision::Deny)] {
        let binding = format!(
            "{{apiVersion: v1, kind: Binding, metadata: {{name: p, namespace: shop}}, target: {{name: {node}}}}}"
        );
        assert_eq!(create(&[NODES, &confining(), &pod("{}")], &binding).decision, decision, "{node}");
        let running = state(&[NODES, &confining(), &pod(&format!("{{nodeName: {node}}}"))]);
        let audited: Vec<Decision> = audit(&running, now()).map(|verdict| verdict.decision).collect();
        assert_eq!(audited, [decision], "{node}");
    }
    // One that waits was not confined when it was made.
    let waiting = state(&[NODES, &confining(), &pod("{}")]);
    assert_eq!(audit(&waiting, now()).map(|verdict| verdict.decision).collect::<Vec<_>>(), [Decision::Deny]);
}

#[test]
fn s7_volumes_are_judged_as_ever() {
    let class = |mode: &str| {
        format!(
            "{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: ebs}}, provisioner: ebs.csi.aws.com, \
              volumeBindingMode: {mode}}}"
        )
    };
    let claim = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop, labels: {domicile.dev/data-classification: personal}}
spec: {storageClassName: ebs}
";
    let mounting = pod("{volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}");
    for (mode, decision) in [("Immediate", Decision::Deny), ("WaitForFirstConsumer", Decision::Allow)] {
        let class = class(mode);
        assert_eq!(create(&[NODES, &confining(), &class], claim).decision, decision, "{mode}");
        assert_eq!(create(&[NODES, &confining(), &class, claim], &mounting).decision, decision, "{mode}");
    }
    // A bound volume that only nodes abroad can reach leaves nothing to confine to.
    let bound = claim.replace("{storageClassName: ebs}", "{volumeName: pv}");
    let volume = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv}
spec: {csi: {driver: ebs.csi.aws.com}, claimRef: {namespace: shop, name: data}, nodeAffinity: {required:
  {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [us-east-1a]}]}]}}}
";
    let verdict = create(&[NODES, &confining(), &bound, volume], &mounting);
    assert_eq!(reasons(&verdict), [Reason::NodeOutsideJurisdiction, Reason::VolumeOutsideJurisdiction]);
}

#[test]
fn s7_a_policy_beside_it_sees_the_confined_pod() {
    // Both stay in Germany: one by itself, the other since the first keeps it there.
    let germany = confining().replace("eu-personal", "germany").replace("EEA", "DE");
    for kind in ["Deployment", "Job"] {
        let verdict = create(&[NODES, &germany, EU], &workload(kind, "{}"));
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Proven), "{verdict:#?}");
    }
    assert_eq!(create(&[NODES, &germany, EU], &pod("{}")).decision, Decision::Allow);
    let proven = EU.replace("allow:", "assurance: Proven, allow:");
    assert_eq!(create(&[NODES, &germany, &proven], &pod("{}")).decision, Decision::Allow);
    // Narrower than what it is confined to: not helped.
    let narrow = EU.replace("eu-personal", "ireland").replace("EEA", "IE");
    assert_eq!(create(&[NODES, &confining(), &narrow], &pod("{}")).decision, Decision::Deny);
}

/// Each region goes with its own label alone: a policy that selects nodes by it does not make the proof too long.
#[test]
fn s7_a_policy_that_selects_nodes_by_region_leaves_what_is_confined_proven() {
    let anywhere_at_aws = confining().replace("jurisdictions: [EEA]", "providers: [aws]");
    let labelled = "---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: labelled}
spec: {classifications: [personal], allow: [{nodeSelector: {matchExpressions: [{key: topology.kubernetes.io/region, operator: Exists}]}}]}
";
    let verdict = create(&[NODES, &anywhere_at_aws, labelled], &pod("{}"));
    assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Proven), "{verdict:#?}");
}

#[test]
fn s7_two_that_confine_must_leave_something_between_them() {
    let only = |name: &str, place: &str| confining().replace("eu-personal", name).replace("EEA", place);
    let both = [NODES, &only("germany", "DE"), &only("ireland", "IE")];
    let verdict = create(&both, &pod("{}"));
    assert_eq!(verdict.decision, Decision::Deny, "{verdict:#?}");
    assert_eq!(
        create(&[NODES, &only("germany", "DE"), &only("eea", "EEA")], &pod("{}")).decision,
        Decision::Allow
    );
}

/// Where nobody knows whose a node is, the regions of every provider come into question, and some of them have a slash
/// in their names, which the API server refuses in an affinity.
#[test]
fn s7_only_regions_that_a_label_can_name_are_asked_for() {
    let rack = "{apiVersion: v1, kind: Node, metadata: {name: rack}, spec: {}}";
    let state = state(&[NODES, rack, &confining()]);
    let object = object(&pod("{}"));
    let Object::Pod(pod) = &object else { panic!("a pod is expected") };
    let required = confine(pod, &state, now()).map(|confinement| confinement.required).unwrap_or_default();
    let values = |term: &NodeSelectorTerm| {
        term.match_expressions.iter().flat_map(|one| one.values.clone()).collect::<Vec<_>>()
    };
    let values: Vec<String> = required.node_selector_terms.iter().flat_map(values).collect();
    assert!(values.contains(&"fsn1".to_owned()) && values.contains(&"eu-central-1".to_owned()), "{values:?}");
    assert!(values.iter().all(|value| is_label_value(value)), "{values:?}");
    assert_eq!(create(&[NODES, rack, &confining()], &self::pod("{}")).decision, Decision::Allow);
}

#[test]
fn s7_a_confined_pod_is_judged_as_any_pod() {
    // A node that says Dublin, and is in Virginia by its provider ID, is within the regions.
    let stray = "{apiVersion: v1, kind: Node, metadata: {name: stray, labels: {topology.kubernetes.io/region: eu-west-1}}, \
                 spec: {providerID: 'aws:///us-east-1a/i-9'}}";
    let verdict = create(&[NODES, stray, &confining()], &pod("{}"));
    assert_eq!((verdict.decision, verdict.reach), (Decision::Deny, Reach::Violated), "{verdict:#?}");
    assert_eq!(reasons(&verdict), [Reason::UnknownLocation]);
    // What is not proven is not called so.
    let unknown = "{nodeSelector: {topology.kubernetes.io/zone: no-such-zone}}";
    let labelled = "{apiVersion: v1, kind: Node, metadata: {name: own, labels: {topology.kubernetes.io/region: eu-west-1, \
                    topology.kubernetes.io/zone: no-such-zone, domicile.dev.node-restriction.kubernetes.io/jurisdiction: \
                    IE}}, spec: {providerID: 'aws:///no-such-zone/i-9'}}";
    let verdict = create(&[NODES, labelled, &confining()], &pod(unknown));
    assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Observed), "{verdict:#?}");
}

/// Nodes that no region says anything of: by a label that a place selects on, and by what they are labelled with.
#[test]
fn s7_where_regions_do_not_say_it_labels_do() {
    const RACKS: &str = "
apiVersion: v1
kind: Node
metadata: {name: secure, labels: {example.com/rack: secure}}
---
apiVersion: v1
kind: Node
metadata: {name: ffm, labels: {domicile.dev.node-restriction.kubernetes.io/jurisdiction: DE}}
---
apiVersion: v1
kind: Node
metadata: {name: zrh, labels: {domicile.dev.node-restriction.kubernetes.io/jurisdiction: CH}}
---
apiVersion: v1
kind: Node
metadata: {name: other, labels: {example.com/rack: open}}
";
    let selecting = confining()
        .replace("allow: [", "allow: [{nodeSelector: {matchLabels: {example.com/rack: secure}}}, ");
    let by_rack = "example.com/rack";
    let by_country = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
    for (policy, labels) in
        [(confining(), vec![(by_country, "DE")]), (selecting, vec![(by_rack, "secure"), (by_country, "DE")])]
    {
        let cluster = state(&[RACKS, &policy]);
        let Object::Pod(loose) = object(&pod("{}")) else { panic!("a pod") };
        let confinement = confine(&loose, &cluster, now()).unwrap();
        let terms = &confinement.required.node_selector_terms;
        let written: Vec<_> = terms
            .iter()
            .map(|term| (term.match_expressions[0].key.as_str(), term.match_expressions[0].values.join(",")))
            .collect();
        let due: Vec<_> = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        assert_eq!(written, due);
        let mut inside = loose.clone();
        inside.spec.affinity.node_affinity.required = Some(confinement.required);
        let inside = Object::Pod(inside);
        let request = Request { as_written: true, ..Request::create(&inside) };
        let verdict = judge(&request, &cluster, now());
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Proven), "{verdict:#?}");
    }
}

/// Beside a rack of which nobody knows whose it is, a region's code can be that of a provider elsewhere.
#[test]
fn s7_beside_racks_a_pod_is_confined_to_nodes_that_are_there() {
    const BOTH: &str = "
{apiVersion: v1, kind: Node, metadata: {name: dub, labels: {topology.kubernetes.io/region: eu-west-1, topology.kubernetes.io/zone: eu-west-1a}}, spec: {providerID: 'aws:///eu-west-1a/i-1'}}
---
{apiVersion: v1, kind: Node, metadata: {name: iad, labels: {topology.kubernetes.io/region: us-east-1, topology.kubernetes.io/zone: us-east-1a}}, spec: {providerID: 'aws:///us-east-1a/i-2'}}
---
{apiVersion: v1, kind: Node, metadata: {name: rack, labels: {domicile.dev.node-restriction.kubernetes.io/jurisdiction: DE}}}
";
    let dublin = "{nodeSelector: {topology.kubernetes.io/region: eu-west-1}}";
    let gone = BOTH.replace("name: dub", "name: gone").replace("eu-west-1", "eu-north-1");
    let proven = confining().replace("allow:", "assurance: Proven, allow:");
    for (nodes, policy, decision) in [
        (BOTH, &confining(), Decision::Allow),
        // An autoscaler makes the node once a pod waits for it.
        (&gone, &confining(), Decision::Allow),
        (BOTH, &proven, Decision::Deny),
    ] {
        let cluster = state(&[nodes, policy]);
        let verdict = create(&[nodes, policy], &pod(dublin));
        assert_eq!((verdict.decision, verdict.reach), (decision, Reach::Observed), "{verdict:#?}");
        let Object::Pod(pinned) = object(&pod(dublin)) else { panic!("a pod") };
        let confinement = confine(&pinned, &cluster, now()).unwrap();
        let regions: Vec<_> =
            confinement.required.node_selector_terms.iter().map(|term| &term.match_expressions[0]).collect();
        assert!(regions.iter().all(|within| within.key == "topology.kubernetes.io/region"), "{regions:#?}");
        assert!(regions.iter().any(|within| within.values.contains(&"eu-west-1".into())), "{regions:#?}");
    }
    // Where proof can be had it is: on the rack, or where no other provider has a region of the code.
    for policy in [confining(), proven] {
        let verdict = create(&[BOTH, &policy], &pod("{}"));
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Proven), "{verdict:#?}");
    }
}

/// What a pod was confined to when it was made stands, though beside a rack other regions would prove it.
#[test]
fn s7_what_a_pod_is_confined_to_stands_when_a_rack_joins() {
    let rack = "{apiVersion: v1, kind: Node, metadata: {name: rack}, spec: {}}";
    let Object::Pod(mut pod) = object(&pod("{}")) else { panic!("a pod") };
    pod.spec.affinity.node_affinity.required =
        confine(&pod, &state(&[NODES, &confining()]), now()).map(|confinement| confinement.required);
    assert!(pod.spec.required_nodes().is_some());
    let cluster = state(&[NODES, rack, &confining()]);
    assert_eq!(confine(&pod, &cluster, now()), None);
    let pod = Object::Pod(pod);
    let request = Request { as_written: true, ..Request::create(&pod) };
    let verdict = judge(&request, &cluster, now());
    assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::Observed), "{verdict:#?}");
}

/// Its own terms times those of the regions: here two, since Frankfurt has zones abroad.
#[test]
fn s7_of_more_than_1000_terms_none_are_written() {
    let state = state(&[NODES, &confining()]);
    let terms = |count: usize| {
        let term = |n| format!("{{matchExpressions: [{{key: disk, operator: NotIn, values: [n{n}]}}]}}");
        (0..count).map(term).collect::<Vec<_>>().join(", ")
    };
    for (count, written) in [(500, Some(1_000)), (501, None)] {
        let spec = format!(
            "{{affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{}]}}}}}}}}",
            terms(count)
        );
        let Object::Pod(many) = object(&pod(&spec)) else { panic!("a pod") };
        let confinement = confine(&many, &state, now());
        assert_eq!(confinement.map(|one| one.required.node_selector_terms.len()), written, "{count}");
    }
}

/// What the webhook is asked of a pod after it had its chance to confine it.
#[test]
fn s7_one_that_cannot_be_confined_is_denied_as_it_stands_too() {
    let nowhere = "{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{}]}}}}";
    let home = "{nodeSelector: {topology.kubernetes.io/region: eu-west-1}}";
    // Nodes abroad are not there yet, so nothing matches.
    let cluster = &[&NODES.replace("us-east-1", "us-west-2"), &*confining()];
    for (spec, decision) in
        [(ABROAD, Decision::Deny), (nowhere, Decision::Deny), (home, Decision::Allow), ("{}", Decision::Deny)]
    {
        let pod = object(&pod(spec));
        let request = Request { as_written: true, ..Request::create(&pod) };
        let verdict = judge(&request, &state(cluster), now());
        assert_eq!(verdict.decision, decision, "{spec}: {verdict:#?}");
        if spec != "{}" {
            assert_eq!(create(cluster, &workload("Deployment", spec)).decision, decision, "{spec}");
            let running = judge(&Request::again(&pod), &state(cluster), now());
            assert_eq!(running.decision, Decision::Allow, "{spec}: it is there, and can go nowhere abroad");
        }
    }
}
