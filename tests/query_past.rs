//! The lake as it was, where that is gone, and tables of the session's own beside it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::{Desk, Printed};

fn lake_of_three_versions() -> Desk {
    let desk = Desk::new();
    for seed in ["3", "4", "5"] {
        let chats = ["--chats", "5", "--days", "1", "--seed", seed];
        desk.generate("some.ndjson", &chats);
        desk.ok(&["import", "some.ndjson"]);
        desk.ok(&["transform"]);
    }
    desk
}

fn at(desk: &Desk, version: &str, sql: &str) -> Printed {
    desk.run(&["query", "--at", version, "--format", "csv", "-c", sql])
}

fn check(printed: &Printed, code: i32, expected: &[&str]) {
    assert_eq!(printed.code, Some(code), "{}", printed.stderr);
    for expected in expected {
        let told = printed.stderr.contains(expected);
        assert!(told, "{expected}: {}", printed.stderr);
    }
}

#[test]
fn what_is_gone_or_not_yet_is_said() {
    let desk = lake_of_three_versions();
    let count = "SELECT count(*) AS n FROM fact_chats";
    check(&at(&desk, "1", count), 0, &[]);
    let future = at(&desk, "2999-01-01", count);
    check(&future, 2, &["2999-01-01 is in the future"]);
    for entry in std::fs::read_dir(desk.path("lake/fact_replies")).expect("the table") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            std::fs::remove_file(path).expect("it goes");
        }
    }
    let gone = desk.run(&["query", "-c", "SELECT sum(chat_id) FROM fact_replies"]);
    check(&gone, 3, &["is gone", "huggy-etl verify", "vacuum_after"]);
}

/// When the newest version of the table was written.
fn written(desk: &Desk, table: &str) -> DateTime<Utc> {
    let newest = desk.ok(&["history", table, "--limit", "1", "--format", "ndjson"]);
    let newest: Value = serde_json::from_str(&newest).expect("a commit");
    let time = newest["time"].as_str().expect("a time");
    time.parse().expect("an instant")
}

#[test]
fn a_time_holds_for_all_tables_of_a_join_and_of_a_saved_query() {
    let desk = Desk::new();
    let join = "SELECT count(*) AS n, count(DISTINCT chat_id) AS chats FROM fact_chats JOIN fact_messages USING (company_id, chat_id)";
    let now = |args: &[&str]| desk.ok(&[&["query", "--format", "csv"], args].concat());
    let mut was = Vec::new();
    for seed in ["3", "4"] {
        let chats = ["--chats", "20", "--days", "1", "--seed", seed];
        desk.generate("some.ndjson", &chats);
        desk.ok(&["import", "some.ndjson"]);
        desk.ok(&["transform"]);
        // Tables are written one after the other: the last one is of the newest time.
        let tables = [
            "fact_chats",
            "fact_messages",
            "fact_queue_waits",
            "dim_departments",
        ];
        let time = tables.map(|table| written(&desk, table)).into_iter().max();
        let time = time.expect("a time").to_rfc3339();
        was.push((time, now(&["-c", join]), now(&["wait_times"])));
    }
    assert_ne!(was[0].1, was[1].1);
    assert_ne!(was[0].2, was[1].2);
    for (time, joined, saved) in was {
        assert_eq!(now(&["--at", &time, "-c", join]), joined, "{time}");
        assert_eq!(now(&["--at", &time, "wait_times"]), saved, "{time}");
    }
}

#[test]
fn tables_of_the_session_stand_beside_the_lake_at_any_version() {
    let desk = lake_of_three_versions();
    let made = "DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT count(*) AS n FROM fact_chats;
        DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT count(*) > 0 AS is_there FROM fact_chats; SELECT * FROM t";
    let printed = at(&desk, "1", made);
    check(&printed, 0, &[]);
    assert_eq!(printed.stdout, "is_there\ntrue\n");
    let several = at(&desk, "1", "SELECT 1 FROM fact_chats, fact_replies");
    check(&several, 1, &["name a time instead"]);
    for sql in [
        "DROP TABLE IF EXISTS fact_chats; SELECT 1",
        "DROP TABLE IF EXISTS FACT_CHATS; SELECT 1",
        "DROP TABLE fact_chats",
    ] {
        let printed = desk.run(&["query", "-c", sql]);
        check(&printed, 1, &["queries only read"]);
    }
}
