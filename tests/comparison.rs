//! The facts of a desk's lake beside what the simulation knows of its traffic.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Map, Value};
use transform::derived_tables;

use crate::support::Desk;

/// So many rows of a table are held at a time, however large the lake is.
const ROWS_AT_A_TIME: usize = 100_000;

type Row = Map<String, Value>;

/// Compares every column that the simulation knows, and the keys both ways.
pub fn compare(desk: &Desk) -> usize {
    let mut known: HashMap<String, Known> = HashMap::new();
    for line in lines(File::open(desk.path("truth.ndjson")).expect("the truth")) {
        let entry: Value = serde_json::from_str(&line).expect("a row of the truth");
        let table = entry["table"].as_str().expect("a table");
        let known = known
            .entry(table.to_owned())
            .or_insert_with(|| Known::new(desk, table, &entry["key"]));
        known.rows += 1;
        writeln!(known.truth, "{line}").expect("keeping a row of the truth");
    }
    known
        .into_iter()
        .map(|(table, known)| known.compare(desk, &table))
        .sum()
}

/// What the simulation knows of a table's rows, kept in a file of its own.
struct Known {
    key: Vec<String>,
    rows: usize,
    path: PathBuf,
    truth: BufWriter<File>,
}

impl Known {
    fn new(desk: &Desk, table: &str, key: &Value) -> Known {
        let path = desk.path(&format!("{table}.truth"));
        let key = key.as_object().expect("a key");
        Known {
            key: key.keys().cloned().collect(),
            rows: 0,
            truth: BufWriter::new(File::create(&path).expect("a file of the test")),
            path,
        }
    }

    fn compare(self, desk: &Desk, table: &str) -> usize {
        self.truth.into_inner().expect("keeping the truth");
        let parts = self.rows.div_ceil(ROWS_AT_A_TIME);
        let truth = File::open(&self.path).expect("the truth of a table");
        let truth = lines(truth).map(|line| {
            let entry: Value = serde_json::from_str(&line).expect("a row of the truth");
            (entry["key"].to_string(), entry["row"].to_string())
        });
        let truth = scatter(desk, &format!("{table}.truth"), parts, truth);
        let mut query = desk.command(&[
            "query",
            "-c",
            &format!("SELECT * FROM {table}"),
            "--format",
            "ndjson",
        ]);
        let mut query = query
            .stdout(Stdio::piped())
            .spawn()
            .expect("running the binary");
        let facts = lines(query.stdout.take().expect("its stdout")).map(|line| {
            let row: Row = serde_json::from_str(&line).expect("a row");
            let key: Row = self
                .key
                .iter()
                .map(|name| (name.clone(), row[name].clone()))
                .collect();
            (Value::Object(key).to_string(), line)
        });
        let facts = scatter(desk, &format!("{table}.facts"), parts, facts);
        assert!(query.wait().expect("the query's end").success(), "{table}");
        let _ = fs::remove_file(&self.path);
        let parts = truth.iter().zip(&facts);
        parts
            .map(|(truth, facts)| compare_part(table, truth, facts))
            .sum()
    }
}

/// The lines in files by their keys, so that a key's row and truth are in files of one number.
fn scatter(
    desk: &Desk,
    name: &str,
    parts: usize,
    lines: impl Iterator<Item = (String, String)>,
) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = (0..parts)
        .map(|part| desk.path(&format!("{name}.{part}")))
        .collect();
    let create = |path| BufWriter::new(File::create(path).expect("a file of the test"));
    let mut files: Vec<_> = paths.iter().map(create).collect();
    for (key, line) in lines {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let part = hasher.finish() as usize % parts;
        writeln!(files[part], "{key}\t{line}").expect("writing a file of the test");
    }
    for file in files {
        file.into_inner().expect("writing a file of the test");
    }
    paths
}

fn compare_part(table: &str, truth: &Path, facts: &Path) -> usize {
    let (expected, found) = (rows(table, truth), rows(table, facts));
    assert_eq!(found.len(), expected.len(), "rows of {table}");
    let mut compared = 0;
    for (key, row) in &expected {
        let fact = found
            .get(key)
            .unwrap_or_else(|| panic!("{table} lacks {key}"));
        for (column, value) in row {
            assert_eq!(&fact[column], value, "{table} {key}: {column}");
            compared += 1;
        }
    }
    compared
}

/// The rows of a scattered file, which goes.
fn rows(table: &str, path: &Path) -> HashMap<String, Row> {
    let mut rows = HashMap::new();
    for line in lines(File::open(path).expect("a file of the test")) {
        let (key, row) = line.split_once('\t').expect("a key and its row");
        let row = serde_json::from_str(row).expect("a row");
        let earlier = rows.insert(key.to_owned(), row);
        assert!(earlier.is_none(), "{table} has a key twice: {key}");
    }
    fs::remove_file(path).expect("removing a file of the test");
    rows
}

fn lines(from: impl std::io::Read) -> impl Iterator<Item = String> {
    BufReader::new(from)
        .lines()
        .map(|line| line.expect("a line"))
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
