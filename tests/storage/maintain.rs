//! Maintaining and exporting a lake on each object store.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::comparison::all_rows;
use crate::servers::{Azurite, Reach, Seaweed, desk};
use crate::support::Desk;

const PARTS: usize = 8;

#[test]
fn a_lake_on_s3_is_maintained_and_exported() {
    let server = Seaweed::start();
    let desk = check(&server.reach());
    check_exported_rows(&desk, &server.objects("huggy-export/fact_chats"));
}

#[test]
fn a_lake_on_azure_is_maintained_and_exported() {
    let server = Azurite::start();
    check(&server.reach());
}

fn check(reach: &Reach) -> Desk {
    let desk = desk(reach);
    scattered(&desk);
    let events = || {
        desk.rows(
            "SELECT event_date, count(*), count(DISTINCT event_id), sum(chat_id) FROM events GROUP BY 1 ORDER BY 1",
        )
    };
    let (rows, facts) = (events(), all_rows(&desk));
    let before = files(&desk, "events");
    check_maintenance(&desk);
    let after = files(&desk, "events");
    println!("{}: {before} files of events became {after}", reach.0);
    let dates = rows.as_array().expect("rows").len() as u64;
    assert!(before >= PARTS as u64, "only {before} files");
    assert_eq!(after, dates, "one file a date");
    assert_eq!(events(), rows);
    assert!(all_rows(&desk) == facts, "a row differs");
    let verified = desk.run(&["verify", "--full"]);
    let said = (verified.stdout, verified.stderr);
    assert!(
        verified.code == Some(0) && said.1.contains("is whole"),
        "{said:?}"
    );
    check_exports(&desk, reach);
    desk
}

/// A lake whose events lie in many small files, with facts that were replaced.
fn scattered(desk: &Desk) {
    let path = desk.generate(
        "traffic.ndjson",
        &["--chats", "80", "--days", "2", "--seed", "5"],
    );
    let text = fs::read_to_string(path).expect("the traffic");
    let lines: Vec<&str> = text.lines().collect();
    for (number, part) in lines.chunks(lines.len().div_ceil(PARTS)).enumerate() {
        desk.write("part.ndjson", part.join("\n"));
        desk.ok(&["import", "part.ndjson"]);
        if number % 4 == 3 {
            desk.ok(&["transform"]);
        }
    }
}

/// Of two at once one is turned away.
fn check_maintenance(desk: &Desk) {
    let maintain = ["maintain", "--vacuum-older-than", "0s"];
    let mut command = desk.command(&maintain);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut first = command.spawn().expect("starting a maintainer");
    let mut lines = BufReader::new(first.stdout.take().expect("its stdout"));
    let mut said = String::new();
    lines.read_line(&mut said).expect("that it is at work");
    let second = desk.run(&maintain);
    assert_eq!(second.code, Some(3), "{}", second.stderr);
    assert!(second.stderr.contains("is held by"), "{}", second.stderr);
    lines.read_to_string(&mut said).expect("all it says");
    assert!(first.wait().expect("it ends").success(), "{said}");
    for done in ["wrote", "in a checkpoint", "no part of the table any more"] {
        assert!(said.contains(done), "{done:?} is not in {said}");
    }
}

/// How many a table consists of.
fn files(desk: &Desk, table: &str) -> u64 {
    let listing = desk.ok(&["tables"]);
    let row = listing.lines().find(|line| line.starts_with(table));
    let count = row.and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
    count.expect("a number of files")
}

/// Every table is there as it is in the lake; what has not changed is not written again.
fn check_exports(desk: &Desk, (lake, _): &Reach) {
    let to = format!("{lake}-export");
    let exported = |args: &[&str]| {
        let printed = desk.run(&[&["export", "--to", &to], args].concat());
        assert_eq!(printed.code, Some(0), "{}", printed.stderr);
        printed.stderr
    };
    let tables = ["events", "fact_chats", "fact_messages", "dim_contacts"];
    let first = exported(&tables);
    for table in tables {
        let rows = desk.number(&format!("SELECT count(*) FROM {table}"));
        let told = format!("{table}: {rows} rows in ");
        assert!(first.contains(&told), "{told} is not in {first}");
        assert!(!first.contains("; 0 written"), "{first}");
    }
    let again = exported(&tables);
    assert_eq!(
        again.matches("; 0 written").count(),
        tables.len(),
        "{again}"
    );
    let snapshot = exported(&["--snapshot", "fact_chats"]);
    assert!(
        snapshot.contains("the snapshot is complete: "),
        "{snapshot}"
    );
}

/// What lies in the store are the table's rows, each once.
fn check_exported_rows(desk: &Desk, objects: &[Vec<u8>]) {
    let files = objects.iter().enumerate().map(|(number, object)| {
        let name = format!("exported-{number}.parquet");
        desk.write(&name, object);
        format!("SELECT chat_id, session_no, started_at, closed_at, outcome FROM '{name}'")
    });
    let exported = files.collect::<Vec<_>>().join(" UNION ALL ");
    let lake = "SELECT chat_id, session_no, started_at, closed_at, outcome FROM fact_chats";
    let counts = desk.rows(&format!(
        "WITH exported AS ({exported}), lake AS ({lake}) SELECT (SELECT count(*) FROM lake), \
         (SELECT count(*) FROM exported), (SELECT count(*) FROM (SELECT * FROM lake EXCEPT SELECT * FROM exported))"
    ));
    println!(
        "exported to S3: {} objects; rows in the lake, exported, different: {counts}",
        objects.len()
    );
    assert_eq!(counts[0][0], counts[0][1]);
    assert_eq!(counts[0][2], 0);
}
