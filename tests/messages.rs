//! What people read when something is denied: complete answers, as the table prints them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod support;

use domicile::api::Action;
use domicile::cli::output::table::{Layout, write};
use domicile::cli::output::{Outcome, Report};
use domicile::cluster::{Kind, Settings, Source, State, Ungoverned};
use domicile::objects::Object;
use domicile::placement::selector::Selector;
use domicile::residency::{Fix, Request, Verdict, explain, judge, safe};
use support::{EU, NODES, create, now, object, parse, state, update, values};

/// The answer as it stands on a screen, with what the user must be allowed to do below it.
fn shown(verdict: Verdict) -> String {
    let required: Vec<String> =
        verdict.requires.iter().map(|one| format!("requires: {}\n", one.finding.message)).collect();
    let reports = [Report { verdict, source: Source { file: "app.yaml".into(), line: 1 } }];
    let mut out = Vec::new();
    let layout = Layout { width: Some(110), list_allowed: true };
    write(&Outcome { reports: &reports, errors: &[], since: None }, layout, &mut out).unwrap();
    let plain = anstream::adapter::strip_bytes(&out).into_vec();
    format!("{}{}", String::from_utf8(plain).unwrap(), required.concat())
}

/// Pods of this spec, with `personal`.
fn pod(spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: orders, namespace: shop, annotations: \
         {{domicile.dev/data-classification: personal}}}}\nspec: {spec}\n"
    )
}

fn deployment(spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec: {{template: {{metadata: \
         {{annotations: {{domicile.dev/data-classification: personal}}}}, spec: {spec}}}}}\n"
    )
}

fn claim(spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data, namespace: shop, annotations: \
         {{domicile.dev/data-classification: personal}}}}\nspec: {spec}\n"
    )
}

fn class(provisioner: &str, rest: &str) -> String {
    format!(
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: fast}}\nprovisioner: {provisioner}\n{rest}"
    )
}

/// The nodes without those that are abroad.
fn europe() -> String {
    let nodes: Vec<String> = values(NODES).iter().take(2).map(ToString::to_string).collect();
    nodes.join("\n---\n")
}

const CONFLICTING: &str = "
apiVersion: v1
kind: Node
metadata: {name: odd, labels: {topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1c}}
spec: {providerID: 'aws:///us-east-1c/i-5'}
";

macro_rules! shows {
    ($name:ident, $verdict:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), shown($verdict));
        }
    };
}

shows!(
    local_zone_abroad,
    create(&[NODES, EU], &deployment("{nodeSelector: {topology.kubernetes.io/region: eu-central-1}}"))
);
shows!(
    location_in_conflict,
    create(
        &[&europe(), CONFLICTING, EU],
        &pod("{nodeSelector: {topology.kubernetes.io/zone: eu-central-1c}}")
    )
);
shows!(
    location_that_nothing_says,
    create(&[&europe(), "{apiVersion: v1, kind: Node, metadata: {name: bare}}", EU], &deployment("{}"))
);
shows!(node_name_abroad, create(&[NODES, EU], &pod("{nodeName: iad}")));
shows!(node_name_that_does_not_exist, create(&[NODES, EU], &deployment("{nodeName: frankfurt-1}")));
shows!(
    none_permitted,
    create(&[NODES, EU], &deployment("{nodeSelector: {topology.kubernetes.io/region: us-east-1}}"))
);
shows!(
    not_proven,
    create(&[&europe(), &EU.replace("allow:", "assurance: Proven, allow:")], &deployment("{}"))
);
shows!(observed, create(&[&europe(), EU], &deployment("{}")));
shows!(nowhere_yet, create(&[&europe(), EU], &deployment("{nodeSelector: {team: a}}")));
shows!(
    operator_under_another_law,
    create(
        &[NODES, &EU.replace("jurisdictions: [EEA]", "jurisdictions: [EEA], providerJurisdictions: [EEA]")],
        &pod("{nodeSelector: {topology.kubernetes.io/region: eu-west-1}}")
    )
);
shows!(
    confined_to_nothing,
    create(
        &[NODES, &EU.replace("allow:", "remedy: Confine, allow:")],
        &deployment("{nodeSelector: {topology.kubernetes.io/region: us-east-1}}")
    )
);
shows!(
    volume_made_anywhere,
    create(
        &[
            NODES,
            EU,
            &class("ebs.csi.aws.com", "volumeBindingMode: Immediate\n"),
            &class("ebs.csi.aws.com", "volumeBindingMode: WaitForFirstConsumer\n").replace("fast", "slow")
        ],
        &claim("{storageClassName: fast}")
    )
);
shows!(
    volume_with_a_copy_abroad,
    create(
        &[
            "{apiVersion: v1, kind: Node, metadata: {name: br, labels: {topology.kubernetes.io/region: brazilsouth}}, \
              spec: {providerID: 'azure:///subscriptions/s'}}",
            &EU.replace("EEA", "BR"),
            &class(
                "file.csi.azure.com",
                "parameters: {skuName: Standard_GRS}\nallowedTopologies: [{matchLabelExpressions: [{key: \
                 topology.kubernetes.io/region, values: [brazilsouth]}]}]\n"
            )
        ],
        &claim("{storageClassName: fast}")
    )
);
shows!(
    volume_of_an_unknown_driver,
    create(&[NODES, EU, &class("nfs.csi.k8s.io", "")], &claim("{storageClassName: fast}"))
);
shows!(volume_that_does_not_exist, create(&[NODES, EU], &claim("{volumeName: pv-1}")));
shows!(
    volume_in_topologies_abroad,
    create(
        &[
            NODES,
            EU,
            &class(
                "ebs.csi.aws.com",
                "volumeBindingMode: WaitForFirstConsumer\nallowedTopologies: [{matchLabelExpressions: [{key: \
                 topology.kubernetes.io/zone, values: [us-east-1a]}]}]\n"
            )
        ],
        &claim("{storageClassName: fast}")
    )
);
shows!(
    snapshot_kept_elsewhere,
    create(
        &[
            NODES,
            EU,
            "{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotClass, metadata: {name: gcp}, driver: \
              pd.csi.storage.gke.io}"
        ],
        "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: nightly, namespace: shop, annotations: {domicile.dev/data-classification: personal}}
spec: {volumeSnapshotClassName: gcp, source: {persistentVolumeClaimName: data}}
"
    )
);
shows!(
    classification_that_pods_do_not_inherit,
    create(
        &[NODES, EU],
        "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {domicile.dev/data-classification: 'personal, health'}}
spec: {template: {spec: {nodeSelector: {topology.kubernetes.io/region: eu-west-1}}}}
"
    )
);
shows!(
    classification_that_is_none,
    create(&[NODES, EU], &pod("{nodeName: fra}").replace("personal", "'Personal Data; health'"))
);
shows!(
    classification_that_nobody_governs,
    create(&[NODES, EU], &pod("{nodeName: fra}").replace("personal", "personnal"))
);

fn with(settings: Settings, cluster: &[&str], yaml: &str) -> Verdict {
    let mut state = State::new(settings);
    for value in cluster.iter().flat_map(|yaml| values(yaml)) {
        state.apply(parse(value));
    }
    judge(&Request::create(&object(yaml)), &state, now())
}

shows!(classification_that_must_be_governed, {
    let settings = Settings { ungoverned: Ungoverned::Deny, ..Settings::default() };
    with(settings, &[NODES, EU], &pod("{nodeName: fra}").replace("personal", "personnal"))
});
shows!(classification_that_is_required, {
    let settings = Settings { required: Some(Selector::default()), ..Settings::default() };
    with(settings, &[NODES, EU], &pod("{nodeName: fra}").replace("personal", "''"))
});
shows!(
    declassification,
    update(
        &[NODES, EU, &pod("{nodeName: fra}")],
        &pod("{nodeName: fra}"),
        &pod("{nodeName: fra}").replace("personal", "''")
    )
);
shows!(leaving_a_policy, {
    let policy = EU.replace("allow:", "objectSelector: {matchLabels: {app: web}}, allow:");
    let web = pod("{nodeName: fra}").replace("namespace: shop,", "namespace: shop, labels: {app: web},");
    update(&[NODES, &policy, &web], &web, &web.replace("app: web", "app: other"))
});
shows!(relocation, {
    let cluster = state(&[NODES, EU, &pod("{nodeName: iad}")]);
    let old = values(NODES).remove(2);
    let mut new = old.clone();
    new["metadata"]["labels"]["domicile.dev.node-restriction.kubernetes.io/jurisdiction"] = "DE".into();
    judge(&Request::update(&parse(old), &parse(new)), &cluster, now())
});
shows!(node_that_moves_itself, {
    let old = values(NODES).remove(2);
    let mut new = old.clone();
    new["metadata"]["labels"]["topology.kubernetes.io/zone"] = "eu-central-1a".into();
    let (old, new): (Object, Object) = (parse(old), parse(new));
    judge(&Request::update(&old, &new).by_node("iad"), &state(&[NODES, EU]), now())
});
shows!(binding_abroad, {
    let binding =
        "{apiVersion: v1, kind: Binding, metadata: {name: orders, namespace: shop}, target: {name: ist}}";
    create(&[NODES, EU, &pod("{}")], binding)
});
shows!(
    outside_an_exception,
    create(
        &[
            NODES,
            EU,
            "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyException
metadata: {name: dr-test, namespace: shop}
spec: {policies: [eu-personal], allow: [{regions: [us-west-2]}], until: '2026-12-31T00:00:00Z', reason: DR test}
"
        ],
        &pod("{nodeSelector: {topology.kubernetes.io/region: us-east-1}}")
    )
);
shows!(several_policies_at_once, {
    let warn = EU.replace("eu-personal", "eu-advice").replace("allow:", "action: Warn, allow:");
    let ban = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: no-us}
spec: {classifications: [personal], deny: [{jurisdictions: [US], basis: Board decision 12}]}
";
    create(&[NODES, EU, &warn, ban], &pod("{nodeName: iad}"))
});

/// What is wrong may end in a question.
#[test]
fn nothing_but_a_sentence_stands_behind_a_question() {
    let node = CONFLICTING
        .replace("us-east-1c/i", "eu-central-1c/i")
        .replace("labels: {", "labels: {domicile.dev/jurisdiction: tr, ");
    let verdict = create(&[&europe(), &node, EU], &pod("{nodeName: odd}"));
    let message = &verdict.findings[0].message;
    assert!(message.contains("did you mean TR? Leave nodeName out"), "{message}");
}

/// A volume on the disk of one node is where that is, and nothing about the volume would say it better.
#[test]
fn a_local_volume_on_a_node_in_conflict_names_the_node() {
    let host = CONFLICTING.replace("labels: {", "labels: {kubernetes.io/hostname: odd, ");
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/data-classification: personal}}, spec: \
         {local: {path: /d}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, \
         operator: In, values: [odd]}]}]}}}}";
    let verdict = create(&[&europe(), &host, EU], volume);
    let message = &verdict.findings[0].message;
    assert!(message.contains("it is where node odd is, and nobody knows where that is: "), "{message}");
    assert!(message.contains("spec.providerID says zone us-east-1c"), "{message}");
    assert!(!message.contains("several"), "{message}");
}

/// The field that is blamed is one that stands in the manifest.
#[test]
fn the_field_that_is_there_is_blamed() {
    let term =
        "{matchExpressions: [{key: topology.kubernetes.io/region, operator: In, values: [us-east-1]}]}";
    let affinity = format!(
        "affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{term}]}}}}}}"
    );
    let selector = "nodeSelector: {topology.kubernetes.io/region: us-east-1}";
    let at_once = class("ebs.csi.aws.com", "");
    let old = "metadata.annotations[volume.beta.kubernetes.io/storage-class]";
    for (yaml, field) in [
        (pod(&format!("{{{selector}}}")), "spec.nodeSelector"),
        (deployment(&format!("{{{selector}}}")), "spec.template.spec.nodeSelector"),
        (pod(&format!("{{{affinity}}}")), "spec.affinity.nodeAffinity"),
        (pod(&format!("{{{affinity}, {selector}}}")), "spec.affinity.nodeAffinity"),
        // Where there is none, that is where one belongs.
        (pod("{}"), "spec.affinity.nodeAffinity"),
        (claim("{storageClassName: fast}"), "spec.storageClassName"),
        (
            claim("{}")
                .replace("annotations: {", "annotations: {volume.beta.kubernetes.io/storage-class: fast, "),
            old,
        ),
    ] {
        let verdict = create(&[NODES, EU, &at_once], &yaml);
        assert_eq!(verdict.findings[0].field.as_deref(), Some(field), "{yaml}");
    }
}

/// Where a driver keeps what it has not made yet is not said to be where it may be.
#[test]
fn a_volume_to_come_of_a_driver_that_could_keep_it_anywhere() {
    let waits = class("efs.csi.aws.com", "volumeBindingMode: WaitForFirstConsumer\n");
    let data = claim("{storageClassName: fast}");
    let mounting = pod(
        "{nodeSelector: {topology.kubernetes.io/zone: eu-west-1a}, volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}",
    );
    let verdict = create(&[NODES, EU, &waits, &data], &mounting);
    let [warning] = &verdict.warnings[..] else { panic!("{verdict:#?}") };
    let says =
        "nobody knows where claim data will be, since the driver efs.csi.aws.com could keep it anywhere";
    assert!(warning.starts_with(says), "{warning}");
    let strict = EU.replace("allow:", "assurance: Proven, allow:");
    let verdict = create(&[NODES, &strict, &waits], &data);
    let message = &verdict.findings[0].message;
    assert!(message.starts_with(says) && message.contains("wants proof"), "{message}");
    // Of one that keeps it beside its pod, or that makes none, only a free volume that is taken instead leaves that open.
    let free = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: far, annotations: {domicile.dev/jurisdiction: IE}}, spec: \
                {storageClassName: fast, nfs: {server: files, path: /}}, status: {phase: Available}}";
    for provisioner in ["ebs.csi.aws.com", "kubernetes.io/no-provisioner"] {
        let waits = class(provisioner, "volumeBindingMode: WaitForFirstConsumer\n");
        let message = create(&[NODES, &strict, &waits, free], &data).findings.remove(0).message;
        let says =
            "claim data can be only where it is permitted now, but nothing that is written keeps it there";
        assert!(message.starts_with(says), "{provisioner}: {message}");
    }
}

/// The law's list of adequate countries is no message.
#[test]
fn of_very_many_places_the_first_are_named() {
    let places: Vec<String> = ["EEA", "AD", "AR", "CH", "FO", "GG", "IL"]
        .map(|code| format!("{{jurisdictions: [{code}], basis: of {code}}}"))
        .into();
    let policy =
        |places: &[String]| EU.replace("[{jurisdictions: [EEA]}]", &format!("[{}]", places.join(", ")));
    let spec = "{nodeSelector: {topology.kubernetes.io/region: us-east-1}}";
    let said = |policy: &str| create(&[NODES, policy], &pod(spec)).findings.remove(0).message;
    let all = said(&policy(&places[..6]));
    assert!(all.contains("GG (of GG)") && !all.contains("more"), "{all}");
    let brief = said(&policy(&places));
    let first = "permits EEA (of EEA) or AD (of AD) or AR (of AR) or 4 more places";
    assert!(brief.contains(first) && !brief.contains("CH"), "{brief}");
}

/// Its node was the scheduler's choice, and its affinity can hardly be changed any more.
#[test]
fn a_pod_that_runs_is_told_to_be_made_anew() {
    let bare = pod("{nodeName: iad}").replace("personal", "other");
    let verdict = update(&[NODES, EU, &bare], &bare, &pod("{nodeName: iad}"));
    let message = &verdict.findings[0].message;
    assert!(message.contains("the pod runs on node iad") && message.contains("made anew"), "{message}");
    assert!(!message.contains("nodeName") && verdict.fix.is_none(), "{verdict:#?}");
}

/// Whose node could join, and where it would be.
#[test]
fn what_could_join_is_named() {
    let region = pod("{nodeSelector: {topology.kubernetes.io/region: eu-central-1}}");
    let verdict = create(&[&europe(), EU], &region);
    let [warning] = &verdict.warnings[..] else { panic!("{verdict:#?}") };
    let says = "but a node of aws that joins later could match and not be permitted (eu-central-1, TR)";
    assert!(warning.contains(says), "{warning}");
}

/// Each term of its affinity in words, and of the nodes in one country three.
#[test]
fn what_explains_a_pod_tells_its_terms() {
    let node = |zone: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: in-{zone}, labels: {{topology.kubernetes.io/region: us-east-1, \
             topology.kubernetes.io/zone: {zone}}}}}, spec: {{providerID: 'aws:///{zone}/i'}}}}"
        )
    };
    let nodes = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"].map(node).join("\n---\n");
    let waiting = pod(
        "{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
          {matchExpressions: [{key: topology.kubernetes.io/region, operator: In, values: [us-east-1, us-west-2]},
            {key: gpu, operator: DoesNotExist}]},
          {matchFields: [{key: metadata.name, operator: In, values: [fra]}]}, {}]}}}}",
    );
    let state = state(&[&nodes, EU, &waiting]);
    let terms = explain(&state, Kind::Pod, "shop", "orders", now()).unwrap().chain.terms;
    let told: Vec<&str> = terms.iter().map(|one| one.term.as_str()).collect();
    let regions = "topology.kubernetes.io/region In (us-east-1, us-west-2) and gpu DoesNotExist";
    assert_eq!(told, [regions, "metadata.name In (fra)", "an empty term, which matches nothing"]);
    let [there] = &terms[0].nodes[..] else { panic!("{terms:#?}") };
    assert_eq!((there.jurisdiction.as_deref(), there.count, there.examples.len()), (Some("US"), 4, 3));
}

/// Places are named in the words of the policy, also those that nodes are selected by.
#[test]
fn a_place_of_selected_nodes_is_named_by_its_labels() {
    let place = "{jurisdictions: [EEA], nodeSelector: {matchLabels: {rack: safe}, matchExpressions: [{key: tier, operator: \
                 In, values: [gold, silver]}, {key: old, operator: DoesNotExist}]}}";
    let policy = EU.replace("{jurisdictions: [EEA]}", place);
    let message = create(&[NODES, &policy], &pod("{nodeName: iad}")).findings.remove(0).message;
    let named = "permits EEA with nodes with rack=safe, tier In (gold,silver), old DoesNotExist";
    assert!(message.contains(named), "{message}");
}

/// That nobody knows under whose law a node is operated is told only where that matters.
#[test]
fn an_operator_that_nobody_knows_is_told_of_where_a_place_asks() {
    let node =
        "{apiVersion: v1, kind: Node, metadata: {name: bare, labels: {domicile.dev/jurisdiction: DE}}}";
    for (place, told) in
        [("jurisdictions: [EEA], providerJurisdictions: [EEA]", true), ("jurisdictions: [FR]", false)]
    {
        let policy = EU.replace("jurisdictions: [EEA]", place);
        let message = create(&[node, &policy], &pod("{nodeName: bare}")).findings.remove(0).message;
        assert_eq!(message.contains("(DE, operator not known)"), told, "{message}");
    }
}

/// Nobody is sent to places that an exception does not add: something is wrong with it, or it has ended at this very moment.
#[test]
fn an_exception_that_adds_nothing_is_not_told_of() {
    for (places, until, told) in [
        ("{regions: [us-west-2]}", "2026-12-31T00:00:00Z", true),
        ("{regions: [us-west-2]}, {jurisdictions: [FRIENDS]}", "2026-12-31T00:00:00Z", false),
        ("{regions: [us-west-2]}", "2026-06-01T12:00:00Z", false),
    ] {
        let exception = format!(
            "{{apiVersion: domicile.dev/v1alpha1, kind: ResidencyException, metadata: {{name: dr-test, namespace: shop}}, spec: \
             {{policies: [eu-personal], allow: [{places}], until: '{until}', reason: DR test}}}}"
        );
        let message = create(&[NODES, EU, &exception], &pod("{nodeName: iad}")).findings.remove(0).message;
        assert_eq!(message.contains("by exception dr-test"), told, "{places} until {until}: {message}");
    }
}

/// Where volumes are that are yet to be made, and where a node is.
#[test]
fn what_is_explained_of_places() {
    let zone = "allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: [eu-central-1a]}]}]";
    for (provisioner, rest, place) in [
        ("ebs.csi.aws.com", String::new(), "not pinned: anywhere the cluster is"),
        (
            "pd.csi.storage.gke.io",
            String::new(),
            "not pinned: anywhere the cluster is, and in TR; DE; IE; US",
        ),
        (
            "ebs.csi.aws.com",
            "volumeBindingMode: WaitForFirstConsumer".into(),
            "made where its pod goes (StorageClass fast)",
        ),
        (
            "ebs.csi.aws.com",
            format!("volumeBindingMode: WaitForFirstConsumer\n{zone}"),
            "made where its pod goes, in eu-central-1a, DE (StorageClass fast)",
        ),
    ] {
        let mounting = pod("{volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}");
        let state =
            state(&[NODES, EU, &class(provisioner, &rest), &claim("{storageClassName: fast}"), &mounting]);
        for (kind, name) in [(Kind::Pod, "orders"), (Kind::PersistentVolumeClaim, "data")] {
            let volumes = explain(&state, kind, "shop", name, now()).unwrap().chain.volumes;
            let told: Vec<_> = volumes.iter().map(|one| (one.volume.as_str(), one.place.as_str())).collect();
            assert_eq!(told, [("claim data", place)], "{kind:?}");
        }
    }
    let node = explain(&state(&[NODES]), Kind::Node, "", "fra", now()).unwrap();
    assert_eq!(node.chain.location.and_then(|at| at.jurisdiction).as_deref(), Some("DE"));
}

/// Each term is explained alone, and a policy that does not select is named as such.
#[test]
fn what_is_explained_of_terms_and_policies() {
    let in_region = |region: &str| {
        format!(
            "{{matchExpressions: [{{key: topology.kubernetes.io/region, operator: In, values: [{region}]}}]}}"
        )
    };
    let terms = format!("{}, {}", in_region("eu-west-1"), in_region("us-east-1"));
    let waiting = pod(&format!(
        "{{affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{terms}]}}}}}}}}"
    ));
    let of_others = EU
        .replace("eu-personal", "others")
        .replace("{classifications:", "{objectSelector: {matchLabels: {app: other}}, classifications:");
    let chain = explain(&state(&[NODES, EU, &of_others, &waiting]), Kind::Pod, "shop", "orders", now())
        .unwrap()
        .chain;
    assert_eq!(chain.not_selected, ["others"]);
    let places: Vec<Vec<_>> = chain
        .terms
        .iter()
        .map(|one| one.nodes.iter().map(|there| there.jurisdiction.as_deref()).collect())
        .collect();
    assert_eq!(places, [[Some("IE")], [Some("US")]]);
}

/// Of a claim that cannot be changed any more, that is refused for more than its class, or not at all, no class is proposed.
#[test]
fn another_class_is_proposed_where_it_helps() {
    let home = "allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: [eu-central-1a]}]}]";
    let named = |name: &str, provisioner: &str, rest: &str| {
        class(provisioner, rest).replace("name: fast", &format!("name: {name}"))
    };
    let loose = named("loose", "ebs.csi.aws.com", "");
    let good = named("good", "ebs.csi.aws.com", home);
    let share = named("share", "nfs.csi.k8s.io", "")
        .replace("{name: share", "{name: share, annotations: {domicile.dev/jurisdiction: DE}");
    let asking = claim("{storageClassName: loose}");
    let settled = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {nodeName: iad, volumes: [{name: v, \
                   persistentVolumeClaim: {claimName: data}}]}}";
    let proposed = |verdict: Verdict| verdict.fix.map(|fix| fix.value.to_string());
    let cluster = [NODES, EU, &loose, &good];
    assert_eq!(proposed(create(&cluster, &asking)).as_deref(), Some("\"good\""));
    assert_eq!(proposed(create(&[NODES, EU, &loose, &good, settled], &asking)), None, "a pod waits abroad");
    assert_eq!(proposed(create(&[NODES, EU, &loose, &share], &asking)), None, "a share is no disk");
    let better = named("better", "ebs.csi.aws.com", home);
    let permitted = create(&[NODES, EU, &better, &good], &claim("{storageClassName: good}"));
    assert_eq!(proposed(permitted), None, "it is permitted");
    let before = asking.replace("personal", "''");
    assert_eq!(proposed(update(&cluster, &before, &asking)), None, "it is there");
}

/// A reader is told how many, whatever it is of.
#[test]
fn nodes_that_are_not_permitted_are_counted() {
    let more = NODES.replace("name: ", "name: b-");
    let abroad = "nodeSelector: {topology.kubernetes.io/region: us-east-1}";
    for (spec, told) in [
        (format!("{{{abroad}}}"), "can go to 2 nodes, none of them permitted, such as b-iad ("),
        ("{}".to_owned(), "can go to 8 nodes, 4 of them not permitted, such as b-iad ("),
    ] {
        let message = create(&[NODES, &more, EU], &pod(&spec)).findings.remove(0).message;
        assert!(message.contains(told), "{message}");
    }
}

/// What names come in moves no cursor, and lines stay lines; a field whose name holds a dot is set, and not nested.
#[test]
fn what_is_shown_is_safe_and_can_be_written() {
    for (action, is) in [(Action::Audit, false), (Action::Warn, true), (Action::Deny, false)] {
        let mut finding = create(&[NODES, EU], &pod("{nodeName: iad}")).findings.remove(0);
        finding.action = action;
        assert_eq!(finding.is_warning(), is, "{action:?}");
    }
    assert_eq!(safe("one\u{1b}[2J\r\ntwo"), "one[2J\ntwo");
    for (path, how) in [
        ("spec.storageClassName", "merge this into the manifest"),
        ("metadata.annotations[a.b/c]", "set metadata.annotations[a.b/c] to"),
        ("spec.nodeSelector", "replace spec.nodeSelector by this"),
    ] {
        let fix = Fix { path: path.into(), value: "x".into() };
        assert_eq!(fix.instruction().0, how);
    }
}

/// What stands on a workload moves to where its pods have it, beside what they have already.
#[test]
fn what_stands_on_a_workload_is_added_to_what_its_pods_carry() {
    let web = deployment("{nodeSelector: {topology.kubernetes.io/region: eu-west-1}}")
        .replace("personal", "'health, '")
        .replace(
            "namespace: shop",
            "namespace: shop, annotations: {domicile.dev/data-classification: personal}",
        );
    let fix = create(&[NODES, EU], &web).fix.unwrap();
    assert_eq!(fix.value["domicile.dev/data-classification"], "health, personal");
}

/// Why nobody knows where something is.
#[test]
fn what_says_nothing_of_its_place_is_told_why() {
    let content = "{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotContent, metadata: {name: c, annotations: \
                   {domicile.dev/data-classification: personal}}, spec: {driver: pd.csi.storage.gke.io, volumeSnapshotRef: \
                   {namespace: shop, name: s}, source: {snapshotHandle: x}}}";
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/data-classification: \
                  personal}}, spec: {}}";
    for (yaml, told) in [(content, "and this one was there before"), (volume, "it names no driver")] {
        let message = create(&[NODES, EU], yaml).findings.remove(0).message;
        assert!(message.contains(told), "{message}");
    }
}

/// The place that could come to be is one that is not permitted.
#[test]
fn a_node_that_could_join_and_would_not_be_permitted_is_told_of() {
    let regions = "{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: \
                   [{key: topology.kubernetes.io/region, operator: In, values: [eu-west-1, us-west-2]}]}]}}}}";
    let warnings = create(&[&europe(), EU], &pod(regions)).warnings;
    let told = "a node of aws that joins later could match and not be permitted (us-west-2, US)";
    assert!(warnings.len() == 1 && warnings[0].contains(told), "{warnings:?}");
    // Also where only a label of its node says that it is.
    let labelled = pod(&regions
        .replace(
            "topology.kubernetes.io/region,",
            "domicile.dev.node-restriction.kubernetes.io/jurisdiction,",
        )
        .replace("[eu-west-1, us-west-2]", "[IE, US]")
        .replace("{affinity:", "{nodeSelector: {topology.kubernetes.io/region: eu-west-1}, affinity:"));
    let warnings = create(&[&europe(), EU], &labelled).warnings;
    let told = "a node of aws that joins later could match and not be permitted (eu-west-1, US)";
    assert!(warnings.len() == 1 && warnings[0].contains(told), "{warnings:?}");
}

/// Codes that nobody knows are named.
#[test]
fn a_topology_that_nobody_knows_is_told() {
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/data-classification: personal}}, \
                  spec: {csi: {driver: ebs.csi.aws.com}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: \
                  topology.kubernetes.io/zone, operator: In, values: [nowhere-1a]}]}]}}}}";
    let message = create(&[NODES, EU], volume).findings.remove(0).message;
    let told = "nobody knows where topology.kubernetes.io/zone=nowhere-1a is, which its topology names";
    assert!(message.contains(told), "{message}");
}
