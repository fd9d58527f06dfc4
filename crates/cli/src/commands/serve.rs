//! `huggy-etl serve`: the webhook, the flushing, and in the background the facts and the lake's upkeep.

mod background;

use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use ingest::{DedupLimits, FlushPolicy, HttpLimits, ServeConfig, ServeError, TlsFiles};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::Serve;
use crate::config::Config;
use crate::exit::Failure;

/// A stopping service waits this long for work in the background; to be killed in the middle of it does
/// no harm.
const BACKGROUND_GRACE: Duration = Duration::from_secs(10);

/// Of the process's file handles so many are for the log and the lake, whatever connections there are.
const OWN_HANDLES: u64 = 256;

pub async fn run(args: &Serve, config: Config) -> Result<(), Failure> {
    for file in config.open_secrets() {
        tracing::warn!(
            file = %file.display(),
            "other users of this machine can read a file with a secret; give it to the service's user, with mode 600"
        );
    }
    let lake = config.open_lake()?;
    let serve = serve_config(args, &config);
    let (stop, stopped) = watch::channel(false);
    let background = background::start(&config, &lake, &serve.metrics, &stopped);
    let shutdown = shutdown_signal().map_err(Failure::Environment)?;
    let result = ingest::serve(serve, lake, shutdown, |_, _| {}).await;
    stop.send_replace(true);
    background::wait_for(background, BACKGROUND_GRACE).await;
    result.map_err(failure)
}

fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::WalFailed { .. } | ServeError::FlushStopped(_) => Failure::Work(error.into()),
        error => Failure::Environment(error.into()),
    }
}

fn serve_config(args: &Serve, config: &Config) -> ServeConfig {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let defaults = ServeConfig::new(&config.wal, config.rules.zone, Utc::now);
    ServeConfig {
        listen: config.listen,
        admin_listen: config.admin_listen,
        path: config.webhook_path.clone(),
        tokens: config.tokens.clone(),
        pair: args.pair,
        tls: config
            .tls
            .clone()
            .map(|(certificate, key)| TlsFiles::new(certificate, key)),
        http: HttpLimits {
            max_body_bytes: size(config.max_body_bytes),
            header_timeout: config.header_timeout,
            body_timeout: config.body_timeout,
            max_connections: size(connections(config.max_connections)),
            max_refusals_per_minute: u32::try_from(config.max_refusals_per_minute)
                .unwrap_or(u32::MAX),
            ..defaults.http
        },
        wal: ingest::wal::Limits {
            max_bytes: config.wal_limit_bytes,
            ..defaults.wal
        },
        flush: FlushPolicy {
            interval: config.flush_interval,
            max_bytes: config.flush_bytes,
            max_rows: size(config.flush_rows),
        },
        dedup: DedupLimits {
            window: config.dedup_window,
            max_ids: size(config.dedup_entries),
        },
        shutdown_grace: config.grace_period,
        ..defaults
    }
}

/// As many as are wanted, if the system gives the handles for them.
fn connections(wanted: u64) -> u64 {
    let handles = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let possible = handles.saturating_sub(OWN_HANDLES).max(1);
    if possible < wanted {
        tracing::warn!(
            handles,
            max_connections = possible,
            "the limit of file handles allows fewer connections than are set; raise it (`ulimit -n`)"
        );
    }
    wanted.min(possible)
}

/// Resolves at SIGTERM or SIGINT.
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
