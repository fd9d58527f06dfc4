//! Rules of the chain that the conformance cases and the simulator leave out, each by a small chain.

use chrono::{DateTime, Duration, Utc};
use events::EventId;
use serde_json::{Value, json};
use transform::Settings;
use transform::chain::{ChainInput, Chat, derive};
use transform::facts;

const CHAT: i64 = 9;

fn at(seconds: i64) -> DateTime<Utc> {
    "2024-03-01T13:00:00Z"
        .parse::<DateTime<Utc>>()
        .expect("an instant")
        + Duration::seconds(seconds)
}

/// Local time of an instant, as the platform writes it.
fn local(seconds: i64) -> String {
    (at(seconds) - Duration::hours(3))
        .format("%Y-%m-%d %H:%M:%S")
        .to_string()
}

type Event = (i64, &'static str, Value);

fn chat_event(
    seconds: i64,
    event_type: &'static str,
    situation: &str,
    agent: Option<i64>,
) -> Event {
    let agent = agent.map_or(Value::Null, |id| json!({ "id": id }));
    (
        seconds,
        event_type,
        json!({ "id": CHAT, "situation": situation, "agent": agent, "company": { "id": 1 } }),
    )
}

fn message(seconds: i64, id: i64, sender_type: &str, situation: &str) -> Event {
    let payload = json!({
        "id": id, "senderType": sender_type, "sender": { "id": 11 }, "send_at": local(seconds),
        "chat": { "id": CHAT, "situation": situation, "channel": "widget" }, "company": { "id": 1 },
    });
    (seconds, "receivedAllMessage", payload)
}

fn flow(seconds: i64, event_type: &'static str) -> Event {
    (
        seconds,
        event_type,
        json!({ "chatID": CHAT, "flowID": 5, "flowToken": "t", "context": [], "company": { "id": 1 } }),
    )
}

fn department(seconds: i64, situation: &str, from: Value, to: Value) -> Event {
    let chat = json!({ "id": CHAT, "situation": situation, "department": to });
    (
        seconds,
        "updatedChatDepartment",
        json!({ "chat": chat, "previousDepartment": from, "company": { "id": 1 } }),
    )
}

fn close(seconds: i64) -> Event {
    let payload = json!({ "id": CHAT, "situation": "finishing", "closed_at": local(seconds), "company": { "id": 1 } });
    (seconds, "closedChat", payload)
}

fn chat(events: &[Event]) -> Chat {
    let mut input = ChainInput {
        company_id: Some(1),
        chat_id: CHAT,
        ..ChainInput::default()
    };
    // In reverse: the order of arrival never matters.
    for (number, (seconds, event_type, payload)) in events.iter().enumerate().rev() {
        input.push(
            EventId([number as u8; 16]),
            event_type,
            at(*seconds),
            &payload.to_string(),
        );
    }
    derive(input, &Settings::default())
}

/// The rows of a fact as JSON, the given columns only.
fn check(events: &[Event], table: &str, columns: &[&str], expected: Value) {
    let facts = facts::of_chats();
    let fact = facts
        .iter()
        .find(|fact| fact.name() == table)
        .expect("a fact of that name");
    let batch = fact.batch(&[chat(events)], &Settings::default());
    let places: Vec<usize> = columns
        .iter()
        .map(|name| batch.schema().index_of(name).expect("a column"))
        .collect();
    let batch = batch.project(&places).expect("columns of the batch");
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::JsonArray>(Vec::new());
    writer
        .write(&batch)
        .and_then(|()| writer.finish())
        .expect("JSON");
    let rows: Vec<serde_json::Map<String, Value>> =
        serde_json::from_slice(&writer.into_inner()).unwrap_or_default();
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| columns.iter().map(|column| row[*column].clone()).collect())
        .collect();
    assert_eq!(Value::Array(rows), expected, "{table} of {events:?}");
}

const WAITS: [&str; 4] = ["entered_source", "wait_seconds", "exit", "left_source"];

#[test]
fn in_chat_seen_while_waiting_ends_the_wait_at_an_unknown_instant() {
    let events = [
        chat_event(0, "startedChat", "wait_for_chat", None),
        message(50, 1, "widget", "in_chat"),
        message(80, 2, "agent", "in_chat"),
        close(100),
    ];
    check(
        &events,
        "fact_queue_waits",
        &WAITS,
        json!([["situation_seen", null, "answered", "situation_seen"]]),
    );
    check(
        &events,
        "fact_chats",
        &["outcome", "total_wait_seconds", "handle_seconds"],
        json!([["handled", null, 20]]),
    );
    check(
        &events,
        "fact_replies",
        &["reply_seconds", "agent_id"],
        json!([[30, 11]]),
    );
}

#[test]
fn an_agents_first_message_just_before_the_entry_does_not_hide_the_wait_since_the_flow() {
    let events = [
        flow(0, "startedAutomationFlow"),
        flow(10, "finishedAutomationFlow"),
        message(40, 1, "agent", "in_chat"),
        chat_event(41, "agentEntered", "in_chat", Some(11)),
        close(100),
    ];
    check(
        &events,
        "fact_queue_waits",
        &WAITS,
        json!([["flow_finished", 31, "answered", "agentEntered"]]),
    );
    check(
        &events,
        "fact_chats",
        &["first_response_seconds", "transfers"],
        json!([[30, 0]]),
    );
}

#[test]
fn evidence_that_overtook_the_finish_by_two_seconds_reads_as_after_it() {
    let chain = |evidence: i64| {
        [
            flow(0, "startedAutomationFlow"),
            message(evidence, 1, "widget", "wait_for_chat"),
            flow(60, "finishedAutomationFlow"),
            chat_event(100, "agentEntered", "in_chat", Some(11)),
        ]
    };
    check(
        &chain(58),
        "fact_queue_waits",
        &WAITS,
        json!([["flow_finished", 40, "answered", "agentEntered"]]),
    );
    check(
        &chain(57),
        "fact_queue_waits",
        &WAITS,
        json!([["situation_seen", 43, "answered", "agentEntered"]]),
    );
}

#[test]
fn auto_seen_after_the_finish_means_no_wait_began_there() {
    let chain = |auto: i64| {
        [
            flow(0, "startedAutomationFlow"),
            flow(60, "finishedAutomationFlow"),
            message(auto, 1, "virtual_agent", "auto"),
            chat_event(100, "leftQueue", "in_chat", Some(11)),
        ]
    };
    check(
        &chain(62),
        "fact_queue_waits",
        &WAITS,
        json!([["flow_finished", 40, "answered", "leftQueue"]]),
    );
    check(
        &chain(63),
        "fact_queue_waits",
        &WAITS,
        json!([["bounded", null, "answered", "leftQueue"]]),
    );
}

#[test]
fn a_department_can_be_set_back_to_none_while_waiting() {
    let events = [
        (
            0,
            "startedChat",
            json!({ "id": CHAT, "situation": "wait_for_chat", "department": 5, "company": { "id": 1 } }),
        ),
        department(50, "wait_for_chat", Value::Null, Value::Null),
        chat_event(90, "agentEntered", "in_chat", Some(11)),
    ];
    let columns = ["department_id", "wait_seconds", "exit"];
    check(
        &events,
        "fact_queue_waits",
        &columns,
        json!([[5, 50, "department_changed"], [null, 40, "answered"]]),
    );
    check(
        &events,
        "fact_chats",
        &["department_id", "first_wait_seconds"],
        json!([[null, 90]]),
    );
    let columns = ["from_department_id", "to_department_id", "was_waiting"];
    check(
        &events,
        "fact_department_changes",
        &columns,
        json!([[5, null, true]]),
    );
}

#[test]
fn a_transfer_to_a_department_is_one_wait_in_the_new_one() {
    let events = [
        chat_event(40, "agentEntered", "in_chat", Some(11)),
        department(300, "wait_for_chat", json!({ "id": 5 }), json!(6)),
        chat_event(360, "leftQueue", "in_chat", Some(22)),
    ];
    let columns = ["entered_source", "department_id", "wait_seconds"];
    check(
        &events,
        "fact_queue_waits",
        &columns,
        json!([["requeue_seen", 6, 60]]),
    );
}

#[test]
fn a_flow_that_finishes_after_the_agent_came_was_handed_off() {
    let events = [
        flow(0, "startedAutomationFlow"),
        chat_event(20, "agentEntered", "in_chat", Some(11)),
        flow(25, "finishedAutomationFlow"),
        close(100),
    ];
    check(
        &events,
        "fact_flow_runs",
        &["role", "outcome"],
        json!([["entry", "handed_off"]]),
    );
}

#[test]
fn an_echo_is_within_a_minute_and_later_an_unseen_requeue() {
    let chain = |echo: i64| {
        [
            chat_event(0, "startedChat", "wait_for_chat", None),
            chat_event(40, "agentEntered", "in_chat", Some(11)),
            chat_event(echo, "leftQueue", "in_chat", Some(11)),
        ]
    };
    check(
        &chain(100),
        "fact_queue_waits",
        &["exit"],
        json!([["answered"]]),
    );
    check(
        &chain(101),
        "fact_queue_waits",
        &["entered_source"],
        json!([["situation_seen"], ["bounded"]]),
    );
    check(
        &chain(101),
        "fact_agent_segments",
        &["end_reason", "ended_bounded"],
        json!([["requeued", true], ["open", false]]),
    );
}

#[test]
fn what_is_not_subscribed_is_unknown_and_not_zero() {
    let settings = Settings {
        subscribed_events: ["startedChat".to_owned(), "closedChat".to_owned()].into(),
        ..Settings::default()
    };
    let chat = chat(&[chat_event(0, "startedChat", "auto", None), close(100)]);
    let facts = facts::of_chats();
    let fact = facts
        .iter()
        .find(|fact| fact.name() == "fact_chats")
        .expect("fact_chats");
    let batch = fact.batch(&[chat], &settings);
    for column in [
        "contact_messages",
        "agent_messages",
        "internal_messages",
        "flow_runs",
    ] {
        assert_eq!(
            batch
                .column_by_name(column)
                .map(|column| column.null_count()),
            Some(1),
            "{column}"
        );
    }
    assert_eq!(
        batch
            .column_by_name("duration_seconds")
            .map(|column| column.null_count()),
        Some(0)
    );
}
