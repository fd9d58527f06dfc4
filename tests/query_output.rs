//! Where results go and how they look: formats, files, the terminal and its pager, narration on stderr.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::{Desk, Printed, has, wait};
use crate::terminal::Screen;

const ROWS: &str =
    "SELECT * FROM (VALUES (1, 'Zé', 3723), (2, NULL, NULL)) t (n, name, wait_seconds)";

#[test]
fn the_ending_of_a_file_names_its_format_and_files_are_read_back() {
    let desk = Desk::new();
    for name in ["a.csv", "a.tsv", "a.json", "a.ndjson", "a.parquet"] {
        let printed = desk.run(&["query", "-c", ROWS, "-o", name]);
        assert_eq!((printed.code, printed.stdout.as_str()), (Some(0), ""));
        let rows = desk.rows(&format!("SELECT * FROM '{name}' ORDER BY n"));
        let text = rows.to_string();
        assert_eq!(text, r#"[[1,"Zé",3723],[2,null,null]]"#, "{name}");
    }
    // Several of a folder at once, by a pattern.
    fs::create_dir_all(desk.path("data/more")).expect("folders");
    for (name, numbers) in [
        ("data/1.csv", "1, 2"),
        ("data/2.csv", "3, 4"),
        ("data/more/3.csv", "5, 6"),
    ] {
        let sql = format!("SELECT unnest(make_array({numbers})) AS n");
        desk.ok(&["query", "-c", &sql, "-o", name]);
    }
    for (pattern, sum) in [
        ("data/*.csv", 10),
        ("data/[2-9].csv", 7),
        ("data/?.csv", 10),
        ("data/*/*.csv", 11),
        ("*/more/3.csv", 11),
        ("data/**/*.csv", 21),
        ("data/more/../2.csv", 7),
    ] {
        let found = desk.number(&format!("SELECT sum(n) FROM '{pattern}'"));
        assert_eq!(found, sum, "{pattern}");
    }
    for (name, beginning) in [
        (
            "a.md",
            "| n | name | wait_seconds |\n| ---: | --- | ---: |\n",
        ),
        ("a.html", "<!DOCTYPE html>"),
        ("a.txt", "+---+"),
    ] {
        desk.ok(&["query", "-c", ROWS, "-o", name]);
        let text = fs::read_to_string(desk.path(name)).expect("the file");
        assert!(text.starts_with(beginning), "{name}: {text}");
    }
    desk.ok(&["query", "-c", ROWS, "-o", "a.arrow"]);
    let arrow = fs::read(desk.path("a.arrow")).expect("the file");
    assert!(arrow.starts_with(b"ARROW1") && arrow.ends_with(b"ARROW1"));
}

#[test]
fn a_file_is_whole_or_not_there() {
    let desk = Desk::new();
    desk.write("kept.ndjson", "as before");
    let failing = "SELECT 1 AS a; SELECT CAST(value AS TEXT)::INT + CAST('x' AS INT) FROM generate_series(1, 9)";
    let printed = desk.run(&["query", "-c", failing, "-o", "kept.ndjson"]);
    assert_eq!(printed.code, Some(1), "{}", printed.stderr);
    assert_eq!(
        fs::read_to_string(desk.path("kept.ndjson")).expect("the file"),
        "as before"
    );
    assert_eq!(desk.names(), ["kept.ndjson"]);
    desk.ok(&[
        "query",
        "-c",
        "SELECT 1 AS a; SELECT 2 AS b",
        "-o",
        "kept.ndjson",
    ]);
    assert_eq!(
        fs::read_to_string(desk.path("kept.ndjson")).expect("the file"),
        "{\"a\":1}\n{\"b\":2}\n"
    );
}

#[test]
fn what_is_nothing_for_a_format_is_refused_before_anything_runs() {
    let desk = Desk::new();
    for (args, expected) in [
        (
            &["--null", "-", "--format", "json"][..],
            "--null is nothing for json",
        ),
        (
            &["--human", "--format", "csv"],
            "--human is nothing for csv",
        ),
        (&["-o", "x.xls"], "the ending of x.xls names no format"),
        (&["--format", "xls"], "unknown format \"xls\""),
    ] {
        let printed = desk.run(&[&["query", "-c", ROWS], args].concat());
        assert_eq!((printed.code, printed.stdout.as_str()), (Some(2), ""));
        assert!(printed.stderr.contains(expected), "{}", printed.stderr);
    }
    let two = desk.run(&["query", "-c", "SELECT 1; SELECT 2", "-o", "x.parquet"]);
    assert_eq!(two.code, Some(2));
    assert!(
        two.stderr.contains("2 statements have a result"),
        "{}",
        two.stderr
    );
}

#[test]
fn a_table_fits_its_width_and_says_what_it_leaves_out() {
    let desk = Desk::new();
    let sql =
        "SELECT 1 AS id, 'a rather long message' AS said, 20 AS seconds, 'Zé da Silva' AS name";
    let printed = desk.run(&["query", "-c", sql, "--width", "40"]);
    insta::assert_snapshot!(format!("{}{}", printed.stdout, printed.stderr));
    let printed = desk.run(&["query", "-c", sql, "--width", "25"]);
    insta::assert_snapshot!(format!("{}{}", printed.stdout, printed.stderr));
    let rows = desk.run(&[
        "query",
        "-c",
        "SELECT value FROM generate_series(1, 5)",
        "--max-rows",
        "2",
    ]);
    assert_eq!(rows.stdout.lines().count(), 2 + 4);
    assert!(
        rows.stderr.contains("only the first 2 rows are shown"),
        "{}",
        rows.stderr
    );
    let all = desk.ok(&[
        "query",
        "-c",
        "SELECT value FROM generate_series(1, 10001)",
        "--max-rows",
        "0",
    ]);
    assert_eq!(all.lines().count(), 10_001 + 4);
}

#[test]
fn durations_read_as_said_and_null_as_wished() {
    let desk = Desk::new();
    let printed = desk.ok(&["query", "-c", ROWS, "--human", "--null", "-"]);
    insta::assert_snapshot!(printed);
    for (format, expected) in [
        ("csv", "\n2,-,-\n"),
        ("tsv", "\n2\t-\t-\n"),
        ("markdown", "\n| 2 | - | - |\n"),
        ("html", "<td>-</td><td class=\"n\">-</td>"),
    ] {
        let printed = desk.ok(&["query", "-c", ROWS, "--format", format, "--null", "-"]);
        assert!(printed.contains(expected), "{format}: {printed}");
    }
}

/// Runs a command at a terminal of that size, and gives what it shows.
fn at_terminal(desk: &Desk, size: &str, pager: &str, sql: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_huggy-etl");
    let command = format!("stty {size}; {binary} query -c \"{sql}\"");
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(desk.path(""))
        .env("PAGER", pager)
        .output()
        .expect("script, of util-linux, gives a terminal");
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn what_exceeds_the_terminal_is_paged_and_else_shown() {
    let desk = Desk::new();
    let pager = "sed 's/^/paged /'";
    let few = "SELECT value FROM generate_series(1, 3)";
    let shown = at_terminal(&desk, "cols 60 rows 20", pager, few);
    assert!(
        shown.starts_with("+---") && !shown.contains("paged"),
        "{shown}"
    );
    let many = "SELECT value FROM generate_series(1, 30)";
    let shown = at_terminal(&desk, "cols 60 rows 20", pager, many);
    assert!(shown.starts_with("paged +---"), "{shown}");
    assert_eq!(shown.matches("paged").count(), 30 + 4, "{shown}");
    // Without a pager it fits the width, and says how.
    let wide = "SELECT repeat('x', 100) AS said";
    let shown = at_terminal(&desk, "cols 40 rows 20", "cat", wide);
    assert!(
        shown.contains("xx… |") && shown.contains("values cut to fit the width: 1"),
        "{shown}"
    );
    // A pager that is not there is no reason to show nothing.
    let shown = at_terminal(&desk, "cols 60 rows 20", "no-such-pager", many);
    assert!(shown.contains(" 30 |"), "{shown}");
}

/// Longer than work that is interrupted may take to stop.
const BEYOND_PATIENCE: Duration = Duration::from_millis(2_500);

#[test]
fn ctrl_c_is_the_pagers_while_it_pages() {
    if !has("tmux") || !has("less") {
        return;
    }
    let desk = Desk::new();
    let etl = env!("CARGO_BIN_EXE_huggy-etl");
    let query = format!("{etl} query --timing -c \"SELECT value FROM range(1000) ORDER BY value\"");
    let line = format!("sh -c 'trap : INT; {query}; echo \"exit code $?\"; sleep 99'");
    let screen = Screen::running(&desk, &line, ("100", "20"), "");
    screen.wait_for("|    10 |");
    screen.press("C-c");
    thread::sleep(BEYOND_PATIENCE);
    screen.press("G");
    screen.wait_for("|   999 |");
    screen.press("q");
    let text = screen.wait_for("exit code");
    assert!(text.ends_with("exit code 0"), "{text}");
    assert!(text.contains("1,000 rows in "), "{text}");
}

#[test]
fn that_there_is_nothing_is_told_at_a_terminal_and_else_shown_by_the_header() {
    let desk = Desk::new();
    let nothing = "SELECT 1 AS n WHERE false";
    let shown = at_terminal(&desk, "cols 60 rows 20", "cat", nothing);
    assert!(
        shown.contains("| n |") && shown.ends_with("0 rows\n"),
        "{shown}"
    );
    for (format, expected) in [("csv", "n\n"), ("json", "[]\n"), ("ndjson", "")] {
        let printed = desk.run(&["query", "-c", nothing, "--format", format]);
        assert_eq!(
            (
                printed.code,
                printed.stdout.as_str(),
                printed.stderr.as_str()
            ),
            (Some(0), expected, ""),
            "{format}"
        );
    }
    let one = at_terminal(&desk, "cols 60 rows 20", "cat", "SELECT 1 AS n");
    assert!(!one.contains("rows"), "{one}");
}

#[test]
fn sql_comes_from_stdin_too() {
    let desk = Desk::new();
    desk.write("two.sql", "SELECT 1 AS a;\nSELECT 2 AS b;\n");
    for args in [
        &["query", "--format", "csv"][..],
        &["query", "-", "--format", "csv"],
    ] {
        let mut command = desk.command(args);
        command.stdin(fs::File::open(desk.path("two.sql")).expect("the file"));
        let output = command.output().expect("running the binary");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a\n1\n\nb\n2\n");
    }
}

#[test]
fn timing_is_told_on_stderr() {
    let desk = Desk::new();
    let printed = desk.run(&["query", "-c", ROWS, "--timing", "--format", "csv"]);
    assert_eq!(printed.stdout.lines().count(), 3);
    assert!(
        printed.stderr.starts_with("2 rows in 0."),
        "{}",
        printed.stderr
    );
}

#[test]
fn a_long_query_tells_how_far_it_is_at_a_terminal_and_nowhere_else() {
    if !has("tmux") {
        return;
    }
    let desk = Desk::new();
    desk.generate("traffic.ndjson", &["--chats", "20", "--days", "1"]);
    desk.ok(&["import", "traffic.ndjson"]);
    // It reads all of `events`, and then computes for ages.
    let endless = "SELECT count(*) FROM events CROSS JOIN range(1000000) a CROSS JOIN range(1000000) b \
                   WHERE length(payload) + a.value = b.value";
    let query = ["query", "-c", endless, "-o", "out.csv"];
    let screen = Screen::of(&desk, &query);
    let text = screen.wait_for(" of at most ");
    let line = text
        .lines()
        .find(|line| line.contains(" of at most "))
        .expect("what it tells");
    let words = ["[", "] ", " rows, ", "B of at most ", "B read"];
    assert!(words.iter().all(|word| line.contains(word)), "{line}");
    screen.press("C-c");
    wait("the query to end", || !screen.is_there());
    // It is no part of the data, which may go elsewhere.
    let etl = env!("CARGO_BIN_EXE_huggy-etl");
    let line = format!("sh -c '{etl} query -c \"{endless}\" --format csv > out.csv'");
    let screen = Screen::running(&desk, &line, ("120", "40"), "");
    screen.wait_for(" of at most ");
    screen.press("C-c");
    wait("the query to end", || !screen.is_there());
    let data = fs::read_to_string(desk.path("out.csv")).expect("the data");
    assert!(!data.contains(" of at most "), "{data}");

    let query = desk
        .command(&query)
        .stderr(Stdio::piped())
        .spawn()
        .expect("starting the binary");
    // Longer than what would be told at a terminal waits.
    thread::sleep(Duration::from_millis(1_800));
    let sent = Command::new("kill")
        .args(["-INT", &query.id().to_string()])
        .status();
    assert!(sent.expect("sending a signal").success());
    let ended = Printed::from(query.wait_with_output().expect("the query ends"));
    assert_eq!(ended.stderr, "interrupted\n");
}

/// `/dev/full` takes no byte, as a pipe whose reader has gone.
#[test]
fn nobody_to_tell_ends_no_work() {
    let desk = Desk::new();
    desk.generate("traffic.ndjson", &["--chats", "5", "--days", "1"]);
    let run = |args: &[&str]| {
        let full = fs::File::options().write(true).open("/dev/full");
        let mut command = desk.command(args);
        command.stdout(Stdio::null());
        let status = command.stderr(full.expect("/dev/full")).status();
        status.expect("running the binary").code()
    };
    for args in [
        &["import", "traffic.ndjson"][..],
        &["transform"],
        &["maintain", "--dry-run"],
        &["verify"],
        &["export", "events", "--to", "exported"],
        &["query", "-c", "SELECT 1", "--timing"],
    ] {
        assert_eq!(run(args), Some(0), "{args:?}");
    }
    assert_eq!(run(&["query", "-c", "SELECT nothing"]), Some(1));
    assert_eq!(run(&["query", "nothing"]), Some(2));
    assert_eq!(
        desk.number("SELECT CAST(count(*) > 0 AS BIGINT) FROM 'exported/**/*.parquet'"),
        1
    );
}

#[test]
fn an_existing_file_keeps_its_mode_and_a_link_stays_one() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let desk = Desk::new();
    let query = |path: &str| {
        desk.ok(&[
            "query",
            "-c",
            "SELECT 7 AS n",
            "--format",
            "csv",
            "-o",
            path,
        ])
    };
    let real = desk.write("real.csv", "before");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("a mode");
    symlink("real.csv", desk.path("link.csv")).expect("a link");
    symlink("new.csv", desk.path("dangling.csv")).expect("a link");
    query("link.csv");
    query("dangling.csv");
    for name in ["link.csv", "dangling.csv"] {
        let link = fs::symlink_metadata(desk.path(name)).expect("the link");
        assert!(link.is_symlink(), "{name}");
    }
    for name in ["real.csv", "new.csv"] {
        let text = fs::read_to_string(desk.path(name)).expect("the file");
        assert_eq!(text, "n\n7\n", "{name}");
    }
    let mode = fs::metadata(&real).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(query("/dev/stdout"), "n\n7\n");
    assert_eq!(query("/proc/self/fd/1"), "n\n7\n");
}

/// A file in the place of what is open would take from others what they write there.
#[test]
fn what_is_open_is_written_through() {
    let desk = Desk::new();
    let etl = env!("CARGO_BIN_EXE_huggy-etl");
    let select = format!("'{etl}' query -c 'SELECT 7 AS n' --format csv -o");
    let bash = |line: &str| {
        let line = line.replace("SELECT ", &format!("{select} "));
        let output = Command::new("bash")
            .args(["-c", &line])
            .current_dir(desk.path(""))
            .output();
        Printed::from(output.expect("running bash"))
    };
    for (line, file, expected) in [
        (
            "SELECT /dev/stderr 2>&1 > /dev/null | cat > log.txt",
            "log.txt",
            "n\n7\n",
        ),
        (
            "{ SELECT /dev/fd/1; SELECT /dev/stdout; } > both.csv",
            "both.csv",
            "n\n7\nn\n7\n",
        ),
        ("SELECT >(cat > piped.csv); wait", "piped.csv", "n\n7\n"),
    ] {
        let printed = bash(line);
        assert_eq!(printed.code, Some(0), "{line}: {}", printed.stderr);
        wait(line, || {
            fs::read_to_string(desk.path(file)).is_ok_and(|text| text == expected)
        });
    }
    let refused = bash("SELECT /dev/fd/9 9> nine.csv");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("open already: write to stdout"),
        "{}",
        refused.stderr
    );
}
