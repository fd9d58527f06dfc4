//! What can go wrong with a query, by what the caller does next.

use std::io::{self, ErrorKind};

use lake::LakeError;

use crate::excerpt::{Place, SqlMistake};

#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The SQL cannot be run as written, or not over these values: correct it.
    #[error("{0}")]
    Sql(SqlMistake),

    /// The values given are not those that the query takes: correct the call.
    #[error("{0}")]
    Parameter(String),

    /// The query does not fit its memory: narrow it, or allow it more. With what else helps, if anything does.
    #[error(
        "the query needs more memory than it may use: {0}raise the limit (--memory, or the setting \
        query_memory_bytes), select fewer or shorter columns, or fewer rows"
    )]
    Memory(String),

    /// The lake cannot be opened or listed.
    #[error(transparent)]
    Lake(#[from] LakeError),

    /// A table was asked for where there are none: most likely the location is not the one that was meant.
    #[error(
        "the lake {0} holds no tables; correct its location, or fill it by `huggy-etl serve` or `huggy-etl import`"
    )]
    NoTables(String),

    /// A file that the lake's log names is not there.
    #[error(
        "the lake's file {0} is gone: it was lost, or replaced and then deleted by maintenance, which keeps such \
        files for `vacuum_after`; run the query again, at a newer version if --at was given, and `huggy-etl verify` \
        if it is still gone"
    )]
    FileGone(String),

    /// Reading failed under way; what was written so far is incomplete.
    #[error("the query failed: {0}")]
    Failed(String),

    /// The result could not be handed over.
    #[error("the result could not be written: {0}")]
    Output(#[from] io::Error),
}

impl QueryError {
    pub(crate) fn sql(message: impl Into<String>) -> QueryError {
        QueryError::Sql(SqlMistake::new(message))
    }

    /// A mistake without a place that says that the SQL ended too early is at its end.
    pub(crate) fn at_the_end_of(mut self, sql: &str) -> QueryError {
        if let QueryError::Sql(mistake) = &mut self
            && mistake.place.is_none()
            && mistake.message.ends_with("found: EOF")
            && let Some((line, text)) = (1..)
                .zip(sql.lines())
                .filter(|(_, text)| !text.trim().is_empty())
                .last()
        {
            mistake.place = Some(Place {
                line,
                column: text.trim_end().chars().count() + 1,
                width: 1,
            });
        }
        self
    }

    /// Whether the reader of the output went away, which is no failure of the query.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, QueryError::Output(error) if error.kind() == ErrorKind::BrokenPipe)
    }
}
