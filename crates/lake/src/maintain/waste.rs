//! What lies in a table's folder and is no part of the table any more: removed files, files that were never
//! committed or not even finished, and the log before a checkpoint. How long it stays, and deleting it.
//!
//! Removed files stay for a while for those who still read them. Where they would take more room than what is
//! alive, the oldest go sooner, so that a table takes at most twice its room. What somebody who follows the table by
//! its log has not read yet stays whatever its age.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use deltalake::kernel::Action;
use deltalake::logstore::get_actions;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::Freed;
use crate::changes::Changes;
use crate::error::LakeError;
use crate::location::LOG;
use crate::table::{ABANDONED_AFTER, Table};

/// However little room there is, a query that runs keeps its files for so long.
const STAYS_AT_LEAST: TimeDelta = TimeDelta::hours(1);
/// Of the number in the names of the log's entries.
const VERSION_DIGITS: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Was part of the table.
    Removed,
    /// Never was: of a process that died.
    Abandoned,
    /// The same, and not even an object: a local disk's write that was not finished.
    Staged,
    /// Of the log, of this version, and summed up by a checkpoint.
    Log(u64),
}

impl Kind {
    /// The version of an entry of the log.
    fn version(self) -> Option<u64> {
        match self {
            Kind::Log(version) => Some(version),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waste {
    pub path: Path,
    pub kind: Kind,
    pub bytes: u64,
    /// When it became waste.
    pub since: DateTime<Utc>,
}

impl Waste {
    pub fn is_of_log(&self) -> bool {
        self.kind.version().is_some()
    }
}

/// What lies in a table's folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub live_bytes: u64,
    /// Of the log, as far as it is needed.
    pub log_bytes: u64,
    pub waste: Vec<Waste>,
    /// Removed, but not yet read by who follows the table.
    pub awaited: Freed,
    pub last_checkpoint: Option<u64>,
    /// The commits of the log, and when each was written.
    commits: Vec<(u64, DateTime<Utc>)>,
}

impl Folder {
    /// What is to be deleted now, if removed files stay for `stay`: files, then entries of the log in their order.
    pub fn due(&self, stay: TimeDelta, now: DateTime<Utc>) -> Vec<&Waste> {
        let mut waste: Vec<&Waste> = self.waste.iter().collect();
        waste.sort_by_key(|waste| waste.since);
        let mut left: u64 = waste.iter().map(|waste| waste.bytes).sum();
        let mut is_due = |waste: &&Waste| {
            // What another clock dates later than now has become waste just now.
            let age = (now - waste.since).max(TimeDelta::zero());
            let is_due = match waste.kind {
                Kind::Abandoned | Kind::Staged => age >= stay.max(ABANDONED_AFTER),
                Kind::Removed | Kind::Log(_) => {
                    age >= stay
                        || (age >= STAYS_AT_LEAST && left + self.log_bytes > self.live_bytes)
                }
            };
            if is_due {
                left -= waste.bytes;
            }
            is_due
        };
        let (mut due, stays): (Vec<&Waste>, Vec<&Waste>) =
            waste.into_iter().partition(|waste| is_due(waste));
        // The log goes from its beginning, whatever the times of its entries, so that it never has gaps.
        let log_from = stays.iter().filter_map(|waste| waste.kind.version()).min();
        due.retain(|waste| {
            let version = waste.kind.version().zip(log_from);
            version.is_none_or(|(version, log_from)| version < log_from)
        });
        due.sort_by_key(|waste| waste.kind.version());
        due
    }

    /// Removed files that still lie there.
    pub fn removed(&self) -> HashSet<Path> {
        let removed = self
            .waste
            .iter()
            .filter(|waste| waste.kind == Kind::Removed);
        removed.map(|waste| waste.path.clone()).collect()
    }

    /// Has the log as a later look has found it.
    pub fn take_log_of(&mut self, later: Folder) {
        self.waste.retain(|waste| !waste.is_of_log());
        self.waste
            .extend(later.waste.into_iter().filter(Waste::is_of_log));
        self.log_bytes = later.log_bytes;
    }
}

impl Table {
    /// Looks through the table's folder. Of what was added since version `unread`, nothing is waste: someone who follows
    /// the table has yet to read it.
    pub(crate) async fn folder(&self, unread: Option<u64>) -> Result<Folder, LakeError> {
        let live: HashSet<Path> = self
            .files()?
            .iter()
            .map(|file| self.data_path(&file.path()))
            .collect();
        let unread_version = unread.filter(|version| *version <= self.version());
        let awaited = self.awaited(unread_version).await?;
        let removed = self.removed().await?;
        let root = self.lake.prefix.clone().join(self.name.as_str());
        let listing = || LakeError::storage(format!("listing table {}", self.name));
        let mut objects = self.lake.store.list(Some(&root));
        let mut folder = Folder::default();
        let mut log = Vec::new();
        while let Some(object) = objects.try_next().await.map_err(listing())? {
            let Some(below) = object.location.prefix_match(&root) else {
                continue;
            };
            let mut below: Vec<_> = below.collect();
            let name = below.pop();
            let name = name.as_ref().map_or("", |name| name.as_ref());
            if below.first().is_some_and(|part| part.as_ref() == LOG) {
                if below.len() == 1
                    && let Some(version) = version_of(name)
                {
                    log.push((version, name.contains(".checkpoint"), object));
                }
            } else if live.contains(&object.location) {
                folder.live_bytes += object.size;
            } else if awaited.contains(&object.location) {
                folder.awaited.files += 1;
                folder.awaited.bytes += object.size;
            } else if name.ends_with(".parquet") {
                let removed_at = removed.get(&object.location).copied();
                folder.waste.push(Waste {
                    kind: removed_at.map_or(Kind::Abandoned, |_| Kind::Removed),
                    since: removed_at.unwrap_or(object.last_modified),
                    path: object.location,
                    bytes: object.size,
                });
            }
        }
        let staged = self.lake.staged(&root).await.map_err(listing())?;
        folder.waste.extend(staged.into_iter().map(|object| Waste {
            path: object.location,
            kind: Kind::Staged,
            bytes: object.size,
            since: object.last_modified,
        }));
        // When each was written.
        let checkpoints: BTreeMap<u64, DateTime<Utc>> = log
            .iter()
            .filter(|entry| entry.1)
            .map(|(version, _, object)| (*version, object.last_modified))
            .collect();
        let commits = log.iter().filter(|(_, is_checkpoint, _)| !is_checkpoint);
        folder.commits = commits
            .map(|(version, _, object)| (*version, object.last_modified))
            .collect();
        folder.last_checkpoint = checkpoints.keys().next_back().copied();
        // Entries after this are needed: to read the table, or by who follows it.
        let needed = unread_version.unwrap_or(u64::MAX).min(self.version());
        let summed_up = checkpoints.range(..=needed).next_back();
        let summed_up = summed_up.map(|(version, _)| *version);
        for (version, is_checkpoint, object) in log {
            if summed_up.is_none_or(|summed_up| version >= summed_up) {
                folder.log_bytes += object.size;
                continue;
            }
            folder.waste.push(Waste {
                path: object.location,
                kind: Kind::Log(version),
                bytes: object.size,
                // Whoever has begun before the checkpoint reads what was before it.
                since: checkpoints
                    .range(version + u64::from(is_checkpoint)..)
                    .next()
                    .map_or(object.last_modified, |(_, at)| {
                        object.last_modified.max(*at)
                    }),
            });
        }
        Ok(folder)
    }

    /// Whoever removed files dated that by a clock of his own, which may be behind: what was removed within the time that
    /// every query is given is dated by its commit, as the storage tells. Reads those commits, and only where files are to go.
    pub(crate) async fn date_removals(
        &self,
        folder: &mut Folder,
        stay: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(), LakeError> {
        let is_removed = |waste: &&Waste| waste.kind == Kind::Removed;
        if stay <= TimeDelta::zero() || !folder.due(stay, now).iter().any(is_removed) {
            return Ok(());
        }
        let recent = now - stay.min(STAYS_AT_LEAST);
        let commits = folder.commits.iter().filter(|(_, at)| *at > recent);
        let log = self.inner.log_store();
        let mut written = HashMap::new();
        for (version, at) in commits {
            let entry = log.read_commit_entry(*version).await;
            let Some(bytes) = entry.map_err(LakeError::delta(&self.name))? else {
                continue;
            };
            let actions = get_actions(*version, &bytes).map_err(LakeError::delta(&self.name))?;
            let removals = actions.into_iter().filter_map(|action| match action {
                Action::Remove(remove) => Some((self.data_path(&remove.path), *at)),
                _ => None,
            });
            written.extend(removals);
        }
        for waste in folder
            .waste
            .iter_mut()
            .filter(|waste| waste.kind == Kind::Removed)
        {
            if let Some(at) = written.get(&waste.path) {
                waste.since = waste.since.max(*at);
            }
        }
        Ok(())
    }

    /// Files that were added since a version, whether or not they are still part of the table.
    pub(super) async fn awaited(&self, since: Option<u64>) -> Result<HashSet<Path>, LakeError> {
        let Some(since) = since else {
            return Ok(HashSet::new());
        };
        Ok(match self.changes_since(since).await? {
            Changes::Added(files) => files.into_iter().map(|file| file.path).collect(),
            // He will have to read the table anew.
            Changes::Unknown => HashSet::new(),
        })
    }

    /// When files were removed that the log still remembers.
    pub(crate) async fn removed(&self) -> Result<HashMap<Path, DateTime<Utc>>, LakeError> {
        let delta = || LakeError::delta(&self.name);
        let snapshot = self.inner.snapshot().map_err(delta())?;
        let log = self.inner.log_store();
        let mut tombstones = snapshot.all_tombstones(log.as_ref());
        let mut removed = HashMap::new();
        while let Some(tombstone) = tombstones.try_next().await.map_err(delta())? {
            let at = tombstone.deletion_timestamp().unwrap_or_default();
            let at = DateTime::from_timestamp_millis(at).unwrap_or_default();
            removed.insert(self.data_path(&tombstone.path()), at);
        }
        Ok(removed)
    }

    /// Deletes the files among the waste. What is gone already is no failure.
    pub(crate) async fn delete_files(&self, waste: &[&Waste]) -> Result<(), LakeError> {
        let files = waste.iter().filter(|waste| !waste.is_of_log());
        let (staged, objects): (Vec<&Waste>, Vec<&Waste>) =
            files.partition(|waste| waste.kind == Kind::Staged);
        for waste in staged {
            let deleted = self.lake.delete_staged(&waste.path).await;
            deleted.map_err(|error| self.undeleted(error))?;
        }
        let paths: Vec<_> = objects.iter().map(|waste| Ok(waste.path.clone())).collect();
        let mut deleted = self.lake.store.delete_stream(stream::iter(paths).boxed());
        while let Some(result) = deleted.next().await {
            self.unless_gone(result.map(|_| ()))?;
        }
        Ok(())
    }

    /// Deletes the entries of the log among it in the order given, one by one: wherever this ends, the log has no gaps.
    pub(crate) async fn delete_log(&self, waste: &[&Waste]) -> Result<(), LakeError> {
        for waste in waste.iter().filter(|waste| waste.is_of_log()) {
            self.unless_gone(self.lake.store.delete(&waste.path).await)?;
        }
        Ok(())
    }

    fn unless_gone(&self, deleted: object_store::Result<()>) -> Result<(), LakeError> {
        match deleted {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.undeleted(error)),
        }
    }

    fn undeleted(&self, error: object_store::Error) -> LakeError {
        LakeError::storage(format!(
            "deleting what is no part of table {} any more",
            self.name
        ))(error)
    }
}

/// The version in the name of an entry of the log.
fn version_of(name: &str) -> Option<u64> {
    let (version, _) = name.split_once('.')?;
    (version.len() == VERSION_DIGITS).then(|| version.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::location::Lake;
    use crate::table::{Layout, TableSpec};

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(19_800)
    }

    fn waste(kind: Kind, minutes: i64, bytes: u64) -> Waste {
        Waste {
            path: Path::from(format!("{minutes}")),
            kind,
            bytes,
            since: now() - TimeDelta::minutes(minutes),
        }
    }

    #[track_caller]
    fn check(live_bytes: u64, waste: Vec<Waste>, stay: TimeDelta, expected: &[&str]) {
        let folder = Folder {
            live_bytes,
            waste,
            ..Folder::default()
        };
        let deletable = folder.due(stay, now());
        let paths: Vec<_> = deletable.iter().map(|waste| waste.path.as_ref()).collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn waste_goes_when_it_is_old_enough() {
        let all = || {
            vec![
                waste(Kind::Removed, 30, 1),
                waste(Kind::Log(7), 1_500, 1),
                waste(Kind::Removed, 1_441, 1),
                waste(Kind::Abandoned, 1_439, 1),
                waste(Kind::Abandoned, 2_000, 1),
            ]
        };
        check(100, all(), TimeDelta::days(1), &["2000", "1441", "1500"]);
        check(100, all(), TimeDelta::days(2), &[]);
        check(
            100,
            all(),
            TimeDelta::zero(),
            &["2000", "1441", "30", "1500"],
        );
    }

    #[test]
    fn the_log_goes_from_its_beginning_and_in_order() {
        let log = |minutes: [i64; 4]| {
            let versions = (5..).zip(minutes);
            versions
                .map(|(version, minutes)| waste(Kind::Log(version), minutes, 1))
                .collect::<Vec<_>>()
        };
        let day = TimeDelta::days(1);
        check(
            100,
            log([2_000, 3_000, 2_500, 10]),
            day,
            &["2000", "3000", "2500"],
        );
        // One that was written again later, as by a restored copy, keeps all that follow.
        check(100, log([2_000, 10, 2_500, 1_900]), day, &["2000"]);
        check(100, log([10, 2_000, 2_500, 1_900]), day, &[]);
    }

    /// A folder in the place of one entry cannot be deleted as a file.
    #[tokio::test]
    async fn an_end_while_the_log_is_deleted_leaves_no_gap() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
        let name = "numbers".to_owned();
        let schema = Arc::new(Schema::new(vec![Field::new("it", DataType::Int64, true)]));
        let spec = TableSpec {
            name: name.clone(),
            description: "A table of the test".to_owned(),
            schema,
            partition_columns: Vec::new(),
            stats_columns: Vec::new(),
            layout: Layout::default(),
        };
        let table = lake.table(&spec).await.expect("a table");
        let log = folder.path().join(name).join(LOG);
        let path_of = |version: u64| log.join(format!("{version:020}.json"));
        for version in 1..40 {
            fs::write(path_of(version), "{}").expect("an entry");
        }
        fs::remove_file(path_of(7)).expect("removing an entry");
        fs::create_dir(path_of(7)).expect("a folder in its place");
        let entries: Vec<Waste> = (0..40)
            .map(|version| Waste {
                path: Path::from_absolute_path(path_of(version)).expect("a path"),
                ..waste(Kind::Log(version), 3_000, 1)
            })
            .collect();
        let entries: Vec<&Waste> = entries.iter().collect();
        let deleted = table.delete_log(&entries).await;
        deleted.expect_err("one that cannot be deleted");
        let left = (0..40).filter(|version| path_of(*version).exists());
        assert_eq!(left.collect::<Vec<_>>(), (7..40).collect::<Vec<_>>());
    }

    #[test]
    fn where_waste_outgrows_what_lives_the_oldest_goes_sooner_but_never_at_once() {
        let all = vec![
            waste(Kind::Removed, 300, 60),
            waste(Kind::Removed, 200, 60),
            waste(Kind::Removed, 100, 60),
            waste(Kind::Removed, 10, 60),
            waste(Kind::Abandoned, 400, 60),
        ];
        check(200, all.clone(), TimeDelta::days(1), &["300", "200"]);
        check(10, all.clone(), TimeDelta::days(1), &["300", "200", "100"]);
        // What the log needs is part of the room.
        let folder = Folder {
            live_bytes: 200,
            log_bytes: 50,
            waste: all,
            ..Folder::default()
        };
        let deletable = folder.due(TimeDelta::days(1), now());
        assert_eq!(deletable.len(), 3);
    }

    #[test]
    fn entries_of_the_log_are_known_by_their_number() {
        assert_eq!(version_of("00000000000000000012.json"), Some(12));
        assert_eq!(
            version_of("00000000000000000012.checkpoint.parquet"),
            Some(12)
        );
        assert_eq!(version_of("_last_checkpoint"), None);
        assert_eq!(version_of("12.json"), None);
    }
}
