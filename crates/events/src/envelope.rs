//! The envelope of a delivery: `{"time", "messages": {event name: [items]}, "token"}`.
//!
//! Splits a body into its items without copying or interpreting them, and tolerates every shape seen
//! or imaginable. Never looks inside an item.

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

/// A delivery's dispatch time, and where its items are.
pub(crate) struct Envelope<'a> {
    /// `time` as sent, for the content hash.
    pub time_text: &'a str,
    pub time: Option<DateTime<Utc>>,
    entries: Vec<(String, &'a RawValue)>,
}

/// One event of a delivery, unread.
pub(crate) enum Item<'a> {
    Event {
        event_type: &'a str,
        payload: &'a str,
    },
    /// A part of the delivery that is no event; kept with the reason.
    Misfit {
        payload: &'a str,
        reason: &'static str,
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
    Ok(Envelope {
        time_text,
        time: plausible_time(time_text),
        entries,
    })
}

impl Envelope<'_> {
    /// Hands on the items in order, one by one: a body of a few megabytes may hold millions.
    pub fn each_item(&self, take: &mut dyn FnMut(Item)) {
        let messages = self.entries.iter().filter(|(name, _)| name == "messages");
        for (_, messages) in messages.clone() {
            split_messages(messages.get(), take);
        }
        if messages.count() == 0 {
            take(Item::Misfit {
                payload: &without_token(&self.entries),
                reason: "the delivery has no `messages`",
            });
        }
    }
}

fn split_messages(messages: &str, take: &mut dyn FnMut(Item)) {
    if let Ok(Entries(events)) = serde_json::from_str::<Entries>(messages) {
        split_events(&events, take);
    } else if let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(messages) {
        // `messages: []` holds nothing; an array of objects holds its objects' events.
        for part in parts {
            match serde_json::from_str::<Entries>(part.get()) {
                Ok(Entries(events)) => split_events(&events, take),
                Err(_) => take(Item::Misfit {
                    payload: part.get(),
                    reason: "an element of `messages` is no object of events",
                }),
            }
        }
    } else if messages != "null" {
        take(Item::Misfit {
            payload: messages,
            reason: "`messages` is no object of events",
        });
    }
}

/// The arrays of items; a bare item where an array should be stands for an array of one.
fn split_events(events: &[(String, &RawValue)], take: &mut dyn FnMut(Item)) {
    for (event_type, value) in events {
        let mut event = |payload| {
            take(Item::Event {
                event_type,
                payload,
            });
        };
        match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
            Ok(list) => list.into_iter().for_each(|item| event(item.get())),
            Err(_) => event(value.get()),
        }
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
