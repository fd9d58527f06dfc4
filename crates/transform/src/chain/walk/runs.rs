//! Runs of flows, also those that trail the close.

use super::record::{Position, Run};
use super::{PendingFinish, Walk};
use crate::chain::order::ChainEvent;
use events::Kind;

/// The starts and finishes that belong together: a finish closes the latest open run of its flow and
/// token.
pub(super) fn finishes(events: &[ChainEvent]) -> Vec<(usize, usize)> {
    let flow = |index: usize| {
        let flow = events[index].event.flow();
        flow.map(|flow| (flow.flow_id, flow.flow_token.as_deref()))
    };
    let (mut open, mut pairs) = (Vec::new(), Vec::new());
    for (index, event) in events.iter().enumerate() {
        match event.kind() {
            Kind::StartedAutomationFlow => open.push(index),
            Kind::FinishedAutomationFlow => {
                let started = open.iter().rposition(|start| flow(*start) == flow(index));
                pairs.extend(started.map(|started| (open.remove(started), index)));
            }
            _ => {}
        }
    }
    pairs
}

impl Walk<'_> {
    pub(super) fn start_run(&mut self, index: usize, position: Position) {
        self.pending_finish = None;
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
        }
        self.open_run(index, position);
        self.state.flow_running = true;
    }

    pub(super) fn finish_run(&mut self, index: usize, position: Position) {
        self.close_run(index, position);
        self.state.flow_running = false;
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
            if self.state.agent.is_none() {
                self.pending_finish = Some(PendingFinish {
                    position,
                    in_chat: None,
                });
            }
        }
    }

    /// Whether any run that is open has its finish still to come.
    pub(super) fn a_flow_will_finish(&self) -> bool {
        let finishes = |start: usize| self.finishes.iter().any(|(started, _)| *started == start);
        let mut open = self.out.runs.iter().filter(|run| run.finish.is_none());
        open.any(|run| finishes(run.start))
    }

    /// An event after the close: it tells of the session and changes no state.
    pub(super) fn trail(&mut self, index: usize, event: &ChainEvent) {
        let position = Position {
            step: self.out.steps.len(),
            at: event.at,
        };
        match event.kind() {
            Kind::StartedAutomationFlow => self.open_run(index, position),
            Kind::FinishedAutomationFlow => self.close_run(index, position),
            Kind::UpdatedWorkflowStep => self.change_step(event),
            _ => {}
        }
    }

    fn open_run(&mut self, index: usize, position: Position) {
        let is_entry = self.out.segments.is_empty() && self.out.episodes.is_empty();
        self.out.runs.push(Run {
            started: position,
            start: index,
            finish: None,
            finished: None,
            is_entry,
        });
    }

    fn close_run(&mut self, index: usize, position: Position) {
        let pair = self.finishes.iter().find(|(_, finish)| *finish == index);
        let Some((start, _)) = pair else {
            return;
        };
        if let Some(run) = self.out.runs.iter_mut().find(|run| run.start == *start) {
            (run.finish, run.finished) = (Some(index), Some(position));
        }
    }
}
