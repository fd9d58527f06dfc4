//! Conformance cases: what a chain of deliveries must become in the facts, whatever the order and the
//! batches it arrives in. Each file under `tests/cases` holds deliveries, settings, and SQL with rows.

use std::fs;

use serde_json::Value;

use crate::support::{Desk, repository};

/// In which batches, and in which order, a case's deliveries are imported.
#[derive(Clone, Copy)]
enum Arrival {
    AllAtOnce,
    OneByOne,
    Shuffled(u64),
}

#[test]
fn every_case_holds_when_imported_at_once() {
    check_all(Arrival::AllAtOnce);
}

#[test]
fn every_case_holds_when_imported_one_by_one() {
    check_all(Arrival::OneByOne);
}

#[test]
fn every_case_holds_in_another_order() {
    for seed in 1..=2 {
        check_all(Arrival::Shuffled(seed));
    }
}

fn check_all(arrival: Arrival) {
    let mut checked = 0;
    for entry in fs::read_dir(repository().join("tests/cases")).expect("the folder of cases") {
        let path = entry.expect("an entry of the folder of cases").path();
        let case: Value =
            serde_json::from_slice(&fs::read(&path).expect("a case")).expect("a case is JSON");
        check(&case, arrival);
        checked += 1;
    }
    assert!(checked >= 25, "only {checked} cases were found");
}

fn check(case: &Value, arrival: Arrival) {
    let desk = Desk::new();
    let name = case["name"].as_str().expect("a case has a name");
    let mut global = Vec::new();
    if let Some(settings) = case["config"].as_str() {
        desk.write("case.toml", settings);
        global.extend(["--config", "case.toml"]);
    }
    let mut deliveries: Vec<String> = case["deliveries"]
        .as_array()
        .expect("deliveries")
        .iter()
        .map(Value::to_string)
        .collect();
    if let Arrival::Shuffled(seed) = arrival {
        shuffle(&mut deliveries, seed);
    }
    let size = if matches!(arrival, Arrival::OneByOne) {
        1
    } else {
        deliveries.len()
    };
    for group in deliveries.chunks(size) {
        desk.write("deliveries.ndjson", group.join("\n"));
        desk.ok(&[global.as_slice(), &["import", "deliveries.ndjson"]].concat());
        desk.ok(&[global.as_slice(), &["transform"]].concat());
    }
    for expected in case["expect"].as_array().expect("expectations") {
        let sql = expected["sql"].as_str().expect("an expectation has SQL");
        assert_eq!(
            desk.rows_with(&global, sql),
            expected["rows"],
            "{name}: {sql}"
        );
    }
}

/// Fisher-Yates over a linear congruential generator: any order will do, the same one each time.
fn shuffle(items: &mut [String], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        items.swap(last, (state >> 33) as usize % (last + 1));
    }
}
