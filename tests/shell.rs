//! The shell, in a real terminal (tmux) and as a script.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Desk, Printed, has, wait};

/// It computes for ages without a pause: every row of one side against every row of the other.
const ENDLESS: &str = "SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b WHERE a.value + b.value = 7;";

fn lake() -> Desk {
    let desk = Desk::new();
    let traffic = ["--chats", "60", "--days", "1", "--seed", "3"];
    desk.generate("traffic.ndjson", &traffic);
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    desk
}

/// A terminal in which something runs; ended when dropped.
struct Screen {
    socket: PathBuf,
}

impl Screen {
    /// The shell, over the desk's lake, with the desk's folder as home.
    fn of_shell(desk: &Desk) -> Screen {
        let screen = Screen {
            socket: desk.path("tmux"),
        };
        let shell = desk.command(&["shell"]);
        let mut command = format!(
            "cd {} && exec env -i TERM=screen LANG=C.UTF-8 PATH=$PATH HOME={}",
            desk.path("").display(),
            desk.path("").display()
        );
        for part in std::iter::once(shell.get_program()).chain(shell.get_args()) {
            command += &format!(" '{}'", part.to_string_lossy());
        }
        let size = ["-x", "120", "-y", "40"];
        screen.tmux(
            &[
                &["-f", "/dev/null", "-u", "new-session", "-d"],
                &size[..],
                &[&command],
            ]
            .concat(),
        );
        screen.wait_for("huggy>");
        screen
    }

    fn tmux(&self, args: &[&str]) -> Printed {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(args)
            .output();
        let printed = Printed::from(output.expect("running tmux"));
        assert_eq!(printed.code, Some(0), "tmux {args:?}: {}", printed.stderr);
        printed
    }

    /// What it shows, without the empty rows below.
    fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
            .stdout
            .trim_end()
            .to_owned()
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn type_in(&self, text: &str) {
        // A semicolon at the end would be one of tmux's own.
        match text.strip_suffix(';') {
            Some(rest) => self.tmux(&["send-keys", "-l", "--", &format!("{rest}\\;")]),
            None => self.tmux(&["send-keys", "-l", "--", text]),
        };
    }

    fn enter(&self, line: &str) {
        self.type_in(line);
        self.press("Enter");
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        wait(what, || {
            text = self.text();
            holds(&text)
        });
        text
    }

    fn wait_for(&self, expected: &str) -> String {
        self.wait_until(expected, |text| text.contains(expected))
    }

    /// Waits for an empty prompt below everything else.
    fn wait_for_prompt(&self) -> String {
        self.wait_until("the prompt", |text| text.lines().last() == Some("huggy>"))
    }

    fn clear(&self) {
        self.press("C-l");
        self.wait_until("an empty screen", |text| text == "huggy>");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
    }
}

#[test]
fn at_a_terminal_statements_span_lines_are_completed_and_remembered() {
    if !has("tmux") {
        return;
    }
    let desk = lake();
    let shell = Screen::of_shell(&desk);
    // Several lines; what one begins to type is completed from the lake.
    shell.enter("SELECT outcome, count(*) AS n");
    shell.enter("FROM fact_chats");
    shell.wait_for("FROM fact_chats");
    shell.enter("GROUP BY outcome ORDER BY n DESC;");
    let text = shell.wait_for("rows");
    assert!(text.contains("| outcome "), "{text}");
    assert!(text.contains("| handled "), "{text}");
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
    let shell = Screen::of_shell(&desk);
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
    let desk = lake();
    let shell = Screen::of_shell(&desk);
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
    shell.enter(".quit");
    wait("the shell to end", || {
        let sessions = Command::new("tmux")
            .arg("-S")
            .arg(&shell.socket)
            .arg("ls")
            .output();
        !sessions.expect("running tmux").status.success()
    });
}

#[test]
fn a_result_larger_than_the_screen_is_paged() {
    if !has("tmux") || !has("less") {
        return;
    }
    let desk = lake();
    let shell = Screen::of_shell(&desk);
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
    let desk = lake();
    let printed = script(
        &desk,
        ".format csv\nSELECT 1 AS a,\n 'x;y' AS b; SELECT 2 AS c;\n.run wait_times from=2031-01-01\nSELECT 3 AS d",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stderr, "");
    assert!(
        printed
            .stdout
            .starts_with("a,b\n1,x;y\n\nc\n2\nday,channel,"),
        "{}",
        printed.stdout
    );
    assert!(printed.stdout.ends_with("\nd\n3\n"), "{}", printed.stdout);
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
fn views_and_tables_last_as_long_as_the_session() {
    let desk = lake();
    let printed = script(
        &desk,
        ".format csv\nCREATE VIEW closed AS SELECT outcome FROM fact_chats WHERE outcome <> 'open';
         CREATE TEMPORARY TABLE limits AS SELECT 60 AS seconds;
         SELECT count(*) > 0 AS some FROM closed;\nSELECT seconds FROM limits;",
    );
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stdout, "some\ntrue\nseconds\n60\n");
    let printed = script(&desk, "SELECT * FROM closed;");
    assert_eq!(printed.code, Some(1), "{}", printed.stderr);
}

#[test]
fn commands_show_what_the_lake_and_the_saved_queries_are() {
    let desk = lake();
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
    check("-- nothing to do\n;", &[]);
}
