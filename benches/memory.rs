//! What the state of a large cluster holds in memory: `cargo bench --bench memory`.
//!
//! The objects come one at a time, as watches bring them, so that only the state stays. The process asks both its
//! allocator (bytes that are held) and the system (pages that are resident, with what the allocator keeps for later).

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

mod data;

use cap::Cap;
use domicile::cluster::{Settings, State};
use domicile::objects::Object;

#[global_allocator]
static ALLOCATOR: Cap<mimalloc::MiMalloc> = Cap::new(mimalloc::MiMalloc, usize::MAX);

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}

/// Bytes in mebibytes, with two digits.
fn mib(bytes: usize) -> String {
    format!("{}.{:02}", bytes >> 20, ((bytes & 0xf_ffff) * 100) >> 20)
}

fn main() {
    let (held, there) = (ALLOCATOR.allocated(), resident());
    let mut state = State::new(Settings::default());
    let mut last = (held, there);
    let mut tell = |what: &str| {
        let now = (ALLOCATOR.allocated(), resident());
        println!(
            "{what:<34} {:>7} MiB held, {:>7} MiB resident",
            mib(now.0 - last.0),
            mib(now.1.saturating_sub(last.1))
        );
        last = now;
    };
    tell("catalog");
    let mut objects = data::everything().peekable();
    let mut fill = |what: &str, is_next: fn(&Object) -> bool| {
        while let Some(object) = objects.next_if(is_next) {
            state.apply(object);
        }
        tell(what);
    };
    fill("40 policies", |object| matches!(object, Object::Policy(_)));
    fill("200 namespaces, 4 storage classes", |object| !matches!(object, Object::Node(_)));
    fill("5,000 nodes", |object| matches!(object, Object::Node(_)));
    fill("50,000 claims and their volumes", |object| !matches!(object, Object::Pod(_)));
    fill("100,000 pods", |_| true);
    println!(
        "{:<34} {:>7} MiB held, {:>7} MiB resident",
        "the whole state",
        mib(ALLOCATOR.allocated() - held),
        mib(resident().saturating_sub(there))
    );
    let before = ALLOCATOR.allocated();
    let copy = state.clone();
    println!("{:<34} {:>7} MiB held", "a copy of it", mib(ALLOCATOR.allocated() - before));
    assert_eq!((state.pods().count(), copy.claims().count()), (data::PODS, data::CLAIMS));
}
