//! The simulator knows what happened in each chat; the facts must say the same.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use serde_json::{Map, Value};

use crate::support::Desk;

/// Rows by their key, per table.
type Rows = BTreeMap<String, HashMap<String, Map<String, Value>>>;

#[test]
fn facts_of_simulated_chats_are_what_the_simulation_knows() {
    let desk = Desk::new();
    let traffic = [
        "--chats",
        "1500",
        "--days",
        "3",
        "--seed",
        "11",
        "--truth",
        "truth.ndjson",
    ];
    desk.generate("traffic.ndjson", &traffic);
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    let compared = compare(&desk);
    assert!(compared > 200_000, "only {compared} values were compared");
}

#[test]
fn facts_do_not_depend_on_how_arrival_was_batched() {
    let desk = Desk::new();
    let traffic = [
        "--chats",
        "200",
        "--days",
        "1",
        "--seed",
        "5",
        "--truth",
        "truth.ndjson",
    ];
    let lines = fs::read_to_string(desk.generate("traffic.ndjson", &traffic)).expect("the traffic");
    let lines: Vec<&str> = lines.lines().collect();
    // The last batch first, so that chats begin in the middle and grow at both ends.
    for batch in lines.chunks(lines.len() / 6).rev() {
        desk.write("batch.ndjson", batch.join("\n"));
        desk.ok(&["import", "batch.ndjson"]);
        desk.ok(&["transform"]);
    }
    compare(&desk);
    let incremental = all_facts(&desk);
    desk.ok(&["transform", "--full"]);
    assert_eq!(
        incremental,
        all_facts(&desk),
        "a full rebuild gives other rows"
    );
}

/// Compares every column that the simulation knows, and the keys both ways.
fn compare(desk: &Desk) -> usize {
    let mut expected = Rows::new();
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(desk.path("truth.ndjson"))
        .expect("the truth")
        .lines()
    {
        let entry: Value = serde_json::from_str(line).expect("a row of the truth");
        let table = entry["table"].as_str().expect("a table").to_owned();
        let key = entry["key"].as_object().expect("a key").clone();
        keys.entry(table.clone())
            .or_insert_with(|| key.keys().cloned().collect());
        let row = entry["row"].as_object().expect("a row").clone();
        expected
            .entry(table)
            .or_default()
            .insert(Value::Object(key).to_string(), row);
    }
    let mut compared = 0;
    for (table, rows) in &expected {
        let found = facts(desk, table, &keys[table]);
        assert_eq!(found.len(), rows.len(), "rows of {table}");
        for (key, row) in rows {
            let fact = found
                .get(key)
                .unwrap_or_else(|| panic!("{table} lacks {key}"));
            for (column, value) in row {
                assert_eq!(&fact[column], value, "{table} {key}: {column}");
                compared += 1;
            }
        }
    }
    compared
}

fn facts(desk: &Desk, table: &str, key: &[String]) -> HashMap<String, Map<String, Value>> {
    let lines = desk.ok(&[
        "query",
        "-c",
        &format!("SELECT * FROM {table}"),
        "--format",
        "ndjson",
    ]);
    let mut facts = HashMap::new();
    for line in lines.lines() {
        let row: Map<String, Value> = serde_json::from_str(line).expect("a row");
        let key: Map<String, Value> = key
            .iter()
            .map(|name| (name.clone(), row[name].clone()))
            .collect();
        let earlier = facts.insert(Value::Object(key).to_string(), row);
        assert!(earlier.is_none(), "{table} has a key twice");
    }
    facts
}

/// All rows of all facts, sorted.
fn all_facts(desk: &Desk) -> Vec<String> {
    let tables = desk.ok(&["tables"]);
    let mut all = Vec::new();
    for table in tables
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| name.starts_with("fact_"))
    {
        let rows = desk.ok(&[
            "query",
            "-c",
            &format!("SELECT * FROM {table}"),
            "--format",
            "ndjson",
        ]);
        all.extend(rows.lines().map(|row| format!("{table} {row}")));
    }
    all.sort();
    all
}
