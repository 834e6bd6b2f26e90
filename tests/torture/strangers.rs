//! Callers who are not the API server, and take what they can.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::account::thousands;
use crate::client::{Caller, Connection, Stream};
use crate::field::Field;
use crate::plane::{Plane, Trials};
use crate::replicas::times;

/// Connections that are opened side by side.
const TOGETHER: usize = 64;

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("strangers")
        .alone("slow_callers", slow_callers)
        .alone("idle_connections", idle_connections)
        .alone("a_body_without_end", a_body_without_end);
    if crate::asked().is_none() {
        return trials;
    }
    trials
        .alone("idle_connections_after_the_handshake", idle_after_the_handshake)
        .alone("idle_connections_over_http2", idle_over_http2)
}

fn at(field: &Field, number: usize) -> std::net::SocketAddr {
    ([127, 0, 0, 1], field.replicas[number].ports.webhook).into()
}

/// Bytes one by one: of a handshake, of a head, of a body.
async fn slow_callers(plane: &'static Plane) {
    let mut field = Field::up(plane, "slow").await;
    let callers = times(30, 2_400);
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
    let left = callers - ended(&mut slow);
    let refused: usize = (0..2).map(|number| refused(&field, number)).sum();
    // Briefly, there are fewer than may be, and nobody's time is over.
    if crate::asked().is_some() {
        assert!(left == 0 && refused > 0, "{left} are let in at the end, and {refused} were refused");
    }
    let note = format!(
        "{} of them are refused at once, and {left} are let in any more at the end",
        thousands(refused)
    );
    field.account("callers that send one byte a second", callers, &[recovery], &note).await;
}

/// How many connections a replica has refused, since there were too many.
fn refused(field: &Field, number: usize) -> usize {
    let metrics = crate::stand::metrics(field.replicas[number].ports.metrics);
    let mut lines = metrics.lines().filter(|line| line.contains(r#"reason="connections""#));
    lines.find_map(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
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

/// How far a connection gets before nothing more comes.
#[derive(Clone, Copy)]
enum Idle {
    Tcp,
    Tls,
    Http2,
}

/// One that is open until the other side has had enough.
enum Open {
    Tcp(TcpStream),
    Tls(Box<Stream>),
    Http2(Connection),
    /// It was refused.
    Not,
}

impl Open {
    async fn to(at: std::net::SocketAddr, idle: Idle) -> Self {
        let caller = Caller::trusting_anybody();
        match idle {
            Idle::Tcp => Self::Tcp(TcpStream::connect(at).await.expect("there are ports and files enough")),
            Idle::Tls => caller.stream(at).await.map_or(Self::Not, |stream| Self::Tls(Box::new(stream))),
            Idle::Http2 => caller.http2().connect(at).await.map_or(Self::Not, Self::Http2),
        }
    }

    /// Whether the other side still has it open. What has come before its end is passed over.
    fn is_let_in(&self) -> bool {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Http2(connection) => return !connection.is_closed(),
            Self::Not => return false,
        };
        loop {
            match stream.try_read(&mut [0; 4096]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    }
}

async fn idle_connections(plane: &'static Plane) {
    let fault = "idle connections to one replica, without a handshake";
    idle(plane, "idle", fault, Idle::Tcp, times(1_200, 10_000)).await;
}

async fn idle_after_the_handshake(plane: &'static Plane) {
    idle(plane, "idle-tls", "idle connections to one replica, after their handshake", Idle::Tls, 2_000).await;
}

async fn idle_over_http2(plane: &'static Plane) {
    let fault = "idle connections to one replica, over HTTP/2 and without a stream";
    idle(plane, "idle-http2", fault, Idle::Http2, 2_000).await;
}

/// On the replica that the API server asks.
async fn idle(plane: &'static Plane, name: &str, fault: &str, idle: Idle, wanted: usize) {
    let mut field = Field::up(plane, name).await;
    let number =
        usize::from(field.asked_and_other().await.0.ports.webhook != field.replicas[0].ports.webhook);
    let at = at(&field, number);
    let open: Vec<Open> = futures::stream::iter(0..wanted)
        .map(|_| Open::to(at, idle))
        .buffer_unordered(TOGETHER)
        .collect()
        .await;
    // Longer than a first request may take to come.
    field.goes_on_for(times(2, 15) as u64).await;
    let refused = refused(&field, number);
    let left = open.iter().filter(|one| one.is_let_in()).count();
    assert!(refused > 0, "nobody was refused");
    if crate::asked().is_some() {
        assert_eq!(left, 0, "some are let in at the end");
    }
    let recovery = field.recovered().await;
    drop(open);
    let note = format!(
        "{} connections, of which {} are refused at once, and {left} are let in any more at the end",
        thousands(wanted),
        thousands(refused)
    );
    field.account(fault, 1, &[recovery], &note).await;
}

async fn a_body_without_end(plane: &'static Plane) {
    let mut field = Field::up(plane, "body").await;
    let (whole, rounds) = (times(64, 1024), times(2, 6));
    let mut answers = BTreeMap::<_, Vec<usize>>::new();
    for round in 0..rounds {
        let (status, sent) = post_without_end(&field, round % 2, whole, round / 2 % 2 == 0).await;
        answers.entry(status).or_default().push(sent);
    }
    let recovery = field.recovered().await;
    let told = |(status, sent): (&String, &Vec<usize>)| {
        format!("{status} after {} to {} MiB", sent.iter().min().unwrap(), sent.iter().max().unwrap())
    };
    let note = answers.iter().map(told).collect::<Vec<_>>().join(", ");
    field.account(&format!("a body of {whole} MiB"), rounds, &[recovery], &note).await;
}

/// Sends a replica a body of so many MiB, by its length or in chunks, and says what was answered, and after how much.
pub(crate) async fn post_without_end(
    field: &Field,
    number: usize,
    whole: usize,
    by_length: bool,
) -> (String, usize) {
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
    (answer.split(' ').nth(1).unwrap_or("the connection is closed").to_owned(), sent)
}
