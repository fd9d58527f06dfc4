//! `fact_workflow_changes`: one row per move of a chat to another step of a workflow.

use chrono::{DateTime, NaiveDate, Utc};
use events::local_date;

use super::Fact;
use super::key::{Key, Keyed, key_columns};
use crate::chain::{Chat, Session, WorkflowChange};
use crate::columns::{Column, Value, column};
use crate::settings::Settings;

pub(super) struct WorkflowChanges;

pub(super) struct Row {
    key: Key,
    change: WorkflowChange,
    seconds_in_previous_step: Option<i64>,
    changed_date: NaiveDate,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Fact for WorkflowChanges {
    type Row = Row;
    const NAME: &'static str = "fact_workflow_changes";
    const DESCRIPTION: &'static str = "One row per move of a chat to another step of a workflow.";
    const DATE: &'static str = "changed_date";

    fn columns(&self) -> Vec<Column<Row>> {
        key_columns(vec![
            column(
                "changed_at",
                "When the step changed",
                Value::Instant(|row| Some(row.change.at)),
            ),
            column(
                "agent_id",
                "Agent (agente) who moved the chat",
                Value::Long(|row| row.change.agent_id),
            ),
            column(
                "workflow_id",
                "Id of the workflow",
                Value::Long(|row| row.change.workflow_id),
            ),
            column(
                "from_step_id",
                "Step the chat was in before",
                Value::Long(|row| row.change.from_step_id),
            ),
            column(
                "to_step_id",
                "Step the chat is in after",
                Value::Long(|row| row.change.to_step_id),
            ),
            column(
                "seconds_in_previous_step",
                "Seconds since the move into from_step_id; NULL where that was not seen",
                Value::Long(|row| row.seconds_in_previous_step),
            ),
            column(
                "changed_date",
                "Local date of changed_at",
                Value::Date(|row| Some(row.changed_date)),
            ),
        ])
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        let mut rows = Vec::new();
        for session in &chat.sessions {
            for (index, change) in session.walked.workflow_changes.iter().enumerate() {
                rows.push(Row {
                    key: Key::new(chat, session.no),
                    change: change.clone(),
                    seconds_in_previous_step: entered(session, index)
                        .map(|at| (change.at - at).num_seconds().max(0)),
                    changed_date: local_date(change.at, settings.zone),
                });
            }
        }
        rows
    }
}

/// When the chat had come into the step that the change leaves.
fn entered(session: &Session, index: usize) -> Option<DateTime<Utc>> {
    let changes = &session.walked.workflow_changes;
    let before = changes[..index].last()?;
    (before.to_step_id == changes[index].from_step_id).then_some(before.at)
}
