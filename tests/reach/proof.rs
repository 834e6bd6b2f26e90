//! What constraints prove by themselves, for nodes that are not there yet too.

use std::time::{Duration, Instant};

use domicile::residency::Decision;

use super::support::{EU, NODES};
use super::*;

/// What a policy that wants proof says: it must agree.
fn proven_too(cluster: &[&str], spec: &str) -> Reach {
    let cluster = state(&[cluster, &[EU]].concat());
    let verdict = judged(&cluster, spec);
    let mut strict = cluster;
    strict.apply(object(&EU.replace("allow:", "assurance: Proven, allow:")));
    let wanted = judged(&strict, spec);
    assert_eq!(wanted.reach, verdict.reach, "{spec}");
    let (usual, decision) = match verdict.reach {
        Reach::Proven => (Decision::Allow, Decision::Allow),
        Reach::Observed => (Decision::Allow, Decision::Deny),
        _ => (Decision::Deny, Decision::Deny),
    };
    assert_eq!((verdict.decision, wanted.decision), (usual, decision), "{spec}: {verdict:#?}");
    if verdict.reach == Reach::Observed {
        // It says what to pin.
        assert!(
            verdict.warnings.iter().any(|one| one.contains("require region and zone")),
            "{:?}",
            verdict.warnings
        );
        assert_eq!(support::reasons(&wanted), [Reason::NotProven], "{spec}");
    } else {
        assert!(verdict.warnings.is_empty(), "{spec}: {:?}", verdict.warnings);
    }
    verdict.reach
}

fn hold(cluster: &[&str], cases: &[(String, Reach)]) {
    for (spec, expected) in cases {
        assert_eq!(proven_too(cluster, spec), *expected, "{spec}");
    }
}

/// All of one zone's letters but this one.
fn letters(zone: &str, but: char) -> String {
    let all = ('a'..='z').filter(|letter| *letter != but).map(|letter| format!("{zone}{letter}"));
    all.collect::<Vec<_>>().join(", ")
}

use Reach::{Observed, Proven, Violated};

#[test]
fn s5_finite_sets_of_places() {
    let selector = |key: &str, value: &str| format!("nodeSelector: {{{key}: {value}}}");
    hold(
        &[NODES],
        &[
            (String::new(), Violated),
            (selector(REGION, "eu-west-1"), Proven),
            (selector(ZONE, "eu-central-1a"), Proven),
            (expressions(&within(ZONE, "eu-central-1a, eu-central-1b")), Proven),
            (expressions(&within(ZONE, "eu-central-1a, nowhere-1")), Observed),
            (expressions(&within(ZONE, "eu-central-1a, eu-west-1a")), Proven),
            (expressions(&within(REGION, "eu-west-1, eu-south-1")), Proven),
            // A zone that is another country's, though no node is there.
            (expressions(&within(ZONE, "eu-central-1a, us-west-2b")), Observed),
            (expressions(&within(ZONE, "eu-central-1a, us-east-1a")), Violated),
            // The region covers its foreign zones, of which one has a node.
            (selector(REGION, "eu-central-1"), Violated),
            (format!("nodeSelector: {{{REGION}: eu-central-1, {ZONE}: eu-central-1b}}"), Proven),
            // Foreign zones, and all of them are permitted.
            (selector(REGION, "eu-north-1"), Proven),
            // A zone of another region is no place; a zone or region that nobody knows is none either.
            (format!("nodeSelector: {{{REGION}: eu-west-1, {ZONE}: us-east-1a}}"), Observed),
            (selector(ZONE, "nowhere-1a"), Observed),
            (selector(REGION, "nowhere"), Observed),
            (expressions(&within(REGION, "eu-west-1, nowhere")), Observed),
            (selector(ZONE, "''"), Observed),
            // Two constraints leave what both leave.
            (
                format!("{}, {}", selector(REGION, "eu-west-1"), expressions(&within(ZONE, "eu-west-1a"))),
                Proven,
            ),
            (
                expressions(&format!(
                    "{}, {}",
                    within(REGION, "eu-west-1, us-east-1"),
                    within(REGION, "eu-west-1")
                )),
                Proven,
            ),
            (
                expressions(&format!(
                    "{}, {}",
                    within(ZONE, "eu-west-1a, us-east-1a"),
                    within(REGION, "eu-west-1")
                )),
                Proven,
            ),
            // Nothing is left, and that proves nothing.
            (
                expressions(&format!("{}, {}", within(REGION, "us-east-1"), within(REGION, "eu-west-1"))),
                Observed,
            ),
        ],
    );
}

#[test]
fn s5_foreign_zones_unless_the_term_excludes_them() {
    // Without the node in Istanbul: one may join.
    let nodes = NODES.split("---").filter(|node| !node.contains("ist-1a")).collect::<Vec<_>>().join("---");
    let without = |zones: &str| {
        expressions(&format!(
            "{}, {{key: {ZONE}, operator: NotIn, values: [{zones}]}}",
            within(REGION, "eu-central-1")
        ))
    };
    hold(
        &[&nodes],
        &[
            (format!("nodeSelector: {{{REGION}: eu-central-1}}"), Observed),
            (without("eu-central-1-ist-1a"), Observed),
            // A node of Istanbul without the label passes what only leaves values out; its provider ID still says it.
            (without(&letters("eu-central-1-ist-1", '-')), Observed),
            (
                without(&format!(
                    "{}]}}, {{key: {ZONE}, operator: Exists, values: [",
                    letters("eu-central-1-ist-1", '-')
                )),
                Proven,
            ),
            (without(&letters("eu-central-1-ist-1", 'q')), Observed),
            (without("eu-central-1a"), Observed),
        ],
    );
}

#[test]
fn s5_names_and_host_names() {
    let hosts = NODES.replace("labels: {", "labels: {kubernetes.io/hostname: NAME, ");
    let hosts: Vec<String> = hosts
        .split("---")
        .zip(["fra", "dub", "iad", "ist"])
        .map(|(node, name)| node.replace("NAME", name))
        .collect();
    let hosts = hosts.join("\n---\n");
    let host = |values: &str| expressions(&within("kubernetes.io/hostname", values));
    let name = |value: &str| {
        affinity(&format!("{{matchFields: [{{key: metadata.name, operator: In, values: [{value}]}}]}}"))
    };
    hold(
        &[&hosts],
        &[
            (host("fra"), Proven),
            (host("fra, dub"), Proven),
            (host("fra, iad"), Violated),
            (host("ist"), Violated),
            // One that is not there could come, and be anywhere.
            (host("fra, gone"), Observed),
            (host("gone"), Observed),
            ("nodeSelector: {kubernetes.io/hostname: fra}".to_owned(), Proven),
            (name("fra"), Proven),
            (name("iad"), Violated),
            (name("gone"), Observed),
            (
                affinity(
                    "{matchFields: [{key: metadata.name, operator: In, values: [fra]}]}, {matchFields: [{key: metadata.name, operator: In, values: [dub]}]}",
                ),
                Proven,
            ),
            (affinity("{matchFields: [{key: metadata.name, operator: NotIn, values: [iad]}]}"), Violated),
            // Every node but those abroad leaves the next one open.
            (expressions("{key: kubernetes.io/hostname, operator: NotIn, values: [iad, ist]}"), Observed),
            ("nodeName: fra".to_owned(), Proven),
            ("nodeName: iad".to_owned(), Violated),
            // All that is asked for must hold of one node.
            (
                affinity(
                    "{matchFields: [{key: metadata.name, operator: In, values: [fra]}], matchExpressions: [{key: \
                     kubernetes.io/hostname, operator: In, values: [fra, iad]}]}",
                ),
                Proven,
            ),
            (
                expressions(&format!(
                    "{}, {}",
                    within("kubernetes.io/hostname", "fra, iad"),
                    within(REGION, "eu-central-1")
                )),
                Proven,
            ),
        ],
    );
    // What is no place can change on a node.
    let racks = hosts
        .replace("labels: {kubernetes.io/hostname: fra", "labels: {rack: safe, kubernetes.io/hostname: fra");
    let racks = racks
        .replace("labels: {kubernetes.io/hostname: iad", "labels: {rack: other, kubernetes.io/hostname: iad");
    let both = format!("{}, {}", within("kubernetes.io/hostname", "fra, iad"), within("rack", "safe"));
    hold(&[&racks], &[(expressions(&both), Observed)]);
}

/// Of several values of several labels, in several zones, each can come with each.
#[test]
fn s5_every_combination_is_thought_of() {
    let denied = |labels: &str| {
        EU.replace(
            "allow: [{jurisdictions: [EEA]}]",
            &format!("deny: [{{nodeSelector: {{matchLabels: {{{labels}}}}}}}]"),
        )
    };
    let spec = expressions(&format!(
        "{}, {}, {}",
        within(ZONE, "eu-west-1a, eu-central-1a"),
        within("rack", "a, b"),
        within("row", "u, v")
    ));
    for rack in ["a", "b"] {
        for row in ["u", "v"] {
            let policy = denied(&format!("rack: {rack}, row: {row}"));
            assert_eq!(judged(&state(&[NODES, &policy]), &spec).reach, Observed, "{rack} {row}");
        }
    }
    for other in ["rack: d, row: u", "rack: a, row: w"] {
        assert_eq!(judged(&state(&[NODES, &denied(other)]), &spec).reach, Proven, "{other}");
    }
}

/// A term of the pod goes with each term of its volume.
#[test]
fn s5_every_term_of_a_volume_is_thought_of_with_each_of_the_pod() {
    let volume = |halls: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: pv}}, spec: {{csi: {{driver: ebs.csi.aws.com}}, claimRef: \
             {{namespace: shop, name: data}}, nodeAffinity: {{required: {{nodeSelectorTerms: [{halls}]}}}}}}}}"
        )
    };
    let hall = |name: &str| format!("{{matchExpressions: [{}]}}", within("hall", name));
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop}, spec: {volumeName: pv}}";
    let policy = EU.replace(
        "allow:",
        "activities: [Processing], deny: [{nodeSelector: {matchLabels: {hall: out}}}], allow:",
    );
    let zones =
        ["eu-west-1a", "eu-central-1a"].map(|zone| format!("{{matchExpressions: [{}]}}", within(ZONE, zone)));
    let spec = format!(
        "{}, volumes: [{{name: d, persistentVolumeClaim: {{claimName: data}}}}]",
        affinity(&zones.join(", "))
    );
    for (terms, expected) in [
        ([hall("in"), hall("side")], Proven),
        ([hall("in"), hall("out")], Observed),
        ([hall("out"), hall("in")], Observed),
    ] {
        let nodes = NODES.replace("labels: {", "labels: {hall: in, ");
        let cluster = state(&[&nodes, &policy, claim, &volume(&terms.join(", "))]);
        assert_eq!(judged(&cluster, &spec).reach, expected, "{terms:?}");
    }
}

/// A place can select on the labels that say where a node is. They say the same as the rest of it does.
#[test]
fn s5_a_label_for_the_place_goes_with_the_place() {
    let restricted = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
    for (key, ireland, britain) in
        [(REGION, "eu-west-1", "eu-west-2"), (ZONE, "eu-west-1a", "eu-west-2a"), (restricted, "IE", "GB")]
    {
        let place = |code: &str, value: &str| {
            format!("{{jurisdictions: [{code}], nodeSelector: {{matchLabels: {{{key}: {value}}}}}}}")
        };
        let policy = |places: &str| EU.replace("{jurisdictions: [EEA]}", places);
        let right = policy(&format!("{}, {}", place("IE", ireland), place("GB", britain)));
        let spec = expressions(&within(key, &format!("{ireland}, {britain}")));
        assert_eq!(judged(&state(&[NODES, &right]), &spec).reach, Proven, "{key}");
        let wrong = policy(&format!("{}, {}", place("IE", britain), place("GB", ireland)));
        assert_ne!(judged(&state(&[NODES, &wrong]), &spec).reach, Proven, "{key}");
    }
}

/// A label alone says nothing of where a node is, but whose nodes there are is known.
#[test]
fn s5_a_label_alone_leaves_the_providers_of_the_cluster() {
    let of = |node: &str, place: &str| {
        let policy = EU.replace(
            "jurisdictions: [EEA]",
            &format!("{place}, nodeSelector: {{matchLabels: {{rack: safe}}}}"),
        );
        judged(&state(&[node, &policy]), "nodeSelector: {rack: safe}").reach
    };
    let node = |id: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: one, labels: {{rack: safe}}}}, spec: {{providerID: '{id}'}}}}"
        )
    };
    let (hetzner, aws) = (node("hcloud://1"), node("aws:///eu-west-1a/i"));
    assert_eq!(of(&hetzner, "providers: [hetzner]"), Proven);
    assert_eq!(of(&hetzner, "providerJurisdictions: [DE]"), Proven);
    assert_eq!(of(&aws, "providers: [aws]"), Proven);
    // In China others run its regions.
    assert_eq!(of(&aws, "providerJurisdictions: [US]"), Observed);
    assert_eq!(of(&aws, "jurisdictions: [IE]"), Observed);
}

#[test]
fn s5_what_proves_nothing() {
    let tainted = NODES
        .replace(
            "spec: {providerID: 'aws:///us",
            "spec: {taints: [{key: abroad, effect: NoSchedule}], providerID: 'aws:///us",
        )
        .replace(
            "spec: {providerID: 'aws:///eu-central-1-ist",
            "spec: {taints: [{key: abroad, effect: NoSchedule}], providerID: 'aws:///eu-central-1-ist",
        );
    // Taints do not; they keep pods off now.
    hold(
        &[&tainted],
        &[(String::new(), Observed), ("tolerations: [{operator: Exists}]".to_owned(), Violated)],
    );
    let home = NODES
        .replace(
            "metadata: {name: fra, labels: {",
            "metadata: {name: fra, labels: {home: '1', domicile.dev/jurisdiction: DE, ",
        )
        .replace(
            "metadata: {name: dub, labels: {",
            "metadata: {name: dub, labels: {home: '2', domicile.dev/jurisdiction: IE, ",
        );
    hold(
        &[&home],
        &[
            (expressions("{key: home, operator: Exists}"), Observed),
            (expressions("{key: home, operator: In, values: ['1', '2']}"), Observed),
            (expressions("{key: home, operator: Gt, values: ['0']}"), Observed),
            (
                expressions(&format!(
                    "{{key: {ZONE}, operator: NotIn, values: [us-east-1a, eu-central-1-ist-1a]}}"
                )),
                Observed,
            ),
            (
                expressions(&format!(
                    "{{key: {REGION}, operator: NotIn, values: [us-east-1, eu-central-1]}}"
                )),
                Observed,
            ),
            (
                expressions(&format!("{}, {{key: home, operator: Exists}}", within(REGION, "eu-west-1"))),
                Proven,
            ),
            // A label that a kubelet can set on itself is a claim.
            ("nodeSelector: {domicile.dev/jurisdiction: DE}".to_owned(), Observed),
            // A label that is asked to be there and not to be there.
            (
                expressions(&format!(
                    "{}, {{key: home, operator: DoesNotExist}}, {{key: home, operator: Exists}}",
                    within(REGION, "eu-west-1")
                )),
                Observed,
            ),
            (affinity("{}"), Observed),
            (affinity(""), Observed),
        ],
    );
}

#[test]
fn s5_the_jurisdiction_label_that_no_kubelet_can_set() {
    const KEY: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
    let nodes = NODES
        .replace("metadata: {name: fra, labels: {", &format!("metadata: {{name: fra, labels: {{{KEY}: DE, "));
    hold(
        &[&nodes],
        &[
            (format!("nodeSelector: {{{KEY}: DE}}"), Proven),
            (expressions(&within(KEY, "DE, FR")), Proven),
            (expressions(&within(KEY, "DE, US")), Observed),
            (expressions(&within(KEY, "DE, nowhere")), Observed),
            (expressions(&format!("{{key: {KEY}, operator: Exists}}")), Observed),
        ],
    );
}

#[test]
fn s5_a_label_that_a_place_selects_on() {
    let nodes = NODES
        .replace("metadata: {name: fra, labels: {", "metadata: {name: fra, labels: {rack: safe, row: '1', ");
    let policy = |place: &str| EU.replace("jurisdictions: [EEA]", place);
    let reach = |place: &str, spec: &str| judged(&state(&[&nodes, &policy(place)]), spec).reach;
    let safe = "nodeSelector: {matchLabels: {rack: safe}}";
    for (place, spec, expected) in [
        (safe, "nodeSelector: {rack: safe}".to_owned(), Proven),
        (safe, expressions(&within("rack", "safe, safer")), Observed),
        (safe, "nodeSelector: {row: '1'}".to_owned(), Observed),
        (safe, format!("nodeSelector: {{{REGION}: eu-west-1}}"), Violated),
        (safe, "nodeSelector: {kubernetes.io/hostname: gone}".to_owned(), Observed),
        (
            "nodeSelector: {matchExpressions: [{key: rack, operator: In, values: [safe, safer]}]}",
            expressions(&within("rack", "safe, safer")),
            Proven,
        ),
        // The place is all of its fields.
        (
            "jurisdictions: [EEA], nodeSelector: {matchLabels: {rack: safe}}",
            "nodeSelector: {rack: safe}".to_owned(),
            Observed,
        ),
        (
            "jurisdictions: [EEA], nodeSelector: {matchLabels: {rack: safe}}",
            format!("nodeSelector: {{rack: safe, {ZONE}: eu-central-1a}}"),
            Proven,
        ),
        (
            "nodeSelector: {matchLabels: {rack: safe, row: '1'}}",
            "nodeSelector: {rack: safe}".to_owned(),
            Observed,
        ),
        (
            "nodeSelector: {matchLabels: {rack: safe, row: '1'}}",
            "nodeSelector: {rack: safe, row: '1'}".to_owned(),
            Proven,
        ),
    ] {
        assert_eq!(reach(place, &spec), expected, "{place}: {spec}");
    }
    // A place that is denied: its absence can be pinned too.
    let never = |spec: &str| {
        let policy = EU.replace(
            "allow: [{jurisdictions: [EEA]}]",
            "deny: [{nodeSelector: {matchLabels: {rack: safe}}}]",
        );
        judged(&state(&[&nodes, &policy]), spec).reach
    };
    assert_eq!(never("nodeSelector: {rack: safe}"), Violated);
    assert_eq!(never("nodeSelector: {rack: other}"), Proven);
    assert_eq!(never(&expressions("{key: rack, operator: DoesNotExist}")), Proven);
    assert_eq!(never(&format!("nodeSelector: {{{REGION}: eu-west-1}}")), Observed);
}

/// The result is the worst term's.
#[test]
fn s5_terms_are_or_ed_and_the_worst_decides() {
    let term = |list: &str| format!("{{matchExpressions: [{list}]}}");
    let (proven, observed, violated) = (
        term(&within(ZONE, "eu-central-1a")),
        term("{key: home, operator: Exists}"),
        term(&within(ZONE, "us-east-1a")),
    );
    let nodes =
        NODES.replace("metadata: {name: fra, labels: {", "metadata: {name: fra, labels: {home: '1', ");
    let of =
        |terms: &[&String]| affinity(&terms.iter().map(|term| term.as_str()).collect::<Vec<_>>().join(", "));
    hold(
        &[&nodes],
        &[
            (of(&[&proven]), Proven),
            (of(&[&observed]), Observed),
            (of(&[&violated]), Violated),
            (of(&[&proven, &proven]), Proven),
            (of(&[&proven, &observed]), Observed),
            (of(&[&observed, &proven]), Observed),
            (of(&[&proven, &violated]), Violated),
            (of(&[&violated, &observed, &proven]), Violated),
        ],
    );
}

/// A code means what it means at every provider that the cluster has, and at any if one of them is not known.
#[test]
fn s5_codes_that_several_providers_use() {
    let region = format!("nodeSelector: {{{REGION}: eu-west-1}}");
    let zone = format!("nodeSelector: {{{ZONE}: eu-west-1a}}");
    let ebs = "nodeSelector: {topology.ebs.csi.aws.com/zone: eu-west-1a}".to_owned();
    let node = |provider: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: other, labels: {{domicile.dev/jurisdiction: DE}}}}, spec: {{providerID: '{provider}'}}}}"
        )
    };
    hold(&[NODES], &[(region.clone(), Proven), (zone.clone(), Proven), (ebs.clone(), Proven)]);
    // At Alibaba it is London.
    hold(
        &[NODES, &node("alicloud://eu-central-1.i-1")],
        &[(region.clone(), Observed), (ebs.clone(), Proven)],
    );
    // At Hetzner no region is called so. Zones say nothing of their region there, so one in Ashburn could be.
    let both = format!("nodeSelector: {{{REGION}: eu-west-1, {ZONE}: eu-west-1a}}");
    hold(
        &[NODES, &node("hcloud://1")],
        &[(region.clone(), Proven), (zone, Observed), (both, Proven), (ebs, Proven)],
    );
    // A node of which nobody knows the provider could be Alibaba's.
    hold(&[NODES, &node("")], &[(region.clone(), Observed)]);
    // One that is not initialised yet does not count.
    let unborn = node("").replace("labels: {domicile.dev/jurisdiction: DE}", "labels: {}").replace(
        "spec: {",
        "spec: {taints: [{key: node.cloudprovider.kubernetes.io/uninitialized, effect: NoSchedule}], ",
    );
    hold(&[NODES, &unborn], &[(region, Proven)]);
}

/// Where nobody knows a provider's regions, one that is asked for is still its own, by that name.
#[test]
fn s5_a_region_of_a_provider_that_has_its_own() {
    let own = "{apiVersion: v1, kind: Node, metadata: {name: own}, spec: {providerID: 'kind://a'}}";
    for (place, expected) in [
        ("providers: [aws, kind]", Proven),
        ("providers: [aws]", Observed),
        ("regions: [eu-west-1]", Proven),
        ("jurisdictions: [IE]", Observed),
    ] {
        let policy = EU.replace("jurisdictions: [EEA]", place);
        let cluster = state(&[NODES, own, &policy]);
        let spec = format!("nodeSelector: {{{REGION}: eu-west-1}}");
        assert_eq!(judged(&cluster, &spec).reach, expected, "{place}");
    }
}

/// What is beyond the bound is not proven, and takes no longer for it.
#[test]
fn s5_work_is_bounded() {
    let zones =
        |count: usize| (0..count).map(|number| format!("zone-{number}")).collect::<Vec<_>>().join(", ");
    let many_terms =
        vec![format!("{{matchExpressions: [{}]}}", within(ZONE, "eu-west-1a")); 3_000].join(", ");
    let home = |count| vec!["eu-west-1a"; count].join(", ");
    let group = |count| vec![within("rack", "one"); count].join(", ");
    let cluster = state(&[NODES, EU]);
    for (what, spec, expected) in [
        ("many terms", affinity(&many_terms), Observed),
        ("many values", expressions(&within(ZONE, &zones(5_000))), Observed),
        ("many times the same", expressions(&within(ZONE, &home(5_000))), Proven),
        (
            "many expressions",
            expressions(&format!("{}, {}", within(ZONE, "eu-west-1a"), group(5_000))),
            Proven,
        ),
        (
            "many combinations",
            expressions(&format!("{}, {}", within(REGION, &zones(2_000)), within(ZONE, &zones(2_000)))),
            Observed,
        ),
    ] {
        let pod = object(&pod(&spec));
        let began = Instant::now();
        let verdict = judge(&Request::create(&pod), &cluster, now());
        assert!(began.elapsed() < Duration::from_secs(10), "{what}: {:?}", began.elapsed());
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, expected), "{what}");
    }
}

/// Of many regions and zones each pair is looked at, and of several terms each is; both up to a bound.
#[test]
fn s5_what_is_thought_of_together_is_bounded() {
    let listed =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(", ");
    let rows = listed(150, &|number| format!("{{provider: dc, region: r{number}, jurisdiction: DE}}"));
    let own = format!(
        "{{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {{name: dc}}, spec: {{regions: [{rows}], \
         providers: [{{name: dc, schemes: [dc], zoneRule: '^(?<region>r[0-9]+)-.$'}}]}}}}"
    );
    let node = format!(
        "{{apiVersion: v1, kind: Node, metadata: {{name: here, labels: {{{REGION}: r0, {ZONE}: r0-a}}}}, spec: {{providerID: 'dc://1'}}}}"
    );
    let cluster = state(&[&own, &node, EU]);
    for (count, expected) in [(100, Proven), (150, Observed)] {
        let regions = within(REGION, &listed(count, &|number| format!("r{number}")));
        let zones = within(ZONE, &listed(count, &|number| format!("r{number}-a")));
        let spec = expressions(&format!("{regions}, {zones}"));
        assert_eq!(judged(&cluster, &spec).reach, expected, "{count} regions and as many zones");
    }
    // Where zones do not say their region, each can be of any.
    let anywhere = own.replace(", zoneRule: '^(?<region>r[0-9]+)-.$'", "");
    let cluster = state(&[&anywhere, &node, EU]);
    for (count, expected) in [(10, Proven), (90_000, Observed)] {
        let zones = expressions(&within(ZONE, &listed(count, &|number| format!("z-{number}"))));
        let pod = object(&pod(&zones));
        let began = Instant::now();
        assert_eq!(judge(&Request::create(&pod), &cluster, now()).reach, expected, "{count} zones");
        assert!(began.elapsed() < Duration::from_secs(10), "{count} zones: {:?}", began.elapsed());
    }
    let policy = EU.replace("}]}", "}], deny: [{nodeSelector: {matchLabels: {rack: bad}}}]}");
    let cluster = state(&[NODES, &policy]);
    for (count, expected) in [(1_000, Proven), (1_500, Observed)] {
        let term = |row: &str| {
            let racks = within("rack", &listed(count, &|number| format!("{row}-{number}")));
            format!("{{matchExpressions: [{}, {racks}]}}", within(ZONE, "eu-west-1a"))
        };
        let spec = affinity(&format!("{}, {}", term("a"), term("b")));
        assert_eq!(judged(&cluster, &spec).reach, expected, "two terms of {count} racks");
    }
}
