//! The envelope of a delivery: `{"time", "messages": {event name: [items]}, "token"}`.
//!
//! Splits a body into its items without copying or interpreting them, and tolerates every shape seen
//! or imaginable. Never looks inside an item.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A body that is no delivery at all: not UTF-8, not JSON, or not an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDelivery {
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error(
        "a delivery is a JSON object such as {{\"time\", \"messages\", \"token\"}}; this is not one"
    )]
    NotAnObject,
}

/// A delivery's items in order, and its dispatch time.
pub(crate) struct Envelope<'a> {
    /// `time` as sent, for the content hash.
    pub time_text: &'a str,
    pub time: Option<DateTime<Utc>>,
    pub items: Vec<Item<'a>>,
}

/// One event of a delivery, unread.
pub(crate) enum Item<'a> {
    Event {
        event_type: String,
        payload: &'a str,
    },
    /// A part of the delivery that is no event; kept with the reason.
    Misfit {
        payload: Cow<'a, str>,
        reason: String,
    },
}

/// The envelope's `time`, if the body is a delivery and has a plausible one.
pub fn envelope_time(body: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(body).ok()?;
    let Entries(entries) = serde_json::from_str(text).ok()?;
    plausible_time(last(&entries, "time")?)
}

pub(crate) fn split(text: &str) -> Result<Envelope<'_>, BadDelivery> {
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|error| BadDelivery::NotJson(error.to_string()))?;
    if !raw.get().starts_with('{') {
        return Err(BadDelivery::NotAnObject);
    }
    let Entries(entries) =
        serde_json::from_str(raw.get()).map_err(|error| BadDelivery::NotJson(error.to_string()))?;
    let time_text = last(&entries, "time").unwrap_or("");
    let mut items = Vec::new();
    let messages = entries.iter().filter(|(name, _)| name == "messages");
    for (_, messages) in messages.clone() {
        split_messages(messages.get(), &mut items);
    }
    if messages.count() == 0 {
        let reason = "the delivery has no `messages`".to_owned();
        items.push(Item::Misfit {
            payload: without_token(&entries).into(),
            reason,
        });
    }
    Ok(Envelope {
        time_text,
        time: plausible_time(time_text),
        items,
    })
}

fn split_messages<'a>(messages: &'a str, items: &mut Vec<Item<'a>>) {
    if let Ok(Entries(events)) = serde_json::from_str::<Entries<'a>>(messages) {
        for (event_type, value) in events {
            split_items(&event_type, value.get(), items);
        }
    } else if let Ok(parts) = serde_json::from_str::<Vec<&'a RawValue>>(messages) {
        // `messages: []` holds nothing; an array of objects holds its objects' events.
        for part in parts {
            match serde_json::from_str::<Entries<'a>>(part.get()) {
                Ok(Entries(events)) => {
                    for (event_type, value) in events {
                        split_items(&event_type, value.get(), items);
                    }
                }
                Err(_) => items.push(misfit(
                    part.get(),
                    "an element of `messages` is no object of events",
                )),
            }
        }
    } else if messages != "null" {
        items.push(misfit(messages, "`messages` is no object of events"));
    }
}

/// The array of items; a bare item where the array should be stands for an array of one.
fn split_items<'a>(event_type: &str, value: &'a str, items: &mut Vec<Item<'a>>) {
    let event = |payload| Item::Event {
        event_type: event_type.to_owned(),
        payload,
    };
    match serde_json::from_str::<Vec<&'a RawValue>>(value) {
        Ok(list) => items.extend(list.into_iter().map(|item| event(item.get()))),
        Err(_) => items.push(event(value)),
    }
}

fn misfit<'a>(payload: &'a str, reason: &str) -> Item<'a> {
    Item::Misfit {
        payload: payload.into(),
        reason: reason.to_owned(),
    }
}

/// A delivery's own entries, values byte for byte, as an object without the secret among them.
fn without_token(entries: &[(String, &RawValue)]) -> String {
    let others = entries.iter().filter(|(name, _)| name != "token");
    let parts: Vec<String> = others
        .map(|(name, value)| format!("{}:{}", serde_json::Value::from(name.as_str()), value.get()))
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// Unix seconds, as a number or a string of digits, between 2010 and 2100: milliseconds, zero and
/// other accidents fall outside.
fn plausible_time(text: &str) -> Option<DateTime<Utc>> {
    let seconds: i64 = text.trim_matches('"').parse().ok()?;
    let year = |year| {
        NaiveDate::from_ymd_opt(year, 1, 1)
            .map(|date| date.and_time(chrono::NaiveTime::MIN).and_utc())
    };
    let time = DateTime::from_timestamp(seconds, 0)?;
    (time >= year(2010)? && time < year(2100)?).then_some(time)
}

fn last<'a>(entries: &[(String, &'a RawValue)], key: &str) -> Option<&'a str> {
    entries
        .iter()
        .rev()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.get())
}

/// A JSON object as its entries in order, repeated keys included, values unread.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
