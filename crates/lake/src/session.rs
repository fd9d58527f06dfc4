//! DataFusion sessions for reading and rewriting: bounded memory, spilling to disk.

use std::pin::Pin;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use futures::{Stream, StreamExt};

use crate::error::LakeError;

/// Batches as they are read.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch, LakeError>> + Send>>;

/// Rows in a batch of a large sort, which holds two batches of each run that it has spilled. Fewer where rows are so wide
/// that these do not fit.
const SORTED_BATCH_ROWS: [usize; 3] = [1024, 64, 4];

/// Works on whichever thread of the runtime is free, beside other work of its kind; dropped, it ends at its next pause,
/// which nobody waits for: it must commit nothing. `table` is the one that an error names.
pub(crate) async fn spawned<T: Send + 'static>(
    table: &str,
    work: impl Future<Output = Result<T, LakeError>> + Send + 'static,
) -> Result<T, LakeError> {
    let done = SpawnedTask::spawn(work).join_unwind().await;
    done.map_err(|error| LakeError::read(table)(DataFusionError::ExecutionJoin(Box::new(error))))?
}

/// The batches as they come from a task of their own, which works while the last ones are looked at.
pub(crate) fn aside(mut stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut batches = RecordBatchReceiverStream::builder(stream.schema(), 1);
    let sender = batches.tx();
    batches.spawn(async move {
        while let Some(batch) = stream.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    batches.build()
}

/// A session whose operators share `memory_bytes` and spill beyond it.
pub fn session(memory_bytes: usize) -> SessionContext {
    configured(SessionConfig::new(), memory_bytes)
}

/// Runs a sort of whatever there is within `memory_bytes`, as `plan` makes it of a session, as often as takes to find how
/// many of its rows fit into a batch.
pub(crate) async fn sorted(
    memory_bytes: usize,
    plan: impl Fn(SessionContext) -> Result<DataFrame, DataFusionError>,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let mut left = SORTED_BATCH_ROWS.into_iter().peekable();
    while let Some(rows) = left.next() {
        let frame = plan(sorting_session(memory_bytes, rows))?;
        let mut stream = frame.execute_stream().await?;
        // Before the first row comes, all are read, and what was spilled is being merged.
        match stream.next().await {
            Some(Err(error)) if is_exhausted(&error) && left.peek().is_some() => {}
            first => {
                let schema = stream.schema();
                let all = futures::stream::iter(first).chain(stream);
                return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, all)));
            }
        }
    }
    internal_err!("a sort was tried with no size of batches")
}

fn is_exhausted(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// One sort at a time: of several, the first to merge what it has spilled takes all memory, and the others fail.
fn sorting_session(memory_bytes: usize, batch_rows: usize) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(batch_rows);
    configured(config, memory_bytes)
}

fn configured(mut config: SessionConfig, memory_bytes: usize) -> SessionContext {
    let options = config.options_mut();
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    // A sort must be able to merge its spilled runs within a small budget.
    options.execution.sort_spill_reservation_bytes = memory_bytes.div_ceil(32).min(10 << 20);
    options.sql_parser.enable_ident_normalization = true;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes)))
        .build_arc()
        .unwrap_or_default();
    SessionContext::new_with_config_rt(config, runtime)
}
