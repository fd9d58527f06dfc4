//! The saved queries that the binary brings along: the files of `queries/`, by their names.

use datafusion::config::ConfigOptions;

use crate::error::QueryError;
use crate::parameters::{Declaration, declarations, leading_comments};
use crate::syntax::parse;

macro_rules! saved {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../queries/", $name, ".sql")))),*]
    };
}

const SAVED: &[(&str, &str)] = saved![
    "abandonment",
    "agent_availability",
    "agent_occupancy",
    "chat_durations",
    "chats_per_available_hour",
    "closing_reasons",
    "contacts_new_and_returning",
    "data_trust",
    "first_response",
    "flow_completion",
    "flow_outcomes",
    "handle_times",
    "inbound_and_outbound",
    "queue_length",
    "reopens_and_repeats",
    "reply_times",
    "requeues",
    "service_level",
    "sessions_by_day",
    "sessions_by_hour",
    "targets_missed",
    "transfers",
    "unanswered_now",
    "wait_times",
    "waits_outside_hours",
];

/// A query that opens with the question it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedQuery {
    pub name: String,
    pub sql: String,
}

impl SavedQuery {
    /// The queries of the binary, by name.
    pub fn all() -> Vec<SavedQuery> {
        let query = |(name, sql): &(&str, &str)| SavedQuery {
            name: (*name).to_owned(),
            sql: (*sql).to_owned(),
        };
        SAVED.iter().map(query).collect()
    }

    /// Its first comment line.
    pub fn question(&self) -> &str {
        leading_comments(&self.sql)
            .map(|(_, line)| line)
            .next()
            .unwrap_or_default()
    }

    /// What it declares.
    ///
    /// # Errors
    /// [`QueryError::Sql`] if a declaration cannot be read.
    pub fn parameters(&self) -> Result<Vec<Declaration>, QueryError> {
        declarations(&self.sql)
    }

    /// Whether it is SQL at all, over whatever lake.
    ///
    /// # Errors
    /// [`QueryError::Sql`].
    pub fn check(&self) -> Result<(), QueryError> {
        let limit = ConfigOptions::default().sql_parser.recursion_limit.get();
        parse(&self.sql, limit).map(drop)
    }
}
