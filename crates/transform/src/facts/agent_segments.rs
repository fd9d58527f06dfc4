//! `fact_agent_segments`: one row per stretch of a session with one agent.

use chrono::NaiveDate;
use events::local_date;

use super::Fact;
use super::chats::channel_of;
use super::key::{Key, Keyed, key_columns};
use crate::chain::{Chat, Segment};
use crate::columns::{Column, Value, column};
use crate::settings::Settings;

pub(super) struct AgentSegments;

pub(super) struct Row {
    key: Key,
    segment_no: i32,
    segment: Segment,
    channel: Option<String>,
    started_date: NaiveDate,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Fact for AgentSegments {
    type Row = Row;
    const NAME: &'static str = "fact_agent_segments";
    const DESCRIPTION: &'static str =
        "One row per stretch of a chat session with one agent (agente).";
    const DATE: &'static str = "started_date";

    fn columns(&self) -> Vec<Column<Row>> {
        key_columns(vec![
            column(
                "segment_no",
                "Segment within the session, from 1",
                Value::Int(|row| Some(row.segment_no)),
            ),
            column(
                "agent_id",
                "Agent (agente) in the chat",
                Value::Long(|row| row.segment.agent_id),
            ),
            column(
                "department_id",
                "Department (departamento) in which it began; NULL for none, or none known",
                Value::Long(|row| row.segment.department_id),
            ),
            column(
                "channel",
                "Channel (canal) of the chat",
                Value::Text(|row| row.channel.as_deref()),
            ),
            column(
                "started_at",
                "When the agent came in",
                Value::Instant(|row| Some(row.segment.started.at)),
            ),
            column(
                "ended_at",
                "When the agent's part ended; NULL while open",
                Value::Instant(|row| row.segment.ended_at),
            ),
            column(
                "end_reason",
                "Why: closed, transferred, requeued, open",
                Value::Text(|row| Some(row.segment.end_reason.as_str())),
            ),
            column(
                "handle_seconds",
                "Seconds from started_at to ended_at (tempo de atendimento); NULL while open",
                Value::Long(|row| row.segment.handle_seconds()),
            ),
            column(
                "ended_bounded",
                "Whether ended_at is only the latest it can have been",
                Value::Flag(|row| Some(row.segment.ended_bounded)),
            ),
            column(
                "started_date",
                "Local date of started_at",
                Value::Date(|row| Some(row.started_date)),
            ),
        ])
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        let mut rows = Vec::new();
        for session in &chat.sessions {
            let channel = channel_of(session);
            rows.extend(
                session
                    .walked
                    .segments
                    .iter()
                    .zip(1..)
                    .map(|(segment, segment_no)| Row {
                        key: Key::new(chat, session.no),
                        segment_no,
                        segment: segment.clone(),
                        channel: channel.clone(),
                        started_date: local_date(segment.started.at, settings.zone),
                    }),
            );
        }
        rows
    }
}
