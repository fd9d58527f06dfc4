//! What queries read: as little as they can, the lake as it was, within their memory.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Desk, Printed};

/// The number after a word in what `--stats` tells, such as `files:  1 read`.
fn told(printed: &Printed, line: &str, word: &str) -> u64 {
    let line = printed.stderr.lines().find(|told| told.starts_with(line));
    let line = line.unwrap_or_else(|| panic!("{}", printed.stderr));
    let words: Vec<&str> = line
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let place = words.iter().position(|told| *told == word).expect(word);
    words[place - 1].parse().expect("a number")
}

/// The bytes before a word in what `--stats` tells of the memory, such as `1.50 MiB spilled`.
fn told_bytes(printed: &Printed, word: &str) -> u64 {
    let line = printed
        .stderr
        .lines()
        .find(|line| line.starts_with("memory:"));
    let line = line.unwrap_or_else(|| panic!("{}", printed.stderr));
    let words: Vec<&str> = line.split_whitespace().collect();
    let place = words
        .iter()
        .position(|told| told.trim_end_matches(',') == word);
    let place = place.unwrap_or_else(|| panic!("{word}: {line}"));
    let number: f64 = words[place - 2].parse().expect("a number");
    let units = ["B", "KiB", "MiB", "GiB"];
    let unit = units.iter().position(|unit| *unit == words[place - 1]);
    (number * 1024f64.powi(unit.expect("a unit") as i32)) as u64
}

fn stats(desk: &Desk, sql: &str) -> Printed {
    let printed = desk.run(&["query", "-c", sql, "--stats", "--format", "csv"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    printed
}

#[test]
fn only_what_a_query_needs_is_read_and_earlier_versions_are_kept() {
    let desk = Desk::new();
    desk.generate(
        "traffic.ndjson",
        &["--chats", "60", "--days", "3", "--seed", "3"],
    );
    desk.ok(&["import", "traffic.ndjson"]);
    let files = stats(&desk, "SELECT count(*), min(payload) FROM events");
    let (read, bytes) = (
        told(&files, "files:", "read"),
        told(&files, "bytes:", "read"),
    );
    assert!(read >= 3 && bytes > 0, "{}", files.stderr);
    assert_eq!(told(&files, "files:", "skipped"), 0);

    let first = desk.rows("SELECT CAST(min(event_date) AS TEXT) FROM events")[0][0].clone();
    let first = first.as_str().expect("a date");
    let by_partition = stats(
        &desk,
        &format!("SELECT min(payload) FROM events WHERE event_date = DATE '{first}'"),
    );
    assert_eq!(
        told(&by_partition, "files:", "read"),
        1,
        "{}",
        by_partition.stderr
    );
    assert_eq!(told(&by_partition, "files:", "skipped"), read - 1);
    assert!(
        told(&by_partition, "bytes:", "skipped") > 0,
        "{}",
        by_partition.stderr
    );
    let by_statistics = stats(
        &desk,
        "SELECT count(*), min(payload) FROM events WHERE chat_id = 1",
    );
    assert_eq!(
        told(&by_statistics, "files:", "read"),
        0,
        "{}",
        by_statistics.stderr
    );
    // Files whose statistics rule them out are not even opened, also where nothing is asked but the latest.
    let latest = "SELECT max(delivered_at) AS latest FROM events";
    let plan = desk.ok(&[
        "query",
        "-c",
        &format!("EXPLAIN {latest}"),
        "--format",
        "csv",
    ]);
    assert!(
        plan.contains("predicate=delivered_at@0 IS NOT NULL"),
        "{plan}"
    );
    assert_eq!(
        desk.rows(latest),
        desk.rows("SELECT delivered_at AS latest FROM events ORDER BY 1 DESC LIMIT 1")
    );
    let count = stats(&desk, "SELECT count(*) FROM events");
    assert_eq!(told(&count, "bytes:", "read"), 0, "{}", count.stderr);
    assert_eq!(told(&count, "files:", "read"), 0);

    desk.ok(&["transform"]);
    the_lake_is_read_as_it_was(&desk);
    nothing_is_opened_that_is_not_named(&desk);
    all_cores_take_part(&desk);
}

fn all_cores_take_part(desk: &Desk) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores == 1 {
        return;
    }
    let grouped = "EXPLAIN SELECT event_type, count(*) FROM events GROUP BY event_type";
    let plan = desk.ok(&["query", "-c", grouped, "--format", "csv"]);
    let spread = format!("partitioning=Hash([event_type@0], {cores})");
    assert!(plan.contains(&spread), "{plan}");
}

fn the_lake_is_read_as_it_was(desk: &Desk) {
    let before = desk.number("SELECT count(*) FROM fact_chats");
    desk.generate(
        "more.ndjson",
        &["--chats", "20", "--days", "1", "--seed", "4"],
    );
    desk.ok(&["import", "more.ndjson"]);
    desk.ok(&["transform"]);
    assert!(desk.number("SELECT count(*) FROM fact_chats") > before);
    let history = desk.ok(&["history", "fact_chats", "--format", "ndjson"]);
    let commits: Vec<Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).expect("a commit"))
        .collect();
    let newest = commits[0]["version"].as_u64().expect("a version");
    assert_eq!(commits.len() as u64, newest + 1);
    assert_eq!(
        commits.last().expect("a commit")["operation"],
        "CREATE TABLE"
    );
    // The rows of each version are those of the one before, and what it added, less what it removed.
    let mut rows = 0;
    for commit in commits.iter().rev() {
        let number = |name: &str| commit[name].as_i64().expect("known");
        rows += number("rows_added") - number("rows_removed");
        let version = number("version").to_string();
        let counted = desk.ok(&[
            "query",
            "-c",
            "SELECT count(*) AS n FROM fact_chats",
            "--at",
            &version,
            "--format",
            "csv",
        ]);
        assert_eq!(counted, format!("n\n{rows}\n"), "version {version}");
        let time = commit["time"].as_str().expect("a time");
        let at_time = desk.ok(&[
            "query",
            "-c",
            "SELECT count(*) AS n FROM fact_chats",
            "--at",
            time,
            "--format",
            "csv",
        ]);
        assert_eq!(at_time, counted, "as of {time}");
        // Without an offset it is a time of the business time zone, three hours behind.
        let time: DateTime<Utc> = time.parse().expect("an instant");
        let local = (time - TimeDelta::hours(3)).format("%Y-%m-%d %H:%M:%S%.f");
        let sql = "SELECT count(*) AS n FROM fact_chats";
        let local = local.to_string();
        let at_local = desk.ok(&["query", "-c", sql, "--at", &local, "--format", "csv"]);
        assert_eq!(at_local, counted, "as of {local} of the zone");
    }
    let limited = desk.run(&["history", "fact_chats", "--limit", "1", "--format", "csv"]);
    assert_eq!(limited.stdout.lines().count(), 2);
    assert!(
        limited.stderr.contains("older ones are not shown"),
        "{}",
        limited.stderr
    );
    for (sql, at, expected) in [
        (
            "SELECT 1 FROM fact_chats",
            "999",
            "table fact_chats has no version 999",
        ),
        (
            "SELECT 1 FROM fact_chats, fact_messages",
            "1",
            "name a time instead",
        ),
        (
            "SELECT 1 FROM fact_chats",
            "2001-01-01",
            "the oldest in its log is version 0",
        ),
    ] {
        let printed = desk.run(&["query", "-c", sql, "--at", at]);
        assert_eq!(printed.code, Some(1), "{at}");
        assert!(printed.stderr.contains(expected), "{}", printed.stderr);
    }
}

fn nothing_is_opened_that_is_not_named(desk: &Desk) {
    // Whatever would open it, or list its files, would fail.
    std::fs::write(
        desk.path("lake/fact_messages/_delta_log/00000000000000000000.json"),
        "no log",
    )
    .expect("a broken log");
    assert_eq!(
        desk.run(&["query", "-c", "SELECT 1 FROM fact_messages"])
            .code,
        Some(3)
    );
    desk.ok(&["query", "-c", "SELECT 1"]);
    desk.ok(&["query", "-c", "SELECT count(*) FROM fact_chats"]);
}

#[test]
fn distinct_values_are_counted_right_and_within_the_memory() {
    let desk = Desk::new();
    let rows = "(SELECT value, value % 9000 AS day, CASE WHEN value % 7 > 0 THEN CAST(value % 15000 AS TEXT) END AS name
        FROM generate_series(1, 20000)) AS rows";
    let of = |what: &str, others: &str| {
        let memory = [
            "query", "--memory", "64MiB", "--stats", "--format", "csv", "-c",
        ];
        let sql = format!("SELECT {what} AS n {others}");
        let printed = desk.run(&[&memory[..], &[&sql]].concat());
        assert_eq!(printed.code, Some(0), "{sql}: {}", printed.stderr);
        let resident = printed.stderr.split(" reserved at most, ").nth(1);
        assert!(
            resident.is_some_and(|told| told.contains("MiB resident")),
            "{sql}: {}",
            printed.stderr
        );
        printed.stdout
    };
    for (distinct, counted) in [
        ("name", "name"),
        (
            "struct(name, value % 3)",
            "concat_ws('/', coalesce(name, 'none'), value % 3)",
        ),
        (
            "name, value % 3",
            "CASE WHEN name IS NOT NULL THEN concat_ws('/', name, value % 3) END",
        ),
        ("value * 0.5", "value"),
    ] {
        // Beside another aggregate, it is no GROUP BY.
        let beside = of(
            &format!("sum(value) > 0, count(DISTINCT {distinct})"),
            &format!("FROM {rows}"),
        );
        let alone = of(
            "true, count(x)",
            &format!("FROM (SELECT DISTINCT {counted} AS x FROM {rows})"),
        );
        let number = |answer: &str| answer.rsplit(',').next().map(str::to_owned);
        assert_eq!(number(&beside), number(&alone), "{distinct}");
        // Of 9,000 groups each.
        let filter = "FILTER (WHERE value % 2 = 0)";
        let grouped = of(
            &format!("day, count(*) AS rows, count(DISTINCT {distinct}) {filter}"),
            &format!("FROM {rows} GROUP BY day ORDER BY day"),
        );
        let pairs = format!(
            "FROM (SELECT day, count(*) AS rows FROM {rows} GROUP BY day) AS days
            LEFT JOIN (SELECT day, count(x) AS n FROM (SELECT DISTINCT day, {counted} AS x FROM {rows} WHERE value % 2 = 0)
                GROUP BY day) AS counts ON counts.day = days.day ORDER BY days.day"
        );
        let expected = of("days.day, days.rows, coalesce(n, 0)", &pairs);
        assert_eq!(grouped, expected, "{distinct}");
        assert_eq!(grouped.lines().count(), 9001);
    }
}

#[test]
fn columns_without_any_value_have_no_distinct_ones() {
    let desk = Desk::new();
    desk.write("empty.csv", "g,x\n1,\n2,\n");
    desk.write("nulls.ndjson", "{\"x\":null}\n{\"x\":null}\n");
    let csv = |sql: &str| desk.ok(&["query", "--format", "csv", "-c", sql]);
    let grouped =
        "SELECT g, count(DISTINCT x) AS n, count(*) AS rows FROM 'empty.csv' GROUP BY g ORDER BY g";
    assert_eq!(csv(grouped), "g,n,rows\n1,0,1\n2,0,1\n");
    let alone = "SELECT count(DISTINCT x) AS n, count(*) AS rows FROM 'nulls.ndjson'";
    assert_eq!(csv(alone), "n,rows\n0,2\n");
    let words = "SELECT count(DISTINCT arrow_cast(CAST(value AS TEXT), 'Dictionary(Int32, Utf8)'))
        FILTER (WHERE value > 9) AS n, count(*) AS rows FROM generate_series(1, 3)";
    assert_eq!(csv(words), "n,rows\n0,3\n");
}

#[test]
fn several_files_are_read_as_one_table_only_if_they_are_alike() {
    let desk = Desk::new();
    for folder in ["one", "two", "one/.ipynb_checkpoints", ".kept"] {
        std::fs::create_dir(desk.path(folder)).expect("a folder");
    }
    desk.write("one/lines.json", "{\"a\":1}\n{\"a\":2}\n");
    desk.write("two/lines.json", "\n{\"a\":3}\n");
    desk.write("two/none.json", "");
    desk.write("two/array.json", "[{\"a\":4}, {\"a\":5}]");
    desk.write("one/t.csv", "a,b\n1,2\n");
    desk.write("two/t.csv", "\"a\",b\r\n3,4\r\n");
    desk.write("two/a.csv", "");
    desk.write("two/turned.csv", "b,a\n6,5\n");
    desk.write("one/t.tsv", "a\tb\n1\t2\n");
    desk.write("two/t.tsv", "b\ta\n4\t3\n");
    // Copies that editors keep are nobody's data; what is named by its dot is meant.
    desk.write("one/.ipynb_checkpoints/t.csv", "a,b\n100,100\n");
    desk.write("one/.t.csv", "a,b\n100,100\n");
    desk.write(".kept/t.csv", "a,b\n7,8\n");
    let of = |files: &str| {
        let sql = format!("SELECT sum(a) AS a FROM '{files}'");
        desk.run(&["query", "--format", "csv", "-c", &sql])
    };
    for (files, expected) in [
        ("*/lines.json", 6),
        ("two/[ln]*.json", 3),
        ("two/[an]*.json", 9),
        ("*/t.csv", 4),
        ("**/t.csv", 4),
        ("two/[at].csv", 3),
        ("one/*.csv", 1),
        ("one/.ipynb_checkpoints/*.csv", 100),
        (".kept/*.csv", 7),
        ("./.k*/*.csv", 7),
    ] {
        let printed = of(files);
        assert_eq!(
            printed.stdout,
            format!("a\n{expected}\n"),
            "{files}: {}",
            printed.stderr
        );
    }
    for (files, expected) in [
        ("two/*.json", "two/array.json and two/lines.json"),
        ("*/*.json", "one/lines.json and two/array.json"),
        ("two/t*.csv", "two/t.csv and two/turned.csv"),
        ("*/t.tsv", "one/t.tsv and two/t.tsv"),
    ] {
        let printed = of(files);
        assert_eq!(
            (printed.code, printed.stdout.as_str()),
            (Some(1), ""),
            "{files}"
        );
        assert!(
            printed.stderr.contains(expected),
            "{files}: {}",
            printed.stderr
        );
    }
}

#[test]
fn a_table_is_replaced_only_by_one_that_is_there() {
    let desk = Desk::new();
    let of = |script: &str| desk.run(&["query", "--keep-going", "--format", "csv", "-c", script]);
    let failing = of("CREATE TABLE t AS SELECT 1 AS n;
        CREATE OR REPLACE TABLE t AS SELECT 1 / (n - 1) AS n FROM t; SELECT n FROM t");
    assert_eq!(failing.stdout, "n\n1\n", "{}", failing.stderr);
    assert!(
        failing.stderr.contains("division by zero"),
        "{}",
        failing.stderr
    );
    desk.generate("one.ndjson", &["--chats", "3"]);
    desk.ok(&["import", "one.ndjson"]);
    let of_the_lake = of("CREATE OR REPLACE TABLE events AS SELECT 1 AS n");
    assert_eq!(of_the_lake.code, Some(1));
    assert!(
        of_the_lake.stderr.contains("which queries only read"),
        "{}",
        of_the_lake.stderr
    );
}

#[test]
fn windows_count_the_distinct_values_of_one_column() {
    let desk = Desk::new();
    let of = |what: &str| {
        let sql =
            format!("SELECT count(DISTINCT {what}) OVER () AS n FROM (VALUES (1, 2)) AS t(a, b)");
        desk.run(&["query", "--format", "csv", "-c", &sql])
    };
    assert_eq!(of("a").stdout, "n\n1\n");
    let several = of("a, b");
    assert_eq!(several.code, Some(1));
    assert!(
        several.stderr.contains("takes one column"),
        "{}",
        several.stderr
    );
}

#[test]
fn tables_of_the_run_keep_to_the_memory_and_give_it_back() {
    let desk = Desk::new();
    let run = |sql: &str| desk.run(&["query", "--memory", "32MiB", "--format", "csv", "-c", sql]);
    let table = |name: &str| {
        format!(
            "CREATE TABLE {name} AS SELECT repeat('x', 100) || value AS x FROM generate_series(1, 200000);"
        )
    };
    let two = run(&[table("a"), table("b")].concat());
    assert_eq!(two.code, Some(1), "{}", two.stderr);
    for told in [
        "table b keeps its rows in memory",
        "CREATE VIEW",
        "--memory",
    ] {
        assert!(two.stderr.contains(told), "{told}: {}", two.stderr);
    }
    // One has room, also after others have gone.
    let dropped = [
        &table("a"),
        "DROP TABLE a;",
        &table("b"),
        "SELECT count(*) AS n FROM b",
    ]
    .concat();
    let printed = run(&dropped);
    assert_eq!(
        (printed.code, printed.stdout.as_str()),
        (Some(0), "n\n200000\n"),
        "{}",
        printed.stderr
    );
    // What batches share is there once: so many rows of one long text are no more than the text.
    let shared = "CREATE TABLE t AS SELECT long.x FROM generate_series(1, 100000) AS rows,
        (SELECT repeat('x', 100000) AS x) AS long; SELECT count(*) AS n, min(length(x)) AS x FROM t";
    let printed = run(shared);
    assert_eq!(
        (printed.code, printed.stdout.as_str()),
        (Some(0), "n,x\n100000,100000\n"),
        "{}",
        printed.stderr
    );
    let kept = "CREATE TABLE t AS SELECT 1 AS n; CREATE TABLE IF NOT EXISTS t AS SELECT 2 AS n;
        CREATE OR REPLACE TABLE u AS SELECT n + 1 AS n FROM t; CREATE OR REPLACE TABLE u AS SELECT n + 1 AS n FROM u;
        SELECT t.n, u.n AS un FROM t, u";
    assert_eq!(run(kept).stdout, "n,un\n1,3\n");
    for (sql, expected) in [
        (
            "CREATE TABLE t AS SELECT 1 AS n; CREATE TABLE t AS SELECT 2 AS n",
            "CREATE OR REPLACE TABLE makes it anew",
        ),
        (
            "CREATE TABLE t AS SELECT a.n, b.n FROM (SELECT 1 AS n) a, (SELECT 2 AS n) b",
            "two columns n; name one by AS",
        ),
    ] {
        let printed = run(sql);
        assert_eq!(printed.code, Some(1), "{sql}");
        assert!(printed.stderr.contains(expected), "{}", printed.stderr);
    }
}

#[test]
fn tables_of_the_run_take_rows() {
    let desk = Desk::new();
    let run = |sql: &str| desk.run(&["query", "--format", "csv", "-c", sql]);
    let filled = run("CREATE TEMP TABLE t (a INT, b TEXT); CREATE VIEW v AS SELECT sum(a) AS a FROM t;
        INSERT INTO t VALUES (1, 'x'), (2, NULL); INSERT INTO t (b) SELECT b || 'y' FROM t;
        INSERT INTO t SELECT * FROM t WHERE a = 2; SELECT a, b FROM t ORDER BY a, b; SELECT a FROM v;
        CREATE TABLE u AS SELECT 1 AS n; INSERT INTO u VALUES (NULL); SELECT count(*) - count(n) AS nulls FROM u");
    assert_eq!(
        (filled.code, filled.stdout.as_str()),
        (Some(0), "a,b\n1,x\n2,\n2,\n,xy\n,\n\na\n5\n\nnulls\n1\n"),
        "{}",
        filled.stderr
    );
    for (sql, expected) in [
        (
            "CREATE TABLE t (a INT NOT NULL); INSERT INTO t VALUES (NULL)",
            "non-nullable",
        ),
        (
            "CREATE TABLE t (a INT PRIMARY KEY)",
            "keys and defaults of columns",
        ),
        (
            "CREATE TABLE t (a INT DEFAULT 7)",
            "keys and defaults of columns",
        ),
        (
            "CREATE VIEW v AS SELECT 1 AS a; INSERT INTO v VALUES (2)",
            "INSERT into such a table",
        ),
        (
            "CREATE TABLE t (a INT); INSERT OVERWRITE t VALUES (2)",
            "is refused",
        ),
        ("CREATE TABLE t (a INT); DELETE FROM t", "is refused"),
        (
            "CREATE TABLE t (a INT); INSERT INTO t VALUES ('x')",
            "'x' is no INT",
        ),
        (
            "CREATE TABLE t (a INT); INSERT INTO t VALUES (1, 2)",
            "got 2 values in row 0 but expected 1",
        ),
        (
            "CREATE TABLE t (a INT); INSERT INTO t SELECT 1, 2",
            "more or fewer values than columns",
        ),
    ] {
        let printed = run(sql);
        assert_eq!(printed.code, Some(1), "{sql}");
        assert!(
            printed.stderr.contains(expected),
            "{sql}: {}",
            printed.stderr
        );
    }
    // What fails adds nothing, and what is added keeps to the memory.
    let part = desk.run(&[
        "query",
        "--keep-going",
        "--memory",
        "32MiB",
        "--format",
        "csv",
        "-c",
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('kept');
        INSERT INTO t SELECT repeat('x', 100) || value FROM generate_series(1, 1000000);
        INSERT INTO t SELECT 1 / (value - 90000) FROM range(100000); SELECT count(*) AS n FROM t",
    ]);
    assert_eq!((part.code, part.stdout.as_str()), (Some(1), "n\n1\n"));
    assert!(
        part.stderr.contains("table t keeps its rows in memory"),
        "{}",
        part.stderr
    );
    assert!(part.stderr.contains("division by zero"), "{}", part.stderr);
}

#[test]
fn a_sort_beyond_its_memory_spills() {
    let desk = Desk::new();
    // 200 MB.
    let sql = "SELECT value, repeat('x', 500) AS x FROM generate_series(1, 400000) ORDER BY value * 7919 % 400009";
    let printed = desk.run(&[
        "query",
        "-c",
        sql,
        "--memory",
        "16MiB",
        "--stats",
        "-o",
        "sorted.csv",
    ]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(
        told_bytes(&printed, "spilled") > 100 << 20,
        "{}",
        printed.stderr
    );
    assert!(
        told_bytes(&printed, "reserved") <= 16 << 20,
        "{}",
        printed.stderr
    );
    assert!(
        told_bytes(&printed, "resident") < 192 << 20,
        "{}",
        printed.stderr
    );
    let sorted = std::fs::read_to_string(desk.path("sorted.csv")).expect("the file");
    let keys: Vec<u64> = sorted
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .next()
                .expect("a value")
                .parse::<u64>()
                .expect("a number")
                * 7919
                % 400_009
        })
        .collect();
    assert_eq!(keys.len(), 400_000);
    assert!(keys.is_sorted());
}
