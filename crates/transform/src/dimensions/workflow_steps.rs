//! `dim_workflow_steps`: the steps of the company's workflows as last told.

use events::{Detail, Event};

use super::{Dimension, Known, Mention};
use crate::columns::{Column, Value, column};

pub(super) static WORKFLOW_STEPS: Dimension = Dimension {
    name: "dim_workflow_steps",
    description: "One row per step (etapa) of a workflow, with the latest known values.",
    id: (
        "workflow_step_id",
        "Id of the step, as in workflow_step_id of fact_chats",
    ),
    fields: FIELDS,
    counts: &[],
    last_seen: "updated_at",
    mentions,
};

const FIELDS: &[Column<Known>] = &[
    column(
        "name",
        "Name as last told; NULL where only the id was ever told",
        Value::Text(|known| known.text(0)),
    ),
    column(
        "workflow_id",
        "Id of the workflow it belongs to",
        Value::Long(|known| known.text(1)?.parse().ok()),
    ),
    column(
        "workflow_name",
        "Latest name of the workflow",
        Value::Text(|known| known.text(2)),
    ),
];

/// The step a chat is in, and, where it moved, both steps with their names.
fn mentions(event: &Event) -> Vec<Mention> {
    let mention =
        |id, name: &Option<String>, workflow_id: Option<i64>, workflow: &Option<String>| {
            let workflow_id = workflow_id.map(|id| id.to_string());
            Mention {
                id,
                values: vec![name.clone(), workflow_id, workflow.clone()],
            }
        };
    match &event.detail {
        Detail::WorkflowStep(change) => vec![
            mention(
                change.step_id,
                &change.step_name,
                change.workflow_id,
                &change.workflow_name,
            ),
            mention(
                change.previous_step_id,
                &change.previous_step_name,
                change.previous_workflow_id,
                &change.previous_workflow_name,
            ),
        ],
        _ => vec![mention(
            event.workflow_step_id,
            &None,
            event.workflow_id,
            &None,
        )],
    }
}
