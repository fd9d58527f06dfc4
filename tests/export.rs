//! `export` by its command line; what it writes is read in the tests of its crate and by `tests/exports.py`.

use crate::support::Desk;

#[test]
fn exports_say_what_they_did_and_refuse_what_would_do_harm() {
    let desk = Desk::new();
    desk.generate("one.ndjson", &["--chats", "30", "--days", "1"]);
    desk.ok(&["import", "one.ndjson"]);
    desk.ok(&["transform"]);
    let rows = desk.number("SELECT count(*) FROM fact_chats");
    let run = |args: &[&str]| desk.run(&[&["export"], args].concat());

    let printed = run(&["--to", "out", "fact_chats", "dim_agents"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(
        printed
            .stderr
            .contains(&format!("fact_chats: {rows} rows in ")),
        "{}",
        printed.stderr
    );
    assert!(desk.path("out/dim_agents/data.parquet").is_file());
    let printed = run(&["--to", "out", "fact_chats"]);
    assert!(printed.stderr.contains("; 0 written"), "{}", printed.stderr);

    // What cannot all be exported is not begun.
    let mixed = [
        "--to",
        "out",
        "--partition",
        "month",
        "fact_replies",
        "fact_chats",
    ];
    let printed = run(&mixed);
    assert_eq!(printed.code, Some(2), "{}", printed.stderr);
    assert!(!desk.path("out/fact_replies").exists());

    let query = [
        "--to",
        "out",
        "--query",
        "sessions_by_day",
        "--param",
        "from=2020-01-01",
    ];
    assert_eq!(run(&query).code, Some(0));
    assert!(desk.path("out/sessions_by_day/data.parquet").is_file());
    let sql = [
        "--to",
        "out",
        "-c",
        "SELECT $a AS a",
        "--name",
        "mine",
        "--param",
        "a=1",
    ];
    let printed = run(&sql);
    assert_eq!(printed.code, Some(0));
    let told = "mine: 1 row in 1 object, ";
    assert!(printed.stderr.contains(told), "{}", printed.stderr);
    assert!(desk.path("out/mine/data.parquet").is_file());

    let printed = run(&["--to", "snapshots", "--snapshot"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let url = printed
        .stderr
        .lines()
        .last()
        .and_then(|line| line.split_once("file://"));
    let (_, folder) = url.expect("the snapshot's place");
    assert!(
        std::path::Path::new(folder)
            .join("_manifest.json")
            .is_file(),
        "{folder}"
    );

    let refused = |args: &[&str], code: i32, words: &str| {
        let printed = run(args);
        assert_eq!(printed.code, Some(code), "{args:?}: {}", printed.stderr);
        assert!(
            printed.stderr.contains(words),
            "{args:?}: {}",
            printed.stderr
        );
    };
    refused(&["--to", "lake"], 2, "belongs to the lake");
    refused(
        &["--to", "out", "--partition", "month", "fact_chats"],
        2,
        "--partition day",
    );
    refused(&["--to", "out", "fact_chat"], 1, "fact_chats");
    refused(
        &["--to", "out", "fact_chats", "fact_chats"],
        2,
        "named twice",
    );
    refused(&["--to", "ftp://x/y", "fact_chats"], 2, "unknown scheme");
    let unknown = [
        "--to",
        "out",
        "--query",
        "sessions_by_day",
        "--param",
        "no=1",
    ];
    refused(&unknown, 2, "none of the queries declares a parameter $no");
}
