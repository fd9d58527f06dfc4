//! The lake cannot be reached, for long: the service starts all the same, accepts until its log is full,
//! then says so, in bounded memory; and it needs no restart once the lake is there.

use std::collections::BTreeSet;

use crate::servers::{Seaweed, desk};
use crate::support::{TOKEN, post_for_answer, wait};
use crate::traffic::{Tally, message_body};

const LOG_LIMIT: &str = "512MiB";
const LOG_BYTES: usize = 512 << 20;
const BODY_BYTES: usize = 400 << 10;
/// Less than what waits, so that a service which holds its log in memory exceeds it. What is flushed at once takes about
/// seven times its bytes.
const FLUSH: &str = "flush_bytes = \"32MiB\"";
const MOST_MEMORY: u64 = 400 << 20;

#[test]
fn without_a_lake_the_service_accepts_until_its_log_is_full_and_drains_once_there_is_one() {
    let mut store = Seaweed::planned();
    let desk = desk(&store.reach());
    let settings = [
        &format!("wal_limit_bytes = \"{LOG_LIMIT}\""),
        FLUSH,
        "flush_interval = \"200ms\"",
        "transform_every = \"0\"",
    ];
    desk.write("huggy-etl.toml", settings.join("\n"));
    let service = desk.serve(&["--token", TOKEN]);
    let mut accepted = BTreeSet::new();
    let refused = loop {
        let message = accepted.len() as u64 + 1;
        let answer = post_for_answer(&service.webhook, &message_body(message, BODY_BYTES));
        if answer.status != 200 {
            break answer;
        }
        accepted.insert(message);
    };
    assert_eq!(refused.status, 503);
    let wait_seconds = refused.retry_after.as_deref().map(str::parse::<u32>);
    assert!(matches!(wait_seconds, Some(Ok(1..))), "no Retry-After");
    let least = LOG_BYTES / (BODY_BYTES + 1024);
    assert!(accepted.len() >= least * 9 / 10, "only {}", accepted.len());
    assert_eq!(service.get("/readyz").0, 503);
    assert_eq!(service.get("/healthz").0, 200);
    let while_full = service.peak_memory();

    store.start_again();
    wait("the log to drain", || {
        let message = accepted.len() as u64 + 1;
        let answer = post_for_answer(&service.webhook, &message_body(message, BODY_BYTES));
        answer.status == 200 && accepted.insert(message)
    });
    wait("the service to be ready", || {
        service.get("/readyz").0 == 200
    });
    let drained = service.peak_memory();
    assert_eq!(service.stop(), Some(0));
    desk.ok(&["transform"]);
    let tally = Tally::of(&accepted, &desk);
    println!(
        "no lake: {tally}; peak memory {} MiB with the log full, {} MiB with it drained",
        while_full >> 20,
        drained >> 20
    );
    tally.check();
    assert!(drained < MOST_MEMORY, "{} MiB", drained >> 20);
}
