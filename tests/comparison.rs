//! The facts of a desk's lake beside what the simulation knows of its traffic.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use serde_json::{Map, Value};
use transform::derived_tables;

use crate::support::Desk;

/// Rows by their key, per table.
type Rows = BTreeMap<String, HashMap<String, Map<String, Value>>>;

/// Compares every column that the simulation knows, and the keys both ways.
pub fn compare(desk: &Desk) -> usize {
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

/// All rows of all derived tables, sorted.
pub fn all_rows(desk: &Desk) -> Vec<String> {
    let mut all = Vec::new();
    for table in derived_tables() {
        let sql = format!("SELECT * FROM {table}");
        let rows = desk.ok(&["query", "-c", &sql, "--format", "ndjson"]);
        all.extend(rows.lines().map(|row| format!("{table} {row}")));
    }
    all.sort();
    all
}
