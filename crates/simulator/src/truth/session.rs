//! The rows of one session: the chat itself, its waits, its agents, its replies, its changes of department.

use serde_json::{Map, Value, json};

use crate::cast::{Agent, COMPANY_ID, Cast, WORKFLOW_ID};
use crate::ledger::{Session, StepChange};
use crate::truth::{TruthRow, date, department, instant, key, object};

pub fn chat(cast: &Cast, session: &Session) -> TruthRow {
    let first_wait = session.waits.first();
    let mut row = object(json!({
        "company_id": COMPANY_ID,
        "state": session.state,
        "outcome": session.outcome,
        "direction": session.direction,
        "channel": cast.channel.kind,
        "contact_id": cast.contact.id,
        "contact_name": cast.contact.name,
        "department_id": department(session.department),
        "first_agent_id": session.segments.first().map(|segment| segment.agent.id()),
        "agent_id": session.segments.last().map(|segment| segment.agent.id()),
        "tabulation_id": session.tabulation.map(|tabulation| tabulation.id),
        "tabulation_name": session.tabulation.map(|tabulation| tabulation.name),
        "started_at": instant(session.started_at),
        "started_at_source": session.started_source,
        "started_date": date(session.started_at),
        "queue_entered_at": first_wait.and_then(|wait| wait.entered_at).map(instant),
        "queue_entered_source": first_wait.map(|wait| wait.entered_source),
        "first_agent_at": session.segments.first().map(|segment| instant(segment.started_at)),
        "closed_at": session.closed_at.map(instant),
        "closed_at_source": session.closed_at.map(|_| "closed_at"),
        "first_event_at": session.told.map(|(first, _)| instant(first)),
        "last_event_at": session.told.map(|(_, last)| instant(last)),
        "channel_id": session.shows_channel.then_some(cast.channel.id),
        "channel_name": session.shows_channel.then_some(cast.channel.name),
    }));
    let numbers = json!({
        "first_wait_seconds": session.first_wait_seconds(),
        "total_wait_seconds": session.total_wait_seconds(),
        "first_response_seconds": session.first_response_seconds(),
        "handle_seconds": session.handle_seconds(),
        "duration_seconds": session.closed_at.map(|closed_at| closed_at - session.started_at),
        "queue_episodes": session.waits.len(),
        "agent_segments": session.segments.len(),
        "transfers": session.transfers,
        "department_changes": session.department_changes.len(),
        "flow_runs": session.flow_runs,
        "contact_messages": session.contact_messages,
        "agent_messages": session.agent_messages,
        "bot_messages": session.bot_messages,
        "internal_messages": session.internal_messages,
        "event_count": session.events,
    });
    row.extend(object(numbers));
    chat_columns_of_some(session, &mut row);
    TruthRow {
        table: "fact_chats",
        key: key(cast, json!({ "session_no": session.no })),
        row,
    }
}

/// Columns that are certain in some sessions only.
fn chat_columns_of_some(session: &Session, row: &mut Map<String, Value>) {
    // Whether the desk's own first word is a response is for the rules to say.
    if session.direction == "inbound" {
        row.insert(
            "first_response_at".into(),
            json!(session.first_agent_message.map(instant)),
        );
    }
    // A department that came later may or may not count as that of the entry.
    if session.entry_department.is_some() || session.department_changes.is_empty() {
        row.insert(
            "entry_department_id".into(),
            department(session.entry_department),
        );
    }
    // A reopened chat keeps its place on the board; whether its session does is not said.
    if session.no == 1 {
        row.insert(
            "workflow_id".into(),
            json!(session.step.map(|_| WORKFLOW_ID)),
        );
        row.insert(
            "workflow_step_id".into(),
            json!(session.step.map(|step| step.id)),
        );
    }
}

pub fn waits(cast: &Cast, session: &Session, rows: &mut Vec<TruthRow>) {
    for (wait, episode_no) in session.waits.iter().zip(1..) {
        let left = wait.left.as_ref();
        let mut row = object(json!({
            "company_id": COMPANY_ID,
            "department_id": department(wait.department),
            "channel": cast.channel.kind,
            "entered_at": wait.entered_at.map(instant),
            "entered_source": wait.entered_source,
            "left_at": left.map(|left| instant(left.at)),
            "left_source": left.map(|left| left.source),
            "exit": left.map_or("open", |left| left.exit),
            "agent_id": left.and_then(|left| left.agent).map(Agent::id),
            "wait_seconds": wait.seconds(),
            "wait_business_seconds": null,
        }));
        if wait.entered_at.is_none() {
            row.insert(
                "entered_latest".into(),
                json!(left.map(|left| instant(left.at))),
            );
        }
        if let Some(at) = wait.entered_at.or(left.map(|left| left.at)) {
            row.insert("entered_date".into(), json!(date(at)));
        }
        rows.push(TruthRow {
            table: "fact_queue_waits",
            key: session_key(cast, session, json!({ "episode_no": episode_no })),
            row,
        });
    }
}

pub fn segments(cast: &Cast, session: &Session, rows: &mut Vec<TruthRow>) {
    for (segment, segment_no) in session.segments.iter().zip(1..) {
        let mut row = object(json!({
            "company_id": COMPANY_ID,
            "agent_id": segment.agent.id(),
            "channel": cast.channel.kind,
            "started_at": instant(segment.started_at),
            "started_date": date(segment.started_at),
            "end_reason": segment.end.map_or("open", |(_, reason)| reason),
            "handle_seconds": segment.seconds(),
            "ended_bounded": segment.ended_bounded,
        }));
        // An end before the start is known only to be no handling.
        if segment.end.is_none_or(|(at, _)| at >= segment.started_at) {
            row.insert(
                "ended_at".into(),
                json!(segment.end.map(|(at, _)| instant(at))),
            );
        }
        row.insert("department_id".into(), department(segment.department));
        rows.push(TruthRow {
            table: "fact_agent_segments",
            key: session_key(cast, session, json!({ "segment_no": segment_no })),
            row,
        });
    }
}

pub fn replies(cast: &Cast, session: &Session, rows: &mut Vec<TruthRow>) {
    for (reply, turn_no) in session.replies.iter().zip(1..) {
        let mut row = object(json!({
            "company_id": COMPANY_ID,
            "waiting_since": instant(reply.waiting_since),
            "waiting_date": date(reply.waiting_since),
            "replied_at": reply.answer.map(|(at, _, _)| instant(at)),
            "reply_seconds": reply.answer.map(|(at, _, _)| (at - reply.waiting_since).max(0)),
            "reply_business_seconds": null,
        }));
        if let Some((_, agent, answered_in)) = reply.answer {
            row.insert("agent_id".into(), json!(agent.id()));
            row.insert("department_id".into(), department(answered_in));
            row.insert("is_first".into(), json!(turn_no == 1));
        }
        rows.push(TruthRow {
            table: "fact_replies",
            key: session_key(cast, session, json!({ "turn_no": turn_no })),
            row,
        });
    }
}

pub fn department_changes(cast: &Cast, session: &Session, rows: &mut Vec<TruthRow>) {
    rows.extend(session.department_changes.iter().map(|change| TruthRow {
        table: "fact_department_changes",
        key: session_key(cast, session, json!({ "changed_at": instant(change.at) })),
        row: object(json!({
            "company_id": COMPANY_ID,
            "from_department_id": department(change.from),
            "to_department_id": department(change.to),
            "was_waiting": change.was_waiting,
            "changed_date": date(change.at),
        })),
    }));
}

pub fn step_changes(cast: &Cast, session: &Session, rows: &mut Vec<TruthRow>) {
    let mut before: Option<&StepChange> = None;
    for change in &session.step_changes {
        rows.push(TruthRow {
            table: "fact_workflow_changes",
            key: session_key(cast, session, json!({ "changed_at": instant(change.at) })),
            row: object(json!({
                "company_id": COMPANY_ID,
                "agent_id": change.agent.id(),
                "workflow_id": WORKFLOW_ID,
                "from_step_id": change.from.map(|step| step.id),
                "to_step_id": change.to.id,
                "seconds_in_previous_step": before.map(|before| change.at - before.at),
                "changed_date": date(change.at),
            })),
        });
        before = Some(change);
    }
}

fn session_key(cast: &Cast, session: &Session, rest: Value) -> Map<String, Value> {
    let mut key = key(cast, json!({ "session_no": session.no }));
    key.extend(object(rest));
    key
}
