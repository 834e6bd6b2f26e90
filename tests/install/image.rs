//! The binary of the image, where there is no other file but what a pod has: `make image` names it in `DOMICILE_IMAGE`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::installed::{NAMESPACE, Release};
use crate::plane::{Identity, Plane, Process, Trials, eventually, free_port};
use crate::rights::arguments;

/// Where a pod has what its ServiceAccount proves itself with.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("image");
    match std::env::var_os("DOMICILE_IMAGE") {
        None => trials,
        Some(binary) => trials.alone("it_finds_the_api_server_as_a_pod_does", async |plane| {
            finds_the_api_server(plane, PathBuf::from(binary)).await;
        }),
    }
}

/// By the address in its environment and the files of its account, without a resolver, a shell or a library.
async fn finds_the_api_server(plane: &'static Plane, binary: PathBuf) {
    let admin = plane.admin();
    let port = free_port();
    let release = Release::install(admin, &["--set", &format!("webhook.url=https://127.0.0.1:{port}")]);
    let root = tempfile::tempdir().unwrap();
    furnish(root.path(), &binary, &plane.service_account(NAMESPACE, "domicile").await);

    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("release/alone-in.sh"));
    let address = plane.address();
    let (host, api_port) = address.trim_start_matches("https://").rsplit_once(':').unwrap();
    command
        .arg(root.path())
        .arg("/usr/local/bin/domicile")
        .args(arguments(plane, port))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("DOMICILE_NAMESPACE", NAMESPACE)
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", api_port);
    let mut alone = Process::spawn("image", &command, &plane.folder().join("image.log"));
    eventually("enforcement is on", async || {
        let mut probe = admin.command(Path::new(env!("CARGO_BIN_EXE_domicile")));
        probe.arg("probe").output().unwrap().status.success().then_some(())
    })
    .await;
    assert!(alone.stop(Duration::from_secs(10)).success(), "{}", alone.output());
    drop(release);
}

/// The image's file, and what the kubelet brings.
fn furnish(root: &Path, binary: &Path, account: &Identity) {
    let config: Value = serde_json::from_slice(&fs::read(&account.kubeconfig).unwrap()).unwrap();
    let authority = config["clusters"][0]["cluster"]["certificate-authority"].as_str().unwrap();
    let mounted = root.join(ACCOUNT);
    for folder in [&mounted, &root.join("usr/local/bin")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::copy(binary, root.join("usr/local/bin/domicile")).unwrap();
    fs::copy(authority, mounted.join("ca.crt")).unwrap();
    fs::write(mounted.join("token"), config["users"][0]["user"]["token"].as_str().unwrap()).unwrap();
    fs::write(mounted.join("namespace"), NAMESPACE).unwrap();
    // The temporary folder is its maker's alone, and the image's user is somebody else.
    let open = Command::new("chmod").args(["-R", "a+rX"]).arg(root).status().unwrap();
    assert!(open.success());
}
