//! Columns in types that every reader of Parquet takes for the same: no views, no dictionaries, no
//! unsigned numbers, instants in microseconds UTC.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::ExportError;

/// The schema in plain types; descriptions of columns stay with their fields.
pub(super) fn plain_schema(schema: &Schema) -> Result<SchemaRef, ExportError> {
    let mut names = BTreeSet::new();
    let fields = schema.fields().iter().map(|field| {
        let name = field.name();
        if !names.insert(name.clone()) {
            return Err(ExportError::Refused(format!(
                "two columns are named {name}; name one of them otherwise, by AS"
            )));
        }
        let plain = plain(field.data_type()).ok_or_else(|| {
            ExportError::Refused(format!(
                "column {name} is of type {}, which readers of Parquet do not share; cast it, or take \
                 date_part('epoch', {name}) of a difference in time",
                field.data_type()
            ))
        })?;
        Ok(Field::new(name, plain, true).with_metadata(field.metadata().clone()))
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// The rows in the plain schema that was made of theirs.
pub(super) fn to_plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    // A value that does not fit is an error, never a NULL.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns =
        columns.map(|(column, field)| cast_with_options(column, field.data_type(), &options));
    RecordBatch::try_new_with_options(
        schema.clone(),
        columns.collect::<Result<_, _>>()?,
        &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
}

fn plain(data_type: &DataType) -> Option<DataType> {
    let list = |item: &Field| {
        let item = item
            .clone()
            .with_name("element")
            .with_data_type(plain(item.data_type())?);
        Some(DataType::List(Arc::new(item)))
    };
    Some(match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Decimal128(..) => data_type.clone(),
        DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            DataType::Utf8
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(
            TimeUnit::Microsecond,
            zone.as_ref().map(|_| Arc::from("UTC")),
        ),
        DataType::Dictionary(_, values) => plain(values)?,
        DataType::RunEndEncoded(_, values) => plain(values.data_type())?,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => list(item)?,
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                Some(
                    field
                        .as_ref()
                        .clone()
                        .with_data_type(plain(field.data_type())?),
                )
            });
            DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_every_reader_knows() {
        let check =
            |of: DataType, expected: Option<DataType>| assert_eq!(plain(&of), expected, "{of}");
        let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
        check(DataType::Utf8View, Some(DataType::Utf8));
        check(
            DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Date32)),
            Some(DataType::Date32),
        );
        check(DataType::UInt64, Some(DataType::Int64));
        check(
            DataType::Timestamp(TimeUnit::Nanosecond, Some("America/Sao_Paulo".into())),
            Some(utc(TimeUnit::Microsecond)),
        );
        check(
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        );
        check(
            DataType::LargeList(Arc::new(Field::new("item", DataType::Utf8View, true))),
            Some(DataType::List(Arc::new(Field::new(
                "element",
                DataType::Utf8,
                true,
            )))),
        );
        check(DataType::Duration(TimeUnit::Second), None);
    }
}
