//! What each format holds, read from the real binary, and what is said beside it.

use std::fs;

use arrow::ipc::reader::FileReader;
use serde_json::json;

use crate::support::Desk;

/// A text with all that markup must escape, a NULL, an instant, a length of time and a list.
const ROWS: &str = "SELECT * FROM (VALUES
    (1, 'a | <b> & \"c\"', TIMESTAMP '2024-03-01 12:00:00', INTERVAL '0' SECOND), (2, NULL, NULL, NULL)) AS t(n, said, at, none)";
const SHOWN: &str =
    "SELECT n, said, at, at - TIMESTAMP '2024-03-01 11:48:10' AS took FROM rows ORDER BY n";
const NOTHING: &str =
    "SELECT 1 AS n, 'x' AS said, TIMESTAMP '2024-03-01 12:00:00' AS at WHERE false";

fn printed(desk: &Desk, format: &str) -> String {
    let sql = format!("CREATE VIEW rows AS {ROWS}; {SHOWN}");
    desk.ok(&["query", "-c", &sql, "--format", format])
}

#[test]
fn each_format_holds_what_was_asked_for() {
    let desk = Desk::new();
    assert_eq!(
        printed(&desk, "markdown"),
        "| n | said | at | took |\n| ---: | --- | --- | --- |\n\
         | 1 | a \\| &lt;b> &amp; \"c\" | 2024-03-01 12:00:00 | 00:11:50 |\n| 2 |  |  |  |\n"
    );
    assert_eq!(
        printed(&desk, "csv"),
        "n,said,at,took\n1,\"a | <b> & \"\"c\"\"\",2024-03-01T12:00:00,00:11:50\n2,,,\n"
    );
    let ndjson = printed(&desk, "ndjson");
    let first: serde_json::Value =
        serde_json::from_str(ndjson.lines().next().expect("a row")).expect("JSON");
    assert_eq!(
        first,
        json!({"n": 1, "said": "a | <b> & \"c\"", "at": "2024-03-01T12:00:00", "took": "00:11:50"})
    );
    let html = printed(&desk, "html");
    assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
    for part in [
        ">said</th>",
        "a | &lt;b&gt; &amp; ",
        ">2024-03-01 12:00:00</td>",
        ">00:11:50</td>",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert_eq!(html.matches("<tr>").count(), 3, "{html}");
    let sql = format!("CREATE VIEW rows AS {ROWS}; {SHOWN}");
    desk.ok(&["query", "-c", &sql, "-o", "a.arrow"]);
    let file = fs::File::open(desk.path("a.arrow")).expect("the file");
    let batches = FileReader::try_new(file, None).expect("an Arrow file");
    let batches: Vec<_> = batches.map(|batch| batch.expect("a batch")).collect();
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    let schema = batches[0].schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!((rows, names), (2, vec!["n", "said", "at", "took"]));
    let nulls: usize = batches
        .iter()
        .map(|batch| batch.column(1).null_count())
        .sum();
    assert_eq!(nulls, 1);
}

#[test]
fn what_has_no_rows_has_its_columns() {
    let desk = Desk::new();
    let text = |format: &str| desk.ok(&["query", "-c", NOTHING, "--format", format]);
    assert_eq!(text("tsv"), "n\tsaid\tat\n");
    assert_eq!(
        text("markdown"),
        "| n | said | at |\n| ---: | --- | --- |\n"
    );
    let html = text("html");
    assert!(
        html.contains(">said</th>") && !html.contains("<td"),
        "{html}"
    );
    desk.ok(&["query", "-c", NOTHING, "-o", "a.parquet"]);
    let described = desk.ok(&["query", "-c", "DESCRIBE 'a.parquet'", "--format", "csv"]);
    let columns: Vec<&str> = described
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(columns, ["n", "said", "at"]);
    assert_eq!(desk.number("SELECT count(*) FROM 'a.parquet'"), 0);
    desk.ok(&["query", "-c", NOTHING, "-o", "a.arrow"]);
    let file = fs::File::open(desk.path("a.arrow")).expect("the file");
    let file = FileReader::try_new(file, None).expect("an Arrow file");
    let schema = file.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, columns);
}

#[test]
fn what_is_left_out_is_told_beside_the_data() {
    let desk = Desk::new();
    let columns: Vec<String> = (1..=40)
        .map(|number| format!("{number} AS column_{number}"))
        .collect();
    let wide = format!("SELECT repeat('x', 100) AS said, {}", columns.join(", "));
    let printed = desk.run(&["query", "-c", &wide, "--width", "60"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(
        printed.stderr,
        "values cut to fit the width: 1; --width 0 shows them whole\n\
         columns not shown, since they do not fit the width: column_5, column_6, column_7, column_8, column_9 and 31 more, \
         36 in all; --width 0 shows all\n"
    );
    for word in ["width", "shown", "cut"] {
        assert!(!printed.stdout.contains(word), "{}", printed.stdout);
    }
    let long = desk.run(&[
        "query",
        "-c",
        "SELECT value FROM range(9)",
        "--max-rows",
        "3",
    ]);
    assert!(
        long.stderr.starts_with("only the first 3 rows are shown"),
        "{}",
        long.stderr
    );
    assert_eq!(long.stdout.lines().count(), 3 + 4, "{}", long.stdout);
    // An instant is there whole, or not at all.
    let instants = "SELECT 'a rather long message' AS said, TIMESTAMP '2024-03-01 12:00:00' AS at";
    let narrow = desk.run(&["query", "-c", instants, "--width", "35"]);
    assert!(
        narrow.stdout.contains("| 2024-03-01 12:00:00 |"),
        "{}",
        narrow.stdout
    );
    let counted = "SELECT 100 AS abandoned_30_to_60_seconds, 100 AS wait_seconds";
    let human = desk.ok(&["query", "-c", counted, "--human"]);
    assert!(
        human.contains(" 100 |") && human.contains(" 1m 40s |"),
        "{human}"
    );
}

#[test]
fn stats_tell_the_rows_that_were_read_and_given() {
    let desk = Desk::new();
    desk.generate("traffic.ndjson", &["--chats", "20", "--days", "1"]);
    desk.ok(&["import", "traffic.ndjson"]);
    let events = desk.number("SELECT count(*) FROM events");
    let sql = "SELECT event_id FROM events LIMIT 1000000";
    let printed = desk.run(&["query", "-c", sql, "--stats", "--format", "csv"]);
    let told = format!("rows:   {events} scanned, {events} given\n");
    assert!(printed.stderr.contains(&told), "{told}{}", printed.stderr);
    assert!(!printed.stdout.contains("rows:"));
}
