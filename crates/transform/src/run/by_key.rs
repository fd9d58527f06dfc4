//! Rows of a table in the order of a key, handed out key by key.

use std::collections::VecDeque;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::prelude::Expr;
use futures::TryStreamExt;
use lake::{BatchStream, Table};

use super::{READ_MEMORY_BYTES, TransformError};

type Read<T> = fn(&RecordBatch) -> Result<Vec<(i64, T)>, ArrowError>;

pub(super) struct ByKey<T> {
    rows: BatchStream,
    read: Read<T>,
    waiting: VecDeque<(i64, T)>,
}

impl<T> ByKey<T> {
    /// The rows where `predicate` holds, by the first column of `order`; `read` gives each with its key.
    pub async fn of(
        table: &Table,
        columns: &[&str],
        predicate: Option<Expr>,
        order: &[&str],
        read: Read<T>,
    ) -> Result<Self, TransformError> {
        let rows = table
            .read_sorted(columns, predicate, order, READ_MEMORY_BYTES)
            .await?;
        Ok(Self {
            rows,
            read,
            waiting: VecDeque::new(),
        })
    }

    /// The key whose rows come next.
    pub async fn key(&mut self) -> Result<Option<i64>, TransformError> {
        while self.waiting.is_empty() {
            let Some(batch) = self.rows.try_next().await? else {
                return Ok(None);
            };
            self.waiting.extend((self.read)(&batch)?);
        }
        Ok(self.waiting.front().map(|(key, _)| *key))
    }

    /// The rows of the next key.
    pub async fn next(&mut self) -> Result<Vec<T>, TransformError> {
        let mut rows = Vec::new();
        let key = self.key().await?;
        while key.is_some() && self.key().await? == key {
            rows.extend(self.waiting.pop_front().map(|(_, row)| row));
        }
        Ok(rows)
    }
}
