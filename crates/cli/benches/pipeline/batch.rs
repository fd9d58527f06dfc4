//! Importing and transforming: events a second, memory, and the size of the lake.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;
use crate::process::{BINARY, Cost, run};
use crate::setting::setting;

pub fn measure(folder: &Path) -> Result<()> {
    let chats = setting("BENCH_CHATS", 50_000).to_string();
    let (lake, traffic) = (folder.join("batch-lake"), folder.join("traffic.ndjson"));
    let etl = |args: &[&str]| {
        let mut command = Command::new(BINARY);
        command
            .current_dir(folder)
            .arg("--lake")
            .arg(&lake)
            .args(args)
            .stderr(Stdio::null());
        command
    };
    run(etl(&["generate", "--chats", &chats, "--days", "30"]).stdout(File::create(&traffic)?))?;
    let bytes = fs::metadata(&traffic)?.len();
    println!(
        "importing and transforming {chats} chats, {:.0} MB of NDJSON",
        bytes as f64 / 1e6
    );

    let import = run(&mut etl(&["import", "traffic.ndjson"]))?;
    let (events, lake_bytes) = totals(&mut etl(&["tables"]))?;
    let parse = parse_time(&traffic)?;
    println!(
        "  import      {:>9.0} events/s   ratio {:.2} to parsing the same lines as JSON on one thread",
        rate(events, &import),
        parse / import.time.as_secs_f64()
    );
    let transform = run(&mut etl(&["transform"]))?;
    println!(
        "  transform   {:>9.0} events/s   ratio {:.2} to the same parsing",
        rate(events, &transform),
        parse / transform.time.as_secs_f64()
    );
    let zstd = zstd::encode_all(File::open(&traffic)?, 3)?.len();
    println!(
        "  events      {:>9.1} MB         ratio {:.2} to zstd -3 of the same NDJSON ({:.1} MB), payload included",
        lake_bytes as f64 / 1e6,
        lake_bytes as f64 / zstd as f64,
        zstd as f64 / 1e6
    );
    println!(
        "  peak memory {:>9.1} MB import, {:.1} MB transform",
        mb(&import),
        mb(&transform)
    );
    Ok(())
}

fn rate(events: u64, cost: &Cost) -> f64 {
    events as f64 / cost.time.as_secs_f64()
}

fn mb(cost: &Cost) -> f64 {
    cost.peak_bytes as f64 / 1e6
}

/// Rows and bytes of `events`, as the product itself lists them.
fn totals(tables: &mut Command) -> Result<(u64, u64)> {
    let listing = String::from_utf8(tables.output()?.stdout)?;
    let line = listing
        .lines()
        .find(|line| line.starts_with("events "))
        .ok_or("there is no table events")?;
    let mut words = line.split_whitespace().skip(1);
    let mut number = || -> Result<u64> { Ok(words.next().ok_or("a figure is missing")?.parse()?) };
    let (rows, _files, bytes) = (number()?, number()?, number()?);
    Ok((rows, bytes))
}

/// The reference: seconds to parse every line into a JSON value.
fn parse_time(traffic: &Path) -> Result<f64> {
    let began = Instant::now();
    for line in BufReader::new(File::open(traffic)?).lines() {
        std::hint::black_box(serde_json::from_str::<serde_json::Value>(&line?)?);
    }
    Ok(began.elapsed().as_secs_f64())
}
