//! `fact_agent_status`: one row per stretch of time in which an agent's status was the same.

use chrono::NaiveDate;
use events::local_date;

use super::Fact;
use crate::agents::{Agent, Interval, intervals};
use crate::columns::{Column, Value, column};
use crate::settings::Settings;

pub(super) struct AgentStatuses;

pub(super) struct Row {
    interval: Interval,
    started_date: NaiveDate,
}

impl Row {
    fn duration_seconds(&self) -> Option<i64> {
        let lasted = self.interval.ended_at? - self.interval.opened_by.at;
        Some(lasted.num_seconds())
    }
}

impl Fact<Agent> for AgentStatuses {
    type Row = Row;
    const NAME: &'static str = "fact_agent_status";
    const DESCRIPTION: &'static str =
        "One row per stretch of time in which an agent's status (agente) was the same.";
    const DATE: &'static str = "started_date";
    const KEY: &'static str = "agent_id";

    fn columns(&self) -> Vec<Column<Row>> {
        vec![
            column(
                "company_id",
                "Company of the platform",
                Value::Long(|row| row.interval.opened_by.company_id),
            ),
            column(
                "agent_id",
                "Id of the agent (agente)",
                Value::Long(|row| Some(row.interval.agent_id)),
            ),
            column(
                "started_at",
                "When the agent's status changed to this",
                Value::Instant(|row| Some(row.interval.opened_by.at)),
            ),
            column(
                "ended_at",
                "When it changed to another; NULL while it lasts",
                Value::Instant(|row| row.interval.ended_at),
            ),
            column(
                "is_online",
                "Whether the agent was logged in; NULL where not told",
                Value::Flag(|row| row.interval.opened_by.status.is_online),
            ),
            column(
                "is_available",
                "Whether the agent took chats; NULL where not told",
                Value::Flag(|row| row.interval.opened_by.status.is_available),
            ),
            column(
                "is_active",
                "Whether the agent's account was active; NULL where not told",
                Value::Flag(|row| row.interval.opened_by.status.is_active),
            ),
            column(
                "status_id",
                "Status of the company's own list, for example a kind of pause; NULL for none",
                Value::Long(|row| row.interval.opened_by.status.status_id),
            ),
            column(
                "origin",
                "How the change came about, as sent, for example manually",
                Value::Text(|row| row.interval.opened_by.status.origin.as_deref()),
            ),
            column(
                "duration_seconds",
                "Seconds from started_at to ended_at; NULL while it lasts",
                Value::Long(Row::duration_seconds),
            ),
            column(
                "started_date",
                "Local date of started_at",
                Value::Date(|row| Some(row.started_date)),
            ),
        ]
    }

    fn rows(&self, agent: &Agent, settings: &Settings) -> Vec<Row> {
        let row = |interval: Interval| Row {
            started_date: local_date(interval.opened_by.at, settings.zone),
            interval,
        };
        intervals(agent).into_iter().map(row).collect()
    }
}
