//! A clock that jumps: of both replicas, or of one of them alone. Exceptions and dated places count by the clock of whoever
//! judges.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::direct::admits;
use crate::field::Field;
use crate::load::{Outcome, binding};
use crate::plane::{Plane, Trials};
use crate::stand::{KEY, VIRGINIA};

/// Where distributions keep it.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];
const HOUR: i64 = 3600;
/// What is written for the library, and the seconds that it means.
const JUMPS: [(&str, i64); 4] =
    [("+2h", 2 * HOUR), ("-2h", -2 * HOUR), ("+400d", 400 * 24 * HOUR), ("-400d", -400 * 24 * HOUR)];
const NO_JUMP: (&str, i64) = ("+0", 0);

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("clock");
    if crate::asked().is_none() {
        return trials;
    }
    trials.alone("it_jumps", it_jumps).alone("it_jumps_for_one_replica_alone", it_jumps_for_one)
}

/// The clocks of the replicas, each told by a file.
struct Clocks([PathBuf; 2]);

impl Clocks {
    fn new(plane: &Plane) -> Self {
        Self([0, 1].map(|number| {
            let file = plane.folder().join(format!("clock-{number}"));
            fs::write(&file, "+0\n").unwrap();
            file
        }))
    }

    /// Has a replica live by them. Time that is measured goes on: no clock of that kind jumps.
    fn preludes(&self) -> [String; 2] {
        let library = FAKETIME.iter().find(|path| Path::new(path).exists());
        let library = library.expect("libfaketime is there (make need-faketime)");
        self.0.each_ref().map(|file| {
            format!(
                "export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE='{}' FAKETIME_NO_CACHE=1 \
                 FAKETIME_DONT_FAKE_MONOTONIC=1",
                file.display()
            )
        })
    }

    fn jump(&self, replica: usize, (text, _): (&str, i64)) {
        // In one piece: it is read all the time.
        let new = self.0[replica].with_extension("new");
        fs::write(&new, format!("{text}\n")).unwrap();
        fs::rename(new, &self.0[replica]).unwrap();
    }
}

/// Pods abroad, and when each may be there: until an hour before or after the trial began, or from then on.
struct Dated {
    sort: &'static str,
    from: Option<i64>,
    until: Option<i64>,
}

const DATED: [Dated; 4] = [
    Dated { sort: "ended", from: None, until: Some(-HOUR) },
    Dated { sort: "running", from: None, until: Some(HOUR) },
    Dated { sort: "dated", from: Some(-HOUR), until: Some(HOUR) },
    Dated { sort: "coming", from: Some(HOUR), until: None },
];

impl Dated {
    /// Whether one may be there by a clock that is so many seconds off.
    fn may_be(&self, off: i64) -> bool {
        self.from.is_none_or(|from| from <= off) && self.until.is_none_or(|until| off < until)
    }

    /// Two are by an exception from the policy of the load, and two by a place of a policy of their own.
    fn grant(&self) -> Value {
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        let at = |seconds| (now + SignedDuration::from_secs(seconds)).to_string();
        if self.from.is_none() {
            return json!({
                "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
                "metadata": {"name": self.sort},
                "spec": {"policies": ["eu-personal"], "objectSelector": {"matchLabels": {"dated": self.sort}},
                         "allow": [{"jurisdictions": ["US"]}], "reason": "tried", "until": self.until.map(at)},
            });
        }
        let mut place = json!({"jurisdictions": ["US"], "from": self.from.map(at)});
        if let Some(until) = self.until {
            place["until"] = json!(at(until));
        }
        json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": self.sort},
            "spec": {"classifications": [self.sort], "allow": [place]},
        })
    }

    fn pod(&self, namespace: &str, name: &str) -> Value {
        let carried = if self.from.is_none() { "personal" } else { self.sort };
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "annotations": {KEY: carried},
                         "labels": {"dated": self.sort}},
            "spec": {"schedulerName": "mine", "containers": [{"name": "app", "image": "none"}],
                     "nodeSelector": {"topology.kubernetes.io/region": "us-east-1"}},
        })
    }
}

/// What both replicas, with clocks that are so far off, must say of everything that is dated; nothing if they do.
async fn wrong(field: &Field, off: [i64; 2]) -> Vec<String> {
    let mut wrong = Vec::new();
    for dated in &DATED {
        let pod = dated.pod(&field.namespace, "probe");
        for (replica, off) in field.replicas.iter().zip(off) {
            let said = admits(replica, &pod).await;
            if said != Some(dated.may_be(off)) {
                wrong.push(format!("{} at {off} s: {said:?}", dated.sort));
            }
        }
        // One of them is asked by the API server.
        let right = off.map(|off| if dated.may_be(off) { Outcome::Admitted } else { Outcome::Denied });
        let said = field.post(&format!("{}?dryRun=All", field.pods()), &pod).await;
        if said != Outcome::Failed && !right.contains(&said) {
            wrong.push(format!("{} at {off:?} s, by the API server: {said:?}", dated.sort));
        }
    }
    wrong
}

/// As [`wrong`], again and again for so long. How often it was asked.
async fn goes_by_its_clock(field: &Field, off: [i64; 2], seconds: u64) -> usize {
    let begun = Instant::now();
    let mut asked = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        let wrong = wrong(field, off).await;
        assert!(wrong.is_empty(), "not by its own clock: {wrong:?}");
        asked += 3 * DATED.len();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    asked
}

async fn up(plane: &'static Plane, name: &str) -> (Clocks, Field) {
    let clocks = Clocks::new(plane);
    let field = Field::with(plane, name, &[], clocks.preludes()).await;
    for dated in &DATED {
        field.apply(&dated.grant().to_string());
    }
    let begun = Instant::now();
    while !wrong(&field, [0, 0]).await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", wrong(&field, [0, 0]).await);
        field.goes_on_for(1).await;
    }
    (clocks, field)
}

async fn it_jumps(plane: &'static Plane) {
    let (clocks, mut field) = up(plane, "clock").await;
    let (mut recoveries, mut asked) = (Vec::new(), 0);
    for jump in JUMPS {
        let waits = |dated: &Dated| format!("{}{}-{}", dated.sort, jump.1, "waits").replace('-', "m");
        for dated in DATED.iter().filter(|dated| dated.may_be(0)) {
            let pod = dated.pod(&field.namespace, &waits(dated));
            assert_eq!(field.post(&field.pods(), &pod).await, Outcome::Admitted);
        }
        for number in [0, 1] {
            clocks.jump(number, jump);
        }
        asked += goes_by_its_clock(&field, [jump.1; 2], 14).await;
        // What was made in time is bound by the clock of that moment, too.
        for dated in DATED.iter().filter(|dated| dated.may_be(0) && !dated.may_be(jump.1)) {
            let (name, path) = (waits(dated), field.pods());
            let bound = field.post(&format!("{path}/{name}/binding"), &binding(&json!(name), VIRGINIA)).await;
            assert_ne!(bound, Outcome::Admitted, "{name} was bound");
        }
        for number in [0, 1] {
            clocks.jump(number, NO_JUMP);
        }
        recoveries.push(field.recovered().await);
        asked += goes_by_its_clock(&field, [0, 0], 3).await;
    }
    field.both_ready().await;
    let note = format!(
        "exceptions and dated places count by that clock, asked {asked} times, at two hours and 400 days before and after"
    );
    field.account("the clock of both replicas jumps for 15 s", JUMPS.len(), &recoveries, &note).await;
}

/// Each goes by its own, and who leads is none of the clock's business.
async fn it_jumps_for_one(plane: &'static Plane) {
    let (clocks, mut field) = up(plane, "one-clock").await;
    let (mut recoveries, mut asked) = (Vec::new(), 0);
    let leader = field.leader().await;
    for (round, jump) in JUMPS.into_iter().chain(JUMPS).enumerate() {
        // First the one that leads, then the other one.
        let number = if round < JUMPS.len() { leader } else { 1 - leader };
        clocks.jump(number, jump);
        let mut off = [0, 0];
        off[number] = jump.1;
        asked += goes_by_its_clock(&field, off, 8).await;
        clocks.jump(number, NO_JUMP);
        recoveries.push(field.recovered().await);
        asked += goes_by_its_clock(&field, [0, 0], 2).await;
    }
    field.both_ready().await;
    field.leader().await;
    let note = format!("each judges by its own, asked {asked} times; one of them leads as ever");
    field.account("the clock of one replica jumps for 8 s", 2 * JUMPS.len(), &recoveries, &note).await;
}
