//! The process ends: at every step of its work, and at random instants.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::host::Host;
use crate::load::Load;
use crate::support::{repository, setting, wait};

/// So many are killed, each once the lease of the one before has run out.
const MAINTAINERS: u32 = 3;
const MAINTAIN: [&str; 3] = ["maintain", "--vacuum-older-than", "0s"];

/// The places at which a process can be made to end, in the order a delivery comes to them.
const FAILPOINTS: [&str; 18] = [
    "accept",
    "segment-create",
    "segment-created",
    "wal-write",
    "wal-written",
    "wal-synced",
    "accepted",
    "flush",
    "append",
    "object-staged",
    "object-linked",
    "object-put",
    "files-written",
    "committed",
    "flushed",
    "segment-remove",
    "segment-removed",
    "log-remove",
];

/// How often a start comes to these is not in our hand.
const RARE: [&str; 5] = [
    "segment-create",
    "segment-created",
    "segment-remove",
    "segment-removed",
    "log-remove",
];

pub fn chance() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(setting("FAULT_SEED", 1))
}

#[test]
fn an_end_at_any_step_loses_nothing_and_doubles_nothing() {
    let mut chance = chance();
    let host = Host::new();
    let load = Load::start();
    // Every end leaves a log behind, so that there is one to remove.
    load.to(&host.start());
    for point in FAILPOINTS {
        let nth = if RARE.contains(&point) {
            1
        } else {
            chance.random_range(1..=6)
        };
        let mut command = host.command(&[]);
        command.env("FAILPOINT", format!("{point}:{nth}"));
        let mut service = host.launch(command);
        // It may end before it is ready.
        wait("the service to be ready or to end", || {
            service.addresses().is_some() || service.ended().is_some()
        });
        if let Some((webhook, _)) = service.addresses() {
            load.to_url(webhook);
        }
        service.wait_abort();

        let service = host.start();
        load.to(&service);
        load.wait_accepted(20);
        load.pause();
        service.stop_drained(&host);
        load.record()
            .check(&format!("ended at {point}, time {nth}"), &host);

        let service = host.start();
        load.to(&service);
        load.wait_accepted(5);
        service.kill();
    }
    load.pause();
    host.drain();
    load.finish().check("ended at every step", &host);
}

#[test]
fn every_failpoint_in_the_source_is_tried() {
    let mut found = BTreeSet::new();
    for folder in ["crates/ingest/src", "crates/lake/src"] {
        collect(&repository().join(folder), &mut found);
    }
    assert_eq!(found, FAILPOINTS.map(str::to_owned).into());
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            let source = fs::read_to_string(&path).expect("a source");
            let uses = source.split("failpoint!(\"").skip(1);
            found.extend(uses.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
}

#[test]
fn kills_at_random_instants_lose_nothing_and_double_nothing() {
    let (seed, kills) = (setting("FAULT_SEED", 1), setting("FAULT_KILLS", 30));
    let mut chance = chance();
    let host = Host::new();
    let load = Load::start();
    for kill in 1..=kills {
        // From the process's first instant on: also in the middle of starting, or of storing what was left.
        let end = Instant::now() + Duration::from_millis(chance.random_range(0..1500));
        let mut command = host.command(&[]);
        if chance.random_ratio(1, 3) {
            command.env("HUGGY_ETL_TRANSFORM_EVERY", "200ms");
        }
        if chance.random_ratio(1, 3) {
            command.env("HUGGY_ETL_MAINTAIN_EVERY", "300ms");
        }
        let service = host.launch(command);
        let mut is_told = false;
        while Instant::now() < end {
            if !is_told && let Some((webhook, _)) = service.addresses() {
                load.to_url(webhook);
                is_told = true;
            }
            thread::sleep(Duration::from_millis(2));
        }
        service.kill();
        if kill % 50 == 0 && kill < kills {
            load.pause();
            host.drain();
            load.record()
                .check(&format!("{kill} kills so far, seed {seed}"), &host);
        }
    }
    load.pause();
    host.drain();
    load.finish().check(
        &format!("{kills} kills at random instants, seed {seed}"),
        &host,
    );
}

/// The lease of one that was killed runs out, and the next takes over, whatever that was doing.
#[test]
fn maintainers_killed_at_random_instants_lose_and_double_nothing_and_are_followed_by_the_next() {
    let mut chance = chance();
    let host = Host::new();
    let load = Load::start();
    let service = host.start();
    load.to(&service);
    for _ in 0..MAINTAINERS {
        load.wait_accepted(60);
        wait("a maintainer to be killed at its work", || {
            let mut command = host.other(&MAINTAIN);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut maintainer = command.spawn().expect("starting a maintainer");
            thread::sleep(Duration::from_millis(chance.random_range(300..1200)));
            // One that is turned away has ended by itself, and so has one that was quick.
            let is_at_work = maintainer.try_wait().expect("its state").is_none();
            let _ = maintainer.kill();
            maintainer.wait().expect("its end");
            is_at_work
        });
    }
    load.pause();
    let killed_at = Instant::now();
    wait("a maintainer to take over", || {
        let maintained = host.other(&MAINTAIN).output();
        maintained.expect("running the binary").status.success()
    });
    let taken_over = killed_at.elapsed();
    service.stop_drained(&host);
    load.finish().check(
        &format!("{MAINTAINERS} maintainers killed at random instants, the last followed within {taken_over:.0?}"),
        &host,
    );
    host.run(&["transform"]);
    host.run(&["verify", "--full"]);
}
