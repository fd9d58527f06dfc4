//! `verify` on lakes that are whole, and on lakes that were damaged in every way it looks for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use futures::TryStreamExt;
use lake::{Lake, Scope, Table};
use serde_json::{Value, json};

use crate::comparison::all_rows;
use crate::maintain::age_of;
use crate::support::{Desk, KEPT_IN_THE_LOG, Printed, TOKEN};

/// Two imports, so that facts were replaced.
fn lake() -> Desk {
    let desk = Desk::new();
    for seed in ["1", "2"] {
        let name = format!("{seed}.ndjson");
        desk.generate(&name, &["--chats", "60", "--days", "2", "--seed", seed]);
        desk.ok(&["import", &name]);
        desk.ok(&["transform"]);
    }
    desk
}

/// Expects one problem or more, the first of them in these words.
#[track_caller]
fn check_problem(printed: &Printed, words: &[&str]) {
    let Printed { stdout, stderr, .. } = printed;
    assert_eq!(printed.code, Some(1), "{stdout}{stderr}");
    let problem = stdout.lines().find(|line| line.starts_with("PROBLEM"));
    let problem = problem.unwrap_or_else(|| panic!("no problem: {stdout}{stderr}"));
    for word in words {
        assert!(problem.contains(word), "{word:?} is not in {problem}");
    }
    assert!(stdout.contains("To do: "), "{stdout}");
}

#[track_caller]
fn check_whole(desk: &Desk, args: &[&str]) -> Printed {
    let printed = desk.run(&[&["verify"], args].concat());
    let Printed { stdout, stderr, .. } = &printed;
    assert_eq!(printed.code, Some(0), "{stdout}{stderr}");
    assert!(!stdout.contains("PROBLEM"), "{stdout}");
    assert!(stderr.contains("the lake is whole"), "{stderr}");
    printed
}

/// The commits of a table, oldest first.
fn commits(desk: &Desk, table: &str) -> Vec<PathBuf> {
    let log = desk.path(&format!("lake/{table}/_delta_log"));
    let entries = fs::read_dir(log).expect("the log");
    let mut commits: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a commit").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    commits.sort();
    commits
}

/// The files that a table consists of, by its log.
fn files(desk: &Desk, table: &str) -> Vec<PathBuf> {
    let mut paths = BTreeSet::new();
    for commit in commits(desk, table) {
        for line in fs::read_to_string(commit).expect("a commit").lines() {
            let action: Value = serde_json::from_str(line).expect("an action");
            if let Some(path) = action["add"]["path"].as_str() {
                paths.insert(path.to_owned());
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                paths.remove(path);
            }
        }
    }
    let folder = desk.path(&format!("lake/{table}"));
    paths.into_iter().map(|path| folder.join(path)).collect()
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
}

#[test]
fn a_lake_that_nobody_touched_is_whole() {
    let desk = lake();
    let printed = check_whole(&desk, &[]);
    for compared in ["of 60 chats and ", " agents were derived anew and compared"] {
        assert!(printed.stderr.contains(compared), "{}", printed.stderr);
    }
    assert!(
        printed.stdout.contains("are not part of the table"),
        "{}",
        printed.stdout
    );
    check_whole(&desk, &["--full"]);
    // New events that no run has taken in are no damage.
    desk.generate("3.ndjson", &["--chats", "20", "--days", "1", "--seed", "3"]);
    desk.ok(&["import", "3.ndjson"]);
    let printed = check_whole(&desk, &["--format", "ndjson"]);
    let notes: Vec<Value> = printed
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    let behind = "the facts do not reflect the last 1 commits of events";
    assert!(
        notes
            .iter()
            .any(|note| note["what"] == behind && note["severity"] == "note"),
        "{notes:?}"
    );
}

#[test]
fn a_lake_stays_whole_when_it_is_maintained_and_old_events_are_removed() {
    let desk = Desk::new();
    desk.generate("1.ndjson", &["--chats", "60", "--days", "2", "--seed", "1"]);
    desk.ok(&["import", "1.ndjson"]);
    desk.ok(&["transform"]);
    desk.ok(&["maintain", "--vacuum-older-than", "0s"]);
    check_whole(&desk, &["--full"]);
    let dates = desk.rows("SELECT DISTINCT cast(event_date AS TEXT) FROM events ORDER BY 1");
    let kept = dates[1][0].as_str().expect("a second date");
    let kept: NaiveDate = kept.parse().expect("a date");
    let age = age_of(&desk, kept);
    let rows = desk.number("SELECT count(*) FROM events");
    let mut command = desk.command(&["maintain", "--vacuum-older-than", "0s"]);
    let command = command.env("HUGGY_ETL_RETAIN", format!("events={age}d"));
    let done = command.output().expect("running the binary");
    assert!(done.status.success(), "{done:?}");
    assert!(desk.number("SELECT count(*) FROM events") < rows);
    check_whole(&desk, &["--full"]);
    desk.ok(&["transform"]);
    check_whole(&desk, &["--full"]);
    desk.ok(&["transform", "--full"]);
    check_whole(&desk, &["--full"]);
}

#[test]
fn a_lake_without_tables_is_whole_and_one_that_cannot_be_used_is_told() {
    let desk = Desk::new();
    fs::create_dir(desk.path("lake")).expect("a folder");
    check_whole(&desk, &[]);
    let desk = Desk::new();
    desk.write("lake", "no folder");
    let printed = desk.run(&["verify"]);
    assert_eq!(printed.code, Some(3), "{}", printed.stderr);
    let printed = desk.run_on("mistyped", &["verify"]);
    assert_eq!(printed.code, Some(3), "{}", printed.stderr);
    assert!(!desk.path("mistyped").exists(), "verify creates nothing");
}

#[test]
fn tables_and_logs_that_are_gone_are_named() {
    let desk = lake();
    let away = desk.path("away");
    for (gone, words) in [
        ("events", ["events", "it is gone"]),
        ("events/_delta_log", ["events", "no log"]),
        ("fact_messages", ["fact_messages", "it is gone"]),
        ("dim_contacts/_delta_log", ["dim_contacts", "no log"]),
        ("fact_chats/_delta_log", ["fact_chats", "no log"]),
    ] {
        let path = desk.path(&format!("lake/{gone}"));
        fs::rename(&path, &away).expect("taking it away");
        for args in [&["verify"][..], &["verify", "--full"]] {
            check_problem(&desk.run(args), &words);
        }
        fs::rename(&away, &path).expect("bringing it back");
    }
    check_whole(&desk, &[]);
}

#[test]
fn a_derived_table_that_is_gone_is_derived_anew_by_the_next_run() {
    let desk = Desk::new();
    desk.generate("1.ndjson", &["--chats", "40", "--days", "1", "--seed", "1"]);
    desk.ok(&["import", "1.ndjson"]);
    desk.ok(&["transform"]);
    let rows = all_rows(&desk);
    for gone in ["fact_messages", "dim_contacts"] {
        fs::remove_dir_all(desk.path(&format!("lake/{gone}"))).expect("taking it away");
        let run = desk.run(&["transform"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stderr.contains("a table is gone"), "{}", run.stderr);
        assert_eq!(all_rows(&desk), rows, "{gone}");
    }
    let version = commits(&desk, "fact_chats").len();
    desk.ok(&["transform"]);
    assert_eq!(commits(&desk, "fact_chats").len(), version, "an idle run");
    check_whole(&desk, &["--full"]);
}

#[test]
fn files_that_are_gone_cut_short_or_damaged_are_named() {
    let desk = lake();
    let file = &files(&desk, "fact_messages")[0];
    let bytes = fs::read(file).expect("a file of the table");
    let verify = || desk.run(&["verify"]);

    fs::remove_file(file).expect("removing it");
    check_problem(&verify(), &["fact_messages", name(file), "is gone"]);

    fs::write(file, &bytes[..bytes.len() - 10]).expect("cutting it short");
    let sizes = format!(
        "has {} bytes; the log says {}",
        bytes.len() - 10,
        bytes.len()
    );
    check_problem(&verify(), &["fact_messages", name(file), &sizes]);

    let mut damaged = bytes.clone();
    let end = damaged.len();
    damaged[end - 8..].fill(0);
    fs::write(file, damaged).expect("damaging its footer");
    check_problem(&verify(), &["fact_messages", name(file), "cannot be read"]);

    let mut damaged = bytes.clone();
    let middle = damaged.len() / 3;
    damaged[middle..middle + 200].fill(0xA5);
    fs::write(file, damaged).expect("damaging its rows");
    check_problem(
        &desk.run(&["verify", "--full"]),
        &["fact_messages", name(file)],
    );

    fs::write(file, bytes).expect("mending it");
    check_whole(&desk, &[]);
}

#[test]
fn commits_that_are_gone_or_cut_short_are_named() {
    let desk = lake();
    let commits = commits(&desk, "events");
    let last = commits.last().expect("a commit");
    let bytes = fs::read(last).expect("the commit");
    fs::write(last, &bytes[..bytes.len() / 2]).expect("cutting it short");
    check_problem(
        &desk.run(&["verify"]),
        &["events", "commit 2 of the log cannot be read"],
    );
    fs::write(last, bytes).expect("mending it");
    let bytes = fs::read(&commits[1]).expect("the commit");
    fs::remove_file(&commits[1]).expect("removing it");
    check_problem(&desk.run(&["verify"]), &["events", "commit 1 is missing"]);
    fs::write(&commits[1], bytes).expect("mending it");
    check_whole(&desk, &[]);
}

#[test]
fn commits_that_are_gone_though_summed_up_are_noted() {
    let desk = Desk::new();
    for seed in 1..=12 {
        let (name, seed) = (format!("{seed}.ndjson"), seed.to_string());
        desk.generate(&name, &["--chats", "1", "--days", "1", "--seed", &seed]);
        desk.ok(&["import", &name]);
    }
    desk.ok(&["transform"]);
    desk.ok(&["maintain"]);
    let before = check_whole(&desk, &[]).stdout;
    fs::remove_file(&commits(&desk, "events")[5]).expect("removing one");
    let printed = check_whole(&desk, &[]).stdout;
    let note = "note     events: commits are missing from the midst of its log, 1 in all, the first of them 5";
    assert!(
        !before.contains("missing") && printed.contains(note),
        "{before}{printed}"
    );

    // Into such a hole a writer commits that slept while the log was cleaned: no reader meets it.
    let added = files(&desk, "events").remove(0);
    let late = added.with_file_name("late.parquet");
    fs::copy(&added, &late).expect("a file of its own");
    let folder = desk.path("lake/events");
    let path = late.strip_prefix(folder).expect("a path below the table");
    let add = json!({ "path": path, "partitionValues": { "event_date": null }, "size": 1, "modificationTime": 0,
        "dataChange": true, "stats": r#"{"numRecords":7}"# });
    let log = desk.path("lake/events/_delta_log");
    let commit = log.join(format!("{:020}.json", 5));
    fs::write(commit, json!({ "add": add }).to_string()).expect("a commit");
    let words = [
        "events: commit 5 came after checkpoint",
        "the 7 rows of file",
        "late.parquet",
    ];
    check_problem(&desk.run(&["verify"]), &words);
    fs::remove_file(late).expect("removing it");
    check_problem(
        &desk.run(&["verify"]),
        &[&words[..], &["the file is gone"]].concat(),
    );
}

#[test]
fn a_log_that_tells_other_counts_or_bounds_than_its_files_is_told() {
    let desk = lake();
    let commit = &commits(&desk, "events")[1];
    let text = fs::read_to_string(commit).expect("the commit");
    let altered = |find: &str, replace: &dyn Fn(&mut Value)| {
        let lines = text.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).expect("an action");
            let stats = action["add"]["stats"].as_str().map(str::to_owned);
            if let Some(mut stats) = stats.and_then(|stats| serde_json::from_str(&stats).ok()) {
                replace(&mut stats);
                action["add"]["stats"] = Value::String(stats.to_string());
            }
            action.to_string()
        });
        fs::write(commit, lines.collect::<Vec<_>>().join("\n")).expect("altering it");
        check_problem(&desk.run(&["verify"]), &["events", find]);
    };
    altered("rows; the log says 1", &|stats| {
        stats["numRecords"] = 1.into()
    });
    altered("column chat_id", &|stats| {
        stats["maxValues"]["chat_id"] = 1.into()
    });
    altered("column chat_id", &|stats| {
        stats["nullCount"]["chat_id"] = 100_000.into()
    });
    fs::write(commit, text).expect("mending it");
    check_whole(&desk, &[]);
}

/// All rows of a table, and the table.
async fn read(desk: &Desk, table: &str) -> (Table, Vec<RecordBatch>) {
    let lake = desk.path("lake");
    let lake = Lake::open(lake.to_str().expect("a path"), []).expect("the lake");
    let table = lake.existing(table).await.expect("the table");
    let (schema, _) = table.describe().expect("its columns");
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let rows = table.read(&names, None).await.expect("its rows");
    let rows: Vec<RecordBatch> = rows.try_collect().await.expect("its rows");
    (table, rows)
}

fn with_column(rows: &RecordBatch, name: &str, values: ArrayRef) -> RecordBatch {
    let place = rows.schema().index_of(name).expect("the column");
    let mut columns = rows.columns().to_vec();
    columns[place] = values;
    RecordBatch::try_new(rows.schema(), columns).expect("rows")
}

fn longs(rows: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let column = rows.column_by_name(name).expect("the column");
    column.as_primitive::<Int64Type>().iter().collect()
}

/// The rows with a duration in the first that is not what its events become.
fn with_a_second_more(rows: &RecordBatch) -> RecordBatch {
    let mut durations = longs(rows, "duration_seconds");
    durations[0] = Some(durations[0].unwrap_or_default() + 1);
    let durations: ArrayRef = Arc::new(Int64Array::from(durations));
    with_column(rows, "duration_seconds", durations)
}

/// Has the table hold these rows only.
async fn replace(table: &mut Table, first: RecordBatch, others: &[RecordBatch]) {
    let mut rewrite = table.rewrite(Scope::Everything).expect("a rewrite");
    rewrite.write(first).await.expect("writing");
    for rows in others {
        rewrite.write(rows.clone()).await.expect("writing");
    }
    rewrite.commit(&[], true).await.expect("a commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_are_not_what_their_events_become_are_named_by_key_and_column() {
    let desk = lake();
    let (mut table, original) = read(&desk, "fact_chats").await;
    let chats = longs(&original[0], "chat_id");
    let chat = chats[0].expect("a chat");
    let one_more_second = with_a_second_more(&original[0]);
    let key = format!("chat_id {chat}, session_no");
    let cases = [
        (
            one_more_second,
            vec![
                "fact_chats",
                &key,
                "is not what its events become in duration_seconds",
            ],
        ),
        (
            original[0].slice(1, chats.len() - 1),
            vec!["fact_chats", &key, "is missing"],
        ),
    ];
    for (first, words) in cases {
        replace(&mut table, first, &original[1..]).await;
        check_problem(&desk.run(&["verify"]), &words);
        check_problem(&desk.run(&["verify", "--full"]), &words);
    }
    desk.ok(&["transform", "--full"]);
    check_whole(&desk, &["--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_of_agents_that_are_not_what_their_events_become_are_named() {
    let desk = lake();
    let (mut table, original) = read(&desk, "fact_agent_status").await;
    let rows = original[0].num_rows();
    assert!(rows > 2, "too few intervals");
    let agent = longs(&original[0], "agent_id")[0].expect("an agent");
    let longer = with_a_second_more(&original[0]);
    let key = format!("agent_id {agent}, started_at");
    let differs = "is not what its events become in duration_seconds";
    let missing = original[0].slice(1, rows - 1);
    for (first, words) in [
        (longer, ["fact_agent_status", &key, differs]),
        (missing, ["fact_agent_status", &key, "is missing"]),
    ] {
        replace(&mut table, first, &original[1..]).await;
        check_problem(&desk.run(&["verify"]), &words);
    }
    desk.ok(&["transform", "--full"]);
    check_whole(&desk, &["--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_stored_twice_are_counted_and_no_problem() {
    let desk = lake();
    let (mut events, rows) = read(&desk, "events").await;
    let copies = rows[0].slice(0, 3);
    events.append(vec![copies], None).await.expect("a commit");
    desk.ok(&["transform"]);
    let printed = check_whole(&desk, &["--full"]);
    let counted = "note     events: 3 rows repeat an event that is stored already";
    assert!(printed.stdout.contains(counted), "{}", printed.stdout);
    assert!(
        printed
            .stdout
            .contains("`huggy-etl maintain` removes the copies")
    );
}

#[test]
fn a_write_ahead_log_is_looked_into_without_taking_part() {
    let desk = Desk::new();
    let service = desk.serve(&KEPT_IN_THE_LOG);
    let secret = "nobody-is-to-read-this";
    for id in 1..=5 {
        let body = format!(
            r#"{{"time":1741600000,"token":"{TOKEN}","messages":{{"startedChat":[{{"id":{id},"note":"{secret}"}}]}}}}"#
        );
        assert_eq!(service.post(body).0, 200);
    }
    let before = segments(&desk);
    // While the service owns it.
    let printed = desk.run(&["wal", "inspect"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let told = "5 deliveries; flushed up to offset 0, 5 deliveries are not yet";
    assert!(printed.stdout.contains(told), "{}", printed.stdout);
    assert!(
        printed.stdout.contains("segment 00000000000000000001: "),
        "{}",
        printed.stdout
    );
    let note = "5 deliveries are not in the lake yet";
    assert!(check_whole(&desk, &[]).stdout.contains(note));
    service.kill();

    let (path, bytes) = &before[0];
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    fs::write(path, &damaged).expect("damaging the log");
    let printed = desk.run(&["wal", "inspect", "wal"]);
    assert_eq!(printed.code, Some(1), "{}", printed.stdout);
    let frame = damaged.len() / 5;
    let place = format!(
        "DAMAGED segment 00000000000000000001: {frame} bytes from byte {} on are no delivery",
        2 * frame
    );
    assert!(
        printed.stdout.contains(&place),
        "{place}: {}",
        printed.stdout
    );
    assert!(
        printed.stdout.contains("4 deliveries"),
        "{}",
        printed.stdout
    );
    for text in [&printed.stdout, &printed.stderr] {
        assert!(!text.contains(secret) && !text.contains(TOKEN), "{text}");
    }
    check_problem(
        &desk.run(&["verify"]),
        &["wal", &format!("{frame} bytes from byte {}", 2 * frame)],
    );
    assert_eq!(
        segments(&desk),
        [(path.clone(), damaged)],
        "nothing was changed"
    );
    assert!(!desk.path("wal/damaged").exists());

    // Also once the next start has set it aside, and stored all others.
    let service = desk.serve(&["--token", TOKEN, "--transform-every", "0"]);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(desk.number("SELECT count(*) FROM events"), 4);
    let printed = desk.run(&["wal", "inspect"]);
    let lost = format!("1 files with {frame} bytes were set aside");
    for words in ["all but what is damaged was flushed", &lost] {
        assert!(printed.stdout.contains(words), "{}", printed.stdout);
    }
    check_problem(&desk.run(&["verify"]), &["wal", &lost, "not in the lake"]);
}

/// The segments of all logs, with their bytes.
fn segments(desk: &Desk) -> Vec<(PathBuf, Vec<u8>)> {
    let mut segments = Vec::new();
    for log in fs::read_dir(desk.path("wal")).expect("the log").flatten() {
        for segment in fs::read_dir(log.path()).into_iter().flatten().flatten() {
            segments.push((segment.path(), fs::read(segment.path()).expect("a segment")));
        }
    }
    segments.sort();
    segments
}
