//! Rows that are too old: whole partitions, of a date each, of a table that is appended to are removed. The first date
//! that is kept is written into the log, so that a removed date which comes in again is known to be one.

use chrono::{NaiveDate, TimeDelta, Utc};
use deltalake::kernel::{Action, LogicalFileView};
use deltalake::protocol::DeltaOperation;

use super::compaction::{FENCE, FEWER_ROWS, KEPT_FROM};
use super::plan::StoredFile;
use crate::changes::Changes;
use crate::error::LakeError;
use crate::table::{APPEND_RETRIES, Table};

/// What rows of a partition table are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hidden {
    pub column: String,
    /// As the log writes it.
    pub before: String,
}

impl Table {
    /// The table without rows of dates that retention has removed and somebody has brought in again: they are removed
    /// once more by the next maintenance, and until then are not to look like whole dates.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn without_expired(mut self) -> Result<Self, LakeError> {
        let kept_from = self.kept_from().await?;
        let column = self.partition_columns()?.into_iter().next();
        self.hidden = column.zip(kept_from).map(|(column, first)| Hidden {
            column,
            before: first.to_string(),
        });
        Ok(self)
    }

    /// Whether rows of the partition are hidden.
    pub(crate) fn hides(&self, partition: Option<&str>) -> bool {
        let hidden = self.hidden.as_ref().zip(partition);
        hidden.is_some_and(|(hidden, partition)| partition < hidden.before.as_str())
    }

    /// Whether rows that were there at a version were removed since: by age, or as copies of others.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn has_lost_rows_since(&self, version: u64) -> Result<bool, LakeError> {
        // Most tables never have.
        if self.committed(FEWER_ROWS).await?.is_none() {
            return Ok(false);
        }
        let log = self.inner.log_store();
        for version in version + 1..=self.version() {
            let entry = log.read_commit_entry(version).await;
            let Some(bytes) = entry.map_err(LakeError::delta(&self.name))? else {
                return Ok(true);
            };
            let actions = deltalake::logstore::get_actions(version, &bytes)
                .map_err(LakeError::delta(&self.name))?;
            let is_of = |action: &Action| match action {
                Action::Txn(txn) => txn.app_id == FEWER_ROWS,
                _ => false,
            };
            if actions.iter().any(is_of) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first date whose rows are kept, if older ones have been removed.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn kept_from(&self) -> Result<Option<NaiveDate>, LakeError> {
        let days = self.committed(KEPT_FROM).await?;
        Ok(days
            .and_then(|days| NaiveDate::default().checked_add_signed(TimeDelta::try_days(days)?)))
    }

    /// What a commit that removes all before `first` records. A longer age brings no removed date back.
    pub(crate) async fn keeping_from(
        &self,
        first: NaiveDate,
    ) -> Result<(&'static str, i64), LakeError> {
        let known = self.kept_from().await?;
        let first = known.map_or(first, |known| known.max(first));
        Ok((KEPT_FROM, days(first)))
    }

    /// The files of partitions before `first`.
    pub(crate) fn expired(&self, first: NaiveDate) -> Result<Vec<StoredFile>, LakeError> {
        let first = first.to_string();
        let mut files = self.stored_files()?;
        files.retain(|file| file.partition.as_ref().is_some_and(|it| *it < first));
        Ok(files)
    }

    /// The end of the old dates that may be removed, at most `first`: dates of which the consumer, who has read up to
    /// the version `read`, has yet to read a row stay, and so do those after them. What is hidden he never reads.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub(crate) async fn read_before(
        &mut self,
        first: NaiveDate,
        read: Option<u64>,
    ) -> Result<Option<NaiveDate>, LakeError> {
        if read.is_some_and(|read| read > self.version()) {
            self.refresh().await?;
        }
        let kept_from = self.kept_from().await?;
        // A version that is not there is of an older life of the table, and he reads all of this one.
        let news = match read.filter(|read| *read <= self.version()) {
            Some(read) => self.changes_since(read).await?,
            None => Changes::Unknown,
        };
        let Changes::Added(files) = news else {
            return Ok(kept_from.map(|kept_from| kept_from.min(first)));
        };
        let dates = files.iter().filter_map(|file| {
            let (_, date) = file.partition_values.first()?;
            date.as_deref()?.parse::<NaiveDate>().ok()
        });
        let unread = dates.filter(|date| kept_from.is_none_or(|kept_from| *date >= kept_from));
        Ok(Some(unread.fold(first, NaiveDate::min)))
    }

    /// Removes those files.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] if somebody else has removed files since.
    pub(crate) async fn remove_expired(&mut self, first: NaiveDate) -> Result<(), LakeError> {
        let before = first.to_string();
        let is_expired = |file: &LogicalFileView| {
            let partition = file.partition_values_map().into_values().flatten().next();
            partition.is_some_and(|it| it < before)
        };
        let files = self.files()?.into_iter().filter(is_expired);
        let removals: Vec<Action> = files
            .map(|file| Action::Remove(file.remove_action(true)))
            .collect();
        let now = Utc::now().timestamp_micros();
        // Without a predicate, so that appends are no conflict: what they bring of such dates goes next time.
        let operation = DeltaOperation::Delete { predicate: None };
        let txns = [
            (FENCE, now),
            (FEWER_ROWS, now),
            self.keeping_from(first).await?,
        ];
        self.commit_as(operation, removals, &txns, APPEND_RETRIES)
            .await
    }
}

/// Since 1970.
pub(crate) fn days(date: NaiveDate) -> i64 {
    (date - NaiveDate::default()).num_days()
}
