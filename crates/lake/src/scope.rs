//! Whose rows a rewrite replaces: which files may hold such rows, and which rows they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::{Expr, col};
use deltalake::kernel::LogicalFileView;

use crate::ranges::near_any_of;

/// Whose rows are replaced.
#[derive(Debug, Clone)]
pub enum Scope {
    Everything,
    /// The rows whose integer `column` is one of `keys`.
    Keys {
        column: &'static str,
        keys: BTreeSet<i64>,
    },
    /// Of each key, the rows whose `instant` column is not before the key's own.
    KeysSince {
        column: &'static str,
        instant: &'static str,
        since: BTreeMap<i64, DateTime<Utc>>,
    },
}

/// The replaced rows of some keys.
#[derive(Debug, Clone)]
pub(crate) struct Replaced {
    column: &'static str,
    instant: Option<&'static str>,
    /// Microseconds from which on a key's rows are replaced.
    since: Arc<BTreeMap<i64, i64>>,
}

/// The log may give instants in milliseconds.
const LOG_PRECISION_MICROS: i64 = 1_000;

impl Replaced {
    /// `None` where everything is replaced.
    pub fn of(scope: Scope) -> Option<Self> {
        match scope {
            Scope::Everything => None,
            Scope::Keys { column, keys } => Some(Self {
                column,
                instant: None,
                since: Arc::new(keys.into_iter().map(|key| (key, i64::MIN)).collect()),
            }),
            Scope::KeysSince {
                column,
                instant,
                since,
            } => {
                let since = since
                    .into_iter()
                    .map(|(key, at)| (key, at.timestamp_micros()));
                Some(Self {
                    column,
                    instant: Some(instant),
                    since: Arc::new(since.collect()),
                })
            }
        }
    }

    /// Whether the file may hold such rows, by the log's statistics; without statistics, it may.
    pub fn may_be_in(&self, file: &LogicalFileView) -> bool {
        let stats = file
            .stats()
            .and_then(|stats| serde_json::from_str::<serde_json::Value>(&stats).ok());
        let bound = |which: &str, column: &str| stats.as_ref()?.get(which)?.get(column).cloned();
        let key = |which| bound(which, self.column)?.as_i64();
        let low = key("minValues").unwrap_or(i64::MIN);
        let high = key("maxValues").unwrap_or(i64::MAX);
        let latest = self
            .instant
            .and_then(|instant| bound("maxValues", instant)?.as_str()?.parse().ok())
            .map_or(i64::MAX, |latest: DateTime<Utc>| {
                latest.timestamp_micros() + LOG_PRECISION_MICROS
            });
        low <= high
            && self
                .since
                .range(low..=high)
                .any(|(_, since)| *since <= latest)
    }

    /// For each pair of bounds of keys, whether replaced rows may lie between them; without bounds, they may.
    pub fn may_be_between(
        &self,
        least: &ArrayRef,
        greatest: &ArrayRef,
    ) -> Result<Vec<bool>, ArrowError> {
        let least = cast(least, &DataType::Int64)?;
        let greatest = cast(greatest, &DataType::Int64)?;
        let bounds = least
            .as_primitive::<Int64Type>()
            .iter()
            .zip(greatest.as_primitive::<Int64Type>());
        let may_be = |(low, high): (Option<i64>, Option<i64>)| {
            let (low, high) = (low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX));
            low <= high && self.since.range(low..=high).next().is_some()
        };
        Ok(bounds.map(may_be).collect())
    }

    /// The column that holds the keys.
    pub fn key_column(&self) -> &'static str {
        self.column
    }

    /// True for the replaced rows, and by what the table knows of its rows false for as many others as can be.
    pub fn sought(&self) -> Expr {
        let near = near_any_of(self.column, self.since.keys().copied());
        near.into_iter()
            .fold(self.replaced(), |replaced, near| near.and(replaced))
    }

    /// True for the rows that stay.
    pub fn kept(&self) -> Expr {
        !self.replaced()
    }

    /// True for the replaced rows. Computed and not spelled out: there may be thousands of keys, each
    /// with an instant of its own.
    pub fn replaced(&self) -> Expr {
        let replaced = self.clone();
        let is_replaced = move |arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            Ok(ColumnarValue::Array(Arc::new(replaced.mask(&arrays)?)))
        };
        let types = std::iter::once(DataType::Int64).chain(self.instant.map(|_| instant_type()));
        let is_replaced = create_udf(
            "is_replaced",
            types.collect(),
            DataType::Boolean,
            Volatility::Immutable,
            Arc::new(is_replaced),
        );
        is_replaced.call(self.columns().map(col).collect())
    }

    /// As [`Self::replaced`], of these rows.
    pub fn mask_of(&self, rows: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let columns = self
            .columns()
            .map(|name| rows.column_by_name(name).cloned());
        let columns: Option<Vec<ArrayRef>> = columns.collect();
        let missing = || ArrowError::SchemaError(format!("there is no column {}", self.column));
        self.mask(&columns.ok_or_else(missing)?)
    }

    fn columns(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.column).chain(self.instant)
    }

    /// A row without a key is never replaced; one without an instant is, where instants count.
    fn mask(&self, columns: &[ArrayRef]) -> Result<BooleanArray, ArrowError> {
        let keys = cast(&columns[0], &DataType::Int64)?;
        let keys = keys.as_primitive::<Int64Type>();
        let instants = columns
            .get(1)
            .map(|instants| cast(instants, &instant_type()))
            .transpose()?;
        let instants = instants
            .as_ref()
            .map(|instants| instants.as_primitive::<TimestampMicrosecondType>());
        let is_replaced = |row: usize| {
            let since = keys
                .is_valid(row)
                .then(|| self.since.get(&keys.value(row)))
                .flatten();
            let at = instants.filter(|instants| instants.is_valid(row));
            since.is_some_and(|since| at.is_none_or(|instants| instants.value(row) >= *since))
        };
        Ok((0..keys.len()).map(|row| Some(is_replaced(row))).collect())
    }
}

fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
