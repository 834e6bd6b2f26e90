//! `domicile check` from end to end: bad input, policies that cannot be used, times and exit statuses.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const NODES: &str = "
apiVersion: v1
kind: Node
metadata: {name: fra, labels: {topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1a}}
spec: {providerID: 'aws:///eu-central-1a/i-1'}
---
apiVersion: v1
kind: Node
metadata: {name: iad, labels: {topology.kubernetes.io/region: us-east-1, topology.kubernetes.io/zone: us-east-1a}}
spec: {providerID: 'aws:///us-east-1a/i-2'}
";

const POLICY: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}]}
";

fn pod(name: &str, node: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{domicile.dev/data-classification: \
         personal}}}}\nspec: {{nodeName: {node}}}\n"
    )
}

/// A folder with a cluster of nodes and one policy, and pods that may and may not be.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("nodes.yaml", NODES.to_owned()),
        ("policy.yaml", POLICY.to_owned()),
        ("good.yaml", pod("good", "fra")),
        ("bad.yaml", pod("bad", "iad")),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

struct Answer {
    status: i32,
    out: String,
    err: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .current_dir(folder)
        .env_clear()
        .env("KUBECONFIG", folder.join("none"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Checks these files against the cluster.
fn check(folder: &Path, files: &[&str], more: &[&str]) -> Answer {
    let cluster = ["--cluster", "nodes.yaml", "policy.yaml"];
    run(folder, &[&["check", "-f"], files, &cluster, more].concat())
}

/// Name and decision of each result.
fn decisions(answer: &Answer) -> Vec<(String, String)> {
    let json: Value =
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {}", answer.out));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let results = json["results"].as_array().unwrap().iter();
    results.map(|result| (text(&result["object"]["name"]), text(&result["decision"]))).collect()
}

#[test]
fn exit_statuses() {
    let folder = folder();
    for (files, status, summary) in [
        (&["good.yaml"][..], 0, "1 object: 1 allowed, 0 warned of, 0 denied"),
        (&["bad.yaml"], 1, "1 object: 0 allowed, 0 warned of, 1 denied"),
        (&["good.yaml", "bad.yaml"], 1, "2 objects: 1 allowed, 0 warned of, 1 denied"),
        (&["good.yaml", "no-such.yaml"], 2, "incomplete: 1 input could not be read"),
        (&["bad.yaml", "no-such.yaml"], 2, "incomplete: 1 input could not be read"),
    ] {
        let answer = check(folder.path(), files, &[]);
        assert_eq!(answer.status, status, "{files:?}: {}", answer.err);
        assert!(answer.out.contains(summary), "{files:?}: {}", answer.out);
    }
}

/// A file that is wrong, and what is said of it.
fn wrong(name: &str, content: &[u8], says: &[&str]) {
    let folder = folder();
    fs::write(folder.path().join(name), content).unwrap();
    for more in [&[][..], &["-o", "json"], &["-o", "sarif"], &["-o", "junit"]] {
        let answer = check(folder.path(), &["good.yaml", name, "bad.yaml"], more);
        assert_eq!(answer.status, 2, "{name} {says:?} {more:?}: {}", answer.err);
        let errors: Vec<&str> = answer.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(
            !errors.is_empty() && errors.iter().all(|error| error.starts_with(&format!("error: {name}"))),
            "{errors:?}"
        );
        for say in says {
            assert!(errors.iter().any(|error| error.contains(say)), "{say:?} is expected in {errors:#?}");
        }
    }
    // The others are judged, and no verdict pretends to be complete.
    let answer = check(folder.path(), &["good.yaml", name, "bad.yaml"], &["-o", "json"]);
    let decisions = decisions(&answer);
    for due in [("good", "Allow"), ("bad", "Deny")] {
        assert!(
            decisions.iter().any(|(name, decision)| (name.as_str(), decision.as_str()) == due),
            "{decisions:?}"
        );
    }
    assert!(answer.out.contains("\"complete\": false"), "{}", answer.out);
    if says.contains(&"50 MiB") {
        // What a cluster is may be larger.
        return;
    }
    // The same in what the cluster is.
    let cluster = ["check", "-f", "good.yaml", "--cluster", "nodes.yaml", "policy.yaml", name];
    let answer = run(folder.path(), &cluster);
    assert_eq!(answer.status, 2, "{name} as a cluster: {}", answer.err);
}

#[test]
fn broken_yaml() {
    wrong(
        "broken.yaml",
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: a\nspec: {}\n",
        &["error: broken.yaml:"],
    );
    wrong("tabs.yaml", b"apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n", &["error: tabs.yaml:4: "]);
    wrong("quotes.yaml", b"apiVersion: v1\nkind: \"Pod\nmetadata: {}\n", &["error: quotes.yaml:"]);
    wrong(
        "second.yaml",
        format!("{}---\nkind: [\n", pod("first", "fra")).as_bytes(),
        &["error: second.yaml:6: "],
    );
    wrong("cut.json", br#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a""#, &["not JSON"]);
}

#[test]
fn wrong_types() {
    for (content, path) in [
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: [fra]}\n", "spec.nodeName"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeSelector: fra}\n", "spec.nodeSelector"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {tolerations: {a: b}}\n", "spec.tolerations"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: [b]}\n", "metadata.labels"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {b: 1}}\n", "metadata.annotations"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeSelector: {country: NO}}\n",
            "put it in quotes",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {volumes: [{persistentVolumeClaim: {}}]}\n",
            "claimName",
        ),
        (
            "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: {taints: [{key: a, effect: Never}]}\n",
            "effect",
        ),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: []\n", "spec"),
        ("apiVersion: v1\nkind: Pod\nmetadata: a\n", "metadata"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {labels: {a: b}}\n", "metadata.name"),
        ("apiVersion: v1\nkind: [Pod]\nmetadata: {name: a}\n", "`kind`"),
        ("just text\n", "a Kubernetes object"),
        ("- 1\n- 2\n", "a Kubernetes object"),
    ] {
        wrong("types.yaml", content.as_bytes(), &[path]);
    }
}

#[test]
fn kinds_of_our_own_that_are_not_known() {
    for (content, says) in [
        (POLICY.replace("v1alpha1", "v1"), "v1alpha1"),
        (POLICY.replace("v1alpha1", "v1beta1"), "domicile.dev/v1beta1 ResidencyPolicy is not known"),
        (POLICY.replace("ResidencyPolicy", "ResidencyPolice"), "ResidencyPolice is not known"),
        (POLICY.replace("classifications", "clasifications"), "clasifications"),
        (POLICY.replace("allow:", "action: Refuse, allow:"), "Refuse"),
        (POLICY.replace("jurisdictions: [EEA]", "jurisdictions: EEA"), "jurisdictions"),
        (POLICY.replace("jurisdictions: [EEA]", "jurisdictions: [EEA], until: soon"), "until"),
        (POLICY.replace("jurisdictions: [EEA]", "jurisdictions: [NO, SE]"), "put it in quotes"),
    ] {
        wrong("own.yaml", content.as_bytes(), &[says]);
    }
}

#[test]
fn a_policy_that_cannot_be_used() {
    for (from, to, says) in [
        ("[EEA]", "[XX]", "spec.allow[0]: jurisdictions[0]: XX is no country"),
        ("[EEA]", "[EEA, DE-XX]", "jurisdictions[1]"),
        ("[EEA]", "[UK]", "GB"),
        ("jurisdictions: [EEA]", "providerJurisdictions: [XX]", "providerJurisdictions[0]"),
        ("[personal]", "[Personal]", "spec.classifications[0]"),
        ("[personal]", "[]", "spec.classifications"),
        (", allow: [{jurisdictions: [EEA]}]", "", "`allow`"),
        ("[{jurisdictions: [EEA]}]", "[]", "spec.allow"),
        ("{jurisdictions: [EEA]}", "{}", "must name at least one of"),
        ("[{jurisdictions: [EEA]}]", "[{jurisdictions: [EEA], zones: []}]", "zones: must not be empty"),
        ("[EEA]", "[EEA], from: '2026-01-02T00:00:00Z', until: '2026-01-01T00:00:00Z'", "until"),
        ("jurisdictions: [EEA]", "regions: ['eu-[']", "regions[0]"),
        (
            "allow:",
            "objectSelector: {matchExpressions: [{key: a, operator: Gt, values: ['1']}]}, allow:",
            "operator",
        ),
    ] {
        let folder = folder();
        let policy = POLICY.replace("eu-personal", "other").replace(from, to);
        assert_ne!(policy, POLICY.replace("eu-personal", "other"), "{from}");
        fs::write(folder.path().join("other.yaml"), policy).unwrap();
        // Among what is to be applied, and in the cluster.
        for arguments in [
            &["check", "-f", "good.yaml", "other.yaml", "--cluster", "nodes.yaml"][..],
            &["check", "-f", "good.yaml", "--cluster", "nodes.yaml", "other.yaml"],
            &["audit", "--cluster", "nodes.yaml", "other.yaml"],
        ] {
            let answer = run(folder.path(), arguments);
            assert_eq!(answer.status, 2, "{to}: {}", answer.err);
            let error =
                answer.err.lines().find(|line| line.starts_with("error: other.yaml:")).unwrap_or_default();
            assert!(
                error.contains(says) && error.contains("ResidencyPolicy/other"),
                "{says:?} in {}",
                answer.err
            );
        }
    }
}

/// As in the webhook, which cannot read it either.
#[test]
fn what_is_stored_and_cannot_be_read_permits_nothing() {
    let odd = [
        POLICY.replace("eu-personal", "odd").replace("[EEA]", "EEA"),
        "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: odd}, spec: {groups: 1}}"
            .into(),
    ];
    for odd in odd {
        let folder = folder();
        fs::write(folder.path().join("odd.yaml"), &odd).unwrap();
        let cluster = ["--cluster", "nodes.yaml", "policy.yaml", "odd.yaml", "-o", "json"];
        let answer = run(folder.path(), &[&["check", "-f", "good.yaml"][..], &cluster].concat());
        assert_eq!((answer.status, &*decisions(&answer)[0].1), (2, "Deny"), "{odd}: {}", answer.out);
        assert!(answer.err.contains("error: odd.yaml:"), "{}", answer.err);
        assert!(!answer.err.contains("no residencypolicies"), "{}", answer.err);
        let answer =
            run(folder.path(), &["audit", "--cluster", "good.yaml", "nodes.yaml", "policy.yaml", "odd.yaml"]);
        assert_eq!(answer.status, 2);
        assert!(answer.out.contains("Deny   Pod default/good"), "{}", answer.out);
    }
    // What is to be applied instead of it counts.
    let folder = folder();
    fs::write(folder.path().join("odd.yaml"), POLICY.replace("[EEA]", "EEA")).unwrap();
    let arguments =
        ["check", "-f", "good.yaml", "policy.yaml", "--cluster", "nodes.yaml", "odd.yaml", "-o", "json"];
    let answer = run(folder.path(), &arguments);
    assert_eq!((answer.status, &*decisions(&answer)[0].1), (2, "Allow"), "{}", answer.out);
}

/// A place that matches nothing is mostly a slip, and changes no decision.
#[test]
fn what_a_policy_names_and_nobody_knows_is_a_warning() {
    let geography = "apiVersion: domicile.dev/v1alpha1\nkind: Geography\nmetadata: {name: own}\nspec:\n  \
         providers: [{name: own-racks}]\n  regions: [{provider: own-racks, region: 'hall-*', jurisdiction: DE}]\n";
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: far, labels: {topology.kubernetes.io/region: mars-1}}\nspec: \
         {providerID: 'rocket:///1'}\n";
    for (places, says) in [
        (
            "deny: [{providers: [aws, AWS]}]",
            Some("spec.deny[0].providers[1]: no provider of the name AWS is known; did you mean aws?"),
        ),
        (
            "allow: [{providers: [hetzer]}]",
            Some(
                "spec.allow[0].providers[0]: no provider of the name hetzer is known; did you mean hetzner?",
            ),
        ),
        (
            "deny: [{jurisdictions: [US]}, {providers: [moon-base]}]",
            Some("spec.deny[1].providers[0]: no provider of the name moon-base is known"),
        ),
        (
            "deny: [{regions: ['US-*']}]",
            Some("spec.deny[0].regions[0]: no region here is one that US-* means; did you mean us-*?"),
        ),
        (
            "deny: [{regions: ['atlantis-?']}]",
            Some("spec.deny[0].regions[0]: no region is known that atlantis-? means"),
        ),
        ("deny: [{regions: ['us-*', '*', eu-central-1, US-WEST-OR]}]", None),
        // Known to a Geography, or by a node.
        ("deny: [{providers: [own-racks, rocket], regions: [hall-7, 'mars-*']}]", None),
    ] {
        let folder = folder();
        fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
        fs::write(folder.path().join("own.yaml"), geography).unwrap();
        fs::write(folder.path().join("far.yaml"), node).unwrap();
        let slip = format!(
            "apiVersion: domicile.dev/v1alpha1\nkind: ResidencyPolicy\nmetadata: {{name: slip}}\nspec:\n  classifications: [trade]\n  {places}\n"
        );
        fs::write(folder.path().join("slip.yaml"), slip).unwrap();
        let answer = check(folder.path(), &["good.yaml", "slip.yaml", "own.yaml", "far.yaml"], &[]);
        let warnings: Vec<_> = answer.err.lines().filter(|line| line.starts_with("warning: ")).collect();
        let due = says.map(|says| format!("warning: slip.yaml:1: ResidencyPolicy/slip: {says}"));
        assert_eq!(warnings, due.iter().collect::<Vec<_>>(), "{places}");
        assert_eq!(answer.status, 0, "{places}: {}", answer.err);
    }
}

#[test]
fn a_policy_with_a_group_that_nobody_knows_permits_nothing() {
    let folder = folder();
    fs::write(folder.path().join("policy.yaml"), POLICY.replace("[EEA]", "[EEA, FRIENDS]")).unwrap();
    let answer = check(folder.path(), &["good.yaml"], &["-o", "json"]);
    assert_eq!((answer.status, &*decisions(&answer)[0].1), (1, "Deny"), "{}", answer.err);
    let warning =
        answer.err.lines().find(|line| line.starts_with("warning: policy.yaml:")).unwrap_or_default();
    assert!(warning.contains("no geography knows the group FRIENDS"), "{}", answer.err);
    assert!(warning.contains("permits nothing"), "{}", answer.err);
    assert!(answer.out.contains("\"complete\": true"), "{}", answer.out);
    // Nothing is written behind a question mark but another sentence.
    fs::write(folder.path().join("policy.yaml"), POLICY.replace("[EEA]", "[EAA]")).unwrap();
    let answer = check(folder.path(), &["good.yaml"], &[]);
    assert!(answer.err.contains("did you mean EEA? Until a Geography defines it"), "{}", answer.err);
    fs::write(folder.path().join("policy.yaml"), POLICY.replace("[EEA]", "[EEA, FRIENDS]")).unwrap();
    // Where nothing falls under it, the warning is all.
    fs::write(folder.path().join("bare.yaml"), pod("bare", "iad").replace("personal", "''")).unwrap();
    assert_eq!(check(folder.path(), &["bare.yaml"], &[]).status, 0);
    // A Geography that comes along gives it its meaning.
    fs::write(
        folder.path().join("friends.yaml"),
        "apiVersion: domicile.dev/v1alpha1\nkind: Geography\nmetadata: {name: friends}\n\
         spec: {groups: [{name: FRIENDS, members: [US]}]}\n",
    )
    .unwrap();
    let answer = check(folder.path(), &["good.yaml", "bad.yaml", "friends.yaml"], &[]);
    assert_eq!(answer.status, 0, "{}{}", answer.out, answer.err);
    assert!(!answer.err.contains("warning"), "{}", answer.err);
}

#[test]
fn names_and_keys_that_stand_twice() {
    let folder = folder();
    fs::write(folder.path().join("twice.yaml"), format!("{}---\n{}", pod("a", "iad"), pod("a", "fra")))
        .unwrap();
    let answer = check(folder.path(), &["twice.yaml"], &[]);
    assert_eq!(answer.status, 2, "{}{}", answer.out, answer.err);
    assert!(answer.err.contains("twice.yaml:"), "{}", answer.err);
    wrong(
        "key.yaml",
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: iad, nodeName: fra}\n",
        &["stands twice"],
    );
    wrong(
        "key.yaml",
        b"apiVersion: v1\nkind: Pod\nkind: Secret\nmetadata: {name: a}\n",
        &["`kind` stands twice"],
    );
    wrong(
        "key.json",
        br#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "name": "b"}}"#,
        &["stands twice"],
    );
}

/// Charts write a namespace on everything, and the API server drops it where there is none.
#[test]
fn a_namespace_on_what_has_none_makes_no_other_object_of_it() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "policy.yaml",
        &format!(
            "{POLICY}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: default, annotations: \
             {{domicile.dev/data-classification: personal}}}}\n"
        ),
    );
    write(
        "app.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, namespace: default}\n---\napiVersion: v1\nkind: Pod\n\
         metadata: {name: app}\nspec: {nodeName: iad}\n",
    );
    let answer = check(folder.path(), &["app.yaml"], &["-o", "json"]);
    let pod = decisions(&answer).into_iter().find(|(name, _)| name == "app");
    assert_eq!(pod.unwrap().1, "Deny", "{}{}", answer.out, answer.err);
    // And two of a name are two of a name.
    let other = POLICY.replacen("metadata: {", "metadata: {namespace: default, ", 1);
    assert_ne!(other, POLICY);
    write("twice.yaml", &format!("{POLICY}\n---\n{other}"));
    let answer = check(folder.path(), &["twice.yaml"], &[]);
    assert!(answer.status == 2 && answer.err.contains("remove one of them"), "{}{}", answer.out, answer.err);
}

#[test]
fn files_that_are_none() {
    wrong("binary.yaml", &[0x7f, b'E', b'L', b'F', 0, 1, 2, 0xff, 0xfe], &["error: binary.yaml"]);
    wrong(
        "utf16.yaml",
        &"a: b\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        &["error: utf16.yaml"],
    );
    let big = format!("# {}\n", "x".repeat(120)).repeat(460_000);
    assert!(big.len() > 50 << 20);
    wrong("big.yaml", big.as_bytes(), &["50 MiB"]);
    let folder = folder();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let answer = check(folder.path(), &["empty", "bad.yaml"], &[]);
    assert!(answer.status == 2 && answer.err.contains("error: empty: "), "{}", answer.err);
    assert!(answer.out.contains("Deny"), "{}", answer.out);
}

#[cfg(unix)]
#[test]
fn files_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let locked = folder.path().join("locked.yaml");
    fs::write(&locked, pod("locked", "fra")).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&locked).is_ok() {
        // Root reads everything: a link to itself is what nobody can read.
        fs::remove_file(&locked).unwrap();
        std::os::unix::fs::symlink(&locked, &locked).unwrap();
    }
    let answer = check(folder.path(), &["locked.yaml", "bad.yaml"], &[]);
    assert!(answer.status == 2 && answer.err.contains("error: locked.yaml: "), "{}", answer.err);
    assert!(answer.out.contains("Deny"), "{}", answer.out);
}

#[test]
fn what_is_not_wrong() {
    let folder = folder();
    let good = "\
# a comment before\r\n--- # and one behind\r\napiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: odd\r\n  annotations: &all\r\n    \
domicile.dev/data-classification: personal\r\n    tab: \"a\\tb\tc\"\r\n  labels:\r\n    none:\r\nspec:\r\n  nodeName: fra\r\n  volumes:\r\n  \
- {name: c, configMap: {name: c, defaultMode: 0644}}\r\n--- # nothing\r\n---\r\n";
    fs::write(folder.path().join("odd.yaml"), good).unwrap();
    let answer = check(folder.path(), &["odd.yaml"], &["-o", "json"]);
    assert_eq!(
        (answer.status, decisions(&answer)),
        (0, vec![("odd".to_owned(), "Allow".to_owned())]),
        "{}",
        answer.err
    );
    // A token that is no DNS label is a judgement.
    fs::write(folder.path().join("token.yaml"), pod("token", "fra").replace(": personal", ": Personal"))
        .unwrap();
    let answer = check(folder.path(), &["token.yaml"], &["-o", "json"]);
    assert_eq!((answer.status, &*decisions(&answer)[0].1), (1, "Deny"), "{}", answer.err);
    assert!(answer.out.contains("InvalidClassification"), "{}", answer.out);
}

#[test]
fn pods_that_have_no_name_yet() {
    let folder = folder();
    let generated = |node: &str, carries: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{generateName: job-, annotations: {{domicile.dev/data-classification: \
             {carries}}}}}\nspec: {{nodeName: {node}, volumes: [{{name: v, persistentVolumeClaim: {{claimName: data}}}}]}}\n"
        )
    };
    let claim = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: ebs}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: ebs}
provisioner: ebs.csi.aws.com
";
    // Two of a kind are two: what the first carries reaches the claim, whatever the second does.
    let pods = [generated("fra", "personal"), generated("fra", "''")];
    for pods in [pods.join("---\n"), format!("{}---\n{}", pods[1], pods[0])] {
        fs::write(folder.path().join("jobs.yaml"), format!("{pods}---{claim}")).unwrap();
        let answer = check(folder.path(), &["jobs.yaml"], &["-o", "json"]);
        assert_eq!(answer.status, 1, "{}", answer.err);
        let decisions = decisions(&answer);
        let claims: Vec<_> = decisions.iter().filter(|(name, _)| name == "data").collect();
        assert_eq!(claims.len(), 1, "{decisions:?}");
        assert_eq!(claims[0].1, "Deny", "{decisions:?}");
        assert_eq!(decisions.iter().filter(|(name, _)| name == "job-*").count(), 2, "{decisions:?}");
    }
}

#[test]
fn warnings_fail_only_when_they_are_to() {
    let folder = folder();
    // An ungoverned token, an Observed reach, and a policy that warns.
    fs::write(folder.path().join("advice.yaml"), pod("advice", "fra").replace("personal", "personnal"))
        .unwrap();
    fs::write(folder.path().join("warn.yaml"), POLICY.replace("allow:", "action: Warn, allow:")).unwrap();
    let warned = ["check", "-f", "bad.yaml", "--cluster", "nodes.yaml", "warn.yaml"];
    for (strict, status) in [(&[][..], 0), (&["--strict"], 1)] {
        assert_eq!(check(folder.path(), &["advice.yaml"], strict).status, status);
        let answer = run(folder.path(), &[&warned[..], strict].concat());
        assert_eq!(answer.status, status, "{}", answer.out);
        assert!(answer.out.contains("0 allowed, 1 warned of, 0 denied"), "{}", answer.out);
        assert_eq!(check(folder.path(), &["good.yaml"], strict).status, 0);
        assert_eq!(check(folder.path(), &["bad.yaml"], strict).status, 1);
        assert_eq!(check(folder.path(), &["no-such.yaml"], strict).status, 2);
    }
    fs::write(folder.path().join("silent.yaml"), POLICY.replace("allow:", "action: Audit, allow:")).unwrap();
    let answer = run(folder.path(), &["check", "-f", "bad.yaml", "--cluster", "nodes.yaml", "silent.yaml"]);
    assert!(answer.status == 0 && answer.out.contains("(Audit)"), "{}", answer.out);
}

#[test]
fn a_policy_that_cannot_be_judged_by_is_warned_of_and_strict_counts_it() {
    let folder = folder();
    fs::write(
        folder.path().join("group.yaml"),
        POLICY
            .replace("eu-personal", "friends")
            .replace("[EEA]", "[FRIENDS]")
            .replace("[personal]", "[other]"),
    )
    .unwrap();
    let arguments = ["check", "-f", "good.yaml", "--cluster", "nodes.yaml", "policy.yaml", "group.yaml"];
    let answer = run(folder.path(), &arguments);
    assert_eq!(answer.status, 0, "{}", answer.err);
    assert_eq!(run(folder.path(), &[&arguments[..], &["--strict"]].concat()).status, 1);
}

#[test]
fn at_another_time() {
    let folder = folder();
    let policy = POLICY.replace(
        "[{jurisdictions: [EEA]}]",
        "[{jurisdictions: [US], from: '2023-07-10T00:00:00Z', until: '2027-07-10T00:00:00Z'}]",
    );
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    for (at, status) in [
        ("2023-07-09", 1),
        ("2023-07-10", 0),
        ("2023-07-10T00:00:00Z", 0),
        ("2027-07-09T23:59:59Z", 0),
        ("2027-07-10T00:00:00Z", 1),
        ("2027-07-10T01:00:00+02:00", 0),
        ("2027-07-10", 1),
        ("tomorrow", 2),
        ("2027-13-01", 2),
        ("", 2),
    ] {
        let answer = check(folder.path(), &["bad.yaml"], &["--at", at]);
        assert_eq!(answer.status, status, "{at}: {}{}", answer.out, answer.err);
    }
}

/// What lets a pod pass must not go unsaid because it stands in the same files.
#[test]
fn an_exception_among_the_manifests_is_told() {
    let folder = folder();
    let exception = "{apiVersion: domicile.dev/v1alpha1, kind: ResidencyException, metadata: {name: e, namespace: shop}, spec: \
                     {policies: [eu-personal], allow: [{jurisdictions: [US]}], until: '2099-01-01T00:00:00Z', reason: r}}";
    fs::write(folder.path().join("exception.yaml"), exception).unwrap();
    let answer = check(folder.path(), &["bad.yaml"], &[]);
    assert!(!answer.err.contains("applied already"), "{}", answer.err);
    let answer = check(folder.path(), &["bad.yaml", "exception.yaml"], &[]);
    assert!(
        answer.err.contains("as if these were applied already: ResidencyException (1)"),
        "{}",
        answer.err
    );
}

#[test]
fn settings_of_the_cluster() {
    let folder = folder();
    fs::write(folder.path().join("bare.yaml"), pod("bare", "iad").replace("personal", "''")).unwrap();
    fs::write(folder.path().join("typo.yaml"), pod("typo", "fra").replace("personal", "personnal")).unwrap();
    for (file, more, status) in [
        ("bare.yaml", &[][..], 0),
        ("bare.yaml", &["--require-classification", ""], 1),
        ("typo.yaml", &[], 0),
        ("typo.yaml", &["--ungoverned", "deny"], 1),
    ] {
        let answer = check(folder.path(), &[file], more);
        assert_eq!(answer.status, status, "{file} {more:?}: {}{}", answer.out, answer.err);
    }
}
