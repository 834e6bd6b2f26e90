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
/// What a replica may have.
const LIMIT: u64 = 96 * MIB;
const NODES: usize = 1_000;

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("memory");
    if crate::asked().is_none() {
        return trials;
    }
    trials.alone("it_is_limited", it_is_limited)
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
    fn new(number: usize) -> Self {
        let name = format!("domicile-torture-{}-{number}", std::process::id());
        VERSIONS
            .iter()
            .find_map(|files| {
                let path = Path::new(files.root).join(&name);
                fs::create_dir(&path).ok()?;
                let group = Self { path, files };
                fs::write(group.path.join(files.limit), LIMIT.to_string()).ok()?;
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

async fn it_is_limited(plane: &'static Plane) {
    let groups = [Group::new(0), Group::new(1)];
    let mut field = Field::with(plane, "memory", &[], groups.each_ref().map(Group::prelude)).await;
    field.excuse();
    let mut seen = Vec::new();
    let note = |seen: &mut Vec<String>, what: &str| {
        let most = groups.iter().map(Group::peak).max().unwrap_or_default();
        seen.push(format!("{most} MiB {what}"));
        for group in &groups {
            assert_eq!(group.number(group.files.killed), 0, "killed for its memory: {}", seen.join(", "));
        }
    };
    field.goes_on_for(10).await;
    note(&mut seen, "under the load");
    field.turn(Turn::Between);
    floods::policies(&field, 0..10 * POLICIES).await;
    field.goes_on_for(5).await;
    note(&mut seen, "with 200 policies more");
    floods::nodes(&field, NODES).await;
    field.goes_on_for(5).await;
    note(&mut seen, "with 1,000 nodes more");
    for number in [0, 1] {
        post_without_end(&field, number, 1024, true).await;
        post_without_end(&field, number, 1024, false).await;
    }
    note(&mut seen, "with bodies of 1 GiB");
    let recovery = field.recovered().await;
    field.goes_on_for(5).await;
    field.both_ready().await;
    let refused: u64 = groups.iter().map(|group| group.number(group.files.refused)).sum();
    seen.push(format!(
        "the limit was met {refused} times, and nobody was killed; the binary is {}",
        binary().1
    ));
    let seen = format!("at most {}", seen.join(", "));
    field.account("a limit of 96 MiB of memory for each replica", 1, &[recovery], &seen).await;
    drop(field);
}
