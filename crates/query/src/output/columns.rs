//! Columns in the shapes that every format can print.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::DataFusionError;

/// Dictionary and run-length columns as plain ones: an encoded NULL would otherwise not be seen as one.
pub(super) fn plain(batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    Ok(map_columns(batch, |field, column| {
        match field.data_type() {
            DataType::Dictionary(_, values) => cast(column, values),
            DataType::RunEndEncoded(_, values) => cast(column, values.data_type()),
            _ => Ok(column.clone()),
        }
    })?)
}

/// Lists, structs and maps as JSON text.
pub(super) fn nested_as_json(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    map_columns(batch, |field, column| {
        if field.data_type().is_nested() {
            json_text(field, column)
        } else {
            Ok(column.clone())
        }
    })
}

pub(super) fn map_columns(
    batch: &RecordBatch,
    map: impl Fn(&FieldRef, &ArrayRef) -> Result<ArrayRef, ArrowError>,
) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns: Vec<ArrayRef> = columns
        .map(|(field, column)| map(field, column))
        .collect::<Result<_, _>>()?;
    let fields = schema.fields().iter().zip(&columns);
    let fields =
        fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        columns,
        &options,
    )
}

/// Text and bytes in the types that every reader of files knows.
pub(super) fn widely_known(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    map_columns(batch, |field, column| match field.data_type() {
        DataType::Utf8View => cast(column, &DataType::Utf8),
        DataType::BinaryView => cast(column, &DataType::Binary),
        _ => Ok(column.clone()),
    })
}

fn json_text(field: &FieldRef, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let texts = (0..column.len()).map(|row| {
        let mut text = Vec::new();
        if encoder.is_null(row) {
            return Ok(None);
        }
        encoder.encode(row, &mut text);
        String::from_utf8(text)
            .map(Some)
            .map_err(|error| ArrowError::JsonError(error.to_string()))
    });
    Ok(Arc::new(
        texts.collect::<Result<StringArray, ArrowError>>()?,
    ))
}
