//! The service under load: started, and asked for its metrics.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use crate::Result;
use crate::load::TOKEN;
use crate::process::BINARY;

/// A service under load.
pub struct Service {
    pub process: Killed,
    pub webhook: String,
    pub admin: String,
}

pub fn start(folder: &Path, name: &str, args: &[&str]) -> Result<Service> {
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

pub fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub fn metric(metrics: &str, name: &str) -> f64 {
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(f64::NAN)
}

/// A process that ends with its owner.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
