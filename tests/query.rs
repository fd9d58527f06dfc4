//! Queries and their formats, tables and their descriptions.

use crate::support::Desk;

/// Of sixty chats of a day, with their facts.
pub fn small_lake() -> Desk {
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
fn a_limit_counts_where_only_partitions_and_constants_are_read() {
    let desk = small_lake();
    let all = desk.number("SELECT count(*) FROM events");
    let rows = |sql: &str| desk.rows(sql).as_array().map_or(0, Vec::len);
    assert!(all > 20);
    for sql in [
        "SELECT event_date FROM events LIMIT 3",
        "SELECT 1 AS one FROM events LIMIT 3",
        "SELECT event_date FROM events WHERE event_date > DATE '2000-01-01' LIMIT 3 OFFSET 2",
        "WITH few AS (SELECT event_date FROM events LIMIT 3) SELECT * FROM few",
        "SELECT * FROM (SELECT 1 AS one FROM events LIMIT 3) AS few ORDER BY 1",
        "(SELECT event_date FROM events LIMIT 2) UNION ALL (SELECT event_date FROM events LIMIT 1)",
    ] {
        assert_eq!(rows(sql), 3, "{sql}");
    }
    let few = "SELECT count(*) FROM (SELECT event_date FROM events LIMIT 3) AS few";
    assert_eq!(desk.number(few), 3);
    let rest = format!("SELECT event_date FROM events OFFSET {}", all - 2);
    assert_eq!(rows(&rest), 2);
}

#[test]
fn wide_rows_are_sorted_within_little_memory_and_what_is_too_little_is_told_plainly() {
    let desk = Desk::new();
    // 128 MB in all.
    let sql = "SELECT value AS n, repeat(md5(CAST(value AS TEXT)), 100) AS wide \
        FROM generate_series(1, 40000) ORDER BY wide";
    let sorted = desk.ok(&["query", "--memory", "64MiB", "-c", sql, "--format", "csv"]);
    let rows: Vec<&str> = sorted.lines().skip(1).collect();
    assert_eq!(rows.len(), 40_000);
    let wide = |row: &&str| row.split_once(',').map(|(_, wide)| wide.to_owned());
    assert!(rows.is_sorted_by_key(wide));
    let little = desk.run(&["query", "--memory", "1MiB", "-c", sql]);
    assert_eq!(little.code, Some(1));
    assert_eq!(
        little.stderr,
        "error: the query needs more memory than it may use: raise the limit (--memory, or the setting \
        query_memory_bytes), select fewer or shorter columns, or fewer rows\n"
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
    // Analysts' queries rest on these names and types.
    let mut columns = String::new();
    for name in names {
        columns += &format!("{name}\n");
        for line in desk.ok(&["describe", name]).lines().skip(2) {
            let words = line.split_whitespace().count();
            assert!(words > 4, "{name}: {line} has no description");
            let mut parts = line.split("  ").filter(|part| !part.is_empty());
            let (column, sql_type) = (parts.next(), parts.next());
            let (column, sql_type) = (column.unwrap_or_default(), sql_type.unwrap_or_default());
            columns += &format!("    {column} {}\n", sql_type.trim());
        }
    }
    insta::assert_snapshot!(columns);
}

#[test]
fn mistakes_are_explained() {
    let desk = small_lake();
    let error = |sql: &str| {
        let printed = desk.run(&["query", "-c", sql]);
        assert_eq!(printed.code, Some(1), "{sql}: {}", printed.stderr);
        assert_eq!(printed.stdout, "");
        printed.stderr
    };
    assert!(error("SELECT * FROM fact_chat").contains("did you mean fact_chats?"));
    assert!(error("SELECT outcom FROM fact_chats").contains("did you mean outcome?"));
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
