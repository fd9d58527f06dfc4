//! Importing files of deliveries.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::support::Desk;

#[test]
fn importing_again_adds_nothing() {
    let desk = Desk::new();
    desk.generate("traffic.ndjson", &["--chats", "100", "--days", "2"]);
    let first = desk.run(&["import", "traffic.ndjson"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let events = desk.number("SELECT count(*) FROM events");
    assert!(events > 500);
    let again = desk.run(&["import", "traffic.ndjson", "traffic.ndjson"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(desk.number("SELECT count(*) FROM events"), events);
    assert_eq!(
        desk.number("SELECT count(DISTINCT event_id) FROM events"),
        events
    );
}

#[test]
fn compressed_files_and_stdin_are_read() {
    let desk = Desk::new();
    let plain = fs::read(desk.generate("traffic.ndjson", &["--chats", "30", "--days", "1"]))
        .expect("traffic");
    let (first, second) = plain.split_at(plain.len() / 3);
    let cut = first
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let (first, second) = (
        [&plain[..cut]].concat(),
        [&plain[cut..first.len()], second].concat(),
    );

    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&first).expect("compressing");
    desk.write("first.ndjson.gz", gz.finish().expect("compressing"));
    desk.write(
        "second.ndjson.zst",
        zstd::encode_all(second.as_slice(), 0).expect("compressing"),
    );
    desk.ok(&["import", "first.ndjson.gz", "second.ndjson.zst"]);

    let other = Desk::new();
    let mut child = other
        .command(&["import", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("importing");
    child
        .stdin
        .take()
        .expect("stdin")
        .write_all(&plain)
        .expect("writing to the import");
    assert!(child.wait().expect("the import").success());
    let count = "SELECT count(*), count(DISTINCT event_id) FROM events";
    assert_eq!(desk.rows(count), other.rows(count));
}

#[test]
fn a_bad_line_is_reported_kept_and_passed_over() {
    let desk = Desk::new();
    let good = json!({ "time": 1_709_298_000, "messages": { "startedChat": [{ "id": 7 }] }, "token": "t" });
    desk.write(
        "mixed.ndjson",
        format!("{good}\nnot json\n\n[1, 2]\n{good}\n"),
    );
    let printed = desk.run(&["import", "mixed.ndjson"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(
        printed.stderr.contains("mixed.ndjson:2"),
        "{}",
        printed.stderr
    );
    assert!(
        printed.stderr.contains("mixed.ndjson:4"),
        "{}",
        printed.stderr
    );
    let rejected =
        fs::read_to_string(desk.path("mixed.ndjson.rejected.ndjson")).expect("the rejected lines");
    assert_eq!(rejected, "not json\n[1, 2]\n");
    assert_eq!(desk.number("SELECT count(*) FROM events"), 1);
}

#[test]
fn a_missing_file_is_named() {
    let printed = Desk::new().run(&["import", "nowhere.ndjson"]);
    assert_eq!(printed.code, Some(2), "{}", printed.stderr);
    assert!(
        printed.stderr.contains("nowhere.ndjson"),
        "{}",
        printed.stderr
    );
}
