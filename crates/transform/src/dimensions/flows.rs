//! `dim_flows`: the bots' flows. Events tell no more of a flow than its id; its runs are counted.

use events::Event;

use super::{Dimension, Known, Mention};
use crate::columns::{Column, Value, column};

pub(super) static FLOWS: Dimension = Dimension {
    name: "dim_flows",
    description: "One row per flow (fluxo) of a bot, with how often it ran.",
    id: ("flow_id", "Id of the flow (fluxo)"),
    fields: &[],
    counts: COUNTS,
    last_seen: "last_seen_at",
    mentions,
};

const COUNTS: &[Column<Known>] = &[column(
    "runs",
    "Its runs: rows of fact_flow_runs",
    Value::Long(|known| Some(known.runs)),
)];

fn mentions(event: &Event) -> Vec<Mention> {
    let flow = event.flow().map(|flow| Mention {
        id: flow.flow_id,
        values: Vec::new(),
    });
    flow.into_iter().collect()
}
