//! Where rows stand along an axis: the distinct values of a column, and what kind of values they are.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampSecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::super::scale::{Unit, time_name};
use super::{Rows, printable, unreadable};
use crate::error::QueryError;

/// A place without a value of its column.
const NOWHERE: &str = "(none)";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    Number,
    /// Text, truth, and numbers that only name: ids.
    Name,
    /// Lists and the like.
    Other,
}

pub(super) fn role(name: &str, data_type: &DataType) -> Role {
    match data_type {
        DataType::Dictionary(_, values) => role(name, values),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Role::Time,
        number if number.is_numeric() && (name == "id" || name.ends_with("_id")) => Role::Name,
        number if number.is_numeric() => Role::Number,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => Role::Name,
        _ => Role::Other,
    }
}

/// The distinct values of a column, in the order in which they stand along an axis.
pub(super) struct Places {
    pub labels: Vec<String>,
    /// Where they are times or numbers.
    pub values: Option<Vec<f64>>,
    pub is_time: bool,
    pub unit: Unit,
    /// Of each row; none for one that has no place.
    pub of_row: Vec<Option<usize>>,
}

impl Rows {
    pub(super) fn places(&mut self, column: &str, in_line: bool) -> Result<Places, QueryError> {
        let array = self.column(column)?;
        let role = role(column, array.data_type());
        let unit = Unit::of(column);
        let values = match role {
            Role::Time => Some(times(&array)?),
            Role::Number => Some(self.numbers(column)?),
            Role::Name | Role::Other => None,
        };
        let Some(values) = values else {
            return named_places(&array, unit);
        };
        let mut distinct: Vec<f64> = values.iter().flatten().copied().collect();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let mut labels: Vec<String> = distinct
            .iter()
            .map(|value| match role {
                Role::Time => time_name(*value),
                _ => unit.value(*value),
            })
            .collect();
        let unknown = values.iter().filter(|value| value.is_none()).count();
        if unknown > 0 && in_line {
            self.notes.push(format!(
                "not shown, without {column}: {unknown} of {} rows",
                values.len()
            ));
        } else if unknown > 0 {
            labels.push(NOWHERE.to_owned());
        }
        let place = |value: &Option<f64>| match value {
            Some(value) => Some(distinct.partition_point(|other| other < value)),
            None => (!in_line).then_some(distinct.len()),
        };
        Ok(Places {
            of_row: values.iter().map(place).collect(),
            labels,
            values: Some(distinct),
            is_time: role == Role::Time,
            unit,
        })
    }
}

fn times(array: &ArrayRef) -> Result<Vec<Option<f64>>, QueryError> {
    let seconds = cast(array, &DataType::Timestamp(TimeUnit::Second, None)).map_err(unreadable)?;
    let seconds = seconds.as_primitive::<TimestampSecondType>();
    Ok(seconds
        .iter()
        .map(|value| value.map(|value| value as f64))
        .collect())
}

/// In the order in which they first come.
fn named_places(array: &ArrayRef, unit: Unit) -> Result<Places, QueryError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options).map_err(unreadable)?;
    let mut labels = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut of_row = Vec::new();
    for row in 0..array.len() {
        let label = if array.is_null(row) {
            NOWHERE.to_owned()
        } else {
            printable(&formatter.value(row).to_string())
        };
        let place = *known.entry(label.clone()).or_insert_with(|| {
            labels.push(label);
            labels.len() - 1
        });
        of_row.push(Some(place));
    }
    Ok(Places {
        labels,
        values: None,
        is_time: false,
        unit,
        of_row,
    })
}
