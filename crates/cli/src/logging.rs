//! Structured logs on stderr, for humans or as JSON. Never tokens or personal data: the crates below
//! do not log any.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Human => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
