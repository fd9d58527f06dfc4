//! The columns of `fact_chats`.

use super::Row;
use crate::columns::{Column, Value, column};
use crate::facts::key::key_columns;

pub(super) fn columns() -> Vec<Column<Row>> {
    let mut columns = identity();
    columns.extend(instants());
    columns.extend(durations());
    columns.extend(counts());
    columns
}

fn identity() -> Vec<Column<Row>> {
    key_columns(vec![
        column(
            "state",
            "auto, wait_for_chat (in the queue), in_chat (with an agent), closed",
            Value::Text(|row| Some(row.state)),
        ),
        column(
            "outcome",
            "open, handled, abandoned (abandono), short_abandoned, contained (retenção), bot_dropped, unanswered; NULL where the events that tell are not subscribed",
            Value::Text(|row| row.outcome),
        ),
        column(
            "direction",
            "Who began: inbound, outbound, unknown",
            Value::Text(|row| Some(row.direction)),
        ),
        column(
            "channel",
            "Channel (canal): widget, whatsapp, email, ...",
            Value::Text(|row| row.channel.as_deref()),
        ),
        column(
            "channel_id",
            "Id of the chat's channel",
            Value::Long(|row| row.channel_object.id),
        ),
        column(
            "channel_name",
            "Name of the chat's channel",
            Value::Text(|row| row.channel_object.name.as_deref()),
        ),
        column(
            "contact_id",
            "Id of the contact (contato)",
            Value::Long(|row| row.contact_id),
        ),
        column(
            "contact_name",
            "Latest name of the contact",
            Value::Text(|row| row.contact_name.as_deref()),
        ),
        column(
            "entry_department_id",
            "First known department (departamento)",
            Value::Long(|row| row.entry_department_id),
        ),
        column(
            "department_id",
            "Last known department; NULL for none",
            Value::Long(|row| row.department_id),
        ),
        column(
            "first_agent_id",
            "First agent (agente) in the chat",
            Value::Long(|row| row.first_agent_id),
        ),
        column(
            "agent_id",
            "Last agent in the chat",
            Value::Long(|row| row.agent_id),
        ),
        column(
            "tabulation_id",
            "Closing reason (tabulação)",
            Value::Long(|row| row.tabulation.as_ref()?.id),
        ),
        column(
            "tabulation_name",
            "Name of the closing reason",
            Value::Text(|row| row.tabulation.as_ref()?.name.as_deref()),
        ),
        column(
            "workflow_id",
            "Latest workflow of the chat",
            Value::Long(|row| row.workflow_id),
        ),
        column(
            "workflow_step_id",
            "Latest step of the workflow",
            Value::Long(|row| row.workflow_step_id),
        ),
    ])
}

fn instants() -> Vec<Column<Row>> {
    vec![
        column(
            "started_at",
            "The earliest instant any evidence gives for the session's start",
            Value::Instant(|row| Some(row.started_at)),
        ),
        column(
            "started_at_source",
            "That evidence: startedChat, chat_created_date, first_event",
            Value::Text(|row| Some(row.started_at_source)),
        ),
        column(
            "queue_entered_at",
            "First entry into the queue (fila); NULL without one or where nothing tells",
            Value::Instant(|row| row.queue_entered_at),
        ),
        column(
            "queue_entered_source",
            "How that is known: situation_seen, flow_finished, requeue_seen, bounded",
            Value::Text(|row| row.queue_entered_source),
        ),
        column(
            "first_agent_at",
            "When the first agent came in",
            Value::Instant(|row| row.first_agent_at),
        ),
        column(
            "first_response_at",
            "First message of an agent to the contact",
            Value::Instant(|row| row.first_response_at),
        ),
        column(
            "closed_at",
            "When the session was closed; NULL while open",
            Value::Instant(|row| row.closed_at),
        ),
        column(
            "closed_at_source",
            "Where closed_at comes from: closed_at, time",
            Value::Text(|row| row.closed_at_source),
        ),
        column(
            "first_event_at",
            "Earliest event of the session",
            Value::Instant(|row| Some(row.first_event_at)),
        ),
        column(
            "last_event_at",
            "Latest event of the session; a send time ahead of its delivery counts by the delivery",
            Value::Instant(|row| Some(row.last_event_at)),
        ),
        column(
            "first_delivered_at",
            "Earliest delivery of the session: its events lie in events from this date on",
            Value::Instant(|row| Some(row.first_delivered_at)),
        ),
        column(
            "started_date",
            "Local date of started_at",
            Value::Date(|row| Some(row.started_date)),
        ),
    ]
}

fn durations() -> Vec<Column<Row>> {
    vec![
        column(
            "first_wait_seconds",
            "Seconds of the first wait in the queue (tempo de espera), across departments; NULL without a queue, while open or unknown",
            Value::Long(|row| row.first_wait_seconds),
        ),
        column(
            "total_wait_seconds",
            "Seconds of all waits; NULL without a queue, or if any part is open or unknown",
            Value::Long(|row| row.total_wait_seconds),
        ),
        column(
            "first_response_seconds",
            "Seconds to the first message of an agent, from the queue entry, else the hand-off, else the contact's first message",
            Value::Long(|row| row.first_response_seconds),
        ),
        column(
            "handle_seconds",
            "Seconds with agents (tempo de atendimento), sum of the segments; NULL without one or while one is open",
            Value::Long(|row| row.handle_seconds),
        ),
        column(
            "duration_seconds",
            "Seconds from started_at to closed_at (tempo de resolução); NULL while open, or if only the close was seen",
            Value::Long(|row| row.duration_seconds),
        ),
        column(
            "first_wait_business_seconds",
            "Those of first_wait_seconds in business hours, each department's part by its own; NULL without a calendar",
            Value::Long(|row| row.first_wait_business_seconds),
        ),
        column(
            "first_response_business_seconds",
            "Those of first_response_seconds in the business hours of the department that replied; NULL without a calendar",
            Value::Long(|row| row.first_response_business_seconds),
        ),
        column(
            "duration_business_seconds",
            "Those of duration_seconds in the business hours of the last department; NULL without a calendar",
            Value::Long(|row| row.duration_business_seconds),
        ),
    ]
}

fn counts() -> Vec<Column<Row>> {
    vec![
        column(
            "queue_episodes",
            "Stays in the queue of a department",
            Value::Int(|row| Some(row.counts.queue_episodes)),
        ),
        column(
            "agent_segments",
            "Stretches with an agent; NULL if no event that shows agents is subscribed",
            Value::Int(|row| row.counts.agent_segments),
        ),
        column(
            "transfers",
            "Changes of agent without a queue between (transferências); NULL if neither agentEntered nor leftQueue is subscribed",
            Value::Int(|row| row.counts.transfers),
        ),
        column(
            "department_changes",
            "Changes of department; NULL if not subscribed",
            Value::Int(|row| row.counts.department_changes),
        ),
        column(
            "flow_runs",
            "Runs of flows; NULL if not subscribed",
            Value::Int(|row| row.counts.flow_runs),
        ),
        column(
            "contact_messages",
            "Messages of the contact; NULL if not subscribed, with an agent in without receivedAllMessage too",
            Value::Int(|row| row.counts.contact_messages),
        ),
        column(
            "agent_messages",
            "Messages of agents to the contact; NULL if not subscribed",
            Value::Int(|row| row.counts.agent_messages),
        ),
        column(
            "bot_messages",
            "Messages of bots; NULL if not subscribed",
            Value::Int(|row| row.counts.bot_messages),
        ),
        column(
            "internal_messages",
            "Notes among agents; NULL if not subscribed",
            Value::Int(|row| row.counts.internal_messages),
        ),
        column(
            "event_count",
            "Distinct events of the session, also those that carry the same message",
            Value::Int(|row| Some(row.counts.events)),
        ),
    ]
}
