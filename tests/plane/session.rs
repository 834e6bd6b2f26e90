//! A test binary (`harness = false`) whose tests share one control plane, which is there for the first that needs it
//! and ends after the last.

use std::process::ExitCode;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use parking_lot::RwLock;
use tokio::runtime::Runtime;

use super::{Plane, left_behind};

/// Longer than any test takes: one that hangs shall fail, and the others run.
const LIMIT: Duration = Duration::from_mins(10);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static PLANE: OnceLock<Plane> = OnceLock::new();
/// Read by tests that run beside each other, written by one that wants the control plane for itself.
static TURNS: RwLock<()> = RwLock::new(());

/// The tests of one room: `Trials::of("room").test("name", function)`.
pub(crate) struct Trials {
    room: &'static str,
    trials: Vec<Trial>,
}

impl Trials {
    pub(crate) fn of(room: &'static str) -> Self {
        Self { room, trials: Vec::new() }
    }

    /// A test that runs beside others.
    pub(crate) fn test(self, name: &str, test: impl AsyncFnOnce(&'static Plane) + Send + 'static) -> Self {
        self.add(name, move || {
            let plane = shared();
            let _turn = TURNS.read();
            finish(plane, test)
        })
    }

    /// A test while which no other runs: it stops components, or changes what all others see.
    pub(crate) fn alone(self, name: &str, test: impl AsyncFnOnce(&'static Plane) + Send + 'static) -> Self {
        self.add(name, move || {
            let plane = shared();
            let _turn = TURNS.write();
            finish(plane, test)
        })
    }

    /// A test that needs no control plane.
    pub(crate) fn apart(self, name: &str, test: impl FnOnce() + Send + 'static) -> Self {
        self.add(name, move || {
            test();
            Ok(())
        })
    }

    fn add(mut self, name: &str, test: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Self {
        self.trials.push(Trial::test(format!("{}::{name}", self.room), test));
        self
    }
}

/// The control plane that the tests share. If it does not start, each test says why.
fn shared() -> &'static Plane {
    PLANE.get_or_init(|| RUNTIME.block_on(Plane::start()))
}

fn finish(plane: &'static Plane, test: impl AsyncFnOnce(&'static Plane)) -> Result<(), Failed> {
    let late = |_| Failed::from(format!("not done within {} s", LIMIT.as_secs()));
    let whole = async {
        plane.heal().await;
        test(plane).await;
    };
    RUNTIME.block_on(async { tokio::time::timeout(LIMIT, whole).await }).map_err(late)
}

/// Runs the tests as the arguments ask, ends the control plane, and makes sure that nothing is left of it.
pub(crate) fn run(rooms: Vec<Trials>) -> ExitCode {
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, rooms.into_iter().flat_map(|room| room.trials).collect());
    if let Some(plane) = PLANE.get() {
        plane.end(conclusion.has_failed());
    }
    let left = left_behind(Duration::from_secs(10));
    if !left.is_empty() {
        eprintln!("still running after the tests: {}", left.join(", "));
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
