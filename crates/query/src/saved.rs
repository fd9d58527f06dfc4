//! The saved queries that the binary brings along: the files of `queries/`, by their names.

use crate::error::QueryError;
use crate::parameters::{Declaration, declarations, leading_comments};

macro_rules! saved {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../queries/", $name, ".sql")))),*]
    };
}

const SAVED: &[(&str, &str)] = saved!["chat_durations", "flow_outcomes", "wait_times"];

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
}
