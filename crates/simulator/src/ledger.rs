//! What happened in a chat, as its script says it. The script writes every entry when it makes the thing happen, and here is only
//! arithmetic over the entries: sums of waits and of handling. Instants are Unix seconds.

use std::sync::Arc;

use crate::cast::{Agent, Department, Flow, Step, Tabulation};
use crate::event::{Answer, FlowToken, Message, Situation};

#[derive(Debug, Default)]
pub struct Ledger {
    pub sessions: Vec<Session>,
    pub runs: Vec<Run>,
    pub messages: Vec<Sent>,
    /// Names of the scenario and of what else happened.
    pub tags: Vec<&'static str>,
}

#[derive(Debug)]
pub struct Session {
    pub no: u32,
    pub started_at: i64,
    pub started_source: &'static str,
    pub direction: &'static str,
    pub state: &'static str,
    pub outcome: &'static str,
    pub entry_department: Option<&'static Department>,
    pub department: Option<&'static Department>,
    pub step: Option<&'static Step>,
    pub tabulation: Option<&'static Tabulation>,
    pub closed_at: Option<i64>,
    pub response_clock: ResponseClock,
    pub first_agent_message: Option<i64>,
    pub waits: Vec<Wait>,
    pub segments: Vec<Segment>,
    pub replies: Vec<Reply>,
    pub department_changes: Vec<DepartmentChange>,
    pub step_changes: Vec<StepChange>,
    pub transfers: u32,
    pub flow_runs: u32,
    pub contact_messages: u32,
    pub agent_messages: u32,
    pub bot_messages: u32,
    pub internal_messages: u32,
    pub events: u32,
    /// When what the events tell happened, at the earliest and at the latest.
    pub told: Option<(i64, i64)>,
    /// An event has shown the channel with its id and name.
    pub shows_channel: bool,
}

/// From when the first response is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseClock {
    /// The desk spoke first, or nobody has waited yet.
    NotRunning,
    Since(i64),
    /// The contact waited, from an instant that the events do not show.
    Unknown,
}

#[derive(Debug)]
pub struct Wait {
    pub department: Option<&'static Department>,
    pub entered_at: Option<i64>,
    pub entered_source: &'static str,
    pub left: Option<Left>,
}

#[derive(Debug)]
pub struct Left {
    pub at: i64,
    pub source: &'static str,
    pub exit: &'static str,
    pub agent: Option<Agent>,
}

impl Wait {
    pub fn seconds(&self) -> Option<i64> {
        Some((self.left.as_ref()?.at - self.entered_at?).max(0))
    }
}

#[derive(Debug)]
pub struct Segment {
    pub agent: Agent,
    pub started_at: i64,
    pub end: Option<(i64, &'static str)>,
    pub ended_bounded: bool,
    pub department: Option<&'static Department>,
}

impl Segment {
    /// An agent may enter up to the dispatch lag after the close: that is no time, not less than none.
    pub fn seconds(&self) -> Option<i64> {
        self.end.map(|(at, _)| (at - self.started_at).max(0))
    }
}

#[derive(Debug)]
pub struct Reply {
    pub waiting_since: i64,
    pub answer: Option<(i64, Agent, Option<&'static Department>)>,
}

#[derive(Debug)]
pub struct DepartmentChange {
    pub at: i64,
    pub from: Option<&'static Department>,
    pub to: Option<&'static Department>,
    pub was_waiting: bool,
}

#[derive(Debug)]
pub struct StepChange {
    pub at: i64,
    pub agent: Agent,
    pub from: Option<&'static Step>,
    pub to: &'static Step,
}

#[derive(Debug)]
pub struct Run {
    pub session: u32,
    pub flow: &'static Flow,
    pub token: FlowToken,
    pub role: &'static str,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    pub outcome: &'static str,
    pub answers: Arc<[(&'static str, Answer)]>,
}

#[derive(Debug)]
pub struct Sent {
    pub session: u32,
    pub message: Message,
    pub department: Option<&'static Department>,
}

impl Session {
    pub fn new(no: u32, started_at: i64, department: Option<&'static Department>) -> Self {
        Session {
            no,
            started_at,
            started_source: "first_event",
            direction: "inbound",
            state: Situation::Auto.name(),
            outcome: "open",
            entry_department: department,
            department,
            step: None,
            tabulation: None,
            closed_at: None,
            response_clock: ResponseClock::NotRunning,
            first_agent_message: None,
            waits: Vec::new(),
            segments: Vec::new(),
            replies: Vec::new(),
            department_changes: Vec::new(),
            step_changes: Vec::new(),
            transfers: 0,
            flow_runs: 0,
            contact_messages: 0,
            agent_messages: 0,
            bot_messages: 0,
            internal_messages: 0,
            events: 0,
            told: None,
            shows_channel: false,
        }
    }

    /// From the first entry to the queue until the contact first leaves it, through changes of department.
    pub fn first_wait_seconds(&self) -> Option<i64> {
        let unbroken = 1 + self
            .waits
            .iter()
            .skip(1)
            .take_while(|wait| wait.entered_source == "department_changed")
            .count();
        sum(self.waits.iter().take(unbroken))
    }

    pub fn total_wait_seconds(&self) -> Option<i64> {
        sum(self.waits.iter())
    }

    /// Since when the contact waits without a break, if the last episode is part of a known wait.
    pub fn unbroken_since(&self) -> Option<i64> {
        self.waits
            .iter()
            .rev()
            .find(|wait| wait.entered_source != "department_changed")?
            .entered_at
    }

    pub fn handle_seconds(&self) -> Option<i64> {
        if self.segments.is_empty() {
            return None;
        }
        self.segments.iter().map(Segment::seconds).sum()
    }

    pub fn first_response_seconds(&self) -> Option<i64> {
        match self.response_clock {
            ResponseClock::Since(since) => Some((self.first_agent_message? - since).max(0)),
            ResponseClock::NotRunning | ResponseClock::Unknown => None,
        }
    }
}

/// No waits are no sum, and one unknown wait makes the sum unknown.
fn sum<'a>(waits: impl Iterator<Item = &'a Wait>) -> Option<i64> {
    let mut total = None;
    for wait in waits {
        total = Some(total.unwrap_or(0) + wait.seconds()?);
    }
    total
}
