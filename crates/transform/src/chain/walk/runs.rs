//! Runs of flows, also those that trail the close.

use std::collections::HashMap;

use super::record::{Position, Run};
use super::{PendingFinish, Walk};
use crate::chain::order::ChainEvent;
use crate::settings::FLOW_STARTS;
use events::Kind;

/// An event's place in a chain: in which of the sessions derived, and there at which index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub session: usize,
    pub index: usize,
}

/// The starts and finishes of a whole chain that belong together: a finish closes the latest open run of its
/// flow and token, also one of an earlier session.
#[derive(Debug, Default)]
pub(in crate::chain) struct Finishes {
    finish_of: HashMap<Place, Place>,
    start_of: HashMap<Place, Place>,
    /// Runs of sessions that are kept may finish in this chain, where their starts are gone.
    follow_kept_runs: bool,
}

/// The flow and the token that tell a start from those of other runs.
type FlowRun<'a> = (Option<i64>, Option<&'a str>);

impl Finishes {
    /// Of the events of each session, in order, after so many runs of sessions that are kept.
    pub fn of<'a>(sessions: impl Iterator<Item = &'a [ChainEvent]>, kept_runs: i32) -> Self {
        let mut open: Vec<(Place, FlowRun)> = Vec::new();
        let mut finishes = Self {
            follow_kept_runs: kept_runs > 0,
            ..Self::default()
        };
        for (session, events) in sessions.enumerate() {
            for (index, event) in events.iter().enumerate() {
                let Some(flow) = event.event.flow() else {
                    continue;
                };
                let flow = (flow.flow_id, flow.flow_token.as_deref());
                let place = Place { session, index };
                if event.kind() == Kind::StartedAutomationFlow {
                    open.push((place, flow));
                } else if let Some(latest) = open.iter().rposition(|(_, started)| *started == flow)
                {
                    let (start, _) = open.remove(latest);
                    finishes.finish_of.insert(start, place);
                    finishes.start_of.insert(place, start);
                }
            }
        }
        finishes
    }
}

impl Walk<'_> {
    pub(super) fn start_run(&mut self, index: usize, position: Position) {
        self.pending_finish = None;
        self.exit_seen = None;
        self.finished = None;
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
        }
        self.open_run(index, position);
        self.running.push(index);
        self.state.flow_running = true;
    }

    /// The finish of an earlier session's run says nothing of this session.
    pub(super) fn finish_run(&mut self, index: usize, position: Position) {
        if self.finishes_earlier_session(index) {
            return;
        }
        match self.finishes.start_of.get(&self.place(index)) {
            Some(start) => self.running.retain(|running| *running != start.index),
            None if self.tells_the_same_finish(index) => return,
            None => {}
        }
        self.finished = Some(index);
        self.state.flow_running = !self.running.is_empty();
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
            if self.state.agent.is_none() && !self.has_handed_over(position) {
                self.exit_seen = None;
                self.pending_finish = Some(PendingFinish {
                    position,
                    in_chat: None,
                });
            }
        }
    }

    /// Whether another flow has started in the instant in which one finishes: the bot goes on.
    fn has_handed_over(&self, finish: Position) -> bool {
        let mut running = self.running.iter();
        running.any(|&start| self.events[start].at == finish.at)
    }

    /// The finish of no run that is open, but of the flow that has finished last.
    fn tells_the_same_finish(&self, index: usize) -> bool {
        let flow = |index: usize| {
            let flow = self.events[index].event.flow()?;
            Some((flow.flow_id, flow.flow_token.as_deref()))
        };
        let is_same = |known| flow(known) == flow(index);
        self.settings.expects(&FLOW_STARTS) && self.finished.is_some_and(is_same)
    }

    /// A finish without a start may be that of a run whose start is gone with its session's events: better no
    /// instant for a wait than one of another session.
    pub(super) fn finishes_earlier_session(&self, index: usize) -> bool {
        match self.finishes.start_of.get(&self.place(index)) {
            Some(start) => start.session < self.session,
            None => self.finishes.follow_kept_runs && self.settings.expects(&FLOW_STARTS),
        }
    }

    /// An agent writes to the contact: flows of which no finish comes have had their turn.
    pub(super) fn end_turns_of_unfinished_runs(&mut self) {
        let finishes = &self.finishes.finish_of;
        let session = self.session;
        self.running
            .retain(|&index| finishes.contains_key(&Place { session, index }));
        self.state.flow_running = !self.running.is_empty();
    }

    /// The queue or another agent takes the chat from whichever flows run.
    pub(super) fn interrupt_runs(&mut self) {
        self.running.clear();
        self.state.flow_running = false;
    }

    /// An event after the close: it tells of the session and changes no state.
    pub(super) fn trail(&mut self, index: usize, event: &ChainEvent) {
        let position = Position {
            step: self.out.steps.len(),
            at: event.at,
        };
        match event.kind() {
            Kind::StartedAutomationFlow => self.open_run(index, position),
            Kind::UpdatedWorkflowStep => self.change_step(event),
            _ => {}
        }
    }

    fn open_run(&mut self, index: usize, position: Position) {
        let is_entry = self.out.segments.is_empty() && self.out.episodes.is_empty();
        self.out.runs.push(Run {
            started: position,
            start: index,
            finish: self.finishes.finish_of.get(&self.place(index)).copied(),
            is_entry,
        });
    }

    fn place(&self, index: usize) -> Place {
        Place {
            session: self.session,
            index,
        }
    }
}
