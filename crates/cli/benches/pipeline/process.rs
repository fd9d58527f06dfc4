//! Processes under measurement: the binary, with the greatest memory it held.

use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

pub const BINARY: &str = env!("CARGO_BIN_EXE_huggy-etl");

/// How long a command took, and the most memory it held.
pub struct Cost {
    pub time: Duration,
    pub peak_bytes: u64,
}

/// Runs the command to its end.
pub fn run(command: &mut Command) -> Result<Cost> {
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut peak_bytes = 0;
    loop {
        peak_bytes = peak_bytes.max(peak(&child));
        if let Some(status) = child.try_wait()? {
            let time = began.elapsed();
            return if status.success() {
                Ok(Cost { time, peak_bytes })
            } else {
                Err(format!("{status}").into())
            };
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The most memory a living process has held, as the kernel counts it.
pub fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| {
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()
    })
    .unwrap_or(0)
        * 1024
}
