//! JSON in text, such as `events.payload` and `fact_flow_runs.answers`: the functions of datafusion-functions-json,
//! `json_get_str(payload, 'chat', 'id')` and its kin, and the operators `->` and `->>`.
//!
//! Its operators answer a union of all kinds of JSON, which no file format of ours can hold: here `->` answers JSON
//! in text, so that it can be printed, and read on. `json_get` and `json_get_array`, unions too, are left out.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion_functions_json::udfs::{
    json_as_text_udf, json_contains_udf, json_get_bool_udf, json_get_float_udf, json_get_int_udf,
    json_get_json_udf, json_get_str_udf, json_length_udf,
};

pub(crate) fn functions() -> [Arc<ScalarUDF>; 8] {
    [
        json_get_str_udf(),
        json_get_int_udf(),
        json_get_float_udf(),
        json_get_bool_udf(),
        json_get_json_udf(),
        json_as_text_udf(),
        json_length_udf(),
        json_contains_udf(),
    ]
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
        let function = match expr.op {
            BinaryOperator::Arrow => json_get_json_udf(),
            BinaryOperator::LongArrow => json_as_text_udf(),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let call = ScalarFunction::new_udf(function, vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}
