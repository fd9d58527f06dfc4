//! Posting deliveries from many clients at once, and remembering which were acknowledged.

use std::sync::Mutex;
use std::thread;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::support::post;

const CLIENTS: usize = 8;

/// A line of generated traffic. The body is left as it is: an event's id goes by its bytes.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The bodies of generated deliveries, as the platform posts them.
pub fn bodies(lines: &str) -> Vec<String> {
    let body = |line: &str| {
        let line: Line = serde_json::from_str(line).expect("a delivery a line");
        line.body.get().to_owned()
    };
    lines.lines().map(body).collect()
}

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
