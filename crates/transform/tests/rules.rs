//! Rules of the chain that the conformance cases and the simulator leave out, each by a small chain.

use chrono::{DateTime, Duration, Utc};
use events::EventId;
use serde_json::{Value, json};
use transform::Settings;
use transform::chain::{ChainInput, Chat, Kept, derive, join_unnamed};
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
    flow_of(5, seconds, event_type)
}

fn flow_of(id: i64, seconds: i64, event_type: &'static str) -> Event {
    (
        seconds,
        event_type,
        json!({ "chatID": CHAT, "flowID": id, "flowToken": "t", "context": [], "company": { "id": 1 } }),
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

fn chat(events: &[Event], settings: &Settings) -> Chat {
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
    derive(input, settings)
}

fn check(events: &[Event], table: &str, columns: &[&str], expected: Value) {
    let settings = Settings::default();
    let found = rows(&[chat(events, &settings)], &settings, table, columns);
    assert_eq!(found, expected, "{table} of {events:?}");
}

/// Where only these events are subscribed.
fn check_subscribed(to: &[&str], events: &[Event], table: &str, columns: &[&str], expected: Value) {
    let settings = Settings {
        subscribed_events: to.iter().map(|event| (*event).to_owned()).collect(),
        ..Settings::default()
    };
    let found = rows(&[chat(events, &settings)], &settings, table, columns);
    assert_eq!(found, expected, "{table} of {events:?} by {to:?}");
}

/// The rows of a fact as JSON, the given columns only.
fn rows(chats: &[Chat], settings: &Settings, table: &str, columns: &[&str]) -> Value {
    let facts = facts::of_chats();
    let fact = facts
        .iter()
        .find(|fact| fact.name() == table)
        .expect("a fact of that name");
    let batch = fact.batch(chats, settings);
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
    rows.iter()
        .map(|row| -> Value { columns.iter().map(|column| row[*column].clone()).collect() })
        .collect()
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
    let events = [chat_event(0, "startedChat", "auto", None), close(100)];
    let columns = [
        "contact_messages",
        "agent_messages",
        "bot_messages",
        "internal_messages",
        "flow_runs",
        "agent_segments",
        "transfers",
        "duration_seconds",
    ];
    check_subscribed(
        &["startedChat", "closedChat"],
        &events,
        "fact_chats",
        &columns,
        json!([[null, null, null, null, null, null, null, 100]]),
    );
}

#[test]
fn an_outcome_without_agents_is_unknown_only_if_no_event_that_shows_agents_is_subscribed() {
    let unanswered = [chat_event(0, "startedChat", "auto", None), close(100)];
    let abandoned = [
        chat_event(0, "startedChat", "wait_for_chat", None),
        close(100),
    ];
    let contained = [
        flow(0, "startedAutomationFlow"),
        flow(10, "finishedAutomationFlow"),
        close(100),
    ];
    let handled = [
        chat_event(0, "agentEntered", "in_chat", Some(11)),
        close(100),
    ];
    let open = [chat_event(0, "startedChat", "auto", None)];
    let none = ["closedChat", "finishedAutomationFlow"];
    let outcome = |to: &[&str], events: &[Event], expected: Value| {
        check_subscribed(to, events, "fact_chats", &["outcome"], json!([[expected]]));
    };
    outcome(&none, &unanswered, Value::Null);
    outcome(&none, &abandoned, Value::Null);
    outcome(&none, &contained, Value::Null);
    outcome(&none, &handled, json!("handled"));
    outcome(&none, &open, json!("open"));
    for shows_agents in [
        "agentEntered",
        "leftQueue",
        "sentAllMessage",
        "receivedAllMessage",
    ] {
        let without_starts = ["closedChat", "finishedAutomationFlow", shows_agents];
        outcome(&without_starts, &unanswered, Value::Null);
        let to = [&without_starts[..], &["startedAutomationFlow"]].concat();
        outcome(&to, &unanswered, json!("unanswered"));
        outcome(&to, &abandoned, json!("abandoned"));
        outcome(&to, &contained, json!("contained"));
        // Another agent's message is no transfer.
        let shows_transfers = ["agentEntered", "leftQueue"].contains(&shows_agents);
        let transfers = shows_transfers.then_some(0);
        check_subscribed(
            &to,
            &unanswered,
            "fact_chats",
            &["agent_segments", "transfers"],
            json!([[0, transfers]]),
        );
    }
}

#[test]
fn without_the_finish_of_flows_none_is_known_to_have_been_dropped() {
    let events = [flow(0, "startedAutomationFlow"), close(100)];
    let outcomes = |to: &[&str], session: Value, run: Value| {
        check_subscribed(to, &events, "fact_chats", &["outcome"], session);
        check_subscribed(to, &events, "fact_flow_runs", &["outcome"], run);
    };
    let to = ["startedAutomationFlow", "agentEntered", "closedChat"];
    outcomes(&to, json!([[null]]), json!([[null]]));
    let to = [to.as_slice(), &["finishedAutomationFlow"]].concat();
    outcomes(&to, json!([["bot_dropped"]]), json!([["dropped"]]));
}

#[test]
fn bots_messages_are_known_only_by_received_all_message() {
    let events = [chat_event(0, "startedChat", "auto", None)];
    let bots = |to: &str, expected: Value| {
        check_subscribed(&[to], &events, "fact_chats", &["bot_messages"], expected);
    };
    bots("sentAllMessage", json!([[null]]));
    bots("receivedAllMessage", json!([[0]]));
}

#[test]
fn a_session_of_which_only_the_close_was_seen_has_no_known_duration() {
    let columns = ["started_at_source", "duration_seconds"];
    let unknown = json!([["first_event", null]]);
    check(&[close(100)], "fact_chats", &columns, unknown.clone());
    let note = message(120, 1, "agent", "finishing");
    check(&[close(100), note], "fact_chats", &columns, unknown);
    let known = json!([["first_event", 1]]);
    let note = message(99, 1, "agent", "in_chat");
    check(&[note, close(100)], "fact_chats", &columns, known);
}

const RESPONSE: [&str; 1] = ["first_response_seconds"];

#[test]
fn an_entry_told_after_the_reply_is_no_start_of_the_first_response() {
    let chain = |entered: i64| {
        [
            flow(0, "startedAutomationFlow"),
            message(40, 1, "agent", "auto"),
            chat_event(entered, "agentEntered", "in_chat", Some(11)),
        ]
    };
    check(&chain(41), "fact_chats", &RESPONSE, json!([[null]]));
    check(&chain(30), "fact_chats", &RESPONSE, json!([[10]]));
}

#[test]
fn an_agents_message_well_before_the_entry_ends_the_wait_since_the_flow_at_an_unknown_instant() {
    let chain = |entered: i64, event_type: &'static str| {
        [
            flow(0, "startedAutomationFlow"),
            flow(10, "finishedAutomationFlow"),
            message(40, 1, "agent", "in_chat"),
            chat_event(entered, event_type, "in_chat", Some(11)),
        ]
    };
    let columns = [
        "entered_source",
        "left_at",
        "left_source",
        "exit",
        "agent_id",
    ];
    let unknown = json!([["flow_finished", null, "situation_seen", "answered", 11]]);
    for (entered, event_type) in [(43, "agentEntered"), (101, "leftQueue")] {
        let events = chain(entered, event_type);
        check(&events, "fact_queue_waits", &columns, unknown.clone());
        let columns = [
            "first_response_seconds",
            "total_wait_seconds",
            "agent_segments",
        ];
        check(&events, "fact_chats", &columns, json!([[30, null, 1]]));
        let columns = ["started_at", "ended_at"];
        let since = json!([["2024-03-01T13:00:40Z", null]]);
        check(&events, "fact_agent_segments", &columns, since);
    }
    check(
        &chain(42, "agentEntered"),
        "fact_queue_waits",
        &WAITS,
        json!([["flow_finished", 32, "answered", "agentEntered"]]),
    );
    // An echo of that agent's entry.
    let echo = chain(100, "leftQueue");
    check(&echo, "fact_queue_waits", &columns, json!([]));
}

#[test]
fn an_agents_message_alone_after_a_flow_proves_no_queue() {
    let events = [
        flow(0, "startedAutomationFlow"),
        flow(10, "finishedAutomationFlow"),
        message(40, 1, "agent", "in_chat"),
        close(100),
    ];
    check(&events, "fact_queue_waits", &WAITS, json!([]));
    check(&events, "fact_chats", &RESPONSE, json!([[null]]));
}

#[test]
fn a_wait_seen_after_the_agents_message_is_a_requeue_and_proves_none_since_the_flow() {
    let events = [
        flow(0, "startedAutomationFlow"),
        flow(10, "finishedAutomationFlow"),
        message(40, 1, "agent", "in_chat"),
        message(200, 2, "widget", "wait_for_chat"),
        chat_event(260, "leftQueue", "in_chat", Some(22)),
    ];
    check(
        &events,
        "fact_queue_waits",
        &WAITS,
        json!([["requeue_seen", 60, "answered", "leftQueue"]]),
    );
}

#[test]
fn the_situation_of_a_leaving_event_does_not_tell_that_nobody_waited() {
    for event_type in ["leftQueue", "agentEntered"] {
        let events = [
            flow(0, "startedAutomationFlow"),
            flow(60, "finishedAutomationFlow"),
            chat_event(100, event_type, "auto", Some(11)),
        ];
        check(
            &events,
            "fact_queue_waits",
            &WAITS,
            json!([["flow_finished", 40, "answered", event_type]]),
        );
    }
    check(
        &[
            chat_event(0, "startedChat", "auto", None),
            chat_event(100, "leftQueue", "auto", Some(11)),
        ],
        "fact_queue_waits",
        &["entered_source", "entered_earliest"],
        json!([["bounded", "2024-03-01T13:00:00Z"]]),
    );
}

#[test]
fn an_unseen_entry_in_a_reopened_chat_was_not_before_the_close() {
    let events = [
        chat_event(0, "startedChat", "auto", None),
        close(100),
        chat_event(300, "leftQueue", "in_chat", Some(11)),
    ];
    check(
        &events,
        "fact_queue_waits",
        &["session_no", "entered_source", "entered_earliest"],
        json!([[2, "bounded", "2024-03-01T13:01:40Z"]]),
    );
}

fn step(seconds: i64, from: i64, to: i64) -> Event {
    let payload = json!({
        "chat": { "id": CHAT, "situation": "finishing" }, "company": { "id": 1 }, "agent": { "id": 11 },
        "previousStep": { "id": from, "workflow": { "id": 3 } }, "step": { "id": to, "workflow": { "id": 3 } },
    });
    (seconds, "updatedWorkflowStep", payload)
}

#[test]
fn a_step_after_the_close_is_a_change_of_that_session() {
    let events = [step(40, 1, 2), close(100), step(130, 2, 3)];
    check(
        &events,
        "fact_workflow_changes",
        &["session_no", "to_step_id", "seconds_in_previous_step"],
        json!([[1, 2, null], [1, 3, 90]]),
    );
    // As of the close.
    check(&events, "fact_chats", &["workflow_step_id"], json!([[2]]));
}

#[test]
fn a_flow_started_just_after_the_close_is_a_run_of_that_session_and_decides_nothing() {
    let columns = ["session_no", "role", "outcome", "duration_seconds"];
    let handled = [
        chat_event(0, "agentEntered", "in_chat", Some(11)),
        close(100),
        flow(105, "startedAutomationFlow"),
        flow(130, "finishedAutomationFlow"),
    ];
    check(
        &handled,
        "fact_flow_runs",
        &columns,
        json!([[1, "exit", "completed", 25]]),
    );
    check(
        &handled,
        "fact_chats",
        &["outcome", "flow_runs"],
        json!([["handled", 1]]),
    );
    let unanswered = [
        chat_event(0, "startedChat", "auto", None),
        close(100),
        flow(105, "startedAutomationFlow"),
    ];
    check(
        &unanswered,
        "fact_flow_runs",
        &columns,
        json!([[1, "entry", "dropped", null]]),
    );
    check(
        &unanswered,
        "fact_chats",
        &["outcome", "flow_runs"],
        json!([["unanswered", 1]]),
    );
    let contained = [
        flow(0, "startedAutomationFlow"),
        flow(50, "finishedAutomationFlow"),
        close(100),
        flow(105, "startedAutomationFlow"),
    ];
    check(
        &contained,
        "fact_chats",
        &["outcome", "flow_runs"],
        json!([["contained", 2]]),
    );
}

#[test]
fn the_finish_of_a_flow_told_just_after_the_close_still_finishes_it() {
    let events = [
        flow(0, "startedAutomationFlow"),
        close(100),
        flow(101, "finishedAutomationFlow"),
    ];
    let columns = ["outcome", "duration_seconds"];
    check(
        &events,
        "fact_flow_runs",
        &columns,
        json!([["contained", 101]]),
    );
    check(&events, "fact_chats", &["outcome"], json!([["contained"]]));
}

fn waiting_in_department_5() -> Event {
    let payload = json!({ "id": CHAT, "situation": "wait_for_chat", "department": 5, "company": { "id": 1 } });
    (0, "startedChat", payload)
}

#[test]
fn a_department_changed_in_chat_means_the_wait_was_answered_in_the_one_before() {
    let change = || department(50, "in_chat", Value::Null, json!(6));
    let columns = ["department_id", "wait_seconds", "exit", "left_source"];
    let alone = [waiting_in_department_5(), change()];
    check(
        &alone,
        "fact_queue_waits",
        &columns,
        json!([[5, null, "answered", "situation_seen"]]),
    );
    let told = |at: i64, event_type: &'static str, expected: Value| {
        let events = [
            waiting_in_department_5(),
            change(),
            chat_event(at, event_type, "in_chat", Some(11)),
        ];
        check(&events, "fact_queue_waits", &columns, json!([expected]));
        let changes = ["from_department_id", "to_department_id", "was_waiting"];
        check(
            &events,
            "fact_department_changes",
            &changes,
            json!([[5, 6, false]]),
        );
        check(&events, "fact_chats", &["department_id"], json!([[6]]));
    };
    told(52, "leftQueue", json!([5, 52, "answered", "leftQueue"]));
    told(
        51,
        "agentEntered",
        json!([5, 51, "answered", "agentEntered"]),
    );
    told(
        53,
        "leftQueue",
        json!([5, null, "answered", "situation_seen"]),
    );
    let after_flow = [
        flow(0, "startedAutomationFlow"),
        flow(10, "finishedAutomationFlow"),
        department(40, "in_chat", json!(5), json!(6)),
        chat_event(50, "agentEntered", "in_chat", Some(11)),
    ];
    check(
        &after_flow,
        "fact_queue_waits",
        &columns,
        json!([[5, null, "answered", "situation_seen"]]),
    );
}

#[test]
fn events_without_a_company_are_of_the_chats_only_one() {
    let company = |company_id: Option<i64>, events: &[Event]| {
        let mut input = ChainInput {
            company_id,
            chat_id: CHAT,
            ..ChainInput::default()
        };
        for (seconds, event_type, payload) in events {
            let id = EventId([*seconds as u8; 16]);
            input.push(id, event_type, at(*seconds), &payload.to_string());
        }
        input
    };
    let sessions = |chains: Vec<ChainInput>| {
        let settings = Settings::default();
        let chats: Vec<Chat> = join_unnamed(chains)
            .into_iter()
            .map(|chain| derive(chain, &settings))
            .collect();
        rows(
            &chats,
            &settings,
            "fact_chats",
            &["company_id", "event_count"],
        )
    };
    let one = || company(Some(1), &[chat_event(0, "startedChat", "auto", None)]);
    let two = || company(Some(2), &[chat_event(2, "startedChat", "auto", None)]);
    let none = || company(None, &[close(100)]);
    assert_eq!(sessions(vec![one(), none()]), json!([[1, 2]]));
    assert_eq!(sessions(vec![none(), one()]), json!([[1, 2]]));
    assert_eq!(sessions(vec![none()]), json!([[null, 1]]));
    assert_eq!(
        sessions(vec![one(), two(), none()]),
        json!([[1, 1], [2, 1], [null, 1]])
    );
}

#[test]
fn a_flow_that_never_finishes_listens_until_the_agent_writes() {
    let chain = |finish: Option<i64>| {
        let mut events = vec![
            chat_event(0, "agentEntered", "in_chat", Some(11)),
            flow(10, "startedAutomationFlow"),
            message(20, 1, "widget", "in_chat"),
            message(30, 2, "agent", "in_chat"),
            message(40, 3, "widget", "in_chat"),
            message(45, 4, "agent", "in_chat"),
        ];
        events.extend(finish.map(|finish| flow(finish, "finishedAutomationFlow")));
        events
    };
    let columns = ["reply_seconds"];
    check(&chain(None), "fact_replies", &columns, json!([[5]]));
    check(&chain(Some(60)), "fact_replies", &columns, json!([]));
}

#[test]
fn a_leaving_event_that_names_nobody_is_an_echo_as_one_that_names_the_agent() {
    let chain = |left: i64| {
        [
            chat_event(0, "startedChat", "wait_for_chat", None),
            chat_event(40, "agentEntered", "in_chat", Some(11)),
            chat_event(left, "leftQueue", "in_chat", None),
        ]
    };
    let columns = ["queue_episodes", "agent_segments", "agent_id"];
    check(&chain(100), "fact_chats", &columns, json!([[1, 1, 11]]));
    check(&chain(101), "fact_chats", &columns, json!([[2, 1, 11]]));
}

#[test]
fn an_entry_that_names_nobody_is_named_by_what_follows_within_a_minute() {
    for event_type in ["leftQueue", "agentEntered"] {
        let chain = |named: i64| {
            [
                chat_event(0, "startedChat", "wait_for_chat", None),
                chat_event(40, "agentEntered", "in_chat", None),
                chat_event(named, event_type, "in_chat", Some(11)),
            ]
        };
        let waits = ["agent_id", "wait_seconds"];
        check(&chain(100), "fact_queue_waits", &waits, json!([[11, 40]]));
        let segments = ["agent_id", "end_reason"];
        check(
            &chain(100),
            "fact_agent_segments",
            &segments,
            json!([[11, "open"]]),
        );
        check(&chain(100), "fact_chats", &["transfers"], json!([[0]]));
        let columns = ["agent_segments"];
        check(&chain(101), "fact_chats", &columns, json!([[2]]));
    }
}

#[test]
fn a_queue_left_by_the_close_while_an_agent_is_in_is_no_requeue() {
    let events = [
        chat_event(0, "agentEntered", "in_chat", Some(11)),
        chat_event(100, "leftQueue", "finishing", None),
        close(100),
    ];
    check(&events, "fact_queue_waits", &WAITS, json!([]));
    check(
        &events,
        "fact_agent_segments",
        &["end_reason", "ended_bounded", "handle_seconds"],
        json!([["closed", false, 100]]),
    );
}

#[test]
fn a_queue_left_by_the_close_does_not_tell_when_an_agent_ended_the_wait() {
    let events = [
        chat_event(0, "startedChat", "wait_for_chat", None),
        message(99, 1, "widget", "in_chat"),
        chat_event(100, "leftQueue", "finishing", None),
        close(100),
    ];
    check(
        &events,
        "fact_queue_waits",
        &WAITS,
        json!([["situation_seen", null, "answered", "situation_seen"]]),
    );
}

#[test]
fn what_begins_with_leaving_the_queue_is_inbound() {
    let events = [
        chat_event(0, "leftQueue", "in_chat", Some(11)),
        chat_event(0, "agentEntered", "in_chat", Some(11)),
        message(20, 1, "agent", "in_chat"),
    ];
    check(&events, "fact_chats", &["direction"], json!([["inbound"]]));
    check(
        &events[1..],
        "fact_chats",
        &["direction"],
        json!([["outbound"]]),
    );
    let mut words = message(-9, 2, "agent", "in_chat");
    words.2["chat"]["situation"] = Value::Null;
    let events = [words, chat_event(0, "leftQueue", "in_chat", Some(11))];
    check(&events, "fact_chats", &["direction"], json!([["outbound"]]));
}

#[test]
fn a_chat_started_in_one_instant_with_its_flow_is_inbound() {
    let chain = |flow_starts: i64| {
        [
            chat_event(0, "startedChat", "auto", None),
            flow(flow_starts, "startedAutomationFlow"),
        ]
    };
    let columns = ["direction"];
    check(&chain(0), "fact_chats", &columns, json!([["inbound"]]));
    check(&chain(9), "fact_chats", &columns, json!([["unknown"]]));
}

#[test]
fn a_stay_answered_by_nobody_named_is_not_an_agents_who_comes_after_automation() {
    let chain = |situation: &str| {
        [
            chat_event(0, "startedChat", "wait_for_chat", None),
            chat_event(40, "leftQueue", "in_chat", None),
            message(60, 1, "virtual_agent", situation),
            chat_event(200, "agentEntered", "in_chat", Some(11)),
        ]
    };
    let columns = ["exit", "agent_id"];
    let answered_by = |agent: Value| json!([["answered", agent]]);
    check(
        &chain("in_chat"),
        "fact_queue_waits",
        &columns,
        answered_by(json!(11)),
    );
    check(
        &chain("auto"),
        "fact_queue_waits",
        &columns,
        answered_by(Value::Null),
    );
}

/// What the contact is owed after an agent has written and flows have run: the instants from which a turn waits.
fn check_turns_after_agent(flows_and_words: &[Event], expected: &[&str]) {
    let agent_in = [
        chat_event(0, "startedChat", "wait_for_chat", None),
        chat_event(10, "agentEntered", "in_chat", Some(11)),
        message(20, 1, "agent", "in_chat"),
    ];
    let events = [agent_in.as_slice(), flows_and_words, &[close(300)]].concat();
    let expected: Vec<Value> = expected.iter().map(|since| json!([since])).collect();
    let columns = ["waiting_since"];
    check(&events, "fact_replies", &columns, Value::Array(expected));
}

#[test]
fn a_flow_runs_until_its_own_finish_whatever_other_flows_do() {
    let (start, finish) = ("startedAutomationFlow", "finishedAutomationFlow");
    let one_after_the_other = [
        flow_of(7, 30, start),
        flow_of(7, 60, finish),
        flow_of(8, 60, start),
        message(70, 2, "widget", "in_chat"),
        flow_of(8, 80, finish),
    ];
    check_turns_after_agent(&one_after_the_other, &[]);
    let one_within_the_other = [
        flow_of(7, 30, start),
        flow_of(8, 40, start),
        flow_of(8, 50, finish),
        message(60, 2, "widget", "in_chat"),
        flow_of(7, 90, finish),
        message(100, 3, "widget", "in_chat"),
    ];
    check_turns_after_agent(&one_within_the_other, &["2024-03-01T13:01:40Z"]);
    let another_without_a_start = [
        flow_of(7, 30, start),
        flow_of(9, 40, finish),
        message(60, 2, "widget", "in_chat"),
        flow_of(7, 90, finish),
    ];
    check_turns_after_agent(&another_without_a_start, &[]);
}

#[test]
fn an_agent_who_writes_ends_the_turn_only_of_flows_that_never_finish() {
    let events = [
        flow_of(7, 30, "startedAutomationFlow"),
        flow_of(8, 40, "startedAutomationFlow"),
        message(50, 2, "agent", "in_chat"),
        message(60, 3, "widget", "in_chat"),
        flow_of(8, 80, "finishedAutomationFlow"),
        message(90, 4, "widget", "in_chat"),
    ];
    check_turns_after_agent(&events, &["2024-03-01T13:01:30Z"]);
}

/// An agent has been in, the chat is closed, and a survey that starts then is answered in the next session.
fn survey_answered_in_the_next_session() -> [Event; 6] {
    [
        chat_event(0, "startedChat", "wait_for_chat", None),
        chat_event(10, "agentEntered", "in_chat", Some(11)),
        close(100),
        flow(102, "startedAutomationFlow"),
        message(120, 1, "widget", "auto"),
        flow(125, "finishedAutomationFlow"),
    ]
}

#[test]
fn a_survey_answered_after_the_close_is_completed_in_its_own_session() {
    let events = survey_answered_in_the_next_session();
    check(&events, "fact_chats", &["session_no"], json!([[1], [2]]));
    let columns = [
        "session_no",
        "role",
        "outcome",
        "finished_at",
        "duration_seconds",
    ];
    let completed = json!([[1, "exit", "completed", "2024-03-01T13:02:05Z", 23]]);
    check(&events, "fact_flow_runs", &columns, completed);
}

#[test]
fn the_finish_of_an_earlier_sessions_flow_is_no_entry_into_the_queue() {
    let survey = survey_answered_in_the_next_session();
    let left = chat_event(200, "leftQueue", "in_chat", Some(11));
    let columns = ["session_no", "entered_source"];
    let waits = json!([[1, "situation_seen"], [2, "bounded"]]);
    let events = [survey.as_slice(), &[left]].concat();
    check(&events, "fact_queue_waits", &columns, waits);
    // Nor where it is overtaken by what shows the queue.
    let seen = message(124, 2, "widget", "wait_for_chat");
    let waits = json!([[1, "situation_seen"], [2, "situation_seen"]]);
    let events = [survey.as_slice(), &[seen]].concat();
    check(&events, "fact_queue_waits", &columns, waits);
}

#[test]
fn without_any_event_that_shows_agents_nothing_is_known_to_have_ended_without_one() {
    let none = [
        "startedChat",
        "receivedMessage",
        "closedChat",
        "startedAutomationFlow",
        "finishedAutomationFlow",
    ];
    let with_agents = [none.as_slice(), &["leftQueue"]].concat();
    let check_run = |events: &[Event], expected: &str| {
        let columns = ["outcome"];
        check_subscribed(&none, events, "fact_flow_runs", &columns, json!([[null]]));
        let expected = json!([[expected]]);
        check_subscribed(&with_agents, events, "fact_flow_runs", &columns, expected);
    };
    let (start, finish) = (
        flow(0, "startedAutomationFlow"),
        flow(50, "finishedAutomationFlow"),
    );
    check_run(&[start.clone(), finish, close(900)], "contained");
    check_run(&[start, close(900)], "dropped");

    let waits = [
        chat_event(0, "startedChat", "wait_for_chat", None),
        close(900),
    ];
    let check_wait = |to: &[&str], stay: Value, session: Value| {
        let columns = ["exit", "left_at", "left_source", "wait_seconds"];
        check_subscribed(to, &waits, "fact_queue_waits", &columns, stay);
        let columns = ["first_wait_seconds", "total_wait_seconds"];
        check_subscribed(to, &waits, "fact_chats", &columns, session);
    };
    let unknown = json!([[null, null, null, null]]);
    check_wait(&none, unknown, json!([[null, null]]));
    let abandoned = json!([["abandoned", "2024-03-01T13:15:00Z", "closedChat", 900]]);
    check_wait(&with_agents, abandoned, json!([[900, 900]]));
}

#[test]
fn a_wait_is_short_below_its_threshold_over_all_departments() {
    let settings = Settings {
        short_abandon_seconds: 30,
        ..Settings::default()
    };
    let check = |events: &[Event], expected: Value| {
        let chats = [chat(events, &settings)];
        let exits = rows(&chats, &settings, "fact_queue_waits", &["exit"]);
        assert_eq!(exits, expected, "{events:?}");
        let outcome = rows(&chats, &settings, "fact_chats", &["outcome"]);
        let last = expected.as_array().and_then(|exits| exits.last());
        assert_eq!(Some(&outcome[0]), last, "{events:?}");
    };
    let waits = || chat_event(0, "startedChat", "wait_for_chat", None);
    check(&[waits(), close(29)], json!([["short_abandoned"]]));
    check(&[waits(), close(30)], json!([["abandoned"]]));
    let moves = || department(20, "wait_for_chat", Value::Null, json!(6));
    check(
        &[waits(), moves(), close(29)],
        json!([["department_changed"], ["short_abandoned"]]),
    );
    check(
        &[waits(), moves(), close(30)],
        json!([["department_changed"], ["abandoned"]]),
    );
}

#[test]
fn a_close_is_placed_by_its_delivery_up_to_5_s_after_it() {
    let chain = |delivered: i64| {
        let payload = json!({ "id": CHAT, "situation": "finishing", "closed_at": local(100), "company": { "id": 1 } });
        [
            chat_event(0, "startedChat", "wait_for_chat", None),
            chat_event(103, "agentEntered", "in_chat", Some(11)),
            (delivered, "closedChat", payload),
        ]
    };
    let columns = ["exit", "wait_seconds"];
    let entered = json!([["answered", 103]]);
    check(&chain(105), "fact_queue_waits", &columns, entered);
    let closed = json!([["abandoned", 100]]);
    check(&chain(106), "fact_queue_waits", &columns, closed);
    let columns = ["outcome", "closed_at", "duration_seconds"];
    for (delivered, outcome) in [(105, "handled"), (106, "abandoned")] {
        let expected = json!([[outcome, "2024-03-01T13:01:40Z", 100]]);
        check(&chain(delivered), "fact_chats", &columns, expected);
    }
}

#[test]
fn what_opens_a_session_does_so_more_than_5_s_after_the_close() {
    let opens = |opening: &dyn Fn(i64) -> Event| {
        for (at, sessions) in [(105, json!([[1]])), (106, json!([[1], [2]]))] {
            let started = chat_event(0, "startedChat", "auto", None);
            let events = [started, close(100), opening(at)];
            check(&events, "fact_chats", &["session_no"], sessions);
        }
    };
    opens(&|at| message(at, 1, "widget", "auto"));
    opens(&|at| chat_event(at, "startedChat", "auto", None));
    opens(&|at| chat_event(at, "agentEntered", "in_chat", Some(11)));
    opens(&|at| chat_event(at, "leftQueue", "in_chat", Some(11)));
    opens(&|at| flow(at, "startedAutomationFlow"));
    let agents_word = [close(100), message(106, 1, "agent", "in_chat")];
    check(&agents_word, "fact_chats", &["session_no"], json!([[1]]));
}

#[test]
fn all_names_of_a_bot_are_a_bots() {
    let events = [
        message(0, 1, "ura", "auto"),
        message(10, 2, "bot", "auto"),
        message(20, 3, "virtual_agent", "auto"),
        message(30, 4, "whatsapp", "auto"),
    ];
    let roles = json!([["bot"], ["bot"], ["bot"], ["contact"]]);
    check(&events, "fact_messages", &["role"], roles);
    let columns = ["bot_messages", "contact_messages"];
    check(&events, "fact_chats", &columns, json!([[3, 1]]));
}

#[test]
fn messages_of_one_instant_are_in_the_order_of_their_numbers() {
    let chain = |ninth: &str, tenth: &str| {
        [
            message(0, 9, ninth, "auto"),
            message(0, 10, tenth, "auto"),
            chat_event(50, "agentEntered", "in_chat", Some(11)),
        ]
    };
    let columns = ["waiting_since"];
    let answered = chain("widget", "virtual_agent");
    check(&answered, "fact_replies", &columns, json!([]));
    let asked_again = chain("virtual_agent", "widget");
    let since = json!([["2024-03-01T13:00:50Z"]]);
    check(&asked_again, "fact_replies", &columns, since);
}

#[test]
fn nothing_is_outbound_where_the_contacts_words_would_not_be_told() {
    let (_, _, payload) = message(0, 1, "agent", "in_chat");
    let events = [
        (0, "sentAllMessage", payload),
        chat_event(5, "agentEntered", "in_chat", Some(11)),
    ];
    let to = ["sentAllMessage", "agentEntered", "closedChat"];
    let direction = |to: &[&str], expected: &str| {
        let expected = json!([[expected]]);
        check_subscribed(to, &events, "fact_chats", &["direction"], expected);
    };
    direction(&to, "unknown");
    for told_by in ["receivedMessage", "receivedAllMessage"] {
        direction(&[to.as_slice(), &[told_by]].concat(), "outbound");
    }
}

#[test]
fn a_change_told_after_what_showed_it_divides_a_wait_that_began_before() {
    let shows = |at: i64| {
        let (at, event_type, mut payload) = message(at, at, "widget", "wait_for_chat");
        payload["chat"]["department"] = json!(6);
        (at, event_type, payload)
    };
    let told = |at: i64| department(at, "wait_for_chat", Value::Null, json!(6));
    let answered = || chat_event(60, "agentEntered", "in_chat", Some(11));
    let columns = ["department_id", "wait_seconds"];
    let chain = |shown: i64| {
        [
            chat_event(0, "startedChat", "wait_for_chat", None),
            shows(shown),
            told(41),
            answered(),
        ]
    };
    check(&chain(2), "fact_queue_waits", &columns, json!([[6, 60]]));
    let divided = json!([[null, 41], [6, 19]]);
    check(&chain(3), "fact_queue_waits", &columns, divided.clone());
    // From one department to another, where the change does not name the old one.
    let events = [waiting_in_department_5(), shows(40), told(41), answered()];
    let moved = json!([[5, 41], [6, 19]]);
    check(&events, "fact_queue_waits", &columns, moved);
    let changes = ["from_department_id", "to_department_id", "was_waiting"];
    let expected = json!([[5, 6, true]]);
    check(&events, "fact_department_changes", &changes, expected);
    // Since a flow's finish, also where nothing has shown the wait before its end.
    let quiet = |at: i64| {
        let (at, event_type, mut payload) = shows(at);
        payload["chat"]["situation"] = Value::Null;
        (at, event_type, payload)
    };
    for seen in [shows(40), quiet(40)] {
        let events = [
            flow(-20, "startedAutomationFlow"),
            flow(0, "finishedAutomationFlow"),
            seen,
            department(41, "wait_for_chat", Value::Null, json!(6)),
            answered(),
        ];
        check(&events, "fact_queue_waits", &columns, divided.clone());
    }
    // Told twice, it divides once.
    let in_5 = |(at, event_type, mut payload): (i64, &'static str, Value)| {
        payload["chat"]["department"] = json!(5);
        (at, event_type, payload)
    };
    let told = |at: i64, previous: Value| {
        let (at, event_type, mut payload) = department(at, "auto", previous, json!(6));
        payload["chat"]["situation"] = Value::Null;
        (at, event_type, payload)
    };
    let events = [
        in_5(flow(-20, "startedAutomationFlow")),
        in_5(flow(0, "finishedAutomationFlow")),
        told(40, json!(5)),
        told(41, Value::Null),
        answered(),
    ];
    let once = json!([[5, 40], [6, 20]]);
    check(&events, "fact_queue_waits", &columns, once);
}

#[test]
fn a_session_after_one_whose_events_are_gone_begins_in_its_department() {
    let mut input = ChainInput {
        company_id: Some(1),
        chat_id: CHAT,
        kept: Kept {
            sessions: 1,
            until: Some(at(100)),
            closed_at: Some(at(100)),
            department_id: Some(5),
            ..Kept::default()
        },
        ..ChainInput::default()
    };
    let (seconds, event_type, payload) = message(300, 1, "widget", "wait_for_chat");
    let id = EventId([1; 16]);
    input.push(id, event_type, at(seconds), &payload.to_string());
    let settings = Settings::default();
    let columns = ["session_no", "department_id", "entry_department_id"];
    let found = rows(
        &[derive(input, &settings)],
        &settings,
        "fact_chats",
        &columns,
    );
    assert_eq!(found, json!([[2, 5, 5]]));
}
