//! A long run of mixed load with random faults, for `SOAK_DURATION`, and what memory does meanwhile.
//!
//! Messages of which a record is kept, some sent again later; the traffic of a simulated company; imports of one file
//! again and again; queries. The service derives facts and maintains the lake, and so do other processes, which are killed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::disk::Mount;
use crate::host::{Host, Process};
use crate::kills::chance;
use crate::load::{Ending, Load};
use crate::record::{CHATS, Record, body};
use crate::support::{bodies, memory_bytes, setting, wait};
use crate::time::{set_clock, with_clock};

/// In the last part of the run the process lives on, so that its memory is seen to grow if it does.
const CALM_PART: f64 = 1.0 / 3.0;
/// The largest share by which memory at the end of the calm part may exceed that in its middle.
const GROWTH: f64 = 1.3;
/// Fewer samples say nothing of growth.
const LEAST_SAMPLES: usize = 40;
/// Deliveries of the company that a second takes at most, and how many a chat has at least.
const POSTED_PER_SECOND: u64 = 30;
const DELIVERIES_PER_CHAT: u64 = 5;
/// What is imported, and under which numbers.
const IMPORTED: u64 = 500;
const FIRST_IMPORTED: u64 = 2_000_000_000;
const QUERIES: [&str; 4] = [
    "wait_times",
    "chat_durations",
    "unanswered_now",
    "data_trust",
];

#[test]
fn a_soak_of_random_faults_loses_nothing_doubles_nothing_and_memory_stays_flat() {
    let (seed, length) = (setting("FAULT_SEED", 1), length());
    let mut host = Host::new();
    let disks = Disks::new(&mut host);
    let traffic = traffic(&host, seed, length);
    fs::write(host.path("imported.ndjson"), imported_lines()).expect("a file to import");
    let mut soak = Soak::start(&host, &disks, Load::mixed(traffic.clone()));
    soak.load.wait_accepted(20);
    host.run(&["transform"]);
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _ending = Ending(&ended);
        scope.spawn(|| query(&host, &ended, &answered));
        soak.run(length);
    });
    let Soak {
        service,
        load,
        faults,
        samples,
        ..
    } = soak;
    // Whatever was not answered has been sent again, and answered.
    let posted = load.posted();
    wait("the company's deliveries", || {
        load.posted() >= (posted + 2).min(traffic.len())
    });
    load.pause();
    service.stop();
    host.drain();
    host.run(&["import", "imported.ndjson"]);
    let faults = faults
        .iter()
        .map(|(fault, count)| format!("{count} {fault}"))
        .collect::<Vec<_>>()
        .join(", ");
    let fault = format!("soak of {} s, seed {seed}: {faults}", length.as_secs());
    let posted = load.posted();
    let padding = load.padding();
    let imported: Vec<u64> = (FIRST_IMPORTED..FIRST_IMPORTED + IMPORTED).collect();
    let record = load.finish().and(Record::of(&imported, padding));
    record.check(&fault, &host);
    host.run(&["transform"]);
    let counted = host.query(&format!(
        "SELECT (SELECT count(*) FROM fact_messages WHERE chat_id < {CHATS}) AS messages, \
         (SELECT count(*) FROM events WHERE chat_id < {CHATS}) AS events"
    ));
    assert_eq!(counted[0]["messages"], counted[0]["events"]);
    check_company(&host, &traffic[..posted]);
    host.run(&["verify", "--full"]);
    println!(
        "soak: {} queries answered beside",
        answered.load(Ordering::Relaxed)
    );
    check_flat(&samples);
}

fn length() -> Duration {
    let text = std::env::var("SOAK_DURATION").ok();
    let text = text
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "20s".to_owned());
    humantime::parse_duration(&text).expect("SOAK_DURATION=30m")
}

/// Disks that can be full, one of the log and one of the lake.
struct Disks {
    log: Mount,
    lake: Mount,
}

impl Disks {
    fn new(host: &mut Host) -> Disks {
        let disks = Disks {
            log: Mount::ext4(host.path("log-disk"), 512),
            // Takes room only as it is used.
            lake: Mount::ext4(host.path("lake-disk"), 30 << 10),
        };
        host.wal = disks.log.0.join("wal");
        host.lake = disks.lake.0.join("lake");
        disks
    }
}

/// What is posted of a company's chats, more than can be posted in the time.
fn traffic(host: &Host, seed: u64, length: Duration) -> Vec<String> {
    let chats = (length.as_secs() * POSTED_PER_SECOND / DELIVERIES_PER_CHAT).to_string();
    let generated = host.run(&["generate", "--chats", &chats, "--seed", &seed.to_string()]);
    let generated = String::from_utf8(generated).expect("text");
    bodies(&generated)
}

fn imported_lines() -> String {
    let mut lines = String::new();
    for delivery in FIRST_IMPORTED..FIRST_IMPORTED + IMPORTED {
        writeln!(lines, "{}", body(delivery, 200)).expect("writing to a string");
    }
    lines
}

/// Asks, one after the other, what must be answered whatever goes on.
fn query(host: &Host, ended: &AtomicBool, answered: &AtomicUsize) {
    for name in QUERIES.iter().cycle() {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        host.run(&["query", name, "--format", "csv"]);
        answered.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
    }
}

/// The service under load and what it has gone through.
struct Soak<'a> {
    host: &'a Host,
    disks: &'a Disks,
    service: Process,
    load: Load,
    chance: ChaCha8Rng,
    faults: BTreeMap<&'static str, u32>,
    /// Resident bytes in the calm part.
    samples: Vec<u64>,
}

type Fault<'a> = (&'static str, fn(&mut Soak<'a>));

impl<'a> Soak<'a> {
    fn start(host: &'a Host, disks: &'a Disks, load: Load) -> Self {
        set_clock(host, "+0");
        let service = serve(host);
        load.to(&service);
        Soak {
            host,
            disks,
            service,
            load,
            chance: chance(),
            faults: BTreeMap::new(),
            samples: Vec::new(),
        }
    }

    fn run(&mut self, length: Duration) {
        let ends: [Fault; 2] = [("kills", Self::kill), ("stops", Self::stop)];
        let others: [Fault; 7] = [
            ("pauses", Self::pause),
            ("full disks of the log", Self::fill_log),
            ("full disks of the lake", Self::fill_lake),
            ("steps of the clock", Self::step_clock),
            ("maintainers killed", |soak| soak.kill_other(&["maintain"])),
            ("transforms killed", |soak| soak.kill_other(&["transform"])),
            ("imports killed", |soak| {
                soak.kill_other(&["import", "imported.ndjson"]);
            }),
        ];
        let began = Instant::now();
        let calm_from = length.mul_f64(1.0 - CALM_PART);
        let report_every = (length / 30).max(Duration::from_secs(5));
        let mut report_due = report_every;
        while began.elapsed() < length {
            self.sleep(500..3000);
            assert!(self.service.ended().is_none(), "{}", self.service.log());
            let is_calm = began.elapsed() > calm_from;
            let resident = memory_bytes(self.service.pid(), "VmRSS");
            if is_calm {
                self.samples.push(resident);
            }
            // As often an end as all else.
            let (name, fault) = if !is_calm && self.chance.random_ratio(1, 2) {
                ends[self.chance.random_range(0..ends.len())]
            } else {
                others[self.chance.random_range(0..others.len())]
            };
            fault(self);
            *self.faults.entry(name).or_default() += 1;
            if began.elapsed() > report_due {
                report_due += report_every;
                println!(
                    "soak: {:>5} s, {} deliveries accepted, {} of the company, {} faults, memory {} MiB",
                    began.elapsed().as_secs(),
                    self.load.accepted(),
                    self.load.posted(),
                    self.faults.values().sum::<u32>(),
                    resident >> 20
                );
            }
        }
        set_clock(self.host, "+0");
    }

    fn sleep(&mut self, milliseconds: std::ops::Range<u64>) {
        thread::sleep(Duration::from_millis(
            self.chance.random_range(milliseconds),
        ));
    }

    fn kill(&mut self) {
        self.service.signal("-KILL");
        self.service.wait_end();
        self.start_again();
    }

    fn stop(&mut self) {
        self.service.signal("-TERM");
        let status = self.service.wait_end();
        assert_eq!(status.code(), Some(0), "{}", self.service.log());
        self.start_again();
    }

    fn start_again(&mut self) {
        self.service = serve(self.host);
        self.load.to(&self.service);
    }

    fn pause(&mut self) {
        self.service.signal("-STOP");
        self.sleep(10..1500);
        self.service.signal("-CONT");
    }

    fn fill_log(&mut self) {
        self.fill(&self.disks.log);
    }

    fn fill_lake(&mut self) {
        self.fill(&self.disks.lake);
    }

    fn fill(&mut self, disk: &Mount) {
        let ballast = disk.fill();
        self.sleep(100..2000);
        fs::remove_file(ballast).expect("removing the ballast");
    }

    fn step_clock(&mut self) {
        let offset = ["-3h", "-20m", "+0", "+15m"][self.chance.random_range(0..4)];
        set_clock(self.host, offset);
    }

    /// Another process on the lake, which ends at any instant, or when it is done.
    fn kill_other(&mut self, arguments: &[&str]) {
        let mut command = self.host.other(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut other = command.spawn().expect("running the binary");
        self.sleep(10..3000);
        let _ = other.kill();
        other.wait().expect("its end");
    }
}

/// With the transform and the maintenance of the lake at work beside, and a clock that can be set.
fn serve(host: &Host) -> Process {
    let mut command = host.command(&[]);
    command
        .env("HUGGY_ETL_TRANSFORM_EVERY", "2s")
        .env("HUGGY_ETL_MAINTAIN_EVERY", "7s")
        .env("HUGGY_ETL_FLUSH_INTERVAL", "500ms");
    with_clock(&mut command, host);
    host.start_with(command)
}

/// Events and facts of the company are those that one import of its deliveries makes.
fn check_company(host: &Host, posted: &[String]) {
    let undisturbed = Host::new();
    fs::write(undisturbed.path("posted.ndjson"), posted.join("\n")).expect("a file to import");
    undisturbed.run(&["import", "posted.ndjson"]);
    undisturbed.run(&["transform"]);
    for (table, columns) in [
        ("events", "event_id"),
        ("fact_chats", "*"),
        ("fact_messages", "*"),
    ] {
        let sql =
            format!("SELECT {columns} FROM {table} WHERE chat_id IS NULL OR chat_id >= {CHATS}");
        let [found, expected] = [host, &undisturbed].map(|host| sorted(host.query(&sql)));
        println!(
            "soak: {table} of the company: {} rows, {} expected",
            found.len(),
            expected.len()
        );
        assert!(!expected.is_empty());
        let different = found
            .iter()
            .zip(&expected)
            .find(|(found, row)| found != row);
        assert!(
            different.is_none() && found.len() == expected.len(),
            "{table}: {different:?}"
        );
    }
}

fn sorted(rows: Vec<Value>) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    rows.sort();
    rows
}

fn check_flat(samples: &[u64]) {
    let mean = |samples: &[u64]| (samples.iter().sum::<u64>() / samples.len().max(1) as u64) >> 20;
    let third = samples.len() / 3;
    let [early, middle, late] =
        [0, 1, 2].map(|part| mean(&samples[part * third..(part + 1) * third]));
    let most = samples.iter().max().copied().unwrap_or_default() >> 20;
    println!(
        "soak: memory of one process over the first, second, last third of its life: {early}, {middle}, {late} MiB, at \
         most {most} MiB"
    );
    if samples.len() >= LEAST_SAMPLES {
        assert!(late as f64 <= middle as f64 * GROWTH, "memory grows");
    }
}
