//! Disks that fail: writes and syncs that return errors, and room that runs out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::{Host, Process};
use crate::load::Load;
use crate::support::wait;

/// The service with faults injected into its system calls.
pub fn start_injected(host: &Host, arguments: &[&str]) -> Process {
    let trace = host.path("strace.txt");
    let trace = trace.to_str().expect("a path in UTF-8");
    let strace = ["strace", "-D", "-f", "-qq", "-o", trace];
    host.start_with(host.command(&[&strace, arguments].concat()))
}

/// A disk error of the log from the 20th call on: the service ends, and the next start stores what was acknowledged.
fn check_ends(call: &str, error: &str, said: &str) {
    let host = Host::new();
    let inject = format!("inject={call}:error={error}:when=20+");
    let mut service = start_injected(&host, &["-e", &format!("trace={call}"), "-e", &inject]);
    let load = Load::start();
    load.to(&service);
    let status = service.wait_end();
    assert_eq!(status.code(), Some(1), "{}", service.log());
    assert!(service.log().contains(said), "{}", service.log());
    let service = host.start();
    load.to(&service);
    load.wait_accepted(20);
    load.pause();
    service.stop_drained(&host);
    load.finish()
        .check(&format!("{error} from {call} of the log"), &host);
}

#[test]
fn a_failed_sync_of_the_log_ends_the_service_and_loses_nothing() {
    check_ends("fdatasync", "EIO", "syncing the log failed");
    // Room that a file system promised and does not have: the same.
    check_ends("fdatasync", "ENOSPC", "syncing the log failed");
}

#[test]
fn a_failed_write_of_the_log_ends_the_service_and_loses_nothing() {
    check_ends("pwrite64", "EIO", "writing to the log failed");
}

#[test]
fn no_space_for_the_log_is_answered_503_until_there_is_some() {
    let host = Host::new();
    let inject = "inject=pwrite64:error=ENOSPC:when=20..40";
    let service = start_injected(&host, &["-e", "trace=pwrite64", "-e", inject]);
    let load = Load::start();
    load.to(&service);
    wait("refusals", || load.refused() > 5);
    load.wait_accepted(100);
    load.pause();
    service.stop_drained(&host);
    load.finish().check("ENOSPC from writing the log", &host);
}

/// Calls on a file or folder of the lake's fail from the second start on: nothing is released until a start for which
/// they do not.
fn check_not_released(fault: &str, call: &str, place: impl FnOnce(&Path) -> PathBuf) {
    let host = Host::new();
    let load = Load::start();
    let service = host.start();
    load.to(&service);
    load.wait_accepted(20);
    load.pause();
    service.stop_drained(&host);
    let commits = host.lake.join("events/_delta_log");
    let commits = commits.canonicalize().expect("the table's log");
    let place = place(&commits);
    let place = place.to_str().expect("a path in UTF-8");
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error=EIO"));
    let service = start_injected(&host, &["-e", &trace, "-e", &inject, "-P", place]);
    load.to(&service);
    load.wait_accepted(50);
    wait("failures to flush", || {
        service.metric("huggy_etl_flush_failures_total ") > 3
    });
    load.pause();
    assert_eq!(
        service.metric("huggy_etl_flushed_rows_total "),
        0,
        "{}",
        service.log()
    );
    service.kill();
    assert_ne!(host.logs(), [] as [&Path; 0]);
    host.drain();
    load.finish().check(fault, &host);
}

#[test]
fn what_the_lake_could_not_sync_is_not_released() {
    // No commit is durable, though each can be read.
    check_not_released("EIO from fsync of the lake", "fsync", Path::to_path_buf);
}

#[test]
fn a_failed_write_of_the_lake_is_waited_out() {
    // The next entry of the table's log, where it is written before it is put in its place.
    check_not_released("EIO from write of the lake", "write", |commits| {
        let next = fs::read_dir(commits).expect("the table's log").count();
        commits.join(format!("{next:020}.json#1"))
    });
}

/// A file system of its own, unmounted when dropped.
pub struct Mount(pub PathBuf);

impl Mount {
    pub fn new(path: PathBuf, arguments: &[&str]) -> Mount {
        fs::create_dir(&path).expect("a mount point");
        run(Command::new("mount").args(arguments).arg(&path));
        Mount(path)
    }

    /// In memory, of so many MiB.
    fn tmpfs(path: PathBuf, mib: u32) -> Mount {
        Mount::new(
            path,
            &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"],
        )
    }

    /// In a file, of so many MiB, without a reserve for root.
    pub fn ext4(path: PathBuf, mib: u32) -> Mount {
        let image = path.with_extension("img");
        run(Command::new("truncate")
            .arg(format!("-s{mib}M"))
            .arg(&image));
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image));
        Mount::new(
            path,
            &["-o", "loop", image.to_str().expect("a path in UTF-8")],
        )
    }

    /// Takes what room is left, all of it.
    pub fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        // Most of a large one without writing it.
        let most = self.free_mib().saturating_sub(8);
        if most > 0 {
            run(Command::new("fallocate")
                .arg(format!("-l{most}MiB"))
                .arg(&ballast));
        }
        let arguments = [
            "if=/dev/zero",
            "bs=4k",
            "oflag=append",
            "conv=notrunc",
            "status=none",
        ];
        // It ends with an error: that the disk is full.
        let filled = Command::new("dd")
            .args(arguments)
            .arg(format!("of={}", ballast.display()))
            .stderr(Stdio::null())
            .status();
        assert!(!filled.expect("running dd").success());
        ballast
    }

    fn free_mib(&self) -> u64 {
        let printed = Command::new("df")
            .args(["--output=avail", "-BM"])
            .arg(&self.0)
            .output();
        let printed = String::from_utf8(printed.expect("running df").stdout).expect("text");
        let free = printed
            .lines()
            .last()
            .and_then(|line| line.trim().strip_suffix('M'));
        free.and_then(|free| free.parse().ok())
            .expect("a number of MiB")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: what still has it open keeps it until it closes.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Runs a command that must succeed.
#[track_caller]
pub fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

#[test]
fn a_full_disk_of_the_log_is_answered_503_and_drains_after_a_kill() {
    check_full("disk of the log full, tmpfs", |path| Mount::tmpfs(path, 8));
    // Here not even a folder has room.
    check_full("disk of the log full, ext4", |path| Mount::ext4(path, 16));
}

fn check_full(fault: &str, mount: impl FnOnce(PathBuf) -> Mount) {
    let mut host = Host::new();
    let mount = mount(host.path("disk"));
    host.wal = mount.0.join("wal");
    host.flush_interval = "1h";
    let service = host.start();
    let load = Load::padded(20_000);
    load.to(&service);
    wait("the disk to be full", || load.refused() > 20);
    service.kill();
    host.flush_interval = "50ms";
    let ballast = mount.fill();
    // There is no room for anything, and what was accepted is stored all the same.
    let service = host.start();
    load.to(&service);
    wait("room by what was stored", || {
        service.metric("huggy_etl_flushed_rows_total ") > 100
    });
    fs::remove_file(ballast).expect("removing the ballast");
    load.wait_accepted(20);
    load.pause();
    service.stop_drained(&host);
    load.finish().check(fault, &host);
}

#[test]
fn a_full_disk_of_the_lake_is_waited_out() {
    let mut host = Host::new();
    let mount = Mount::tmpfs(host.path("disk"), 8);
    host.lake = mount.0.join("lake");
    let service = host.start();
    let load = Load::start();
    load.to(&service);
    load.wait_accepted(50);
    let ballast = mount.fill();
    wait("failures to flush", || {
        service.metric("huggy_etl_flush_failures_total ") > 2
    });
    load.wait_accepted(50);
    fs::remove_file(ballast).expect("removing the ballast");
    load.wait_accepted(20);
    load.pause();
    service.stop_drained(&host);
    load.finish().check("disk of the lake full", &host);
}
