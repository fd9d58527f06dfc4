//! JSON in text, such as `events.payload` and `fact_flow_runs.answers`: `json_get_str(payload, 'chat', 'id')`
//! and its kin, and the operators `->` and `->>`.
//!
//! Names and meaning are those of the crate datafusion-functions-json, so that it may take their place. What is
//! not there, or of another kind, or no JSON, is NULL.

mod path;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use path::{Step, find, length};

pub(crate) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    Reading::ALL.into_iter().map(function)
}

fn function(reading: Reading) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(JsonFunction {
        reading,
        signature: Signature::variadic_any(Volatility::Immutable),
    }))
}

/// What is made of the value at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    Str,
    Int,
    Float,
    Bool,
    Json,
    AsText,
    Length,
    Contains,
}

impl Reading {
    const ALL: [Reading; 8] = [
        Reading::Str,
        Reading::Int,
        Reading::Float,
        Reading::Bool,
        Reading::Json,
        Reading::AsText,
        Reading::Length,
        Reading::Contains,
    ];
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonFunction {
    reading: Reading,
    signature: Signature,
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        match self.reading {
            Reading::Str => "json_get_str",
            Reading::Int => "json_get_int",
            Reading::Float => "json_get_float",
            Reading::Bool => "json_get_bool",
            Reading::Json => "json_get_json",
            Reading::AsText => "json_as_text",
            Reading::Length => "json_length",
            Reading::Contains => "json_contains",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.reading {
            Reading::Str | Reading::Json | Reading::AsText => DataType::Utf8View,
            Reading::Int | Reading::Length => DataType::Int64,
            Reading::Float => DataType::Float64,
            Reading::Bool | Reading::Contains => DataType::Boolean,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((json, path)) = args.args.split_first() else {
            return exec_err!("{} needs JSON, and the path in it", self.name());
        };
        let path = self.path(path)?;
        let json = cast(&json.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let found = json.as_string_view().iter().map(|text| find(text?, &path));
        Ok(ColumnarValue::Array(self.read(found)))
    }
}

impl JsonFunction {
    fn path(&self, arguments: &[ColumnarValue]) -> Result<Vec<Step>> {
        let steps = arguments.iter().map(|argument| {
            let ColumnarValue::Scalar(step) = argument else {
                return exec_err!(
                    "the path of {} must be written out, such as 'chat', 'id'",
                    self.name()
                );
            };
            if let Some(Some(key)) = step.try_as_str() {
                return Ok(Step::Key(key.to_owned()));
            }
            match step.cast_to(&DataType::UInt64) {
                Ok(datafusion::scalar::ScalarValue::UInt64(Some(index))) => {
                    Ok(Step::Index(index as usize))
                }
                _ => exec_err!("{step} is neither a key of an object nor a place in an array"),
            }
        });
        steps.collect()
    }

    fn read<'a>(&self, found: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        match self.reading {
            Reading::Str => {
                let texts = found.map(|raw| serde_json::from_str::<String>(raw?).ok());
                Arc::new(texts.collect::<StringViewArray>())
            }
            Reading::AsText => {
                Arc::new(found.map(|raw| as_text(raw?)).collect::<StringViewArray>())
            }
            Reading::Json => Arc::new(found.collect::<StringViewArray>()),
            Reading::Int => {
                let numbers = found.map(|raw| raw?.parse().ok());
                Arc::new(numbers.collect::<Int64Array>())
            }
            Reading::Float => {
                let numbers = found.map(|raw| serde_json::from_str::<f64>(raw?).ok());
                Arc::new(numbers.collect::<Float64Array>())
            }
            Reading::Bool => {
                let flags = found.map(|raw| raw?.parse::<bool>().ok());
                Arc::new(flags.collect::<BooleanArray>())
            }
            Reading::Length => Arc::new(found.map(|raw| length(raw?)).collect::<Int64Array>()),
            Reading::Contains => {
                let flags = found.map(|raw| Some(raw.is_some()));
                Arc::new(flags.collect::<BooleanArray>())
            }
        }
    }
}

/// A string without its quotes, anything else as it is written; `null` is NULL.
fn as_text(raw: &str) -> Option<String> {
    match raw {
        "null" => None,
        _ if raw.starts_with('"') => serde_json::from_str(raw).ok(),
        _ => Some(raw.to_owned()),
    }
}

/// `json -> 'key'` as JSON, `json ->> 'key'` as text.
#[derive(Debug)]
pub(crate) struct JsonOperators;

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let reading = match expr.op {
            BinaryOperator::Arrow => Reading::Json,
            BinaryOperator::LongArrow => Reading::AsText,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let call = ScalarFunction::new_udf(function(reading), vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}
