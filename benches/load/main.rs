//! How `domicile serve` fares under load, over TLS, beside a handler in the same server that judges nothing: `make load`.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

#[allow(dead_code, reason = "a part of it is needed")]
#[path = "../../tests/server/client.rs"]
mod client;
mod constant;
#[path = "../data/mod.rs"]
mod data;
mod machine;
mod race;
mod served;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use race::Race;
use serde_json::Value;
use served::Served;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Policies in force, and how many of them govern what the pod carries.
const POLICIES: usize = 1_000;
const GOVERNING: usize = 10;

fn main() {
    if constant::serve_if_asked() {
        return;
    }
    // `cargo bench` says so; other runs of all targets must not take minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run it with `make load`");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/data/reviews/pod-7k.json");
    let large = small.with_file_name("pod-18k.json");
    let abroad = abroad(&small, folder);

    println!("{}\n", machine::facts());
    let constant = constant(folder);
    let serve = |name: &str, nodes, governing| domicile(name, nodes, governing, folder);
    let whole = serve("domicile", data::NODES, GOVERNING);
    let some = serve("domicile, 500 nodes", 500, GOVERNING);
    let few = serve("domicile, 6 nodes", 6, GOVERNING);
    let governed = serve("domicile, all policies govern the pod", data::NODES, POLICIES);
    for (server, review, allowed) in [
        (&whole, &small, true),
        (&whole, &large, true),
        (&whole, &abroad, false),
        (&some, &small, true),
        (&few, &small, true),
        (&governed, &small, true),
    ] {
        let answer = server.ask(&fs::read(review).unwrap());
        assert_eq!(answer["allowed"], allowed, "{}: {answer}", server.name);
        assert_eq!(answer["auditAnnotations"]["classifications"], "personal", "{}: {answer}", server.name);
    }
    let after_reading = whole.memory();

    println!("{} nodes, {POLICIES} policies, {GOVERNING} of which govern the pod:\n", data::NODES);
    race::heading();
    let second = Duration::from_secs(1);
    for (what, review) in [("7 KB", &small), ("18 KB", &large)] {
        for connections in [1, 16] {
            Race { what, review, connections, turn: 4 * second, servers: &[&constant, &whole] }.run();
        }
    }
    println!("\nBy nodes, by policies, and refused:\n");
    race::heading();
    for connections in [1, 16] {
        let servers = &[&constant, &few, &some, &whole, &governed];
        Race { what: "7 KB", review: &small, connections, turn: 3 * second, servers }.run();
    }
    Race {
        what: "7 KB, refused",
        review: &abroad,
        connections: 16,
        turn: 3 * second,
        servers: &[&constant, &whole],
    }
    .run();

    println!("\n| memory, MiB | resident | at most |");
    println!("| --- | --: | --: |");
    let row = |what: &str, [resident, most]: [f64; 2]| println!("| {what} | {resident:.1} | {most:.1} |");
    row("domicile, after reading its state from files", after_reading);
    row("domicile, after the load", whole.memory());
    row("the constant handler, after the load", constant.memory());
    println!("\n{}", machine::busy());
}

/// The ceiling.
fn constant(folder: &Path) -> Served {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(constant::NAME);
    Served::start("the constant handler", command, folder)
}

fn domicile(name: &str, nodes: usize, governing: usize, folder: &Path) -> Served {
    let state = write_state(nodes, governing, &folder.join(format!("{nodes}-{governing}.json"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_domicile"));
    command.arg("serve").arg("--cluster").arg(state);
    Served::start(name, command, folder)
}

/// Nodes and policies, as `kubectl get -o json` prints them.
fn write_state(nodes: usize, governing: usize, path: &Path) -> std::io::Result<PathBuf> {
    let governing_policies =
        (0..governing).map(|number| data::policy_manifest(number, "personal", number == 0));
    let others = (governing..POLICIES)
        .map(|number| data::policy_manifest(number, &format!("kind-{}", number / 10), false));
    let nodes = (0..nodes).map(data::node_manifest);
    let mut file = BufWriter::new(File::create(path)?);
    write!(file, r#"{{"apiVersion":"v1","kind":"List","items":["#)?;
    for (number, object) in governing_policies.chain(others).chain(nodes).enumerate() {
        write!(file, "{}{object}", if number == 0 { "" } else { ",\n" })?;
    }
    writeln!(file, "]}}")?;
    file.flush()?;
    Ok(path.to_owned())
}

/// The review of a pod that asks for a region in the United States, which one policy does not permit.
fn abroad(review: &Path, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(review).unwrap();
    let other = text.replace(r#"["eu-north-1","eu-west-1"]"#, r#"["us-east-1"]"#);
    assert_ne!(text, other);
    serde_json::from_str::<Value>(&other).unwrap();
    let path = folder.join("abroad.json");
    fs::write(&path, other).unwrap();
    path
}
