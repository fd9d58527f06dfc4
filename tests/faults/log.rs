//! The write-ahead log's files: torn, flipped, restored from a copy, copied to a second host, wanted by two processes.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Command;

use rand::RngExt;
use serde_json::Value;

use crate::frames::{Frame, HEADER_BYTES, flip, only_segment};
use crate::host::Host;
use crate::kills::chance;
use crate::load::Load;
use crate::record::Record;
use crate::support::wait;

/// A log of at least so many acknowledged deliveries that nobody has stored yet, as a kill leaves it.
fn left_behind(deliveries: usize) -> (Host, Record) {
    let mut host = Host::new();
    host.flush_interval = "1h";
    let service = host.start();
    let load = Load::start();
    load.to(&service);
    load.wait_accepted(deliveries);
    load.pause();
    let record = load.finish();
    service.kill();
    host.flush_interval = "50ms";
    (host, record)
}

/// Damages the frames, after which exactly they are lost, and each is told of.
#[track_caller]
fn check(fault: &str, damage: impl FnOnce(&Path, &[Frame]) -> Vec<Frame>) {
    let (host, record) = left_behind(60);
    let (segment, frames) = only_segment(&host.logs());
    let hit = damage(&segment, &frames);
    let log = host.drain();
    let verdict = record.compare(&format!("{fault}, {} frames hit", hit.len()), &host);
    let acknowledged: BTreeSet<u64> = record.deliveries().collect();
    let expected = hit
        .iter()
        .map(|frame| frame.delivery)
        .filter(|delivery| acknowledged.contains(delivery));
    assert_eq!(
        (verdict.lost, verdict.doubled),
        (expected.collect(), 0),
        "{log}"
    );
    let told: BTreeSet<u64> = log.lines().filter_map(damaged_byte).collect();
    // What lies side by side is one stretch.
    let follows = |frame: &Frame| hit.iter().any(|other| other.bytes.end == frame.bytes.start);
    let stretches = hit.iter().filter(|frame| !follows(frame));
    assert_eq!(
        told,
        stretches.map(|frame| frame.bytes.start as u64).collect(),
        "{log}"
    );
}

/// Where the damage lies of which a line of the service's log tells.
fn damaged_byte(line: &str) -> Option<u64> {
    let entry: Value = serde_json::from_str(line).ok()?;
    assert!(entry["kept_in"].is_null() || Path::new(entry["kept_in"].as_str()?).exists());
    entry["byte_offset"].as_u64()
}

#[test]
fn a_torn_tail_costs_the_last_delivery_and_is_told() {
    for kept in [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 50] {
        check(
            &format!("log torn {kept} bytes into its last frame"),
            |segment, frames| {
                let last = frames.last().expect("a frame").clone();
                let file = OpenOptions::new()
                    .write(true)
                    .open(segment)
                    .expect("the segment");
                file.set_len((last.bytes.start + kept) as u64)
                    .expect("cutting the segment");
                vec![last]
            },
        );
    }
}

#[test]
fn a_flipped_bit_in_the_tail_costs_the_last_delivery_and_is_told() {
    // Of each field, and of the length a low bit and a high one.
    for (field, byte, bit) in [
        ("magic", 0, 3),
        ("length", 4, 0),
        ("length", 7, 6),
        ("offset", 8, 5),
        ("checksum", 17, 1),
        ("time", 20, 2),
        ("body", HEADER_BYTES + 40, 4),
    ] {
        check(
            &format!("bit flipped in the {field} of the last frame"),
            |segment, frames| {
                let last = frames.last().expect("a frame").clone();
                flip(segment, last.bytes.start + byte, bit);
                vec![last]
            },
        );
    }
}

#[test]
fn flipped_bits_in_the_middle_cost_the_deliveries_hit_and_are_told() {
    let mut chance = chance();
    check(
        "bits flipped in the middle of the log",
        |segment, frames| {
            let step = frames.len() / 6;
            let hit: Vec<Frame> = frames
                .iter()
                .skip(2)
                .step_by(step)
                .take(5)
                .cloned()
                .collect();
            for frame in &hit {
                flip(
                    segment,
                    chance.random_range(frame.bytes.clone()),
                    chance.random_range(0..8),
                );
            }
            hit
        },
    );
}

/// As a file system leaves it that lost what was written last of some blocks.
#[test]
fn a_log_torn_in_the_middle_costs_the_deliveries_hit_and_is_told() {
    check(
        "a stretch of the middle of the log zeroed, from within a frame into the third after it",
        |segment, frames| {
            let hit = &frames[20..23];
            let mut bytes = fs::read(segment).expect("the segment");
            bytes[hit[0].bytes.start + HEADER_BYTES + 30..hit[2].bytes.start + 10].fill(0);
            fs::write(segment, bytes).expect("writing the segment");
            hit.to_vec()
        },
    );
}

#[test]
fn a_log_restored_from_an_older_copy_loses_nothing_and_doubles_nothing() {
    let host = Host::new();
    let load = Load::start();
    let copy = host.path("copy");
    let service = host.start();
    load.to(&service);
    load.wait_accepted(100);
    // While it is written and flushed: the copy has what is stored by now, and what is not.
    copy_folder(&host.wal, &copy);
    load.wait_accepted(100);
    load.pause();
    service.stop_drained(&host);
    for _ in 0..2 {
        fs::remove_dir_all(&host.wal).expect("removing the log");
        copy_folder(&copy, &host.wal);
        let service = host.start();
        load.to(&service);
        load.wait_accepted(50);
        load.pause();
        service.stop_drained(&host);
    }
    load.finish()
        .check("log restored twice from an older copy", &host);
}

#[test]
fn two_hosts_started_from_one_copy_of_a_log_lose_nothing_and_double_nothing() {
    let (host, record) = left_behind(200);
    let second = host.beside();
    copy_folder(&host.wal, &second.wal);
    // Small batches, so that both are in the middle of the same log.
    let started = [&host, &second].map(|host| {
        let mut command = host.command(&[]);
        command.env("HUGGY_ETL_FLUSH_ROWS", "40");
        host.launch(command)
    });
    let loads = started.map(|mut service| {
        service.wait_ready();
        let load = Load::start();
        load.to(&service);
        (service, load)
    });
    let mut record = record;
    for (_, load) in &loads {
        load.wait_accepted(30);
        load.pause();
    }
    for ((service, load), host) in loads.into_iter().zip([&host, &second]) {
        service.stop_drained(host);
        record = record.and(load.finish());
    }
    record.check("two hosts started from one copy of a log", &host);
}

#[test]
fn a_second_process_on_a_log_refuses_to_start_and_says_why() {
    let host = Host::new();
    let service = host.start();
    let load = Load::start();
    load.to(&service);
    load.wait_accepted(20);
    let mut second = host.launch(host.command(&[]));
    wait("the second to end", || second.ended().is_some());
    assert_eq!(second.wait_end().code(), Some(3));
    let said = format!("belongs to process {}", service.pid());
    assert!(second.log().contains(&said), "{}", second.log());
    load.wait_accepted(20);
    load.pause();
    service.stop_drained(&host);
    load.finish().check("a second process on the log", &host);
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
    // A file that is removed meanwhile is not in the copy.
    copied.expect("copying");
    let logs = fs::read_dir(to).expect("the copy");
    let mut files = logs.flat_map(|log| {
        fs::read_dir(log.expect("a log").path())
            .into_iter()
            .flatten()
    });
    assert!(
        files.any(|file| file.is_ok_and(|file| file.metadata().is_ok_and(|file| file.len() > 0))),
        "nothing was copied"
    );
}
