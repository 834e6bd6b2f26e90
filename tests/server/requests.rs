//! What happens to a request.

use std::time::{Duration, Instant};

use axum::http::{Request, Version};
use http_body_util::Full;
use hyper::body::Bytes;
use rustls::{ProtocolVersion, version};

use crate::client::{Caller, raw};
use crate::setting::{Running, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_protocols_over_both_versions_of_tls() {
    let (running, authority, _files) = Running::simple(&[]);
    for (tls, protocol) in
        [(&version::TLS13, ProtocolVersion::TLSv1_3), (&version::TLS12, ProtocolVersion::TLSv1_2)]
    {
        for http2 in [false, true] {
            let caller = Caller::trusting(&authority.pem()).over(tls);
            let caller = if http2 { caller.http2() } else { caller };
            let mut connection = caller.connect(running.at.https).await.unwrap();
            assert_eq!((connection.version, connection.is_http2()), (protocol, http2));
            for path in ["/validate?timeout=5s", "/mutate"] {
                let answer = connection.post(path, r#"{"kind":"AdmissionReview"}"#).await.unwrap();
                assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "26 bytes"));
                assert_eq!(answer.headers["content-type"], "application/json");
                assert_eq!(answer.version, if http2 { Version::HTTP_2 } else { Version::HTTP_11 });
            }
            // In many pieces, and of every size around the limits of a frame.
            for size in [0, 1, 16_383, 16_384, 16_385, 1_000_000] {
                let answer = connection.post("/validate", vec![b'x'; size]).await.unwrap();
                assert_eq!(answer.body, format!("{size} bytes"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_review_is_refused() {
    let (running, authority, _files) = Running::simple(&[]);
    for http2 in [false, true] {
        let caller = Caller::trusting(&authority.pem());
        let caller = if http2 { caller.http2() } else { caller };
        let mut connection = caller.connect(running.at.https).await.unwrap();
        let uri = connection.uri("/validate");
        let request = |method: &str, uri: &str, kind: &str| {
            Request::builder()
                .method(method)
                .uri(uri)
                .header("host", "domicile")
                .header("content-type", kind)
                .body(Full::<Bytes>::from("{}"))
                .unwrap()
        };
        for method in ["GET", "PUT", "DELETE"] {
            let answer = connection.send(request(method, &uri, "application/json")).await.unwrap();
            assert_eq!(answer.status, 405);
            assert_eq!(answer.headers["allow"], "POST");
        }
        let answer = connection.send(request("POST", &uri, "text/plain")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.contains("application/json")), (415, true));
        assert_eq!(connection.post("/elsewhere", "{}").await.unwrap().status, 404);
        let answer = connection.post("/validate", "bad").await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (400, "not a review"));
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    }
    assert!(running.counted(r#"domicile_requests_refused_total{reason="method"} 6"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_8_mib_is_too_much() {
    let (running, authority, _files) = Running::simple(&[]);
    let most = 8 * 1024 * 1024;
    for http2 in [false, true] {
        let caller = Caller::trusting(&authority.pem());
        let caller = if http2 { caller.http2() } else { caller };
        let mut connection = caller.connect(running.at.https).await.unwrap();
        let answer = connection.post("/validate", vec![b' '; most]).await.unwrap();
        assert_eq!(answer.body, format!("{most} bytes"));
        let answer = connection.post("/validate", vec![b' '; most + 1]).await.unwrap();
        assert_eq!(answer.status, 413);
        assert!(answer.body.contains("larger than 8 MiB"), "{}", answer.body);
    }
    // Without a word about its length.
    let mut stream = Caller::trusting(&authority.pem()).stream(running.at.https).await.unwrap();
    let mut text = String::from(
        "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for _ in 0..9 {
        text.push_str("100000\r\n");
        text.push_str(&" ".repeat(1024 * 1024));
        text.push_str("\r\n");
    }
    text.push_str("0\r\n\r\n");
    let answer = raw(&mut stream, &text).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // Who waits for a go-ahead gets the refusal instead.
    let mut stream = Caller::trusting(&authority.pem()).stream(running.at.https).await.unwrap();
    let head = "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 9000000\r\nexpect: 100-continue\r\n\r\n";
    let answer = raw(&mut stream, head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(running.counted(r#"domicile_requests_refused_total{reason="too_large"} 4"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_is_cut() {
    let (running, authority, _files) = Running::simple(&[]);
    let caller = Caller::trusting(&authority.pem());
    let at = running.at.https;

    // A head that never ends.
    let begun = Instant::now();
    let mut stream = caller.stream(at).await.unwrap();
    assert_eq!(raw(&mut stream, "POST /validate HTTP/1.1\r\nhost: x\r\nx-slow").await, "");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // Nothing at all, before and after the handshake.
    let begun = Instant::now();
    let mut silent = tokio::net::TcpStream::connect(at).await.unwrap();
    let mut nothing = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut nothing).await;
    assert_eq!(raw(&mut caller.stream(at).await.unwrap(), "").await, "");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // A body that never comes.
    let mut stream = caller.stream(at).await.unwrap();
    let head =
        "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    let answer = raw(&mut stream, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("did not arrive within"), "{answer}");
    assert!(running.counted(r#"domicile_requests_refused_total{reason="body_timeout"} 1"#));

    // Nothing more after the first request, in either protocol.
    for caller in [caller.clone(), caller.http2()] {
        let mut connection = caller.connect(at).await.unwrap();
        connection.post("/validate", "{}").await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(connection.post("/validate", "{}").await.unwrap().status, 200, "kept for a while");
        until("an idle connection is closed", async || connection.is_closed()).await;
    }
    assert_eq!(running.judge.reviews.load(std::sync::atomic::Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_can_be_judged_is_refused_at_once() {
    let (running, authority, _files) = Running::simple(&["--max-concurrent=2"]);
    let caller = Caller::trusting(&authority.pem());
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut connection = caller.connect(running.at.https).await.unwrap();
        waiting.push(tokio::spawn(async move { connection.post("/validate", "wait").await.unwrap() }));
    }
    let judge = running.judge.clone();
    until("both are judged", async || judge.reviews.load(std::sync::atomic::Ordering::SeqCst) == 2).await;
    let mut connection = caller.connect(running.at.https).await.unwrap();
    let begun = Instant::now();
    let answer = connection.post("/validate", "{}").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].as_bytes()), (429, &b"1"[..]));
    assert!(answer.body.contains("2 reviews are being judged already"), "{}", answer.body);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(running.counted(r#"domicile_requests_refused_total{reason="concurrency"} 1"#));

    running.judge.go.add_permits(2);
    for one in waiting {
        assert_eq!(one.await.unwrap().body, "waited");
    }
    assert_eq!(connection.post("/validate", "{}").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_share_a_bounded_memory() {
    let (running, authority, _files) = Running::simple(&[]);
    let caller = Caller::trusting(&authority.pem());
    // Eight that may be of any length fill it; they are not read before the rest of them arrives.
    let head = "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 8388608\r\n\r\n";
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut stream = caller.stream(running.at.https).await.unwrap();
        open.push(tokio::spawn(async move { raw(&mut stream, head).await }));
    }
    let mut connection = caller.connect(running.at.https).await.unwrap();
    until("it is full", async || connection.post("/validate", "{}").await.unwrap().status == 429).await;
    for one in open {
        assert!(one.await.unwrap().starts_with("HTTP/1.1 408 "));
    }
    assert_eq!(connection.post("/validate", "{}").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_never_an_answer() {
    let (running, authority, _files) = Running::simple(&[]);
    for caller in [Caller::trusting(&authority.pem()), Caller::trusting(&authority.pem()).http2()] {
        // Printing where it failed can take longer than a connection may be idle here.
        let connect = async || caller.connect(running.at.https).await.unwrap();
        for path in ["/validate", "/mutate"] {
            let answer = connect().await.post(path, "panic").await.unwrap();
            assert_eq!(answer.status, 500);
            assert!(answer.body.starts_with("domicile: a part of it has failed"), "{}", answer.body);
        }
        // The next one is judged.
        assert_eq!(connect().await.post("/validate", "{}").await.unwrap().status, 200);
    }
    assert!(running.counted(r#"domicile_requests_refused_total{reason="panic"} 4"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_there_before_the_api_server_gives_up() {
    let (running, authority, _files) = Running::simple(&[]);
    let mut connection = Caller::trusting(&authority.pem()).connect(running.at.https).await.unwrap();
    let begun = Instant::now();
    let answer = connection.post("/validate?timeout=1s", "wait").await.unwrap();
    let took = begun.elapsed();
    assert_eq!(answer.status, 504);
    assert!(answer.body.contains("no verdict after 0.9 s"), "{}", answer.body);
    assert!(took >= Duration::from_millis(880) && took < Duration::from_secs(3), "{took:?}");
    assert!(running.counted(r#"domicile_requests_refused_total{reason="review_timeout"} 1"#));
}
