//! `dim_tabulations`: the closing reasons as last told.

use events::{Detail, Event};

use super::{Dimension, Known, Mention};
use crate::columns::{Column, Value, column};

pub(super) static TABULATIONS: Dimension = Dimension {
    name: "dim_tabulations",
    description: "One row per closing reason (tabulação), with the latest known values.",
    id: ("tabulation_id", "Id of the closing reason (tabulação)"),
    fields: FIELDS,
    counts: &[],
    last_seen: "updated_at",
    mentions,
};

const FIELDS: &[Column<Known>] = &[column(
    "name",
    "Name as last told",
    Value::Text(|known| known.text(0)),
)];

fn mentions(event: &Event) -> Vec<Mention> {
    match &event.detail {
        Detail::Closed {
            tabulation: Some(tabulation),
            ..
        } => vec![Mention {
            id: tabulation.id,
            values: vec![tabulation.name.clone()],
        }],
        _ => Vec::new(),
    }
}
