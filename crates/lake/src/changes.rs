//! What was added to a table since a version, by its log alone.

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use deltalake::kernel::{Action, Add};
use deltalake::logstore::get_actions;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::LakeError;
use crate::table::Table;

/// A data file that a commit added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedFile {
    pub(crate) path: Path,
    /// The commit that added it.
    pub version: u64,
    /// Partition column and its value as the log writes it.
    pub partition_values: Vec<(String, Option<String>)>,
}

/// The news since a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Files with new rows; rewrites of old rows are left out.
    Added(Vec<AddedFile>),
    /// The log no longer reaches back so far: anything may have changed.
    Unknown,
}

/// The value of the partition column, if there is one.
fn partition(add: &Add) -> Option<&str> {
    add.partition_values
        .values()
        .flatten()
        .map(String::as_str)
        .next()
}

impl Table {
    /// What commits after `version`, up to this table's version, have added.
    ///
    /// # Errors
    /// [`LakeError::Delta`], [`LakeError::Storage`].
    pub async fn changes_since(&self, version: u64) -> Result<Changes, LakeError> {
        let log = self.inner.log_store();
        let mut files = Vec::new();
        for version in version + 1..=self.version() {
            let Some(bytes) = log
                .read_commit_entry(version)
                .await
                .map_err(LakeError::delta(&self.name))?
            else {
                return Ok(Changes::Unknown);
            };
            let actions = get_actions(version, &bytes).map_err(LakeError::delta(&self.name))?;
            files.extend(actions.into_iter().filter_map(|action| match action {
                Action::Add(add) if add.data_change && !self.hides(partition(&add)) => {
                    Some(AddedFile {
                        path: self.data_path(&add.path),
                        version,
                        partition_values: add.partition_values.into_iter().collect(),
                    })
                }
                _ => None,
            }));
        }
        Ok(Changes::Added(files))
    }

    pub(crate) fn data_path(&self, in_log: &str) -> Path {
        let folder = self.lake.prefix.clone().join(self.name.as_str());
        let below = Path::from_url_path(in_log).unwrap_or_else(|_| Path::from(in_log));
        folder.parts().chain(below.parts()).collect()
    }

    /// Some columns of one added file, in the file's own order, batch by batch, whether or not the
    /// file is still part of the table.
    ///
    /// # Errors
    /// [`LakeError::Storage`] if it is gone, [`LakeError::Read`] if it cannot be read.
    pub async fn read_file(
        &self,
        file: &AddedFile,
        columns: &[&str],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, LakeError>> + Send + use<'_>, LakeError>
    {
        let object = self
            .lake
            .get(&file.path)
            .await
            .map_err(LakeError::storage(format!("reading {}", file.path)))?;
        let unreadable =
            |error: parquet::errors::ParquetError| LakeError::read(&self.name)(error.into());
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(Bytes::from(object)).map_err(unreadable)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let reader = builder.with_projection(mask).build().map_err(unreadable)?;
        Ok(reader.map(|batch| batch.map_err(|error| LakeError::read(&self.name)(error.into()))))
    }
}
