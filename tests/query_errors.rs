//! How queries fail: the place and what to do, exit codes, and nothing left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::query::small_lake;
use crate::support::{Desk, wait};

#[test]
fn the_line_at_fault_is_shown_with_a_caret() {
    let desk = Desk::new();
    desk.generate("one.ndjson", &["--chats", "3"]);
    desk.ok(&["import", "one.ndjson"]);
    desk.ok(&["transform"]);
    desk.write(
        "report.sql",
        "-- Which?\n\nSELECT outcome,\n       chanel\nFROM fact_chats;\n",
    );
    desk.write("targets.csv", "channel,seconds\nwhatsapp,20\n");
    fs::create_dir(desk.path("data")).expect("a folder");
    desk.write("data/targets.csv", "channel,seconds\nwhatsapp,20\n");
    desk.write("broken.parquet", "no such thing");
    let mut told = String::new();
    for args in [
        &["report.sql"][..],
        &["-c", "SELECT outcome FROM fact_chat"],
        &["-c", "SELECT lenght(outcome) FROM fact_chats"],
        &[
            "-c",
            "SELECT outcome, agv(chat_id) FROM fact_chats GROUP BY 1",
        ],
        &["-c", "SELECT strftime(started_at, '%H') FROM fact_chats"],
        &["-c", "SELECT count(*) FROM fact_chats GROUP BY chanel"],
        &[
            "-c",
            "SELECT outcome FROM fact_chats WHERE channel = \"email\"",
        ],
        &["-c", "SELECT sum(outcome) FROM fact_chats"],
        &["-c", "SELECT outcome, count(*) FROM fact_chats"],
        &["-c", "SELECT outcome FROM fact_chats ORDER BI 1"],
        &["-c", "SELECT outcome, count(*) FROM fact_chats GROUP 1"],
        &["-c", "SELEC 1"],
        &["-c", "SELECT outcome FORM fact_chats"],
        &["-c", "SELECT * FORM fact_chats"],
        &["-c", "SELECT outcome FROM fact_chats WHERE ORDER BY 1"],
        &["-c", "SELECT outcome FROM fact_chats WHER outcome = 'open'"],
        &["-c", "SELECT outcome FROM fact_chats o p"],
        &["-c", "SELECT outcome FROM fact_chats ORDER BY ALL"],
        &["-c", "SELECT outcome FROM fact_chats WHERE all = 1"],
        &["-c", "SELECT outcome\nFROM fact_chats\nWHERE"],
        &["-c", "SELECT seconds FROM 'target.csv'"],
        &["-c", "SELECT seconds\nFROM 'data/target.csv'"],
        &["-c", "SELECT a FROM 'nothing_like_it.csv'"],
        &["-c", "SELECT a FROM 'broken.parquet'"],
        &["-c", "SELECT a FROM 'data/*.parquet'"],
        &["-c", "SELECT seconds FROM targets.csv"],
        &["-c", "SELECT second FROM 'targets.csv'"],
        &["-c", "SELECT 1 / 0"],
        &["-c", "SELECT 8 / 2, 5 % n FROM (VALUES (0)) t(n)"],
        &[
            "-c",
            "SELECT chat_id FROM fact_chats\nWHERE started_date > '2025-03-32'",
        ],
        &["-c", "SELECT outcome FROM fact_chats WHERE chat_id = 'abc'"],
        &[
            "-c",
            "SELECT chat_id FROM fact_chats WHERE started_at > '2025-03-10 25:00'",
        ],
        &[
            "-c",
            "SELECT company_id FROM fact_chats a JOIN fact_replies b ON a.chat_id = b.chat_id",
        ],
    ] {
        let printed = desk.run(&[&["query"], args].concat());
        assert_eq!(
            (printed.code, printed.stdout.as_str()),
            (Some(1), ""),
            "{args:?}"
        );
        told += &printed.stderr;
        told.push('\n');
    }
    insta::assert_snapshot!(told);
}

/// Deltalake takes conditions on the partition alone, and keeps what it cannot tell.
#[test]
fn conditions_on_the_partition_choose_rows_as_all_do() {
    let desk = small_lake();
    let day = "DATE '2025-03-10'";
    let counted = |from: &str, condition: &str| {
        let sql = format!("SELECT count(*) AS events FROM {from} WHERE {condition}");
        desk.ok(&["query", "-c", &sql, "--format", "csv"])
    };
    // Behind it no condition goes to the scan.
    let all = "(SELECT * FROM events ORDER BY event_id LIMIT 1000000) events";
    for condition in [
        format!("event_date = {day}"),
        format!("event_date IN ({day}, NULL)"),
        format!("event_date NOT IN ({day}, NULL)"),
        format!("NOT coalesce(event_date = {day}, false)"),
        format!("CASE WHEN event_date = {day} THEN false ELSE true END"),
        format!("(event_date = {day}) IS NULL"),
        format!("(event_date = {day}) IS DISTINCT FROM true"),
        format!("(event_date = {day}) = (event_date = DATE '2025-03-11')"),
        "event_date <> event_date".to_owned(),
    ] {
        assert_eq!(
            counted("events", &condition),
            counted(all, &condition),
            "{condition}"
        );
    }
    assert_ne!(
        counted("events", "true"),
        counted("events", &format!("event_date = {day}"))
    );
}

#[test]
fn lists_may_be_long_and_chains_may_not() {
    let desk = small_lake();
    let counted = |condition: &str| {
        let sql = format!("SELECT count(*) AS chats FROM fact_chats WHERE {condition}");
        desk.write("long.sql", &sql);
        let printed = desk.run(&["query", "long.sql", "--format", "csv"]);
        (printed.code, printed.stdout, printed.stderr)
    };
    let (_, all, _) = counted("true");
    let ids = desk.ok(&[
        "query",
        "-c",
        "SELECT chat_id FROM fact_chats",
        "--format",
        "tsv",
    ]);
    let known: Vec<&str> = ids.lines().skip(1).collect();
    let unknown: Vec<String> = (0..100_000).map(|id| format!("-{id}")).collect();
    let list = [known.join(", "), unknown.join(", ")].join(", ");
    assert_eq!(counted(&format!("chat_id IN ({list})")).1, all);
    assert_eq!(counted(&format!("chat_id NOT IN ({list})")).1, "chats\n0\n");
    let either = |count: usize| {
        let of = |id: usize| match id % 2 {
            0 => format!("chat_id = -{id}"),
            _ => format!("contact_id < -{id}"),
        };
        (0..count).map(of).collect::<Vec<_>>().join(" OR ")
    };
    assert_eq!(counted(&either(990)).1, "chats\n0\n");
    let (code, _, told) = counted(&either(50_000));
    assert_eq!(code, Some(1));
    assert!(
        told.contains("list the values, as in `chat_id IN (1, 2, 3)`"),
        "{told}"
    );
    let width = told.lines().map(|line| line.chars().count()).max();
    assert!(width < Some(250), "{told}");
}

#[test]
fn exit_codes_tell_what_failed() {
    let desk = Desk::new();
    desk.write("not_a_folder", "");
    for (args, code) in [
        (&["query", "-c", "SELECT 1"][..], 0),
        (&["query", "-c", "SELECT * FROM 'nothing.csv'"], 1),
        (&["query", "-c", "SELECT * FROM fact_chats"], 3),
        (&["query", "-c", "SELECT 1", "-o", "no/such/folder.csv"], 1),
        (&["query", "no_such_query"], 2),
        (&["query", "no_such_file.sql"], 2),
        (&["query", "-c", "SELECT $x"], 2),
        (&["query", "-"], 2),
        (&["query", "-c", "SELECT 1; SELECT 2", "-o", "two.csv"], 2),
        (&["query", "-c", "SELECT 1; SELECT 2", "-o", "two.json"], 2),
        (&["wal", "inspect"], 3),
        (&["query", "-c", "SELECT 1", "--param", "x=1"], 2),
        (&["query", "-c", "SELECT 1", "--at", "soon"], 2),
        (&["query", "-c", "SELECT 1", "--memory", "lots"], 2),
    ] {
        let printed = desk.run(args);
        assert_eq!(printed.code, Some(code), "{args:?}: {}", printed.stderr);
        assert_eq!(printed.stderr.is_empty(), code == 0, "{args:?}");
    }
    let told = |args: &[&str]| desk.run(args).stderr;
    let inspected = told(&["wal", "inspect"]);
    assert!(inspected.contains("nothing to inspect"), "{inspected}");
    let unwritten = told(&["query", "-c", "SELECT 1", "-o", "no/such/folder.csv"]);
    let expected = "error: writing no/such/folder.csv: there is no folder no/such\n";
    assert_eq!(unwritten, expected);
    for (args, hint) in [
        (
            &["query", "SELECT 1 AS a"][..],
            "huggy-etl query -c 'SELECT ...'\n",
        ),
        (
            &["query", "no/such/wait_times.sql"],
            "known by its name, wait_times\n",
        ),
        (
            &["query", "-c", "SELECT 1", "--memory", "lots"],
            "'--memory <BYTES>': give a size such as 64MiB",
        ),
        (
            &["query", "-c", "SELECT '{}' ->> '$.a[x]'"],
            "'$.a[x]' is no path in JSON",
        ),
        (
            &["query", "-c", "SELECT *, a FROM (SELECT 1 AS a) AS t"],
            "two columns are named a; give one another name: ... AS a_2",
        ),
        (
            &[
                "query",
                "-c",
                "SELECT a FROM (SELECT 1 AS a) AS t ORDER BY ALL",
            ],
            "ORDER BY 1, 2",
        ),
        (
            &[
                "query",
                "-c",
                "SELECT \"\u{1b}[2J\" FROM (SELECT 1 AS a) AS t",
            ],
            "\\u{1b}[2J",
        ),
    ] {
        let told = told(args);
        assert!(told.contains(hint) && !told.contains('\u{1b}'), "{told}");
    }
    let twice = desk.ok(&[
        "query",
        "-c",
        "SELECT count(*), 1, count(*), 1",
        "--format",
        "csv",
    ]);
    assert_eq!(twice, "count(*),1,count(*)_1,1_1\n1,1,1,1\n");
    for lake in ["not_a_folder", "ftp://nowhere/lake"] {
        let printed = desk.run_on(lake, &["query", "-c", "SELECT 1"]);
        assert_eq!(printed.code, Some(3), "{lake}: {}", printed.stderr);
    }
}

/// Every file below the folder, with what is in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let mut found = BTreeMap::new();
    for path in entries {
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), fs::read(path).expect("a file"))),
        }
    }
    found
}

#[test]
fn whatever_would_write_is_refused_and_writes_nothing() {
    let desk = small_lake();
    let before = files(&desk.path(""));
    for sql in [
        "INSERT INTO fact_chats (chat_id) VALUES (1)",
        "INSERT OVERWRITE fact_chats SELECT * FROM fact_chats",
        "DELETE FROM fact_chats",
        "UPDATE fact_chats SET chat_id = 1",
        "MERGE INTO fact_chats AS c USING (SELECT 1 AS chat_id) AS s ON c.chat_id = s.chat_id
            WHEN MATCHED THEN DELETE",
        "DROP TABLE fact_chats",
        "ALTER TABLE fact_chats ADD COLUMN x INT",
        "TRUNCATE TABLE fact_chats",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY fact_chats TO 'out.csv'",
        "EXPLAIN ANALYZE INSERT INTO fact_chats SELECT * FROM fact_chats",
        "EXPLAIN ANALYZE DELETE FROM fact_chats",
        "SELECT * INTO t FROM fact_chats",
        "SET datafusion.runtime.memory_limit = '100G'",
        "CREATE SCHEMA other",
        "VACUUM fact_chats",
        "SELECT 1 AS n; DROP TABLE fact_chats",
        "CREATE TABLE t (n INT); INSERT INTO t VALUES (1); DELETE FROM t",
    ] {
        let printed = desk.run(&["query", "-c", sql]);
        assert_eq!(
            (printed.code, printed.stdout.as_str()),
            (Some(1), ""),
            "{sql}"
        );
        let told = "is refused: queries only read the lake; use SELECT, WITH, VALUES, EXPLAIN, DESCRIBE or SHOW";
        assert!(printed.stderr.contains(told), "{sql}: {}", printed.stderr);
        desk.run(&["query", "--keep-going", "-c", sql]);
    }
    for sql in [
        "CREATE OR REPLACE TABLE fact_chats AS SELECT 1 AS n",
        "CREATE OR REPLACE VIEW fact_chats AS SELECT 1 AS n",
        "CREATE TABLE fact_chats AS SELECT 1 AS n; INSERT INTO fact_chats VALUES (1)",
    ] {
        let printed = desk.run(&["query", "--keep-going", "-c", sql]);
        assert_eq!(
            (printed.code, printed.stdout.as_str()),
            (Some(1), ""),
            "{sql}"
        );
        assert!(
            printed.stderr.contains("which queries only read"),
            "{sql}: {}",
            printed.stderr
        );
    }
    assert_eq!(files(&desk.path("")), before);
}

#[test]
fn looking_at_a_lake_that_is_not_there_makes_none() {
    let desk = Desk::new();
    for (args, code, told) in [
        (
            &["query", "-c", "SELECT 1 AS one", "--format", "csv"][..],
            0,
            "one\n1\n",
        ),
        (&["tables"], 3, "there is no lake at file://"),
        (&["transform"], 3, "there is no lake at"),
        (&["maintain"], 3, "there is no lake at"),
        (&["maintain", "--dry-run"], 3, "there is no lake at"),
        (&["export", "--to", "p"], 3, "there is no lake at"),
        (&["verify"], 3, "there is no lake at"),
        (&["doctor"], 3, "there is no lake at"),
        (
            &["query", "wait_times"],
            3,
            "holds no tables; correct its location",
        ),
        (
            &["query", "-c", "SELECT * FROM events"],
            3,
            "/lake/ holds no tables",
        ),
        (
            &["query", "-c", "SELECT * FROM events", "--at", "2024-03-01"],
            3,
            "holds no tables",
        ),
        (&["describe", "fact_chats"], 3, "holds no tables"),
        (&["history", "fact_chats"], 3, "holds no tables"),
    ] {
        let printed = desk.run(args);
        assert_eq!(printed.code, Some(code), "{args:?}: {}", printed.stderr);
        let all = format!("{}{}", printed.stdout, printed.stderr);
        assert!(all.contains(told), "{args:?}: {all}");
        assert!(desk.names().is_empty(), "{args:?} made {:?}", desk.names());
    }
}

#[test]
fn keep_going_goes_on_and_still_fails() {
    let desk = Desk::new();
    let sql = "SELECT 1 AS a; SELECT * FROM 'nothing.csv'; SELECT 3 AS c";
    let stopped = desk.run(&["query", "-c", sql, "--format", "ndjson"]);
    assert_eq!(
        (stopped.code, stopped.stdout.as_str()),
        (Some(1), "{\"a\":1}\n")
    );
    let went_on = desk.run(&["query", "-c", sql, "--format", "ndjson", "--keep-going"]);
    assert_eq!(went_on.code, Some(1));
    assert_eq!(went_on.stdout, "{\"a\":1}\n{\"c\":3}\n");
    assert!(
        went_on.stderr.contains("file nothing.csv does not exist"),
        "{}",
        went_on.stderr
    );
    assert_eq!(went_on.stderr.matches("error:").count(), 1);
    // So does what is no SQL at all, each with its place in the whole.
    let broken = "SELECT $n AS a;\nSELEC 'é;' ;\nSELECT 3 AS c; SELECT (";
    let args = [
        "query", "-c", broken, "--format", "ndjson", "--param", "n=7",
    ];
    let stopped = desk.run(&args);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (Some(1), ""));
    let went_on = desk.run(&[&args[..], &["--keep-going"]].concat());
    assert_eq!(went_on.code, Some(1));
    assert_eq!(went_on.stdout, "{\"a\":\"7\"}\n{\"c\":3}\n");
    for place in ["line 2, column 1\n", "line 3, column 24\n"] {
        assert!(went_on.stderr.contains(place), "{}", went_on.stderr);
    }
}

#[test]
fn keep_going_passes_over_each_statement_that_cannot_run() {
    let desk = Desk::new();
    for (broken, expected) in [
        (
            "DELETE FROM fact_chats",
            "\"DELETE FROM fact_chats\" is refused",
        ),
        (
            "SELECT 1 FROM range(9) TABLESAMPLE (10 PERCENT)",
            "a sample of the rows",
        ),
        ("SELECT 1_000", "write 1000\n --> line 2, column 8\n"),
        ("SELECT ?", "write $name instead of ?"),
        (
            "SELECT $n FRM x",
            "did you mean FROM?\n --> line 2, column 11\n",
        ),
        (
            "SELECT 'open",
            "Unterminated string literal\n --> line 2, column 8\n",
        ),
        (
            "SELECT 7 /* open",
            "Unexpected EOF while in a multi-line comment\n",
        ),
    ] {
        // Behind what is never closed nothing can be told apart.
        let is_open = broken.ends_with("open");
        let sql = format!("SELECT 1 AS a;\n{broken};\nSELECT 3 AS c, $n AS n");
        let run = |more: &[&str]| {
            let query = ["query", "-c", &sql, "--format", "ndjson", "--param", "n=7"];
            desk.run(&[&query, more].concat())
        };
        let went_on = run(&["--keep-going"]);
        let rest = if is_open {
            ""
        } else {
            "{\"c\":3,\"n\":\"7\"}\n"
        };
        assert_eq!(went_on.code, Some(1), "{broken}");
        assert_eq!(
            went_on.stdout,
            format!("{{\"a\":1}}\n{rest}"),
            "{broken}: {}",
            went_on.stderr
        );
        assert!(
            went_on.stderr.contains(expected),
            "{broken}: {}",
            went_on.stderr
        );
        let errors = went_on.stderr.lines();
        let errors = errors.filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{broken}: {}", went_on.stderr);
        // Without it nothing is begun that cannot be brought to its end.
        let stopped = run(&[]);
        assert_eq!(
            (stopped.code, stopped.stdout.as_str()),
            (Some(1), ""),
            "{broken}"
        );
        assert_eq!(stopped.stderr, went_on.stderr, "{broken}");
    }
    // A file's statements declare their parameters: one that does not is one that cannot run.
    desk.write(
        "all.sql",
        "-- $from DATE = NULL\nSELECT 1 AS a; SELECT $form AS b; SELECT 3 AS c;",
    );
    let file = desk.run(&["query", "all.sql", "--keep-going", "--format", "csv"]);
    assert_eq!(
        (file.code, file.stdout.as_str()),
        (Some(1), "a\n1\n\nc\n3\n")
    );
    assert!(
        file.stderr.contains("did you mean from?"),
        "{}",
        file.stderr
    );
}

/// How Rust shows its own values.
const DEBUG_FORMS: [&str; 12] = [
    "Some(",
    "None",
    "Utf8",
    "Int64",
    "Float64",
    "Date32",
    "Boolean",
    "Ident",
    "ObjectName",
    "Span(",
    "Error",
    " { ",
];

#[test]
fn mistakes_by_the_hundred_are_told_in_words() {
    let desk = small_lake();
    let good = [
        "SELECT channel, count(*) AS n FROM fact_chats WHERE started_date >= '2024-01-01' GROUP BY channel ORDER BY 2 DESC",
        "SELECT c.chat_id, m.body FROM fact_chats AS c JOIN fact_messages AS m ON m.chat_id = c.chat_id LIMIT 3",
        "WITH a AS (SELECT outcome, started_at FROM fact_chats) SELECT max(started_at) - min(started_at) AS d FROM a",
        "SELECT CASE WHEN total_wait_seconds > 10.5 THEN 'long' ELSE 'short' END AS kind FROM fact_chats",
        "SELECT row_number() OVER (PARTITION BY channel ORDER BY started_at) AS n FROM fact_chats",
    ];
    let others = [
        "chanel",
        "started_at",
        "'2025-13-45'",
        "(",
        ")",
        ",",
        "NULL",
        "->>",
        "::date",
        "nosuch(1)",
        "sum(channel)",
        "*",
        "OVER",
        "2.5",
        "\"email\"",
        "{",
        "DELETE",
        "[1]",
        "lag(chat_id)",
        "EXISTS (SELECT 1)",
    ];
    // Each word in turn gives way to what does not belong there.
    let mut script = String::new();
    let mut statements = 0;
    for (number, good) in good.iter().enumerate() {
        let words: Vec<&str> = good.split(' ').collect();
        for (place, other) in others.iter().enumerate() {
            let mut words = words.clone();
            words[(place * 7 + number + 1) % good.split(' ').count()] = other;
            script += &format!("{};\n", words.join(" "));
            statements += 1;
        }
    }
    assert_eq!(statements, 100);
    script += "SELECT 'the end' AS done";
    desk.write("mistaken.sql", script);
    let printed = desk.run(&["query", "mistaken.sql", "--keep-going", "--format", "csv"]);
    assert_eq!(printed.code, Some(1), "{}", printed.stderr);
    assert!(
        printed.stdout.ends_with("done\nthe end\n"),
        "{}",
        printed.stdout
    );
    let told: Vec<&str> = printed
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert!(told.len() > 60, "{}", printed.stderr);
    assert!(!printed.stderr.contains("panicked"), "{}", printed.stderr);
    for line in told {
        let form = DEBUG_FORMS.iter().find(|form| line.contains(*form));
        assert_eq!(form, None, "{line}");
    }
}

/// Keeps every core busy, without a pause in which it could be stopped.
const COMPUTING: &str =
    "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b
    WHERE a.value * b.value = 17";
const WELL_WITHIN: Duration = Duration::from_millis(700);

/// Interrupts the run as Ctrl-C does; gives the exit code.
fn interrupt(mut child: Child) -> Option<i32> {
    let start = Instant::now();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("sending a signal").success());
    let code = child.wait().expect("the run ends").code();
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "it took its time"
    );
    code
}

#[test]
fn ctrl_c_ends_a_query_and_leaves_no_part_of_a_file() {
    let desk = Desk::new();
    let endless = "SELECT value, repeat('x', 100) AS x FROM generate_series(1, 1000000000000)";
    let child = desk
        .command(&["query", "-c", endless, "-o", "all.csv"])
        .spawn()
        .expect("starting the binary");
    wait("the file to grow", || desk.largest_file() > 1_000_000);
    assert_eq!(interrupt(child), Some(130));
    assert!(desk.names().is_empty(), "{:?}", desk.names());
    let child = desk
        .command(&["query", "-c", COMPUTING, "-o", "all.csv"])
        .spawn()
        .expect("starting the binary");
    wait("the file to be there", || !desk.names().is_empty());
    thread::sleep(WELL_WITHIN);
    assert_eq!(interrupt(child), Some(130));
    assert!(desk.names().is_empty(), "{:?}", desk.names());
}

#[test]
fn ctrl_c_ends_a_query_that_computes_and_one_whose_reader_sleeps() {
    let desk = Desk::new();
    let unread = "SELECT value FROM generate_series(1, 1000000000000)";
    for sql in [COMPUTING, unread] {
        let child = desk
            .command(&["query", "-c", sql, "--format", "csv"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("starting the binary");
        thread::sleep(WELL_WITHIN);
        assert_eq!(interrupt(child), Some(130), "{sql}");
    }
}
