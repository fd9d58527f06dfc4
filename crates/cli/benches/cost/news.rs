//! News: messages to chats of today, of yesterday, and to a few old ones.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use crate::Result;
use crate::desk::Desk;
use crate::process::run;

pub const EVENTS: usize = CHATS * EVENTS_PER_CHAT;
pub const CHATS: usize = 100;
const EVENTS_PER_CHAT: usize = 10;
/// Chats by when they began: on the lake's last busy day, on the one before, or more than 30 days earlier.
const AGES: [(usize, &str); 3] = [
    (50, "= today"),
    (40, "= yesterday"),
    (10, "< today - INTERVAL '30 days'"),
];
/// The last two days with chats enough for every round.
const DAYS: &str = "WITH busy AS (SELECT started_date AS day FROM fact_chats WHERE session_no = 1 \
     GROUP BY started_date HAVING count(*) >= 150 ORDER BY started_date DESC LIMIT 2), \
     days AS (SELECT max(day) AS today, min(day) AS yesterday FROM busy)";

/// Imports news of chats that no earlier round touched; the time of the transform that takes them in.
pub fn measure(desk: &Desk, round: usize) -> Result<Duration> {
    let mut lines = String::new();
    let time =
        desk.number("SELECT cast(to_unixtime(max(delivered_at)) AS BIGINT) + 1 FROM events")?;
    let mut message = 9_000_000_000 + (round * EVENTS) as u64;
    for (count, age) in AGES {
        let skipped = round * count;
        let chats = desk.column(&format!(
            "{DAYS} SELECT chat_id FROM fact_chats, days WHERE session_no = 1 AND started_date {age} \
             ORDER BY chat_id LIMIT {count} OFFSET {skipped}"
        ))?;
        if chats.len() != count {
            return Err(format!("the lake has too few chats with a start {age}").into());
        }
        for chat in chats {
            for _ in 0..EVENTS_PER_CHAT {
                writeln!(
                    lines,
                    r#"{{"time":{time},"messages":{{"receivedMessage":[{{"id":{message},"body":"Olá","senderType":"widget","chat":{{"id":{chat},"channel":"widget","situation":"in_chat"}},"company":{{"id":15691}}}}]}},"token":"t"}}"#
                )?;
                message += 1;
            }
        }
    }
    fs::write(desk.folder.join("news.ndjson"), lines)?;
    run(&mut desk.etl(&["import", "news.ndjson"]))?;
    Ok(run(&mut desk.etl(&["transform"]))?.time)
}
