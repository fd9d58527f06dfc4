//! Maintaining a lake while it is filled, derived from and read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use serde_json::json;

use crate::comparison::all_rows;
use crate::support::{Desk, Printed, has, wait};

const EVENTS: &str = "SELECT event_date, count(*), count(DISTINCT event_id), min(chat_id), max(chat_id) FROM events \
                      GROUP BY 1 ORDER BY 1";

/// A lake whose events lie in many small files.
fn scattered(desk: &Desk, parts: usize) {
    let path = desk.generate(
        "traffic.ndjson",
        &["--chats", "120", "--days", "4", "--seed", "5"],
    );
    let text = fs::read_to_string(path).expect("the traffic");
    let lines: Vec<&str> = text.lines().collect();
    for part in lines.chunks(lines.len().div_ceil(parts)) {
        desk.write("part.ndjson", part.join("\n"));
        desk.ok(&["import", "part.ndjson"]);
    }
}

/// Tables and how many files and bytes they have.
fn sizes(desk: &Desk) -> BTreeMap<String, (u64, u64)> {
    let listing = desk.ok(&["tables"]);
    let rows = listing.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let number = |place: usize| columns[place].parse().expect("a number");
        (columns[0].to_owned(), (number(2), number(3)))
    });
    rows.collect()
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| match entry.metadata().expect("its metadata") {
            metadata if metadata.is_dir() => bytes_below(&entry.path()),
            metadata => metadata.len(),
        })
        .sum()
}

#[test]
fn after_maintenance_a_lake_takes_at_most_twice_its_room_and_says_what_it_said() {
    let desk = Desk::new();
    scattered(&desk, 12);
    desk.ok(&["transform"]);
    let (events, facts) = (desk.rows(EVENTS), all_rows(&desk));
    let promised = desk.run(&["maintain", "--dry-run"]);
    assert!(
        promised.stdout.contains("events") && promised.stdout.contains("would write"),
        "{}",
        promised.stdout
    );
    assert!(sizes(&desk)["events"].0 > 12, "a trial does nothing");
    let done = desk.run(&["maintain", "--vacuum-older-than", "0s"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(desk.rows(EVENTS), events);
    assert_eq!(all_rows(&desk), facts);
    let sizes = sizes(&desk);
    let dates = events.as_array().expect("rows").len() as u64;
    assert_eq!(sizes["events"].0, dates, "one file a date");
    let live: u64 = sizes["events"].1;
    let on_disk = bytes_below(&desk.path("lake/events"));
    assert!(on_disk <= 2 * live, "{on_disk} bytes for {live}");
    desk.ok(&["transform", "--full"]);
    assert_eq!(all_rows(&desk), facts);
}

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// What was removed within an hour stays for those who read it, whatever room it takes: so all was done an hour ago, by
/// the clocks of the machine and of the disk.
#[test]
fn an_hour_after_the_work_the_whole_lake_takes_at_most_twice_its_room_by_default() {
    if !has("faketime") {
        return;
    }
    let desk = Desk::new();
    let traffic = ["--chats", "1600", "--days", "3", "--seed", "9"];
    let text = fs::read_to_string(desk.generate("traffic.ndjson", &traffic)).expect("the traffic");
    let lines: Vec<&str> = text.lines().collect();
    let done = |command: &mut Command| {
        let done = Printed::from(command.output().expect("running the binary"));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    };
    let an_hour_ago = |args: &[&str]| {
        let mut command = desk.command(args);
        done(
            command
                .env("LD_PRELOAD", FAKETIME)
                .env("FAKETIME", "-61m")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        );
    };
    for part in lines.chunks(lines.len().div_ceil(4)) {
        desk.write("part.ndjson", part.join("\n"));
        an_hour_ago(&["import", "part.ndjson"]);
        an_hour_ago(&["transform"]);
    }
    let room = |when: &str| {
        let live: u64 = sizes(&desk).values().map(|(_, bytes)| bytes).sum();
        let on_disk = bytes_below(&desk.path("lake"));
        println!("{when}: {live} bytes live, {on_disk} on disk");
        (live, on_disk)
    };
    an_hour_ago(&["maintain"]);
    let (live, on_disk) = room("at once");
    assert!(
        on_disk > 2 * live,
        "nothing would need to go: {on_disk} bytes for {live}"
    );
    let an_hour = Duration::from_secs(61 * 60);
    for file in files_below(&desk.path("lake")) {
        let file = File::options().append(true).open(file).expect("a file");
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let modified = modified.expect("its time") - an_hour;
        file.set_modified(modified).expect("setting its time");
    }
    done(&mut desk.command(&["maintain"]));
    let (live, on_disk) = room("an hour later");
    assert!(on_disk <= 2 * live, "{on_disk} bytes for {live}");
}

/// Years ahead, on a machine whose disk has a clock of its own, or goes by the same one.
#[test]
fn a_clock_that_is_years_ahead_removes_no_rows() {
    if !has("faketime") {
        return;
    }
    let desk = Desk::new();
    scattered(&desk, 3);
    desk.ok(&["transform"]);
    let (events, facts) = (desk.rows(EVENTS), all_rows(&desk));
    let newest = desk.rows("SELECT cast(max(event_date) AS TEXT) FROM events");
    let maintain = |clock: Option<&str>, age: u32| {
        let retain = format!("events={age}d,fact_messages={age}d");
        let mut command = desk.command(&["maintain"]);
        command.env("HUGGY_ETL_RETAIN", retain);
        if let Some(clock) = clock {
            command
                .env("LD_PRELOAD", FAKETIME)
                .env("FAKETIME", clock)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        Printed::from(command.output().expect("running the binary"))
    };
    let refused = maintain(Some("+9y"), 30);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    let said = "set the clock and run it again";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    // To the traffic, which is of long ago, today's clock is one that is ahead.
    let done = maintain(None, 30);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let said = format!("counted from {}", newest[0][0].as_str().expect("a date"));
    assert!(done.stderr.contains(&said), "{}", done.stderr);
    assert_eq!(desk.rows(EVENTS), events);
    assert_eq!(all_rows(&desk), facts);
    let done = maintain(None, 1);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let newest_day = desk.rows("SELECT cast(min(event_date) AS TEXT) FROM events");
    assert_eq!(newest_day, newest, "the newest date is a day old at most");
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_all_else_is_maintained() {
    let desk = Desk::new();
    scattered(&desk, 3);
    desk.ok(&["transform"]);
    desk.ok(&["transform", "--full"]);
    let spoilt = files_below(&desk.path("lake/events"));
    let spoilt = spoilt
        .iter()
        .find(|path| path.extension().is_some_and(|it| it == "parquet"));
    let spoilt = spoilt.expect("a file of events");
    let whole = fs::read(spoilt).expect("the file");
    fs::write(spoilt, "no Parquet").expect("spoiling it");
    let done = desk.run(&["maintain", "--vacuum-older-than", "0s"]);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let said = "not all could be done for events; `huggy-etl verify` tells";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    for (table, said) in [("events", "wrote"), ("fact_chats", "deleted")] {
        let mut lines = done.stdout.lines();
        assert!(
            lines.any(|line| line.starts_with(table) && line.contains(said)),
            "{table}: {}",
            done.stdout
        );
    }
    fs::write(spoilt, whole).expect("mending it");
    desk.ok(&["maintain", "--vacuum-older-than", "0s"]);
    desk.ok(&["verify", "--full"]);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => vec![path],
        })
        .collect()
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.expect("sending a signal").success());
}

/// How many commits the table of events has.
fn commits(desk: &Desk) -> usize {
    let log = fs::read_dir(desk.path("lake/events/_delta_log")).expect("the log");
    let names = log.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name")
    });
    names.filter(|name| name.ends_with(".json")).count()
}

#[test]
fn a_maintainer_who_slept_past_his_lease_changes_nothing() {
    let desk = Desk::new();
    scattered(&desk, 12);
    desk.ok(&["transform"]);
    let (events, facts) = (desk.rows(EVENTS), all_rows(&desk));
    let begun = commits(&desk);
    let mut sleeper = desk
        .command(&["maintain", "--vacuum-older-than", "0s"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starting the maintainer");
    wait("the first date to be written anew", || {
        commits(&desk) > begun
    });
    signal(&sleeper, "-STOP");
    assert!(
        sleeper.try_wait().expect("asking for its state").is_none(),
        "it was stopped in the middle"
    );
    // Until the lease has expired another is turned away.
    let began = Instant::now();
    let other = loop {
        let other = desk.run(&["maintain", "--vacuum-older-than", "0s"]);
        if other.code == Some(0) {
            break other;
        }
        assert!(other.stderr.contains("is held by"), "{}", other.stderr);
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{}",
            other.stderr
        );
        thread::sleep(Duration::from_millis(500));
    };
    assert!(
        began.elapsed() > Duration::from_secs(5),
        "it did not wait for the lease: {}",
        other.stderr
    );
    assert_eq!(desk.rows(EVENTS), events);
    signal(&sleeper, "-CONT");
    let woken = sleeper.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&woken.stderr);
    assert!(
        !woken.status.success() && said.contains("held by"),
        "{said}"
    );
    assert_eq!(desk.rows(EVENTS), events);
    assert_eq!(all_rows(&desk), facts);
    let files = sizes(&desk)["events"].0;
    assert_eq!(files, events.as_array().expect("rows").len() as u64);
    desk.ok(&["transform"]);
    assert_eq!(all_rows(&desk), facts);
}

#[test]
fn facts_derived_while_the_lake_is_maintained_are_those_of_a_rebuild() {
    let desk = Desk::new();
    fs::create_dir(desk.path("lake")).expect("a lake to maintain");
    let path = desk.generate(
        "traffic.ndjson",
        &["--chats", "80", "--days", "2", "--seed", "6"],
    );
    let text = fs::read_to_string(path).expect("the traffic");
    let lines: Vec<&str> = text.lines().collect();
    let parts = lines.chunks(lines.len().div_ceil(6)).enumerate();
    thread::scope(|scope| {
        let desk = &desk;
        let filling = scope.spawn(move || {
            for (number, part) in parts {
                let name = format!("part-{number}.ndjson");
                desk.write(&name, part.join("\n"));
                desk.ok(&["import", &name]);
                desk.ok(&["transform"]);
            }
        });
        while !filling.is_finished() {
            desk.ok(&["maintain", "--vacuum-older-than", "0s"]);
        }
    });
    desk.ok(&["transform"]);
    let incremental = all_rows(&desk);
    desk.ok(&["transform", "--full"]);
    assert_eq!(all_rows(&desk), incremental);
    assert!(!incremental.is_empty());
}

/// Of a date that is to be the first to be kept: ages count from the end of the newest date of events.
pub fn age_of(desk: &Desk, first: NaiveDate) -> i64 {
    let newest = desk.rows("SELECT cast(max(event_date) AS TEXT) FROM events");
    let newest = newest[0][0].as_str().expect("a date");
    let newest: NaiveDate = newest.parse().expect("a date");
    (newest - first).num_days() + 1
}

#[test]
fn removed_dates_that_come_in_again_change_no_fact() {
    let desk = Desk::new();
    scattered(&desk, 3);
    desk.ok(&["transform"]);
    let derived = |desk: &Desk| {
        let mut rows = all_rows(desk);
        rows.retain(|row| !row.starts_with("coverage "));
        rows
    };
    let facts = derived(&desk);
    let dates = desk.rows("SELECT DISTINCT cast(event_date AS TEXT) FROM events ORDER BY 1");
    let kept: NaiveDate = dates[2][0]
        .as_str()
        .expect("a date")
        .parse()
        .expect("a date");
    let age = age_of(&desk, kept);
    let maintain = || {
        let mut command = desk.command(&["maintain"]);
        let done = command
            .env("HUGGY_ETL_RETAIN", format!("events={age}d"))
            .output();
        let done = done.expect("running the binary");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let told = maintain();
    assert!(told.contains("too old"), "{told}");
    let first = || desk.rows("SELECT cast(min(event_date) AS TEXT) FROM events");
    assert_eq!(first(), json!([[kept.to_string()]]));
    let check = |when: &str| assert!(derived(&desk) == facts, "a fact changed {when}");
    desk.ok(&["transform"]);
    check("by retention");
    desk.ok(&["import", "traffic.ndjson"]);
    assert_eq!(first(), json!([[dates[0][0]]]), "they are there again");
    desk.ok(&["transform"]);
    check("when they came again");
    desk.ok(&["transform", "--full"]);
    check("by a rebuild");
    // Nor are the facts wrong because of it.
    desk.ok(&["verify", "--full"]);
    maintain();
    assert_eq!(first(), json!([[kept.to_string()]]));
    desk.ok(&["transform"]);
    check("when they were removed again");
    let stored = desk.rows("SELECT count(*) FROM events");
    assert_eq!(
        desk.rows("SELECT sum(events) FROM coverage"),
        stored,
        "coverage tells what is there"
    );
}
