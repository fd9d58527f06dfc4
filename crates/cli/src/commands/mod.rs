//! The commands, one file each: each takes its arguments and the configuration, and does it all.

pub mod completions;
pub mod config;
mod derivation;
pub mod describe;
pub mod doctor;
pub mod export;
pub mod functions;
pub mod generate;
pub mod history;
pub mod import;
mod interrupt;
pub mod maintain;
pub mod man;
pub mod queries;
pub mod query;
pub mod serve;
pub mod shell;
pub mod tables;
pub mod transform;
pub mod verify;
pub mod wal;

use crate::config::Config;
use crate::exit::Failure;

/// Names this process to others that wait for a lease.
fn holder() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() {
        "this host"
    } else {
        host.trim()
    };
    format!("process {} on {host}", std::process::id())
}

/// What `--at` says, on the clock of the lake.
async fn as_of(at: Option<&str>, config: &Config) -> Result<::query::AsOf, Failure> {
    let Some(at) = at else {
        return Ok(::query::AsOf::Now);
    };
    let parse = |zone| {
        ::query::AsOf::parse(at, zone).map_err(|why| Failure::Usage(anyhow::anyhow!("--at: {why}")))
    };
    let as_of = match parse(config.rules.zone)? {
        ::query::AsOf::Instant(_) => parse(derivation::zone(config).await?)?,
        version => version,
    };
    match as_of {
        ::query::AsOf::Instant(instant) if instant > chrono::Utc::now() => {
            Err(Failure::Usage(anyhow::anyhow!(
                "--at: {at} is in the future; without --at the lake is read as it is now"
            )))
        }
        as_of => Ok(as_of),
    }
}

fn engine(config: &Config, as_of: ::query::AsOf) -> Result<::query::Engine, Failure> {
    let memory_bytes = usize::try_from(config.query_memory_bytes).unwrap_or(usize::MAX);
    let options = ::query::EngineOptions {
        derived_tables: ::transform::derived_tables()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        // Whoever runs this program reads with their own rights.
        reads_files: true,
        as_of,
        clock: derivation::clock(&config.rules),
        derivation: Some(derivation::of_the_lake(config)),
        ..::query::EngineOptions::new(memory_bytes, config.rules.zone)
    };
    Ok(::query::Engine::new(config.open_lake_to_read()?, options))
}
