//! The doctor, on lakes with something wrong.

use std::fs;

use serde_json::{Value, json};

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
    // The advice, once followed, has nothing left to say, also of what is stored already.
    let printed = desk.run(&["doctor"]);
    assert!(
        !printed.stdout.contains("from their delivery"),
        "{}",
        printed.stdout
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

#[test]
fn what_is_unreadable_late_early_or_skewed_is_counted() {
    let desk = Desk::new();
    let time = 1_709_298_000;
    let message = |id: i64, send_at: &str| {
        json!({
            "id": id, "senderType": "widget", "send_at": send_at, "company": { "id": 1 },
            "chat": { "id": 9, "situation": "auto", "channel": "widget" },
        })
    };
    let mut messages: Vec<Value> = (1..=20)
        .map(|id| message(id, "2024-03-01 10:00:00"))
        .collect();
    // The delivery is of 10:00:00, too.
    messages.push(message(21, "2024-03-01 09:50:00"));
    messages.push(message(22, "2024-03-01 08:45:00"));
    messages.push(message(23, "2024-03-01 10:01:30"));
    messages.push(message(24, "yesterday"));
    messages.push(json!("no message at all"));
    let line = |received_at: &str, messages: &[Value]| {
        let body =
            json!({ "time": time, "messages": { "receivedMessage": messages }, "token": "t" });
        json!({ "received_at": received_at, "body": body }).to_string()
    };
    let lines = [
        line("2024-03-01T12:58:30Z", &messages),
        line(
            "2024-03-01T12:58:30Z",
            &[message(25, "2024-03-01 10:00:00")],
        ),
    ];
    desk.write("dirty.ndjson", lines.join("\n"));
    desk.ok(&["import", "dirty.ndjson"]);
    let printed = desk.run(&["doctor"]);
    assert_eq!(printed.code, Some(1));
    tells(
        &printed,
        &[
            "1 receivedMessage could not be read whole: send_at",
            "SELECT payload FROM events WHERE event_id = '",
            "1 of 24 events say they happened more than 5 s after they were delivered",
            "2 of 24 events were delivered more than 5 min after they happened, the latest 75 min later",
            "Deliveries are received 90 s before they are sent",
        ],
    );
    let unreadable = desk.number("SELECT count(*) FROM events WHERE parse_error IS NOT NULL");
    let told = printed.stdout.matches("could not be read whole").count();
    assert_eq!((unreadable, told), (2, 2), "{}", printed.stdout);
}
