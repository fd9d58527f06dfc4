//! How far a long query is, on stderr, where that is a terminal.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use ::query::{Stats, Watch};

/// What is over sooner needs no telling.
const LONG: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

/// Shown until dropped, by a thread of its own: a query may keep all others busy.
pub struct Progress {
    since: Instant,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Whether there is something to see.
    pub fn is_shown(&self) -> bool {
        self.since.elapsed() > LONG
    }

    pub fn of(watch: Watch) -> Progress {
        let (end, ended) = channel();
        let thread = thread::spawn(move || {
            let goes_on = |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if !goes_on(LONG) {
                return;
            }
            let total = watch.bytes_to_read();
            let bar = ProgressBar::new(total);
            // Without files to read, such as of generated rows, there is no end to measure by.
            let form = match total {
                0 => "{spinner} {elapsed} {msg}",
                _ => "{spinner} {elapsed} [{bar:24}] {msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style);
            }
            loop {
                let stats = watch.stats();
                bar.set_position(stats.bytes_read.min(total));
                bar.set_message(told(&stats, total));
                bar.tick();
                if !goes_on(EVERY) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        Progress {
            since: Instant::now(),
            end: Some(end),
            thread: Some(thread),
        }
    }
}

/// Columns that a query does not need are not read: of its files it reads all at most.
fn told(stats: &Stats, total: u64) -> String {
    let (rows, bytes) = (HumanCount(stats.rows_scanned), HumanBytes(stats.bytes_read));
    match total {
        0 => format!("{rows} rows read"),
        _ => format!("{rows} rows, {bytes} of at most {} read", HumanBytes(total)),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The thread wakes when its channel closes.
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
