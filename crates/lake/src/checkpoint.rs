//! Checkpoints: the log up to a version summed up in one file.
//!
//! Delta's own writer compresses nothing and keeps the tombstone of every file that was removed within the table's
//! retention. Of a table that changes every 30 seconds that is most of what lies in its folder, and every reader
//! reads it. A tombstone serves to tell when a file was removed: of one that is deleted nobody asks.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StructArray};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use bytes::Bytes;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::{Engine, Snapshot};
use deltalake::{DeltaResult, DeltaTableError};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::json;
use url::Url;

use crate::error::LakeError;
use crate::table::Table;

/// Where readers look for the newest checkpoint.
const HINT: &str = "_last_checkpoint";

impl Table {
    /// Sums the log up to this version up in a checkpoint. Of removed files it forgets those that are not `remembered`.
    pub(crate) async fn write_checkpoint(
        &self,
        remembered: Option<&HashSet<Path>>,
    ) -> Result<(), LakeError> {
        let (log, version) = (self.inner.log_store(), self.version());
        let root = log
            .transaction_url(None)
            .map_err(LakeError::delta(&self.name))?;
        let engine = log.engine(None);
        let actions = tokio::task::spawn_blocking(move || actions(&root, version, engine));
        let actions = actions
            .await
            .map_err(|error| DeltaTableError::GenericError {
                source: Box::new(error),
            });
        let actions = actions
            .and_then(|actions| actions)
            .map_err(LakeError::delta(&self.name))?;
        let is_kept =
            |path: &str| remembered.is_none_or(|kept| kept.contains(&self.data_path(path)));
        let checkpoint = encoded(&actions, is_kept).map_err(LakeError::delta(&self.name))?;
        let store = log.object_store(None);
        let folder = log.log_path();
        let place = folder
            .clone()
            .join(format!("{version:020}.checkpoint.parquet"));
        let hint = json!({
            "version": version,
            "size": checkpoint.actions,
            "sizeInBytes": checkpoint.bytes.len(),
            "numOfAddFiles": checkpoint.files,
        });
        let writing = || LakeError::storage(format!("summing up the log of table {}", self.name));
        let once = PutOptions::from(PutMode::Create);
        match store.put_opts(&place, checkpoint.bytes.into(), once).await {
            // Somebody else has summed it up.
            Err(object_store::Error::AlreadyExists { .. }) => return Ok(()),
            put => put.map_err(writing())?,
        };
        // Whoever was held up leaves the hint of a newer one.
        let place = folder.clone().join(HINT);
        if newest_hinted(&*store, &place)
            .await
            .is_some_and(|newest| newest > version)
        {
            return Ok(());
        }
        let put = store.put(&place, hint.to_string().into()).await;
        put.map_err(writing())?;
        Ok(())
    }
}

/// The version that the hint tells, if there is one that can be read.
async fn newest_hinted(store: &dyn ObjectStore, hint: &Path) -> Option<u64> {
    let hint = store.get(hint).await.ok()?.bytes().await.ok()?;
    let hint: serde_json::Value = serde_json::from_slice(&hint).ok()?;
    hint["version"].as_u64()
}

/// What a checkpoint of that version says.
fn actions(root: &Url, version: u64, engine: Arc<dyn Engine>) -> DeltaResult<Vec<RecordBatch>> {
    let snapshot = Snapshot::builder_for(root.clone())
        .at_version(version)
        .build(engine.as_ref())?;
    let actions = snapshot
        .create_checkpoint_writer(engine.as_ref())?
        .checkpoint_data(engine.as_ref())?;
    let batches = actions.map(|batch| {
        let batch = batch?.apply_selection_vector()?;
        Ok(ArrowEngineData::try_from_engine_data(batch)?.into())
    });
    batches.collect()
}

struct Checkpoint {
    bytes: Bytes,
    actions: usize,
    /// That the table consists of.
    files: usize,
}

fn encoded(batches: &[RecordBatch], is_kept: impl Fn(&str) -> bool) -> DeltaResult<Checkpoint> {
    let schema = batches.first().map(RecordBatch::schema);
    let schema = schema.ok_or_else(|| DeltaTableError::generic("the log says nothing"))?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    let (mut actions, mut files) = (0, 0);
    for batch in batches {
        let batch = remembered(batch, &is_kept)?;
        let added = action(&batch, "add")?;
        actions += batch.num_rows();
        files += added.len() - added.null_count();
        writer.write(&batch)?;
    }
    Ok(Checkpoint {
        bytes: writer.into_inner()?.into(),
        actions,
        files,
    })
}

/// The actions but the removals of files that are not kept.
fn remembered(
    batch: &RecordBatch,
    is_kept: impl Fn(&str) -> bool,
) -> Result<RecordBatch, ArrowError> {
    let removals = action(batch, "remove")?;
    let paths = removals
        .column_by_name("path")
        .map(AsArray::as_string::<i32>);
    let paths = paths.ok_or_else(|| missing("remove.path"))?;
    let is_remembered = |row| removals.is_null(row) || is_kept(paths.value(row));
    let mask: BooleanArray = (0..batch.num_rows())
        .map(|row| Some(is_remembered(row)))
        .collect();
    filter_record_batch(batch, &mask)
}

fn action<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StructArray, ArrowError> {
    let column = batch.column_by_name(name).and_then(AsArray::as_struct_opt);
    column.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("the log's actions have no {name}"))
}
