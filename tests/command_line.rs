//! What the command line says about itself: help, completions, manual pages.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{Desk, Printed, has, repository};
use crate::terminal::Screen;

/// Every command with those below it, as `--help` lists them.
fn commands(desk: &Desk, above: &[&str]) -> Vec<String> {
    let help = desk.ok(&[above, &["--help"]].concat());
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let mut found = Vec::new();
    for name in names.filter(|name| !name.is_empty() && *name != "help") {
        let command = [above, &[name]].concat();
        found.push(command.join(" "));
        found.extend(commands(desk, &command));
    }
    found
}

/// The lines below `Example:`.
fn examples(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| !matches!(*line, "Example:" | "Examples:"))
        .skip(1)
        .collect()
}

/// The arguments that the line gives to our program, as often as it starts it.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    let mut words = words(line).into_iter();
    while words.any(|word| word == "huggy-etl") {
        let ends = |word: &String| matches!(word.as_str(), "|" | "<" | ">" | ">>");
        calls.push(words.by_ref().take_while(|word| !ends(word)).collect());
    }
    calls
}

/// The words of a shell's line; those in quotes are one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ' ') => words.push(String::new()),
            (_, other) => words.last_mut().expect("a word").push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_help_of_every_command_has_examples_that_it_accepts() {
    let desk = Desk::new();
    let commands = commands(&desk, &[]);
    assert!(commands.len() > 10, "{commands:?}");
    assert!(commands.iter().any(|command| command == "wal inspect"));
    for command in &commands {
        let help = [&command.split(' ').collect::<Vec<_>>()[..], &["--help"]].concat();
        let help = &help[..];
        let lines = desk.ok(help);
        let lines = examples(&lines);
        // Whoever copies a line that was broken copies half of it.
        let is_whole = |line: &&str| {
            let begins = ["huggy-etl ", "echo ", "zcat ", "HUGGY_ETL_"];
            let command = line.strip_prefix("  ").unwrap_or_default();
            line.is_empty() || begins.iter().any(|begin| command.starts_with(begin))
        };
        assert!(lines.iter().all(is_whole), "{lines:#?}");
        for width in ["40", "80", "95", "200"] {
            let shown = desk.command(help).env("COLUMNS", width).output();
            let shown = Printed::from(shown.expect("running the binary")).stdout;
            assert_eq!(examples(&shown), lines, "{width} columns");
        }
        let names_it = |line: &&str| line.contains(&format!("huggy-etl {command}"));
        assert!(
            lines.iter().any(names_it),
            "the help of {command} has no example: {lines:#?}"
        );
        for call in lines.into_iter().flat_map(calls) {
            // Arguments are read in order: the one that is refused must be the one behind the example's.
            let args: Vec<&str> = call.iter().map(String::as_str).collect();
            let printed = desk.run(&[&args[..], &["--no-such-flag"]].concat());
            assert_eq!(printed.code, Some(2), "{call:?}");
            assert!(
                printed
                    .stderr
                    .contains("unexpected argument '--no-such-flag'"),
                "{call:?}: {}",
                printed.stderr
            );
        }
    }
}

/// The lines of the README's first example of how to ask.
fn readme_examples() -> Vec<String> {
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README");
    let (_, ask) = readme
        .split_once("\n## Ask\n")
        .expect("a chapter on asking");
    let (_, block) = ask.split_once("```sh\n").expect("examples");
    let (block, _) = block.split_once("```").expect("their end");
    block.lines().map(str::to_owned).collect()
}

/// The block of the README that has this in it.
fn readme_block(language: &str, part: &str) -> String {
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README");
    let start = format!("```{language}\n");
    let blocks = readme.split(&start).skip(1);
    let mut blocks = blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned()));
    blocks
        .find(|block| block.contains(part))
        .unwrap_or_else(|| panic!("no block of {language} has {part}"))
}

/// As the README has it after the build, which has made what is tested here.
fn the_shell_finds_what_was_built(desk: &Desk) {
    let block = readme_block("sh", "cargo build --release");
    let (_, found) = block
        .split_once("cargo build --release\n")
        .expect("a build");
    let binary = desk.path("target/release/huggy-etl");
    fs::create_dir_all(desk.path("target/release")).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_huggy-etl"), binary).expect("a link");
    let output = Command::new("sh")
        .args(["-c", &format!("set -eu\n{found}\nhuggy-etl --version")])
        .current_dir(desk.path(""))
        .env("PATH", "/usr/bin:/bin")
        .output()
        .expect("running the shell");
    let printed = Printed::from(output);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(
        printed.stdout.starts_with("huggy-etl "),
        "{}",
        printed.stdout
    );
}

#[test]
fn what_the_readme_does_from_made_up_traffic_to_a_query_of_ones_own_works() {
    let desk = Desk::new();
    the_shell_finds_what_was_built(&desk);
    let own = readme_block("sql", "-- Which chats waited longest?");
    desk.write("longest.sql", own);
    for block in [
        readme_block("sh", "huggy-etl generate --chats 1000"),
        readme_block("sh", "queries/my_waits.sql"),
        "huggy-etl query longest.sql --param from=2025-03-10".to_owned(),
    ] {
        let output = shell("sh", &desk, &format!("set -eu\n{block}"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{stderr}");
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(answer.lines().count() > 4, "{block}\n{answer}");
    }
    let (own, saved) = (
        desk.ok(&["queries", "my_waits"]),
        desk.ok(&["queries", "wait_times"]),
    );
    assert_eq!(own, saved);
}

#[test]
fn examples_of_questions_have_answers_on_made_up_traffic() {
    let desk = Desk::new();
    desk.generate(
        "traffic.ndjson",
        &["--chats", "200", "--days", "7", "--seed", "1"],
    );
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    desk.write("targets.csv", "department_id,seconds\n30641,20\n");
    desk.write("all.sql", "SELECT 1 AS a; SELECT 2 AS b;");
    fs::create_dir(desk.path("reports")).expect("a folder");
    desk.write(
        "reports/my_own.sql",
        "SELECT count(*) AS chats FROM fact_chats",
    );
    let mut lines = readme_examples();
    for command in [
        "query",
        "shell",
        "history",
        "functions",
        "queries",
        "describe",
    ] {
        let help = desk.ok(&[command, "--help"]);
        lines.extend(
            examples(&help)
                .into_iter()
                .map(|line| line.trim().to_owned()),
        );
    }
    let mut answered = 0;
    for line in lines {
        // What the doctor finds is another question, and another exit code.
        if line.is_empty() || line.starts_with("huggy-etl doctor") {
            continue;
        }
        let output = shell("sh", &desk, &line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{stderr}");
        let answer = match line.split_once(" > ").or_else(|| line.split_once(" -o ")) {
            Some((_, file)) => desk.ok(&["query", "-c", &format!("SELECT * FROM '{file}'")]),
            None => String::from_utf8(output.stdout).expect("text"),
        };
        // A table without rows is its header between three lines; a shell that nothing is asked says nothing.
        let least = match (
            line.contains("--format csv"),
            line.starts_with("huggy-etl shell"),
        ) {
            (true, _) if !line.contains(" > ") => 2,
            (_, true) => 0,
            _ => 5,
        };
        assert!(answer.lines().count() >= least, "{line}\n{answer}");
        answered += 1;
    }
    assert!(answered > 20, "{answered} examples");
}

/// Runs a line in the desk's folder, in which `huggy-etl` is our binary.
fn shell(program: &str, desk: &Desk, line: &str) -> Output {
    Command::new(program)
        .args(["-c", line])
        .current_dir(desk.path(""))
        .env("PATH", search_path())
        .env("HOME", desk.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("running the shell")
}

/// By which shells find the binary.
fn search_path() -> OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_huggy-etl"));
    let folder = binary.parent().expect("the binary lies in a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(path).expect("a search path")
}

/// What a shell offers for a line, asked through the script that we print for it.
fn offered(desk: &Desk, program: &str, script: &str) -> String {
    let output = shell(program, desk, script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}");
    assert_eq!(stderr, "", "{program}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn bash_completes_commands_saved_queries_and_tables() {
    if !has("bash") {
        return;
    }
    let desk = Desk::new();
    fs::create_dir(desk.path("queries")).expect("a folder");
    desk.write("queries/my_waits.sql", "-- Mine?\nSELECT 1;\n");
    desk.write("report.sql", "SELECT 1");
    let bash = |words: &[&str]| {
        let words_of_line = words.join(" ");
        let (index, last) = (words.len() - 1, words[words.len() - 1]);
        let last = if last == "''" { "" } else { last };
        offered(
            &desk,
            "bash",
            &format!(
                "set -eu; source <(huggy-etl completions bash)
                 COMP_WORDS=({words_of_line}); COMP_CWORD={index}; COMP_TYPE=9
                 _clap_complete_huggy_etl huggy-etl '{last}' x
                 printf '%s\\n' \"${{COMPREPLY[@]}}\""
            ),
        )
    };
    assert_eq!(bash(&["huggy-etl", "des"]), "describe\n");
    assert_eq!(
        bash(&["huggy-etl", "query", "wait"]),
        "wait_times\nwaits_outside_hours\n"
    );
    assert_eq!(bash(&["huggy-etl", "query", "my"]), "my_waits\n");
    assert_eq!(
        bash(&["huggy-etl", "query", "rep"]),
        "reply_times\nreport.sql\n"
    );
    assert_eq!(bash(&["huggy-etl", "queries", "req"]), "requeues\n");
    assert_eq!(
        bash(&["huggy-etl", "describe", "fact_q"]),
        "fact_queue_waits\n"
    );
    let nothing_yet = bash(&["huggy-etl", "describe", "''"]);
    assert!(nothing_yet.contains("events\n"), "{nothing_yet}");
    assert!(bash(&["huggy-etl", "query", "--for"]).contains("--format"));
    for command in ["history", "export"] {
        let offered = bash(&["huggy-etl", command, "fact_q"]);
        assert_eq!(offered, "fact_queue_waits\n", "{command}");
    }
    let offered = bash(&["huggy-etl", "functions", "service"]);
    assert_eq!(offered, "service_level\n");
    for (last, expected) in [
        (
            &["query", "service_level", "--param", "s"][..],
            "seconds=\n",
        ),
        (&["query", "--format", "pa"], "parquet\n"),
        (&["query", "--chart", "hea"], "heatmap\n"),
    ] {
        let offered = bash(&[&["huggy-etl"], last].concat());
        assert_eq!(offered, expected, "{last:?}");
    }
}

#[test]
fn zsh_completes_what_is_typed() {
    if !has("zsh") || !has("tmux") {
        return;
    }
    let desk = Desk::new();
    let path = format!("PATH='{}'", search_path().to_string_lossy());
    let screen = Screen::running(&desk, "zsh -f", ("100", "20"), &path);
    screen.enter("autoload -Uz compinit; compinit -u -D; source <(huggy-etl completions zsh); PS1='at> '; clear");
    let at_prompt = |text: &str| text.trim_end() == "at>";
    screen.wait_until("the prompt", at_prompt);
    for (typed, completed) in [
        ("huggy-etl desc", "at> huggy-etl describe"),
        (
            "huggy-etl describe fact_q",
            "at> huggy-etl describe fact_queue_waits",
        ),
        ("huggy-etl query wait_t", "at> huggy-etl query wait_times"),
    ] {
        screen.type_in(typed);
        screen.press("Tab");
        screen.wait_until(completed, |text| text.trim_end() == completed);
        screen.press("C-u");
        screen.wait_until("the prompt", at_prompt);
    }
}

#[test]
fn fish_accepts_its_script_and_completes() {
    let desk = Desk::new();
    if has("fish") {
        let script = "huggy-etl completions fish | source; complete -C 'huggy-etl describe fact_q'";
        assert_eq!(offered(&desk, "fish", script), "fact_queue_waits\n");
    }
}

#[test]
fn every_command_has_a_manual_page_that_renders_without_a_warning() {
    let desk = Desk::new();
    fs::create_dir(desk.path("man")).expect("a folder");
    desk.ok(&["man", "--dir", "man"]);
    let program = fs::read_to_string(desk.path("man/huggy-etl.1")).expect("the program's page");
    assert_eq!(program, desk.ok(&["man"]));
    for expected in ["wait_times", "subscribed_events", "EXIT STATUS", "EXAMPLES"] {
        assert!(program.contains(expected), "{expected} is missing");
    }
    let pages: Vec<_> = fs::read_dir(desk.path("man")).expect("pages").collect();
    assert_eq!(pages.len(), commands(&desk, &[]).len() + 1);
    let inspect = fs::read_to_string(desk.path("man/huggy-etl-wal-inspect.1")).expect("a page");
    assert!(
        inspect.contains("huggy\\-etl wal inspect /var"),
        "{inspect}"
    );
    let wal = fs::read_to_string(desk.path("man/huggy-etl-wal.1")).expect("a page");
    assert!(
        wal.contains("inspect") && !wal.contains("SETTINGS"),
        "{wal}"
    );
    let query = fs::read_to_string(desk.path("man/huggy-etl-query.1")).expect("a command's page");
    assert!(query.contains("huggy\\-etl query wait_times"), "{query}");
    desk.ok(&["man", "--dir", "made/for_it"]);
    assert!(desk.path("made/for_it/huggy-etl.1").is_file());
    desk.write("in_the_way", "");
    let printed = desk.run(&["man", "--dir", "in_the_way/man"]);
    assert_eq!(printed.code, Some(1));
    assert!(printed.stderr.contains("in_the_way"), "{}", printed.stderr);
    if !has("groff") {
        return;
    }
    for page in pages {
        let page = page.expect("a page").path();
        let output = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8"])
            .arg(&page)
            .output()
            .expect("running groff");
        let warnings = String::from_utf8_lossy(&output.stderr);
        assert_eq!(warnings, "", "{}", page.display());
        assert!(String::from_utf8_lossy(&output.stdout).contains("Print help"));
    }
}
