//! The shell, in a real terminal (tmux) and as a script.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::query::small_lake;
use crate::support::{Desk, Printed, has, wait};
use crate::terminal::Screen;

/// It computes for ages without a pause: every row of one side against every row of the other.
const ENDLESS: &str = "SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b WHERE a.value + b.value = 7;";

fn shell_of(desk: &Desk, args: &[&str]) -> Screen {
    let screen = Screen::of(desk, &[&["shell"], args].concat());
    screen.wait_for("huggy>");
    screen
}

/// What an empty line of an unfinished statement says.
const GOES_ON: &str = "   ... ; ends the statement";

#[test]
fn at_a_terminal_statements_span_lines_are_completed_and_remembered() {
    if !has("tmux") {
        return;
    }
    let desk = small_lake();
    let shell = shell_of(&desk, &[]);
    // Several lines; what one begins to type is completed from the lake.
    for line in ["SELECT outcome, count(*) AS n", "FROM fact_chats"] {
        shell.enter(line);
        shell.wait_until("a word that it goes on", |text| {
            text.ends_with(&format!("{line}\n{GOES_ON}"))
        });
    }
    // An earlier line is changed.
    for key in ["Up", "Up", "End"] {
        shell.press(key);
    }
    shell.type_in(", 'x' AS added");
    for key in ["Down", "Down"] {
        shell.press(key);
    }
    shell.enter("GROUP BY outcome ORDER BY n DESC;");
    let text = shell.wait_for("rows");
    assert!(text.contains("| outcome "), "{text}");
    assert!(text.contains("| handled "), "{text}");
    assert!(text.contains("| added"), "{text}");
    shell.wait_for_prompt();
    shell.clear();
    shell.wait_until("a completed name", |_| {
        shell.press("C-u");
        shell.type_in("SELECT max(episode_no) FROM fact_qu");
        shell.press("Tab");
        shell.text().ends_with("FROM fact_queue_waits")
    });
    shell.enter(";");
    shell.wait_for("1 row");
    shell.clear();
    // So are functions, keywords and commands.
    for (typed, completed) in [
        ("SELECT business_s", "SELECT business_seconds("),
        (
            "SELECT outcome FROM fact_chats GROU",
            "FROM fact_chats GROUP",
        ),
        ("select 1 from fact_chats orde", "from fact_chats order"),
        (".desc", "huggy> .describe"),
    ] {
        shell.type_in(typed);
        shell.press("Tab");
        shell.wait_until(completed, |text| text.ends_with(completed));
        shell.press("C-u");
        shell.wait_for_prompt();
    }
    // A mistake is explained and ends nothing.
    shell.enter("SELECT outcom FROM fact_chats;");
    let text = shell.wait_for("did you mean outcome?");
    assert!(text.contains("error: "), "{text}");
    shell.wait_for_prompt();
    shell.enter(".table");
    shell.wait_for("did you mean .tables?");
    shell.clear();
    shell.enter(".timing on");
    shell.wait_until("the next prompt", |text| {
        text.contains(".timing on") && text.ends_with("\nhuggy>")
    });
    shell.enter(".run first_response channel=email");
    let text = shell.wait_for(" rows in ");
    assert!(text.contains("| cumulative_pct |"), "{text}");
    // Ctrl-D ends it; the next one remembers.
    shell.press("C-d");
    let history = desk.path(".local/state/huggy-etl/history");
    drop(shell);
    let mode = fs::metadata(&history)
        .expect("a history")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    let shell = shell_of(&desk, &[]);
    shell.press("Up");
    shell.press("Up");
    shell.wait_until("the last but one", |text| {
        text.ends_with("huggy> .timing on")
    });
    for _ in 0..4 {
        shell.press("Up");
    }
    shell.wait_for("GROUP BY outcome ORDER BY n DESC;");
}

#[test]
fn ctrl_c_stops_the_query_or_the_line_and_not_the_shell() {
    if !has("tmux") {
        return;
    }
    let desk = small_lake();
    let shell = shell_of(&desk, &[]);
    shell.enter(ENDLESS);
    shell.wait_until("the query to run", |text| {
        !text.ends_with("huggy>") && text.contains("= 7;")
    });
    // Once it is past its planning, for which there is no sign.
    std::thread::sleep(Duration::from_millis(500));
    let stopped = Instant::now();
    shell.press("C-c");
    shell.wait_for("interrupted");
    shell.wait_for_prompt();
    assert!(
        stopped.elapsed() < Duration::from_secs(5),
        "{:?}",
        stopped.elapsed()
    );
    shell.type_in("SELECT 'given up'");
    shell.wait_for("'given up'");
    shell.press("C-c");
    shell.wait_for_prompt();
    // What was stopped is in nobody's way.
    shell.enter("SELECT count(*) AS chats FROM fact_chats;");
    let text = shell.wait_for("1 row");
    assert!(text.contains("| chats |"), "{text}");
    shell.wait_for_prompt();
    shell.enter("exit");
    wait("the shell to end", || !shell.is_there());
}

#[test]
fn ctrl_c_in_a_first_command_ends_no_shell() {
    if !has("tmux") || !has("less") {
        return;
    }
    let desk = Desk::new();
    let shell = Screen::of_size(&desk, &["shell"], ("100", "12"));
    shell.wait_for("huggy>");
    shell.enter(".help");
    shell.wait_for(".schema [TABLE]");
    shell.press("C-c");
    shell.press("G");
    shell.wait_for("Ctrl-D ends.");
    shell.press("q");
    shell.wait_for_prompt();
    // Nor does one while a lake is waited for, such as a store that accepts and says nothing.
    let store = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = store.local_addr().expect("its address");
    let variables = format!(
        "AWS_ENDPOINT_URL=http://{address} AWS_ALLOW_HTTP=true AWS_REGION=us-east-1 \
         AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret"
    );
    let desk = Desk::on("s3://bucket/lake", &[]);
    let shell = Screen::with(&desk, &["shell"], ("120", "40"), &variables);
    shell.wait_for("huggy>");
    shell.enter(".tables");
    shell.wait_until("the waiting to end", |text| {
        let is_over = text.contains("interrupted\nhuggy>");
        if !is_over {
            shell.press("C-c");
        }
        is_over
    });
    shell.enter(".timing on");
    shell.wait_for("timing on\nhuggy>");
}

#[test]
fn a_result_larger_than_the_screen_is_paged() {
    if !has("tmux") || !has("less") {
        return;
    }
    let desk = small_lake();
    let shell = shell_of(&desk, &[]);
    shell.enter("SELECT value FROM range(1000) ORDER BY value;");
    let text = shell.wait_for("| value |");
    assert!(
        text.contains("|    20 |") && !text.contains("|   900 |"),
        "{text}"
    );
    shell.press("G");
    shell.wait_for("|   999 |");
    shell.press("q");
    shell.wait_for("1000 rows");
    shell.wait_for_prompt();
}

fn script(desk: &Desk, text: &str) -> Printed {
    let mut child = desk
        .command(&["shell"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starting the shell");
    let mut stdin = child.stdin.take().expect("its stdin");
    stdin
        .write_all(text.as_bytes())
        .expect("writing the script");
    drop(stdin);
    Printed::from(child.wait_with_output().expect("the shell's end"))
}

#[test]
fn a_script_prints_data_only_and_stops_at_its_first_error() {
    let desk = small_lake();
    let printed = script(
        &desk,
        ".format csv\nSELECT 1 AS a,\n 'x;y' AS b; SELECT 2 AS c;\n.run wait_times from=2031-01-01\nSELECT 3 AS d",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stderr, "");
    assert!(
        printed
            .stdout
            .starts_with("a,b\n1,x;y\n\nc\n2\ncompany_id,day,channel,"),
        "{}",
        printed.stdout
    );
    assert!(printed.stdout.ends_with("\nd\n3\n"), "{}", printed.stdout);
    desk.write("broken.sql", "SELECT 1;\n\nSELECT b;\n");
    desk.write("wrong.sql", "SELECT 1;\n.run nothing\n");
    for (text, code, expected) in [
        (
            "SELECT 1;\nSELECT * FROM fact_chat;\nSELECT 2 AS never;",
            1,
            "fact_chats",
        ),
        (
            ".run wait_time\nSELECT 2 AS never;",
            2,
            "did you mean wait_times?",
        ),
        (".run wait_times from=soon\nSELECT 2 AS never;", 2, "$from"),
        (
            "SELECT 1;\n-- that\nSELECT\n  b;\nSELECT 2 AS never;",
            1,
            "line 4, column 3",
        ),
        ("SELECT 1;\n.fromat csv", 2, "error: line 2: "),
        ("\n\n-- that\nSELECT $x;\n", 2, "error: line 4: "),
        ("\n.describe nothing\n", 1, "error: line 2: "),
        (
            "\n.read broken.sql\nSELECT 2 AS never;",
            1,
            "broken.sql:3:8",
        ),
        (
            "\n.read wrong.sql\nSELECT 2 AS never;",
            2,
            "error: line 2: wrong.sql:2: ",
        ),
        (".describe fact_chat", 1, "fact_chats"),
    ] {
        let printed = script(&desk, text);
        assert_eq!(printed.code, Some(code), "{text}: {}", printed.stderr);
        assert!(
            printed.stderr.contains(expected),
            "{text}: {}",
            printed.stderr
        );
        assert!(!printed.stdout.contains("never"), "{}", printed.stdout);
    }
}

#[test]
fn rows_that_are_not_shown_are_told() {
    let desk = Desk::new();
    let printed = script(
        &desk,
        "SELECT value FROM range(10001);\n.chart\nSELECT value FROM range(10001);",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let told = "only the first 10,000 rows are shown; .format csv or ndjson shows all\n";
    assert_eq!(printed.stderr, told);
}

#[test]
fn views_and_tables_last_as_long_as_the_session() {
    let desk = small_lake();
    let printed = script(
        &desk,
        ".format csv\nCREATE VIEW closed AS SELECT outcome FROM fact_chats WHERE outcome <> 'open';
         CREATE TEMPORARY TABLE limits AS SELECT 60 AS seconds;
         SELECT count(*) > 0 AS some FROM closed;\nSELECT seconds FROM limits;",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stdout, "some\ntrue\nseconds\n60\n");
    let printed = script(
        &desk,
        "CREATE VIEW closed AS SELECT outcome FROM fact_chats;\n.tables\n.tables closed\n.describe closed\n\
         .format csv\nDESCRIBE closed;\n.param n=7\n.param\nSELECT $n + 1 AS eight;\nSELECT 1 AS one;\nexit\nSELECT 2;",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    for part in [
        "of this session: closed\n",
        "outcome  TEXT",
        "column,type,description\noutcome,TEXT,",
        "$n = 7\neight\n8\none\n1\n",
    ] {
        assert!(
            printed.stdout.contains(part),
            "{part:?}: {}",
            printed.stdout
        );
    }
    assert!(printed.stdout.ends_with("one\n1\n"), "{}", printed.stdout);
    let printed = script(&desk, "SELECT * FROM closed;");
    assert_eq!(printed.code, Some(1), "{}", printed.stderr);
}

/// A shell whose statements come one after the other.
struct Conversation {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Conversation {
    fn start(desk: &Desk) -> Conversation {
        let mut child = desk
            .command(&["shell"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starting the shell");
        let answers = BufReader::new(child.stdout.take().expect("its stdout"));
        Conversation { child, answers }
    }

    fn say(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("its stdin");
        writeln!(stdin, "{text}").expect("writing to the shell");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

#[test]
fn views_see_what_was_committed_meanwhile() {
    let desk = small_lake();
    let chats = || desk.number("SELECT count(*) FROM fact_chats").to_string();
    let before = chats();
    let mut shell = Conversation::start(&desk);
    shell.say(
        ".format ndjson\nCREATE VIEW chats AS SELECT * FROM fact_chats;
         CREATE VIEW counted AS SELECT count(*) AS n, (SELECT count(*) FROM chats) AS again FROM chats;
         CREATE OR REPLACE VIEW counted AS SELECT n, again, 'own' AS own FROM counted;
         SELECT * FROM counted;",
    );
    let expected = |n: &str| format!(r#"{{"n":{n},"again":{n},"own":"own"}}"#);
    assert_eq!(shell.line(), expected(&before));
    let more = ["--chats", "5", "--days", "1", "--seed", "4"];
    desk.generate("more.ndjson", &more);
    desk.ok(&["import", "more.ndjson"]);
    desk.ok(&["transform"]);
    // The files that the table had then are gone.
    desk.ok(&["maintain", "--vacuum-older-than", "0s"]);
    let after = chats();
    assert_ne!(before, after);
    shell.say("SELECT * FROM counted;\nDROP VIEW chats;\nSELECT * FROM counted;\n.quit");
    assert_eq!(shell.line(), expected(&after));
    assert_eq!(shell.line(), expected(&after));
    assert!(shell.child.wait().expect("the shell's end").success());
}

#[test]
fn commands_show_what_the_lake_and_the_saved_queries_are() {
    let desk = small_lake();
    let check = |command: &str, expected: &[&str]| {
        let printed = script(&desk, command);
        assert_eq!(printed.code, Some(0), "{command}: {}", printed.stderr);
        for expected in expected {
            assert!(
                printed.stdout.contains(expected),
                "{command}: {}",
                printed.stdout
            );
        }
    };
    check(".tables queue", &["fact_queue_waits"]);
    check(
        ".schema fact_replies",
        &["fact_replies (\n", "  reply_seconds BIGINT,\n", "\n)\n"],
    );
    check(".schema", &["events (\n", "dim_agents (\n"]);
    check(
        ".describe fact_replies",
        &["reply_seconds", "BIGINT", "fact_replies: "],
    );
    check(".queries", &["wait_times", "service_level"]);
    check(".queries wait_times", &["-- How long do customers wait"]);
    check(
        ".explain SELECT count(*) FROM fact_chats;",
        &["physical_plan"],
    );
    check("SELECT 1 AS x;\n.explain", &["Projection"]);
    check(".run wait_times from=2031-01-01\n.explain", &["Filter"]);
    check(".format json\n.format", &["json\n"]);
    check(".help", &[".run NAME [PARAMETER=VALUE]..."]);
    check(
        ".help",
        &[".chart [CHART|off]", ".human [on|off]", ".null [TEXT]"],
    );
    check("-- nothing to do\n;", &[]);
}

/// A duration, a text and a NULL.
const ONE: &str = "SELECT 'a' AS x, 3725 AS wait_seconds, CAST(NULL AS TEXT) AS gap;";

#[test]
fn results_look_as_wished_until_it_is_taken_back() {
    let desk = Desk::new();
    let printed = script(
        &desk,
        &format!(
            ".human on\n.null '(not known)'\n{ONE}\n.human off\n.null\n{ONE}\n.chart bar x=x y=wait_seconds\n{ONE}\n\
             .chart off\n{ONE}\n.chart\n.format csv\n{ONE}"
        ),
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let told = &printed.stdout;
    let places: Vec<usize> = [
        "1h 02m 05s",
        "(not known)",
        "3725",
        " NULL ",
        "█",
        "3725",
        "a,3725,\n",
    ]
    .into_iter()
    .scan(0, |from, wanted| {
        let place = told[*from..].find(wanted);
        let place = *from + place.unwrap_or_else(|| panic!("{wanted:?} is not next in\n{told}"));
        *from = place + wanted.len();
        Some(place)
    })
    .collect();
    assert!(places.is_sorted());
    assert_eq!(told.matches("(not known)").count(), 1, "{told}");
    let wrong = script(&desk, ".chart pie");
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains(".chart off"), "{}", wrong.stderr);
}

#[test]
fn at_a_terminal_results_are_drawn_and_the_lake_is_read_as_it_was() {
    if !has("tmux") {
        return;
    }
    let desk = small_lake();
    let before = desk.number("SELECT count(*) FROM fact_chats");
    let history = desk.ok(&["history", "fact_chats", "--limit", "1", "--format", "csv"]);
    let version = history
        .lines()
        .nth(1)
        .and_then(|line| line.split(',').next());
    let version = version.expect("a version").to_owned();
    let more = ["--chats", "5", "--days", "1", "--seed", "4"];
    desk.generate("more.ndjson", &more);
    desk.ok(&["import", "more.ndjson"]);
    desk.ok(&["transform"]);
    assert!(desk.number("SELECT count(*) FROM fact_chats") > before);
    let shell = shell_of(&desk, &["--at", &version]);
    shell.wait_for(&format!("as it was at {version}"));
    shell.enter("SELECT count(*) AS chats FROM fact_chats;");
    shell.wait_for(&format!("| {before:>5} |"));
    shell.wait_for_prompt();
    shell.clear();
    shell.wait_until("a completed kind of chart", |_| {
        shell.press("C-u");
        shell.type_in(".chart b");
        shell.press("Tab");
        shell.text().ends_with("huggy> .chart bar")
    });
    shell.press("Enter");
    shell.wait_for_prompt();
    shell.enter("SELECT outcome, count(*) AS n FROM fact_chats GROUP BY outcome;");
    let text = shell.wait_for("│█");
    assert!(text.contains("outcome │ n"), "{text}");
    shell.wait_for_prompt();
    shell.enter(".quit");
}

#[test]
fn values_that_are_set_reach_saved_queries_until_they_are_taken_back() {
    let desk = small_lake();
    let printed = script(
        &desk,
        ".format ndjson\n.param channel=email seconds=5\n.run wait_times\n.run wait_times channel=widget\n\
         .param channel\n.param\n.run wait_times\nSELECT $seconds + 1 AS six;",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let (before, after) = printed
        .stdout
        .split_once("$seconds = 5\n")
        .expect(&printed.stdout);
    let channels = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.starts_with('{'));
        let rows = rows.map(|row| serde_json::from_str::<Value>(row).expect("a row"));
        let channels = rows.filter_map(|row| Some(row["channel"].as_str()?.to_owned()));
        let mut channels: Vec<String> = channels.collect();
        channels.dedup();
        channels
    };
    assert_eq!(channels(before), ["email", "widget"]);
    assert!(channels(after).len() > 2, "{after}");
    assert!(after.ends_with("{\"six\":6}\n"), "{after}");
}

#[test]
fn results_go_into_the_file_that_is_named_and_nothing_else_does() {
    let desk = Desk::new();
    let text = |name: &str| fs::read_to_string(desk.path(name)).expect(name);
    let printed = script(
        &desk,
        ".output a.ndjson\nSELECT 1 AS a; SELECT 2 AS a;\nSELECT 3 AS a;\n.help\n.output b.csv\nSELECT 4 AS b;\n\
         .output\nSELECT 5 AS c;\n.output c.parquet\nSELECT 6 AS d;\n.output d.svg\nSELECT 'x' AS x, 7 AS n;\n\
         .output e.txt\n.chart bar\nSELECT 'x' AS x, 7 AS n;\n.chart off\nSELECT 'y' AS y;",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(text("a.ndjson"), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    assert_eq!(text("b.csv"), "b\n4\n");
    assert_eq!(desk.number("SELECT d FROM 'c.parquet'"), 6);
    assert!(text("d.svg").starts_with("<svg "), "{}", text("d.svg"));
    let both = text("e.txt");
    assert!(
        both.contains("█ 7\n") && both.ends_with("| y |\n+---+\n"),
        "{both}"
    );
    let told = &printed.stdout;
    assert!(
        told.contains("| 5 |") && told.contains(".output [FILE]"),
        "{told}"
    );
    for part in ["| 4 |", "\"a\"", "█"] {
        assert!(!told.contains(part), "{part}: {told}");
    }
    // What fails leaves the file as it was, whether it had been written before or is added to.
    for (script_text, expected) in [
        (".output b.csv\nSELECT 1 AS x; SELECT 2 AS x;", "holds one"),
        (".output b.csv\nSELECT 1 AS x;\nSELECT 2 AS x;", "holds one"),
        (".output a.xls", "names no format"),
        (
            ".output a.ndjson\nSELECT CAST(value - 9 AS INT) / CAST(value - 9 AS INT) FROM range(99999);",
            "zero",
        ),
    ] {
        let printed = script(&desk, script_text);
        assert_ne!(printed.code, Some(0), "{script_text}");
        assert!(
            printed.stderr.contains(expected),
            "{script_text}: {}",
            printed.stderr
        );
    }
    assert_eq!(text("b.csv"), "x\n1\n");
    assert_eq!(text("a.ndjson").lines().count(), 3);
    let added = ".output f.ndjson\nSELECT 1 AS x;\nSELECT 9 AS x; SELECT 1 / (value - 8192) AS x FROM range(99999);";
    assert_eq!(script(&desk, added).code, Some(1));
    assert_eq!(text("f.ndjson"), "{\"x\":1}\n");
}

#[test]
fn a_file_is_read_as_if_it_were_typed() {
    let desk = Desk::new();
    desk.write(
        "a.sql",
        ".format csv\nSELECT 1 AS a,\n  2 AS b;\n.read 'and more.sql'\nSELECT $n AS n\n",
    );
    desk.write("and more.sql", ".param n=7\nSELECT 3 AS c;");
    let printed = script(&desk, ".read a.sql\nSELECT 4 AS d;");
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stdout, "a,b\n1,2\nc\n3\nn\n7\nd\n4\n");
    desk.write("itself.sql", ".read itself.sql");
    for (text, code, expected) in [
        (".read itself.sql", 2, "16 deep"),
        (".read none.sql", 2, "reading none.sql"),
        (".read", 2, ".read FILE"),
    ] {
        let printed = script(&desk, text);
        assert_eq!(printed.code, Some(code), "{text}: {}", printed.stderr);
        assert!(
            printed.stderr.contains(expected),
            "{text}: {}",
            printed.stderr
        );
    }
    desk.write(
        "wrong.sql",
        "SELECT 1 AS a;\nSELECT nothing;\nSELECT 2 AS never;",
    );
    let printed = script(&desk, ".read wrong.sql\nSELECT 3 AS never;");
    assert_eq!(printed.code, Some(1), "{}", printed.stderr);
    assert!(!printed.stdout.contains("never"), "{}", printed.stdout);
}

#[test]
fn comments_above_a_statement_declare_its_parameters() {
    let desk = Desk::new();
    let text = "-- $n BIGINT = 7\n\nSELECT $n + 1 AS n;\n-- only a comment\n.format ndjson\nSELECT 1 AS a;\n-- the end\n";
    let printed = script(&desk, &format!(".format csv\n{text}"));
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stdout, "n\n8\n{\"a\":1}\n");
}

#[test]
fn what_stands_in_a_comment_is_no_command() {
    let desk = Desk::new();
    let text = "/*\n.format ndjson\nexit\n*/\nSELECT 1 AS a;\n";
    let printed = script(&desk, &format!(".format csv\n{text}"));
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stdout, "a\n1\n");
}

#[test]
fn at_a_terminal_lists_fit_its_width_and_commands_say_how_things_are() {
    if !has("tmux") {
        return;
    }
    let desk = small_lake();
    let shell = Screen::of_size(&desk, &["shell"], ("80", "60"));
    shell.wait_for("huggy>");
    let described = desk.ok(&["describe", "fact_chats"]);
    let described = described.lines().next().expect("a description");
    let described = described.strip_prefix("fact_chats: ").expect(described);
    for (command, last, whole) in [
        (
            "help",
            "Ctrl-D ends.",
            "Anything else is SQL and ends with a semicolon. Tab completes, Ctrl-C",
        ),
        (".tables", "fact_workflow_changes", described),
    ] {
        shell.clear();
        shell.enter(command);
        // Nothing is paged, and nothing is cut: what does not fit goes on below.
        let text = shell.wait_until(command, |text| {
            text.contains(last) && text.ends_with("\nhuggy>")
        });
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(whole), "{text}");
    }
    shell.clear();
    for (command, expected) in [
        (".timing", "timing on"),
        (".human off", "human off"),
        (".null -", "null \"-\""),
        (".chart bar", "chart on"),
        (".format csv", "format csv"),
        (".output x.csv", "output x.csv"),
    ] {
        shell.enter(command);
        shell.wait_until(expected, |text| {
            text.ends_with(&format!("{expected}\nhuggy>"))
        });
    }
    shell.enter(".output");
    shell.wait_for("output to the screen\nhuggy>");
    // What has no room is named: without a pager nothing else would show it.
    let narrow = Screen::with(&desk, &["shell"], ("60", "20"), "PAGER=cat");
    narrow.wait_for("huggy>");
    let columns: Vec<String> = (1..=9).map(|n| format!("{n} AS column_{n}")).collect();
    let columns = columns.join(", ");
    narrow.enter(&format!("SELECT repeat('x', 70) AS said, {columns};"));
    let text = narrow.wait_for("1 row");
    // The terminal breaks lines within words.
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    for told in [
        "values cut to fit the width: 1; .format csv or ndjson shows them whole",
        "column_8, column_9; .format csv or ndjson shows all",
    ] {
        assert!(squeezed(&text).contains(&squeezed(told)), "{told}: {text}");
    }
    drop(narrow);
    // Unfinished statements say so, and columns are offered before their table is named.
    shell.clear();
    shell.enter("SELECT 'x");
    shell.wait_until("a word that it goes on", |text| {
        text.ends_with(&format!("\n{GOES_ON}"))
    });
    shell.wait_until("a completed column", |_| {
        shell.press("C-u");
        shell.type_in("y' AS t, max(total_wai");
        shell.press("Tab");
        shell.text().ends_with("y' AS t, max(total_wait_seconds")
    });
    shell.press("C-c");
    shell.wait_until("the first prompt", |text| text.ends_with("\nhuggy>"));
    shell.enter(".quit");
    // Nor outside the shell; what a history has no room for is named.
    let history = "sh -c 'HUGGY history fact_chats; sleep 99'";
    let history = history.replace(
        "HUGGY",
        &format!("{} --lake lake", env!("CARGO_BIN_EXE_huggy-etl")),
    );
    let screen = Screen::running(&desk, &history, ("80", "30"), "");
    let text = screen.wait_for("; --format csv shows all");
    assert!(text.contains("bytes_added; --format csv"), "{text}");
    assert!(
        text.lines().next().is_some_and(|line| line.ends_with("-+")),
        "{text}"
    );
    drop(screen);
    let etl = env!("CARGO_BIN_EXE_huggy-etl");
    let line = format!("sh -c '{etl} --lake lake tables; echo done; sleep 99'");
    let text = Screen::running(&desk, &line, ("80", "60"), "")
        .wait_until("done", |text| text.ends_with("\ndone"));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(described), "{text}");
}

#[test]
fn a_long_query_tells_how_far_it_is_until_it_is_stopped() {
    if !has("tmux") {
        return;
    }
    let desk = small_lake();
    let shell = shell_of(&desk, &[]);
    shell.enter("SELECT count(*) FROM fact_chats CROSS JOIN range(1000000) a CROSS JOIN range(1000000) b WHERE chat_id + a.value = b.value;");
    shell.wait_for(" of at most ");
    shell.press("C-c");
    shell.wait_for("interrupted");
    shell.wait_until("the prompt", |text| {
        text.ends_with("\nhuggy>") && !text.contains(" of at most ")
    });
}

#[test]
fn what_is_typed_is_colored_and_remembered_where_the_environment_says() {
    if !has("tmux") {
        return;
    }
    let desk = Desk::new();
    let state = format!("XDG_STATE_HOME={}", desk.path("state").display());
    let shell = Screen::with(&desk, &["shell"], ("120", "40"), &state);
    shell.wait_for("huggy>");
    shell.type_in("SELECT 'a' AS b, 12; -- why");
    let mut colored = String::new();
    wait("the colors", || {
        colored = shell.colored();
        colored.contains("why")
    });
    // Keywords blue and bold, texts green, numbers magenta, comments dim.
    for part in [
        "\x1b[1m\x1b[34mSELECT",
        "\x1b[32m'a'",
        "\x1b[35m12",
        "\x1b[2m-- why",
    ] {
        assert!(colored.contains(part), "{part:?}: {colored:?}");
    }
    shell.press("Enter");
    shell.wait_for("1 row");
    let history = fs::read_to_string(desk.path("state/huggy-etl/history")).expect("the history");
    assert!(history.contains("SELECT 'a' AS b, 12; -- why"), "{history}");
    assert!(!desk.path(".local").exists());
    drop(shell);
    let plain = Screen::with(&desk, &["shell"], ("120", "40"), "NO_COLOR=1");
    plain.wait_for("huggy>");
    plain.type_in("SELECT 'a'");
    plain.wait_for("SELECT 'a'");
    assert!(
        !plain.colored().contains("\x1b[1m"),
        "{:?}",
        plain.colored()
    );
}
