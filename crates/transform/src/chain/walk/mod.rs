//! One pass over a session's events: queue episodes, agent segments, flow runs, changes.
//!
//! The walk keeps what is known of the chat (waiting, with an agent, a flow just finished) and lets
//! each event change it. What cannot be known stays `None`.

mod queue;
mod record;

use chrono::{DateTime, Duration, Utc};
use events::{Detail, Kind, Role};

pub use record::{
    DepartmentChange, EndReason, EnteredSource, Episode, Exit, LeftSource, Position, Run, Segment,
    State, Step, Walked, WorkflowChange,
};

use super::order::ChainEvent;
use crate::settings::Settings;

/// Dispatch may lag the fact by this much: evidence so close to a flow's finish reads as after it.
pub(super) const DISPATCH_LAG: Duration = Duration::seconds(2);

/// Walks the events of one session, in order, up to its close.
pub(super) fn walk(events: &[ChainEvent], settings: &Settings) -> Walked {
    let mut walk = Walk::new(events, settings);
    for index in 0..events.len() {
        if walk.is_done(index) {
            continue;
        }
        if let Some(finish) = walk.finish_just_after(index) {
            walk.step(finish);
        }
        walk.step(index);
    }
    walk.finish()
}

pub(super) struct Walk<'a> {
    events: &'a [ChainEvent],
    settings: &'a Settings,
    out: Walked,
    done: Vec<bool>,
    state: State,
    /// A flow finished with no agent in, and nothing has yet shown where the chat went.
    pending_finish: Option<Position>,
    /// The last instant at which the chat was known not to wait.
    not_waiting_at: Option<DateTime<Utc>>,
    /// Where the unbroken wait began, across changes of department.
    wait_began: Option<DateTime<Utc>>,
    /// When `in_chat` was seen to have ended a wait of which no leaving event came.
    seen_in_chat_at: Option<DateTime<Utc>>,
    department_id: Option<i64>,
}

impl<'a> Walk<'a> {
    fn new(events: &'a [ChainEvent], settings: &'a Settings) -> Self {
        Self {
            events,
            settings,
            out: Walked::default(),
            done: vec![false; events.len()],
            state: State::default(),
            pending_finish: None,
            not_waiting_at: None,
            wait_began: None,
            seen_in_chat_at: None,
            department_id: None,
        }
    }

    fn is_done(&self, index: usize) -> bool {
        self.done[index]
    }

    /// The flow's finish that this queue evidence, with no agent in, has only just overtaken.
    fn finish_just_after(&self, index: usize) -> Option<usize> {
        let event = &self.events[index];
        let evidence =
            event.shows_waiting() || matches!(event.kind(), Kind::LeftQueue | Kind::AgentEntered);
        if !evidence
            || self.state.agent.is_some()
            || self.state.waiting.is_some()
            || self.pending_finish.is_some()
        {
            return None;
        }
        let near = |other: &&ChainEvent| other.at - event.at <= DISPATCH_LAG;
        for (offset, other) in self.events[index + 1..].iter().take_while(near).enumerate() {
            match other.kind() {
                Kind::StartedAutomationFlow => return None,
                Kind::FinishedAutomationFlow => {
                    return Some(index + 1 + offset).filter(|found| !self.done[*found]);
                }
                _ => {}
            }
        }
        None
    }

    fn step(&mut self, index: usize) {
        self.done[index] = true;
        let event = &self.events[index];
        let position = Position {
            step: self.out.steps.len(),
            at: event.at,
        };
        self.note_department(event);
        if event.kind() == Kind::UpdatedChatDepartment {
            self.change_department(event, position);
        }
        self.note_situation(event, position);
        match event.kind() {
            Kind::StartedAutomationFlow => self.start_run(index, position),
            Kind::FinishedAutomationFlow => self.finish_run(index, position),
            Kind::LeftQueue => self.leave_queue(event, position),
            Kind::AgentEntered => self.enter_agent(event, position),
            Kind::UpdatedWorkflowStep => self.change_step(event),
            Kind::ClosedChat => self.close(event),
            _ if event.is_from(Role::Agent) && event.situation() == Some("in_chat") => {
                self.agent_wrote(event, position)
            }
            _ => {}
        }
        let step = Step {
            index,
            state: self.state,
            department_id: self.department_id,
        };
        self.out.steps.push(step);
    }

    fn note_department(&mut self, event: &ChainEvent) {
        if event.kind() != Kind::UpdatedChatDepartment
            && let Some(department) = &event.event.department
        {
            self.department_id = Some(department.id);
            self.out.entry_department_id.get_or_insert(department.id);
        }
    }

    fn note_situation(&mut self, event: &ChainEvent, position: Position) {
        if event.shows_waiting() {
            self.show_waiting(position);
            return;
        }
        match event.situation() {
            Some("auto") => self.show_not_waiting(position),
            Some("in_chat") if !matches!(event.kind(), Kind::LeftQueue | Kind::AgentEntered) => {
                self.show_in_chat(position);
            }
            _ => {}
        }
    }

    fn show_not_waiting(&mut self, position: Position) {
        self.state.in_chat = false;
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
        }
        if self
            .pending_finish
            .is_some_and(|finish| position.at - finish.at > DISPATCH_LAG)
        {
            self.pending_finish = None;
        }
    }

    fn start_run(&mut self, index: usize, position: Position) {
        self.pending_finish = None;
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
        }
        let is_entry = self.out.segments.is_empty() && self.out.episodes.is_empty();
        self.out.runs.push(Run {
            started: position,
            start: index,
            finish: None,
            finished: None,
            is_entry,
        });
        self.state.flow_running = true;
    }

    fn finish_run(&mut self, index: usize, position: Position) {
        let flow = |index: usize| {
            let flow = self.events[index].event.flow();
            flow.map(|flow| (flow.flow_id, flow.flow_token.as_deref()))
        };
        let finished = flow(index);
        let open = self
            .out
            .runs
            .iter()
            .rposition(|run| run.finish.is_none() && flow(run.start) == finished);
        if let Some(open) = open {
            let run = &mut self.out.runs[open];
            (run.finish, run.finished) = (Some(index), Some(position));
        }
        self.state.flow_running = false;
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
            if self.state.agent.is_none() {
                self.pending_finish = Some(position);
            }
        }
    }

    fn enter_agent(&mut self, event: &ChainEvent, position: Position) {
        let agent_id = event.event.agent.as_ref().and_then(|agent| agent.id);
        self.wait_since_pending_finish(position);
        if self.state.waiting.is_some() {
            self.answer(position, LeftSource::AgentEntered, agent_id);
        }
        self.start_segment(agent_id, position);
    }

    /// With no agent in, an agent who writes in the chat is in it.
    fn agent_wrote(&mut self, event: &ChainEvent, position: Position) {
        if self.state.agent.is_none() {
            let sender = event.event.message().and_then(|message| message.sender.id);
            self.start_segment(sender, position);
        }
    }

    fn start_segment(&mut self, agent_id: Option<i64>, position: Position) {
        if let Some(open) = self.state.agent {
            if self.out.segments[open].agent_id == agent_id {
                return;
            }
            self.end_segment(position.at, EndReason::Transferred);
            self.out.transfers += 1;
        }
        self.state.in_chat = false;
        self.state.agent = Some(self.out.segments.len());
        self.out.segments.push(Segment {
            agent_id,
            started: position,
            ended_at: None,
            end_reason: EndReason::Open,
            ended_bounded: false,
            department_id: self.department_id,
        });
        self.answer_unnamed(agent_id);
        self.pending_finish = None;
        self.state.flow_running = false;
        self.not_waiting_at = Some(position.at);
    }

    fn end_segment(&mut self, at: DateTime<Utc>, reason: EndReason) {
        if let Some(open) = self.state.agent.take() {
            let segment = &mut self.out.segments[open];
            (segment.ended_at, segment.end_reason) = (Some(at), reason);
            segment.department_id = self.department_id;
        }
    }

    fn change_department(&mut self, event: &ChainEvent, position: Position) {
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
        if unchanged || (repeated && self.department_id == to) {
            self.department_id = to;
            return;
        }
        let from = named.or(self.department_id.filter(|current| Some(*current) != to));
        self.out.entry_department_id = self.out.entry_department_id.or(from).or(to);
        // The event's own situation only tells what was so before if a flow's finish did earlier.
        let since_finish = self
            .pending_finish
            .is_some_and(|finish| event.at - finish.at > DISPATCH_LAG);
        if event.shows_waiting() && since_finish {
            self.wait_since_pending_finish(position);
        }
        let was_waiting = self.state.waiting.is_some();
        self.out.department_changes.push(DepartmentChange {
            at: event.at,
            from,
            named_from: named,
            to,
            was_waiting,
        });
        if was_waiting {
            self.department_id = from.or(self.department_id);
            self.change_queue(to, position);
        }
        self.department_id = to;
    }

    fn change_step(&mut self, event: &ChainEvent) {
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

    fn close(&mut self, event: &ChainEvent) {
        self.out.closed_while_waiting = self.state.waiting.is_some();
        self.abandon(event.occurred_at);
        self.end_segment(event.occurred_at, EndReason::Closed);
        self.state = State::default();
        self.pending_finish = None;
    }

    fn finish(mut self) -> Walked {
        if let Some(open) = self.state.waiting {
            self.out.episodes[open].department_id = self.department_id;
        }
        if let Some(open) = self.state.agent {
            let segment = &mut self.out.segments[open];
            segment.department_id = self.department_id;
        }
        self.out.department_id = self.department_id;
        self.out.state = self.state;
        self.out
    }
}
