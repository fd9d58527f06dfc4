//! How queries fail: the place and what to do, exit codes, and nothing left behind.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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
    std::fs::create_dir(desk.path("data")).expect("a folder");
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
