//! `huggy-etl serve`: the webhook, the flushing, and in the background the facts.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use chrono::Utc;
use ingest::{
    DedupLimits, FlushPolicy, HttpLimits, Metrics, ServeConfig, ServeError, TlsFiles, Token,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::Serve;
use crate::config::Config;
use crate::exit::Failure;

/// A stopping service waits this long for a run of the transform under way; to be killed in the middle
/// of one does no harm.
const TRANSFORM_GRACE: Duration = Duration::from_secs(10);

pub async fn run(args: &Serve, config: Config) -> Result<(), Failure> {
    let lake = config.open_lake()?;
    let serve = serve_config(args, &config).map_err(Failure::Environment)?;
    let (stop, stopped) = watch::channel(false);
    let transform = config.transform_every.map(|every| {
        let work = Work {
            every,
            lake: lake.clone(),
            rules: config.rules.clone(),
            metrics: serve.metrics.clone(),
        };
        work.start(stopped)
    });
    let shutdown = shutdown_signal().map_err(Failure::Environment)?;
    let result = ingest::serve(serve, lake, shutdown, |_, _| {}).await;
    stop.send_replace(true);
    if let Some(transform) = transform {
        wait_for(transform).await;
    }
    result.map_err(failure)
}

fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::WalFailed { .. } | ServeError::FlushStopped(_) => Failure::Work(error.into()),
        error => Failure::Environment(error.into()),
    }
}

fn serve_config(args: &Serve, config: &Config) -> anyhow::Result<ServeConfig> {
    let token = |token: &String| Token::new(token).map_err(|error| anyhow!("tokens: {error}"));
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let defaults = ServeConfig::new(&config.wal, config.rules.zone, Utc::now);
    Ok(ServeConfig {
        listen: address("listen", &config.listen)?,
        admin_listen: address("admin_listen", &config.admin_listen)?,
        path: config.webhook_path.clone(),
        tokens: config.tokens.iter().map(token).collect::<Result<_, _>>()?,
        pair: args.pair,
        tls: config
            .tls
            .clone()
            .map(|(certificate, key)| TlsFiles { certificate, key }),
        http: HttpLimits {
            max_body_bytes: size(config.max_body_bytes),
            header_timeout: config.header_timeout,
            max_connections: size(config.max_connections),
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
    })
}

fn address(key: &str, text: &str) -> anyhow::Result<SocketAddr> {
    text.parse()
        .with_context(|| format!("{key}: {text:?} is no address such as 127.0.0.1:8080"))
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

/// The transform in the background.
#[derive(Clone)]
struct Work {
    every: Duration,
    lake: lake::Lake,
    rules: transform::Settings,
    metrics: Metrics,
}

impl Work {
    /// On threads of its own, so that deriving never delays an answer to the platform.
    fn start(self, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(self.repeat(stopped)),
                Err(error) => {
                    tracing::error!(%error, "the transform cannot start; run `huggy-etl transform` instead")
                }
            }
        })
    }

    async fn repeat(self, mut stopped: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.once_safely().await,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
        }
    }

    /// A defect in one run must not end all later ones.
    async fn once_safely(&self) {
        let work = self.clone();
        if let Err(error) = tokio::spawn(async move { work.once().await }).await {
            self.metrics.transform_failed();
            tracing::error!(%error, "the transform broke off; the next run tries again");
        }
    }

    async fn once(&self) {
        let began = Instant::now();
        let mode = transform::Mode::Incremental;
        match transform::run(&self.lake, &self.rules, mode, &super::holder(), Utc::now).await {
            Ok(report) => {
                // What was flushed before the run began is in the facts now.
                self.metrics
                    .transform_finished(began.elapsed(), began.elapsed().as_secs_f64());
                if let Some(reason) = report.rebuilt_because {
                    tracing::info!(
                        reason,
                        chats = report.chats,
                        events = report.events,
                        "all facts rebuilt"
                    );
                } else if report.chats > 0 {
                    tracing::info!(
                        chats = report.chats,
                        events = report.events,
                        "facts brought up to date"
                    );
                }
            }
            Err(transform::TransformError::Lake(lake::LakeError::Held { holder, .. })) => {
                tracing::info!(holder, "another process brings the facts up to date");
            }
            Err(error) => {
                self.metrics.transform_failed();
                tracing::error!(%error, "the facts were not brought up to date; the next run tries again");
            }
        }
    }
}

async fn wait_for(transform: JoinHandle<()>) {
    let deadline = Instant::now() + TRANSFORM_GRACE;
    while !transform.is_finished() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
