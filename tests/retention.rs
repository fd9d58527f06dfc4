//! Facts outlive events: what retention takes from `events` stays in what was derived from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::comparison::all_rows;
use crate::maintain::age_of;
use crate::support::Desk;

/// Removes the dates of `events` before one, as a maintainer would: by a commit that only removes.
fn remove_before(desk: &Desk, date: &str) {
    let log = desk.path("lake/events/_delta_log");
    let mut commits: Vec<PathBuf> = fs::read_dir(&log)
        .expect("the log")
        .map(|entry| entry.expect("a commit").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    commits.sort();
    let mut files = BTreeMap::new();
    for commit in &commits {
        for line in fs::read_to_string(commit).expect("a commit").lines() {
            let action: Value = serde_json::from_str(line).expect("an action");
            if let Some(path) = action["add"]["path"].as_str() {
                files.insert(path.to_owned(), action["add"]["partitionValues"].clone());
            }
        }
    }
    let old = files
        .into_iter()
        .filter(|(_, values)| values["event_date"].as_str().expect("a date") < date);
    let removals: Vec<String> = old
        .map(|(path, values)| {
            let remove = json!({ "path": path, "dataChange": true, "deletionTimestamp": 1_800_000_000_000_u64,
                "extendedFileMetadata": false, "partitionValues": values });
            json!({ "remove": remove }).to_string()
        })
        .collect();
    assert!(!removals.is_empty(), "no date is before {date}");
    let commit = log.join(format!("{:020}.json", commits.len()));
    fs::write(commit, removals.join("\n")).expect("the commit");
}

/// All derived rows but coverage, which tells what `events` holds.
fn derived(desk: &Desk) -> Vec<String> {
    let mut rows = all_rows(desk);
    rows.retain(|row| !row.starts_with("coverage "));
    rows
}

#[test]
fn facts_whose_events_are_gone_stay_and_late_events_continue_after_them() {
    let desk = Desk::new();
    desk.generate(
        "traffic.ndjson",
        &["--chats", "150", "--days", "3", "--seed", "8"],
    );
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    let before = derived(&desk);
    let dates = desk.rows("SELECT DISTINCT cast(event_date AS TEXT) FROM events ORDER BY 1");
    remove_before(&desk, dates[2][0].as_str().expect("a date"));

    desk.ok(&["transform"]);
    assert_eq!(derived(&desk), before, "after a run");
    desk.ok(&["transform", "--full"]);
    assert_eq!(derived(&desk), before, "after a rebuild");

    let (chat, sessions) = {
        let rows = desk.rows(
            "SELECT chat_id, max(session_no) FROM fact_chats WHERE state = 'closed' GROUP BY chat_id \
             ORDER BY min(first_delivered_at) LIMIT 1",
        );
        (rows[0][0].clone(), rows[0][1].as_i64().expect("a number"))
    };
    let late = json!({ "time": 1_900_000_000, "messages": { "startedChat": [{
        "id": chat, "situation": "auto", "company": { "id": 15691 } }] }, "token": "t" });
    desk.write("late.ndjson", late.to_string());
    desk.ok(&["import", "late.ndjson"]);
    desk.ok(&["transform"]);
    let after = derived(&desk);
    let of_facts = |rows: &[String]| -> Vec<String> {
        let facts = rows.iter().filter(|row| row.starts_with("fact_"));
        facts.cloned().collect()
    };
    let (kept, now) = (of_facts(&before), of_facts(&after));
    assert!(kept.iter().all(|row| now.contains(row)), "a fact is gone");
    assert_eq!(now.len(), kept.len() + 1);
    let last = format!(
        "SELECT session_no, state FROM fact_chats WHERE chat_id = {chat} ORDER BY 1 DESC LIMIT 1"
    );
    assert_eq!(desk.rows(&last), json!([[sessions + 1, "auto"]]));

    desk.ok(&["transform", "--full"]);
    assert_eq!(derived(&desk), after, "after another rebuild");
}

/// A contact's message in the queue, at a minute of a day.
fn message(day: u32, minute: u32, id: u32, company: Option<u32>) -> String {
    message_sent(0, day, minute, id, company)
}

/// Likewise, by a clock that is so many days ahead of its delivery.
fn message_sent(ahead: i64, day: u32, minute: u32, id: u32, company: Option<u32>) -> String {
    let time = format!("2024-03-{day:02}T12:{minute:02}:00Z");
    let time: chrono::DateTime<chrono::Utc> = time.parse().expect("an instant");
    let mut item = json!({ "id": id, "body": "Olá", "senderType": "widget", "sender": { "id": 1 },
        "send_at": (time + chrono::Duration::hours(24 * ahead - 3)).format("%Y-%m-%d %H:%M:%S").to_string(),
        "chat": { "id": 7, "channel": "widget", "situation": "wait_for_chat" } });
    if let Some(company) = company {
        item["company"] = json!({ "id": company });
    }
    json!({ "time": time.timestamp(), "messages": { "receivedAllMessage": [item] }, "token": "t" })
        .to_string()
}

fn take_in(desk: &Desk, deliveries: &[String]) {
    desk.write("news.ndjson", deliveries.join("\n"));
    desk.ok(&["import", "news.ndjson"]);
    desk.ok(&["transform"]);
}

#[test]
fn an_event_that_moves_between_companies_of_one_chat_id_is_not_taken_for_gone() {
    let desk = Desk::new();
    take_in(
        &desk,
        &[
            message(1, 0, 1, None),
            message(1, 5, 2, Some(5)),
            message(1, 9, 3, Some(5)),
        ],
    );
    take_in(&desk, &[message(1, 20, 4, Some(6))]);
    take_in(&desk, &[message(1, 7, 5, Some(5))]);
    let rows = desk.rows("SELECT company_id, message_id FROM fact_messages ORDER BY message_id");
    assert_eq!(rows, json!([[null, 1], [5, 2], [5, 3], [6, 4], [5, 5]]));
    let incremental = derived(&desk);
    desk.ok(&["transform", "--full"]);
    assert_eq!(incremental, derived(&desk));
}

#[test]
fn a_company_whose_events_are_gone_keeps_its_facts_of_a_chat_id_that_another_uses() {
    let desk = Desk::new();
    take_in(
        &desk,
        &[message(1, 0, 1, Some(5)), message(3, 0, 2, Some(6))],
    );
    remove_before(&desk, "2024-03-03");
    take_in(&desk, &[message(3, 1, 3, Some(6))]);
    let kept = "SELECT company_id, contact_messages FROM fact_chats ORDER BY company_id";
    assert_eq!(desk.rows(kept), json!([[5, 1], [6, 2]]));
    desk.ok(&["transform", "--full"]);
    assert_eq!(desk.rows(kept), json!([[5, 1], [6, 2]]));
}

/// An event of the chat, of company 5.
fn told(day: u32, minute: u32, name: &str, mut item: Value) -> String {
    let time = format!("2024-03-{day:02}T12:{minute:02}:00Z");
    let time: chrono::DateTime<chrono::Utc> = time.parse().expect("an instant");
    item["company"] = json!({ "id": 5 });
    json!({ "time": time.timestamp(), "messages": { name: [item] }, "token": "t" }).to_string()
}

fn entered(day: u32, minute: u32, agent: i64) -> String {
    let item = json!({ "id": 7, "situation": "in_chat", "agent": { "id": agent } });
    told(day, minute, "agentEntered", item)
}

fn closed(day: u32, minute: u32) -> String {
    let at = format!("2024-03-{day:02} 09:{minute:02}:00");
    let item = json!({ "id": 7, "situation": "finishing", "closed_at": at });
    told(day, minute, "closedChat", item)
}

/// What trails the close of one session reaches to the start of the next, and beyond.
#[test]
fn a_session_whose_events_are_there_is_derived_alike_when_those_of_the_one_before_are_gone() {
    let desk = Desk::new();
    let moved = |day, minute| {
        let chat = json!({ "id": 7, "situation": "auto", "department": 6 });
        told(
            day,
            minute,
            "updatedChatDepartment",
            json!({ "chat": chat }),
        )
    };
    take_in(
        &desk,
        &[
            message(1, 0, 1, Some(5)),
            entered(1, 1, 11),
            closed(1, 5),
            // Trails the close, in the instant in which the next session starts.
            moved(3, 10),
            entered(3, 10, 22),
            message(3, 11, 2, Some(5)),
            closed(3, 20),
        ],
    );
    let before = derived(&desk);
    let session = "SELECT started_at, first_wait_seconds, handle_seconds, contact_messages, event_count FROM fact_chats \
                   WHERE session_no = 2";
    let expected = json!([["2024-03-03T12:10:00Z", 540, 60, 1, 3]]);
    assert_eq!(desk.rows(session), expected);
    remove_before(&desk, "2024-03-03");
    desk.ok(&["transform", "--full"]);
    assert_eq!(derived(&desk), before, "after a rebuild");
    desk.ok(&["verify"]);
    let note = json!({ "id": 3, "body": "nota", "senderType": "agent", "sender": { "id": 22 }, "chat": { "id": 7 } });
    take_in(&desk, &[told(4, 0, "newInternalMessage", note)]);
    let expected = json!([["2024-03-03T12:10:00Z", 540, 60, 1, 4]]);
    assert_eq!(desk.rows(session), expected);
}

/// The run of one session finishes in the next.
#[test]
fn a_finish_whose_start_is_gone_dates_no_wait_back() {
    let desk = Desk::new();
    let flow = |day, minute, name| {
        let run = json!({ "chatID": 7, "flowID": 5, "flowToken": "t", "context": [] });
        told(day, minute, name, run)
    };
    let reopened = json!({ "id": 7, "situation": "auto" });
    take_in(
        &desk,
        &[
            flow(1, 0, "startedAutomationFlow"),
            closed(1, 5),
            told(3, 10, "startedChat", reopened),
            flow(3, 12, "finishedAutomationFlow"),
            message(3, 16, 2, Some(5)),
            entered(3, 17, 22),
            closed(3, 20),
        ],
    );
    let waits = "SELECT session_no, entered_source, wait_seconds FROM fact_queue_waits";
    let expected = json!([[2, "situation_seen", 60]]);
    assert_eq!(desk.rows(waits), expected);
    let before = derived(&desk);
    remove_before(&desk, "2024-03-03");
    desk.ok(&["transform", "--full"]);
    assert_eq!(derived(&desk), before, "after a rebuild");
}

#[test]
fn old_rows_of_a_fact_go_for_good_and_no_other_fact_changes() {
    let desk = Desk::new();
    desk.generate(
        "traffic.ndjson",
        &["--chats", "150", "--days", "3", "--seed", "9"],
    );
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    let dates = desk.rows("SELECT DISTINCT cast(sent_date AS TEXT) FROM fact_messages ORDER BY 1");
    let first = dates[dates.as_array().expect("rows").len() - 1][0].clone();
    let kept: NaiveDate = first.as_str().expect("a date").parse().expect("a date");
    let age = age_of(&desk, kept);
    let retain = format!("fact_messages={age}d");
    let maintain = |more: &[&str]| {
        let mut command = desk.command(&[&["maintain"], more].concat());
        let done = command.env("HUGGY_ETL_RETAIN", &retain).output();
        let done = done.expect("running the binary");
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{told}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let before = all_rows(&desk);
    let rows = "SELECT count(*) FROM fact_messages";
    let all = desk.rows(rows);
    let staying = desk.rows(&format!(
        "{rows} WHERE sent_date >= DATE '{kept}' OR sent_date IS NULL"
    ));
    let told = maintain(&["--dry-run"]);
    assert!(
        told.contains("would remove") && desk.rows(rows) == all,
        "{told}"
    );
    let told = maintain(&[]);
    assert!(told.contains("which are too old"), "{told}");
    assert_eq!(desk.rows(rows), staying);

    let after = all_rows(&desk);
    let others = |rows: &[String]| -> Vec<String> {
        let others = rows.iter().filter(|row| !row.starts_with("fact_messages "));
        others.cloned().collect()
    };
    assert_eq!(others(&after), others(&before));
    assert!(maintain(&[]).is_empty(), "nothing is left to do");

    // The events are there yet, so that a late one has its chat derived anew, and a rebuild all of them.
    let late = "SELECT chat_id FROM fact_messages WHERE sent_date < DATE '2100-01-01' ORDER BY chat_id LIMIT 1";
    let chat = &desk.rows(late)[0][0];
    let late = json!({ "time": 1_900_000_000, "messages": { "startedChat": [{
        "id": chat, "situation": "auto", "company": { "id": 15691 } }] }, "token": "t" });
    desk.write("late.ndjson", late.to_string());
    desk.ok(&["import", "late.ndjson"]);
    desk.ok(&["transform"]);
    assert_eq!(desk.rows(rows), staying, "after a run");
    desk.ok(&["verify", "--full"]);
    desk.ok(&["transform", "--full"]);
    assert_eq!(desk.rows(rows), staying, "after a rebuild");
    desk.ok(&["verify", "--full"]);
}

#[test]
fn only_rows_that_nothing_rests_on_have_an_age() {
    let desk = Desk::new();
    for (retain, told) in [
        (
            "fact_chats=400d",
            "rows of \"fact_chats\" are not removed by age, only those of events, ",
        ),
        (
            "fact_messages=400d,fact_messages=90d",
            "fact_messages has two ages",
        ),
        ("events=3h", "must be one day at least"),
    ] {
        let mut command = desk.command(&["config"]);
        let done = command.env("HUGGY_ETL_RETAIN", retain).output();
        let done = done.expect("running the binary");
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(told), "{stderr}");
    }
}

#[test]
fn a_send_time_ahead_of_its_delivery_does_not_hide_what_comes_after_its_event_is_gone() {
    let desk = Desk::new();
    take_in(
        &desk,
        &[message_sent(6, 1, 0, 1, Some(5)), message(1, 1, 2, Some(5))],
    );
    remove_before(&desk, "2024-03-03");
    take_in(
        &desk,
        &[message(4, 0, 3, Some(5)), message(4, 1, 4, Some(5))],
    );
    let sessions = "SELECT session_no, contact_messages FROM fact_chats ORDER BY session_no";
    assert_eq!(desk.rows(sessions), json!([[1, 2], [2, 2]]));
    let incremental = derived(&desk);
    desk.ok(&["transform", "--full"]);
    assert_eq!(incremental, derived(&desk));
}
