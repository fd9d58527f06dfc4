//! `count(DISTINCT ...)` in bounded memory. DataFusion keeps a set of its own for every group, of texts some
//! kilobytes each, and of a struct each value with the whole batch that it came in: thousands of days and
//! channels, or millions of structs, then take more memory than there is. Here one set holds the values of all
//! groups, as GROUP BY does. Several arguments count their combinations.
//!
//! Whole numbers DataFusion counts well by itself, and a lone `count(DISTINCT x)` it turns into a GROUP BY.

mod counted;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, Aggregate, AggregateUDF, AggregateUDFImpl, Expr, ExprSchemable, GroupsAccumulator,
    LogicalPlan, Signature, Volatility,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::scalar::ScalarValue;

use counted::{Counted, OneGroup};

/// Has what DataFusion would count in a set for each group counted in one.
#[derive(Debug)]
pub(crate) struct CountDistinctTogether {
    function: Arc<AggregateUDF>,
}

impl CountDistinctTogether {
    pub fn new() -> Self {
        Self {
            function: Arc::new(AggregateUDF::from(CountDistinct {
                signature: Signature::variadic_any(Volatility::Immutable),
            })),
        }
    }

    fn rewrite_call(&self, call: Expr, input: &LogicalPlan) -> Result<Transformed<Expr>> {
        match call {
            Expr::AggregateFunction(mut call) if is_meant(&call, input)? => {
                call.func = self.function.clone();
                call.params.distinct = false;
                Ok(Transformed::yes(Expr::AggregateFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

fn is_meant(call: &AggregateFunction, input: &LogicalPlan) -> Result<bool> {
    if call.func.name() != "count" || !call.params.distinct {
        return Ok(false);
    }
    match call.params.args.as_slice() {
        [only] => Ok(!only.get_type(input.schema())?.is_integer()),
        _ => Ok(true),
    }
}

impl OptimizerRule for CountDistinctTogether {
    fn name(&self) -> &str {
        "count_distinct_together"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = plan else {
            return Ok(Transformed::no(plan));
        };
        let mut changed = false;
        let names = NamePreserver::new_for_projection();
        let calls = aggregate.aggr_expr.iter().map(|expr| {
            let name = names.save(expr);
            let call = expr
                .clone()
                .transform_up(|expr| self.rewrite_call(expr, &aggregate.input))?;
            changed |= call.transformed;
            Ok(name.restore(call.data))
        });
        let calls: Vec<Expr> = calls.collect::<Result<_>>()?;
        if !changed {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let aggregate = Aggregate::try_new(aggregate.input, aggregate.group_expr, calls)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountDistinct {
    signature: Signature,
}

impl AggregateUDFImpl for CountDistinct {
    fn name(&self) -> &str {
        "count_distinct"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _type: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    /// Of each argument the values of a group; the lists are of one length.
    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |(place, input): (usize, &FieldRef)| {
            let values = Field::new_list_field(input.data_type().clone(), true);
            let name = format!("{}[{place}]", args.name);
            Arc::new(Field::new(name, DataType::LargeList(values.into()), true))
        };
        Ok(args.input_fields.iter().enumerate().map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup::new(Counted::new(types(&args))?)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Counted::new(types(&args))?))
    }
}

fn types(args: &AccumulatorArgs) -> Vec<DataType> {
    let fields = args.expr_fields.iter();
    fields.map(|field| field.data_type().clone()).collect()
}
