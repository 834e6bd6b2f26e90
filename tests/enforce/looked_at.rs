//! The command line asks a live cluster, as somebody who may only read it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::audit::{RESTRICTED, bound};
use crate::plane::{Identity, OPEN_REPORTS, Plane, Said, Trials, eventually};
use crate::stand::{FRANKFURT, Stand};

const AUDITOR: &str = include_str!("../../examples/auditor.yaml");

pub(crate) fn trials() -> Trials {
    Trials::of("looked_at")
        .alone("who_may_only_read_is_told_what_is_and_what_would_be", what_is_and_would_be)
        .alone("who_may_not_read_something_is_told_so", who_may_not_read)
}

/// Calls the program as somebody, as with their kubeconfig.
pub(crate) fn domicile(who: &Identity, arguments: &[&str]) -> Said {
    let mut command = who.command(Path::new(env!("CARGO_BIN_EXE_domicile")));
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Said { status: output.status.code().unwrap_or(-1), stdout, stderr }
}

fn read(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// Somebody with the rights of the example, without those to some resources.
async fn auditor(stand: &Stand, name: &str, but: &[&str]) -> Identity {
    let mut role: Value = serde_saphyr::from_str(AUDITOR).unwrap();
    role["metadata"]["name"] = name.into();
    for rule in role["rules"].as_array_mut().unwrap() {
        assert_eq!(rule["verbs"], json!(["list"]), "{rule}");
        rule["resources"].as_array_mut().unwrap().retain(|one| !but.contains(&one.as_str().unwrap()));
    }
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["resources"] != json!([]));
    stand.apply(&role.to_string()).ok();
    let (role, user) = (format!("--clusterrole={name}"), format!("--user={name}"));
    stand.admin.kubectl(&["create", "clusterrolebinding", name, &role, &user]).ok();
    let user = stand.plane.user(name, &["system:authenticated"]).await;
    eventually("the rights are known", async || {
        (user.kubectl(&["get", "nodes"]).status == 0 || but.contains(&"nodes")).then_some(())
    })
    .await;
    user
}

fn dismiss(stand: &Stand, name: &str) {
    for kind in ["clusterrole", "clusterrolebinding"] {
        stand.admin.kubectl(&["delete", kind, name]).ok();
    }
}

fn serves_reports(stand: &Stand, serves: bool) {
    if serves {
        stand.apply(&OPEN_REPORTS.definitions().to_string()).ok();
    }
    for name in OPEN_REPORTS.names() {
        if serves {
            let wait = ["wait", "--for=condition=Established", "crd", &name, "--timeout=30s"];
            stand.admin.kubectl(&wait).ok();
        } else {
            stand.admin.kubectl(&["delete", "crd", &name, "--ignore-not-found", "--wait=false"]);
        }
    }
}

/// What a document of results says of each object, without where it is from.
fn verdicts(document: &Value) -> BTreeMap<String, Value> {
    let verdict = |result: &Value| {
        let mut verdict = result.clone();
        for field in ["source", "since"] {
            verdict.as_object_mut().unwrap().remove(field);
        }
        (result["object"].to_string(), verdict)
    };
    document["results"].as_array().unwrap().iter().map(verdict).collect()
}

async fn what_is_and_would_be(plane: &'static Plane) {
    let stand = Stand::up(plane, "looked").await;
    for name in ["orders", "carts"] {
        bound(&stand, name, FRANKFURT, |_| {}).await;
    }
    serves_reports(&stand, true);
    let auditor = auditor(&stand, "auditor", &[]).await;
    let before = plane.audit().len();
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}=US")]).ok();

    let said = eventually("the audit says since when", async || {
        let said = domicile(&auditor, &["audit", "-o", "json"]);
        (said.stdout.matches("\"since\"").count() == 2).then_some(said)
    })
    .await;
    assert_eq!((said.status, said.stderr.contains("error")), (1, false), "{}", said.stderr);
    let live = read(&said);
    assert!(live["brokenSince"]["eu-personal"].is_string(), "{live}");
    since_when(&auditor);
    the_page(&stand, &auditor);
    as_from_files(&stand, &live);
    before_it_is_done(&stand, &auditor).await;
    one_object(&stand, &auditor);

    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}-")]).ok();
    let written = || plane.audit().into_iter().skip(before).filter(|event| by(event, "auditor")).count();
    assert_eq!(written(), 0);
    // It would have been seen.
    auditor.kubectl(&["create", "namespace", "looked-at"]).refused();
    eventually("what the auditor tries is in the audit log", async || (written() > 0).then_some(())).await;
    serves_reports(&stand, false);
    dismiss(&stand, "auditor");
}

fn by(event: &Value, user: &str) -> bool {
    event["impersonatedUser"]["username"] == user || event["user"]["username"] == user
}

/// In every format.
fn since_when(auditor: &Identity) {
    let of = |format: &str| {
        let said = domicile(auditor, &["audit", "-o", format]);
        assert_eq!(said.status, 1, "{}", said.stderr);
        said.stdout
    };
    let table = of("table");
    assert!(table.contains("    since    2"), "{table}");
    assert!(table.contains("Something has broken policy eu-personal since 2"), "{table}");
    assert_eq!(of("sarif").matches("firstDetectionTimeUtc").count(), 2);
    assert_eq!(of("junit").matches("NodeOutsideJurisdiction (eu-personal, since 2").count(), 2);
}

/// What a compliance officer files.
fn the_page(stand: &Stand, auditor: &Identity) {
    let path = stand.plane.folder().join("residency.html");
    let said = domicile(auditor, &["report", "--html", path.to_str().unwrap(), "-o", "json"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let facts = read(&said);
    assert_eq!((&facts["complete"], &facts["summary"]["denied"]), (&json!(true), &json!(2)), "{facts}");
    let policies = facts["policies"].as_array().unwrap();
    let policy = policies.iter().find(|one| one["name"] == "eu-personal").unwrap();
    assert!(policy["brokenSince"].is_string(), "{policy}");
    let broken = policy["violations"]["shown"].as_array().unwrap();
    assert!(broken.len() == 2 && broken.iter().all(|one| one["since"].is_string()), "{policy}");
    assert!(
        facts["coverage"]["enforced"] == true && facts["coverage"]["webhooks"][0]["since"].is_string(),
        "{}",
        facts["coverage"]
    );
    let excluded = facts["coverage"]["excluded"]["shown"].to_string();
    assert!(excluded.contains("kube-system"), "{excluded}");
    let page = fs::read_to_string(&path).unwrap();
    for moment in [&broken[0]["since"], &policy["brokenSince"], &facts["at"]] {
        assert!(page.contains(moment.as_str().unwrap()), "{moment}");
    }
    assert!(page.contains("The policies are enforced."));
}

/// What is said of a cluster is said of a copy of it too.
fn as_from_files(stand: &Stand, live: &Value) {
    let kinds = "nodes,namespaces,pv,pvc,pods,replicationcontrollers,deployments,statefulsets,daemonsets,replicasets,jobs,\
                 cronjobs,storageclasses,volumeattachments,residencypolicies,geographies,residencyexceptions";
    let path = stand.plane.folder().join("copy.json");
    fs::write(&path, stand.admin.kubectl(&["get", kinds, "-A", "-o", "json"]).ok()).unwrap();
    let said = domicile(stand.admin, &["audit", "--cluster", path.to_str().unwrap(), "-o", "json"]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert_eq!(verdicts(&read(&said)), verdicts(live));
}

/// What a change would do is said, and then it does.
async fn before_it_is_done(stand: &Stand, auditor: &Identity) {
    let simulated = |arguments: &[&str]| {
        let said = domicile(auditor, &[&["simulate", "-o", "json"], arguments].concat());
        assert!(said.status < 2, "{}", said.stderr);
        (said.status, read(&said))
    };
    // Without the policy, and with another: both at once would be allowed, and be broken again.
    let (status, impact) = simulated(&["--without", "respol/eu-personal"]);
    assert_eq!((status, &impact["broken"]["objects"]), (0, &json!(0)), "{impact}");
    assert_eq!(impact["allowed"]["objects"], 2, "{impact}");
    let wider = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": "eu-personal"},
        "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA", "US"]}]}});
    let path = stand.plane.folder().join("wider.json");
    fs::write(&path, wider.to_string()).unwrap();
    let (status, impact) = simulated(&["-f", path.to_str().unwrap()]);
    assert_eq!((status, &impact["allowed"]["objects"]), (0, &json!(2)), "{impact}");
    let (status, impact) = simulated(&["--without", &format!("node/{FRANKFURT}")]);
    assert_eq!((status, &impact["broken"]["objects"]), (0, &json!(0)), "they are broken already: {impact}");
    let (status, impact) = simulated(&["--at", "2040-01-01"]);
    assert_eq!((status, &impact["broken"]["objects"]), (0, &json!(0)), "{impact}");

    stand.apply(&wider.to_string()).ok();
    let violating = || {
        let policy = stand.admin.kubectl(&["get", "respol", "eu-personal", "-o", "json"]).json();
        policy["status"]["compliance"]["violating"].as_u64()
    };
    eventually("it has come as it was said", async || (violating() == Some(0)).then_some(())).await;
    // And back: what would break is what breaks.
    let narrow = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": "eu-personal"},
        "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}});
    fs::write(&path, narrow.to_string()).unwrap();
    let (status, impact) = simulated(&["-f", path.to_str().unwrap()]);
    assert_eq!((status, &impact["broken"]["objects"]), (1, &json!(2)), "{impact}");
    let groups = impact["broken"]["groups"].to_string();
    assert!(groups.contains("eu-personal") && groups.contains(&stand.namespace), "{groups}");
    stand.apply(&narrow.to_string()).ok();
    eventually("it has come as it was said, again", async || (violating() == Some(2)).then_some(())).await;
}

/// Of manifests, and of one object that is there.
fn one_object(stand: &Stand, auditor: &Identity) {
    let said = domicile(auditor, &["explain", "pod/orders", "-n", &stand.namespace, "-o", "json"]);
    let result = &read(&said)["results"][0];
    assert_eq!((said.status, &result["decision"]), (1, &json!("Deny")), "{}", said.stderr);
    assert_eq!(result["findings"][0]["example"]["node"], FRANKFURT, "{result}");
    assert!(result["explanation"].is_object(), "{result}");
    let path = stand.plane.folder().join("new.json");
    for (region, expected) in [("us-east-1", 1), ("eu-west-1", 0)] {
        fs::write(&path, stand.pod("new", region).to_string()).unwrap();
        let said = domicile(auditor, &["check", "-f", path.to_str().unwrap(), "-o", "json"]);
        assert_eq!(said.status, expected, "{}{}", said.stdout, said.stderr);
    }
}

async fn who_may_not_read(plane: &'static Plane) {
    let stand = Stand::up(plane, "unread").await;
    bound(&stand, "orders", FRANKFURT, |_| {}).await;
    serves_reports(&stand, true);
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}=US")]).ok();
    let unread = ["validatingwebhookconfigurations", "reports", "clusterreports"];
    let most = auditor(&stand, "most", &unread).await;
    let page = stand.plane.folder().join("residency.html");
    let page = page.to_str().unwrap();
    // What is judged is judged all the same, and what is not known is said.
    let said = eventually("the audit says since when something has", async || {
        let said = domicile(&most, &["audit", "-o", "json"]);
        said.stdout.contains("brokenSince").then_some(said)
    })
    .await;
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(said.stderr.contains("since when each object breaks a policy is not known"), "{}", said.stderr);
    let said = domicile(&most, &["report", "--html", page, "-o", "json"]);
    let facts = read(&said);
    assert_eq!((said.status, &facts["coverage"]["enforced"]), (0, &Value::Null), "{facts}");
    assert!(facts["coverage"]["remarks"][0].as_str().unwrap().contains("may not list"), "{facts}");
    assert_eq!(facts["summary"]["denied"], 1);
    dismiss(&stand, "most");

    // Without the pods, nothing may pass for complete.
    let few = auditor(&stand, "few", &["pods"]).await;
    for command in [&["audit"][..], &["report", "--html", page], &["simulate", "--at", "2040-01-01"]] {
        let said = domicile(&few, &[command, &["-o", "json"]].concat());
        assert_eq!((said.status, &read(&said)["complete"]), (2, &json!(false)), "{command:?}");
        assert!(said.stderr.contains("needs the verb `list` on `pods`"), "{}", said.stderr);
    }
    assert!(fs::read_to_string(page).unwrap().contains("This report is incomplete"));
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}-")]).ok();
    serves_reports(&stand, false);
    dismiss(&stand, "few");
}
