//! A clock that jumps. What the machine lacks for it is said, and the test is none then.

use std::fs;
use std::path::Path;

use crate::field::Field;
use crate::plane::{Plane, Trials};

/// Where distributions keep it.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("clock");
    if crate::asked().is_none() {
        return trials;
    }
    trials.alone("the_clock_jumps", the_clock_jumps)
}

async fn the_clock_jumps(plane: &'static Plane) {
    let Some(library) = FAKETIME.iter().find(|path| Path::new(path).exists()) else {
        println!("SKIPPED: libfaketime is not there (apt-get install faketime)");
        return;
    };
    let file = plane.folder().join("clock");
    fs::write(&file, "+0\n").unwrap();
    // Time that is measured goes on: no clock of that kind jumps.
    let prelude = format!(
        "export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE='{}' FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1",
        file.display()
    );
    let mut field = Field::with(plane, "clock", &[], [prelude.clone(), prelude]).await;
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
