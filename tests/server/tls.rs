//! Who is believed, who is served, and how both change while callers go on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::client::Caller;
use crate::setting::{Authority, Files, Running, until};

/// The certificate that is served to a new connection.
async fn served(running: &Running, caller: &Caller) -> Option<Vec<u8>> {
    caller.connect(running.at.https).await.ok().map(|connection| connection.certificate)
}

fn der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// Callers that go on while something changes: over kept and over new connections.
struct Hammer {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Hammer {
    fn start(running: &Running, caller: &Caller) -> Self {
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let at = running.at.https;
        let callers = (0..4)
            .map(|number| {
                let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
                let (keep, http2) = (number % 2 == 0, number > 1);
                let caller = if http2 { caller.clone().http2() } else { caller.clone() };
                tokio::spawn(async move {
                    let mut connection = caller.connect(at).await.unwrap();
                    while !stop.load(Ordering::SeqCst) {
                        if !keep {
                            connection = caller.connect(at).await.unwrap();
                        }
                        assert_eq!(connection.post("/validate", "{}").await.unwrap().status, 200);
                        calls.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        Self { stop, calls, callers }
    }

    /// All calls have been answered.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.unwrap();
        }
        self.calls.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_change_under_callers_and_no_call_fails() {
    let authority = Authority::new();
    let first = authority.sign(&["127.0.0.1"]);
    let files = Files::new(&first);
    let running = Running::start(&files.certificate(), &files.key(), &[]);
    let caller = Caller::trusting(&authority.pem());
    // It has begun before anything changes: a pair that is half written is no beginning.
    assert_eq!(served(&running, &caller).await, Some(der(&first.0)));
    let hammer = Hammer::start(&running, &caller);
    for _ in 0..5 {
        let next = authority.sign(&["127.0.0.1"]);
        files.write((&next.0, &next.1));
        until("the new one is served", async || served(&running, &caller).await == Some(der(&next.0))).await;
    }
    let calls = hammer.end().await;
    assert!(calls > 20, "{calls} calls");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mounted_secret_is_swapped_by_a_link() {
    let authority = Authority::new();
    let folder = tempfile::TempDir::new().unwrap();
    let put = |version: &str| {
        let (chain, key) = authority.sign(&["127.0.0.1"]);
        let real = folder.path().join(version);
        std::fs::create_dir(&real).unwrap();
        std::fs::write(real.join("tls.crt"), &chain).unwrap();
        std::fs::write(real.join("tls.key"), key).unwrap();
        // As the kubelet does it: a new link is renamed over the old one.
        std::os::unix::fs::symlink(version, folder.path().join("..data_tmp")).unwrap();
        std::fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
        der(&chain)
    };
    let first = put("..1");
    for name in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
    }
    let running = Running::start(&folder.path().join("tls.crt"), &folder.path().join("tls.key"), &[]);
    let caller = Caller::trusting(&authority.pem());
    assert_eq!(served(&running, &caller).await, Some(first));
    let second = put("..2");
    until("the second is served", async || served(&running, &caller).await == Some(second.clone())).await;
    let third = put("..3");
    std::fs::remove_dir_all(folder.path().join("..1")).unwrap();
    until("the third is served", async || served(&running, &caller).await == Some(third.clone())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_pair_leaves_the_old_one_in_use() {
    let authority = Authority::new();
    let good = authority.sign(&["127.0.0.1"]);
    let files = Files::new(&good);
    let running = Running::start(&files.certificate(), &files.key(), &[]);
    let caller = Caller::trusting(&authority.pem());
    assert_eq!(served(&running, &caller).await, Some(der(&good.0)));
    let other = authority.sign(&["127.0.0.1"]);
    let expired = authority.sign_with(&["127.0.0.1"], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let bad = [
        (other.0.as_str(), good.1.as_str()),
        ("", good.1.as_str()),
        (good.0.as_str(), "not a key"),
        (expired.0.as_str(), expired.1.as_str()),
    ];
    for (number, pair) in bad.into_iter().enumerate() {
        files.write(pair);
        let line = format!(r#"domicile_certificate_loads_total{{result="refused"}} {}"#, number + 1);
        until("it is refused", async || running.counted(&line)).await;
        assert_eq!(served(&running, &caller).await, Some(der(&good.0)));
    }
    std::fs::remove_file(files.key()).unwrap();
    until("it is missed", async || {
        running.counted(r#"domicile_certificate_loads_total{result="refused"} 5"#)
    })
    .await;
    assert_eq!(served(&running, &caller).await, Some(der(&good.0)));
    // It gets better.
    files.write((&other.0, &other.1));
    until("the new one is served", async || served(&running, &caller).await == Some(der(&other.0))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_pair_is_no_beginning() {
    let authority = Authority::new();
    let (chain, _) = authority.sign(&["127.0.0.1"]);
    let (_, key) = authority.sign(&["127.0.0.1"]);
    let files = Files::new(&(chain, key));
    let running = Running::start(&files.certificate(), &files.key(), &[]);
    let error = running.ended.await.unwrap().unwrap_err().to_string();
    assert!(
        error.contains("tls.crt") && error.ends_with("the key does not belong to the certificate"),
        "{error}"
    );
    let running = Running::start(Path::new("/nowhere/tls.crt"), &files.key(), &[]);
    let error = running.ended.await.unwrap().unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/tls.crt cannot be read: "), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_chains_are_served() {
    let root = Authority::new();
    let below = root.below();
    let (leaf, key) = below.sign(&["127.0.0.1"]);
    let files = Files::new(&(format!("{leaf}{}", below.pem()), key));
    let running = Running::start(&files.certificate(), &files.key(), &[]);
    // The caller knows the root alone.
    let caller = Caller::trusting(&root.pem());
    assert_eq!(served(&running, &caller).await, Some(der(&leaf)));
    let stranger = Caller::trusting(&Authority::new().pem());
    assert_eq!(served(&running, &stranger).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_clients_of_the_ca_may_ask() {
    let (clients, later) = (Authority::new(), Authority::new());
    let authority = Authority::new();
    let files = Files::new(&authority.sign(&["127.0.0.1"]));
    let path = files.folder.path().join("clients.pem");
    std::fs::write(&path, clients.pem()).unwrap();
    let ca = path.display().to_string();
    let running = Running::start(&files.certificate(), &files.key(), &["--client-ca", &ca]);
    let nobody = Caller::trusting(&authority.pem());
    let first = nobody.clone().with(clients.sign(&["apiserver"]));
    let second = nobody.clone().with(later.sign(&["apiserver"]));
    let asks = async |caller: &Caller| match caller.connect(running.at.https).await {
        // With TLS 1.3 a client learns only when it reads that it is not let in.
        Ok(mut connection) => {
            connection.post("/validate", "{}").await.is_ok_and(|answer| answer.status == 200)
        }
        Err(_) => false,
    };
    assert!(asks(&first).await);
    assert!(!asks(&nobody).await && !asks(&second).await);
    assert!(!asks(&nobody.clone().over(&rustls::version::TLS12)).await);

    // Both, then the later one alone: each as soon as the file says so.
    std::fs::write(&path, format!("{}{}", clients.pem(), later.pem())).unwrap();
    until("the later one is let in", async || asks(&second).await).await;
    assert!(asks(&first).await);
    std::fs::write(&path, later.pem()).unwrap();
    until("the first one is not let in any more", async || !asks(&first).await).await;
    assert!(asks(&second).await && !asks(&nobody).await);
    // An emptied file opens nothing.
    std::fs::write(&path, "").unwrap();
    until("it is refused", async || {
        running.counted(r#"domicile_certificate_loads_total{result="refused"} 1"#)
    })
    .await;
    assert!(asks(&second).await && !asks(&nobody).await && !asks(&first).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_files_or_a_cluster_there_is_one_that_is_asked_for_by_name() {
    let running = Running::start_with(&["--tls-name=127.0.0.1,localhost"]);
    let mut stream = Caller::trusting_anybody().stream(running.at.https).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
    assert_eq!(chain.len(), 2);
    // Its CA comes with it: who takes that over believes the rest.
    let caller = Caller::believing(vec![chain[1].clone()]);
    let mut connection = caller.connect(running.at.https).await.unwrap();
    assert_eq!(connection.post("/validate", "{}").await.unwrap().status, 200);
    tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
}
