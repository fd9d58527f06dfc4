//! `fact_replies`: one row per customer turn that an agent had to answer.

use chrono::NaiveDate;
use events::local_date;

use super::Fact;
use super::key::{Key, Keyed, key_columns};
use super::waits::business_seconds;
use crate::chain::{Chat, Turn};
use crate::columns::{Column, Value, column};
use crate::settings::Settings;

pub(super) struct Replies;

pub(super) struct Row {
    key: Key,
    turn_no: i32,
    turn: Turn,
    reply_business_seconds: Option<i64>,
    waiting_date: NaiveDate,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Row {
    fn reply_seconds(&self) -> Option<i64> {
        Some(
            (self.turn.replied_at? - self.turn.waiting_since)
                .num_seconds()
                .max(0),
        )
    }
}

impl Fact for Replies {
    type Row = Row;
    const NAME: &'static str = "fact_replies";
    const DESCRIPTION: &'static str =
        "One row per turn of the contact that an agent had to answer.";
    const DATE: &'static str = "waiting_date";

    fn columns(&self) -> Vec<Column<Row>> {
        key_columns(vec![
            column(
                "turn_no",
                "Turn within the session, from 1",
                Value::Int(|row| Some(row.turn_no)),
            ),
            column(
                "waiting_since",
                "First unanswered message of the contact once a human was due",
                Value::Instant(|row| Some(row.turn.waiting_since)),
            ),
            column(
                "replied_at",
                "The next message of an agent to the contact; NULL if none came",
                Value::Instant(|row| row.turn.replied_at),
            ),
            column(
                "agent_id",
                "Agent (agente) who replied",
                Value::Long(|row| row.turn.agent_id),
            ),
            column(
                "department_id",
                "Department (departamento) as of the reply; NULL for none",
                Value::Long(|row| row.turn.department_id),
            ),
            column(
                "is_first",
                "Whether it is the session's first turn",
                Value::Flag(|row| Some(row.turn_no == 1)),
            ),
            column(
                "reply_seconds",
                "Seconds from waiting_since to replied_at (tempo de resposta); NULL if unanswered",
                Value::Long(Row::reply_seconds),
            ),
            column(
                "reply_business_seconds",
                "Those of reply_seconds within the department's business hours; NULL without a calendar",
                Value::Long(|row| row.reply_business_seconds),
            ),
            column(
                "waiting_date",
                "Local date of waiting_since",
                Value::Date(|row| Some(row.waiting_date)),
            ),
        ])
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        let mut rows = Vec::new();
        for session in &chat.sessions {
            rows.extend(session.turns.iter().zip(1..).map(|(turn, turn_no)| Row {
                key: Key::new(chat, session.no),
                turn_no,
                turn: turn.clone(),
                reply_business_seconds: business_seconds(
                    Some(turn.waiting_since),
                    turn.replied_at,
                    turn.department_id,
                    settings,
                ),
                waiting_date: local_date(turn.waiting_since, settings.zone),
            }));
        }
        rows
    }
}
