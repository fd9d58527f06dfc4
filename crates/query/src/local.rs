//! SQL functions between instants, which the lake keeps in UTC, and the clock of its business time zone.
//!
//! `local_time(instant)` is what a local clock shows, `local_date(instant)` its date, and
//! `date_start(date)` the instant at which a local date begins. An hour that the clock repeats has one
//! `local_time` for two instants: durations are differences of instants, never of local times.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use datafusion::common::HashMap;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{
    Coercion, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignatureClass, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::parameters::local_instant;

/// The functions, for one zone.
pub(crate) fn functions(zone: Tz) -> [Arc<ScalarUDF>; 3] {
    [Reading::LocalTime, Reading::LocalDate, Reading::DateStart]
        .map(|reading| Arc::new(ScalarUDF::from(LocalFunction::new(reading, zone))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    LocalTime,
    LocalDate,
    DateStart,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LocalFunction {
    reading: Reading,
    zone: Tz,
    signature: Signature,
}

impl LocalFunction {
    fn new(reading: Reading, zone: Tz) -> Self {
        let signature = match reading {
            Reading::LocalTime | Reading::LocalDate => Signature::coercible(
                vec![Coercion::new_exact(TypeSignatureClass::Timestamp)],
                Volatility::Immutable,
            ),
            Reading::DateStart => Signature::exact(vec![DataType::Date32], Volatility::Immutable),
        };
        Self {
            reading,
            zone,
            signature,
        }
    }

    fn convert(&self, values: &dyn Array) -> Result<ArrayRef> {
        match self.reading {
            Reading::LocalTime => local_times(values, self.zone),
            Reading::LocalDate => local_dates(values, self.zone),
            Reading::DateStart => date_starts(values, self.zone),
        }
    }
}

impl ScalarUDFImpl for LocalFunction {
    fn name(&self) -> &str {
        match self.reading {
            Reading::LocalTime => "local_time",
            Reading::LocalDate => "local_date",
            Reading::DateStart => "date_start",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.reading {
            Reading::LocalTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Reading::LocalDate => DataType::Date32,
            Reading::DateStart => instant_type(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [argument] = take_function_args(self.name(), args.args)?;
        Ok(match argument {
            ColumnarValue::Array(values) => ColumnarValue::Array(self.convert(&values)?),
            ColumnarValue::Scalar(value) => {
                let converted = self.convert(&value.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&converted, 0)?)
            }
        })
    }
}

fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn local_times(instants: &dyn Array, zone: Tz) -> Result<ArrayRef> {
    let times: TimestampMicrosecondArray = microseconds(instants)?
        .unary_opt(|instant| Some(local(instant, zone)?.and_utc().timestamp_micros()));
    Ok(Arc::new(times))
}

fn local_dates(instants: &dyn Array, zone: Tz) -> Result<ArrayRef> {
    let dates: Date32Array =
        microseconds(instants)?.unary_opt(|instant| days(local(instant, zone)?.date()));
    Ok(Arc::new(dates))
}

fn date_starts(dates: &dyn Array, zone: Tz) -> Result<ArrayRef> {
    let dates = cast(dates, &DataType::Date32)?;
    let start = |days: i32| {
        let date = Date32Type::to_naive_date_opt(days)?;
        Some(local_instant(date.and_time(NaiveTime::MIN), zone)?.timestamp_micros())
    };
    // A batch has few dates, and each is looked up once in the zone's rules.
    let mut known = HashMap::new();
    let dates = dates.as_primitive::<Date32Type>().iter();
    let starts: TimestampMicrosecondArray = dates
        .map(|days| days.and_then(|days| *known.entry(days).or_insert_with(|| start(days))))
        .collect();
    Ok(Arc::new(starts.with_timezone("UTC")))
}

pub(crate) fn microseconds(instants: &dyn Array) -> Result<TimestampMicrosecondArray> {
    // Only the unit and the name of the zone change: an instant stays the same number.
    Ok(cast(instants, &instant_type())?.as_primitive().clone())
}

fn local(instant: i64, zone: Tz) -> Option<NaiveDateTime> {
    Some(
        DateTime::from_timestamp_micros(instant)?
            .with_timezone(&zone)
            .naive_local(),
    )
}

fn days(date: NaiveDate) -> Option<i32> {
    i32::try_from((date - NaiveDate::default()).num_days()).ok()
}
