//! A day of runs every 30 seconds: the bytes of facts written, over those of the facts it ends with, and the room that the
//! lake takes after maintenance, over that of what is alive.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::desk::Desk;
use crate::process::run;
use crate::setting::setting;
use crate::{Result, hold};

const EVERY_SECONDS: i64 = 30;
/// Bytes written, over those of the facts.
const WRITTEN_RATIO_AT_MOST: f64 = 100.0;
/// Room taken after maintenance, over what is alive.
const ROOM_RATIO_AT_MOST: f64 = 2.0;

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
    let lake = desk.folder.join("lake");
    let (mut written, mut live, mut most_files) = (0, 0, 0);
    for table in desk.tables()?.iter().filter(|table| table.name != "events") {
        let bytes = table_bytes(&lake.join(&table.name))?;
        written += bytes.written;
        live += bytes.live;
        most_files = most_files.max(bytes.files);
    }
    let ratio = written as f64 / live as f64;
    println!(
        "a day of {chats} chats in {} runs: {:.1} MB written for {:.2} MB of facts, ratio {ratio:.0}, at most {most_files} files a table",
        runs.len(),
        written as f64 / 1e6,
        live as f64 / 1e6,
    );
    hold(
        "what is written over the facts",
        ratio,
        WRITTEN_RATIO_AT_MOST,
    )?;
    // As a day later: what was removed by then has no readers any more.
    run(&mut desk.etl(&["maintain", "--vacuum-older-than", "0s"]))?;
    let live: u64 = desk.tables()?.iter().map(|table| table.bytes).sum();
    let room = room(&lake)?;
    let ratio = room as f64 / live as f64;
    println!(
        "  after maintenance the lake takes {:.1} MB for {:.1} MB alive, ratio {ratio:.2}",
        room as f64 / 1e6,
        live as f64 / 1e6,
    );
    hold(
        "the lake's room over what is alive",
        ratio,
        ROOM_RATIO_AT_MOST,
    )
}

/// The bytes of all files below a folder.
fn room(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.metadata()? {
            metadata if metadata.is_dir() => room(&entry.path())?,
            metadata => metadata.len(),
        };
    }
    Ok(bytes)
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
