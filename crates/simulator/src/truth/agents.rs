//! The rows of the agents' status: who was what, from when to when.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cast::COMPANY_ID;
use crate::company::{Status, Telling, tellings};
use crate::truth::{TruthRow, date, instant, object};
use crate::world::World;

pub fn statuses(world: &World) -> Vec<TruthRow> {
    let mut changes: BTreeMap<u32, Vec<Telling>> = BTreeMap::new();
    for day in 0..world.options.days {
        for telling in tellings(world, day, &mut world.company_stream(day)) {
            let of_agent = changes.entry(telling.agent.0).or_default();
            // What was told already is no change.
            if of_agent.last().map(|last| last.status) != Some(telling.status) {
                of_agent.push(telling);
            }
        }
    }
    let rows = changes.values().flat_map(|of_agent| {
        let ends = of_agent.iter().skip(1).map(|next| Some(next.at));
        of_agent
            .iter()
            .zip(ends.chain([None]))
            .map(|(change, end)| status(change, end))
    });
    rows.collect()
}

fn status(change: &Telling, end: Option<i64>) -> TruthRow {
    let is: Status = change.status;
    TruthRow {
        table: "fact_agent_status",
        key: object(json!({
            "agent_id": change.agent.id(),
            "started_at": instant(change.at),
        })),
        row: object(json!({
            "company_id": COMPANY_ID,
            "ended_at": end.map(instant),
            "is_online": is.is_online(),
            "is_available": is.is_available(),
            "is_active": true,
            "status_id": is.id(),
            "origin": "manually",
            "duration_seconds": end.map(|end| end - change.at),
            "started_date": date(change.at),
        })),
    }
}
