//! `fact_queue_waits`: one row per queue episode and department.

use chrono::NaiveDate;
use events::local_date;

use super::Fact;
use super::chats::channel_of;
use super::key::{Key, Keyed, key_columns};
use super::waits::episode_business_seconds;
use crate::chain::{Chat, Episode};
use crate::columns::{Column, Value, column};
use crate::settings::Settings;

pub(super) struct QueueWaits;

pub(super) struct Row {
    key: Key,
    episode_no: i32,
    episode: Episode,
    channel: Option<String>,
    wait_business_seconds: Option<i64>,
    entered_date: Option<NaiveDate>,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Fact for QueueWaits {
    type Row = Row;
    const NAME: &'static str = "fact_queue_waits";
    const DESCRIPTION: &'static str =
        "One row per stay of a chat in the queue (fila) of one department.";
    const DATE: &'static str = "entered_date";

    fn columns(&self) -> Vec<Column<Row>> {
        key_columns(vec![
            column(
                "episode_no",
                "Stay in the queue within the session, from 1",
                Value::Int(|row| Some(row.episode_no)),
            ),
            column(
                "department_id",
                "Department (departamento) whose queue it was, as last known by its end; NULL for none",
                Value::Long(|row| row.episode.department_id),
            ),
            column(
                "channel",
                "Channel (canal) of the chat",
                Value::Text(|row| row.channel.as_deref()),
            ),
            column(
                "entered_at",
                "When the chat entered the queue; NULL where nothing tells",
                Value::Instant(|row| row.episode.entered_at),
            ),
            column(
                "entered_source",
                "How that is known: situation_seen, flow_finished, requeue_seen, department_changed, bounded",
                Value::Text(|row| Some(row.episode.entered_source.as_str())),
            ),
            column(
                "entered_earliest",
                "The entry was not before this: the last instant the chat was known not to wait",
                Value::Instant(|row| row.episode.entered_earliest),
            ),
            column(
                "entered_latest",
                "The entry was not after this",
                Value::Instant(|row| row.episode.entered_latest),
            ),
            column(
                "left_at",
                "When the chat left the queue; NULL while open, or where nothing tells",
                Value::Instant(|row| row.episode.left_at),
            ),
            column(
                "left_source",
                "What ended it: leftQueue, agentEntered, closedChat, updatedChatDepartment, situation_seen",
                Value::Text(|row| row.episode.left_source.map(|source| source.as_str())),
            ),
            column(
                "exit",
                "How it ended: answered, abandoned, short_abandoned, department_changed, open; NULL if closed, and no event that shows agents is subscribed",
                Value::Text(|row| row.episode.exit.as_str()),
            ),
            column(
                "agent_id",
                "Agent (agente) who took the chat",
                Value::Long(|row| row.episode.agent_id),
            ),
            column(
                "wait_seconds",
                "Seconds from entered_at to left_at (tempo de espera); NULL while open or where an end is unknown",
                Value::Long(|row| row.episode.wait_seconds()),
            ),
            column(
                "wait_business_seconds",
                "Those of wait_seconds within the department's business hours; NULL without a calendar",
                Value::Long(|row| row.wait_business_seconds),
            ),
            column(
                "entered_date",
                "Local date of entered_at, else of left_at, else of the first sight of the wait",
                Value::Date(|row| row.entered_date),
            ),
        ])
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        let mut rows = Vec::new();
        for session in &chat.sessions {
            let channel = channel_of(session);
            for (episode, episode_no) in session.walked.episodes.iter().zip(1..) {
                let dated = episode
                    .entered_at
                    .or(episode.left_at)
                    .unwrap_or(episode.seen.at);
                rows.push(Row {
                    key: Key::new(chat, session.no),
                    episode_no,
                    episode: episode.clone(),
                    channel: channel.clone(),
                    wait_business_seconds: episode_business_seconds(episode, settings),
                    entered_date: Some(local_date(dated, settings.zone)),
                });
            }
        }
        rows
    }
}
