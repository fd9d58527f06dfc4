//! `dim_channels`: the company's channels as last told.

use events::Event;

use super::{Dimension, Known, Mention};
use crate::columns::{Column, Value, column};

pub(super) static CHANNELS: Dimension = Dimension {
    name: "dim_channels",
    description: "One row per channel (canal) of a company, with the latest known values.",
    id: (
        "channel_id",
        "Id of the channel (canal), as in channel_id of fact_chats",
    ),
    fields: FIELDS,
    counts: &[],
    last_seen: "updated_at",
    mentions,
};

const FIELDS: &[Column<Known>] = &[
    column(
        "uuid",
        "UUID as last told",
        Value::Text(|known| known.text(0)),
    ),
    column(
        "name",
        "Name as last told",
        Value::Text(|known| known.text(1)),
    ),
    column(
        "type",
        "Latest type, in lower case: widget, whatsapp, email, ...",
        Value::Text(|known| known.text(2)),
    ),
];

/// Only the object form has an id.
fn mentions(event: &Event) -> Vec<Mention> {
    let channel = event.channel_object.as_ref().map(|channel| Mention {
        id: channel.id,
        values: vec![
            channel.uuid.clone(),
            channel.name.clone(),
            channel.kind.as_ref().map(|kind| kind.to_lowercase()),
        ],
    });
    channel.into_iter().collect()
}
