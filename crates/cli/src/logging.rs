//! Structured logs on stderr, for humans or as JSON. Never tokens or personal data, at no level: our own crates log
//! none, and of the libraries below, which at finer levels print statistics, plans and headers, only warnings are let
//! through.

use std::io::IsTerminal;
use std::panic;

use anyhow::{Context, bail};
use tracing::level_filters::LevelFilter;
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

/// The libraries below narrate every commit, and warn where a retry is the plan. The kernel also tells of every error
/// that it returns, without saying of what; who handles it says that.
const QUIET: &str = "deltalake_core=error,buoyant_kernel=off,delta_kernel=off,datafusion=error";

/// What fails to write the last part of a file has nothing to take back, which object_store tells by a panic, and
/// deltalake catches.
const CAUGHT_PANICS: (&str, &str) = ("/object_store-", "/src/buffered.rs");

pub fn start(config: &Config, service: bool) {
    silence_caught_panics();
    let level = if service { "info" } else { "warn" };
    let wanted = config.log.as_deref().unwrap_or(level);
    // Of two directives for one target the later counts. What is wanted was checked when it was read.
    let filter = EnvFilter::new(format!("{QUIET},{wanted}"));
    let lines = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(is_harmless));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // Which it would tell on stderr, and panic where that is closed.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Human => lines.with(layer.with_target(false)).init(),
        LogFormat::Json => lines.with(layer.json().flatten_event(true)).init(),
    }
}

fn silence_caught_panics() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let (library, file) = CAUGHT_PANICS;
        let is_caught = panic.location().is_some_and(|location| {
            location.file().contains(library) && location.file().ends_with(file)
        });
        if !is_caught {
            tell(panic);
        }
    }));
}

/// Refuses what is no filter, and what would silence everything: a single word that is no level, which the library takes
/// for the name of a crate.
pub fn check(filter: &str) -> anyhow::Result<()> {
    EnvFilter::try_new(filter).context("it is no filter such as info or debug,ingest=trace")?;
    let mut words = filter.split(',').map(str::trim);
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    match words.find(|word| !word.contains(['=', '[']) && !is_level(word)) {
        Some(word) => {
            bail!("{word:?} is no level; there are off, error, warn, info, debug and trace")
        }
        None => Ok(()),
    }
}

/// Whatever the setting asks for.
fn is_harmless(line: &Metadata<'_>) -> bool {
    let krate = line.target().split(':').next().unwrap_or_default();
    OURS.contains(&krate) || *line.level() <= Level::WARN
}
