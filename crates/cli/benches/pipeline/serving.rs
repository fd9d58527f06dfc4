//! Durable requests a second, over those of a bare route that only parses the same body.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::load::requests_per_second;
use crate::process::peak;
use crate::service::{Killed, get, metric, start};
use crate::setting::setting;
use crate::{Result, reference};

const SHORT: Duration = Duration::from_secs(8);
const CONNECTIONS: usize = 256;
const ROUNDS: usize = 3;
/// Neither age nor size makes a flush due within a round.
const NO_FLUSH: [&str; 8] = [
    "--flush-interval",
    "1h",
    "--flush-bytes",
    "1GiB",
    "--flush-rows",
    "1000000000",
    "--transform-every",
    "0",
];

pub fn measure(folder: &Path) -> Result<()> {
    println!(
        "serving, 256 connections, bodies of 1.3 KB; reference: a bare warp route that parses the same body"
    );
    let (mut bare, mut durable) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(measure_bare()?);
        let service = start(folder, &format!("plain-{round}"), &NO_FLUSH)?;
        durable.push(requests_per_second(
            &service.webhook,
            SHORT,
            0,
            CONNECTIONS,
        )?);
    }
    let (bare, durable) = (median(bare), median(durable));
    println!("  bare warp route                 {bare:>9.0} requests/s");
    println!(
        "  serve, no flush, no transform   {durable:>9.0} requests/s   ratio {:.2}",
        durable / bare
    );

    let time = Duration::from_secs(setting("BENCH_SECONDS", 60));
    let service = start(
        folder,
        "whole",
        &["--flush-interval", "10s", "--transform-every", "30s"],
    )?;
    let whole = requests_per_second(&service.webhook, time, 0, CONNECTIONS)?;
    println!(
        "  serve, flush and transform on   {whole:>9.0} requests/s   ratio {:.2}, over {time:?}",
        whole / bare
    );
    let metrics = get(&service.admin, "/metrics")?;
    println!(
        "    WAL backlog at the end        {:>9.1} MB",
        metric(&metrics, "huggy_etl_wal_bytes") / 1e6
    );
    println!(
        "    peak memory                   {:>9.1} MB",
        peak(&service.process.0) as f64 / 1e6
    );
    Ok(())
}

fn measure_bare() -> Result<f64> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(reference::ARGUMENT)
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("the reference has no stdout")?;
    let _running = Killed(child);
    let mut address = String::new();
    BufReader::new(stdout).read_line(&mut address)?;
    requests_per_second(address.trim(), SHORT, 0, CONNECTIONS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
