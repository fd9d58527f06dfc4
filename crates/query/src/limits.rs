//! A limit above a scan that says it takes limits, and takes none.
//!
//! The planner moves a limit down through what `supports_limit_pushdown`, and drops it at a leaf that does
//! and yet cannot `with_fetch`. A Delta scan of nothing but partition columns and constants is such a leaf.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};

/// The rule that moves limits; those here come before it.
const MOVES_LIMITS: &str = "LimitPushdown";

/// The rules, with [`KeepLimits`] where it must be.
pub(crate) fn keeping_limits(
    rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = rules.to_vec();
    let before = rules.iter().position(|rule| rule.name() == MOVES_LIMITS);
    rules.insert(before.unwrap_or_default(), Arc::new(KeepLimits));
    rules
}

#[derive(Debug)]
struct KeepLimits;

impl PhysicalOptimizerRule for KeepLimits {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match drops_limits(node.as_ref()) {
                true => Transformed::yes(Arc::new(Unlimited(node)) as _),
                false => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "KeepLimits"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn drops_limits(node: &dyn ExecutionPlan) -> bool {
    node.children().is_empty()
        && node.supports_limit_pushdown()
        && node.with_fetch(Some(1)).is_none()
}

/// Its input, of which all rows are asked for: limits stay above it.
#[derive(Debug)]
struct Unlimited(Arc<dyn ExecutionPlan>);

impl DisplayAs for Unlimited {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl ExecutionPlan for Unlimited {
    fn name(&self) -> &str {
        "Unlimited"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Unlimited(input))),
            _ => Err(DataFusionError::Internal(
                "a scan has one place in a plan".to_owned(),
            )),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.0.execute(partition, context)
    }
}
