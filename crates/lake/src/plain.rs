//! Rows in a table's columns and plain types. Scans give views and dictionaries; and the comments of
//! columns, which the log keeps, would be repeated in every file.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::prelude::{Expr, cast as typed, col};

use crate::error::LakeError;
use crate::table::Table;

impl Table {
    /// The table's columns without their comments.
    pub(crate) fn plain_schema(&self) -> Result<SchemaRef, LakeError> {
        let described = self.describe()?.0;
        let fields = described
            .fields()
            .iter()
            .map(|field| Field::new(field.name(), field.data_type().clone(), field.is_nullable()));
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    /// Its columns of a scan, which may give them other types.
    pub(crate) fn plain_columns(&self) -> Result<Vec<Expr>, LakeError> {
        let plain = self.plain_schema()?;
        let fields = plain.fields().iter();
        let columns = fields
            .map(|field| typed(col(field.name()), field.data_type().clone()).alias(field.name()));
        Ok(columns.collect())
    }
}

/// A column of the rows in a plain type.
pub(crate) fn column(
    rows: &RecordBatch,
    name: &str,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let column = rows
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("there is no column {name}")))?;
    cast(column, data_type)
}

/// The rows in the schema's columns and types.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter();
    let columns = fields.map(|field| column(batch, field.name(), field.data_type()));
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}
