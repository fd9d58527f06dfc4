//! Write-ahead logs that anything may have happened to.

#![no_main]

macro_rules! failpoint {
    ($name:literal) => {};
}

#[allow(dead_code, unused_imports, reason = "the service uses what is not used here")]
#[path = "../../crates/ingest/src/wal/mod.rs"]
mod wal;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|recipe: &[u8]| wal::recipe::check(recipe));
