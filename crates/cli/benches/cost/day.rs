//! A day of runs every 30 seconds: the bytes of facts written, over those of the facts it ends with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::Result;
use crate::desk::Desk;
use crate::process::run;
use crate::setting::setting;

const EVERY_SECONDS: i64 = 30;

pub fn measure(folder: &Path) -> Result<()> {
    let desk = Desk::new(folder.join("day"))?;
    let chats = setting("BENCH_DAY_CHATS", 1_000).to_string();
    let output = desk
        .etl(&["generate", "--chats", &chats, "--days", "1"])
        .stdout(Stdio::piped())
        .output()?;
    let mut runs: BTreeMap<i64, String> = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let delivery: Value = serde_json::from_str(line)?;
        let time = delivery["body"]["time"].as_i64().unwrap_or_default();
        let run = runs.entry(time / EVERY_SECONDS).or_default();
        run.push_str(line);
        run.push('\n');
    }
    for lines in runs.values() {
        fs::write(desk.folder.join("news.ndjson"), lines)?;
        run(&mut desk.etl(&["import", "news.ndjson"]))?;
        run(&mut desk.etl(&["transform"]))?;
    }
    let (mut written, mut live, mut most_files) = (0, 0, 0);
    for entry in fs::read_dir(desk.folder.join("lake"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with("fact_") || name.starts_with("dim_") || name == "coverage" {
            let bytes = table_bytes(&path)?;
            written += bytes.written;
            live += bytes.live;
            most_files = most_files.max(bytes.files);
        }
    }
    println!(
        "a day of {chats} chats in {} runs: {:.1} MB written for {:.2} MB of facts, ratio {:.0}, at most {most_files} files a table",
        runs.len(),
        written as f64 / 1e6,
        live as f64 / 1e6,
        written as f64 / live as f64
    );
    Ok(())
}

struct TableBytes {
    /// Added by commits.
    written: i64,
    /// Of these, not removed.
    live: i64,
    files: usize,
}

fn table_bytes(table: &Path) -> Result<TableBytes> {
    let (mut written, mut live) = (0, BTreeMap::new());
    let mut commits: Vec<_> = fs::read_dir(table.join("_delta_log"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    commits.sort();
    for commit in commits {
        for line in fs::read_to_string(commit)?.lines() {
            let action: Value = serde_json::from_str(line)?;
            let path = |kind: &str| action[kind]["path"].as_str().map(str::to_owned);
            if let Some(path) = path("remove") {
                live.remove(&path);
            }
            if let Some(path) = path("add") {
                let size = action["add"]["size"].as_i64().unwrap_or_default();
                written += size;
                live.insert(path, size);
            }
        }
    }
    Ok(TableBytes {
        written,
        live: live.values().sum(),
        files: live.len(),
    })
}
