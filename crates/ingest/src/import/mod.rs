//! Importing files of deliveries: one a line, bare or with the time it was received. Adds what the `events` table lacks,
//! so that importing again, or after a crash, adds nothing twice. One import at a time; never touches the log.

mod known;
mod line;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use events::{EventRow, Tz};
use lake::{LakeError, Table};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use uuid::Uuid;

use crate::dedup::drop_copies;
use crate::flush::Backoff;
use crate::table::sorted_batch;
use known::KnownIds;
use read::{Reader, Step};

/// Attempts at one commit.
const ATTEMPTS: u32 = 5;

/// Where deliveries come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Stdin,
    /// NDJSON; by extension `.gz` (of any number of members) or `.zst`.
    File(PathBuf),
}

/// How to import.
#[derive(Debug, Clone, Copy)]
pub struct ImportSettings {
    /// The zone of local times in events.
    pub zone: Tz,
    /// A batch is committed at about so many events. Default 50,000.
    pub batch_events: usize,
    /// A batch is committed at about so many bytes of lines. Default 64 MiB.
    pub batch_bytes: usize,
    /// Longer lines are rejected. Default 64 MiB.
    pub max_line_bytes: usize,
}

/// What happens, as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// An input was opened; its size in bytes, if it is a file.
    Began { input: &'a str, bytes: Option<u64> },
    /// So much of the input is read, in bytes as they are on disk.
    Read { bytes: u64 },
    /// A line could not be used; it is kept beside the file.
    Rejected {
        input: &'a str,
        line: u64,
        reason: &'a str,
    },
    /// A batch is committed: so many events are new.
    Committed { events: u64 },
}

/// What an import did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ImportReport {
    pub files: u64,
    /// Lines that are not blank.
    pub lines: u64,
    pub deliveries: u64,
    /// Events added to the table.
    pub added: u64,
    /// Events that were there already, or came more than once.
    pub duplicates: u64,
    /// Lines that were no delivery.
    pub rejected: u64,
    /// Events added with a `parse_error`.
    pub parse_errors: u64,
}

/// Why an import ended early. What was committed before stays, and importing the same files again continues.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("{input} cannot be read beyond line {line}: {source}")]
    Read {
        input: String,
        line: u64,
        source: io::Error,
    },
    #[error("the rejected lines cannot be kept in {}: {source}", path.display())]
    Rejected { path: PathBuf, source: io::Error },
    #[error("{} is an input, and also where the rejected lines of another input go; rename it first", path.display())]
    Overwrites { path: PathBuf },
    #[error(
        "the events table cannot be read or written: {0}; importing again continues where this ended"
    )]
    Lake(#[from] LakeError),
    #[error("reading stopped: {0}; please report this")]
    Stopped(#[from] JoinError),
}

impl ImportSettings {
    /// The defaults.
    pub fn new(zone: Tz) -> Self {
        Self {
            zone,
            batch_events: 50_000,
            batch_bytes: 64 << 20,
            max_line_bytes: 64 << 20,
        }
    }
}

impl Input {
    /// `-` is the standard input, all else a path.
    pub fn new(argument: impl Into<PathBuf>) -> Self {
        let path = argument.into();
        if path.as_os_str() == "-" {
            Input::Stdin
        } else {
            Input::File(path)
        }
    }

    fn name(&self) -> String {
        match self {
            Input::Stdin => "standard input".to_owned(),
            Input::File(path) => path.display().to_string(),
        }
    }

    /// Where lines that cannot be used are kept.
    fn rejected_path(&self) -> PathBuf {
        match self {
            Input::Stdin => PathBuf::from("stdin.rejected.ndjson"),
            Input::File(path) => {
                let mut name = path.clone().into_os_string();
                name.push(".rejected.ndjson");
                PathBuf::from(name)
            }
        }
    }
}

/// Imports the inputs in order into the `events` table. Memory stays bounded, whatever their size.
///
/// # Errors
/// See [`ImportError`]. A line that is no delivery is no error.
pub async fn import(
    inputs: Vec<Input>,
    table: &mut Table,
    settings: ImportSettings,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<ImportReport, ImportError> {
    refuse_overwriting(&inputs)?;
    // One batch is read while another is committed.
    let (sender, mut steps) = mpsc::channel(1);
    let reading =
        tokio::task::spawn_blocking(move || Reader::new(settings, sender).read_all(&inputs));

    let mut importer = Importer {
        table,
        known: KnownIds::default(),
        report: ImportReport::default(),
        run: format!("import {}", Uuid::new_v4()),
        batch: 0,
    };
    let mut input = String::new();
    while let Some(step) = steps.recv().await {
        match step {
            Step::Began { name, bytes } => {
                input = name;
                importer.report.files += 1;
                progress(Progress::Began {
                    input: &input,
                    bytes,
                });
            }
            Step::Read { bytes } => progress(Progress::Read { bytes }),
            Step::Rejected { line, reason } => progress(Progress::Rejected {
                input: &input,
                line,
                reason: &reason,
            }),
            Step::Batch(rows) => {
                let events = importer.store(rows).await?;
                progress(Progress::Committed { events });
            }
        }
    }
    let counts = reading.await??;
    Ok(ImportReport {
        lines: counts.lines,
        deliveries: counts.lines - counts.rejected,
        rejected: counts.rejected,
        ..importer.report
    })
}

/// A file that holds the rejected lines of one input must not be another input: it would be replaced before it is read.
fn refuse_overwriting(inputs: &[Input]) -> Result<(), ImportError> {
    let rejected: BTreeSet<PathBuf> = inputs
        .iter()
        .map(|input| resolved(&input.rejected_path()))
        .collect();
    for input in inputs {
        if let Input::File(path) = input
            && rejected.contains(&resolved(path))
        {
            return Err(ImportError::Overwrites { path: path.clone() });
        }
    }
    Ok(())
}

fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

struct Importer<'a> {
    table: &'a mut Table,
    known: KnownIds,
    report: ImportReport,
    /// Names this import in the table's log.
    run: String,
    /// Counts its commits.
    batch: i64,
}

impl Importer<'_> {
    /// Commits what is new among the rows; how many are.
    async fn store(&mut self, mut rows: Vec<EventRow>) -> Result<u64, ImportError> {
        self.known.load(self.table, &rows).await?;
        self.report.duplicates += drop_copies(&mut rows, |row| self.known.contains(row));
        let added = rows.len() as u64;
        let ids: Vec<_> = rows
            .iter()
            .map(|row| (row.event_date, row.event_id))
            .collect();
        self.report.parse_errors +=
            rows.iter().filter(|row| row.parse_error.is_some()).count() as u64;
        self.commit(rows).await?;
        self.known.add(ids);
        self.report.added += added;
        Ok(added)
    }

    async fn commit(&mut self, mut rows: Vec<EventRow>) -> Result<(), LakeError> {
        self.batch += 1;
        let mut backoff = Backoff::new(self.table.version());
        for attempt in 1.. {
            if rows.is_empty() {
                break;
            }
            // Under a transaction of its own, a commit whose answer was lost cannot be made again.
            let txn = Some((self.run.as_str(), self.batch));
            let batch = vec![sorted_batch(&mut rows)];
            let Err(error) = self.table.append(batch, txn).await else {
                break;
            };
            if attempt == ATTEMPTS {
                return Err(error);
            }
            tracing::warn!(%error, "a batch may not have been committed; looking, then trying again");
            tokio::time::sleep(backoff.wait()).await;
            // The failed commit may have succeeded all the same: only the table knows.
            self.table.reopen().await?;
            if self.table.committed(&self.run).await? == Some(self.batch) {
                break;
            }
            self.known = KnownIds::default();
            self.known.load(self.table, &rows).await?;
            rows.retain(|row| !self.known.contains(row));
        }
        Ok(())
    }
}

/// The time a delivery was received, where neither the line nor the delivery says it.
type Fallback = Option<DateTime<Utc>>;
