//! Everything `serve` needs to know, validated. Holds values only.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use events::Tz;

use crate::dedup::DedupLimits;
use crate::flush::FlushPolicy;
use crate::metrics::Metrics;
use crate::tokens::Token;
use crate::wal;

/// How to serve. [`ServeConfig::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Where the webhook listens; port 0 takes a free one. Default 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics are. Default 127.0.0.1:9090.
    pub admin_listen: SocketAddr,
    /// The webhook's path. Default `/webhook`.
    pub path: String,
    /// Tokens that deliveries may carry.
    pub tokens: Vec<Token>,
    /// Accept and remember the token of the first handshake, unless one is remembered already.
    pub pair: bool,
    /// Serve TLS with this certificate.
    pub tls: Option<TlsFiles>,
    pub http: HttpLimits,
    pub wal_dir: PathBuf,
    pub wal: wal::Limits,
    pub flush: FlushPolicy,
    pub dedup: DedupLimits,
    /// The zone of local times in events.
    pub zone: Tz,
    /// How long a stop may take, to finish requests and to flush. Default 30 seconds.
    pub shutdown_grace: Duration,
    pub metrics: Metrics,
    /// Tells when a delivery is received.
    pub clock: fn() -> DateTime<Utc>,
}

/// PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, followed by its intermediates.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// How often to see whether they were renewed. Default 10 seconds.
    pub check_every: Duration,
}

impl TlsFiles {
    pub fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self {
            certificate,
            key,
            check_every: Duration::from_secs(10),
        }
    }
}

/// What one client, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// Beyond it 413. Default 8 MiB.
    pub max_body_bytes: usize,
    /// Bodies being received or written, all together; beyond it 503. Default 256 MiB.
    pub max_pending_bytes: usize,
    /// Beyond it 431. Default 16 KiB.
    pub max_header_bytes: usize,
    /// From connection, or the end of the last request, to the end of a request's headers; also for a TLS handshake.
    /// Default 30 seconds.
    pub header_timeout: Duration,
    /// From the headers to the end of the body; beyond it 408. Default 30 seconds.
    pub body_timeout: Duration,
    /// Open connections; beyond it 503, and the connection is closed. Default 1024.
    pub max_connections: usize,
    /// Refused requests from one address; beyond it they are answered 429. Default 60; 0 for no limit.
    pub max_refusals_per_minute: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 8 << 20,
            max_pending_bytes: 256 << 20,
            max_header_bytes: 16 << 10,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            max_connections: 1024,
            max_refusals_per_minute: 60,
        }
    }
}

impl ServeConfig {
    /// The defaults, with the log in `wal_dir`, local times in `zone` and the time of `clock`.
    pub fn new(wal_dir: impl Into<PathBuf>, zone: Tz, clock: fn() -> DateTime<Utc>) -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: loopback(8080),
            admin_listen: loopback(9090),
            path: "/webhook".to_owned(),
            tokens: Vec::new(),
            pair: false,
            tls: None,
            http: HttpLimits::default(),
            wal_dir: wal_dir.into(),
            wal: wal::Limits::default(),
            flush: FlushPolicy::default(),
            dedup: DedupLimits::default(),
            zone,
            shutdown_grace: Duration::from_secs(30),
            metrics: Metrics::new(),
            clock,
        }
    }
}
