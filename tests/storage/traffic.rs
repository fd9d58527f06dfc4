//! Posting deliveries from many clients at once, and remembering which were acknowledged.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Desk, TOKEN, post};

const CLIENTS: usize = 8;

/// Posts each body until it is acknowledged, from several clients.
pub fn deliver(url: &str, bodies: &[String]) {
    let next = Mutex::new(bodies.iter());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(body) = take(&next) {
                    assert!(matches!(post(url, body.as_bytes()), Ok((200, _))), "{body}");
                }
            });
        }
    });
}

fn take<'a>(next: &Mutex<std::slice::Iter<'a, String>>) -> Option<&'a String> {
    next.lock()
        .expect("no client panics while it chooses")
        .next()
}

/// Messages posted as fast as they are answered, each once, by clients of which each counts from its own number.
#[derive(Default)]
pub struct Load {
    ended: AtomicBool,
    acknowledged: Mutex<BTreeSet<u64>>,
    first: u64,
    runs: AtomicU64,
}

const POSTERS: u64 = 4;
/// Numbers of one client.
pub const APART: u64 = 1_000_000;

impl Load {
    /// Its clients count from that one's numbers on.
    pub fn from(client: u64) -> Load {
        Load {
            first: client,
            ..Load::default()
        }
    }

    pub fn run<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>, url: &str) {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let first = self.first + run * POSTERS;
        for poster in first..first + POSTERS {
            let url = url.to_owned();
            scope.spawn(move || {
                for message in poster * APART + 1.. {
                    if self.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Ok((200, _)) = post(&url, message_body(message, 1).as_bytes()) {
                        self.acknowledge(message);
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
    }

    /// After [`end`](Self::end): [`run`](Self::run) may be called again.
    pub fn go_on(&self) {
        self.ended.store(false, Ordering::Relaxed);
    }

    pub fn acknowledge(&self, message: u64) {
        let mut acknowledged = self.acknowledged.lock().expect("no client panics with it");
        acknowledged.insert(message);
    }

    /// Ends the load when dropped, also by a failed test, which would wait for the clients for ever.
    pub fn ending(&self) -> Ending<'_> {
        Ending(self)
    }

    /// The clients stop after the request at hand.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub fn acknowledged(&self) -> BTreeSet<u64> {
        self.acknowledged
            .lock()
            .expect("no client panics with it")
            .clone()
    }

    pub fn tally(&self, desk: &Desk) -> Tally {
        Tally::of(&self.acknowledged(), desk)
    }
}

pub struct Ending<'a>(&'a Load);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A delivery of one message, with a body of so many bytes.
pub fn message_body(message: u64, bytes: usize) -> String {
    let body = json!({
        "time": 1_709_298_000 + message % APART,
        "messages": { "receivedMessage": [{
            "id": message, "body": "x".repeat(bytes), "is_internal": false, "senderType": "widget",
            "chat": { "id": message % 7 + 1, "channel": "widget", "situation": "wait_for_chat", "department": false },
            "send_at": "2024-03-01 10:00:00", "company": { "id": "3526" }
        }]},
        "token": TOKEN,
    });
    body.to_string()
}

/// The lake beside what was acknowledged.
pub struct Tally {
    pub acknowledged: usize,
    pub stored: BTreeSet<u64>,
    pub lost: BTreeSet<u64>,
    pub doubled: usize,
    /// Messages among the facts.
    pub facts: i64,
}

impl Tally {
    pub fn of(acknowledged: &BTreeSet<u64>, desk: &Desk) -> Tally {
        let rows = desk.rows("SELECT message_id FROM events");
        let ids: Vec<u64> = rows
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| match &row[0] {
                Value::String(id) => id.parse().expect("a number"),
                id => id.as_u64().expect("a number"),
            })
            .collect();
        let stored: BTreeSet<u64> = ids.iter().copied().collect();
        Tally {
            acknowledged: acknowledged.len(),
            lost: acknowledged.difference(&stored).copied().collect(),
            doubled: ids.len() - stored.len(),
            facts: desk.number("SELECT count(*) FROM fact_messages"),
            stored,
        }
    }

    #[track_caller]
    pub fn check(&self) {
        assert!(self.acknowledged > 100, "hardly anything was accepted");
        assert!(self.lost.is_empty(), "lost {:?}", self.lost);
        assert_eq!(self.doubled, 0, "events stored twice");
        assert_eq!(self.facts, self.stored.len() as i64, "facts differ");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(
            formatter,
            "accepted {}, in the lake {}, lost {}, doubled {}",
            self.acknowledged,
            self.stored.len(),
            self.lost.len(),
            self.doubled
        )
    }
}
