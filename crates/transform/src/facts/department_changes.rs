//! `fact_department_changes`: one row per change of a chat's department.

use chrono::NaiveDate;
use events::local_date;

use super::Fact;
use super::key::{Key, Keyed, key_columns};
use crate::chain::{Chat, DepartmentChange};
use crate::columns::{Column, Value, column};
use crate::settings::Settings;

pub(super) struct DepartmentChanges;

pub(super) struct Row {
    key: Key,
    change: DepartmentChange,
    changed_date: NaiveDate,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Fact for DepartmentChanges {
    type Row = Row;
    const NAME: &'static str = "fact_department_changes";
    const DESCRIPTION: &'static str = "One row per change of a chat's department (departamento).";
    const DATE: &'static str = "changed_date";

    fn columns(&self) -> Vec<Column<Row>> {
        key_columns(vec![
            column(
                "changed_at",
                "When the department changed",
                Value::Instant(|row| Some(row.change.at)),
            ),
            column(
                "from_department_id",
                "Department before; NULL for none or unknown",
                Value::Long(|row| row.change.from),
            ),
            column(
                "to_department_id",
                "Department after; NULL for none",
                Value::Long(|row| row.change.to),
            ),
            column(
                "was_waiting",
                "Whether the chat was in the queue",
                Value::Flag(|row| Some(row.change.was_waiting)),
            ),
            column(
                "changed_date",
                "Local date of changed_at",
                Value::Date(|row| Some(row.changed_date)),
            ),
        ])
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        let changes = |session: &crate::chain::Session| session.walked.department_changes.clone();
        let rows = chat.sessions.iter().flat_map(|session| {
            changes(session)
                .into_iter()
                .map(|change| (session.no, change))
        });
        rows.map(|(session_no, change)| Row {
            key: Key::new(chat, session_no),
            changed_date: local_date(change.at, settings.zone),
            change,
        })
        .collect()
    }
}
