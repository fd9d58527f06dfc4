//! Every setting: its name, default and meaning. The only list of them.

/// One setting.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// As one would write it in the environment; empty for none.
    pub default: &'static str,
    pub meaning: &'static str,
    pub is_list: bool,
    pub is_secret: bool,
}

const fn key(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        default,
        meaning,
        is_list: false,
        is_secret: false,
    }
}

const fn list(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        is_list: true,
        ..key(name, default, meaning)
    }
}

pub const KEYS: &[Key] = &[
    key(
        "lake",
        "./lake",
        "Where the lake is: a path, or a file://, s3://, az:// or gs:// URL",
    ),
    key(
        "wal",
        "./wal",
        "Folder of the write-ahead log, on a disk of this machine",
    ),
    key("listen", "127.0.0.1:8080", "Address of the webhook"),
    key(
        "admin_listen",
        "127.0.0.1:9090",
        "Address of /healthz, /readyz and /metrics",
    ),
    key("webhook_path", "/webhook", "Path of the webhook"),
    Key {
        is_secret: true,
        ..list("tokens", "", "Tokens that deliveries may carry")
    },
    key("token_file", "", "File with tokens, one a line"),
    key(
        "tls_certificate",
        "",
        "PEM file of the certificate chain; with tls_key, the webhook speaks HTTPS",
    ),
    key("tls_key", "", "PEM file of the certificate's private key"),
    key("max_body_bytes", "8MiB", "Larger requests are answered 413"),
    key("max_connections", "4096", "Webhook connections at a time"),
    key(
        "max_refusals_per_minute",
        "60",
        "Once an address has had so many requests refused, further ones are answered 429; valid deliveries never are; 0 for no limit",
    ),
    key(
        "header_timeout",
        "10s",
        "How long a client may take to send its headers",
    ),
    key(
        "body_timeout",
        "30s",
        "How long a client may then take to send its body; slower ones are answered 408",
    ),
    key(
        "grace_period",
        "30s",
        "How long a stopping service waits for requests to finish",
    ),
    key(
        "wal_limit_bytes",
        "4GiB",
        "Once the write-ahead log holds this much, requests are answered 503",
    ),
    key(
        "flush_interval",
        "10s",
        "Flush to the lake at least this often",
    ),
    key("flush_bytes", "64MiB", "Flush once this much has gathered"),
    key(
        "flush_rows",
        "200000",
        "Flush once this many events have gathered",
    ),
    key(
        "dedup_window",
        "24h",
        "How long redeliveries are recognised before they are stored",
    ),
    key(
        "dedup_entries",
        "4000000",
        "How many events the window remembers at most",
    ),
    key(
        "transform_every",
        "30s",
        "How often the service brings the facts up to date; 0 for never",
    ),
    key(
        "maintain_every",
        "5m",
        "How often the service maintains the lake's tables; 0 for never",
    ),
    key(
        "vacuum_after",
        "24h",
        "How long removed files stay for those who still read them; at most 48h",
    ),
    list(
        "retain",
        "",
        "Ages beyond which rows of a table are removed, such as \"events=400d\"; default: all rows stay",
    ),
    key(
        "query_memory_bytes",
        "",
        "Memory of a query before it spills to disk; default 2GiB, or 256MiB for each core where that is more, up to half of the machine's memory",
    ),
    key(
        "timezone",
        "America/Sao_Paulo",
        "Business time zone: local strings and dates go by it",
    ),
    list(
        "subscribed_events",
        "",
        "Events the webhook is set up to deliver; default all documented",
    ),
    key(
        "short_abandon_seconds",
        "10",
        "An abandonment sooner than this is a short one",
    ),
    key(
        "log",
        "",
        "What is logged, such as `info` or `debug,ingest=trace`; of the libraries below, warnings at most",
    ),
    key("log_format", "human", "Logs for humans, or json"),
    key(
        "business_hours",
        "",
        "Table in the file: mon..sun = [\"08:00-18:00\"], holidays = [\"2024-03-29\", \"BR\"], departments.ID = a table of the same",
    ),
];

pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that an unknown one most likely meant.
pub fn nearest(name: &str) -> &'static str {
    let distance = |key: &&Key| (strsim::osa_distance(name, key.name), key.name);
    KEYS.iter()
        .min_by_key(distance)
        .map_or("lake", |key| key.name)
}
