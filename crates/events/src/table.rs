//! The `events` table: its Arrow schema with a description for every column, and rows to Arrow.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, NaiveDate, Utc};

use crate::row::EventRow;

pub const TABLE: &str = "events";
pub const TABLE_DESCRIPTION: &str =
    "Every event of every delivery, as sent; one row per event, append-only.";
/// UTC date of `delivered_at`: all copies of an event share one.
pub const PARTITION_COLUMN: &str = "event_date";

const INSTANT: fn() -> DataType = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));

/// The schema; each field's metadata carries its description under `comment`.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = columns().into_iter().map(|(name, kind, comment)| {
            Field::new(name, kind, true)
                .with_metadata(HashMap::from([("comment".to_owned(), comment.to_owned())]))
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    });
    SCHEMA.clone()
}

fn columns() -> Vec<(&'static str, DataType, &'static str)> {
    use DataType::{Boolean, Date32, Int32, Int64, Utf8};
    vec![
        (
            "event_id",
            Utf8,
            "Content hash (128 bits, hex) of event type, envelope time and the item's bytes; a redelivered event has the same id",
        ),
        (
            "delivery_id",
            Utf8,
            "Content hash (128 bits, hex) of the delivery the event came in",
        ),
        (
            "chain_index",
            Int32,
            "Place of the event in its delivery, from 0",
        ),
        (
            "event_type",
            Utf8,
            "Event name as sent; NULL for a part of a delivery that is no event",
        ),
        (
            "occurred_at",
            INSTANT(),
            "When it happened: send_at of messages, closed_at of closedChat, else the envelope's time",
        ),
        (
            "occurred_at_source",
            Utf8,
            "Where occurred_at comes from: send_at, closed_at, time, received_at",
        ),
        (
            "delivered_at",
            INSTANT(),
            "Envelope time: when the platform dispatched the delivery",
        ),
        (
            "received_at",
            INSTANT(),
            "When this system accepted the delivery; for imported files the file's received_at, else delivered_at",
        ),
        (
            "company_id",
            Int64,
            "Company of the platform the event belongs to",
        ),
        (
            "chat_id",
            Int64,
            "Chat the event belongs to, where it names one",
        ),
        ("contact_id", Int64, "Contact (contato) the event names"),
        (
            "agent_id",
            Int64,
            "Agent (agente) the event names; for a message its writer, else its receiver",
        ),
        ("message_id", Int64, "Message id of message events"),
        ("flow_id", Int64, "Flow (fluxo) of flow events"),
        (
            "department_id",
            Int64,
            "Department (departamento) the chat is in according to the event",
        ),
        (
            "channel",
            Utf8,
            "Channel (canal) of the chat: its word, else the channel object's type in lower case",
        ),
        (
            "situation",
            Utf8,
            "Situation of the chat: auto, wait_for_chat, in_chat, finishing, or as sent",
        ),
        (
            "sender_type",
            Utf8,
            "senderType of message events: agent, virtual_agent, else the contact's channel",
        ),
        (
            "is_internal",
            Boolean,
            "Whether a message is a note among agents; NULL for other events",
        ),
        ("payload", Utf8, "The item's JSON, byte for byte"),
        (
            "parse_error",
            Utf8,
            "Why a typed column could not be filled; NULL when clean",
        ),
        (
            PARTITION_COLUMN,
            Date32,
            "UTC date of delivered_at; the partition",
        ),
    ]
}

/// The rows as one batch of [`schema`], in their order.
pub fn to_batch(rows: &[EventRow]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        text(rows, |row| Some(row.event_id.to_string())),
        text(rows, |row| Some(row.delivery_id.to_string())),
        Arc::new(Int32Array::from_iter_values(
            rows.iter().map(|row| row.chain_index),
        )),
        text(rows, |row| row.event_type.as_deref()),
        instants(rows, |row| row.occurred_at),
        text(rows, |row| Some(row.occurred_at_source.as_str())),
        instants(rows, |row| row.delivered_at),
        instants(rows, |row| row.received_at),
        ids(rows, |row| row.company_id),
        ids(rows, |row| row.chat_id),
        ids(rows, |row| row.contact_id),
        ids(rows, |row| row.agent_id),
        ids(rows, |row| row.message_id),
        ids(rows, |row| row.flow_id),
        ids(rows, |row| row.department_id),
        text(rows, |row| row.channel.as_deref()),
        text(rows, |row| row.situation.as_deref()),
        text(rows, |row| row.sender_type.as_deref()),
        Arc::new(
            rows.iter()
                .map(|row| row.is_internal)
                .collect::<BooleanArray>(),
        ),
        text(rows, |row| Some(row.payload.as_str())),
        text(rows, |row| row.parse_error.as_deref()),
        Arc::new(Date32Array::from_iter_values(
            rows.iter().map(|row| days_since_epoch(row.event_date)),
        )),
    ];
    RecordBatch::try_new(schema(), columns)
        .expect("the columns are built in the schema's order and types")
}

fn text<'a, T: AsRef<str>>(
    rows: &'a [EventRow],
    value: impl Fn(&'a EventRow) -> Option<T>,
) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<StringArray>())
}

fn ids(rows: &[EventRow], value: impl Fn(&EventRow) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<Int64Array>())
}

fn instants(rows: &[EventRow], value: impl Fn(&EventRow) -> DateTime<Utc>) -> ArrayRef {
    let micros = rows.iter().map(|row| value(row).timestamp_micros());
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

fn days_since_epoch(date: NaiveDate) -> i32 {
    (date - NaiveDate::default()).num_days() as i32
}
