//! One pass over a session's events: queue episodes, agent segments, flow runs, changes.
//!
//! The walk keeps what is known of the chat (waiting, with an agent, a flow just finished) and lets
//! each event change it. What cannot be known stays `None`.

mod changes;
mod queue;
mod record;
mod runs;

use chrono::{DateTime, Duration, Utc};
use events::{Kind, Role};

pub use record::{
    DepartmentChange, EndReason, EnteredSource, Episode, Exit, LeftSource, Position, Run, Segment,
    State, Step, Walked, WorkflowChange,
};

use super::order::ChainEvent;
use crate::settings::Settings;
pub(super) use runs::Finishes;
pub use runs::Place;

/// Dispatch may lag the fact by this much: evidence so close to a flow's finish reads as after it.
pub(super) const DISPATCH_LAG: Duration = Duration::seconds(2);

/// A leftQueue this soon after its agent came in tells of the same entry.
const ECHO: Duration = Duration::seconds(60);

/// What is known of the chat before a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// It did not wait then.
    pub closed_at: Option<DateTime<Utc>>,
    /// A reopened chat is where it was, until an event tells otherwise.
    pub department_id: Option<i64>,
}

/// Walks the events of one session, in order, up to its close, and takes in what trails it. `finishes` are the
/// chain's, of which the session is the one so numbered.
pub(super) fn walk(
    events: &[ChainEvent],
    close: Option<usize>,
    before: Before,
    (session, finishes): (usize, &Finishes),
    settings: &Settings,
) -> Walked {
    let live = close.map_or(events.len(), |close| close + 1);
    let mut walk = Walk {
        events: &events[..live],
        done: vec![false; live],
        not_waiting_at: before.closed_at,
        department_id: before.department_id,
        ..Walk::new(session, finishes, settings)
    };
    for index in 0..live {
        if walk.is_done(index) {
            continue;
        }
        if let Some(finish) = walk.finish_just_after(index) {
            walk.step(finish);
        }
        walk.step(index);
    }
    for (index, event) in events.iter().enumerate().skip(live) {
        walk.trail(index, event);
    }
    walk.finish(before.department_id)
}

pub(super) struct Walk<'a> {
    events: &'a [ChainEvent],
    settings: &'a Settings,
    out: Walked,
    done: Vec<bool>,
    state: State,
    session: usize,
    finishes: &'a Finishes,
    /// The starts of the flows that run, as far as neither the queue nor an agent has interrupted them.
    running: Vec<usize>,
    /// A flow finished with no agent in, and nothing has yet proved that the chat went to the queue.
    pending_finish: Option<PendingFinish>,
    /// The last instant at which the chat was known not to wait.
    not_waiting_at: Option<DateTime<Utc>>,
    /// Where the unbroken wait began, across changes of department.
    wait_began: Option<DateTime<Utc>>,
    /// When `in_chat` or a `leftQueue` was seen to have ended a wait, and for which agent.
    exit_seen: Option<(DateTime<Utc>, Option<i64>)>,
    /// The flow's finish that came last since the last start.
    finished: Option<usize>,
    /// The episode whose answering agent nobody has named yet.
    unnamed_answer: Option<usize>,
    /// The department of the episode is settled, though the event that ends it is still to come.
    department_settled: bool,
    /// Likewise of the agent's segment.
    agent_department_settled: bool,
    department_id: Option<i64>,
    /// The one before it, where no change told of it yet.
    department_before: Option<i64>,
    /// When the department was first seen to be this one, if in this session.
    department_since: Option<DateTime<Utc>>,
    /// The changes of department, by their numbers, that were told while a flow's finish was pending.
    changed_since_finish: Vec<(usize, Position)>,
}

#[derive(Debug, Clone, Copy)]
struct PendingFinish {
    position: Position,
    /// Where the chat was first seen with an agent since: a wait from the finish on was over by then.
    in_chat: Option<SeenInChat>,
}

#[derive(Debug, Clone, Copy)]
struct SeenInChat {
    position: Position,
    department_id: Option<i64>,
}

impl<'a> Walk<'a> {
    fn new(session: usize, finishes: &'a Finishes, settings: &'a Settings) -> Self {
        Self {
            events: &[],
            settings,
            out: Walked::default(),
            done: Vec::new(),
            state: State::default(),
            session,
            finishes,
            running: Vec::new(),
            pending_finish: None,
            not_waiting_at: None,
            wait_began: None,
            exit_seen: None,
            finished: None,
            unnamed_answer: None,
            department_settled: false,
            agent_department_settled: false,
            department_id: None,
            department_before: None,
            department_since: None,
            changed_since_finish: Vec::new(),
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
                Kind::FinishedAutomationFlow
                    if !self.finishes_earlier_session(index + 1 + offset) =>
                {
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
            _ if event.is_from(Role::Agent) => self.agent_wrote(event, position),
            _ => {}
        }
        self.note_department_of_agent(event);
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
            let before = self.department_id.replace(department.id);
            if before != self.department_id {
                (self.department_before, self.department_since) = (before, Some(event.at));
            }
            self.out.entry_department_id.get_or_insert(department.id);
        }
    }

    /// What leftQueue and agentEntered carry may be the situation before them: it says nothing.
    fn note_situation(&mut self, event: &ChainEvent, position: Position) {
        if event.shows_waiting() {
            self.show_waiting(position);
        } else if !matches!(event.kind(), Kind::LeftQueue | Kind::AgentEntered) {
            match event.situation() {
                Some("auto") => self.show_not_waiting(position),
                Some("in_chat") => self.show_in_chat(event.is_from(Role::Agent), position),
                _ => {}
            }
        }
    }

    fn show_not_waiting(&mut self, position: Position) {
        self.state.in_chat = false;
        self.unnamed_answer = None;
        self.exit_seen = None;
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
        }
        if self
            .pending_finish
            .is_some_and(|finish| position.at - finish.position.at > DISPATCH_LAG)
        {
            self.pending_finish = None;
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

    /// With no agent in, an agent who writes in the chat is in it. With one in whom nothing has named, it is this one; and
    /// a flow that never finishes has had its turn.
    fn agent_wrote(&mut self, event: &ChainEvent, position: Position) {
        let sender = event.event.message().and_then(|message| message.sender.id);
        match self.state.agent {
            None if event.situation() == Some("in_chat") => self.start_segment(sender, position),
            None => {}
            Some(open) => {
                if self.out.segments[open].agent_id.is_none() {
                    self.name_agent(sender);
                }
                self.end_turns_of_unfinished_runs();
            }
        }
    }

    fn start_segment(&mut self, agent_id: Option<i64>, position: Position) {
        if let Some(open) = self.state.agent {
            if self.out.segments[open].agent_id == agent_id
                || self.tells_the_same_entry(agent_id, position.at)
            {
                self.name_agent(agent_id);
                return;
            }
            self.end_segment(position.at, EndReason::Transferred);
            self.out.transfers += 1;
            self.unnamed_answer = None;
        }
        self.state.in_chat = false;
        self.agent_department_settled = false;
        self.state.agent = Some(self.out.segments.len());
        self.out.segments.push(Segment {
            agent_id,
            started: position,
            ended_at: None,
            end_reason: EndReason::Open,
            ended_bounded: false,
            department_id: self.department_id,
        });
        self.name_agent(agent_id);
        self.interrupt_runs();
        self.not_waiting_at = Some(position.at);
    }

    /// The agent in came only just now, and either event does not name another.
    fn tells_the_same_entry(&self, agent_id: Option<i64>, at: DateTime<Utc>) -> bool {
        let segment = self.state.agent.map(|open| &self.out.segments[open]);
        segment.is_some_and(|segment| {
            let may_be_one =
                agent_id.is_none() || segment.agent_id.is_none_or(|id| Some(id) == agent_id);
            may_be_one && at - segment.started.at <= ECHO
        })
    }

    /// The agent in, and who took the chat where its exit named nobody, is this one.
    fn name_agent(&mut self, agent_id: Option<i64>) {
        if let (Some(open), Some(_)) = (self.state.agent, agent_id) {
            self.out.segments[open].agent_id = agent_id;
        }
        self.credit_answer(agent_id);
    }

    fn end_segment(&mut self, at: DateTime<Utc>, reason: EndReason) {
        if let Some(open) = self.state.agent.take() {
            let segment = &mut self.out.segments[open];
            (segment.ended_at, segment.end_reason) = (Some(at), reason);
        }
    }

    /// An agent's part is of the department in which it began, as soon as that is known. A later change says what it was
    /// until then.
    fn note_department_of_agent(&mut self, event: &ChainEvent) {
        let Some(open) = self.state.agent.filter(|_| !self.agent_department_settled) else {
            return;
        };
        let segment = &mut self.out.segments[open];
        let last = self.out.department_changes.last();
        let change = last.filter(|_| event.kind() == Kind::UpdatedChatDepartment);
        match change.filter(|change| change.at == event.at) {
            Some(change) if event.at - segment.started.at > DISPATCH_LAG => {
                segment.department_id = segment.department_id.or(change.from);
                self.agent_department_settled = true;
            }
            None if segment.department_id.is_some() => {}
            _ => segment.department_id = self.department_id,
        }
    }

    fn close(&mut self, event: &ChainEvent) {
        self.out.closed_while_waiting = self.state.waiting.is_some();
        self.abandon(event.occurred_at);
        self.note_department_of_agent(event);
        self.end_segment(event.occurred_at, EndReason::Closed);
        self.state = State::default();
        self.running.clear();
        self.pending_finish = None;
    }

    fn finish(mut self, department_before: Option<i64>) -> Walked {
        if let Some(open) = self.state.waiting {
            self.out.episodes[open].department_id = self.department_id;
        }
        self.out.entry_department_id = self.out.entry_department_id.or(department_before);
        self.out.department_id = self.department_id;
        self.out.state = self.state;
        self.out
    }
}
