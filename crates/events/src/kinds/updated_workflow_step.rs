//! `updatedWorkflowStep`: the chat moved to another step of a workflow.

use super::{Detail, Event, Kind, Object, chat_inside};

#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowStep {
    pub workflow_id: Option<i64>,
    pub workflow_name: Option<String>,
    pub step_id: Option<i64>,
    pub step_name: Option<String>,
    pub previous_step_id: Option<i64>,
    pub previous_step_name: Option<String>,
    pub previous_workflow_id: Option<i64>,
    pub previous_workflow_name: Option<String>,
}

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    let (step, previous) = (item.object("step"), item.object("previousStep"));
    let (workflow, previous_workflow) = (step.object("workflow"), previous.object("workflow"));
    let detail = WorkflowStep {
        workflow_id: workflow.id("id"),
        workflow_name: workflow.word("name"),
        step_id: step.id("id"),
        step_name: step.word("name"),
        previous_step_id: previous.id("id"),
        previous_step_name: previous.word("name"),
        previous_workflow_id: previous_workflow.id("id"),
        previous_workflow_name: previous_workflow.word("name"),
    };
    let event = chat_inside(kind, item);
    Event {
        workflow_id: detail.workflow_id.or(event.workflow_id),
        workflow_step_id: detail.step_id.or(event.workflow_step_id),
        detail: Detail::WorkflowStep(Box::new(detail)),
        ..event
    }
}
