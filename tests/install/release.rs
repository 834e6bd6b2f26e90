//! Installing, upgrading, breaking the glass, uninstalling.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::installed::{NAMESPACE, Release, chart};
use crate::plane::{Identity, Plane, Trials, eventually, free_port};
use crate::rights::serve;

const CONFIGURATIONS: [&str; 2] = ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"];
const CERTIFICATE: &str = include_str!("certificate.pem");

pub(crate) fn trials() -> Trials {
    Trials::of("release")
        .alone("an_upgrade_keeps_what_the_controller_wrote", async |plane| {
            for how in ["--server-side=true", "--server-side=false"] {
                an_upgrade_keeps_what_the_controller_wrote(plane, how);
            }
        })
        .alone("an_upgrade_brings_the_values_that_are_new", an_upgrade_brings_the_values_that_are_new)
        .alone("who_makes_the_certificate_changes_as_the_page_says", another_makes_the_certificate)
        .alone("one_command_takes_enforcement_off_and_one_brings_it_back", breaking_the_glass)
        .alone("nothing_is_left_behind", nothing_is_left_behind)
        .alone("policies_come_with_an_upgrade", policies_come_with_an_upgrade)
        .alone("the_test_may_ask_what_it_asks", the_test_may_ask_what_it_asks)
}

/// How long the cluster may take to collect what belongs to what was deleted.
const PATIENCE: Duration = Duration::from_mins(1);

/// The newest committed chart that is another than this one, or this one if there is none.
fn previous_chart(folder: &Path) -> PathBuf {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (_, commits) = git(&["log", "--format=%H", "--", "charts/domicile"]);
    let other = commits.lines().find(|commit| {
        let (same, _) = git(&["diff", "--quiet", commit, "--", "charts/domicile"]);
        let (there, _) = git(&["cat-file", "-e", &format!("{commit}:charts/domicile/Chart.yaml")]);
        !same && there
    });
    let Some(commit) = other else { return chart() };
    let archive = folder.join("chart.tar");
    let (made, _) =
        git(&["archive", "--format=tar", "-o", archive.to_str().unwrap(), commit, "charts/domicile"]);
    assert!(made);
    let unpacked = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(folder).status().unwrap();
    assert!(unpacked.success());
    folder.join("charts/domicile")
}

/// Writes the caBundle of every entry, and the Secret, as the controller does.
fn write_as_the_controller(admin: &Identity) -> Value {
    let bundle = json!(base64(CERTIFICATE));
    for kind in CONFIGURATIONS {
        let entries = admin.kubectl(&["get", kind, "domicile", "-o", "json"]).json()["webhooks"].clone();
        let patched: Value = entries
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| json!({"name": entry["name"], "clientConfig": {"caBundle": bundle}}))
            .collect();
        let patch = json!({"webhooks": patched}).to_string();
        admin.kubectl(&["patch", kind, "domicile", "--field-manager=domicile", "-p", &patch]).ok();
    }
    let data = json!({"data": {"tls.crt": bundle}}).to_string();
    admin
        .kubectl(&[
            "patch",
            "secret",
            "domicile-tls",
            "-n",
            NAMESPACE,
            "--field-manager=domicile",
            "-p",
            &data,
        ])
        .ok();
    bundle
}

fn base64(text: &str) -> String {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec()))
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

fn an_upgrade_keeps_what_the_controller_wrote(plane: &Plane, how: &str) {
    let (admin, folder) = (plane.admin(), tempfile::tempdir().unwrap());
    let release = Release::of(admin, &previous_chart(folder.path()), &[how]);
    let bundle = write_as_the_controller(admin);
    let before = bundles(admin);
    assert!(before.iter().all(|(_, one)| *one == bundle));

    release.upgrade(&[how, "--set", "webhook.timeoutSeconds=7", "--set", "replicaCount=3"]);
    let entry = &admin.kubectl(&["get", CONFIGURATIONS[0], "domicile", "-o", "json"]).json()["webhooks"][0];
    assert_eq!(entry["timeoutSeconds"], 7, "the upgrade did nothing");
    let after = bundles(admin);
    for (name, one) in &before {
        // An entry that is new, or gone, has or needs none; the others keep theirs.
        if let Some((_, now)) = after.iter().find(|(other, _)| other == name) {
            assert_eq!(now, one, "{how}: {name}");
        }
    }
    // And a second one, of the very same chart.
    let before = bundles(admin);
    release.upgrade(&[how]);
    assert_eq!(bundles(admin), before, "{how}");
    let secret = admin.kubectl(&["get", "secret", "domicile-tls", "-n", NAMESPACE, "-o", "json"]).json();
    assert_eq!(secret["data"]["tls.crt"], bundle, "{how}");
}

/// The command of a page that begins so, word for word, with its continued lines.
fn command(page: &str, begin: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let text = text.replace(" \\\n", " ");
    let begin: Vec<&str> = ["$"].into_iter().chain(begin.split_whitespace()).collect();
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let words = lines.find(|words| words.starts_with(&begin)).unwrap();
    words[2..].iter().map(|word| (*word).to_owned()).collect()
}

/// A copy of the chart, as it would be without `reports` and the Lease.
fn older_chart(folder: &Path) -> PathBuf {
    let copied = Command::new("cp").arg("-R").arg(chart()).arg(folder).status().unwrap();
    assert!(copied.success());
    let copy = folder.join("domicile");
    let edit = |file: &str, change: &dyn Fn(String) -> String| {
        let text = fs::read_to_string(copy.join(file)).unwrap();
        let changed = change(text.clone());
        assert_ne!(text, changed, "{file}");
        fs::write(copy.join(file), changed).unwrap();
    };
    edit("values.yaml", &|text| {
        let (before, rest) = text.split_once("\nreports:\n").unwrap();
        format!("{before}\n{}", rest.split_once("\n\n").unwrap().1)
    });
    edit("values.schema.json", &|text| text.replacen("\"reports\", ", "", 1));
    edit("templates/_helpers.tpl", &|text| {
        text.split_inclusive('\n').filter(|line| !line.contains(".Values.reports")).collect()
    });
    edit("templates/clusterrole.yaml", &|text| text.replace(".Values.reports.enabled", "true"));
    fs::remove_file(copy.join("templates/lease.yaml")).unwrap();
    copy
}

async fn an_upgrade_brings_the_values_that_are_new(plane: &'static Plane) {
    let (admin, folder) = (plane.admin(), tempfile::tempdir().unwrap());
    let _release = Release::of(admin, &older_chart(folder.path()), &["--set", "image.tag=kept"]);
    let container = || {
        let deployment =
            admin.kubectl(&["get", "deployment", "domicile", "-n", NAMESPACE, "-o", "json"]).json();
        deployment["spec"]["template"]["spec"]["containers"][0].clone()
    };
    // Its replicas made their own, which Helm does not take over.
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "domicile"},
        "spec": {"holderIdentity": "somebody"}});
    admin.kubectl_reading(&["create", "-n", NAMESPACE, "-f", "-"], &lease.to_string()).ok();
    let reports = |container: &Value| container["args"].to_string().contains("--reports-limit=");
    assert!(!reports(&container()));

    let words = command("docs/operations.md", "helm upgrade");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // Without the values of the new chart there is nothing to render it from, and it says so.
    let old: Vec<&str> = words
        .iter()
        .map(|word| if *word == "--reset-then-reuse-values" { "--reuse-values" } else { word })
        .collect();
    assert!(admin.helm(&old).refused().contains("missing property 'reports'"));
    admin.helm(&words).ok();
    let container = container();
    assert!(reports(&container), "{container}");
    assert_eq!(container["image"], "domicile:kept");
    assert_eq!(holder(admin), "somebody");
    admin.kubectl(&["delete", "lease", "domicile", "-n", NAMESPACE]).ok();
}

/// Fields that the controller has written are its own, and Helm must be told to take them over.
async fn another_makes_the_certificate(plane: &'static Plane) {
    let (admin, folder) = (plane.admin(), tempfile::tempdir().unwrap());
    let authority = folder.path().join("both.pem");
    let own = format!("{CERTIFICATE}{CERTIFICATE}");
    fs::write(&authority, &own).unwrap();
    let words = command(
        "docs/operations.md",
        "helm upgrade domicile charts/domicile -n domicile-system --reset-then-reuse-values --force-conflicts",
    );
    let words: Vec<String> =
        words.iter().map(|word| word.replace("both.pem", authority.to_str().unwrap())).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();

    let release = Release::install(admin, &[]);
    let of_the_controller = write_as_the_controller(admin);
    let unforced: Vec<&str> = words.iter().copied().filter(|word| *word != "--force-conflicts").collect();
    assert!(admin.helm(&unforced).refused().contains("conflict"));
    // What was left half done is mended by the same command.
    admin.helm(&words).ok();
    let expected = json!(base64(&own));
    assert_ne!(expected, of_the_controller);
    assert!(bundles(admin).iter().all(|(_, one)| *one == expected), "{:?}", bundles(admin));
    // And none is left of it on the way back, for the controller to write its own.
    let back = command(
        "docs/operations.md",
        "helm upgrade domicile charts/domicile -n domicile-system --reset-then-reuse-values --set tls.mode=selfManaged",
    );
    admin.helm(&back.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    assert!(bundles(admin).iter().all(|(_, one)| one.is_null()), "{:?}", bundles(admin));
    write_as_the_controller(admin);
    release.upgrade(&["--set", "replicaCount=3"]);
    assert!(bundles(admin).iter().all(|(_, one)| *one == of_the_controller));
    // Where Helm applies by itself, as its third version does, nothing is anybody's.
    // The definitions stay: to delete some that were made a moment ago can take the API server minutes.
    admin.helm(&["uninstall", "domicile", "-n", NAMESPACE]).ok();
    let _again = Release::of(admin, &chart(), &["--server-side=false"]);
    write_as_the_controller(admin);
    admin.helm(&unforced).ok();
    assert!(bundles(admin).iter().all(|(_, one)| *one == expected), "{:?}", bundles(admin));
}

/// The caBundle of every entry.
fn bundles(admin: &Identity) -> Vec<(String, Value)> {
    let entries = CONFIGURATIONS.iter().flat_map(|kind| {
        let read = admin.kubectl(&["get", kind, "domicile", "-o", "json"]).json();
        read["webhooks"].as_array().unwrap().clone()
    });
    entries
        .map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry["clientConfig"]["caBundle"].clone()))
        .collect()
}

/// Runs what the notes say, word for word.
async fn breaking_the_glass(plane: &'static Plane) {
    let admin = plane.admin();
    let nobody = format!("webhook.url=https://127.0.0.1:{}", free_port());
    let release = Release::install(admin, &["--set", &nobody]);
    let (_, glass) = release.notes.split_once("BREAK-GLASS").unwrap();
    let commands: Vec<&str> = glass.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let [off, look, on] = commands[..] else { panic!("{commands:?}") };

    let run = |command: &str| {
        let words: Vec<String> = command.split(' ').skip(1).map(str::to_owned).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if command.starts_with("helm ") { admin.helm(&words) } else { admin.kubectl(&words) }
    };
    let create = ["create", "configmap", "there"];
    admin.kubectl(&create).ok();
    let pod = ["run", "probe", "--image=none", "--dry-run=server"];
    assert!(admin.kubectl(&pod).refused().contains("failed calling webhook"));
    run(look).ok();

    run(off).ok();
    assert!(run(look).refused().contains("NotFound"));
    eventually("pods are admitted", async || (admin.kubectl(&pod).status == 0).then_some(())).await;

    let chart = chart();
    run(&on.replace("CHART", chart.to_str().unwrap())).ok();
    run(look).ok();
    eventually("pods are judged", async || {
        let said = admin.kubectl(&pod);
        said.stderr.contains("failed calling webhook").then_some(())
    })
    .await;
    admin.kubectl(&["delete", "configmap", "there"]).ok();
}

/// Names of all objects but those that the cluster makes and forgets by itself.
async fn everything(admin: &Identity) -> BTreeSet<String> {
    let fleeting = [
        "events",
        "events.events.k8s.io",
        "componentstatuses",
        // These follow the definitions.
        "apiservices.apiregistration.k8s.io",
    ];
    let template =
        "{range .items[*]}{.kind}{\" \"}{.metadata.namespace}{\" \"}{.metadata.name}{\"\\n\"}{end}";
    let output = format!("jsonpath={template}");
    // A kind whose definition goes away in between cannot be read: then all is read again.
    eventually("every kind can be listed", async || {
        let kinds = admin.kubectl(&["api-resources", "--verbs=list", "-o", "name"]);
        let kinds: Vec<&str> = kinds.stdout.lines().filter(|kind| !fleeting.contains(kind)).collect();
        let said = admin.kubectl(&["get", &kinds.join(","), "-A", "-o", &output]);
        // Of Leases, those of the cluster's own programs come and go.
        let ours = |line: &&str| !line.starts_with("Lease ") || line.contains(NAMESPACE);
        (said.status == 0).then(|| said.stdout.lines().filter(ours).map(str::to_owned).collect())
    })
    .await
}

/// Who leads.
fn holder(admin: &Identity) -> Value {
    let lease = admin.kubectl(&["get", "lease", "domicile", "-n", NAMESPACE, "-o", "json"]).json();
    lease["spec"]["holderIdentity"].clone()
}

async fn nothing_is_left_behind(plane: &'static Plane) {
    let admin = plane.admin();
    if admin.kubectl(&["get", "namespace", NAMESPACE]).status != 0 {
        admin.kubectl(&["create", "namespace", NAMESPACE]).ok();
    }
    let known =
        |line: &str| line.contains("kube-root-ca.crt") || line.ends_with(&format!("{NAMESPACE} default"));
    let all =
        async || everything(admin).await.into_iter().filter(|line| !known(line)).collect::<BTreeSet<_>>();
    let before = all().await;
    for (keep, kept) in [("true", 3), ("false", 0)] {
        let setting = format!("crds.keep={keep}");
        let release = Release::install(admin, &["--set", &setting, "--set", "networkPolicy.enabled=true"]);
        let installed = all().await;
        assert!(installed.len() > before.len() + 12, "{installed:?}");
        write_as_the_controller(admin);
        let account = plane.service_account(NAMESPACE, "domicile").await;
        let mut replica = serve(plane, &account, free_port());
        let holder = eventually("somebody leads", async || {
            holder(admin).as_str().filter(|holder| !holder.is_empty()).map(str::to_owned)
        })
        .await;
        release.upgrade(&[
            "--set",
            &setting,
            "--set",
            "networkPolicy.enabled=true",
            "--set",
            "replicaCount=3",
        ]);
        assert_eq!(self::holder(admin), json!(holder), "an upgrade took the lead away");
        admin.helm(&["uninstall", "domicile", "-n", NAMESPACE]).ok();
        let until = Instant::now() + PATIENCE;
        let left = loop {
            let left: Vec<String> = all().await.difference(&before).cloned().collect();
            if left.len() == kept || Instant::now() > until {
                break left;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        replica.stop(Duration::from_secs(20));
        assert_eq!(left.len(), kept, "{left:?}");
        assert!(!all().await.iter().any(|line| line.starts_with("Lease ")), "made again while it ended");
        assert!(left.iter().all(|line| line.starts_with("CustomResourceDefinition ")), "{left:?}");
        drop(release);
        eventually("the definitions are gone", async || (all().await == before).then_some(())).await;
    }
}

async fn policies_come_with_an_upgrade(plane: &'static Plane) {
    let (admin, folder) = (plane.admin(), tempfile::tempdir().unwrap());
    let values = folder.path().join("values.yaml");
    fs::write(
        &values,
        "policies: [{name: of-the-chart, spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}]}}]\n",
    )
    .unwrap();
    let values = values.to_str().unwrap();
    let chart = chart();
    let fixed = ["install", "domicile", chart.to_str().unwrap(), "-n", NAMESPACE, "-f", values];
    assert!(admin.helm(&fixed).refused().contains("install the chart without policies first"));

    let release = Release::install(admin, &[]);
    release.upgrade(&["-f", values]);
    admin.kubectl(&["get", "residencypolicy", "of-the-chart"]).ok();
    // One that the schema of the definition refuses is refused here too.
    let wrong = r#"policies=[{"name":"wrong","spec":{}}]"#;
    let fixed = ["upgrade", "domicile", chart.to_str().unwrap(), "-n", NAMESPACE, "--set-json", wrong];
    assert!(admin.helm(&fixed).refused().contains("classifications"));
}

/// Kubelets there are none: what the pod of `helm test` would run is run here, as its account.
async fn the_test_may_ask_what_it_asks(plane: &'static Plane) {
    let admin = plane.admin();
    let _release = Release::install(admin, &[]);
    let hooks = admin.helm(&["get", "hooks", "domicile", "-n", NAMESPACE]).ok();
    let hooks: Vec<Option<Value>> = serde_saphyr::from_multiple(&hooks).unwrap();
    let mut arguments = Vec::new();
    for hook in hooks.into_iter().flatten() {
        if hook["kind"] == "Pod" {
            let words = hook["spec"]["containers"][0]["args"].as_array().unwrap().clone();
            arguments = words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
            assert_eq!(hook["spec"]["serviceAccountName"], "domicile-test");
            // The pod itself is one that the API server takes.
            admin.kubectl_reading(&["apply", "--dry-run=server", "-f", "-"], &hook.to_string()).ok();
        } else {
            admin.kubectl_reading(&["apply", "-f", "-"], &hook.to_string()).ok();
        }
    }
    assert!(!arguments.is_empty());
    let account = plane.service_account(NAMESPACE, "domicile-test").await;
    let output =
        account.command(Path::new(env!("CARGO_BIN_EXE_domicile"))).args(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Domicile does not answer"), "{said}");
    // Enough to ask, and nothing else.
    assert!(account.kubectl(&["get", "pods", "-n", "default"]).refused().contains("Forbidden"));
    for kind in ["role", "rolebinding"] {
        admin.kubectl(&["delete", kind, "domicile-test", "-n", "default"]).ok();
    }
    admin.kubectl(&["delete", "serviceaccount", "domicile-test", "-n", NAMESPACE]).ok();
}
