//! Arguments to command, nothing else.

use std::process::ExitCode;

/// Most of the time of a large audit goes into allocation while parsing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    domicile::cli::run(std::env::args_os())
}
