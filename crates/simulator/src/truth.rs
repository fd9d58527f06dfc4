//! The ledger of each chat, and the days of the agents, as rows of the lake's tables. A column is left out of a row where the script does not know it for
//! certain; NULL is said only where NULL is the answer.

mod agents;
mod session;

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Options;
use crate::cast::{BOT_ID, BOT_NAME, COMPANY_ID, Cast, Department};
use crate::clock::local;
use crate::event::{Answer, Author};
use crate::ledger::{Ledger, Run, Sent};
use crate::scenarios;
use crate::script::Script;
use crate::world::World;

/// One row that a fact table must have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TruthRow {
    pub table: &'static str,
    pub key: Map<String, Value>,
    /// The other columns that are certain.
    pub row: Map<String, Value>,
}

impl TruthRow {
    /// The row as one line of JSON, without a line feed.
    pub fn to_ndjson(&self) -> String {
        serde_json::to_string(self).expect("maps of plain values are always JSON")
    }
}

pub fn rows(options: &Options) -> impl Iterator<Item = TruthRow> + use<> {
    let world = World::new(options);
    let statuses = agents::statuses(&world);
    let mut met = HashSet::new();
    let chats = (0..options.chats).flat_map(move |chat| {
        let mut script = Script::new(&world, chat);
        scenarios::play(&mut script);
        let mut rows = rows_of_chat(&script.cast, &script.ledger);
        if met.insert(script.cast.contact.id) {
            rows.push(contact(&script.cast));
        }
        rows
    });
    chats.chain(statuses)
}

/// A contact looks the same in every chat.
fn contact(cast: &Cast) -> TruthRow {
    let contact = &cast.contact;
    TruthRow {
        table: "dim_contacts",
        key: object(json!({ "contact_id": contact.id })),
        row: object(json!({
            "company_id": COMPANY_ID,
            "name": contact.name,
            "mobile": contact.mobile,
            "phone": null,
            "email": contact.email,
            "custom_fields": null,
            "groups": null,
        })),
    }
}

fn rows_of_chat(cast: &Cast, ledger: &Ledger) -> Vec<TruthRow> {
    let mut rows = Vec::with_capacity(16);
    for session in &ledger.sessions {
        rows.push(session::chat(cast, session));
        session::waits(cast, session, &mut rows);
        session::segments(cast, session, &mut rows);
        session::replies(cast, session, &mut rows);
        session::department_changes(cast, session, &mut rows);
        session::step_changes(cast, session, &mut rows);
    }
    rows.extend(
        ledger
            .runs
            .iter()
            .zip(1..)
            .map(|(run, no)| flow_run(cast, run, no)),
    );
    rows.extend(ledger.messages.iter().map(|sent| message(cast, sent)));
    rows
}

fn flow_run(cast: &Cast, run: &Run, run_no: u32) -> TruthRow {
    // Start and finish in one delivery share its time, which measures nothing.
    let duration = run
        .finished_at
        .filter(|at| *at != run.started_at)
        .map(|at| at - run.started_at);
    let mut row = object(json!({
        "company_id": COMPANY_ID,
        "session_no": run.session,
        "flow_id": run.flow.id,
        "flow_token": run.token.text(),
        "role": run.role,
        "started_at": instant(run.started_at),
        "started_date": date(run.started_at),
        "finished_at": run.finished_at.map(instant),
        "outcome": run.outcome,
        "duration_seconds": duration,
    }));
    if !run.answers.is_empty() {
        row.insert("answers".into(), json!(answers(run)));
    }
    TruthRow {
        table: "fact_flow_runs",
        key: key(cast, json!({ "run_no": run_no })),
        row,
    }
}

/// Compact JSON with sorted keys: a `Map` keeps its keys sorted only without serde_json's `preserve_order`, so they are sorted here.
fn answers(run: &Run) -> String {
    let mut answers: Vec<_> = run.answers.to_vec();
    answers.sort_by_key(|(key, _)| *key);
    let fields: Map<String, Value> = answers
        .into_iter()
        .map(|(key, answer)| {
            let value = match answer {
                Answer::Text(text) => json!(text),
                Answer::Number(number) => json!(number),
                Answer::Nothing => Value::Null,
            };
            (key.to_string(), value)
        })
        .collect();
    Value::Object(fields).to_string()
}

fn message(cast: &Cast, sent: &Sent) -> TruthRow {
    let message = &sent.message;
    let (role, sender_id, sender_name) = match message.author {
        Author::Contact => ("contact", cast.contact.id, cast.contact.name.clone()),
        Author::Agent(agent) => ("agent", agent.id(), agent.name()),
        Author::Bot => ("bot", BOT_ID, BOT_NAME.to_string()),
    };
    let row = object(json!({
        "company_id": COMPANY_ID,
        "chat_id": cast.chat_id,
        "session_no": sent.session,
        "role": role,
        "is_internal": message.is_internal,
        "is_email": cast.channel.kind == "email",
        "sender_id": sender_id,
        "sender_name": sender_name,
        "channel": cast.channel.kind,
        "department_id": department(sent.department),
        "sent_at": instant(message.sent_at),
        "sent_at_raw": crate::clock::local_text(message.sent_at),
        "sent_at_source": "send_at",
        "body": message.text.body(),
        "file": message.has_file.then(|| crate::shapes::file_url(message.id)),
        "sent_date": date(message.sent_at),
    }));
    TruthRow {
        table: "fact_messages",
        key: object(json!({ "message_id": message.id })),
        row,
    }
}

fn key(cast: &Cast, rest: Value) -> Map<String, Value> {
    let mut key = object(json!({ "chat_id": cast.chat_id }));
    key.extend(object(rest));
    key
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn department(department: Option<&Department>) -> Value {
    json!(department.map(|department| department.id))
}

fn instant(at: i64) -> String {
    DateTime::from_timestamp(at, 0)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn date(at: i64) -> String {
    local(at).date().to_string()
}
