//! Rows that are too old: whole partitions of a table that is appended to are removed. What begins the rows that are
//! kept is written into the log, so that a removed date which comes in again is known to be one.

use deltalake::kernel::Action;
use deltalake::protocol::DeltaOperation;

use chrono::Utc;

use super::compaction::{FENCE, FEWER_ROWS};
use super::plan::StoredFile;
use crate::error::LakeError;
use crate::table::{APPEND_RETRIES, Table};

impl Table {
    /// The files of partitions before `first`.
    pub(crate) fn expired(&self, first: &str) -> Result<Vec<StoredFile>, LakeError> {
        let mut files = self.stored_files()?;
        files.retain(|file| file.partition.as_deref().is_some_and(|it| it < first));
        Ok(files)
    }

    /// Removes those files.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] if somebody else has removed files since.
    pub(crate) async fn remove_expired(&mut self, first: &str) -> Result<(), LakeError> {
        let files = self.files()?.into_iter().filter(|file| {
            let partition = file.partition_values_map().into_values().flatten().next();
            partition.is_some_and(|it| it.as_str() < first)
        });
        let removals: Vec<Action> = files
            .map(|file| Action::Remove(file.remove_action(true)))
            .collect();
        let now = Utc::now().timestamp_micros();
        // Without a predicate, so that appends are no conflict: what they bring of such dates goes next time.
        let operation = DeltaOperation::Delete { predicate: None };
        let txns = [(FENCE, now), (FEWER_ROWS, now)];
        self.commit_as(operation, removals, &txns, APPEND_RETRIES)
            .await
    }
}
