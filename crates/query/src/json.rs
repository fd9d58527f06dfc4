//! JSON in text, such as `events.payload` and `fact_flow_runs.answers`: the functions of datafusion-functions-json,
//! `json_get_str(payload, 'chat', 'id')` and its kin, and the operators `->` and `->>`.
//!
//! Its operators answer a union of all kinds of JSON, which no file format of ours can hold: here `->` answers JSON
//! in text, so that it can be printed, and read on. `json_get` and `json_get_array`, unions too, are left out.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, lit};
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

/// `json -> 'key'` as JSON, `json ->> 'key'` as text; also by a path, `json ->> '$.chat.id'`.
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
        let mut arguments = vec![expr.left];
        match text(&expr.right).filter(|text| is_path(text)) {
            None => arguments.push(expr.right),
            Some(path) => {
                let Some(steps) = steps(path) else {
                    return plan_err!("'{path}' is no path in JSON such as '$.chat.tags[0]'");
                };
                arguments.extend(steps);
            }
        }
        let call = ScalarFunction::new_udf(function, arguments);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

/// A path in one piece, which the functions would take for a key of that name, and answer NULL.
///
/// # Errors
/// How it is written.
pub(crate) fn refuse_paths_as_keys(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                refuse_path_as_key(expr)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

fn refuse_path_as_key(expr: &Expr) -> Result<()> {
    let Expr::ScalarFunction(call) = expr else {
        return Ok(());
    };
    let name = call.func.name();
    let mut keys = call.args.iter().skip(1).filter_map(text);
    match keys.find(|key| is_path(key)) {
        Some(path) if functions().iter().any(|known| known.name() == name) => plan_err!(
            "function {name} takes no ('{path}') but its steps, as {name}(payload, 'chat', 'tags', 0)"
        ),
        _ => Ok(()),
    }
}

fn is_path(key: &str) -> bool {
    key.starts_with("$.") || key.starts_with("$[")
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// The keys and places of a path as other engines write it, where the functions take one after the other.
fn steps(path: &str) -> Option<Vec<Expr>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = match rest.strip_prefix('.') {
            Some(key) => {
                let end = key.find(['.', '[']).unwrap_or(key.len());
                let is_key = |key: &&str| !key.is_empty() && !key.contains(['"', '*', ' ']);
                (lit(Some(&key[..end]).filter(is_key)?), &key[end..])
            }
            None => {
                let (place, rest) = rest.strip_prefix('[')?.split_once(']')?;
                (lit(place.parse::<i64>().ok()?), rest)
            }
        };
        steps.push(step);
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_step_by_step() {
        let check = |path: &str, expected: Option<Vec<Expr>>| assert_eq!(steps(path), expected);
        check("$.chat.id", Some(vec![lit("chat"), lit("id")]));
        check(
            "$[0].tags[12]",
            Some(vec![lit(0_i64), lit("tags"), lit(12_i64)]),
        );
        for path in ["$.", "$..id", "$.a[", "$.a[x]", "$.*", "$.a b", "$.\"a\""] {
            check(path, None);
        }
    }
}
