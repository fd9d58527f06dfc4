//! Copies of rows: those that share the value of the table's identity column. One stays.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{DataFrame, cast, col, lit};
use futures::TryStreamExt;

use super::plan::Group;
use crate::error::LakeError;
use crate::plain::column;
use crate::rewrite::REWRITE_MEMORY_BYTES;
use crate::session::session;
use crate::table::Table;

/// More repeated rows than this are left for another run: their values are held in memory, about 80 bytes each.
const REPEATED_AT_MOST: usize = 2_000_000;

/// Drops copies as rows go by.
pub(crate) struct Copies {
    identity: Option<String>,
    /// Values that more than one row has, as far as none has gone by.
    repeated: HashSet<String>,
    /// Repeated values of which a row stays already.
    kept: HashSet<String>,
    dropped: u64,
    is_cut_short: bool,
}

impl Copies {
    /// Finds the values that rows of the group share with each other or with the files beside. Of a group that is not
    /// to be settled, none are looked for.
    pub async fn of(table: &Table, group: &Group) -> Result<Self, LakeError> {
        let mut copies = Self {
            identity: table.layout.identity.clone(),
            repeated: HashSet::new(),
            kept: HashSet::new(),
            dropped: 0,
            is_cut_short: false,
        };
        let Some(identity) = copies.identity.clone().filter(|_| group.settles) else {
            return Ok(copies);
        };
        let all = [&group.files[..], &group.beside[..]].concat();
        let frame = values(table, &all, &identity).await?;
        let often = frame
            .aggregate(vec![col(&identity)], vec![count(lit(1)).alias("rows")])
            .and_then(|frame| frame.filter(col("rows").gt(lit(1))))
            .and_then(|frame| frame.limit(0, Some(REPEATED_AT_MOST + 1)))
            .and_then(|frame| frame.select_columns(&[&identity]))
            .map_err(LakeError::read(&table.name))?;
        copies.repeated = gathered(table, often, |_| true).await?;
        copies.is_cut_short = copies.repeated.len() > REPEATED_AT_MOST;
        if !copies.repeated.is_empty() && !group.beside.is_empty() {
            let beside = values(table, &group.beside, &identity).await?;
            let is_repeated = |value: &str| copies.repeated.contains(value);
            copies.kept = gathered(table, beside, is_repeated).await?;
        }
        Ok(copies)
    }

    /// The rows without those of which one stays already. Rows without a value are nobody's copies.
    pub fn drop_from(&mut self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let Some(identity) = self.identity.as_ref().filter(|_| !self.repeated.is_empty()) else {
            return Ok(batch);
        };
        let values = column(&batch, identity, &DataType::Utf8)?;
        let mut stays =
            |value: &str| !self.repeated.contains(value) || self.kept.insert(value.to_owned());
        let values = values.as_string::<i32>().iter();
        let mask: BooleanArray = values
            .map(|value| Some(value.is_none_or(&mut stays)))
            .collect();
        let rows = filter_record_batch(&batch, &mask)?;
        self.dropped += (batch.num_rows() - rows.num_rows()) as u64;
        Ok(rows)
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn are_all_found(&self) -> bool {
        !self.is_cut_short
    }
}

async fn values(
    table: &Table,
    files: &[super::plan::StoredFile],
    identity: &str,
) -> Result<DataFrame, LakeError> {
    let text = cast(col(identity), DataType::Utf8).alias(identity);
    session(REWRITE_MEMORY_BYTES)
        .read_table(
            table
                .provider_of(files.iter().map(|file| &file.path))
                .await?,
        )
        .and_then(|frame| frame.select(vec![text]))
        .map_err(LakeError::read(&table.name))
}

/// The distinct values of a frame's only column that are wanted.
async fn gathered(
    table: &Table,
    frame: DataFrame,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<HashSet<String>, LakeError> {
    let read = || LakeError::read(&table.name);
    let mut gathered = HashSet::new();
    let mut rows = frame.execute_stream().await.map_err(read())?;
    while let Some(batch) = rows.try_next().await.map_err(read())? {
        let values = arrow::compute::cast(batch.column(0), &DataType::Utf8)
            .map_err(|error| read()(error.into()))?;
        let values = values.as_string::<i32>();
        let wanted = (0..values.len())
            .filter(|row| values.is_valid(*row))
            .map(|row| values.value(row))
            .filter(|value| is_wanted(value));
        gathered.extend(wanted.map(str::to_owned));
    }
    Ok(gathered)
}
