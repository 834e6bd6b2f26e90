//! Where `domicile serve` ends: more and more nodes, pods, policies, connections and bytes, until it refuses or is slow:
//! `make load-limits`.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

#[allow(dead_code, reason = "a part of it is needed")]
#[path = "../../tests/server/client.rs"]
mod client;
#[allow(dead_code, reason = "a part of it is needed")]
#[path = "../data/mod.rs"]
mod data;
#[path = "../load/machine.rs"]
mod machine;
mod pushed;
#[allow(dead_code, reason = "a part of it is needed")]
#[path = "../load/served.rs"]
mod served;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pushed::push;
use serde_json::{Value, json};
use served::Served;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each load lasts.
const TURN: Duration = Duration::from_secs(4);
const MIB: usize = 1024 * 1024;

/// A cluster, by its sizes.
#[derive(Clone, Copy)]
struct Sizes {
    nodes: usize,
    pods: usize,
    policies: usize,
    /// Of the policies.
    governing: usize,
}

const USUAL: Sizes = Sizes { nodes: 5_000, pods: 0, policies: 1_000, governing: 10 };

fn main() {
    // `cargo bench` says so; other runs of all targets must not take minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run it with `make load-limits`");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let review = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/data/reviews/pod-7k.json");
    println!("{}\n", machine::facts());
    sizes(folder, &review);
    let usual = serve(USUAL, folder);
    connections(&usual, &review);
    bodies(&usual, folder);
    println!("\n{}", machine::busy());
}

fn sizes(folder: &Path, review: &Path) {
    println!(
        "| nodes | pods | policies | of them governing | until it serves, s | resident, MiB | most, MiB | reviews/s | p50, ms | p99, ms |"
    );
    println!("| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |");
    for sizes in [
        USUAL,
        Sizes { nodes: 50_000, ..USUAL },
        Sizes { nodes: 200_000, ..USUAL },
        Sizes { pods: 100_000, ..USUAL },
        Sizes { pods: 500_000, ..USUAL },
        Sizes { policies: 10_000, ..USUAL },
        Sizes { policies: 50_000, ..USUAL },
        Sizes { policies: 10_000, governing: 10_000, ..USUAL },
    ] {
        let begun = Instant::now();
        let server = serve(sizes, folder);
        let began = begun.elapsed();
        let answer = server.ask(&fs::read(review).unwrap());
        assert!(answer["allowed"].is_boolean(), "{answer}");
        let said = push(&server, review, 4, TURN);
        let [resident, most] = server.memory();
        println!(
            "| {} | {} | {} | {} | {:.1} | {resident:.0} | {most:.0} | {:.0} | {:.2} | {:.2} |",
            sizes.nodes,
            sizes.pods,
            sizes.policies,
            sizes.governing,
            began.as_secs_f64(),
            said.per_second,
            said.p50,
            said.p99,
        );
    }
}

fn connections(server: &Served, review: &Path) {
    println!("\n| connections | reviews/s | p50, ms | p99, ms | answered | resident, MiB |");
    println!("| --: | --: | --: | --: | --- | --: |");
    for connections in [16, 256, 512, 1_000, 2_000, 5_000] {
        let said = push(server, review, connections, TURN);
        let [resident, _] = server.memory();
        println!(
            "| {connections} | {:.0} | {:.1} | {:.1} | {} | {resident:.0} |",
            said.per_second, said.p50, said.p99, said.answered,
        );
    }
}

fn bodies(server: &Served, folder: &Path) {
    println!("\n| body, MiB | connections | requests/s | p50, ms | answered | resident, MiB |");
    println!("| --: | --: | --: | --: | --- | --: |");
    for (size, connections) in [(1, 1), (1, 16), (4, 16), (7, 16), (9, 1), (64, 1)] {
        let path = folder.join(format!("{size}.json"));
        fs::write(&path, body(size * MIB)).unwrap();
        let said = push(server, &path, connections, TURN);
        let [resident, _] = server.memory();
        println!(
            "| {size} | {connections} | {:.1} | {:.0} | {} | {resident:.0} |",
            said.per_second, said.p50, said.answered,
        );
    }
}

/// The review of a pod with an annotation that long.
fn body(size: usize) -> String {
    let review = include_str!("../data/reviews/pod-7k.json");
    let mut review: Value = serde_json::from_str(review).unwrap();
    review["request"]["object"]["metadata"]["annotations"]["example.com/note"] = json!("n".repeat(size));
    review.to_string()
}

fn serve(sizes: Sizes, folder: &Path) -> Served {
    let state = write_state(sizes, &folder.join("state.json")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_domicile"));
    command.arg("serve").arg("--cluster").arg(state);
    Served::start("domicile", command, folder)
}

/// The cluster, as `kubectl get -o json` prints it.
fn write_state(sizes: Sizes, path: &Path) -> std::io::Result<PathBuf> {
    let Sizes { nodes, pods, policies, governing } = sizes;
    let all = (0..governing)
        .map(|number| data::policy_manifest(number, "personal", number == 0))
        .chain(
            (governing..policies)
                .map(|number| data::policy_manifest(number, &format!("kind-{}", number / 10), false)),
        )
        .chain((0..nodes).map(data::node_manifest))
        .chain((0..pods).map(|number| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": format!("pod-{number}"), "namespace": format!("team-{}", number % 200),
                    "labels": {"app": format!("app-{}", number % 1_000)},
                },
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            })
        }));
    let mut file = BufWriter::new(File::create(path)?);
    write!(file, r#"{{"apiVersion":"v1","kind":"List","items":["#)?;
    for (number, object) in all.enumerate() {
        write!(file, "{}{object}", if number == 0 { "" } else { ",\n" })?;
    }
    writeln!(file, "]}}")?;
    file.flush()?;
    Ok(path.to_owned())
}
