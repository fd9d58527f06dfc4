//! `dim_agents`: the agents as last told.

use events::Event;

use super::{Dimension, Known, Mention};
use crate::columns::{Column, Value, column};

pub(super) static AGENTS: Dimension = Dimension {
    name: "dim_agents",
    description: "One row per agent (agente), with the latest known values.",
    id: ("agent_id", "Id of the agent (agente)"),
    fields: FIELDS,
    counts: &[],
    last_seen: "updated_at",
    mentions,
};

const FIELDS: &[Column<Known>] = &[
    column(
        "name",
        "Name as last told",
        Value::Text(|known| known.text(0)),
    ),
    column(
        "email",
        "Latest e-mail address",
        Value::Text(|known| known.text(1)),
    ),
    column(
        "mobile",
        "Latest mobile number, as sent",
        Value::Text(|known| known.text(2)),
    ),
    column(
        "phone",
        "Latest telephone number, as sent",
        Value::Text(|known| known.text(3)),
    ),
];

fn mentions(event: &Event) -> Vec<Mention> {
    let agent = event.agent.as_ref().map(|agent| Mention {
        id: agent.id,
        values: vec![
            agent.name.clone(),
            agent.email.clone(),
            agent.mobile.clone(),
            agent.phone.clone(),
        ],
    });
    agent.into_iter().collect()
}
