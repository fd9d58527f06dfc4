//! Into which objects rows are divided: by the days or months of a date column, or not at all.
//!
//! Folders are named as Hive names them. A day's folder carries the date column, which then is no column
//! of the object: readers would have it twice. A month's folder carries a column of its own, and the
//! date stays in the object.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{Datelike, Months, NaiveDate};
use datafusion::prelude::{Expr, ident, lit};
use datafusion::scalar::ScalarValue;

use super::ExportError;

/// The file that each folder holds.
pub(super) const OBJECT: &str = "data.parquet";
/// Hive's name for NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// Beyond so many stretches of dates one that spans all is looked up instead.
const STRETCHES_AT_MOST: usize = 16;

/// How much time an object is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    Day,
    Month,
    None,
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.pad(match self {
            Partition::Day => "day",
            Partition::Month => "month",
            Partition::None => "none",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are day, month and none")]
pub struct UnknownPartition;

impl FromStr for Partition {
    type Err = UnknownPartition;

    fn from_str(name: &str) -> Result<Self, UnknownPartition> {
        let all = [Partition::Day, Partition::Month, Partition::None];
        let found = all
            .into_iter()
            .find(|partition| partition.to_string() == name);
        found.ok_or(UnknownPartition)
    }
}

/// How the rows of one schema are divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Division {
    Whole,
    Days { column: String },
    Months { column: String, folder: String },
}

/// The object that a row belongs to: the first day of its stretch, in days since 1970; `None` where
/// there is no date, and where all rows go to one object.
pub(super) type Key = Option<i32>;

impl Division {
    /// `None` where the schema has no date.
    pub fn of(schema: &Schema, partition: Partition) -> Result<Option<Division>, ExportError> {
        let is_date = |name: &str| name == "date" || name.ends_with("_date");
        let mut fields = schema.fields().iter();
        let date =
            fields.find(|field| field.data_type() == &DataType::Date32 && is_date(field.name()));
        let Some(column) = date.map(|field| field.name().clone()) else {
            return Ok(None);
        };
        Ok(Some(match partition {
            Partition::None => Division::Whole,
            Partition::Day if schema.fields().len() == 1 => {
                return Err(ExportError::Refused(format!(
                    "{column} is the only column, and by day it would be in no object; use --partition none"
                )));
            }
            Partition::Day => Division::Days { column },
            Partition::Month => {
                let folder = format!("{}month", column.strip_suffix("date").unwrap_or_default());
                if schema.column_with_name(&folder).is_some() {
                    return Err(ExportError::Refused(format!(
                        "there is a column {folder} already, which would be the months' folder"
                    )));
                }
                Division::Months { column, folder }
            }
        }))
    }

    pub fn partition(&self) -> Partition {
        match self {
            Division::Whole => Partition::None,
            Division::Days { .. } => Partition::Day,
            Division::Months { .. } => Partition::Month,
        }
    }

    pub fn column(&self) -> Option<&str> {
        match self {
            Division::Whole => None,
            Division::Days { column } | Division::Months { column, .. } => Some(column),
        }
    }

    /// The column that is in the folders' names only.
    pub fn left_out(&self) -> Option<&str> {
        match self {
            Division::Days { column } => Some(column),
            Division::Whole | Division::Months { .. } => None,
        }
    }

    /// The name of a key's object, below the folder of what is exported.
    pub fn object(&self, key: Key) -> String {
        let date = key.and_then(Date32Type::to_naive_date_opt);
        let named = |format: &str| {
            date.map_or_else(|| NULL.to_owned(), |date| date.format(format).to_string())
        };
        match self {
            Division::Whole => OBJECT.to_owned(),
            Division::Days { column } => format!("{column}={}/{OBJECT}", named("%Y-%m-%d")),
            Division::Months { folder, .. } => format!("{folder}={}/{OBJECT}", named("%Y-%m")),
        }
    }

    /// Of each row.
    pub fn keys(&self, batch: &RecordBatch) -> Result<Vec<Key>, ArrowError> {
        let Some(column) = self.column() else {
            return Ok(vec![None; batch.num_rows()]);
        };
        let dates = batch
            .column_by_name(column)
            .ok_or_else(|| ArrowError::SchemaError(format!("there is no column {column}")))?;
        let dates = cast(dates, &DataType::Date32)?;
        let dates = dates.as_primitive::<Date32Type>();
        let key = |row: usize| {
            let day = dates.is_valid(row).then(|| dates.value(row))?;
            match self {
                Division::Months { .. } => first_of_month(day),
                Division::Days { .. } | Division::Whole => Some(day),
            }
        };
        Ok((0..dates.len()).map(key).collect())
    }

    /// True for the rows of these objects, and perhaps of others; `None` where all may be.
    pub fn rows_of(&self, keys: &BTreeSet<Key>) -> Option<Expr> {
        let column = ident(self.column()?);
        let mut stretches: Vec<(i32, i32)> = Vec::new();
        for from in keys.iter().copied().flatten() {
            let to = self.next(from)?;
            match stretches.last_mut() {
                Some((_, end)) if *end == from => *end = to,
                _ => stretches.push((from, to)),
            }
        }
        if stretches.len() > STRETCHES_AT_MOST
            && let (Some((from, _)), Some((_, to))) = (stretches.first(), stretches.last())
        {
            stretches = vec![(*from, *to)];
        }
        let date = |day: i32| lit(ScalarValue::Date32(Some(day)));
        let of_dates = stretches.into_iter().map(|(from, to)| {
            let begun = column.clone().gt_eq(date(from));
            begun.and(column.clone().lt(date(to)))
        });
        let of_null = keys.contains(&None).then(|| column.clone().is_null());
        of_dates.chain(of_null).reduce(Expr::or)
    }

    /// The first day that a stretch does not hold any more.
    fn next(&self, from: i32) -> Option<i32> {
        match self {
            Division::Months { .. } => {
                let date = Date32Type::to_naive_date_opt(from)?;
                Some(days(date.checked_add_months(Months::new(1))?))
            }
            Division::Days { .. } | Division::Whole => from.checked_add(1),
        }
    }
}

/// `None` for a date that is none of our calendar's.
fn first_of_month(day: i32) -> Option<i32> {
    let date = Date32Type::to_naive_date_opt(day)?;
    Some(days(date.with_day(1)?))
}

fn days(date: NaiveDate) -> i32 {
    Date32Type::from_naive_date(date)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Int64Array};
    use arrow::datatypes::Field;

    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("chat_id", DataType::Int64, true),
            Field::new("started_date", DataType::Date32, true),
        ])
    }

    fn division(partition: Partition) -> Division {
        Division::of(&schema(), partition)
            .expect("a division")
            .expect("by date")
    }

    #[test]
    fn rows_go_to_the_object_of_their_date() {
        let dates = Date32Array::from(vec![Some(19_782), None, Some(19_813), Some(19_812)]);
        let rows = RecordBatch::try_new(
            Arc::new(schema()),
            vec![
                Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef,
                Arc::new(dates),
            ],
        )
        .expect("rows");
        let check = |partition: Partition, expected: [&str; 4]| {
            let division = division(partition);
            let keys = division.keys(&rows).expect("keys");
            let objects: Vec<String> = keys.iter().map(|key| division.object(*key)).collect();
            assert_eq!(objects, expected);
        };
        check(
            Partition::Day,
            [
                "started_date=2024-02-29/data.parquet",
                "started_date=__HIVE_DEFAULT_PARTITION__/data.parquet",
                "started_date=2024-03-31/data.parquet",
                "started_date=2024-03-30/data.parquet",
            ],
        );
        check(
            Partition::Month,
            [
                "started_month=2024-02/data.parquet",
                "started_month=__HIVE_DEFAULT_PARTITION__/data.parquet",
                "started_month=2024-03/data.parquet",
                "started_month=2024-03/data.parquet",
            ],
        );
        check(Partition::None, ["data.parquet"; 4]);
    }

    #[test]
    fn rows_are_looked_up_by_stretches_of_dates() {
        let check = |partition: Partition, keys: &[Key], expected: &str| {
            let predicate = division(partition).rows_of(&keys.iter().copied().collect());
            let predicate = predicate.map_or("all".to_owned(), |predicate| predicate.to_string());
            assert_eq!(predicate, expected);
        };
        let day = Partition::Day;
        check(
            day,
            &[Some(1), Some(2), Some(9), None],
            "started_date >= Date32(\"1970-01-02\") AND started_date < Date32(\"1970-01-04\") OR \
             started_date >= Date32(\"1970-01-10\") AND started_date < Date32(\"1970-01-11\") OR \
             started_date IS NULL",
        );
        let many: Vec<Key> = (0..40).map(|day| Some(day * 2)).collect();
        check(
            day,
            &many,
            "started_date >= Date32(\"1970-01-01\") AND started_date < Date32(\"1970-03-21\")",
        );
        check(
            Partition::Month,
            &[Some(0), Some(31)],
            "started_date >= Date32(\"1970-01-01\") AND started_date < Date32(\"1970-03-01\")",
        );
        check(Partition::None, &[None], "all");
    }
}
