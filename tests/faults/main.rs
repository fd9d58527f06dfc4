//! Faults on the real binary, on real disks, over real HTTP. A load of deliveries, sent again until they are
//! acknowledged, keeps a record of what was; afterwards the lake is compared with the record, byte for byte.
//!
//! Each fault is a test and prints `accepted, in the lake, lost, doubled`. `FAULT_SEED` reproduces what is random,
//! `FAULT_KILLS` says how many random kills, `SOAK_DURATION` how long the soak, `FAULT_BINARY` tests another binary. Needs
//! root, for file systems of its own, and strace and faketime; where they are missing the tests fail.

mod clients;
mod disk;
mod frames;
mod host;
mod kills;
mod late;
mod load;
mod log;
mod power;
mod record;
mod soak;
#[expect(dead_code, reason = "what the tests of the product need besides")]
#[path = "../support.rs"]
mod support;
mod time;
