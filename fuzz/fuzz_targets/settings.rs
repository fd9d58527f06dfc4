//! Settings files.

#![no_main]
#![allow(dead_code, reason = "the binary uses what is not used here")]

#[path = "../../crates/cli/src/config/keys.rs"]
mod keys;
#[path = "../../crates/cli/src/config/layers.rs"]
mod layers;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| layers::check(text));
