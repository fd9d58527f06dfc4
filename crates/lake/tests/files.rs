//! What lies in a table's files, and what only in its log.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use lake::{Lake, Layout, Scope, TableSpec};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const COMMENT: &str = "The chat, as the platform numbers it";

fn spec(partition_columns: &[&str]) -> TableSpec {
    let comment = HashMap::from([("comment".to_owned(), COMMENT.to_owned())]);
    let fields = vec![
        Field::new("chat_id", DataType::Int64, true).with_metadata(comment),
        Field::new("day", DataType::Utf8, true),
    ];
    TableSpec {
        name: "facts".to_owned(),
        description: "A table of the test".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: partition_columns
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        stats_columns: vec!["chat_id".to_owned()],
        layout: Layout {
            bloom_filter_columns: vec!["chat_id".to_owned()],
            ..Layout::default()
        },
    }
}

fn rows(ids: std::ops::Range<i64>) -> RecordBatch {
    let days: ArrayRef = Arc::new(StringArray::from_iter_values(ids.clone().map(|_| "monday")));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    RecordBatch::try_new(spec(&[]).schema, vec![ids, days]).expect("rows of the table")
}

fn parquet_files(folder: &Path) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the table's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(parquet_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            files.push(fs::read(path).expect("a file"));
        }
    }
    files
}

/// Writes so many rows, and gives the file's size in bytes.
async fn check(partition_columns: &[&str], count: i64) -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
    let mut table = lake.table(&spec(partition_columns)).await.expect("a table");
    let mut rewrite = table.rewrite(Scope::Everything).expect("a rewrite");
    rewrite.write(rows(0..count)).await.expect("writing");
    rewrite.commit(&[], true).await.expect("committing");

    let files = parquet_files(&folder.path().join("facts"));
    assert_eq!(files.len(), 1);
    let size = files[0].len();
    let file = bytes::Bytes::from(files[0].clone());
    let file = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    for field in file.schema().fields() {
        assert!(field.metadata().is_empty(), "{count} rows: {field}");
    }
    let written = file.schema().field_with_name("chat_id").expect("a column");
    assert_eq!(written.data_type(), &DataType::Int64);

    let (described, _) = lake
        .existing("facts")
        .await
        .expect("the table")
        .describe()
        .expect("described");
    let comment = described.field(0).metadata().get("comment");
    assert_eq!(comment.map(String::as_str), Some(COMMENT));
    assert_eq!(
        table.totals().expect("totals"),
        (count.unsigned_abs(), 1, size as u64)
    );
    size
}

#[tokio::test]
async fn comments_are_in_the_log_and_not_in_files() {
    check(&[], 3).await;
    check(&[], 5_000).await;
    check(&["day"], 3).await;
}

#[tokio::test]
async fn a_file_of_few_rows_is_hardly_more_than_its_rows() {
    let size = check(&[], 3).await;
    assert!(size < 400, "{size} bytes");
}
