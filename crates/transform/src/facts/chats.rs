//! `fact_chats`: one row per chat session.

mod columns;
mod measures;

use chrono::{DateTime, NaiveDate, Utc};
use events::{Channel, ContactSpelling, Detail, Event, Tabulation, local_date};

pub(super) use measures::FLOW_FINISHES;

use super::Fact;
use super::key::{Key, Keyed};
use super::waits::{business_seconds, waits};
use crate::chain::{Chat, Session};
use crate::columns::Column;
use crate::settings::Settings;

pub(super) struct Chats;

/// Columns not commented are described in the column list.
pub(super) struct Row {
    key: Key,
    state: &'static str,
    outcome: Option<&'static str>,
    direction: &'static str,
    channel: Option<String>,
    channel_object: Channel,
    contact_id: Option<i64>,
    contact_name: Option<String>,
    entry_department_id: Option<i64>,
    department_id: Option<i64>,
    first_agent_id: Option<i64>,
    agent_id: Option<i64>,
    tabulation: Option<Tabulation>,
    workflow_id: Option<i64>,
    workflow_step_id: Option<i64>,
    started_at: DateTime<Utc>,
    started_at_source: &'static str,
    queue_entered_at: Option<DateTime<Utc>>,
    queue_entered_source: Option<&'static str>,
    first_agent_at: Option<DateTime<Utc>>,
    first_response_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    closed_at_source: Option<&'static str>,
    first_event_at: DateTime<Utc>,
    last_event_at: DateTime<Utc>,
    first_delivered_at: DateTime<Utc>,
    started_date: NaiveDate,
    first_wait_seconds: Option<i64>,
    total_wait_seconds: Option<i64>,
    first_response_seconds: Option<i64>,
    handle_seconds: Option<i64>,
    duration_seconds: Option<i64>,
    first_wait_business_seconds: Option<i64>,
    first_response_business_seconds: Option<i64>,
    duration_business_seconds: Option<i64>,
    counts: measures::Counts,
}

impl Keyed for Row {
    fn key(&self) -> Key {
        self.key
    }
}

impl Fact for Chats {
    type Row = Row;
    const NAME: &'static str = "fact_chats";
    const DESCRIPTION: &'static str =
        "One row per session (atendimento) of a chat; a reopened chat starts the next session.";
    const DATE: &'static str = "started_date";

    fn columns(&self) -> Vec<Column<Row>> {
        columns::columns()
    }

    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Row> {
        chat.sessions
            .iter()
            .filter(|session| !session.events.is_empty())
            .map(|session| row(chat, session, settings))
            .collect()
    }
}

fn row(chat: &Chat, session: &Session, settings: &Settings) -> Row {
    let walked = &session.walked;
    let waits = waits(session, settings);
    let first_wait = waits.first();
    let (started_at, started_at_source) = measures::started(session, settings);
    let response = measures::first_response(session);
    let duration = measures::duration(session, started_at);
    let (closed_at, contact) = (session.closed_at(), latest_contact(session));
    let first_event_at = session.events.iter().map(|event| event.occurred_at).min();
    Row {
        key: Key::new(chat, session.no),
        state: measures::state(session),
        outcome: measures::outcome(session, settings),
        direction: measures::direction(session, settings),
        channel: channel_of(session),
        channel_object: channel_object_of(session),
        contact_id: contact.0,
        contact_name: contact.1,
        entry_department_id: walked.entry_department_id,
        department_id: walked.department_id,
        first_agent_id: walked.segments.first().and_then(|segment| segment.agent_id),
        agent_id: walked.segments.last().and_then(|segment| segment.agent_id),
        tabulation: tabulation(session),
        workflow_id: latest(session, |event| event.workflow_id),
        workflow_step_id: latest(session, |event| event.workflow_step_id),
        started_at,
        started_at_source,
        queue_entered_at: walked
            .episodes
            .first()
            .and_then(|episode| episode.entered_at),
        queue_entered_source: walked
            .episodes
            .first()
            .map(|episode| episode.entered_source.as_str()),
        first_agent_at: walked.segments.first().map(|segment| segment.started.at),
        first_response_at: response.replied_at,
        closed_at,
        closed_at_source: session
            .close
            .map(|close| session.events[close].occurred_at_source.as_str()),
        first_event_at: first_event_at.unwrap_or(started_at),
        last_event_at: session.last_event_at.unwrap_or(started_at),
        first_delivered_at: session.first_delivered_at.unwrap_or(started_at),
        started_date: local_date(started_at, settings.zone),
        first_wait_seconds: first_wait.and_then(|wait| wait.seconds()),
        total_wait_seconds: measures::total(&waits, |wait| wait.seconds()),
        first_response_seconds: response.seconds(),
        handle_seconds: measures::total(&walked.segments, |segment| segment.handle_seconds()),
        duration_seconds: duration.map(|duration| duration.num_seconds()),
        first_wait_business_seconds: first_wait.and_then(|wait| wait.business_seconds),
        first_response_business_seconds: business_seconds(
            response.since,
            response.replied_at,
            response.department_id,
            settings,
        ),
        duration_business_seconds: business_seconds(
            duration.map(|_| started_at),
            closed_at,
            walked.department_id,
            settings,
        ),
        counts: measures::counts(session, settings),
    }
}

/// The channel's latest word; only where none came, the channel object's type in lower case.
pub(super) fn channel_of(session: &Session) -> Option<String> {
    let word = latest(session, |event| event.channel.clone());
    word.or_else(|| {
        channel_object_of(session)
            .kind
            .map(|kind| kind.to_lowercase())
    })
}

fn channel_object_of(session: &Session) -> Channel {
    let part = |pick: fn(&Channel) -> Option<String>| {
        latest(session, |event| {
            event.channel_object.as_ref().and_then(pick)
        })
    };
    Channel {
        id: latest(session, |event| event.channel_object.as_ref()?.id),
        uuid: part(|channel| channel.uuid.clone()),
        name: part(|channel| channel.name.clone()),
        kind: part(|channel| channel.kind.clone()),
    }
}

/// The contact's latest id and name. The two spellings may carry ids of two spaces within one delivery:
/// `customer`, which every message has, goes before `contact`, so that sessions compare.
fn latest_contact(session: &Session) -> (Option<i64>, Option<String>) {
    let of = |spelling: ContactSpelling| {
        move |event: &Event| {
            event
                .contact
                .as_ref()
                .filter(|contact| contact.spelling == spelling)?
                .id
        }
    };
    let id = latest(session, of(ContactSpelling::Customer))
        .or_else(|| latest(session, of(ContactSpelling::Contact)));
    let name = latest(session, |event| event.contact.as_ref()?.name.clone());
    (id, name)
}

fn tabulation(session: &Session) -> Option<Tabulation> {
    match &session.events[session.close?].event.detail {
        Detail::Closed { tabulation, .. } => tabulation.clone(),
        _ => None,
    }
}

/// As of the close: what comes after it changes nothing.
fn latest<T>(session: &Session, pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
    session
        .live_events()
        .iter()
        .rev()
        .find_map(|event| pick(&event.event))
}
