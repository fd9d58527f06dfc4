//! Changes of department and of workflow step.

use events::Detail;

use super::record::{DepartmentChange, Position, WorkflowChange};
use super::{DISPATCH_LAG, Walk};
use crate::chain::order::ChainEvent;

impl Walk<'_> {
    pub(super) fn change_department(&mut self, event: &ChainEvent, position: Position) {
        let Detail::DepartmentChange {
            previous,
            known: true,
        } = &event.event.detail
        else {
            return;
        };
        let to = event
            .event
            .department
            .as_ref()
            .map(|department| department.id);
        let named = previous.as_ref().map(|department| department.id);
        let repeated = self
            .out
            .department_changes
            .last()
            .is_some_and(|last| last.to == to && last.named_from == named);
        let unchanged = named == to && (to.is_some() || self.department_id.is_none());
        // By what came before it, which this one explains.
        let is_shown = named.is_none() && to.is_some() && self.department_id == to;
        if unchanged || (repeated && self.department_id == to) {
            self.department_id = to;
            return;
        }
        let known = match self.department_id == to {
            true => self.department_before,
            false => self.department_id,
        };
        let from = named.or(known);
        self.out.entry_department_id = self.out.entry_department_id.or(from).or(to);
        let was_waiting = self.was_waiting(event, from, position);
        self.out.department_changes.push(DepartmentChange {
            at: event.at,
            from,
            named_from: named,
            to,
            was_waiting,
        });
        let divides = !is_shown || !self.is_in_department_since_entry();
        if was_waiting && divides {
            self.department_id = from;
            self.change_queue(to, position);
        } else if divides && self.is_after_pending_finish(event) {
            let number = self.out.department_changes.len() - 1;
            self.changed_since_finish.push((number, position));
        }
        (self.department_id, self.department_before) = (to, None);
        self.department_since = Some(event.at);
    }

    /// Whether the wait, or what may prove one since a flow's finish, began in the department as it is known now.
    fn is_in_department_since_entry(&self) -> bool {
        let waiting = self.state.waiting.map(|open| &self.out.episodes[open]);
        let entered = waiting.map(|episode| episode.entered_at.unwrap_or(episode.seen.at));
        // Since a flow's finish a wait is divided where the department changed.
        let changed = self
            .changed_since_finish
            .last()
            .map(|(_, change)| change.at);
        let finished = self.pending_finish.map(|finish| finish.position.at);
        let entered = entered.or(changed).or(finished);
        match (self.department_since, entered) {
            (Some(since), Some(entered)) => since - entered <= DISPATCH_LAG,
            _ => true,
        }
    }

    /// Whether the chat waited when its department changed, as far as the change itself tells.
    fn was_waiting(&mut self, event: &ChainEvent, from: Option<i64>, position: Position) -> bool {
        if event.situation() == Some("in_chat") {
            // The wait was over, and so it was one in the department before.
            self.department_id = from.or(self.department_id);
            self.show_in_chat(false, position);
            if let Some(open) = self.state.waiting {
                self.out.episodes[open].department_id = self.department_id;
                self.department_settled = true;
            }
            return false;
        }
        // The event's own situation only tells what was so before if a flow's finish did earlier.
        if event.shows_waiting() && self.is_after_pending_finish(event) {
            self.wait_since_pending_finish(position);
        }
        self.state.waiting.is_some()
    }

    /// What comes with the finish tells what the flow did; later it is news of its own.
    fn is_after_pending_finish(&self, event: &ChainEvent) -> bool {
        self.pending_finish
            .is_some_and(|finish| event.at - finish.position.at > DISPATCH_LAG)
    }

    pub(super) fn change_step(&mut self, event: &ChainEvent) {
        if let Detail::WorkflowStep(step) = &event.event.detail {
            self.out.workflow_changes.push(WorkflowChange {
                at: event.at,
                agent_id: event.event.agent.as_ref().and_then(|agent| agent.id),
                workflow_id: event.event.workflow_id,
                from_step_id: step.previous_step_id,
                to_step_id: step.step_id.or(event.event.workflow_step_id),
            });
        }
    }
}
