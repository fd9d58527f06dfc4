//! `business_seconds(from, to[, department_id])`: the seconds of a stretch of time in which the business is
//! open, by the calendar that the facts were derived with.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int64Type};
use chrono::{DateTime, Utc};
use datafusion::common::types::{NativeType, logical_int64};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Coercion, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, TypeSignatureClass, Volatility,
};

use crate::local::microseconds;

/// The lake's business hours. Whoever makes an engine knows them; this crate does not.
pub trait BusinessHours: Debug + Send + Sync {
    /// The open seconds of `from..to` for a department, or for what is in none; nothing without a calendar.
    fn seconds(
        &self,
        department_id: Option<i64>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Option<i64>;
}

/// The function, by those hours; NULL throughout without any.
pub(crate) fn function(hours: Option<Arc<dyn BusinessHours>>) -> Arc<ScalarUDF> {
    let instant = || Coercion::new_exact(TypeSignatureClass::Timestamp);
    let id = Coercion::new_implicit(
        TypeSignatureClass::Native(logical_int64()),
        vec![TypeSignatureClass::Integer],
        NativeType::Int64,
    );
    let signature = Signature::one_of(
        vec![
            TypeSignature::Coercible(vec![instant(), instant()]),
            TypeSignature::Coercible(vec![instant(), instant(), id]),
        ],
        Volatility::Immutable,
    );
    Arc::new(ScalarUDF::from(BusinessSeconds { hours, signature }))
}

#[derive(Debug)]
struct BusinessSeconds {
    hours: Option<Arc<dyn BusinessHours>>,
    signature: Signature,
}

/// One engine has one calendar, so that two of these differ only across engines.
impl PartialEq for BusinessSeconds {
    fn eq(&self, other: &Self) -> bool {
        match (&self.hours, &other.hours) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for BusinessSeconds {}

impl Hash for BusinessSeconds {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.signature.hash(state);
    }
}

impl ScalarUDFImpl for BusinessSeconds {
    fn name(&self) -> &str {
        "business_seconds"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns: Vec<ArrayRef> = args
            .args
            .iter()
            .map(|argument| argument.to_array(args.number_rows))
            .collect::<Result<_>>()?;
        let (from, to) = (microseconds(&columns[0])?, microseconds(&columns[1])?);
        let departments = columns
            .get(2)
            .map(|column| cast(column, &DataType::Int64))
            .transpose()?;
        let departments = departments
            .as_ref()
            .map(|ids| ids.as_primitive::<Int64Type>());
        let seconds = |row: usize| {
            let department = departments.and_then(|ids| value(ids, row));
            let instant = |micros: Option<i64>| DateTime::from_timestamp_micros(micros?);
            let (from, to) = (value(&from, row), value(&to, row));
            self.hours
                .as_ref()?
                .seconds(department, instant(from)?, instant(to)?)
        };
        let seconds: Int64Array = (0..args.number_rows).map(seconds).collect();
        Ok(ColumnarValue::Array(Arc::new(seconds)))
    }
}

fn value<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}
