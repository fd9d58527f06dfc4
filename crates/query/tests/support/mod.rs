//! A lake in a temporary folder, with tables from columns.

// Each test binary uses a part of it.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;
use lake::{Lake, Layout, TableSpec};
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
        self.add_batch(name, partition, batch.unwrap()).await;
    }

    async fn add_batch(&self, name: &str, partition: Option<&str>, batch: RecordBatch) {
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
            // No statistics at all is a list that Delta cannot parse.
            stats_columns,
            layout: Layout::default(),
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

    /// Every table of `tables`, of which those in `rows` have rows: the columns given, the others NULL.
    pub async fn fill(&self, tables: &[(&str, &str)], rows: &[Rows<'_>]) {
        for (name, columns) in tables {
            let rows = rows.iter().find(|rows| rows.table == *name);
            let batch = rows_of(columns, rows).await;
            self.add_batch(name, None, batch).await;
        }
    }

    pub fn engine(&self) -> Engine {
        let derived_tables = ["fact_chats", "fact_messages"].map(str::to_owned).to_vec();
        Engine::new(
            self.lake.clone(),
            EngineOptions {
                derived_tables,
                ..EngineOptions::new(256 << 20, chrono_tz::America::Sao_Paulo)
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

/// Rows for a table, as a VALUES list of the columns named.
pub struct Rows<'a> {
    pub table: &'a str,
    pub columns: &'a str,
    pub values: &'a str,
}

/// The rows as one batch with all `columns`, given as `name TYPE, ...`.
async fn rows_of(columns: &str, rows: Option<&Rows<'_>>) -> RecordBatch {
    let given: Vec<&str> = rows.map_or_else(Vec::new, |rows| {
        rows.columns.split(',').map(str::trim).collect()
    });
    let known: Vec<(&str, &str)> = columns
        .split(',')
        .map(|column| column.trim().split_once(' ').unwrap())
        .collect();
    for name in &given {
        assert!(known.iter().any(|(known, _)| known == name), "{name}");
    }
    let selected: Vec<String> = known
        .iter()
        .map(|(name, sql_type)| {
            let place = given.iter().position(|given| given == name);
            let value = place.map_or("NULL".to_owned(), |place| format!("column{}", place + 1));
            let arrow_type = match *sql_type {
                "TIMESTAMP" => "Timestamp(us, \"UTC\")",
                "TEXT" => "Utf8",
                "BIGINT" => "Int64",
                "INT" => "Int32",
                "DATE" => "Date32",
                "BOOLEAN" => "Boolean",
                other => panic!("{other}"),
            };
            format!("arrow_cast({value}, '{arrow_type}') AS {name}")
        })
        .collect();
    let values = rows.map_or("(NULL)", |rows| rows.values);
    let condition = if rows.is_some() { "true" } else { "false" };
    let sql = format!(
        "SELECT {} FROM (VALUES {values}) WHERE {condition}",
        selected.join(", ")
    );
    let frame = SessionContext::new().sql(&sql).await.unwrap();
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await.unwrap();
    concat_batches(&schema, &batches).unwrap()
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
