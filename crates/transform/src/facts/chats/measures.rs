//! The measures of a session: start, state, outcome, direction, first response, counts.

use chrono::{DateTime, TimeDelta, Utc};
use events::{Event, Kind, Role, instant};

use crate::chain::{ChainEvent, Episode, Exit, Session};
use crate::settings::{AGENTS, FLOW_STARTS, Settings};

/// The earliest instant any evidence gives; on a tie the evidence listed first.
pub(super) fn started(session: &Session, settings: &Settings) -> (DateTime<Utc>, &'static str) {
    let started_chat = session
        .events
        .iter()
        .filter(|event| event.kind() == Kind::StartedChat)
        .map(|event| event.at);
    let created = |event: &ChainEvent| {
        let local = event.event.flow()?.chat_created_date()?.to_owned();
        instant(&local, settings.zone, event.delivered_at).ok()
    };
    // The flow's context tells of the chat, and so only of its first session.
    let created = session
        .events
        .iter()
        .filter(|_| session.no == 1)
        .filter_map(created);
    let first_event = session.events.iter().map(|event| event.occurred_at);
    let candidates = [
        (started_chat.min(), "startedChat"),
        (created.min(), "chat_created_date"),
        (first_event.min(), "first_event"),
    ];
    let known = candidates
        .into_iter()
        .filter_map(|(at, source)| Some((at?, source)));
    // `min_by_key` keeps the first of equals.
    known
        .min_by_key(|(at, _)| *at)
        .unwrap_or((DateTime::UNIX_EPOCH, "first_event"))
}

pub(super) fn state(session: &Session) -> &'static str {
    if session.close.is_some() {
        return "closed";
    }
    let state = session.walked.state;
    if state.agent.is_some() {
        return "in_chat";
    }
    if state.waiting.is_some() {
        return "wait_for_chat";
    }
    let seen = session.events.iter().rev().find_map(ChainEvent::situation);
    if seen == Some("in_chat") {
        "in_chat"
    } else {
        "auto"
    }
}

/// Without any event that tells of agents only an agent who was seen all the same is known, without the start of flows
/// none that had no answer, and without their finish none that was dropped: there the outcome is `None`.
pub(super) fn outcome(session: &Session, settings: &Settings) -> Option<&'static str> {
    let Some(close) = session.close else {
        return Some("open");
    };
    if !session.walked.segments.is_empty() {
        return Some("handled");
    }
    let outcome = unhandled(session, close);
    let is_known = match outcome {
        "bot_dropped" => settings.expects(&FLOW_FINISHES),
        "unanswered" => settings.expects(&FLOW_STARTS),
        _ => true,
    };
    (is_known && settings.expects(&AGENTS)).then_some(outcome)
}

/// The outcome of a closed session that no agent was in.
fn unhandled(session: &Session, close: usize) -> &'static str {
    let walked = &session.walked;
    // What a flow does once the chat is closed decides nothing.
    let mut runs = walked
        .runs
        .iter()
        .filter(|run| run.start < close)
        .peekable();
    if walked.closed_while_waiting {
        let short = walked
            .episodes
            .last()
            .is_some_and(|episode| episode.exit == Exit::ShortAbandoned);
        if short {
            "short_abandoned"
        } else {
            "abandoned"
        }
    } else if runs.peek().is_none() {
        "unanswered"
    } else if runs.all(|run| run.finish.is_some()) {
        "contained"
    } else {
        "bot_dropped"
    }
}

pub(super) fn direction(session: &Session, settings: &Settings) -> &'static str {
    let first_message = session.events.iter().find_map(|event| {
        let message = event
            .event
            .message()
            .filter(|message| !message.is_internal)?;
        Some(message.role())
    });
    // An event that says nothing of the chat's state is no evidence of how it began.
    let flows = |event: &ChainEvent| event.event.flow().is_some();
    let tells = |event: &&ChainEvent| event.situation().is_some() || flows(event);
    let first = session.events.iter().find(tells);
    let began = |situation| first.and_then(ChainEvent::situation) == Some(situation);
    let began_in_queue = began("wait_for_chat") || left_queue_first(session);
    // The flow that a chat starts with may come second within that instant.
    let began_in_flow = first.is_some_and(|first| {
        let with_first = |event: &&ChainEvent| event.at == first.at;
        let mut at_once = session.events.iter().filter(with_first);
        flows(first) || (began("auto") && at_once.any(flows))
    });
    if first_message == Some(Role::Contact) || began_in_queue || began_in_flow {
        return "inbound";
    }
    let agent_entered = session
        .live_events()
        .iter()
        .any(|event| event.kind() == Kind::AgentEntered);
    let by_agent = first_message == Some(Role::Agent) || (agent_entered && began("in_chat"));
    if by_agent && settings.expects(&CONTACT_MESSAGES) {
        "outbound"
    } else {
        "unknown"
    }
}

/// Whether leaving the queue is the first that tells anything of the session.
fn left_queue_first(session: &Session) -> bool {
    let leaves_queue = |event: &&ChainEvent| event.kind() == Kind::LeftQueue;
    let is_evidence = |event: &&ChainEvent| {
        let word = event.event.message().filter(|word| !word.is_internal);
        let tells = event.situation().is_some() || event.event.flow().is_some();
        tells || word.is_some() || leaves_queue(event)
    };
    let first = session.events.iter().find(is_evidence);
    first.as_ref().is_some_and(leaves_queue)
}

/// From when to when the contact waited for the first message of an agent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Response {
    /// `None` where the contact did not wait, or since when is unknown.
    pub since: Option<DateTime<Utc>>,
    /// `None` if unanswered.
    pub replied_at: Option<DateTime<Utc>>,
    /// As of the reply.
    pub department_id: Option<i64>,
}

impl Response {
    pub fn seconds(&self) -> Option<i64> {
        Some((self.replied_at? - self.since?).num_seconds().max(0))
    }
}

pub(super) fn first_response(session: &Session) -> Response {
    let walked = &session.walked;
    let taken = |step: &crate::chain::Step| &session.events[step.index];
    let Some(reply) = walked
        .steps
        .iter()
        .position(|step| taken(step).is_from(Role::Agent))
    else {
        return Response::default();
    };
    let reply_at = taken(&walked.steps[reply]).at;
    let entered = |episode: &&Episode| match episode.entered_at {
        Some(entered_at) => entered_at <= reply_at,
        None => episode.seen.step <= reply,
    };
    let since = if let Some(episode) = walked.episodes.iter().find(entered) {
        episode.entered_at
    } else if walked.runs.iter().any(|run| run.started.step < reply) {
        let came = |kind| matches!(kind, Kind::AgentEntered | Kind::LeftQueue);
        let mut before = walked.steps[..reply].iter().map(taken);
        before
            .find(|event| came(event.kind()))
            .map(|event| event.at)
    } else {
        let before = walked.steps[..reply].iter().map(taken);
        before
            .filter(|event| event.is_from(Role::Contact))
            .map(|event| event.at)
            .next()
    };
    Response {
        since,
        replied_at: Some(reply_at),
        department_id: walked.steps[reply].department_id,
    }
}

/// From the start to the close; `None` while open, and where the close itself is the earliest that is
/// known of the session.
pub(super) fn duration(session: &Session, started_at: DateTime<Utc>) -> Option<TimeDelta> {
    let closed_at = session.closed_at()?;
    let is_measured = session.close != Some(0) || started_at < closed_at;
    is_measured.then(|| (closed_at - started_at).max(TimeDelta::zero()))
}

/// The sum of the parts; `None` if there are none or any is unknown.
pub(super) fn total<T>(parts: &[T], seconds: impl Fn(&T) -> Option<i64>) -> Option<i64> {
    if parts.is_empty() {
        None
    } else {
        parts.iter().map(seconds).sum()
    }
}

pub(super) struct Counts {
    pub queue_episodes: i32,
    pub agent_segments: Option<i32>,
    pub transfers: Option<i32>,
    pub department_changes: Option<i32>,
    pub flow_runs: Option<i32>,
    pub contact_messages: Option<i32>,
    pub agent_messages: Option<i32>,
    pub bot_messages: Option<i32>,
    pub internal_messages: Option<i32>,
    pub events: i32,
}

const CONTACT_MESSAGES: [&str; 2] = ["receivedMessage", "receivedAllMessage"];
/// Which are also told of while an agent is in.
const ALL_CONTACT_MESSAGES: [&str; 1] = ["receivedAllMessage"];
const AGENT_MESSAGES: [&str; 2] = ["sentAllMessage", "receivedAllMessage"];
pub(in crate::facts) const FLOW_FINISHES: [&str; 1] = ["finishedAutomationFlow"];

/// What is not subscribed is unknown, not zero.
pub(super) fn counts(session: &Session, settings: &Settings) -> Counts {
    let walked = &session.walked;
    let known =
        |count: usize, events: &[&str]| (count > 0 || settings.expects(events)).then(|| int(count));
    let messages = |counted: &dyn Fn(&ChainEvent) -> bool| {
        session.events.iter().filter(|event| counted(event)).count()
    };
    let without_agent = walked.segments.is_empty() && state(session) != "in_chat";
    let contact_messages: &[&str] = match without_agent {
        true => &CONTACT_MESSAGES,
        false => &ALL_CONTACT_MESSAGES,
    };
    let internal = |event: &Event| event.message().is_some_and(|message| message.is_internal);
    Counts {
        queue_episodes: int(walked.episodes.len()),
        agent_segments: known(walked.segments.len(), &AGENTS),
        transfers: known(walked.transfers, &["agentEntered", "leftQueue"]),
        department_changes: known(walked.department_changes.len(), &["updatedChatDepartment"]),
        flow_runs: known(walked.runs.len(), &FLOW_STARTS),
        contact_messages: known(
            messages(&|event| event.is_from(Role::Contact)),
            contact_messages,
        ),
        agent_messages: known(
            messages(&|event| event.is_from(Role::Agent)),
            &AGENT_MESSAGES,
        ),
        bot_messages: known(
            messages(&|event| event.is_from(Role::Bot)),
            &["receivedAllMessage"],
        ),
        internal_messages: known(
            messages(&|event| internal(&event.event)),
            &["newInternalMessage"],
        ),
        events: int(session.event_count),
    }
}

fn int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
