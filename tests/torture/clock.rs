//! A clock that jumps, and memory that is scarce. What the machine lacks for it is said, and the test is none then.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::field::Field;
use crate::plane::{Plane, Trials};

/// Where distributions keep it.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];
/// What a replica may have.
const LIMIT: u64 = 96 * 1024 * 1024;

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("clock");
    if crate::asked().is_none() {
        return trials;
    }
    trials.alone("the_clock_jumps", the_clock_jumps).alone("memory_is_limited", memory_is_limited)
}

async fn the_clock_jumps(plane: &'static Plane) {
    let Some(library) = FAKETIME.iter().find(|path| Path::new(path).exists()) else {
        println!("SKIPPED: libfaketime is not there (apt-get install faketime)");
        return;
    };
    let file = plane.folder().join("clock");
    fs::write(&file, "+0\n").unwrap();
    let environment = [
        ("LD_PRELOAD", (*library).to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // Time that is measured goes on: no clock of that kind jumps.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let mut field = Field::with(plane, "clock", &[], &environment).await;
    let mut recoveries = Vec::new();
    let mut seen = Vec::new();
    for jump in ["+2h", "-2h", "+400d", "-400d"] {
        fs::write(&file, format!("{jump}\n")).unwrap();
        field.goes_on_for(15).await;
        seen.push(format!("{jump}: {:?}", field.dry_run().await));
        fs::write(&file, "+0\n").unwrap();
        recoveries.push(field.recovered().await);
        field.goes_on_for(3).await;
    }
    field.both_ready().await;
    field.account("the clock of both replicas jumps for 15 s", 4, &recoveries, &seen.join("; ")).await;
}

/// A group of processes with so much memory, if this machine lets one be made.
struct Group(PathBuf);

impl Group {
    fn new(number: usize) -> Option<Self> {
        let name = format!("domicile-torture-{}-{number}", std::process::id());
        for (root, limit) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let path = Path::new(root).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self(path);
            if fs::write(group.0.join(limit), LIMIT.to_string()).is_ok() {
                return Some(group);
            }
        }
        None
    }

    fn take(&self, pid: i32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

async fn memory_is_limited(plane: &'static Plane) {
    let groups = [Group::new(0), Group::new(1)];
    let [Some(first), Some(second)] = groups else {
        println!("SKIPPED: this machine lets no limit of memory be set; the table has what was taken");
        return;
    };
    let mut field = Field::up(plane, "memory").await;
    first.take(field.replicas[0].pid());
    second.take(field.replicas[1].pid());
    field.goes_on_for(Duration::from_secs(30).as_secs()).await;
    let recovery = field.recovered().await;
    field.account("a limit of 96 MiB of memory for each replica", 1, &[recovery], "").await;
    drop(field);
}
