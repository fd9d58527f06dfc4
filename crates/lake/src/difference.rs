//! What a replacement really changes: the old rows of its keys compared with the new ones.
//!
//! Most of what a caller derives anew is what is there already. Rows are compared whole, as multisets, so
//! that an unchanged one stays where it lies and its file is left alone.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, BooleanArray, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use datafusion::error::DataFusionError;
use futures::TryStreamExt;

use crate::error::LakeError;
use crate::plain::{column, conform};
use crate::rewrite::REWRITE_MEMORY_BYTES;
use crate::scope::Replaced;
use crate::session::session;
use crate::table::Table;

/// Under which a scan says which file a row is from.
const FILE: &str = "__file";

/// What remains to be done for the table to hold the new rows in place of the old ones.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// New rows that the table does not hold.
    pub added: Vec<RecordBatch>,
    /// The files that hold rows to be removed, each with its rows of replaced keys that stay.
    pub files: BTreeMap<String, Vec<RecordBatch>>,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.files.is_empty()
    }
}

impl Table {
    /// Compares the rows in scope with those that shall take their place.
    pub(crate) async fn difference(
        &self,
        replaced: &Replaced,
        new_rows: &[RecordBatch],
    ) -> Result<Difference, LakeError> {
        let read = || LakeError::read(&self.name);
        let schema = self.plain_schema()?;
        let mut comparison =
            Comparison::with(&schema, new_rows).map_err(|error| read()(error.into()))?;
        let candidates = self.candidates(replaced)?;
        if !candidates.is_empty() {
            let provider = self
                .inner
                .table_provider()
                .with_file_paths(candidates.iter())
                .with_file_column(FILE)
                .await
                .map_err(read())?;
            let frame = session(REWRITE_MEMORY_BYTES)
                .read_table(provider)
                .and_then(|frame| frame.filter(replaced.sought()))
                .map_err(read())?;
            let mut old_rows = frame.execute_stream().await.map_err(read())?;
            while let Some(batch) = old_rows.try_next().await.map_err(read())? {
                comparison.take(&batch, &candidates).map_err(read())?;
            }
        }
        comparison.finish().map_err(|error| read()(error.into()))
    }

    /// The paths of files that may hold replaced rows by the log's statistics.
    fn candidates(&self, replaced: &Replaced) -> Result<Vec<String>, LakeError> {
        let files = self.files()?.into_iter();
        let files = files.filter(|file| replaced.may_be_in(file));
        Ok(files.map(|file| file.path().into_owned()).collect())
    }
}

/// Rows to be found among others, each as often as it is here.
pub(crate) struct Rows {
    converter: RowConverter,
    counts: HashMap<Box<[u8]>, usize>,
}

impl Rows {
    pub fn of(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let fields = schema.fields().iter();
        let fields = fields.map(|field| SortField::new(field.data_type().clone()));
        let mut rows = Self {
            converter: RowConverter::new(fields.collect())?,
            counts: HashMap::new(),
        };
        for batch in batches {
            for row in &rows.converter.convert_columns(batch.columns())? {
                *rows.counts.entry(row.as_ref().into()).or_default() += 1;
            }
        }
        Ok(rows)
    }

    /// Of each row of the batch, whether it was found here. What was found once is here once less.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<Vec<bool>, ArrowError> {
        let rows = self.converter.convert_columns(batch.columns())?;
        let mut found = Vec::with_capacity(rows.num_rows());
        for row in &rows {
            let count = self
                .counts
                .get_mut(row.as_ref())
                .filter(|count| **count > 0);
            found.push(count.is_some());
            if let Some(count) = count {
                *count -= 1;
            }
        }
        Ok(found)
    }

    pub fn any_is_left(&self) -> bool {
        self.counts.values().any(|count| *count > 0)
    }
}

struct Comparison {
    schema: SchemaRef,
    new_rows: Vec<RecordBatch>,
    /// The new rows that were not found among the old ones yet.
    wanted: Rows,
    files: BTreeMap<String, OldRows>,
}

#[derive(Default)]
struct OldRows {
    staying: Vec<RecordBatch>,
    any_is_removed: bool,
}

impl Comparison {
    fn with(schema: &SchemaRef, new_rows: &[RecordBatch]) -> Result<Self, ArrowError> {
        let new_rows = new_rows.iter().map(|batch| conform(batch, schema));
        let new_rows = new_rows.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            schema: schema.clone(),
            wanted: Rows::of(schema, &new_rows)?,
            new_rows,
            files: BTreeMap::new(),
        })
    }

    /// Takes in old rows and, in their last column, which of the files they are from.
    fn take(&mut self, batch: &RecordBatch, files: &[String]) -> Result<(), DataFusionError> {
        let sources = column(batch, FILE, &DataType::Utf8)?;
        let sources = sources.as_string::<i32>();
        let batch = conform(batch, &self.schema)?;
        let mut staying: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (number, is_wanted) in self.wanted.take(&batch)?.into_iter().enumerate() {
            let source = sources.value(number);
            if is_wanted {
                staying.entry(source).or_default().push(number as u32);
            } else {
                self.old_rows(source, files)?.any_is_removed = true;
            }
        }
        for (source, numbers) in staying {
            let rows = take_record_batch(&batch, &UInt32Array::from(numbers))?;
            self.old_rows(source, files)?.staying.push(rows);
        }
        Ok(())
    }

    /// Of a file, which the scan names by its whole URL.
    fn old_rows(&mut self, url: &str, files: &[String]) -> Result<&mut OldRows, DataFusionError> {
        let path = files.iter().find(|path| url.ends_with(path.as_str()));
        let path = path.ok_or_else(|| {
            DataFusionError::Execution(format!(
                "a row is said to be from {url}, which was not read"
            ))
        })?;
        Ok(self.files.entry(path.clone()).or_default())
    }

    fn finish(mut self) -> Result<Difference, ArrowError> {
        let mut added = Vec::new();
        for batch in &self.new_rows {
            let is_added = BooleanArray::from(self.wanted.take(batch)?);
            if is_added.has_true() {
                added.push(filter_record_batch(batch, &is_added)?);
            }
        }
        let files = self.files.into_iter();
        let rewritten = files.filter(|(_, rows)| rows.any_is_removed);
        Ok(Difference {
            added,
            files: rewritten.map(|(path, rows)| (path, rows.staying)).collect(),
        })
    }
}
