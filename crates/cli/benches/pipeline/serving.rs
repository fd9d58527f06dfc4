//! Durable requests a second, over those of a bare route that only parses the same body.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::load::{TOKEN, requests_per_second};
use crate::process::{BINARY, peak};
use crate::setting::setting;
use crate::{Result, reference};

const SHORT: Duration = Duration::from_secs(8);
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

/// A service under load.
struct Service {
    process: Killed,
    webhook: String,
    admin: String,
}

pub fn measure(folder: &Path) -> Result<()> {
    println!(
        "serving, 256 connections, bodies of 1.3 KB; reference: a bare warp route that parses the same body"
    );
    let (mut bare, mut durable) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(measure_bare()?);
        let service = start(folder, &format!("plain-{round}"), &NO_FLUSH)?;
        durable.push(requests_per_second(&service.webhook, SHORT, 0)?);
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
    let whole = requests_per_second(&service.webhook, time, 0)?;
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
    requests_per_second(address.trim(), SHORT, 0)
}

fn start(folder: &Path, name: &str, args: &[&str]) -> Result<Service> {
    let folder = folder.join(name);
    fs::create_dir_all(&folder)?;
    let log = folder.join("log");
    let common = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
    ];
    let child = Command::new(BINARY)
        .current_dir(&folder)
        .args(common)
        .args(["--token", TOKEN])
        .args(args)
        .stderr(File::create(&log)?)
        .spawn()?;
    let process = Killed(child);
    for _ in 0..500 {
        for line in BufReader::new(File::open(&log)?).lines() {
            let entry: serde_json::Value = serde_json::from_str(&line?).unwrap_or_default();
            if let (Some(webhook), Some(admin)) =
                (entry["address"].as_str(), entry["admin_address"].as_str())
            {
                return Ok(Service {
                    process,
                    webhook: webhook.to_owned(),
                    admin: admin.to_owned(),
                });
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(format!("the service did not start: {}", fs::read_to_string(log)?).into())
}

fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn metric(metrics: &str, name: &str) -> f64 {
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(f64::NAN)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A process that ends with its owner.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
