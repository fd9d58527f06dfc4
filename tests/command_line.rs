//! What the command line says about itself: help, completions, manual pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Desk, has};

/// Every command, as `--help` lists them.
fn commands(desk: &Desk) -> Vec<String> {
    let help = desk.ok(&["--help"]);
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
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
    let commands = commands(&desk);
    assert!(commands.len() > 10, "{commands:?}");
    for command in &commands {
        let help = desk.ok(&[command, "--help"]);
        let examples = examples(&help);
        let names_it = |line: &&str| line.contains(&format!("huggy-etl {command}"));
        assert!(
            examples.iter().any(names_it),
            "the help of {command} has no example:\n{help}"
        );
        for call in examples.into_iter().flat_map(calls) {
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

/// What a shell offers for a line, asked through the script that we print for it.
fn offered(desk: &Desk, shell: &str, script: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_huggy-etl"));
    let folder = binary.parent().expect("the binary lies in a folder");
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path = std::env::join_paths(
        std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path)),
    )
    .expect("a search path");
    let output = Command::new(shell)
        .args(["-c", script])
        .current_dir(desk.path(""))
        .env("PATH", path)
        .env("HOME", desk.path(""))
        .output()
        .expect("running the shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shell}: {stderr}");
    assert_eq!(stderr, "", "{shell}");
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
}

#[test]
fn zsh_and_fish_accept_their_scripts_and_complete() {
    let desk = Desk::new();
    if has("zsh") {
        let script = "set -e; autoload -Uz compinit; compinit -u -D
                      source <(huggy-etl completions zsh); print -r -- $_comps[huggy-etl]";
        assert!(offered(&desk, "zsh", script).contains("huggy_etl"));
    }
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
    assert_eq!(pages.len(), commands(&desk).len() + 1);
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
