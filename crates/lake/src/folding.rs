//! Which files are merged when a table changes, so that settled rows end in few large files while rows
//! that still change stay in small ones. Pure: sizes and ages in, groups out.
//!
//! Measured over a day of 1,000 chats in runs every 30 seconds: a file of few rows is mostly what
//! describes it, so joining it costs little more than writing anything at all; beyond that, rows are
//! better left behind. Folding sixteen at a time moves a row once per class of size.
//!
//! After any commit a table has about 70 small files at most: fewer than 24 below 16 KiB, and fewer than 16
//! in each class above. Those that are not small hold a third of the table's target size or more.

use std::collections::BTreeMap;

/// Files below these sizes are folded together, as far as they are small.
const CLASS_BYTES: [u64; 4] = [16 << 10, 256 << 10, 4 << 20, 32 << 20];
/// A file below this part of its table's target size is small, unless it is full: Delta's writer goes by sizes before
/// compression, so that full files come out at a half of it, or a quarter.
const SMALL_PART: u64 = 3;
/// Once this many small ones of a class have gathered they are folded.
const FOLDED_FILES: usize = 16;
/// The newest of the smallest class, whose rows are likely to change once more, are left alone.
const FRESH_FILES: usize = 8;
/// What describes a column in a file of few rows takes about half of this.
const SMALL_BYTES_PER_COLUMN: u64 = 200;

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    pub path: String,
    pub bytes: u64,
    /// When its youngest rows were written, in milliseconds since 1970. Only the order matters.
    pub written_at: i64,
    /// See [`crate::write::full_rows`].
    pub full_rows: Option<u64>,
}

impl DataFile {
    fn is_small(&self, target_bytes: u64) -> bool {
        is_small(self.bytes, self.full_rows.is_some(), target_bytes)
    }
}

/// Files that become one, or as many as their target size asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub paths: Vec<String>,
    pub written_at: i64,
    /// Of a full file by itself.
    pub full_rows: Option<u64>,
}

impl Group {
    fn of(files: impl IntoIterator<Item = DataFile>) -> Self {
        files.into_iter().fold(Self::default(), |mut group, file| {
            group.written_at = group.written_at.max(file.written_at);
            group.paths.push(file.path);
            group
        })
    }
}

/// What becomes of files that lose rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rewritten {
    /// What stays of these goes along with the added rows.
    pub joined: Vec<String>,
    /// What stays of these is written apart: small ones by their class of size, and each other one by itself, since rows of
    /// two would span all that lies between them.
    pub apart: Vec<Group>,
}

pub(crate) fn rewritten(files: Vec<DataFile>, columns: usize, target_bytes: u64) -> Rewritten {
    let small = SMALL_BYTES_PER_COLUMN * columns as u64;
    let mut rewritten = Rewritten::default();
    let mut classes: BTreeMap<usize, Vec<DataFile>> = BTreeMap::new();
    for file in files {
        if file.bytes < small {
            rewritten.joined.push(file.path);
        } else if file.is_small(target_bytes) {
            classes.entry(class(file.bytes)).or_default().push(file);
        } else {
            let full_rows = file.full_rows;
            rewritten.apart.push(Group {
                full_rows,
                ..Group::of([file])
            });
        }
    }
    rewritten.apart.extend(classes.into_values().map(Group::of));
    rewritten
}

/// The small files of every class that has gathered enough of them.
pub(crate) fn folded(files: Vec<DataFile>, target_bytes: u64) -> Vec<Group> {
    let mut classes: BTreeMap<usize, Vec<DataFile>> = BTreeMap::new();
    let small = files.into_iter();
    for file in small.filter(|file| file.is_small(target_bytes)) {
        classes.entry(class(file.bytes)).or_default().push(file);
    }
    let mut groups = Vec::new();
    for (class, mut files) in classes {
        let fresh = if class == 0 { FRESH_FILES } else { 0 };
        if files.len() >= FOLDED_FILES + fresh {
            files.sort_by_key(|file| file.written_at);
            files.truncate(files.len() - fresh);
            groups.push(Group::of(files));
        }
    }
    groups
}

fn class(bytes: u64) -> usize {
    CLASS_BYTES.partition_point(|limit| *limit <= bytes)
}

pub(crate) fn is_small(bytes: u64, is_full: bool, target_bytes: u64) -> bool {
    bytes < target_bytes / SMALL_PART && !is_full
}

#[cfg(test)]
mod tests {
    use super::{DataFile, Group, Rewritten, folded, rewritten};

    const TARGET: u64 = 64 << 20;

    fn file(number: usize, bytes: u64) -> DataFile {
        DataFile {
            path: number.to_string(),
            bytes,
            written_at: number as i64,
            full_rows: None,
        }
    }

    fn names(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
        numbers
            .into_iter()
            .map(|number| number.to_string())
            .collect()
    }

    #[test]
    fn the_oldest_are_folded_and_the_newest_of_the_smallest_left_alone() {
        let small = |count| (0..count).rev().map(|number| file(number, 900)).collect();
        assert_eq!(folded(small(23), TARGET), []);
        let expected = Group {
            paths: names(0..16),
            written_at: 15,
            full_rows: None,
        };
        assert_eq!(folded(small(24), TARGET), [expected]);
    }

    #[test]
    fn classes_are_folded_each_by_itself_and_only_well_below_the_target() {
        let files = |bytes| (0..16).map(move |number| file(number, bytes));
        let mixed = || files(16 << 10).chain(files(5 << 20)).collect::<Vec<_>>();
        assert_eq!(folded(mixed(), TARGET).len(), 2);
        assert_eq!(folded(mixed(), 1 << 20).len(), 1);
        assert_eq!(folded(files(32 << 20).collect(), TARGET), []);
        let scattered = files(900).take(8).chain(files(5 << 20).take(8));
        assert_eq!(folded(scattered.collect(), TARGET), []);
    }

    #[test]
    fn a_full_file_is_left_alone_however_small_it_came_out() {
        let full = |number| DataFile {
            full_rows: Some(100),
            ..file(number, 5 << 20)
        };
        assert_eq!(folded((0..40).map(full).collect(), TARGET), []);
        let expected = Rewritten {
            joined: Vec::new(),
            apart: (0..2)
                .map(|number| Group {
                    full_rows: Some(100),
                    ..Group::of([full(number)])
                })
                .collect(),
        };
        assert_eq!(rewritten((0..2).map(full).collect(), 10, TARGET), expected);
    }

    #[test]
    fn what_stays_of_small_files_joins_the_added_rows_and_of_larger_ones_does_not() {
        let files = vec![
            file(1, 1_999),
            file(2, 2_000),
            file(3, 9_000),
            file(4, 5 << 20),
            file(5, 40 << 20),
            file(6, 40 << 20),
        ];
        let apart = |numbers: &[usize], written_at| Group {
            paths: names(numbers.iter().copied()),
            written_at,
            full_rows: None,
        };
        let expected = Rewritten {
            joined: names([1]),
            apart: vec![
                apart(&[5], 5),
                apart(&[6], 6),
                apart(&[2, 3], 3),
                apart(&[4], 4),
            ],
        };
        assert_eq!(rewritten(files, 10, TARGET), expected);
    }

    /// Runs that each add a file. Sizes add up: the worst case.
    fn most_small_files(target: u64) -> usize {
        let mut files: Vec<DataFile> = Vec::new();
        let mut most = 0;
        for run in 0..30_000 {
            for group in folded(files.clone(), target) {
                let merged = files.iter().filter(|file| group.paths.contains(&file.path));
                let bytes = merged.map(|file| file.bytes).sum();
                files.retain(|file| !group.paths.contains(&file.path));
                files.push(DataFile {
                    written_at: group.written_at,
                    ..file(usize::MAX - run, bytes)
                });
            }
            files.push(file(run, 9_000));
            most = most.max(files.len());
            // Nothing becomes of the others any more.
            files.retain(|file| file.is_small(target));
        }
        most
    }

    #[test]
    fn the_number_of_small_files_stays_bounded() {
        for target in [1 << 20, 2 << 20, 8 << 20, TARGET] {
            let most = most_small_files(target);
            assert!(most <= 70, "{most} files of a target of {target} bytes");
        }
    }
}
