//! Keeping a lake in shape while others write to it and read it: old rows removed, small files written together, the
//! log summed up, and what is no part of a table any more deleted.
//!
//! One process at a time, by lease; one that was paused and wakes up finds its commits in conflict, and what it still
//! deletes is what nobody needs. Tables whose rows are replaced are touched while their writer does not run, by his
//! lease, which is given back between tables, so that he waits seconds at most.
//!
//! What is old is told by no clock alone: not more of ours than the storage's says, and rows by the newest there are.

mod aging;
mod compaction;
mod copies;
mod plan;
mod report;
mod retention;
#[cfg(test)]
mod tests;
mod waste;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::alone::{Claim, LOOKED_EVERY};
use crate::error::LakeError;
use crate::location::Lake;
use crate::table::{Table, TableSpec};
pub use aging::without_older;
pub(crate) use compaction::KEPT_FROM;
use compaction::Tolerance;
use plan::Group;
pub(crate) use plan::StoredFile;
pub use report::{Compacted, Freed, Size, TableReport};
pub(crate) use retention::Hidden;
use waste::{Folder, Waste};

const LEASE: &str = "maintain";
/// So many commits are worth a checkpoint.
const CHECKPOINT_AFTER: u64 = 10;
/// A clock that differs by more from the storage's is wrong. Less does no harm: uncommitted files stay for longer.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(12);
/// So long after the newest rows, either nothing comes any more or the clock is ahead.
const SILENCE: TimeDelta = TimeDelta::days(7);
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
        /// How old the rows become that are kept, if not all are.
        kept_for: Option<TimeDelta>,
    },
    /// Rows are replaced by the consumer of the appended tables.
    Rewritten {
        /// Likewise, by the layout's `aging_column`.
        kept_for: Option<TimeDelta>,
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
    /// The appended ones first: by their rows the ages of all are told.
    pub tables: Vec<Upkeep>,
    pub consumer: Consumer,
    pub effort: Effort,
    /// How long removed files stay for those who still read them.
    pub removed_stay: TimeDelta,
    /// Only say what would be done.
    pub is_trial: bool,
}

impl Lake {
    /// Maintains the tables that exist; `tell` hears of each as it is done, also where it could not be.
    ///
    /// # Errors
    /// [`LakeError::Held`] if another process maintains this lake; [`LakeError::ClocksDiffer`]; others as storage gives
    /// them. What was done before stays, and running again goes on.
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
            stored: None,
            newest: None,
            consumer_is_busy: false,
            held_for: Duration::ZERO,
            planned: Planned::default(),
        };
        if maintenance.is_trial {
            return Ok(run.all(&mut tell).await);
        }
        let work = Box::pin(async {
            run.ask_the_storage().await?;
            Ok(run.all(&mut tell).await)
        });
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
    /// What the storage's clock said, and when.
    stored: Option<(DateTime<Utc>, Instant)>,
    /// The date of the newest rows of the appended tables.
    newest: Option<NaiveDate>,
    /// He was waited for in vain.
    consumer_is_busy: bool,
    /// Since he last had a chance.
    held_for: Duration,
    /// Of the table at hand, where it is only asked what would be done.
    planned: Planned,
}

/// What a run would commit to a table.
#[derive(Default)]
struct Planned {
    commits: u64,
    /// No part of the table any more after that.
    removed: Vec<StoredFile>,
}

impl Run<'_> {
    /// The storage's clock, by the lease that was written a moment ago.
    async fn ask_the_storage(&mut self) -> Result<(), LakeError> {
        let stored = self.lake.leased_at(LEASE).await?;
        let stored = stored.ok_or_else(|| LakeError::Conflict {
            table: LEASE.to_owned(),
        })?;
        let ours = (self.clock)();
        if (ours - stored).abs() > CLOCKS_DIFFER {
            return Err(LakeError::ClocksDiffer { ours, stored });
        }
        self.stored = Some((stored, Instant::now()));
        Ok(())
    }

    /// By our clock or the storage's, whichever is behind, so that nothing is taken for older than it is.
    fn now(&self) -> DateTime<Utc> {
        let ours = (self.clock)();
        let elapsed = |since: Instant| TimeDelta::from_std(since.elapsed()).unwrap_or_default();
        self.stored
            .map_or(ours, |(stored, since)| ours.min(stored + elapsed(since)))
    }

    async fn all(&mut self, tell: &mut impl FnMut(&TableReport)) -> Vec<TableReport> {
        let mut reports = Vec::new();
        for upkeep in &self.maintenance.tables {
            let mut report = TableReport {
                table: upkeep.spec.name.clone(),
                ..TableReport::default()
            };
            match Box::pin(self.table(upkeep, &mut report)).await {
                Ok(()) => {}
                Err(LakeError::NoSuchTable { .. }) => continue,
                Err(error) => report.is_left_by(&error),
            }
            tell(&report);
            reports.push(report);
        }
        reports
    }

    async fn table(&mut self, upkeep: &Upkeep, report: &mut TableReport) -> Result<(), LakeError> {
        let mut table = self.lake.existing(&upkeep.spec.name).await?;
        table.layout = upkeep.spec.layout.clone();
        report.before = table.size()?;
        let done = Box::pin(self.one(&mut table, &upkeep.role, report)).await;
        report.after = table.size()?;
        done
    }

    /// A file that cannot be read is no reason to leave the rest of the table as it is.
    async fn one(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        self.planned = Planned::default();
        if matches!(role, Role::Appended { .. }) {
            self.newest = self.newest.max(newest(table)?);
            // Before what is committed below, which its follower has yet to read: the log goes up to what he has read.
            let summed_up = self.checkpoint(table, report).await;
            report.bear(summed_up)?;
        }
        let expired = self.expire(table, role, report).await;
        report.bear(expired)?;
        self.fold(table, role, report).await?;
        self.sweep(table, role, report).await
    }

    async fn expire(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        let Some(first) = self.kept_from(role) else {
            return Ok(());
        };
        report.ages_from = self.newest.filter(|newest| {
            let silence = self.now().date_naive() - *newest;
            silence > SILENCE
        });
        match role {
            Role::Appended { .. } => {
                if table.expired(first)?.is_empty() {
                    return Ok(());
                }
                // What facts are derived from goes after that only.
                let read = unread(self.lake, self.maintenance.consumer, role).await?;
                let read_before = table.read_before(first, read).await?;
                let (read, left): (Vec<_>, Vec<_>) =
                    table.expired(first)?.into_iter().partition(|file| {
                        let before = read_before.map(|date| date.to_string());
                        file.partition < before
                    });
                report.expired = Size::of(&read);
                report.unread = Size::of(&left);
                match read_before {
                    Some(first) if !read.is_empty() && !self.maintenance.is_trial => {
                        return table.remove_expired(first).await;
                    }
                    _ => {}
                }
                self.planned.commits += u64::from(!read.is_empty());
                self.planned.removed.extend(read);
                Ok(())
            }
            Role::Rewritten { .. } => {
                report.expired = table.older(first).await?;
                if report.expired == Size::default() || self.maintenance.is_trial {
                    self.planned.commits += u64::from(report.expired != Size::default());
                    return Ok(());
                }
                let work = async {
                    // He may have worked since.
                    table.refresh().await?;
                    Box::pin(table.remove_older(first)).await
                };
                self.in_the_consumers_place(work).await
            }
        }
    }

    /// The first date whose rows are kept, if not all are. Ages count from the end of the newest date there is, if that is
    /// over: to a clock that is ahead nothing is old, and no run removes all there is.
    fn kept_from(&self, role: &Role) -> Option<NaiveDate> {
        let (Role::Appended { kept_for, .. } | Role::Rewritten { kept_for }) = role;
        let newest = self.newest?.succ_opt()?.and_time(NaiveTime::MIN).and_utc();
        let now = self.now().min(newest);
        Some(now.checked_sub_signed((*kept_for)?)?.date_naive())
    }

    /// Writes files together anew.
    async fn fold(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        let (effort, now) = (self.maintenance.effort, self.now());
        let first = self.kept_from(role);
        // Files that could not be written anew: later plans under the lease hold them again.
        let mut failed: BTreeSet<String> = BTreeSet::new();
        for group in groups(table, role, first, effort, now)? {
            let mut tried = group.paths();
            let done = match (self.maintenance.is_trial, role) {
                (true, _) => {
                    self.planned.commits += 1;
                    self.planned.removed.extend(group.files.iter().cloned());
                    Ok(estimated(table, &group))
                }
                (false, Role::Appended { .. }) => {
                    Box::pin(table.compact(&group, Tolerance::Appends)).await
                }
                (false, Role::Rewritten { .. }) => {
                    // He may have worked since, and there may be nothing left to do.
                    let work = async {
                        table.refresh().await?;
                        let plan = groups(table, role, first, effort, now)?;
                        let next = plan
                            .into_iter()
                            .find(|group| failed.is_disjoint(&group.paths()));
                        let Some(group) = next else {
                            return Ok(Compacted::default());
                        };
                        tried = group.paths();
                        Box::pin(table.compact(&group, Tolerance::Nothing)).await
                    };
                    self.in_the_consumers_place(work).await
                }
            };
            if done.is_err() {
                failed.append(&mut tried);
            }
            let done = done.map(|done| report.compacted.add(done));
            report.bear(done)?;
        }
        Ok(())
    }

    /// Sums the log up where it has grown.
    async fn checkpoint(&self, table: &Table, report: &mut TableReport) -> Result<(), LakeError> {
        let folder = table.folder(None).await?;
        let last = folder.last_checkpoint.max(report.checkpoint);
        let last = last.unwrap_or_default();
        let version = table.version() + self.planned.commits;
        if version < last + CHECKPOINT_AFTER {
            return Ok(());
        }
        if !self.maintenance.is_trial {
            table.write_checkpoint(Some(&folder.removed())).await?;
        }
        report.checkpoint = Some(version);
        Ok(())
    }

    /// Deletes what is no part of the table: files while the consumer does not run, as he may read what was removed since
    /// he began. Without work for it, he is not disturbed. Then the log is summed up, without those files. Its entries stay
    /// for a while since they were summed up.
    async fn sweep(
        &mut self,
        table: &mut Table,
        role: &Role,
        report: &mut TableReport,
    ) -> Result<(), LakeError> {
        let (stay, now) = (self.maintenance.removed_stay, self.now());
        let (lake, consumer) = (self.lake, self.maintenance.consumer);
        let unread = unread(lake, consumer, role).await?;
        let mut folder = table.folder(unread).await?;
        table.date_removals(&mut folder, stay, now).await?;
        let mut deleted = Ok(());
        let is_file = |waste: &&Waste| !waste.is_of_log();
        if !self.maintenance.is_trial && folder.due(stay, now).iter().any(is_file) {
            let work = async {
                let unread = self::unread(lake, consumer, role).await?;
                table.refresh().await?;
                folder = table.folder(unread).await?;
                table.date_removals(&mut folder, stay, now).await?;
                table.delete_files(&folder.due(stay, now)).await
            };
            deleted = self.in_the_consumers_place(work).await;
        }
        // The log has room of its own afterwards, which makes no more files due.
        let mut due: Vec<Waste> = folder
            .due(stay, now)
            .into_iter()
            .filter(is_file)
            .cloned()
            .collect();
        let before = report.checkpoint;
        let summed_up = self.checkpoint(table, report).await;
        report.bear(summed_up)?;
        if !self.maintenance.is_trial && report.checkpoint != before {
            folder.take_log_of(table.folder(unread).await?);
        }
        let log = folder.due(stay, now).into_iter();
        due.extend(log.filter(|waste| waste.is_of_log()).cloned());
        if !self.maintenance.is_trial {
            table.delete_log(&due.iter().collect::<Vec<_>>()).await?;
            deleted?;
        }
        tell_of(report, &folder, &due);
        if self.planned.removed.is_empty() {
            return Ok(());
        }
        let awaited = table.awaited(unread).await?;
        for file in &self.planned.removed {
            let freed = match awaited.contains(&table.data_path(&file.path)) {
                true => &mut report.awaited,
                false if stay <= TimeDelta::zero() => &mut report.data,
                false => &mut report.staying,
            };
            freed.files += 1;
            freed.bytes += file.bytes;
        }
        Ok(())
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

/// The date of the newest rows of a table whose partitions are dates. Of each file it is not later than when the file was
/// written: a sender's clock may be ahead, too.
fn newest(table: &Table) -> Result<Option<NaiveDate>, LakeError> {
    let dates = table.stored_files()?.into_iter().filter_map(|file| {
        let date: NaiveDate = file.partition?.parse().ok()?;
        let written = DateTime::from_timestamp_millis(file.written_at)?;
        Some(date.min(written.date_naive()))
    });
    Ok(dates.max())
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
    kept_from: Option<NaiveDate>,
    effort: Effort,
    now: DateTime<Utc>,
) -> Result<Vec<Group>, LakeError> {
    let target = table.layout.target_file_bytes;
    let mut files = table.stored_files()?;
    Ok(match role {
        Role::Rewritten { .. } => plan::of_rewritten(files, target, effort),
        Role::Appended { filling, .. } => {
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

fn tell_of(report: &mut TableReport, folder: &Folder, deleted: &[Waste]) {
    let sum = |waste: &mut dyn Iterator<Item = &Waste>| {
        waste.fold(Freed::default(), |sum, waste| Freed {
            files: sum.files + 1,
            bytes: sum.bytes + waste.bytes,
        })
    };
    let deleted = || deleted.iter();
    report.log = sum(&mut deleted().filter(|waste| waste.is_of_log()));
    report.data = sum(&mut deleted().filter(|waste| !waste.is_of_log()));
    let all = sum(&mut folder.waste.iter());
    report.staying = Freed {
        files: all.files - report.log.files - report.data.files,
        bytes: all.bytes - report.log.bytes - report.data.bytes,
    };
    report.awaited = folder.awaited;
}
