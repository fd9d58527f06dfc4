//! One row of the `events` table: an item of a delivery with its typed columns filled.
//!
//! Rows depend on the delivery, the instant it was received and the business zone, on nothing else.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::clock;
use crate::envelope::{BadDelivery, Item, split};
use crate::kinds::{Detail, Event, parse_item};

/// 128 bits of content hash: the same event redelivered has the same id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// Of the parts in order; lengths are hashed too, so that no two lists of parts coincide.
    fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher
                .update(&(part.len() as u64).to_le_bytes())
                .update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for EventId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = u128::from_str_radix(text, 16)
            .ok()
            .filter(|_| text.len() == 32);
        value
            .map(|value| Self(value.to_be_bytes()))
            .ok_or_else(|| format!("{text:?} is no event id of 32 hex digits"))
    }
}

/// Where `occurred_at` comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    SendAt,
    ClosedAt,
    Time,
    ReceivedAt,
}

impl TimeSource {
    pub fn as_str(self) -> &'static str {
        match self {
            TimeSource::SendAt => "send_at",
            TimeSource::ClosedAt => "closed_at",
            TimeSource::Time => "time",
            TimeSource::ReceivedAt => "received_at",
        }
    }
}

/// One row of the `events` table; the columns are described in its schema.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    pub event_id: EventId,
    pub delivery_id: EventId,
    pub chain_index: i32,
    pub event_type: Option<String>,
    pub occurred_at: DateTime<Utc>,
    pub occurred_at_source: TimeSource,
    pub delivered_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    pub company_id: Option<i64>,
    pub chat_id: Option<i64>,
    pub contact_id: Option<i64>,
    pub agent_id: Option<i64>,
    pub message_id: Option<i64>,
    pub flow_id: Option<i64>,
    pub department_id: Option<i64>,
    pub channel: Option<String>,
    pub situation: Option<String>,
    pub sender_type: Option<String>,
    pub is_internal: Option<bool>,
    pub payload: String,
    pub parse_error: Option<String>,
    pub event_date: NaiveDate,
    /// Whether `delivered_at` is the delivery's own time. Not a column.
    pub has_own_time: bool,
}

/// When an event occurred: a message's `send_at`, a close's `closed_at`, else the delivery's time.
/// The third part says why a local string was passed over.
pub fn occurred(
    event: &Event,
    delivered_at: DateTime<Utc>,
    zone: Tz,
) -> (DateTime<Utc>, TimeSource, Option<String>) {
    let (name, local, source) = match &event.detail {
        Detail::Message(message) => ("send_at", message.send_at.as_deref(), TimeSource::SendAt),
        Detail::Closed { closed_at, .. } => {
            ("closed_at", closed_at.as_deref(), TimeSource::ClosedAt)
        }
        _ => return (delivered_at, TimeSource::Time, None),
    };
    match local.map(|local| clock::instant(local, zone, delivered_at)) {
        Some(Ok(instant)) => (instant, source, None),
        Some(Err(error)) => (
            delivered_at,
            TimeSource::Time,
            Some(format!("{name}: {error}")),
        ),
        None => (
            delivered_at,
            TimeSource::Time,
            Some(format!("{name} is missing")),
        ),
    }
}

/// The rows of one delivery, in the order of its items.
///
/// # Errors
/// Only when the body is not a JSON object. Whatever else is odd becomes a row with `parse_error`.
pub fn read_delivery(
    body: &[u8],
    received_at: DateTime<Utc>,
    zone: Tz,
) -> Result<Vec<EventRow>, BadDelivery> {
    let mut rows = Vec::new();
    each_event(body, received_at, zone, |row| rows.push(row))?;
    Ok(rows)
}

/// As [`read_delivery`], one row at a time, so that a delivery of very many items need not be held as rows at once.
///
/// # Errors
/// Those of [`read_delivery`], before any row.
pub fn each_event(
    body: &[u8],
    received_at: DateTime<Utc>,
    zone: Tz,
    mut take: impl FnMut(EventRow),
) -> Result<(), BadDelivery> {
    let text: Cow<str> = String::from_utf8_lossy(body);
    let envelope = split(&text)?;
    let delivery = Delivery {
        id: EventId::of(&[body]),
        time_text: envelope.time_text,
        time: envelope.time,
        received_at,
        zone,
    };
    let mut index = 0;
    envelope.each_item(&mut |item| {
        take(delivery.row(item, index));
        index += 1;
    });
    Ok(())
}

struct Delivery<'a> {
    id: EventId,
    time_text: &'a str,
    time: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    zone: Tz,
}

impl Delivery<'_> {
    fn row(&self, item: Item, chain_index: i32) -> EventRow {
        let (event_type, payload, reason) = match item {
            Item::Event {
                event_type,
                payload,
            } => (Some(event_type), payload, None),
            Item::Misfit { payload, reason } => (None, payload, Some(reason)),
        };
        let name = event_type.unwrap_or_default();
        let event = match reason {
            None => parse_item(name, payload),
            Some(reason) => Event {
                problems: vec![reason.to_owned()],
                ..parse_item(name, "{}")
            },
        };
        let event_id = EventId::of(&[
            name.as_bytes(),
            self.time_text.as_bytes(),
            payload.as_bytes(),
        ]);
        self.fill(event_id, event, event_type, payload, chain_index)
    }

    fn fill(
        &self,
        event_id: EventId,
        mut event: Event,
        event_type: Option<&str>,
        payload: &str,
        chain_index: i32,
    ) -> EventRow {
        let mut problems = std::mem::take(&mut event.problems);
        let delivered_at = self.time.unwrap_or(self.received_at);
        if self.time.is_none() {
            problems.push("time: missing or implausible, received_at stands in".to_owned());
        }
        let (occurred_at, mut source, problem) = occurred(&event, delivered_at, self.zone);
        problems.extend(problem);
        if source == TimeSource::Time && self.time.is_none() {
            source = TimeSource::ReceivedAt;
        }
        let message = event.message();
        EventRow {
            event_id,
            delivery_id: self.id,
            chain_index,
            event_type: event_type.map(str::to_owned),
            occurred_at,
            occurred_at_source: source,
            delivered_at,
            received_at: self.received_at,
            company_id: event.company_id,
            chat_id: event.chat_id,
            contact_id: event.contact.as_ref().and_then(|contact| contact.id),
            agent_id: event.agent.as_ref().and_then(|agent| agent.id),
            message_id: message.and_then(|message| message.id),
            flow_id: event.flow().and_then(|flow| flow.flow_id),
            department_id: event.department.as_ref().map(|department| department.id),
            channel: event.channel_word(),
            sender_type: message.and_then(|message| message.sender_type.clone()),
            is_internal: message.map(|message| message.is_internal),
            situation: event.situation,
            payload: payload.to_owned(),
            parse_error: (!problems.is_empty()).then(|| problems.join("; ")),
            event_date: delivered_at.date_naive(),
            has_own_time: self.time.is_some(),
        }
    }
}

/// What holds of any item of an event of that name: it becomes a row that keeps it byte for byte.
///
/// # Panics
/// It does not hold.
#[cfg(any(test, fuzzing))]
pub fn check_item(event_type: &str, item: &str) {
    let item = item.trim();
    let event = parse_item(event_type, item);
    occurred(&event, DateTime::UNIX_EPOCH, Tz::America__Sao_Paulo);
    if serde_json::from_str::<&serde_json::value::RawValue>(item).is_err() {
        assert!(!event.problems.is_empty(), "nothing is said of {item:?}");
        return;
    }
    let body = format!("{{\"time\":1709298000,\"messages\":{{\"{event_type}\":[{item}]}}}}");
    let rows = read_delivery(
        body.as_bytes(),
        DateTime::UNIX_EPOCH,
        Tz::America__Sao_Paulo,
    );
    let rows = rows.expect("a delivery of well-formed items can be read");
    assert_eq!(rows.len(), 1, "{body}");
    assert_eq!(rows[0].payload, item);
    crate::table::to_batch(&rows);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::check_item;
    use crate::kinds::DOCUMENTED;

    const ODD: [&str; 9] = [
        "1e999",
        "-1.5",
        "true",
        r#""""#,
        r#""\ud800""#,
        "{}",
        "[[1]]",
        "99999999999999999999",
        r#""31/02/2024 25:61""#,
    ];

    /// Items of the documentation's samples, in each of which a value is left open.
    fn items() -> Vec<(String, String)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/webhooks");
        let mut items = Vec::new();
        for entry in std::fs::read_dir(folder).expect("the fixtures") {
            let path = entry.expect("a fixture").path();
            let sample = std::fs::read_to_string(path).expect("a fixture is text");
            let sample: Value = serde_json::from_str(&sample).expect("a fixture is JSON");
            let messages = sample["messages"].as_object().into_iter().flatten();
            for (event_type, list) in messages {
                let item = &list[0];
                let mut places = Vec::new();
                values_of(item, String::new(), &mut places);
                for place in places {
                    let mut item = item.clone();
                    *item.pointer_mut(&place).expect("a value") = json!("@");
                    items.push((event_type.clone(), item.to_string()));
                }
            }
        }
        items
    }

    /// Where each value lies, as pointers.
    fn values_of(value: &Value, place: String, places: &mut Vec<String>) {
        if let Some(object) = value.as_object() {
            for (key, value) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                values_of(value, format!("{place}/{key}"), places);
            }
        }
        places.push(place);
    }

    #[test]
    fn an_item_with_an_odd_value_anywhere_becomes_a_row_that_keeps_it() {
        let items = items();
        assert!(items.len() > 300, "only {} values", items.len());
        for (event_type, item) in items {
            for odd in ODD {
                check_item(&event_type, &item.replace("\"@\"", odd));
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_as_an_item_of_any_kind_is_kept_or_told(
            kind in 0..DOCUMENTED.len(), item in any::<String>(),
        ) {
            check_item(DOCUMENTED[kind], &item);
        }
    }
}
