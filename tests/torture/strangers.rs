//! Callers who are not the API server, and take what they can.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::Caller;
use crate::field::Field;
use crate::plane::{Plane, Trials};
use crate::replicas::times;

pub(crate) fn trials() -> Trials {
    Trials::of("strangers")
        .alone("slow_callers", slow_callers)
        .alone("idle_connections", idle_connections)
        .alone("a_body_without_end", a_body_without_end)
}

fn at(field: &Field, number: usize) -> std::net::SocketAddr {
    ([127, 0, 0, 1], field.replicas[number].ports.webhook).into()
}

/// Bytes one by one: of a handshake, of a head, of a body.
async fn slow_callers(plane: &'static Plane) {
    let mut field = Field::up(plane, "slow").await;
    let callers = times(30, 600);
    let mut slow = JoinSet::new();
    for number in 0..callers {
        let at = at(&field, number % 2);
        slow.spawn(async move {
            match number / 2 % 3 {
                0 => drip(TcpStream::connect(at).await, &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await,
                1 => drip(Caller::trusting_anybody().stream(at).await, b"POST /validate HTTP/1.1\r\nhost: d\r\nx: ").await,
                _ => {
                    let head = b"POST /validate HTTP/1.1\r\nhost: d\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{";
                    drip(Caller::trusting_anybody().stream(at).await, head).await;
                }
            }
        });
    }
    field.goes_on_for(times(3, 25) as u64).await;
    let recovery = field.recovered().await;
    let note = format!("{callers} callers, {} of them still let in at the end", callers - ended(&mut slow));
    field.account("callers that send one byte a second", callers, &[recovery], &note).await;
}

fn ended(tasks: &mut JoinSet<()>) -> usize {
    std::iter::from_fn(|| tasks.try_join_next()).count()
}

/// Sends the beginning at once, and one byte a second after it, until the other side has had enough.
async fn drip<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: std::io::Result<S>, begin: &[u8]) {
    let Ok(mut stream) = stream else { return };
    if stream.write_all(begin).await.is_err() {
        return;
    }
    loop {
        let mut byte = [0];
        let heard = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut byte)).await;
        if matches!(heard, Ok(Ok(0) | Err(_))) {
            return;
        }
        if heard.is_err() && (stream.write_all(b"a").await.is_err() || stream.flush().await.is_err()) {
            return;
        }
    }
}

/// On the replica that the API server asks.
async fn idle_connections(plane: &'static Plane) {
    let mut field = Field::up(plane, "idle").await;
    let wanted = times(1_200, 10_000);
    let mut open = Vec::new();
    let (asked, _) = field.asked_and_other().await;
    let (at, metrics) = (("127.0.0.1", asked.ports.webhook), asked.ports.metrics);
    for _ in 0..wanted {
        match TcpStream::connect(at).await {
            Ok(stream) => open.push(stream),
            Err(error) => panic!("{} connections, then {error}", open.len()),
        }
    }
    let begun = Instant::now();
    field.goes_on_for(times(2, 15) as u64).await;
    let metrics = crate::stand::metrics(metrics);
    let refused =
        metrics.lines().find(|line| line.contains(r#"reason="connections""#)).unwrap_or("none refused");
    let note = format!("{wanted} connections; {refused}");
    drop(open);
    let recovery = field.recovered().await;
    assert!(begun.elapsed() < Duration::from_mins(2));
    field.account("idle connections to one replica, without a handshake", 1, &[recovery], &note).await;
}

async fn a_body_without_end(plane: &'static Plane) {
    let mut field = Field::up(plane, "body").await;
    let (whole, rounds) = (times(64, 1024), times(2, 6));
    let mut notes = Vec::new();
    for round in 0..rounds {
        notes.push(post_without_end(&field, round % 2, whole, round / 2 % 2 == 0).await);
    }
    let recovery = field.recovered().await;
    notes.dedup();
    let note = notes.join(", ");
    field.account(&format!("a body of {whole} MiB"), rounds, &[recovery], &note).await;
}

/// Sends a replica a body of so many MiB, by its length or in chunks, and says what was answered, and after how much.
pub(crate) async fn post_without_end(field: &Field, number: usize, whole: usize, by_length: bool) -> String {
    const MIB: usize = 1024 * 1024;
    let mut stream = Caller::trusting_anybody().stream(at(field, number)).await.unwrap();
    let length = if by_length {
        format!("content-length: {}", whole * MIB)
    } else {
        "transfer-encoding: chunked".to_owned()
    };
    let head =
        format!("POST /validate HTTP/1.1\r\nhost: d\r\ncontent-type: application/json\r\n{length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut piece = vec![b' '; MIB];
    if !by_length {
        piece = [format!("{MIB:x}\r\n").as_bytes(), &piece, b"\r\n"].concat();
    }
    let mut sent = 0;
    while sent < whole && stream.write_all(&piece).await.is_ok() {
        sent += 1;
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("allowed"), "{answer}");
    format!("{} after {sent} MiB", answer.lines().next().unwrap_or("the connection was closed"))
}
