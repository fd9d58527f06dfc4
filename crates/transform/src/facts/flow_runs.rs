//! `fact_flow_runs`: one row per run of a flow.

use chrono::{DateTime, NaiveDate, Utc};
use events::{Flow, Kind, Role, local_date};

use super::Fact;
use super::chats::FLOW_FINISHES;
use super::key::{Key, Keyed, key_columns};
use crate::chain::{ChainEvent, Chat, Place, Run, Session};
use crate::columns::{Column, Value, column};
use crate::settings::{AGENTS, Settings};

pub(super) struct FlowRuns;

pub(super) struct Row {
    key: Key,
    run_no: i32,
    flow_id: Option<i64>,
    flow_token: Option<String>,
    role: &'static str,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    outcome: Option<&'static str>,
    duration_seconds: Option<i64>,
    answers: Option<String>,
    started_date: NaiveDate,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Fact for FlowRuns {
    type Row = Row;
    const NAME: &'static str = "fact_flow_runs";
    const DESCRIPTION: &'static str = "One row per run of a flow (fluxo) in a chat.";
    const DATE: &'static str = "started_date";

    fn columns(&self) -> Vec<Column<Row>> {
        key_columns(vec![
            column(
                "run_no",
                "Run within the chat, from 1",
                Value::Int(|row| Some(row.run_no)),
            ),
            column(
                "flow_id",
                "Id of the flow (fluxo)",
                Value::Long(|row| row.flow_id),
            ),
            column(
                "flow_token",
                "Token of the flow as sent; not unique to a run",
                Value::Text(|row| row.flow_token.as_deref()),
            ),
            column(
                "role",
                "entry: before any queue or agent; exit: the last run of a closed session, with no human after it; else mid",
                Value::Text(|row| Some(row.role)),
            ),
            column(
                "started_at",
                "When the run started",
                Value::Instant(|row| Some(row.started_at)),
            ),
            column(
                "finished_at",
                "When it finished; NULL if it did not",
                Value::Instant(|row| row.finished_at),
            ),
            column(
                "outcome",
                "open, contained (retenção), handed_off (transbordo), interrupted, dropped, completed; NULL where the events that tell are not subscribed",
                Value::Text(|row| row.outcome),
            ),
            column(
                "duration_seconds",
                "Seconds from started_at to finished_at; NULL if unfinished, or if both came in one dispatch",
                Value::Long(|row| row.duration_seconds),
            ),
            column(
                "answers",
                "What the flow asked and was told, JSON object with sorted keys; NULL if nothing",
                Value::Text(|row| row.answers.as_deref()),
            ),
            column(
                "started_date",
                "Local date of started_at",
                Value::Date(|row| Some(row.started_date)),
            ),
        ])
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        let runs = chat
            .sessions
            .iter()
            .flat_map(|session| session.walked.runs.iter().map(move |run| (session, run)));
        runs.zip(chat.runs_before + 1..)
            .map(|((session, run), run_no)| row(chat, session, run, run_no, settings))
            .collect()
    }
}

fn row(chat: &Chat, session: &Session, run: &Run, run_no: i32, settings: &Settings) -> Row {
    let start = &session.events[run.start];
    let event = |place: Place| &chat.sessions[place.session].events[place.index];
    let finish = run.finish.map(event);
    let answers = |flow: Option<&Flow>| flow.and_then(Flow::answers);
    let duration = |finish: &crate::chain::ChainEvent| {
        let one_dispatch = finish.delivered_at == start.delivered_at;
        (!one_dispatch).then(|| (finish.at - start.at).num_seconds().max(0))
    };
    let role = role(session, run);
    Row {
        key: Key::new(chat, session.no),
        run_no,
        flow_id: start.event.flow().and_then(|flow| flow.flow_id),
        flow_token: start.event.flow().and_then(|flow| flow.flow_token.clone()),
        role,
        started_at: start.at,
        finished_at: finish.map(|finish| finish.at),
        outcome: known_outcome(session, run, role, settings),
        duration_seconds: finish.and_then(duration),
        answers: finish
            .and_then(|finish| answers(finish.event.flow()))
            .or_else(|| answers(start.event.flow())),
        started_date: local_date(start.at, settings.zone),
    }
}

fn role(session: &Session, run: &Run) -> &'static str {
    if run.is_entry {
        return "entry";
    }
    let is_last = session
        .walked
        .runs
        .last()
        .is_some_and(|last| last.start == run.start);
    // After the close no human comes.
    let human_after = is_followed(session, run, |event| {
        event.is_from(Role::Agent) || event.kind() == Kind::AgentEntered || event.shows_waiting()
    });
    if session.close.is_some() && is_last && !human_after {
        "exit"
    } else {
        "mid"
    }
}

/// Whether such an event comes after the run's start, in the order in which the walk took them.
fn is_followed(session: &Session, run: &Run, by: impl Fn(&ChainEvent) -> bool) -> bool {
    let steps = session.walked.steps.iter().skip(run.started.step + 1);
    steps.map(|step| &session.events[step.index]).any(by)
}

/// Without the finish of flows no run is known to be unfinished, and without any event that shows agents none
/// to have ended without one.
fn known_outcome(
    session: &Session,
    run: &Run,
    role: &str,
    settings: &Settings,
) -> Option<&'static str> {
    if run.finish.is_none() && !settings.expects(&FLOW_FINISHES) {
        return None;
    }
    let outcome = outcome(session, run, role);
    let is_without_agent = matches!(outcome, "contained" | "dropped");
    (!is_without_agent || settings.expects(&AGENTS)).then_some(outcome)
}

fn outcome(session: &Session, run: &Run, role: &str) -> &'static str {
    let walked = &session.walked;
    let human_after = |step: usize| {
        walked
            .episodes
            .iter()
            .any(|episode| episode.seen.step > step)
            || walked
                .segments
                .iter()
                .any(|segment| segment.started.step > step)
    };
    // Who was in before it, and took the chat back.
    let agent_wrote_after = || is_followed(session, run, |event| event.is_from(Role::Agent));
    let closed = session.close.is_some();
    match run.finish {
        Some(_) if role == "entry" => {
            // Also where the finish is told late: a human was never before an entry run.
            if human_after(run.started.step) {
                "handed_off"
            } else if closed {
                "contained"
            } else {
                "open"
            }
        }
        Some(_) => "completed",
        None if human_after(run.started.step) || agent_wrote_after() => "interrupted",
        None if closed => "dropped",
        None => "open",
    }
}
