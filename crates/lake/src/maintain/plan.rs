//! Which files are written together anew. Pure: what lies in a table in, groups of files out.
//!
//! A partition that still fills is folded by classes of size, so that a row is written once per class. Once it is
//! full, all of it is written once more: sorted, and each row once. Its files are *settled* from then on, and only
//! what comes later, which is little, is written anew.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Effort;
use crate::folding::{self, DataFile};

/// Late rows of a full partition wait this long for others, so that each does not cost a rewrite,
const LATE_FILES_WAIT: TimeDelta = TimeDelta::hours(1);
/// unless they are more than this part of what would be written with them.
const LATE_PART: u64 = 16;
/// A table without partitions that has more small files than this is not left to its own folding.
const MANY_FILES: usize = 100;

/// A file as planning sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    pub path: String,
    /// Value of the partition column; `None` where there is none, or none for its rows.
    pub partition: Option<String>,
    pub bytes: u64,
    pub rows: u64,
    /// In milliseconds since 1970.
    pub written_at: i64,
    /// Sorted with, and without copies among, all other settled files of its partition.
    pub is_settled: bool,
    /// See [`crate::write::full_rows`].
    pub full_rows: Option<u64>,
}

impl StoredFile {
    fn is_small(&self, target_bytes: u64) -> bool {
        folding::is_small(self.bytes, self.full_rows.is_some(), target_bytes)
    }

    /// The file as folding sees it.
    pub fn data_file(&self) -> DataFile {
        DataFile {
            path: self.path.clone(),
            bytes: self.bytes,
            written_at: self.written_at,
            full_rows: self.full_rows,
        }
    }
}

/// Files to be written anew as one sequence of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub partition: Option<String>,
    pub files: Vec<StoredFile>,
    /// Files that stay, of whose rows the group must hold no copies.
    pub beside: Vec<StoredFile>,
    /// Whether what is written is settled.
    pub settles: bool,
}

impl Group {
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub fn paths(&self) -> BTreeSet<String> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn written_at(&self) -> i64 {
        let times = self.files.iter().map(|file| file.written_at);
        times.max().unwrap_or_default()
    }

    /// About how many files it becomes.
    pub fn files_out(&self, target_bytes: u64) -> u64 {
        self.bytes().div_ceil(target_bytes.max(1)).max(1)
    }
}

/// Of a table that is appended to, whose partitions before `filling` are full.
pub(crate) fn of_appended(
    files: Vec<StoredFile>,
    filling: Option<&str>,
    target_bytes: u64,
    effort: Effort,
    now: DateTime<Utc>,
) -> Vec<Group> {
    let mut partitions: BTreeMap<Option<String>, Vec<StoredFile>> = BTreeMap::new();
    for file in files {
        partitions
            .entry(file.partition.clone())
            .or_default()
            .push(file);
    }
    let mut groups = Vec::new();
    for (partition, files) in partitions {
        let is_full = effort == Effort::Whole
            || partition
                .as_deref()
                .zip(filling)
                .is_some_and(|(it, now)| it < now);
        if is_full {
            groups.extend(settling(partition, files, target_bytes, effort, now));
        } else {
            groups.extend(folding(partition, files, target_bytes));
        }
    }
    groups
}

/// Of a table whose rows are replaced, and which has no partitions.
pub(crate) fn of_rewritten(
    files: Vec<StoredFile>,
    target_bytes: u64,
    effort: Effort,
) -> Vec<Group> {
    let small: Vec<_> = files
        .into_iter()
        .filter(|file| file.is_small(target_bytes))
        .collect();
    let is_asked = effort == Effort::Whole || small.len() > MANY_FILES;
    if !is_asked {
        return folding(None, small, target_bytes);
    }
    if small.len() < 2 {
        return Vec::new();
    }
    vec![Group {
        partition: None,
        files: small,
        beside: Vec::new(),
        settles: false,
    }]
}

fn settling(
    partition: Option<String>,
    files: Vec<StoredFile>,
    target_bytes: u64,
    effort: Effort,
    now: DateTime<Utc>,
) -> Option<Group> {
    let bytes = |files: &[StoredFile]| files.iter().map(|file| file.bytes).sum::<u64>();
    let (settled, news): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.is_settled);
    let youngest = news.iter().map(|file| file.written_at).max()?;
    let (small, beside): (Vec<_>, Vec<_>) = settled
        .into_iter()
        .partition(|file| file.is_small(target_bytes));
    let has_waited = youngest <= (now - LATE_FILES_WAIT).timestamp_millis();
    let is_much = bytes(&news) * LATE_PART >= bytes(&small);
    (effort == Effort::Whole || has_waited || is_much).then(|| Group {
        partition,
        files: [news, small].concat(),
        beside,
        settles: true,
    })
}

fn folding(partition: Option<String>, files: Vec<StoredFile>, target_bytes: u64) -> Vec<Group> {
    let mut by_path: BTreeMap<String, StoredFile> = files
        .into_iter()
        .map(|file| (file.path.clone(), file))
        .collect();
    let data_files = by_path.values().map(StoredFile::data_file);
    let folded = folding::folded(data_files.collect(), target_bytes);
    folded
        .into_iter()
        .map(|group| Group {
            partition: partition.clone(),
            files: group
                .paths
                .iter()
                .filter_map(|path| by_path.remove(path))
                .collect(),
            beside: Vec::new(),
            settles: false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 64 << 20;
    const DAY: &str = "2024-03-01";

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(19_800)
    }

    fn file(number: u64, bytes: u64, is_settled: bool, minutes_ago: i64) -> StoredFile {
        StoredFile {
            path: number.to_string(),
            partition: Some(DAY.to_owned()),
            bytes,
            rows: 1,
            written_at: (now() - TimeDelta::minutes(minutes_ago)).timestamp_millis(),
            is_settled,
            full_rows: None,
        }
    }

    fn paths(files: &[StoredFile]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[track_caller]
    fn check(
        files: &[StoredFile],
        filling: &str,
        effort: Effort,
        expected: &[(&[&str], &[&str], bool)],
    ) {
        let groups = of_appended(files.to_vec(), Some(filling), TARGET, effort, now());
        let groups: Vec<_> = groups
            .iter()
            .map(|group| (paths(&group.files), paths(&group.beside), group.settles))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(files, beside, settles)| (files.to_vec(), beside.to_vec(), *settles))
            .collect();
        assert_eq!(groups, expected);
    }

    #[test]
    fn a_full_partition_is_written_once_more_and_then_left_alone() {
        let files = [file(1, 900, false, 1), file(2, 40 << 20, false, 600)];
        check(
            &files,
            "2024-03-02",
            Effort::Steady,
            &[(&["1", "2"], &[], true)],
        );
        let settled = files.map(|file| StoredFile {
            is_settled: true,
            full_rows: None,
            ..file
        });
        check(&settled, "2024-03-02", Effort::Steady, &[]);
        check(&settled, "2024-03-02", Effort::Whole, &[]);
    }

    #[test]
    fn a_late_file_waits_and_is_then_written_with_what_is_small() {
        let settled = [file(1, 10 << 20, true, 600), file(2, 60 << 20, true, 600)];
        let with = |late: StoredFile| [settled.to_vec(), vec![late]].concat();
        check(
            &with(file(3, 900, false, 1)),
            "2024-03-02",
            Effort::Steady,
            &[],
        );
        let expected: &[(&[&str], &[&str], bool)] = &[(&["3", "1"], &["2"], true)];
        check(
            &with(file(3, 900, false, 1)),
            "2024-03-02",
            Effort::Whole,
            expected,
        );
        check(
            &with(file(3, 900, false, 61)),
            "2024-03-02",
            Effort::Steady,
            expected,
        );
        check(
            &with(file(3, 1 << 20, false, 1)),
            "2024-03-02",
            Effort::Steady,
            expected,
        );
    }

    #[test]
    fn a_partition_that_fills_is_folded_and_settled_only_when_all_is_asked_for() {
        let files: Vec<_> = (0..23).map(|number| file(number, 900, false, 1)).collect();
        check(&files, DAY, Effort::Steady, &[]);
        let all: Vec<&str> = paths(&files);
        check(&files, DAY, Effort::Whole, &[(&all, &[], true)]);
        let more: Vec<_> = (0..24)
            .map(|number| file(number, 900, false, 24 - number as i64))
            .collect();
        let groups = of_appended(more, Some(DAY), TARGET, Effort::Steady, now());
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].files.len(), 16);
        assert!(!groups[0].settles);
    }

    #[test]
    fn a_table_without_partitions_is_gathered_when_asked_or_when_its_files_are_many() {
        let files = |count| {
            (0..count)
                .map(|number| file(number, 5 << 20, false, 1))
                .collect::<Vec<_>>()
        };
        let sizes = |files, effort| {
            let groups = of_rewritten(files, TARGET, effort);
            groups
                .iter()
                .map(|group| group.files.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(files(15), Effort::Steady), [0; 0]);
        assert_eq!(sizes(files(15), Effort::Whole), [15]);
        assert_eq!(sizes(files(1), Effort::Whole), [0; 0]);
        let large = || (200..400).map(|number| file(number, 60 << 20, false, 1));
        let with_large = |count| files(count).into_iter().chain(large()).collect();
        assert_eq!(sizes(with_large(5), Effort::Steady), [0; 0]);
        assert_eq!(sizes(with_large(101), Effort::Steady), [101]);
    }
}
