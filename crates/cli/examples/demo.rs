//! The whole way in one go, for a first look: starts the service on a free port, posts made-up traffic
//! to it over HTTP, waits for the facts, answers the saved queries and says where the lake is.
//!
//! `make demo` builds the binary and runs this; the binary's path is the first argument.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use simulator::Options;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const FOLDER: &str = "target/demo";
const QUERIES: [&str; 3] = ["wait_times", "chat_durations", "flow_outcomes"];
const POSTERS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> Result<()> {
    let binary = PathBuf::from(std::env::args().nth(1).ok_or("name the binary to run")?);
    let options = Options {
        chats: 300,
        days: 1,
        ..Options::default()
    };
    let lake = PathBuf::from(FOLDER).join("lake");
    if Path::new(FOLDER).exists() {
        fs::remove_dir_all(FOLDER)?;
    }
    fs::create_dir_all(FOLDER)?;

    let mut service = start(&binary, &lake, &options.token)?;
    let result = drive(&binary, &lake, &service.webhook, &options);
    // SIGTERM, as an operator would: it stops accepting, flushes and ends by itself.
    Command::new("kill")
        .arg(service.child.id().to_string())
        .status()?;
    let status = service.child.wait()?;
    result?;
    if !status.success() {
        return Err(
            format!("the service ended with {status}; its log is {FOLDER}/serve.log").into(),
        );
    }
    println!("The lake is {}. Ask it more:", lake.display());
    println!(
        "  {} --lake {} query -c 'SELECT outcome, count(*) FROM fact_chats GROUP BY 1'",
        binary.display(),
        lake.display()
    );
    Ok(())
}

struct Service {
    child: Child,
    webhook: String,
}

/// Starts the service on free ports and waits until it says which.
fn start(binary: &Path, lake: &Path, token: &str) -> Result<Service> {
    let log = PathBuf::from(FOLDER).join("serve.log");
    let child = Command::new(binary)
        .arg("--lake")
        .arg(lake)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--flush-interval",
            "1s",
        ])
        .args([
            "--transform-every",
            "1s",
            "--log-format",
            "json",
            "--token",
            token,
            "--wal",
        ])
        .arg(PathBuf::from(FOLDER).join("wal"))
        .stdin(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()?;
    let give_up = Instant::now() + PATIENCE;
    while Instant::now() < give_up {
        for line in BufReader::new(File::open(&log)?).lines() {
            let entry: serde_json::Value = serde_json::from_str(&line?).unwrap_or_default();
            if let Some(address) = entry["address"].as_str() {
                return Ok(Service {
                    child,
                    webhook: format!("http://{address}/webhook"),
                });
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("the service did not start; its log is {}", log.display()).into())
}

fn drive(binary: &Path, lake: &Path, webhook: &str, options: &Options) -> Result<()> {
    println!("The service listens at {webhook}.");
    let handshake = format!(r#"{{"token":"{}","validToken":true}}"#, options.token);
    let answer = ureq::post(webhook)
        .send(handshake)?
        .body_mut()
        .read_to_string()?;
    println!(
        "It answered the platform's handshake with the token: {}.",
        answer == options.token
    );

    let began = Instant::now();
    let posted = post_all(webhook, options)?;
    println!(
        "Posted {posted} deliveries of {} chats in {:.1} s.",
        options.chats,
        began.elapsed().as_secs_f64()
    );
    let expected = simulator::truth(options)
        .filter(|row| row.table == "fact_chats")
        .count();
    wait_for_facts(binary, lake, options, expected)?;
    println!(
        "After {:.1} s the facts of all {expected} sessions were there.\n",
        began.elapsed().as_secs_f64()
    );

    for query in QUERIES {
        println!("== huggy-etl query {query}");
        let status = Command::new(binary)
            .arg("--lake")
            .arg(lake)
            .args(["query", query])
            .status()?;
        if !status.success() {
            return Err(format!("{query} failed").into());
        }
        println!();
    }
    Ok(())
}

fn post_all(webhook: &str, options: &Options) -> Result<usize> {
    let deliveries = Mutex::new(simulator::generate(options));
    let next = || {
        deliveries
            .lock()
            .expect("no poster panics while it holds the lock")
            .next()
    };
    let post = || -> Result<usize> {
        let agent = ureq::agent();
        let mut posted = 0;
        while let Some(delivery) = next() {
            agent
                .post(webhook)
                .header("Content-Type", "application/json")
                .send(delivery.body)?;
            posted += 1;
        }
        Ok(posted)
    };
    thread::scope(|scope| {
        let posters: Vec<_> = (0..POSTERS).map(|_| scope.spawn(post)).collect();
        posters
            .into_iter()
            .map(|poster| {
                poster
                    .join()
                    .unwrap_or_else(|_| Err("a poster panicked".into()))
            })
            .sum()
    })
}

/// The facts are there once every session and every message is.
fn wait_for_facts(binary: &Path, lake: &Path, options: &Options, sessions: usize) -> Result<()> {
    let messages = simulator::truth(options)
        .filter(|row| row.table == "fact_messages")
        .count();
    let expected = format!("{sessions},{messages}");
    let sql = "SELECT (SELECT count(*) FROM fact_chats) AS sessions, (SELECT count(*) FROM fact_messages) AS messages";
    let give_up = Instant::now() + PATIENCE;
    let mut complaint = String::new();
    while Instant::now() < give_up {
        let output = Command::new(binary)
            .arg("--lake")
            .arg(lake)
            .args(["query", "-c", sql, "--format", "csv"])
            .output()?;
        if String::from_utf8_lossy(&output.stdout).lines().nth(1) == Some(expected.as_str()) {
            return Ok(());
        }
        complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        thread::sleep(Duration::from_millis(300));
    }
    Err(format!("the facts did not come within {PATIENCE:?}: {complaint}; the service's log is {FOLDER}/serve.log").into())
}
