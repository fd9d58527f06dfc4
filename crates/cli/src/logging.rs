//! Structured logs on stderr, for humans or as JSON. Never tokens or personal data, at no level: our own crates log
//! none, and of the libraries below, which at finer levels print statistics, plans and headers, only warnings are let
//! through.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, LogFormat};

/// The crates whose every log line is known to be harmless.
const OURS: [&str; 7] = [
    "events",
    "huggy_etl",
    "ingest",
    "lake",
    "query",
    "simulator",
    "transform",
];

pub fn start(config: &Config, service: bool) {
    let level = if service { "info" } else { "warn" };
    // The libraries below narrate every commit, and warn where a retry is the plan.
    let default = format!(
        "{level},deltalake_core=error,buoyant_kernel=error,delta_kernel=error,datafusion=error"
    );
    let filter = config.log.as_deref().unwrap_or(&default);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|error| {
        eprintln!("log = {filter:?} is no log filter ({error}); logging at {level} instead");
        EnvFilter::new(&default)
    });
    let lines = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(is_harmless));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Human => lines.with(layer.with_target(false)).init(),
        LogFormat::Json => lines.with(layer.json().flatten_event(true)).init(),
    }
}

/// Whatever the setting asks for.
fn is_harmless(line: &Metadata<'_>) -> bool {
    let krate = line.target().split(':').next().unwrap_or_default();
    OURS.contains(&krate) || *line.level() <= Level::WARN
}
