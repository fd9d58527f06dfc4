//! Bodies of requests.

#![no_main]

#[allow(dead_code, reason = "the service uses what is not used here")]
#[path = "../../crates/ingest/src/server/envelope.rs"]
mod envelope;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| envelope::check(body));
