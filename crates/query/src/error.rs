//! What can go wrong with a query, by what the caller does next.

use std::io::{self, ErrorKind};

use lake::LakeError;

#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The SQL cannot be run as written, or not over these values: correct it.
    #[error("{0}")]
    Sql(String),

    /// The values given are not those that the query takes: correct the call.
    #[error("{0}")]
    Parameter(String),

    /// The query does not fit its memory: narrow it, or allow it more.
    #[error("the query needs more memory than it may use; narrow it or raise the limit: {0}")]
    Memory(String),

    /// The lake cannot be opened or listed.
    #[error(transparent)]
    Lake(#[from] LakeError),

    /// Reading failed under way; what was written so far is incomplete.
    #[error("the query failed: {0}")]
    Failed(String),

    /// The result could not be handed over.
    #[error("the result could not be written: {0}")]
    Output(#[from] io::Error),
}

impl QueryError {
    /// Whether the reader of the output went away, which is no failure of the query.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, QueryError::Output(error) if error.kind() == ErrorKind::BrokenPipe)
    }
}
