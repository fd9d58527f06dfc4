//! Queries and their formats, tables and their descriptions.

use std::fs;

use crate::support::{Desk, repository};

fn small_lake() -> Desk {
    let desk = Desk::new();
    desk.generate(
        "traffic.ndjson",
        &["--chats", "60", "--days", "1", "--seed", "3"],
    );
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    desk
}

#[test]
fn formats_keep_order_nulls_and_types() {
    let desk = Desk::new();
    let sql = "SELECT 2 AS b, NULL AS a, 'x,\"y' AS c, to_timestamp('2024-03-01T10:00:00Z') AT TIME ZONE 'UTC' AS t, true AS f";
    let printed = |format: &str| desk.ok(&["query", "-c", sql, "--format", format]);
    assert_eq!(
        printed("csv"),
        "b,a,c,t,f\n2,,\"x,\"\"y\",2024-03-01T10:00:00Z,true\n"
    );
    assert_eq!(
        printed("ndjson"),
        "{\"b\":2,\"a\":null,\"c\":\"x,\\\"y\",\"t\":\"2024-03-01T10:00:00Z\",\"f\":true}\n"
    );
    assert!(printed("json").starts_with("[{\"b\":2,\"a\":null,"));
    assert!(printed("table").contains("NULL"));
}

#[test]
fn the_saved_queries_answer_over_simulated_chats() {
    let desk = small_lake();
    for entry in fs::read_dir(repository().join("queries")).expect("the folder of queries") {
        let path = entry.expect("a query").path();
        let text = fs::read_to_string(&path).expect("a query");
        assert!(
            text.starts_with("--"),
            "{} does not begin with its question",
            path.display()
        );
        let csv = desk.ok(&["query", &path.display().to_string(), "--format", "csv"]);
        assert!(csv.lines().count() > 3, "{} gives {csv}", path.display());
    }
}

#[test]
fn the_waits_of_the_saved_query_add_up_to_the_fact() {
    let desk = small_lake();
    let path = repository()
        .join("queries/wait_times.sql")
        .display()
        .to_string();
    let csv = desk.ok(&["query", &path, "--format", "csv"]);
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let column = header
        .iter()
        .position(|name| *name == "waits")
        .expect("a column waits");
    let total: i64 = lines
        .map(|line| {
            line.split(',')
                .nth(column)
                .expect("waits")
                .parse::<i64>()
                .expect("a count")
        })
        .sum();
    assert_eq!(
        total,
        desk.number("SELECT count(*) FROM fact_queue_waits WHERE exit <> 'department_changed'")
    );
}

#[test]
fn every_column_of_every_table_is_described() {
    let desk = small_lake();
    let tables = desk.ok(&["tables"]);
    let names: Vec<&str> = tables
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(
        names.contains(&"events") && names.contains(&"fact_chats"),
        "{names:?}"
    );
    for name in names {
        for line in desk.ok(&["describe", name]).lines().skip(2) {
            let words = line.split_whitespace().count();
            assert!(words > 4, "{name}: {line} has no description");
        }
    }
}

#[test]
fn mistakes_are_explained_and_writes_refused() {
    let desk = small_lake();
    let error = |sql: &str| {
        let printed = desk.run(&["query", "-c", sql]);
        assert_eq!(printed.code, Some(1), "{sql}: {}", printed.stderr);
        assert_eq!(printed.stdout, "");
        printed.stderr
    };
    assert!(error("SELECT * FROM fact_chat").contains("fact_chats"));
    assert!(error("SELECT outcom FROM fact_chats").contains("outcome"));
    assert!(error("DELETE FROM fact_chats").contains("read"));
    let before_facts = Desk::new();
    before_facts.generate("one.ndjson", &["--chats", "1"]);
    before_facts.ok(&["import", "one.ndjson"]);
    let printed = before_facts.run(&["query", "-c", "SELECT * FROM fact_chats"]);
    assert!(
        printed.stderr.contains("huggy-etl transform"),
        "{}",
        printed.stderr
    );
}
