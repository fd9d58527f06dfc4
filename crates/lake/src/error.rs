//! What can go wrong with a lake, by what the caller does next.

use chrono::{DateTime, SecondsFormat, Utc};
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::TransactionError;

#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The location cannot be used as given: correct the setting.
    #[error("the lake's location {location:?} cannot be used: {reason}")]
    Location { location: String, reason: String },

    /// A disk's folder that is not there.
    #[error("the lake {lake} is gone: there is no such folder")]
    Gone { lake: String },

    /// The store refused or did not answer: try again later.
    #[error("the lake's storage failed while {doing}: {source}")]
    Storage {
        doing: String,
        source: object_store::Error,
    },

    /// Somebody else changed the table first: read it anew and decide again.
    #[error("table {table} was changed by another process meanwhile")]
    Conflict { table: String },

    /// Another process holds the lease: wait, or ask it to stop.
    #[error(
        "{what} is held by {holder} until {until}; it is released when that process ends its run, or expires then"
    )]
    Held {
        what: String,
        holder: String,
        until: String,
    },

    /// What is old cannot be told: set the clock.
    #[error(
        "the clock of this machine says {}, that of the lake's storage {}; nothing was done, since what is old enough to \
         go cannot be told: set the clock and run it again",
        ours.to_rfc3339_opts(SecondsFormat::Secs, true), stored.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    ClocksDiffer {
        ours: DateTime<Utc>,
        stored: DateTime<Utc>,
    },

    /// A defect: what was to be written is not what was read. Nothing was committed.
    #[error(
        "table {table}: {expected} rows were to be written anew, {read} were read and {written} written; nothing was \
         changed. Please report this"
    )]
    Miscounted {
        table: String,
        expected: u64,
        read: u64,
        written: u64,
    },

    #[error("table {table} does not exist in the lake {lake}")]
    NoSuchTable { table: String, lake: String },

    /// The table is there, but not as it was then.
    #[error("table {table} has no version {wanted}; {kept}")]
    NoSuchVersion {
        table: String,
        wanted: String,
        /// What there is instead.
        kept: String,
    },

    /// Anything else that Delta reports. After a commit this does not mean "not committed".
    #[error("table {table}: {source}")]
    Delta {
        table: String,
        source: Box<DeltaTableError>,
    },

    #[error("table {table}: reading failed: {source}")]
    Read {
        table: String,
        source: datafusion::error::DataFusionError,
    },
}

impl LakeError {
    pub(crate) fn storage(
        doing: impl Into<String>,
    ) -> impl FnOnce(object_store::Error) -> LakeError {
        let doing = doing.into();
        move |source| LakeError::Storage { doing, source }
    }

    pub(crate) fn delta(table: &str) -> impl FnOnce(DeltaTableError) -> LakeError {
        let table = table.to_owned();
        move |source| match source {
            DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: TransactionError::CommitConflict(_) | TransactionError::MaxCommitAttempts(_),
            } => LakeError::Conflict { table },
            DeltaTableError::ObjectStore { source } => LakeError::Storage {
                doing: format!("using table {table}"),
                source,
            },
            source => LakeError::Delta {
                table,
                source: Box::new(source),
            },
        }
    }

    pub(crate) fn read(
        table: &str,
    ) -> impl FnOnce(datafusion::error::DataFusionError) -> LakeError {
        let table = table.to_owned();
        move |source| LakeError::Read { table, source }
    }
}
