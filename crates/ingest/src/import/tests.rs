use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use lake::Lake;
use tempfile::TempDir;

use super::*;
use crate::table::events_table;

/// A lake and files to import into it.
struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Input {
        fs::write(self.path(name), content).unwrap();
        Input::File(self.path(name))
    }

    async fn table(&self) -> Table {
        let lake = Lake::open(self.path("lake").to_str().unwrap(), []).unwrap();
        lake.table(&events_table()).await.unwrap()
    }

    async fn import_with(
        &self,
        settings: ImportSettings,
        inputs: &[Input],
    ) -> (Result<ImportReport, ImportError>, Vec<String>) {
        let mut rejected = Vec::new();
        let mut note = |progress: Progress<'_>| {
            if let Progress::Rejected {
                input,
                line,
                reason,
            } = progress
            {
                let name = Path::new(input)
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                rejected.push(format!("{name}:{line}: {reason}"));
            }
        };
        let report = import(
            inputs.to_vec(),
            &mut self.table().await,
            settings,
            &mut note,
        )
        .await;
        (report, rejected)
    }

    async fn import(&self, inputs: &[Input]) -> ImportReport {
        self.import_with(ImportSettings::new(Tz::UTC), inputs)
            .await
            .0
            .unwrap()
    }

    async fn stored(&self) -> usize {
        let table = self.table().await;
        let batches: Vec<_> = table
            .read(&["event_id"], None)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        batches.iter().map(|batch| batch.num_rows()).sum()
    }
}

/// The deliveries of these chats, one a line; each chat on a day of its own.
fn lines(chats: impl IntoIterator<Item = u32>) -> String {
    let line = |chat: u32| {
        let time = 1_700_000_000 + i64::from(chat) * 86_400;
        format!(
            "{{\"time\":{time},\"messages\":{{\"startedChat\":[{{\"chat\":{{\"id\":{chat}}}}}]}}}}\n"
        )
    };
    chats.into_iter().map(line).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

#[tokio::test]
async fn plain_and_compressed_files_are_imported_and_importing_again_adds_nothing() {
    let world = World::new();
    let inputs = [
        world.file("a.ndjson", lines(0..4)),
        world.file(
            "b.ndjson.gz",
            [gzip(&lines(4..6)), gzip(&lines(6..8))].concat(),
        ),
        world.file(
            "c.ndjson.zst",
            [zstd(&lines(8..9)), zstd(&lines(9..10))].concat(),
        ),
    ];
    let read = ImportReport {
        files: 3,
        lines: 10,
        deliveries: 10,
        ..ImportReport::default()
    };
    // These chats say so little that each event has a parse error.
    assert_eq!(
        world.import(&inputs).await,
        ImportReport {
            added: 10,
            parse_errors: 10,
            ..read
        }
    );
    assert_eq!(
        world.import(&inputs).await,
        ImportReport {
            duplicates: 10,
            ..read
        }
    );
    assert_eq!(world.stored().await, 10);
}

#[tokio::test]
async fn bad_lines_are_reported_and_kept_and_do_not_stop_the_rest() {
    let world = World::new();
    let bad = "  nonsense\n[1]\r\n{\"hello\": 1}\n{\"messages\"";
    let text = format!(
        "\u{feff}{}\n   \r\n{}  nonsense\n{}[1]\r\n",
        lines([1]),
        lines([2]),
        lines([3])
    );
    let text = text + "{\"hello\": 1}\n" + &lines([4]) + "{\"messages\"";
    let input = world.file("x.ndjson", text);
    let (report, rejected) = world
        .import_with(ImportSettings::new(Tz::UTC), std::slice::from_ref(&input))
        .await;
    let expected = [
        "x.ndjson:5: not JSON at column 2",
        "x.ndjson:7: not a JSON object",
        "x.ndjson:8: not a delivery: it has no `messages`",
        "x.ndjson:10: not JSON: it ends too early",
    ];
    assert_eq!(rejected, expected);
    let report = report.unwrap();
    assert_eq!(
        (
            report.lines,
            report.deliveries,
            report.rejected,
            report.added
        ),
        (8, 4, 4, 4)
    );
    assert_eq!(
        fs::read_to_string(world.path("x.ndjson.rejected.ndjson")).unwrap(),
        bad
    );

    fs::write(world.path("x.ndjson"), lines(1..6)).unwrap();
    assert_eq!(world.import(&[input]).await.added, 1);
    assert!(
        !world.path("x.ndjson.rejected.ndjson").exists(),
        "what an earlier import rejected is replaced"
    );
}

#[tokio::test]
async fn a_line_beyond_the_limit_is_kept_whole() {
    let world = World::new();
    let long = "x".repeat(1000) + "\n";
    let input = world.file("x.ndjson", lines([1]) + &long + &lines([2]));
    let settings = ImportSettings {
        max_line_bytes: 100,
        ..ImportSettings::new(Tz::UTC)
    };
    let (report, rejected) = world.import_with(settings, &[input]).await;
    assert_eq!(rejected, ["x.ndjson:2: longer than 100 bytes"]);
    assert_eq!(report.unwrap().added, 2);
    assert_eq!(
        fs::read_to_string(world.path("x.ndjson.rejected.ndjson")).unwrap(),
        long
    );
}

#[tokio::test]
async fn copies_are_dropped_within_a_batch_and_across_batches_and_files() {
    let world = World::new();
    let first = world.file("a.ndjson", lines([1, 1, 2, 3, 1]));
    let second = world.file("b.ndjson", lines([3, 4]));
    let settings = ImportSettings {
        batch_events: 2,
        ..ImportSettings::new(Tz::UTC)
    };
    let (report, _) = world.import_with(settings, &[first, second]).await;
    let report = report.unwrap();
    assert_eq!((report.added, report.duplicates), (4, 3));
    assert_eq!(world.stored().await, 4);
}

#[tokio::test]
async fn an_import_that_was_killed_is_completed_by_importing_again() {
    let world = World::new();
    let input = world.file("a.ndjson", lines(0..20));
    let settings = ImportSettings {
        batch_events: 3,
        ..ImportSettings::new(Tz::UTC)
    };
    let mut table = world.table().await;
    // The task ends, as the process would, at the third commit.
    let (killed, mut commits) = (std::sync::Arc::new(tokio::sync::Notify::new()), 0);
    let kill = std::sync::Arc::clone(&killed);
    let mut count = move |progress: Progress<'_>| {
        commits += i32::from(matches!(progress, Progress::Committed { .. }));
        if commits == 3 {
            kill.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = killed.notified() => {}
        _ = import(vec![input.clone()], &mut table, settings, &mut count) => {}
    }
    let before = world.stored().await;
    assert!((9..=20).contains(&before), "{before}");
    let report = world.import(&[input]).await;
    assert_eq!(
        (report.added as usize, report.duplicates as usize),
        (20 - before, before)
    );
    assert_eq!(world.stored().await, 20);
}

#[tokio::test]
async fn corrupt_input_is_named_and_what_came_before_is_stored() {
    let cut = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 9);
        bytes
    };
    for (name, content, stored) in [
        ("cut.gz", cut(gzip(&lines(0..200))), true),
        ("cut.zst", cut(zstd(&lines(0..200))), false),
        ("blank.gz", vec![], false),
        ("blank.zst", vec![], false),
        ("no.gz", b"plain text\n".to_vec(), false),
        ("no.zst", b"plain text\n".to_vec(), false),
    ] {
        let world = World::new();
        let inputs = [
            world.file("good.ndjson", lines(500..502)),
            world.file(name, content),
        ];
        let (report, _) = world
            .import_with(ImportSettings::new(Tz::UTC), &inputs)
            .await;
        let error = report.unwrap_err();
        assert!(matches!(error, ImportError::Read { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
        let rows = world.stored().await;
        assert!(if stored { rows > 2 } else { rows >= 2 }, "{name}: {rows}");
    }
}

#[tokio::test]
async fn an_input_that_is_not_there_is_named() {
    let world = World::new();
    let (report, _) = world
        .import_with(
            ImportSettings::new(Tz::UTC),
            &[Input::File(world.path("nowhere.ndjson"))],
        )
        .await;
    assert!(report.unwrap_err().to_string().contains("nowhere.ndjson"));
}

#[tokio::test]
async fn an_input_is_never_replaced_by_the_rejected_lines_of_another() {
    let world = World::new();
    let repaired = world.file("x.ndjson.rejected.ndjson", lines([1]));
    let inputs = [world.file("x.ndjson", "nonsense\n"), repaired];
    let (report, _) = world
        .import_with(ImportSettings::new(Tz::UTC), &inputs)
        .await;
    assert!(
        matches!(report, Err(ImportError::Overwrites { .. })),
        "{report:?}"
    );
    assert_eq!(
        fs::read_to_string(world.path("x.ndjson.rejected.ndjson")).unwrap(),
        lines([1])
    );
}

#[test]
fn a_dash_is_the_standard_input() {
    assert_eq!(Input::new("-"), Input::Stdin);
    assert_eq!(
        Input::new("a.ndjson"),
        Input::File(PathBuf::from("a.ndjson"))
    );
}
