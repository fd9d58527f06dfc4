//! Conformance cases: what a chain of deliveries must become in the facts, whatever the order and the
//! batches it arrives in. Each file under `tests/cases` holds deliveries, settings, and SQL with rows.

use std::fs;

use serde_json::Value;

use crate::support::{Desk, TOKEN, repository};

/// By which way, in which batches, and in which order, a case's deliveries arrive.
#[derive(Clone, Copy)]
enum Arrival {
    AllAtOnce,
    OneByOne,
    Shuffled(u64),
    /// To the running service, in their order or a shuffled one.
    Posted(Option<u64>),
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
    for seed in 1..=5 {
        check_all(Arrival::Shuffled(seed));
    }
}

#[test]
fn every_case_holds_when_posted_to_the_service() {
    check_all(Arrival::Posted(None));
}

#[test]
fn every_case_holds_when_posted_in_another_order() {
    check_all(Arrival::Posted(Some(6)));
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
    let mut deliveries = case["deliveries"].as_array().expect("deliveries").clone();
    if let Arrival::Shuffled(seed) | Arrival::Posted(Some(seed)) = arrival {
        shuffle(&mut deliveries, seed);
    }
    match arrival {
        Arrival::OneByOne => deliveries
            .iter()
            .for_each(|delivery| import(&desk, &global, std::slice::from_ref(delivery))),
        Arrival::AllAtOnce | Arrival::Shuffled(_) => import(&desk, &global, &deliveries),
        Arrival::Posted(_) => post(&desk, &global, &deliveries),
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

fn import(desk: &Desk, global: &[&str], deliveries: &[Value]) {
    let lines: Vec<String> = deliveries.iter().map(Value::to_string).collect();
    desk.write("deliveries.ndjson", lines.join("\n"));
    desk.ok(&[global, &["import", "deliveries.ndjson"]].concat());
    desk.ok(&[global, &["transform"]].concat());
}

/// The service receives a body at the time it is posted, whatever the case says: no fact may depend on that.
fn post(desk: &Desk, global: &[&str], deliveries: &[Value]) {
    let args = [global, &["--token", TOKEN, "--transform-every", "0"]].concat();
    let service = desk.serve(&args);
    for delivery in deliveries {
        let mut body = delivery.get("body").unwrap_or(delivery).clone();
        body["token"] = TOKEN.into();
        assert_eq!(service.post(body.to_string()).0, 200, "{body}");
    }
    assert_eq!(service.stop(), Some(0));
    desk.ok(&[global, &["transform"]].concat());
}

/// Fisher-Yates over a linear congruential generator: any order will do, the same one each time.
fn shuffle(items: &mut [Value], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        items.swap(last, (state >> 33) as usize % (last + 1));
    }
}
