//! `fact_messages`: one row per message id.

use chrono::{DateTime, NaiveDate, Utc};
use events::{Message, Role, local_date};

use super::Fact;
use super::chats::channel_of;
use super::key::{Key, Keyed, key_columns};
use crate::chain::{ChainEvent, Chat, Session};
use crate::columns::{Column, Value, column};
use crate::settings::Settings;

pub(super) struct Messages;

pub(super) struct Row {
    key: Key,
    message_id: i64,
    message: Message,
    channel: Option<String>,
    department_id: Option<i64>,
    sent_at: DateTime<Utc>,
    sent_at_source: &'static str,
    sent_date: NaiveDate,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Fact for Messages {
    type Row = Row;
    const NAME: &'static str = "fact_messages";
    const DESCRIPTION: &'static str = "One row per message of a chat, notes among agents included.";
    const DATE: &'static str = "sent_date";

    fn columns(&self) -> Vec<Column<Row>> {
        key_columns(vec![
            column(
                "message_id",
                "Message; one row each, through however many events it came",
                Value::Long(|row| Some(row.message_id)),
            ),
            column(
                "role",
                "Who wrote it: contact, agent, bot",
                Value::Text(|row| Some(role(&row.message))),
            ),
            column(
                "is_internal",
                "Whether it is a note among agents, unseen by the contact",
                Value::Flag(|row| Some(row.message.is_internal)),
            ),
            column(
                "is_email",
                "Whether it went by e-mail; NULL where not told",
                Value::Flag(|row| row.message.is_email),
            ),
            column(
                "sender_id",
                "Agent, bot or contact who wrote it",
                Value::Long(|row| row.message.sender.id),
            ),
            column(
                "sender_name",
                "Name of who wrote it",
                Value::Text(|row| row.message.sender.name.as_deref()),
            ),
            column(
                "channel",
                "Channel (canal) of the chat, not the message's own",
                Value::Text(|row| row.channel.as_deref()),
            ),
            column(
                "department_id",
                "Department (departamento) of the chat when it was sent; NULL for none",
                Value::Long(|row| row.department_id),
            ),
            column(
                "sent_at",
                "When it was sent",
                Value::Instant(|row| Some(row.sent_at)),
            ),
            column(
                "sent_at_raw",
                "send_at as sent, local time without offset",
                Value::Text(|row| row.message.send_at.as_deref()),
            ),
            column(
                "sent_at_source",
                "Where sent_at comes from: send_at, else the envelope's time",
                Value::Text(|row| Some(row.sent_at_source)),
            ),
            column(
                "body",
                "Text of the message, as written",
                Value::Text(|row| row.message.body.as_deref()),
            ),
            column(
                "file",
                "Link of the file sent with it",
                Value::Text(|row| row.message.file.as_deref()),
            ),
            column(
                "sent_date",
                "Local date of sent_at",
                Value::Date(|row| Some(row.sent_date)),
            ),
        ])
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        chat.sessions
            .iter()
            .flat_map(|session| session_rows(chat, session, settings))
            .collect()
    }
}

fn session_rows(chat: &Chat, session: &Session, settings: &Settings) -> Vec<Row> {
    let channel = channel_of(session);
    let mut departments: Vec<Option<i64>> =
        vec![session.walked.department_id; session.events.len()];
    for step in &session.walked.steps {
        departments[step.index] = step.department_id;
    }
    let row = |(event, department_id): (&ChainEvent, Option<i64>)| {
        let message = event.event.message()?;
        Some(Row {
            key: Key::new(chat, session.no),
            message_id: message.id?,
            message: message.clone(),
            channel: event.event.channel.clone().or_else(|| channel.clone()),
            department_id,
            sent_at: event.occurred_at,
            sent_at_source: event.occurred_at_source.as_str(),
            sent_date: local_date(event.occurred_at, settings.zone),
        })
    };
    session
        .events
        .iter()
        .zip(departments)
        .filter_map(row)
        .collect()
}

fn role(message: &Message) -> &'static str {
    match message.role() {
        Role::Contact => "contact",
        Role::Agent => "agent",
        Role::Bot => "bot",
    }
}
