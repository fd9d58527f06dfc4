//! The doctor, on lakes with something wrong.

use std::fs;

use crate::support::{Desk, Printed};

fn desk() -> Desk {
    let desk = Desk::new();
    desk.generate("traffic.ndjson", &["--chats", "120", "--days", "2"]);
    desk
}

#[track_caller]
fn tells(printed: &Printed, words: &[&str]) {
    for words in words {
        assert!(
            printed.stdout.contains(words),
            "{words:?} is not in\n{}",
            printed.stdout
        );
    }
}

#[test]
fn a_lake_without_problems_has_exit_code_0() {
    let desk = desk();
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    let printed = desk.run(&["doctor"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stdout);
    tells(&printed, &["days old", "updatedLeadByAgent is unknown"]);
    // What maintenance commits is no news.
    let commits = || desk.ok(&["history", "events"]).lines().count();
    let before = commits();
    desk.ok(&["maintain"]);
    assert!(commits() > before, "maintenance had nothing to do");
    let printed = desk.run(&["doctor"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stdout);
}

#[test]
fn what_never_comes_and_times_in_another_zone_are_told_with_what_to_do() {
    let desk = desk();
    let lines = fs::read_to_string(desk.path("traffic.ndjson")).expect("the traffic");
    let kept = lines.lines().filter(|line| !line.contains("leftQueue"));
    desk.write("traffic.ndjson", kept.collect::<Vec<_>>().join("\n"));
    desk.write("utc.toml", "timezone = \"UTC\"");
    desk.ok(&["--config", "utc.toml", "import", "traffic.ndjson"]);
    let printed = desk.run(&["--config", "utc.toml", "doctor"]);
    assert_eq!(printed.code, Some(1));
    tells(
        &printed,
        &[
            "leftQueue is expected and never arrives",
            "subscribed_events",
            "+3 h from their delivery",
            "Set `timezone`",
            "There are no facts yet.",
        ],
    );
}

#[test]
fn what_is_subscribed_is_held_against_what_arrives_both_ways() {
    let desk = desk();
    let lines = fs::read_to_string(desk.path("traffic.ndjson")).expect("the traffic");
    let kept = lines.lines().filter(|line| !line.contains("agentEntered"));
    desk.write("traffic.ndjson", kept.collect::<Vec<_>>().join("\n"));
    let events = [
        "startedChat",
        "receivedAllMessage",
        "receivedMessage",
        "newInternalMessage",
        "agentEntered",
        "closedChat",
        "startedAutomationFlow",
        "finishedAutomationFlow",
    ];
    desk.write("some.toml", format!("subscribed_events = {events:?}"));
    desk.ok(&["--config", "some.toml", "import", "traffic.ndjson"]);
    desk.ok(&["--config", "some.toml", "transform"]);
    let printed = desk.run(&["--config", "some.toml", "doctor"]);
    assert_eq!(printed.code, Some(1));
    let came = desk.number("SELECT events FROM coverage WHERE event_type = 'leftQueue'");
    let listed =
        format!("leftQueue arrives, {came} events, but `subscribed_events` does not list it");
    tells(
        &printed,
        &[
            "agentEntered is expected and never arrives: 0 of ",
            "Tick it in Huggy's webhook settings",
            &listed,
            "Add \"leftQueue\" to `subscribed_events`; the facts are then rebuilt.",
        ],
    );
    assert!(
        !printed.stdout.contains("closedChat arrives"),
        "{}",
        printed.stdout
    );
    assert!(
        !printed.stdout.contains("closedChat is expected"),
        "{}",
        printed.stdout
    );
}

#[test]
fn an_empty_lake_says_how_to_fill_it() {
    let desk = Desk::new();
    fs::create_dir(desk.path("lake")).expect("an empty lake");
    let printed = desk.run(&["doctor"]);
    assert_eq!(printed.code, Some(1));
    tells(&printed, &["holds no events", "huggy-etl serve"]);
}
