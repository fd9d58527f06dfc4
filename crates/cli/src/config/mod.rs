//! The settings: from file, environment and flags, in rising order, to values that cannot be wrong.

mod keys;
mod layers;
mod maintenance;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::args::Args;
use crate::exit::Failure;
use layers::Layers;

pub use keys::{KEYS, Key};
pub use layers::parse_bytes;

/// The effective settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// What `huggy-etl config` prints.
    pub layers: Layers,
    pub lake: String,
    /// The providers' variables, such as `AWS_REGION`.
    pub storage_options: Vec<(String, String)>,
    pub wal: PathBuf,
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub webhook_path: String,
    pub tokens: Vec<ingest::Token>,
    pub flush_interval: Duration,
    pub flush_bytes: u64,
    pub flush_rows: u64,
    /// `None`: not in the service.
    pub transform_every: Option<Duration>,
    /// `None`: not in the service.
    pub maintain_every: Option<Duration>,
    pub vacuum_after: Duration,
    /// By table, the age beyond which its rows are removed.
    pub retain: BTreeMap<String, Duration>,
    pub max_body_bytes: u64,
    pub max_connections: u64,
    pub max_refusals_per_minute: u64,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub grace_period: Duration,
    pub wal_limit_bytes: u64,
    pub dedup_window: Duration,
    pub dedup_entries: u64,
    pub tls: Option<(PathBuf, PathBuf)>,
    pub query_memory_bytes: u64,
    pub log: Option<String>,
    pub log_format: LogFormat,
    pub rules: transform::Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

impl Config {
    /// Reads file, environment and flags.
    pub fn load(args: &Args) -> Result<Config, Failure> {
        let environment = environment();
        let layers = Layers::read(args.config.as_deref(), &environment, args.settings());
        layers
            .and_then(|layers| Config::from_layers(layers, environment))
            .map_err(Failure::Environment)
    }

    fn from_layers(layers: Layers, environment: Vec<(String, String)>) -> anyhow::Result<Config> {
        let transform_every = layers.duration("transform_every")?;
        let maintain_every = layers.duration("maintain_every")?;
        Ok(Config {
            lake: layers.text("lake")?,
            storage_options: provider_variables(environment),
            wal: layers.text("wal")?.into(),
            listen: address(&layers, "listen")?,
            admin_listen: address(&layers, "admin_listen")?,
            webhook_path: webhook_path(&layers)?,
            tokens: tokens(&layers)?,
            flush_interval: layers.duration("flush_interval")?,
            flush_bytes: layers.bytes("flush_bytes")?,
            flush_rows: layers.integer("flush_rows")?,
            transform_every: (!transform_every.is_zero()).then_some(transform_every),
            maintain_every: (!maintain_every.is_zero()).then_some(maintain_every),
            vacuum_after: maintenance::vacuum_after(&layers)?,
            retain: maintenance::retain(&layers)?,
            max_body_bytes: layers.bytes("max_body_bytes")?,
            max_connections: layers.integer("max_connections")?,
            max_refusals_per_minute: layers.integer("max_refusals_per_minute")?,
            header_timeout: layers.duration("header_timeout")?,
            body_timeout: layers.duration("body_timeout")?,
            grace_period: layers.duration("grace_period")?,
            wal_limit_bytes: layers.bytes("wal_limit_bytes")?,
            dedup_window: layers.duration("dedup_window")?,
            dedup_entries: layers.integer("dedup_entries")?,
            tls: tls(&layers)?,
            query_memory_bytes: query_memory(&layers)?,
            log: log(&layers)?,
            log_format: log_format(&layers)?,
            rules: values::rules(&layers)?,
            layers,
        })
    }

    /// Files with secrets that other users of this machine can read. Those that cannot be looked at are left to whoever
    /// reads them.
    pub fn open_secrets(&self) -> Vec<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let token_file = self.layers.get("token_file").and_then(toml::Value::as_str);
        let key = self.tls.as_ref().map(|(_, key)| key.clone());
        // The settings file, where that is where the tokens stand.
        let settings = self
            .layers
            .get("tokens")
            .map(|_| self.layers.source("tokens"));
        let files = [token_file, settings]
            .into_iter()
            .flatten()
            .map(PathBuf::from);
        files
            .chain(key)
            .filter(|file| {
                let mode = file.metadata().ok().filter(|metadata| metadata.is_file());
                mode.is_some_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
            })
            .collect()
    }

    pub fn open_lake(&self) -> Result<lake::Lake, Failure> {
        Ok(lake::Lake::open(&self.lake, self.storage_options.clone())?)
    }

    /// For commands that are of no use without a lake, and make none.
    pub async fn existing_lake(&self) -> Result<lake::Lake, Failure> {
        let lake = self.open_lake_to_read()?;
        if !lake.exists().await? {
            return Err(Failure::Environment(anyhow!(
                "there is no lake at {}; correct its location, or fill it by `huggy-etl serve` or `huggy-etl import`",
                lake.url()
            )));
        }
        Ok(lake)
    }

    /// For commands that only look: where there is no lake, none is made.
    pub fn open_lake_to_read(&self) -> Result<lake::Lake, lake::LakeError> {
        lake::Lake::open_to_read(&self.lake, self.storage_options.clone())
    }
}

/// The variables that are text; others cannot be settings of ours.
fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Credentials and endpoints by the providers' usual names.
fn provider_variables(variables: Vec<(String, String)>) -> Vec<(String, String)> {
    let prefixes = ["AWS_", "AZURE_", "GOOGLE_", "SERVICE_ACCOUNT"];
    variables
        .into_iter()
        .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .collect()
}

fn address(layers: &Layers, key: &str) -> anyhow::Result<SocketAddr> {
    let text = layers.text(key)?;
    let expected = "an address such as 127.0.0.1:8080";
    text.parse()
        .map_err(|_| layers.misfit(key, &toml::Value::String(text), expected))
}

fn query_memory(layers: &Layers) -> anyhow::Result<u64> {
    if layers.optional_text("query_memory_bytes")?.is_some() {
        return layers.bytes("query_memory_bytes");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(query::usual_memory_bytes(cores, memory_bytes()) as u64)
}

/// What this process may have of the machine, where Linux tells: all, or what its container is given.
fn memory_bytes() -> Option<u64> {
    const LIMITS: [&str; 2] = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = machine
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine: u64 = machine.trim().strip_suffix(" kB")?.parse().ok()?;
    let limits = LIMITS
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok());
    Some(limits.fold(machine << 10, u64::min))
}

fn log(layers: &Layers) -> anyhow::Result<Option<String>> {
    let filter = layers.optional_text("log")?;
    if let Some(filter) = &filter {
        crate::logging::check(filter)
            .with_context(|| format!("{}: log = {filter:?}", layers.source("log")))?;
    }
    Ok(filter)
}

fn tokens(layers: &Layers) -> anyhow::Result<Vec<ingest::Token>> {
    let mut tokens = layers.list("tokens")?;
    if let Some(path) = layers.optional_text("token_file")? {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("token_file: reading {path}"))?;
        tokens.extend(
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned),
        );
    }
    if tokens.iter().any(|token| token.trim().is_empty()) {
        return Err(anyhow!(
            "tokens: an empty token would let anybody in; remove it"
        ));
    }
    let token =
        |token: &String| ingest::Token::new(token).map_err(|error| anyhow!("tokens: {error}"));
    tokens.iter().map(token).collect()
}

fn webhook_path(layers: &Layers) -> anyhow::Result<String> {
    let path = layers.text("webhook_path")?;
    if path.starts_with('/') && !path.contains(['?', '#', ' ']) {
        Ok(path)
    } else {
        Err(anyhow!(
            "{}: webhook_path = {path:?} must begin with a slash, and hold no space and no query",
            layers.source("webhook_path")
        ))
    }
}

fn tls(layers: &Layers) -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
    match (
        layers.optional_text("tls_certificate")?,
        layers.optional_text("tls_key")?,
    ) {
        (Some(certificate), Some(key)) => Ok(Some((certificate.into(), key.into()))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(anyhow!(
            "tls_certificate is set but tls_key is not; TLS needs both"
        )),
        (None, Some(_)) => Err(anyhow!(
            "tls_key is set but tls_certificate is not; TLS needs both"
        )),
    }
}

fn log_format(layers: &Layers) -> anyhow::Result<LogFormat> {
    match layers.text("log_format")?.as_str() {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        other => Err(anyhow!(
            "log_format: {other:?} is neither \"human\" nor \"json\""
        )),
    }
}
