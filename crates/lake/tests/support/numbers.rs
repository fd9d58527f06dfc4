//! What tests of this crate, within and without, look at: a table of numbers.

use std::fmt::Debug;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::{TryStream, TryStreamExt};

/// Those of the first column, sorted.
pub async fn numbers<E: Debug>(rows: impl TryStream<Ok = RecordBatch, Error = E>) -> Vec<i64> {
    let batches: Vec<_> = rows.try_collect().await.expect("reading");
    let columns = batches
        .iter()
        .map(|batch| batch.column(0).as_primitive::<Int64Type>());
    let mut numbers: Vec<i64> = columns.flat_map(|column| column.iter().flatten()).collect();
    numbers.sort_unstable();
    numbers
}
