//! A long run of mixed load with random faults, for `SOAK_DURATION`, and what memory does meanwhile.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;

use crate::host::{Host, Process};
use crate::kills::{chance, setting};
use crate::load::Load;

/// The largest share by which the memory of late starts may exceed that of early ones.
const GROWTH: f64 = 1.3;
/// Fewer samples say nothing of growth.
const LEAST_SAMPLES: usize = 40;

#[test]
fn a_soak_of_random_faults_loses_nothing_doubles_nothing_and_memory_stays_flat() {
    let (seed, length) = (setting("FAULT_SEED", 1), length());
    let mut chance = chance();
    let host = Host::new();
    let load = Load::start();
    let began = Instant::now();
    let end = began + length;
    let report_every = (length / 30).max(Duration::from_secs(5));
    let (mut kills, mut stops, mut pauses) = (0, 0, 0);
    let mut samples: Vec<u64> = Vec::new();
    let mut service = start(&host);
    load.to(&service);
    let mut report_due = began + report_every;
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(chance.random_range(500..6000)));
        samples.extend(resident_kib(&service));
        match chance.random_range(0..4) {
            0 => {
                service.kill();
                service = start(&host);
                load.to(&service);
                kills += 1;
            }
            1 => {
                service.stop();
                service = start(&host);
                load.to(&service);
                stops += 1;
            }
            2 => {
                service.signal("-STOP");
                thread::sleep(Duration::from_millis(chance.random_range(10..1500)));
                service.signal("-CONT");
                pauses += 1;
            }
            _ => {}
        }
        if Instant::now() > report_due {
            report_due += report_every;
            println!(
                "soak: {:>5} s, {} deliveries accepted, {kills} kills, {stops} stops, {pauses} pauses, memory {} MiB",
                began.elapsed().as_secs(),
                load.accepted(),
                samples.last().copied().unwrap_or_default() / 1024
            );
        }
    }
    load.pause();
    service.stop();
    host.drain();
    let fault = format!(
        "soak of {} s with {kills} kills, {stops} stops, {pauses} pauses, seed {seed}",
        length.as_secs()
    );
    load.finish().check(&fault, &host);
    // The facts were derived and interrupted all along.
    host.run(&["transform"]);
    let counted = host.query("SELECT (SELECT count(*) FROM fact_messages) AS messages, (SELECT count(*) FROM events) AS events");
    assert_eq!(counted[0]["messages"], counted[0]["events"]);
    check_flat(&samples);
}

fn length() -> Duration {
    let text = std::env::var("SOAK_DURATION").ok();
    let text = text
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "20s".to_owned());
    humantime::parse_duration(&text).expect("SOAK_DURATION=30m")
}

/// With the transform and the maintenance of the lake at work beside.
fn start(host: &Host) -> Process {
    let mut command = host.command(&[]);
    command
        .env("HUGGY_ETL_TRANSFORM_EVERY", "2s")
        .env("HUGGY_ETL_MAINTAIN_EVERY", "7s")
        .env("HUGGY_ETL_FLUSH_INTERVAL", "500ms");
    host.start_with(command)
}

fn resident_kib(service: &Process) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn check_flat(samples: &[u64]) {
    let mean = |samples: &[u64]| samples.iter().sum::<u64>() / 1024 / samples.len().max(1) as u64;
    let third = samples.len() / 3;
    let [early, middle, late] =
        [0, 1, 2].map(|part| mean(&samples[part * third..(part + 1) * third]));
    let most = samples.iter().max().copied().unwrap_or_default() / 1024;
    println!(
        "soak: memory of the first, second, last third: {early}, {middle}, {late} MiB, at most {most} MiB"
    );
    if samples.len() >= LEAST_SAMPLES {
        assert!(late as f64 <= middle as f64 * GROWTH, "memory grows");
    }
}
