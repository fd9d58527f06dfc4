//! What a walk finds.

use chrono::{DateTime, Utc};

use super::runs::Place;

/// A place in the walk, and its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub step: usize,
    pub at: DateTime<Utc>,
}

/// What is known of the chat after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The open episode.
    pub waiting: Option<usize>,
    /// The open segment.
    pub agent: Option<usize>,
    /// With an agent whom nothing has named.
    pub in_chat: bool,
    /// A flow runs that neither the queue nor an agent has interrupted.
    pub flow_running: bool,
}

impl State {
    /// Whether the contact may expect a human: with an agent in, or in the queue and not in a flow.
    pub fn human_due(self) -> bool {
        self.agent.is_some() || self.in_chat || (self.waiting.is_some() && !self.flow_running)
    }
}

/// One event of the walk, by its index, with the state after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub index: usize,
    pub state: State,
    pub department_id: Option<i64>,
}

/// Everything a walk finds.
#[derive(Debug, Clone, Default)]
pub struct Walked {
    /// In the order the events were taken, which is their order but for evidence that overtook a
    /// flow's finish.
    pub steps: Vec<Step>,
    pub episodes: Vec<Episode>,
    pub segments: Vec<Segment>,
    pub runs: Vec<Run>,
    pub department_changes: Vec<DepartmentChange>,
    pub workflow_changes: Vec<WorkflowChange>,
    pub transfers: usize,
    pub entry_department_id: Option<i64>,
    pub department_id: Option<i64>,
    pub closed_while_waiting: bool,
    /// After the last event.
    pub state: State,
}

/// One stay in the queue of one department.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    pub entered_at: Option<DateTime<Utc>>,
    pub entered_source: EnteredSource,
    pub entered_earliest: Option<DateTime<Utc>>,
    pub entered_latest: Option<DateTime<Utc>>,
    /// Where the walk learned of it.
    pub seen: Position,
    pub left_at: Option<DateTime<Utc>>,
    pub left_source: Option<LeftSource>,
    pub exit: Exit,
    pub agent_id: Option<i64>,
    pub department_id: Option<i64>,
}

impl Episode {
    /// `None` while open or where either end is unknown; clock skew never makes it negative.
    pub fn wait_seconds(&self) -> Option<i64> {
        Some((self.left_at? - self.entered_at?).num_seconds().max(0))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnteredSource {
    SituationSeen,
    FlowFinished,
    RequeueSeen,
    DepartmentChanged,
    Bounded,
}

impl EnteredSource {
    pub fn as_str(self) -> &'static str {
        match self {
            EnteredSource::SituationSeen => "situation_seen",
            EnteredSource::FlowFinished => "flow_finished",
            EnteredSource::RequeueSeen => "requeue_seen",
            EnteredSource::DepartmentChanged => "department_changed",
            EnteredSource::Bounded => "bounded",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftSource {
    LeftQueue,
    AgentEntered,
    ClosedChat,
    UpdatedChatDepartment,
    SituationSeen,
}

impl LeftSource {
    pub fn as_str(self) -> &'static str {
        match self {
            LeftSource::LeftQueue => "leftQueue",
            LeftSource::AgentEntered => "agentEntered",
            LeftSource::ClosedChat => "closedChat",
            LeftSource::UpdatedChatDepartment => "updatedChatDepartment",
            LeftSource::SituationSeen => "situation_seen",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Answered,
    Abandoned,
    ShortAbandoned,
    DepartmentChanged,
    Open,
    /// By the close or before it, and nothing that would show an agent is subscribed.
    Unknown,
}

impl Exit {
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Exit::Answered => Some("answered"),
            Exit::Abandoned => Some("abandoned"),
            Exit::ShortAbandoned => Some("short_abandoned"),
            Exit::DepartmentChanged => Some("department_changed"),
            Exit::Open => Some("open"),
            Exit::Unknown => None,
        }
    }
}

/// One stretch of a session with one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub agent_id: Option<i64>,
    pub started: Position,
    pub ended_at: Option<DateTime<Utc>>,
    pub end_reason: EndReason,
    /// The end is only known to be no later than `ended_at`.
    pub ended_bounded: bool,
    pub department_id: Option<i64>,
}

impl Segment {
    /// `None` while open.
    pub fn handle_seconds(&self) -> Option<i64> {
        Some((self.ended_at? - self.started.at).num_seconds().max(0))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    Closed,
    Transferred,
    Requeued,
    Open,
}

impl EndReason {
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::Closed => "closed",
            EndReason::Transferred => "transferred",
            EndReason::Requeued => "requeued",
            EndReason::Open => "open",
        }
    }
}

/// One run of a flow; `start` is the index of its event, `finish` the place of that event in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub started: Position,
    pub start: usize,
    pub finish: Option<Place>,
    /// Neither agent nor queue came before it.
    pub is_entry: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepartmentChange {
    pub at: DateTime<Utc>,
    pub from: Option<i64>,
    /// The previous department as the event itself names it.
    pub named_from: Option<i64>,
    pub to: Option<i64>,
    pub was_waiting: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowChange {
    pub at: DateTime<Utc>,
    pub agent_id: Option<i64>,
    pub workflow_id: Option<i64>,
    pub from_step_id: Option<i64>,
    pub to_step_id: Option<i64>,
}
