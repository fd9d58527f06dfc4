//! What was acknowledged, and how the lake compares with it.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use crate::host::Host;
use crate::support::TOKEN;

/// The chats of the deliveries have smaller ids, those of simulated traffic greater ones.
pub const CHATS: u64 = 21_000_000;
/// Chats among which a sender goes to and fro, and deliveries that each has before others follow.
const CHATS_AT_ONCE: u64 = 20;
const DELIVERIES_A_CHAT: u64 = 100;

/// The acknowledged deliveries.
#[derive(Clone, Default)]
pub struct Record {
    deliveries: BTreeSet<u64>,
    padding: usize,
}

/// How the lake compares with a record, in events.
#[derive(Debug)]
pub struct Verdict {
    pub accepted: usize,
    pub in_the_lake: usize,
    /// Deliveries of which an event is missing or not as it was sent.
    pub lost: BTreeSet<u64>,
    pub doubled: usize,
}

impl Record {
    pub fn of(deliveries: &[u64], padding: usize) -> Record {
        Record {
            deliveries: deliveries.iter().copied().collect(),
            padding,
        }
    }

    pub fn deliveries(&self) -> impl Iterator<Item = u64> {
        self.deliveries.iter().copied()
    }

    /// Both records.
    pub fn and(mut self, other: Record) -> Record {
        assert_eq!(self.padding, other.padding);
        self.deliveries.extend(other.deliveries);
        self
    }

    /// Compares the lake with the record and prints the outcome. There may be more in the lake than was acknowledged:
    /// an answer may get lost, and the sender's next attempt with it.
    pub fn compare(&self, fault: &str, host: &Host) -> Verdict {
        let mut rows: HashMap<String, usize> = HashMap::new();
        for payload in host.stored() {
            *rows.entry(payload).or_default() += 1;
        }
        let is_missing = |delivery: &u64| {
            let mut items = items(*delivery, self.padding).into_iter();
            items.any(|item| !rows.contains_key(&item))
        };
        let verdict = Verdict {
            accepted: self
                .deliveries
                .iter()
                .map(|delivery| items(*delivery, 0).len())
                .sum(),
            in_the_lake: rows.values().sum(),
            lost: self.deliveries.iter().copied().filter(is_missing).collect(),
            doubled: rows.values().map(|copies| copies - 1).sum(),
        };
        println!(
            "{fault}: accepted {}, in the lake {}, lost {}, doubled {}",
            verdict.accepted,
            verdict.in_the_lake,
            verdict.lost.len(),
            verdict.doubled
        );
        verdict
    }

    /// As [`compare`](Self::compare); nothing may be lost, nothing doubled.
    #[track_caller]
    pub fn check(&self, fault: &str, host: &Host) {
        let verdict = self.compare(fault, host);
        assert!(
            verdict.accepted > 0,
            "{fault}: nothing was accepted, so nothing is shown"
        );
        assert_eq!(
            (verdict.lost.len(), verdict.doubled),
            (0, 0),
            "{fault}: {verdict:?}"
        );
    }
}

/// What is posted for a delivery.
pub fn body(delivery: u64, padding: usize) -> String {
    let time = 1_709_298_000 + delivery % 3600;
    let items = items(delivery, padding).join(",");
    format!(r#"{{"time":{time},"messages":{{"receivedMessage":[{items}]}},"token":"{TOKEN}"}}"#)
}

/// The delivery that a body is.
pub fn delivery_of(body: &[u8]) -> u64 {
    let body: serde_json::Value = serde_json::from_slice(body).expect("a delivery");
    body["messages"]["receivedMessage"][0]["id"]
        .as_u64()
        .expect("an id")
        / 2
}

/// One event or two.
fn items(delivery: u64, padding: usize) -> Vec<String> {
    let chat =
        delivery / (CHATS_AT_ONCE * DELIVERIES_A_CHAT) * CHATS_AT_ONCE + delivery % CHATS_AT_ONCE;
    assert!(chat < CHATS);
    let item = |number: u64| {
        let item = json!({
            "id": 2 * delivery + number, "body": "á".repeat(padding / 2), "is_internal": false, "senderType": "widget",
            "chat": { "id": chat, "channel": "widget", "situation": "wait_for_chat", "department": false },
            "send_at": "2024-03-01 10:00:00", "company": { "id": "15691" }
        });
        item.to_string()
    };
    (0..=delivery % 2).map(item).collect()
}
