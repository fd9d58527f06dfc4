//! How far a long query is, on stderr, where that is a terminal.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use ::query::Watch;

/// What is over sooner needs no telling.
const LONG: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

/// Shown until dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    updates: JoinHandle<()>,
}

impl Progress {
    pub fn of(watch: Watch) -> Progress {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        let shown = bar.clone();
        let updates = tokio::spawn(async move {
            tokio::time::sleep(LONG).await;
            loop {
                let stats = watch.stats();
                shown.set_message(format!(
                    "{} rows, {} read",
                    HumanCount(stats.rows_scanned),
                    HumanBytes(stats.bytes_read)
                ));
                shown.tick();
                tokio::time::sleep(EVERY).await;
            }
        });
        Progress { bar, updates }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.updates.abort();
        self.bar.finish_and_clear();
    }
}
