//! The power goes: what a file system has on its disk at some instant is all there is, and the page cache is gone.
//!
//! Log and lake lie on ext4 in a file. The service is stopped in the middle of its work and the file is copied: that is
//! what the disk holds at that instant, since nothing but a sync brings anything to it within these minutes. The copy is
//! mounted, which replays its journal, and a service starts on it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rand::RngExt;

use crate::disk::{Mount, run, start_injected};
use crate::host::{Host, Process};
use crate::kills::chance;
use crate::load::Load;
use crate::record::Record;
use crate::support::wait;

/// An ext4 file system in a file.
struct Disk {
    file: PathBuf,
    mount: Mount,
}

impl Disk {
    fn new(host: &Host, name: &str) -> Disk {
        let file = host.path(&format!("{name}.img"));
        run(Command::new("truncate").args(["-s", "64M"]).arg(&file));
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&file));
        Disk::mounted(host, name, file)
    }

    fn mounted(host: &Host, name: &str, file: PathBuf) -> Disk {
        let image = file.to_str().expect("a path in UTF-8");
        // The journal is not to be written by itself.
        let mount = Mount::new(host.path(name), &["-o", "loop,commit=300", image]);
        Disk { file, mount }
    }

    /// What the disk holds now, as a disk of its own.
    fn copied(&self, host: &Host, name: &str) -> Disk {
        let copy = host.path(&format!("{name}.img"));
        let is_same = || {
            let compared = Command::new("cmp")
                .arg("-s")
                .arg(&self.file)
                .arg(&copy)
                .status();
            compared.expect("running cmp").success()
        };
        wait("a copy with no write in between", || {
            run(Command::new("cp")
                .arg("--sparse=always")
                .arg(&self.file)
                .arg(&copy));
            is_same()
        });
        Disk::mounted(host, name, copy)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.mount.0.join(name)
    }
}

/// Returns once none of its threads runs or is inside a system call.
fn freeze(service: &Process) {
    service.signal("-STOP");
    let is_stopped = |task: PathBuf| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        state.is_none_or(|state| "TtZX".contains(state))
    };
    let tasks = PathBuf::from(format!("/proc/{}/task", service.pid()));
    wait("all threads to stop", || {
        let mut tasks = fs::read_dir(&tasks).expect("the service's threads");
        tasks.all(|task| is_stopped(task.expect("a thread").path()))
    });
}

/// What was acknowledged before the power went, and a host on what the disk held.
fn cut(
    host: &Host,
    disk: &Disk,
    service: &Process,
    load: &Load,
    name: &str,
) -> (Record, Host, Disk) {
    let record = load.record();
    freeze(service);
    let copy = disk.copied(host, name);
    let mut after = Host::new();
    after.wal = copy.path("wal");
    after.lake = copy.path("lake");
    (record, after, copy)
}

fn host_on(disk_of: impl FnOnce(&Host) -> Disk) -> (Host, Disk) {
    let mut host = Host::new();
    let disk = disk_of(&host);
    host.wal = disk.path("wal");
    host.lake = disk.path("lake");
    (host, disk)
}

#[test]
fn power_loss_loses_nothing_acknowledged_and_doubles_nothing() {
    let mut chance = chance();
    let (host, disk) = host_on(|host| Disk::new(host, "disk"));
    let load = Load::start();
    let service = host.start();
    load.to(&service);
    for number in 1..=4 {
        load.wait_accepted(30);
        thread::sleep(Duration::from_millis(chance.random_range(0..400)));
        let (record, after, copy) = cut(&host, &disk, &service, &load, &format!("cut-{number}"));
        service.signal("-CONT");
        after.drain();
        record.check(&format!("power loss {number}"), &after);
        drop(copy);
    }
    load.pause();
    service.kill();
    load.finish();
}

/// Without syncs the same test must lose something, or it would show nothing.
#[test]
fn power_loss_without_syncs_does_lose() {
    let (host, disk) = host_on(|host| Disk::new(host, "disk"));
    let faked = [
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        "inject=fsync,fdatasync:retval=0",
    ];
    let service = start_injected(&host, &faked);
    let load = Load::start();
    load.to(&service);
    load.wait_accepted(100);
    let (record, after, copy) = cut(&host, &disk, &service, &load, "cut");
    service.kill();
    load.pause();
    load.finish();
    after.drain();
    let verdict = record.compare(
        "power loss with syncs faked (the control, which must lose)",
        &after,
    );
    assert!(!verdict.lost.is_empty());
    drop(copy);
}

/// A process that dies between a commit's appearance and its sync leaves one that can be read and is not durable yet. The
/// next start must not take the log's word for stored because of it.
#[test]
fn a_commit_found_after_a_kill_is_synced_before_the_log_goes() {
    let mut host = Host::new();
    let (log_disk, lake_disk) = (Disk::new(&host, "log"), Disk::new(&host, "lake-disk"));
    host.wal = log_disk.path("wal");
    host.lake = lake_disk.path("lake");
    // All that is accepted is one commit, made when the service stops.
    host.flush_interval = "1h";
    // The table is there, so that the next commit is of deliveries.
    host.drain();
    let commits = host.lake.join("events/_delta_log");
    let commits = commits.to_str().expect("a path in UTF-8");
    let kill = [
        "-e",
        "trace=fsync",
        "-e",
        "inject=fsync:signal=KILL",
        "-P",
        commits,
    ];
    let mut service = start_injected(&host, &kill);
    let load = Load::start();
    load.to(&service);
    load.wait_accepted(50);
    load.pause();
    let record = load.finish();
    service.signal("-TERM");
    assert_eq!(service.wait_end().signal(), Some(9), "{}", service.log());
    // Nothing is committed by this start, so nothing else brings the commit to the disk.
    host.drain();
    let (log_copy, lake_copy) = (
        log_disk.copied(&host, "log-cut"),
        lake_disk.copied(&host, "lake-cut"),
    );
    let mut after = Host::new();
    after.wal = log_copy.path("wal");
    after.lake = lake_copy.path("lake");
    after.drain();
    record.check("killed before a commit's sync, then power loss", &after);
}
