//! What the lake says about itself: its tables, and their columns with types and descriptions.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};
use lake::{Lake, LakeError};

/// How many tables are opened at a time to be listed.
const OPENED_AT_ONCE: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    pub name: String,
    pub description: Option<String>,
    pub rows: u64,
    pub files: usize,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDescription {
    pub name: String,
    pub description: Option<String>,
    pub columns: Vec<ColumnInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    pub name: String,
    /// As one would write it in SQL, such as `BIGINT`.
    pub sql_type: String,
    pub description: Option<String>,
}

pub(crate) async fn list_tables(lake: &Lake) -> Result<Vec<TableInfo>, LakeError> {
    let names = lake.tables().await?;
    stream::iter(names)
        .map(|name| table_info(lake, name))
        .buffered(OPENED_AT_ONCE)
        .try_collect()
        .await
}

async fn table_info(lake: &Lake, name: String) -> Result<TableInfo, LakeError> {
    let table = lake.existing(&name).await?;
    let (_, description) = table.describe()?;
    let (rows, files, bytes) = table.totals()?;
    Ok(TableInfo {
        name,
        description,
        rows,
        files,
        bytes,
    })
}

/// The table of that name, if there is one.
pub(crate) async fn describe_table(
    lake: &Lake,
    name: &str,
) -> Result<Option<TableDescription>, LakeError> {
    let table = match lake.existing(name).await {
        Err(LakeError::NoSuchTable { .. }) => return Ok(None),
        table => table?,
    };
    let (schema, description) = table.describe()?;
    Ok(Some(described(name, &schema, description)))
}

pub(crate) fn described(
    name: &str,
    schema: &Schema,
    description: Option<String>,
) -> TableDescription {
    let fields = schema.fields().iter();
    TableDescription {
        name: name.to_owned(),
        description,
        columns: fields.map(|field| column_info(field)).collect(),
    }
}

/// As the answer to a statement.
pub(crate) fn description_rows(table: &TableDescription) -> Result<RecordBatch, ArrowError> {
    let columns = || table.columns.iter();
    let names: StringArray = columns().map(|column| Some(&column.name)).collect();
    let types: StringArray = columns().map(|column| Some(&column.sql_type)).collect();
    let descriptions = columns().map(|column| column.description.as_ref());
    let descriptions: StringArray = descriptions.collect();
    RecordBatch::try_from_iter_with_nullable([
        ("column", Arc::new(names) as ArrayRef, false),
        ("type", Arc::new(types) as ArrayRef, false),
        ("description", Arc::new(descriptions) as ArrayRef, true),
    ])
}

fn column_info(field: &Field) -> ColumnInfo {
    ColumnInfo {
        name: field.name().clone(),
        sql_type: sql_type(field.data_type()),
        description: field.metadata().get("comment").cloned(),
    }
}

fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "TEXT".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BYTEA".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            "TIMESTAMP WITH TIME ZONE".to_owned()
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Dictionary(_, values) => sql_type(values),
        DataType::List(item) | DataType::LargeList(item) => {
            format!("{}[]", sql_type(item.data_type()))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_as_sql() {
        let check =
            |data_type: DataType, expected: &str| assert_eq!(sql_type(&data_type), expected);
        check(DataType::Int64, "BIGINT");
        check(DataType::Utf8View, "TEXT");
        check(
            DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Date32)),
            "DATE",
        );
        check(
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "TIMESTAMP WITH TIME ZONE",
        );
        check(DataType::Decimal128(10, 2), "DECIMAL(10, 2)");
        check(
            DataType::List(Arc::new(Field::new("item", DataType::Int32, true))),
            "INT[]",
        );
    }
}
