//! Tables that statements make. Their rows stay in memory, which is a part of what queries may use.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayData;
use arrow::buffer::Buffer;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::resources_datafusion_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::DataFrame;
use futures::TryStreamExt;
use tokio::task::JoinSet;

/// How the error of a table too large begins; those of operators name themselves, which helps nobody.
pub(crate) const KEPT_TABLE: &str = "table ";
const KEPT_WHERE: &str = "keeps its rows in memory, a view (CREATE VIEW) keeps none";

#[derive(Debug)]
pub(crate) struct OwnTable {
    rows: MemTable,
    /// Of each filling. Given back with the table.
    memory: Mutex<Vec<Kept>>,
}

type Kept = Arc<Mutex<Memory>>;

impl OwnTable {
    /// With the rows of the frame.
    ///
    /// # Errors
    /// That the rows need more memory than the pool has, and what computing them fails by.
    pub async fn new(name: &str, frame: DataFrame, pool: &Arc<dyn MemoryPool>) -> Result<Self> {
        let schema = insertable(&frame);
        let (parts, memory) = computed(name, frame, pool).await?;
        Ok(Self {
            rows: MemTable::try_new(schema, parts)?,
            memory: Mutex::new(vec![memory]),
        })
    }

    /// Adds the rows of the frame, once all of them are there.
    ///
    /// # Errors
    /// As [`new`](Self::new), and for NULL in a column that takes none.
    pub async fn append(
        &self,
        name: &str,
        frame: DataFrame,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<()> {
        let (parts, memory) = computed(name, frame, pool).await?;
        let batches = parts.into_iter().flatten();
        let checked =
            |batch: RecordBatch| RecordBatch::try_new(self.rows.schema(), batch.columns().to_vec());
        let added = batches.map(checked).collect::<Result<Vec<_>, _>>()?;
        let memories = self.memory.lock();
        memories
            .unwrap_or_else(PoisonError::into_inner)
            .push(memory);
        if let Some(rows) = self.rows.batches.first() {
            rows.write().await.extend(added);
        }
        Ok(())
    }
}

/// Rows that are computed have no NULL now, and later ones may; what is declared stays.
fn insertable(frame: &DataFrame) -> SchemaRef {
    let schema = frame.schema().inner();
    if matches!(frame.logical_plan(), LogicalPlan::EmptyRelation(_)) {
        return schema.clone();
    }
    let fields = schema.fields().iter();
    let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
    let fields: Vec<Field> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The rows, by the parts in which they were computed, and what they take.
async fn computed(
    name: &str,
    frame: DataFrame,
    pool: &Arc<dyn MemoryPool>,
) -> Result<(Vec<Vec<RecordBatch>>, Kept)> {
    let memory = Arc::new(Mutex::new(Memory {
        reserved: MemoryConsumer::new(format!("table {name}")).register(pool),
        seen: HashSet::new(),
    }));
    let mut parts = JoinSet::new();
    for (place, rows) in frame
        .execute_stream_partitioned()
        .await?
        .into_iter()
        .enumerate()
    {
        let rows = collect(name.to_owned(), rows, memory.clone());
        parts.spawn(async move { Ok::<_, DataFusionError>((place, rows.await?)) });
    }
    let mut batches = vec![Vec::new(); parts.len()];
    while let Some(part) = parts.join_next().await {
        let (place, rows) =
            part.map_err(|error| DataFusionError::ExecutionJoin(error.into()))??;
        batches[place] = rows;
    }
    Ok((batches, memory))
}

async fn collect(
    name: String,
    mut rows: SendableRecordBatchStream,
    memory: Kept,
) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.keep(&batch).is_err() {
            return Err(resources_datafusion_err!("{KEPT_TABLE}{name} {KEPT_WHERE}"));
        }
        batches.push(batch);
    }
    Ok(batches)
}

/// What rows take. Batches share much, such as the texts of a page: each part counts once.
#[derive(Debug)]
struct Memory {
    reserved: MemoryReservation,
    /// Where the parts lie that have been counted.
    seen: HashSet<usize>,
}

impl Memory {
    fn keep(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().iter();
        let new: usize = columns
            .map(|column| self.new_bytes(&column.to_data()))
            .sum();
        self.reserved.try_grow(new)
    }

    fn new_bytes(&mut self, data: &ArrayData) -> usize {
        let mut bytes = 0;
        let nulls = data.nulls().map(|nulls| nulls.buffer());
        for buffer in data.buffers().iter().chain(nulls) {
            bytes += self.new_bytes_of(buffer);
        }
        data.child_data()
            .iter()
            .fold(bytes, |bytes, child| bytes + self.new_bytes(child))
    }

    fn new_bytes_of(&mut self, buffer: &Buffer) -> usize {
        let is_new = self.seen.insert(buffer.data_ptr().as_ptr() as usize);
        if is_new { buffer.capacity() } else { 0 }
    }
}

#[async_trait]
impl TableProvider for OwnTable {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        self.rows.table_type()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.rows.scan(state, projection, filters, limit).await
    }
}
