//! A lake in a temporary folder, with tables from columns.

// Each test binary uses a part of it.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use lake::{Lake, TableSpec};
use query::{Engine, EngineOptions, Format, QueryError, Script, Summary};
use tempfile::TempDir;

pub struct TestLake {
    /// Kept, as it goes with the value.
    pub folder: TempDir,
    pub lake: Lake,
}

pub type Column = (&'static str, ArrayRef);

impl TestLake {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), []).unwrap();
        Self { folder, lake }
    }

    pub async fn add(&self, name: &str, partition: Option<&str>, columns: Vec<Column>) {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        );
        let batch = batch.unwrap();
        let described = |field: &Arc<Field>| {
            let comment = format!("the {} of a row", field.name());
            field
                .as_ref()
                .clone()
                .with_metadata(HashMap::from([("comment".to_owned(), comment)]))
        };
        let fields: Vec<Field> = batch.schema().fields().iter().map(described).collect();
        let stats_columns = fields.iter().map(|field| field.name().clone()).collect();
        let spec = TableSpec {
            name: name.to_owned(),
            description: format!("what {name} holds"),
            schema: Arc::new(Schema::new(fields)),
            partition_columns: partition.into_iter().map(str::to_owned).collect(),
            sort_columns: Vec::new(),
            // No statistics at all is a list that Delta cannot parse.
            stats_columns,
            bloom_filter_columns: Vec::new(),
        };
        let batch = batch.with_schema(spec.schema.clone()).unwrap();
        self.lake
            .table(&spec)
            .await
            .unwrap()
            .append(vec![batch], None)
            .await
            .unwrap();
    }

    pub fn engine(&self) -> Engine {
        let derived_tables = ["fact_chats", "fact_messages"].map(str::to_owned).to_vec();
        Engine::new(
            self.lake.clone(),
            EngineOptions {
                memory_bytes: 256 << 20,
                derived_tables,
                zone: chrono_tz::America::Sao_Paulo,
            },
        )
    }

    pub async fn run<'a>(
        &self,
        script: impl Into<Script<'a>>,
        format: Format,
    ) -> Result<(String, Summary), QueryError> {
        let mut out = Vec::new();
        let summary = self.engine().run(script, format, &mut out).await?;
        Ok((String::from_utf8(out).unwrap(), summary))
    }
}

pub fn longs<const N: usize>(values: [Option<i64>; N]) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values))
}

pub fn texts<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

pub fn days<const N: usize>(values: [Option<i32>; N]) -> ArrayRef {
    Arc::new(Date32Array::from_iter(values))
}

pub fn instants<const N: usize>(values: [Option<i64>; N]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("UTC"))
}
