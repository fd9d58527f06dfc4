//! The running service: the webhook and its log, the flusher behind it, the admin routes beside it, and an end in good
//! order. Nothing accepted is lost by stopping: what is not flushed in time stays in the log for the next start.

mod admin;
mod answer;
mod config;
mod connections;
mod envelope;
mod notices;
mod refusals;
mod seats;
#[cfg(test)]
mod tests;
mod tls;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hyper_util::service::TowerToHyperService;
use lake::Lake;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use uuid::Uuid;

use crate::flush::{self, FlushSettings, FlushStopped};
use crate::tokens::{PairedTokenError, Tokens};
use crate::wal::{OpenError, Opened, RealDisk, Wal};
use admin::Admin;
pub use config::{HttpLimits, ServeConfig, TlsFiles};
use connections::Connections;
use notices::Notices;
use refusals::Refusals;
use tls::Tls;
use webhook::Webhook;

/// What remains of the grace for flushing at a stop, however long the connections took.
const LEAST_FLUSH_GRACE: Duration = Duration::from_secs(5);

/// Why the service did not start, or ended other than by a stop.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Correct the setting.
    #[error("the webhook's path {path:?} must begin with a slash and hold no query")]
    Path { path: String },
    #[error("cannot listen on {address}: {source}; is the port taken?")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("TLS cannot use {}: {reason}", path.display())]
    Tls { path: PathBuf, reason: String },
    #[error(transparent)]
    Wal(#[from] OpenError),
    #[error(transparent)]
    PairedToken(#[from] PairedTokenError),
    /// Check the disk, then start again: what was acknowledged is still in the log.
    #[error(
        "the write-ahead log failed: {reason}; check its disk, then start again: nothing acknowledged is lost"
    )]
    WalFailed { reason: String },
    /// A defect.
    #[error(transparent)]
    FlushStopped(#[from] FlushStopped),
}

/// Takes deliveries and brings them to the `events` table of `lake` until `shutdown` resolves; then stops accepting,
/// finishes what was accepted, flushes, and returns. `on_ready` gets the bound addresses of webhook and admin.
///
/// # Errors
/// It could not start, or it cannot go on; see [`ServeError`].
pub async fn serve(
    config: ServeConfig,
    lake: Lake,
    shutdown: impl Future<Output = ()>,
    on_ready: impl FnOnce(SocketAddr, SocketAddr),
) -> Result<(), ServeError> {
    if !config.path.starts_with('/') || config.path.contains(['?', '#', ' ']) {
        return Err(ServeError::Path { path: config.path });
    }
    let tls = config.tls.as_ref().map(Tls::load).transpose()?;
    let (listener, address) = listen(config.listen).await?;
    let (admin_listener, admin_address) = listen(config.admin_listen).await?;
    let opened = open_wal(&config).await?;
    let wal = opened.wal.clone();
    let tokens = Tokens::load(config.tokens.clone(), config.pair, &config.wal_dir)?;
    if tokens.is_empty() && !tokens.pairing_is_open() {
        tracing::warn!(
            "no token is configured: every delivery will be refused; set one, or start with pairing"
        );
    }

    let stop = Stop::new();
    let tls = tls.map(|(tls, renewal)| {
        tokio::spawn(renewal.follow(stop.accepting.subscribe()));
        tls
    });
    let connections = Connections {
        limits: config.http,
        tls,
        metrics: config.metrics.clone(),
        stop: stop.accepting.subscribe(),
        grace: config.shutdown_grace,
    };
    let hindrance = watch::Sender::new(None);
    let webhook = tokio::spawn(serve_webhook(
        &config,
        tokens,
        &wal,
        connections.clone(),
        listener,
    ));
    let admin_connections = Connections {
        tls: None,
        stop: stop.admin.subscribe(),
        grace: Duration::ZERO,
        ..connections
    };
    let admin = tokio::spawn(serve_admin(
        &config,
        &lake,
        &wal,
        &stop,
        hindrance.subscribe(),
        admin_connections,
        admin_listener,
    ));
    let flusher = tokio::spawn(flush::run(
        flush_settings(&config, lake, hindrance),
        opened,
        stop.flushing.subscribe(),
    ));
    tracing::info!(%address, %admin_address, path = config.path, "ready for deliveries");
    on_ready(address, admin_address);

    let running = Running {
        wal,
        stop,
        webhook,
        admin,
        flusher,
        grace: config.shutdown_grace,
    };
    running.until(shutdown).await
}

/// Turned true one after the other.
struct Stop {
    accepting: watch::Sender<bool>,
    flushing: watch::Sender<bool>,
    admin: watch::Sender<bool>,
}

impl Stop {
    fn new() -> Self {
        let sender = || watch::Sender::new(false);
        Self {
            accepting: sender(),
            flushing: sender(),
            admin: sender(),
        }
    }
}

struct Running {
    wal: Wal,
    stop: Stop,
    webhook: JoinHandle<()>,
    admin: JoinHandle<()>,
    flusher: JoinHandle<Result<(), FlushStopped>>,
    grace: Duration,
}

impl Running {
    async fn until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            reason = self.wal.failed() => Err(ServeError::WalFailed { reason }),
            ended = &mut self.flusher => Err(flush_stopped(ended).into()),
        };
        if let Err(error) = &ended {
            // After a failed write or sync nothing is read back: the page cache no longer says what the disk holds.
            tracing::error!(%error, "shutting down");
            self.flusher.abort();
        } else {
            tracing::info!("shutting down: finishing requests, then flushing");
        }
        let deadline = Instant::now() + self.grace;
        self.stop.accepting.send_replace(true);
        // It keeps its own deadline, and has nothing to report.
        let _ = (&mut self.webhook).await;
        self.wal.close().await;
        let ended = match ended {
            Ok(()) => self.finish_flushing(deadline).await,
            ended => ended,
        };
        self.stop.admin.send_replace(true);
        let _ = self.admin.await;
        ended
    }

    async fn finish_flushing(&mut self, deadline: Instant) -> Result<(), ServeError> {
        let deadline = deadline.max(Instant::now() + LEAST_FLUSH_GRACE.min(self.grace));
        self.stop.flushing.send_replace(true);
        tokio::select! {
            biased;
            reason = self.wal.failed() => {
                self.flusher.abort();
                Err(ServeError::WalFailed { reason })
            }
            ended = tokio::time::timeout_at(deadline, &mut self.flusher) => match ended {
                Ok(Ok(Ok(()))) => {
                    tracing::info!("everything accepted is in the lake");
                    Ok(())
                }
                Ok(ended) => Err(flush_stopped(ended).into()),
                Err(_) => {
                    self.flusher.abort();
                    tracing::warn!(
                        wal_bytes = self.wal.bytes(),
                        "the lake did not take everything in time; the rest is safe in the write-ahead log and will be \
                         stored by the next start"
                    );
                    Ok(())
                }
            }
        }
    }
}

/// The flusher ends by itself only for a reason.
fn flush_stopped(ended: Result<Result<(), FlushStopped>, JoinError>) -> FlushStopped {
    match ended {
        Ok(Err(stopped)) => stopped,
        Err(error) => FlushStopped::from(error),
        Ok(Ok(())) => FlushStopped::Unasked,
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let error = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}

async fn open_wal(config: &ServeConfig) -> Result<Opened, ServeError> {
    let (dir, limits) = (config.wal_dir.clone(), config.wal);
    let path = dir.clone();
    let open = move || Wal::open(&dir, Uuid::new_v4(), limits, Arc::new(RealDisk));
    let opened = tokio::task::spawn_blocking(open).await;
    Ok(opened.map_err(|error| OpenError::Io {
        path,
        source: io::Error::other(error),
    })??)
}

fn serve_webhook(
    config: &ServeConfig,
    tokens: Tokens,
    wal: &Wal,
    connections: Connections,
    listener: TcpListener,
) -> impl Future<Output = ()> + use<> {
    let webhook = Webhook {
        path: config.path.clone(),
        limits: config.http,
        tokens,
        refusals: Refusals::new(config.http.max_refusals_per_minute),
        notices: Notices::default(),
        wal: wal.clone(),
        metrics: config.metrics.clone(),
        clock: config.clock,
        pending_bytes: AtomicUsize::new(0),
    };
    let webhook = Arc::new(webhook);
    let (shared, stop) = (Arc::clone(&webhook), connections.stop.clone());
    tokio::spawn(async move { shared.notices.follow(stop).await });
    connections.serve(
        listener,
        TowerToHyperService::new(warp::service(webhook::routes(webhook))),
    )
}

fn serve_admin(
    config: &ServeConfig,
    lake: &Lake,
    wal: &Wal,
    stop: &Stop,
    hindrance: watch::Receiver<Option<String>>,
    connections: Connections,
    listener: TcpListener,
) -> impl Future<Output = ()> + use<> {
    let admin = Admin {
        wal: wal.clone(),
        lake: lake.clone(),
        metrics: config.metrics.clone(),
        clock: config.clock,
        stop: stop.accepting.subscribe(),
        hindrance,
        lake_check: Mutex::new(None),
    };
    connections.serve(
        listener,
        TowerToHyperService::new(warp::service(admin::routes(Arc::new(admin)))),
    )
}

fn flush_settings(
    config: &ServeConfig,
    lake: Lake,
    hindrance: watch::Sender<Option<String>>,
) -> FlushSettings {
    FlushSettings {
        lake,
        policy: config.flush,
        dedup: config.dedup,
        zone: config.zone,
        metrics: config.metrics.clone(),
        clock: config.clock,
        hindrance,
    }
}
