//! Memory that is scarce: both replicas are started in a control group that has a limit, so that everything is charged.

use std::fs;
use std::path::{Path, PathBuf};

use crate::field::Field;
use crate::floods::{self, POLICIES};
use crate::load::Turn;
use crate::plane::{Plane, Trials};
use crate::replica::binary;
use crate::strangers::post_without_end;

const MIB: u64 = 1024 * 1024;
/// What the chart gives a replica.
const CHART: u64 = 256;
const NODES: usize = 1_000;

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("memory");
    if crate::asked().is_none() {
        return trials;
    }
    trials.alone("it_is_scarce", it_is_scarce).alone("it_is_what_the_chart_gives", it_is_what_the_chart_gives)
}

/// A group of processes with so much memory. Dropped, it goes.
struct Group {
    path: PathBuf,
    files: &'static Files,
}

/// The names of the two versions.
struct Files {
    root: &'static str,
    limit: &'static str,
    peak: &'static str,
    /// A file, and the word before the number in it.
    refused: (&'static str, &'static str),
    killed: (&'static str, &'static str),
}

const VERSIONS: [Files; 2] = [
    Files {
        root: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        peak: "memory.max_usage_in_bytes",
        refused: ("memory.failcnt", ""),
        killed: ("memory.oom_control", "oom_kill "),
    },
    Files {
        root: "/sys/fs/cgroup",
        limit: "memory.max",
        peak: "memory.peak",
        refused: ("memory.events", "max "),
        killed: ("memory.events", "oom_kill "),
    },
];

impl Group {
    fn new(limit: u64, number: usize) -> Self {
        let name = format!("domicile-torture-{}-{limit}-{number}", std::process::id());
        VERSIONS
            .iter()
            .find_map(|files| {
                let path = Path::new(files.root).join(&name);
                fs::create_dir(&path).ok()?;
                let group = Self { path, files };
                fs::write(group.path.join(files.limit), (limit * MIB).to_string()).ok()?;
                Some(group)
            })
            .expect("control groups for memory can be made: run this as root, where they can be written")
    }

    /// Has a shell take itself in.
    fn prelude(&self) -> String {
        format!("echo $$ > '{}/cgroup.procs'", self.path.display())
    }

    fn number(&self, (file, word): (&str, &str)) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix(word)?.trim().parse().ok()).unwrap()
    }

    /// The most that was charged so far, in MiB.
    fn peak(&self) -> u64 {
        self.number((self.files.peak, "")).div_ceil(MIB)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// Both groups, and what was seen.
struct Groups {
    pair: [Group; 2],
    seen: Vec<String>,
}

impl Groups {
    async fn up(plane: &'static Plane, limit: u64) -> (Self, Field) {
        let pair = [Group::new(limit, 0), Group::new(limit, 1)];
        let name = format!("memory-{limit}");
        let field = Field::with(plane, &name, &[], pair.each_ref().map(Group::prelude)).await;
        (Self { pair, seen: Vec::new() }, field)
    }

    /// Nobody was killed so far.
    fn note(&mut self, what: &str) {
        let most = self.pair.iter().map(Group::peak).max().unwrap_or_default();
        self.seen.push(format!("{most} MiB {what}"));
        for group in &self.pair {
            assert_eq!(
                group.number(group.files.killed),
                0,
                "killed for its memory: {}",
                self.seen.join(", ")
            );
        }
    }

    async fn account(mut self, mut field: Field, limit: u64) {
        let recovery = field.recovered().await;
        field.goes_on_for(5).await;
        field.both_ready().await;
        self.note("in the end");
        let refused: u64 = self.pair.iter().map(|group| group.number(group.files.refused)).sum();
        let seen = format!(
            "at most {}; the limit was met {refused} times, and nobody was killed; the binary is {}",
            self.seen.join(", "),
            binary().1
        );
        let fault = format!("a limit of {limit} MiB of memory for each replica");
        field.account(&fault, 1, &[recovery], &seen).await;
        // The groups can go when nobody is in them.
        drop(field);
    }
}

async fn it_is_scarce(plane: &'static Plane) {
    // Without optimisation it needs more where others want the processors as well.
    let low = if std::env::var("DOMICILE_BINARY").is_ok() { 96 } else { 160 };
    let (mut groups, mut field) = Groups::up(plane, low).await;
    field.excuse();
    field.goes_on_for(20).await;
    groups.note("under the load");
    for number in [0, 1] {
        post_without_end(&field, number, 1024, true).await;
        post_without_end(&field, number, 1024, false).await;
    }
    groups.note("with bodies of 1 GiB");
    groups.account(field, low).await;
}

async fn it_is_what_the_chart_gives(plane: &'static Plane) {
    let (mut groups, mut field) = Groups::up(plane, CHART).await;
    field.excuse();
    field.turn(Turn::Between);
    floods::policies(&field, 0..10 * POLICIES).await;
    field.goes_on_for(5).await;
    groups.note("with 200 policies more");
    floods::nodes(&field, NODES).await;
    field.goes_on_for(5).await;
    groups.note("with 1,000 nodes more");
    for number in [0, 1] {
        post_without_end(&field, number, 1024, true).await;
        post_without_end(&field, number, 1024, false).await;
    }
    groups.note("with bodies of 1 GiB");
    groups.account(field, CHART).await;
}
