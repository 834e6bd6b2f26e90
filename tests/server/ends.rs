//! How it ends: in order, and in time.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::client::{Caller, get};
use crate::setting::{Running, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_ready_first_and_then_everything_open_is_answered() {
    let (running, authority, _files) = Running::simple(&["--shutdown-grace=1s"]);
    running.readiness.expect(Vec::<String>::new());
    let (at, health) = (running.at.https, running.at.health);
    let caller = Caller::trusting(&authority.pem());
    let mut kept = caller.connect(at).await.unwrap();
    let mut kept2 = caller.clone().http2().connect(at).await.unwrap();
    for connection in [&mut kept, &mut kept2] {
        assert_eq!(connection.post("/validate", "{}").await.unwrap().status, 200);
    }
    assert_eq!(get(health, "/readyz").await.0, 200);
    let open: Vec<_> = [caller.clone(), caller.clone().http2()]
        .into_iter()
        .map(|caller| {
            tokio::spawn(async move {
                let mut connection = caller.connect(at).await.unwrap();
                connection.post("/validate", "wait").await.unwrap()
            })
        })
        .collect();
    let judge = running.judge.clone();
    until("both are open", async || judge.reviews.load(Ordering::SeqCst) == 4).await;

    let begun = Instant::now();
    running.shutdown.begin();
    until("not ready", async || get(health, "/readyz").await.1 == "not ready\nshutting down\n").await;
    assert_eq!(get(health, "/livez").await.0, 200);
    // In the grace, those who have not heard of it are answered, and their connections are retired.
    let answer = kept.post("/validate", "{}").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.headers["connection"].as_bytes()), (200, &b"close"[..]));
    assert_eq!(kept2.post("/validate", "{}").await.unwrap().status, 200);
    let mut new = caller.connect(at).await.unwrap();
    assert_eq!(new.post("/validate", "{}").await.unwrap().status, 200);
    until("they are closed", async || kept.is_closed() && kept2.is_closed() && new.is_closed()).await;

    // After it, nothing new; what is open is waited for.
    until("no more connections", async || caller.connect(at).await.is_err()).await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert!(!running.ended.is_finished());
    running.judge.go.add_permits(2);
    for one in open {
        let answer = one.await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "waited"));
    }
    tokio::time::timeout(Duration::from_secs(5), running.ended).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_said_at_once() {
    use domicile::server::{Metrics, Readiness, Server};
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("--listen={}", taken.local_addr().unwrap());
    let mut options = crate::setting::options(&[]);
    options.listen = taken.local_addr().unwrap();
    let metrics = Metrics::new();
    let error = Server::bind(options, metrics.clone(), Readiness::new(metrics)).unwrap_err().to_string();
    assert!(error.contains(address.trim_start_matches("--listen=")) && error.contains("--listen"), "{error}");
}
