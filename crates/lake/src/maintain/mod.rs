//! Keeping a lake in shape while others write to it and read it: old rows removed, small files written together, the
//! log summed up, and what is no part of a table any more deleted.
//!
//! One process at a time, by lease; one that was paused and wakes up finds its commits in conflict, and what it still
//! deletes is what nobody needs. Tables whose rows are replaced are touched while their writer does not run, by his
//! lease, which is given back between tables, so that he waits seconds at most.

mod aging;
mod compaction;
mod copies;
mod plan;
mod report;
mod retention;
#[cfg(test)]
mod tests;
mod waste;

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::alone::{Claim, LOOKED_EVERY};
use crate::error::LakeError;
use crate::location::Lake;
use crate::table::{Table, TableSpec};
pub use aging::without_older;
pub(crate) use compaction::KEPT_FROM;
use compaction::Tolerance;
use plan::Group;
pub use report::{Compacted, Freed, Size, TableReport};
pub(crate) use retention::Hidden;
use waste::{Folder, Kind, Waste};

const LEASE: &str = "maintain";
/// So many commits are worth a checkpoint.
const CHECKPOINT_AFTER: u64 = 10;
/// Whoever waits for a lease that was held for so long is let go first.
const HELD_AT_MOST: Duration = Duration::from_secs(2);

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What is worth it if it is done every few minutes.
    Steady,
    /// All there is to do.
    Whole,
}

/// How a table changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Rows are appended, by anybody at any time; partitions are dates.
    Appended {
        /// The first date that still fills.
        filling: NaiveDate,
        /// The first date whose rows are kept, if not all are.
        kept_from: Option<NaiveDate>,
    },
    /// Rows are replaced by the consumer of the appended tables.
    Rewritten {
        /// The first date, by the layout's `aging_column`, whose rows are kept, if not all are.
        kept_from: Option<NaiveDate>,
    },
}

/// A table and how it is to be maintained.
#[derive(Debug, Clone)]
pub struct Upkeep {
    pub spec: TableSpec,
    pub role: Role,
}

/// Who follows the appended tables by their logs, and writes the others.
#[derive(Debug, Clone, Copy)]
pub struct Consumer {
    /// The lease under which he works.
    pub lease: &'static str,
    /// The table whose log says how far he has read,
    pub table: &'static str,
    /// and the application id under which it says so.
    pub app_id: &'static str,
}

/// What is to be maintained, and how.
#[derive(Debug, Clone)]
pub struct Maintenance {
    pub tables: Vec<Upkeep>,
    pub consumer: Consumer,
    pub effort: Effort,
    /// How long removed files stay for those who still read them.
    pub removed_stay: TimeDelta,
    /// Only say what would be done.
    pub is_trial: bool,
}

impl Lake {
    /// Maintains the tables that exist; `tell` hears of each as it is done.
    ///
    /// # Errors
    /// [`LakeError::Held`] if another process maintains this lake; others as storage gives them. What was done before
    /// stays, and running again goes on.
    pub async fn maintain(
        &self,
        maintenance: &Maintenance,
        holder: &str,
        clock: fn() -> DateTime<Utc>,
        mut tell: impl FnMut(&TableReport),
    ) -> Result<Vec<TableReport>, LakeError> {
        let mut run = Run {
            lake: self,
            maintenance,
            holder,
            clock,
            consumer_is_busy: false,
            held_for: Duration::ZERO,
        };
        let work = Box::pin(run.all(&mut tell));
        if maintenance.is_trial {
            return work.await;
        }
        let claim = Claim {
            what: LEASE,
            holder,
            wait: TimeDelta::zero(),
            clock,
        };
        self.alone(claim, work).await
    }
}

struct Run<'a> {
    lake: &'a Lake,
    maintenance: &'a Maintenance,
    holder: &'a str,
    clock: fn() -> DateTime<Utc>,
    /// He was waited for in vain.
    consumer_is_busy: bool,
    /// Since he last had a chance.
    held_for: Duration,
}

impl Run<'_> {
    async fn all(
        &mut self,
        tell: &mut impl FnMut(&TableReport),
    ) -> Result<Vec<TableReport>, LakeError> {
        let mut reports = Vec::new();
        for upkeep in &self.maintenance.tables {
            let mut table = match self.lake.existing(&upkeep.spec.name).await {
                Err(LakeError::NoSuchTable { .. }) => continue,
                table => table?,
            };
            table.layout = upkeep.spec.layout.clone();
            let mut report = TableReport {
                table: upkeep.spec.name.clone(),
                before: table.size()?,
                ..TableReport::default()
            };
            match Box::pin(self.one(&mut table, &upkeep.role, &mut report)).await {
                Ok(()) => {}
                // Others go on meanwhile, and the next run finds what this one left.
                Err(error @ (LakeError::Conflict { .. } | LakeError::Held { .. })) => {
                    report.left = Some(error.to_string());
                }
                Err(error) => return Err(error),
            }
            report.after = table.size()?;
            tell(&report);
            reports.push(report);
        }
        Ok(reports)
    }

    async fn one(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        self.expire(table, role, report).await?;
        self.fold(table, role, report).await?;
        self.checkpoint(table, report).await?;
        self.sweep(table, role, report).await
    }

    async fn expire(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        match *role {
            Role::Appended {
                kept_from: Some(first),
                ..
            } => {
                let files = table.expired(first)?;
                report.expired = Size {
                    rows: files.iter().map(|file| file.rows).sum(),
                    files: files.len() as u64,
                    bytes: files.iter().map(|file| file.bytes).sum(),
                };
                if files.is_empty() || self.maintenance.is_trial {
                    return Ok(());
                }
                table.remove_expired(first).await
            }
            Role::Rewritten {
                kept_from: Some(first),
            } => {
                report.expired = table.older(first).await?;
                if report.expired == Size::default() || self.maintenance.is_trial {
                    return Ok(());
                }
                let work = async {
                    // He may have worked since.
                    table.refresh().await?;
                    Box::pin(table.remove_older(first)).await
                };
                self.in_the_consumers_place(work).await
            }
            _ => Ok(()),
        }
    }

    /// Writes files together anew.
    async fn fold(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        let (effort, now) = (self.maintenance.effort, (self.clock)());
        for group in groups(table, role, effort, now)? {
            let done = match (self.maintenance.is_trial, role) {
                (true, _) => estimated(table, &group),
                (false, Role::Appended { .. }) => {
                    Box::pin(table.compact(&group, Tolerance::Appends)).await?
                }
                (false, Role::Rewritten { .. }) => {
                    // He may have worked since, and there may be nothing left to do.
                    let work = async {
                        table.refresh().await?;
                        match groups(table, role, effort, now)?.into_iter().next() {
                            Some(group) => {
                                Box::pin(table.compact(&group, Tolerance::Nothing)).await
                            }
                            None => Ok(Compacted::default()),
                        }
                    };
                    self.in_the_consumers_place(work).await?
                }
            };
            report.compacted.add(done);
        }
        Ok(())
    }

    /// Sums the log up where it has grown.
    async fn checkpoint(&self, table: &Table, report: &mut TableReport) -> Result<(), LakeError> {
        let last = table
            .folder(None)
            .await?
            .last_checkpoint
            .unwrap_or_default();
        if table.version() < last + CHECKPOINT_AFTER {
            return Ok(());
        }
        if !self.maintenance.is_trial {
            table.write_checkpoint().await?;
        }
        report.checkpoint = Some(table.version());
        Ok(())
    }

    /// Deletes what is no part of the table, while the consumer does not run: he may read what was removed since he
    /// began. Without work for it, he is not disturbed.
    async fn sweep(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        let (stay, clock) = (self.maintenance.removed_stay, self.clock);
        let (lake, consumer) = (self.lake, self.maintenance.consumer);
        let unread = unread(lake, consumer, role).await?;
        let folder = table.folder(unread).await?;
        let is_due = !folder.deletable(stay, clock()).is_empty();
        if self.maintenance.is_trial || !is_due {
            tell_of(report, &folder, &folder.deletable(stay, clock()));
            return Ok(());
        }
        let work = async {
            let unread = self::unread(lake, consumer, role).await?;
            table.refresh().await?;
            let folder = table.folder(unread).await?;
            let deletable = folder.deletable(stay, clock());
            table.delete(&deletable).await?;
            tell_of(report, &folder, &deletable);
            Ok(())
        };
        self.in_the_consumers_place(work).await
    }

    async fn in_the_consumers_place<T>(
        &mut self,
        work: impl Future<Output = Result<T, LakeError>>,
    ) -> Result<T, LakeError> {
        if self.held_for > HELD_AT_MOST {
            tokio::time::sleep(2 * LOOKED_EVERY).await;
            self.held_for = Duration::ZERO;
        }
        let claim = Claim {
            what: self.maintenance.consumer.lease,
            holder: self.holder,
            // To wait for him once is enough.
            wait: if self.consumer_is_busy {
                TimeDelta::zero()
            } else {
                Claim::UNTIL_EXPIRED
            },
            clock: self.clock,
        };
        let began = Instant::now();
        let result = self.lake.alone(claim, work).await;
        self.consumer_is_busy |= matches!(result, Err(LakeError::Held { .. }));
        self.held_for += began.elapsed();
        result
    }
}

/// The version of an appended table up to which the consumer has read it.
async fn unread(lake: &Lake, consumer: Consumer, role: &Role) -> Result<Option<u64>, LakeError> {
    if matches!(role, Role::Rewritten { .. }) {
        return Ok(None);
    }
    match lake.existing(consumer.table).await {
        Ok(table) => {
            let position = table.committed(consumer.app_id).await?;
            Ok(position.and_then(|version| u64::try_from(version).ok()))
        }
        Err(LakeError::NoSuchTable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is worth writing together, as of the table's version.
fn groups(
    table: &Table,
    role: &Role,
    effort: Effort,
    now: DateTime<Utc>,
) -> Result<Vec<Group>, LakeError> {
    let target = table.layout.target_file_bytes;
    let mut files = table.stored_files()?;
    Ok(match role {
        Role::Rewritten { .. } => plan::of_rewritten(files, target, effort),
        Role::Appended { filling, kept_from } => {
            let first = kept_from.map(|date| date.to_string()).unwrap_or_default();
            files.retain(|file| {
                file.partition
                    .as_deref()
                    .is_none_or(|it| it >= first.as_str())
            });
            plan::of_appended(files, Some(&filling.to_string()), target, effort, now)
        }
    })
}

fn estimated(table: &Table, group: &Group) -> Compacted {
    Compacted {
        groups: 1,
        files_in: group.files.len() as u64,
        bytes_in: group.bytes(),
        files_out: group.files_out(table.layout.target_file_bytes),
        bytes_out: group.bytes(),
        copies: 0,
    }
}

fn tell_of(report: &mut TableReport, folder: &Folder, deleted: &[&Waste]) {
    let sum = |waste: &mut dyn Iterator<Item = &Waste>| {
        waste.fold(Freed::default(), |sum, waste| Freed {
            files: sum.files + 1,
            bytes: sum.bytes + waste.bytes,
        })
    };
    let of_log = |waste: &&Waste| waste.kind == Kind::Log;
    report.log = sum(&mut deleted.iter().copied().filter(of_log));
    report.data = sum(&mut deleted.iter().copied().filter(|waste| !of_log(waste)));
    let all = sum(&mut folder.waste.iter());
    report.staying = Freed {
        files: all.files - report.log.files - report.data.files,
        bytes: all.bytes - report.log.bytes - report.data.bytes,
    };
    report.awaited = folder.awaited;
}
