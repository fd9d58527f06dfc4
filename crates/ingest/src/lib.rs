//! How deliveries come in: the webhook server, the write-ahead log, flushing to the `events` table, and importing files.
//!
//! Never derives anything from an event, and never says that a delivery is safe before it is.

/// A place at which a test may end the process; nothing without the feature.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        lake::failpoints::reached($name);
    };
}

mod dedup;
mod flush;
mod import;
mod metrics;
mod server;
mod table;
mod tokens;
pub mod wal;

pub use dedup::{Dedup, DedupLimits};
pub use flush::{FlushPolicy, FlushStopped};
pub use import::{ImportError, ImportReport, ImportSettings, Input, Progress, import};
pub use metrics::{CONTENT_TYPE as METRICS_CONTENT_TYPE, Metrics};
pub use server::{HttpLimits, ServeConfig, ServeError, TlsFiles, serve};
pub use table::events_table;
pub use tokens::{InvalidToken, PairedTokenError, Token};
