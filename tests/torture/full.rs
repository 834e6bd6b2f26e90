//! Disks that are full: the one that etcd is on, and the one that a replica writes its log to.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::field::Field;
use crate::load::Outcome;
use crate::plane::{Component, Plane, Trials};

/// Room beside what etcd has already, in MiB. Its journal takes 64 at a time.
const ROOM: u64 = 96;

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("full");
    if crate::asked().is_none() {
        return trials;
    }
    trials
        .alone("the_disk_of_etcd_is_full", the_disk_of_etcd_is_full)
        .alone("no_log_can_be_written", no_log_can_be_written)
}

/// A small disk that etcd's data is moved to. Dropped, it gives them back, and etcd is stopped; whoever comes next starts it.
struct Disk {
    plane: &'static Plane,
    at: PathBuf,
}

impl Disk {
    async fn under_etcd(plane: &'static Plane) -> Self {
        let disk = Self { plane, at: plane.folder().join("disk") };
        let data = disk.data();
        plane.stop(Component::Etcd);
        fs::create_dir(&disk.at).unwrap();
        let taken = run("du", &["-sm", &data]);
        let taken: u64 = taken.split_whitespace().next().unwrap().parse().unwrap();
        let size = format!("size={}m", taken + ROOM);
        run("mount", &["-t", "tmpfs", "-o", &size, "none", disk.at.to_str().unwrap()]);
        run("mv", &[&data, disk.at.join("etcd").to_str().unwrap()]);
        std::os::unix::fs::symlink("disk/etcd", &data).unwrap();
        plane.restart(Component::Etcd).await;
        disk
    }

    fn data(&self) -> String {
        self.plane.folder().join("etcd").display().to_string()
    }

    fn fill(&self) {
        // It ends when there is no room left, and says so.
        let filler = format!("of={}", self.at.join("filler").display());
        let status = Command::new("dd").args(["if=/dev/zero", &filler, "bs=64k", "status=none"]).output();
        assert!(!status.unwrap().status.success(), "the disk is not full");
    }

    fn clear(&self) {
        fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.plane.stop(Component::Etcd);
        let _ = fs::remove_file(self.data());
        // Nothing here may panic while a panic unwinds.
        let _ = Command::new("mv").arg(self.at.join("etcd")).arg(self.data()).status();
        let _ = Command::new("umount").arg(&self.at).status();
        let _ = fs::remove_dir(&self.at);
    }
}

/// What a program of the system has said.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?} (disks are made as root): {said}");
    String::from_utf8(output.stdout).unwrap()
}

async fn the_disk_of_etcd_is_full(plane: &'static Plane) {
    let disk = Disk::under_etcd(plane).await;
    let mut field = Field::up(plane, "disk").await;
    field.excuse();
    disk.fill();
    field.goes_on_for(20).await;
    let ended = plane.has_ended(Component::Etcd);
    let stores = field.stores().await;
    assert!(!stores, "something was stored on a disk without room");
    disk.clear();
    plane.heal().await;
    let recovery = field.recovered().await;
    field.both_ready().await;
    field.goes_on_for(5).await;
    let note = if ended { "etcd ended of it, and was started again" } else { "etcd went on by itself" };
    field.account("the disk of etcd is full for 20 s", 1, &[recovery], note).await;
    drop(field);
    drop(disk);
    plane.heal().await;
}

/// A line of the log that cannot be written is lost, and nothing else.
async fn no_log_can_be_written(plane: &'static Plane) {
    let full = "exec >/dev/full 2>&1".to_owned();
    let mut field = Field::with(plane, "no-log", &[], [full.clone(), full]).await;
    field.goes_on_for(15).await;
    assert_eq!(field.dry_run().await, (Outcome::Admitted, Outcome::Denied));
    for replica in &field.replicas {
        let metrics = crate::stand::metrics(replica.ports.metrics);
        let panics = metrics.lines().find(|line| line.contains("\"panic\"") && !line.ends_with(" 0"));
        assert_eq!(panics, None, "a review has failed");
        assert!(metrics.contains("domicile_cache_synced 1"), "it hears no more");
        assert_eq!(replica.output(), "", "something was written");
    }
    field.both_ready().await;
    field.account("the disk that both replicas write their logs to is full (/dev/full)", 1, &[], "").await;
}
