use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SMALL: Limits = Limits {
    segment_bytes: 300,
    max_bytes: 1 << 20,
    queue: 64,
};

fn open_in(dir: &Path, limits: Limits) -> Opened {
    Wal::open(dir, Uuid::new_v4(), limits, Arc::new(RealDisk)).expect("the directory is free")
}

fn at(offset: u64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_000_000 + offset as i64).expect("a valid instant")
}

fn body(number: u64) -> String {
    format!(
        "{{\"delivery\": {number}, \"text\": \"{}\"}}",
        "x".repeat(number as usize % 40)
    )
}

async fn append_all(wal: &Wal, count: u64) {
    for number in 1..=count {
        assert_eq!(
            wal.append(Bytes::from(body(number)), at(number)).await,
            Ok(number)
        );
    }
}

/// Writes `count` deliveries as an earlier process start would have left them; the paths of its segments.
async fn leave_behind(dir: &Path, count: u64, limits: Limits) -> Vec<PathBuf> {
    let opened = open_in(dir, limits);
    append_all(&opened.wal, count).await;
    opened.wal.close().await;
    let segments = &opened.wal.shared.segments;
    segments
        .all()
        .iter()
        .map(|segment| segments.path(segment.first))
        .collect()
}

fn read_all(reader: &mut WalReader) -> Replayed {
    let mut all = Replayed::default();
    loop {
        let part = reader.read(500, 3).expect("the disk is readable");
        if part.frames.is_empty() && part.damage.is_empty() {
            all.unfinished = all.unfinished.or(part.unfinished);
            return all;
        }
        all.frames.extend(part.frames);
        all.damage.extend(part.damage);
        all.unfinished = all.unfinished.or(part.unfinished);
    }
}

fn offsets(replayed: &Replayed) -> Vec<u64> {
    replayed.frames.iter().map(|frame| frame.offset).collect()
}

fn assert_intact(replayed: &Replayed) {
    for frame in &replayed.frames {
        assert_eq!(
            (frame.body.as_ref(), frame.received_at),
            (body(frame.offset).as_bytes(), at(frame.offset))
        );
    }
}

#[tokio::test]
async fn what_is_appended_is_read_back_in_order_while_the_log_is_written() {
    let dir = TempDir::new().unwrap();
    let mut opened = open_in(dir.path(), SMALL);
    append_all(&opened.wal, 20).await;
    let replayed = read_all(&mut opened.reader);
    assert_eq!(offsets(&replayed), (1..=20).collect::<Vec<_>>());
    assert_intact(&replayed);
    opened
        .wal
        .append(Bytes::from(body(21)), at(21))
        .await
        .unwrap();
    assert_eq!(offsets(&read_all(&mut opened.reader)), [21]);
}

#[tokio::test]
async fn concurrent_appends_get_distinct_offsets_without_gaps() {
    let dir = TempDir::new().unwrap();
    let opened = open_in(dir.path(), Limits::default());
    let appends = (0..200).map(|_| opened.wal.append(Bytes::from_static(b"{}"), at(0)));
    let mut given: Vec<u64> = futures::future::join_all(appends)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    given.sort_unstable();
    assert_eq!(given, (1..=200).collect::<Vec<_>>());
    assert_eq!(opened.wal.durable(), 200);
}

#[tokio::test]
async fn the_log_of_an_earlier_start_is_read_under_its_own_id_and_removed_when_drained() {
    let dir = TempDir::new().unwrap();
    leave_behind(dir.path(), 10, SMALL).await;
    let mut opened = open_in(dir.path(), SMALL);
    let mut old = opened.old.pop().expect("one old log");
    assert_ne!(old.id(), opened.reader.id());
    let replayed = read_all(&mut old);
    assert_eq!(offsets(&replayed), (1..=10).collect::<Vec<_>>());
    assert_intact(&replayed);
    assert!(
        opened.wal.bytes() > 0,
        "the old log counts towards the limit"
    );
    old.remove().unwrap();
    assert_eq!(opened.wal.bytes(), 0);
    opened.wal.close().await;
    drop(opened);
    assert!(open_in(dir.path(), SMALL).old.is_empty());
}

#[tokio::test]
async fn old_logs_come_in_the_order_of_their_first_delivery() {
    let dir = TempDir::new().unwrap();
    let mut began = Vec::new();
    for start in [3, 1, 2] {
        let opened = open_in(dir.path(), SMALL);
        opened
            .wal
            .append(Bytes::from_static(b"{}"), at(start))
            .await
            .unwrap();
        opened.wal.close().await;
        began.push((start, opened.reader.id()));
    }
    began.sort_unstable();
    let old: Vec<Uuid> = open_in(dir.path(), SMALL)
        .old
        .iter()
        .map(WalReader::id)
        .collect();
    assert_eq!(old, began.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
}

#[tokio::test]
async fn when_a_log_began_is_told_by_the_first_frame_that_is_whole() {
    let dir = TempDir::new().unwrap();
    let path = leave_behind(dir.path(), 3, Limits::default())
        .await
        .remove(0);
    let mut bytes = fs::read(&path).unwrap();
    // The highest byte of received_at.
    bytes[HEADER_BYTES - 1] ^= 0x80;
    fs::write(&path, bytes).unwrap();
    let mut old = open_in(dir.path(), SMALL).old.remove(0);
    assert_eq!(old.began(), Some(at(2)));
    assert!(
        !dir.path().join("damaged").exists(),
        "reading it is to tell"
    );
    let replayed = read_all(&mut old);
    assert_eq!((offsets(&replayed), replayed.damage.len()), (vec![2, 3], 1));
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_has_the_log() {
    let dir = TempDir::new().unwrap();
    let opened = open_in(dir.path(), SMALL);
    let second = Wal::open(dir.path(), Uuid::new_v4(), SMALL, Arc::new(RealDisk));
    let message = second.err().expect("the directory is taken").to_string();
    assert!(
        message.contains(&format!("process {}", std::process::id())),
        "{message}"
    );
    drop(opened);
}

#[tokio::test]
async fn released_segments_are_removed_whole_and_the_rest_stays() {
    let dir = TempDir::new().unwrap();
    let opened = open_in(dir.path(), SMALL);
    append_all(&opened.wal, 30).await;
    let before = opened.wal.shared.segments.all();
    assert!(before.len() > 3, "{before:?}");
    let second_last = before[1].last.expect("sealed");
    opened.wal.release(second_last).unwrap();
    assert_eq!(opened.wal.shared.segments.all(), before[2..]);
    assert!(!opened.wal.shared.segments.path(before[0].first).exists());
    let remaining: u64 = before[2..].iter().map(|segment| segment.bytes).sum();
    assert_eq!(opened.wal.bytes(), remaining);
}

#[tokio::test]
async fn a_drained_log_shrinks_to_the_next_append() {
    let dir = TempDir::new().unwrap();
    let mut opened = open_in(dir.path(), Limits::default());
    append_all(&opened.wal, 5).await;
    read_all(&mut opened.reader);
    opened.wal.release(5).unwrap();
    opened
        .wal
        .append(Bytes::from(body(6)), at(6))
        .await
        .unwrap();
    assert_eq!(opened.wal.bytes(), (HEADER_BYTES + body(6).len()) as u64);
    assert_eq!(offsets(&read_all(&mut opened.reader)), [6]);
}

#[tokio::test]
async fn beyond_the_size_limit_appends_are_refused_until_space_is_released() {
    let dir = TempDir::new().unwrap();
    let opened = open_in(
        dir.path(),
        Limits {
            max_bytes: 210,
            ..SMALL
        },
    );
    let large = Bytes::from(vec![b' '; 150]);
    assert_eq!(opened.wal.append(large.clone(), at(1)).await, Ok(1));
    assert_eq!(
        opened.wal.append(large.clone(), at(2)).await,
        Err(AppendError::Full)
    );
    assert_eq!(
        opened.wal.append(Bytes::new(), at(2)).await,
        Ok(2),
        "a small one still fits"
    );
    opened.wal.release(2).unwrap();
    assert_eq!(opened.wal.append(large, at(3)).await, Ok(3));
}

#[tokio::test]
async fn closing_answers_what_waits_and_refuses_what_comes_later() {
    let dir = TempDir::new().unwrap();
    let opened = open_in(dir.path(), SMALL);
    let waiting: Vec<_> = (0..10)
        .map(|_| opened.wal.append(Bytes::from_static(b"{}"), at(0)))
        .collect();
    let (answers, ()) = futures::join!(futures::future::join_all(waiting), opened.wal.close());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(
        opened.wal.append(Bytes::new(), at(0)).await,
        Err(AppendError::Closed)
    );
    assert_eq!(opened.wal.check(), Err(AppendError::Closed));
}

#[tokio::test]
async fn an_unfinished_last_frame_is_told_but_is_no_damage() {
    for cut in [1, 5, HEADER_BYTES, HEADER_BYTES + 3] {
        let dir = TempDir::new().unwrap();
        let last = leave_behind(dir.path(), 4, Limits::default())
            .await
            .pop()
            .unwrap();
        let length = fs::metadata(&last).unwrap().len();
        let whole = (HEADER_BYTES + body(4).len()) as u64;
        fs::OpenOptions::new()
            .write(true)
            .open(&last)
            .unwrap()
            .set_len(length - whole + cut as u64)
            .unwrap();
        let replayed = read_all(&mut open_in(dir.path(), SMALL).old[0]);
        assert_eq!(offsets(&replayed), [1, 2, 3], "cut after {cut} bytes");
        assert_eq!(replayed.damage, [], "cut after {cut} bytes");
        let unfinished = replayed.unfinished.expect("the cut frame");
        assert_eq!(unfinished.length, cut as u64);
        assert_eq!(fs::metadata(unfinished.kept_in).unwrap().len(), cut as u64);
        let inspection = inspect(dir.path(), &BTreeMap::new()).unwrap();
        let aside = (inspection.set_aside, inspection.unfinished);
        assert_eq!(aside, ((0, 0), (1, cut as u64)));
    }
}

#[tokio::test]
async fn room_the_file_system_never_filled_is_no_damage() {
    let dir = TempDir::new().unwrap();
    let last = leave_behind(dir.path(), 4, Limits::default())
        .await
        .pop()
        .unwrap();
    let length = fs::metadata(&last).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&last)
        .unwrap()
        .set_len(length + 10_000)
        .unwrap();
    let replayed = read_all(&mut open_in(dir.path(), SMALL).old[0]);
    assert_eq!(
        (offsets(&replayed), replayed.damage, replayed.unfinished),
        (vec![1, 2, 3, 4], vec![], None)
    );
}

#[tokio::test]
async fn a_segment_cut_short_in_the_middle_of_the_log_is_damage() {
    let dir = TempDir::new().unwrap();
    let first = leave_behind(dir.path(), 20, SMALL).await.remove(0);
    let length = fs::metadata(&first).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&first)
        .unwrap()
        .set_len(length - 3)
        .unwrap();
    let replayed = read_all(&mut open_in(dir.path(), SMALL).old[0]);
    assert_eq!(replayed.damage.len(), 1);
    assert_eq!(replayed.frames.len(), 19);
    assert_intact(&replayed);
}

#[tokio::test]
async fn damage_is_reported_with_its_place_and_its_bytes_are_kept() {
    let dir = TempDir::new().unwrap();
    let path = leave_behind(dir.path(), 5, Limits::default())
        .await
        .remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let second = HEADER_BYTES + body(1).len();
    let third = second + HEADER_BYTES + body(2).len();
    bytes[second + HEADER_BYTES + 4] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let replayed = read_all(&mut open_in(dir.path(), SMALL).old[0]);
    assert_eq!(offsets(&replayed), [1, 3, 4, 5]);
    let [damage] = replayed.damage.as_slice() else {
        panic!("{:?}", replayed.damage)
    };
    assert_eq!(
        (damage.segment, damage.byte_offset, damage.length),
        (1, second as u64, (third - second) as u64)
    );
    assert_eq!(fs::read(&damage.kept_in).unwrap(), bytes[second..third]);
}

#[tokio::test]
async fn a_frame_inside_a_body_is_not_mistaken_for_one_after_damage() {
    let dir = TempDir::new().unwrap();
    let mut forged = Vec::new();
    frame::encode(&mut forged, 1, 0, b"{}");
    let opened = open_in(dir.path(), Limits::default());
    append_all(&opened.wal, 2).await;
    opened.wal.append(Bytes::from(forged), at(3)).await.unwrap();
    opened.wal.close().await;
    let path = opened.wal.shared.segments.path(1);
    drop(opened);
    let mut bytes = fs::read(&path).unwrap();
    let third = 2 * HEADER_BYTES + body(1).len() + body(2).len();
    bytes[third] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let replayed = read_all(&mut open_in(dir.path(), SMALL).old[0]);
    assert_eq!((offsets(&replayed), replayed.damage.len()), (vec![1, 2], 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_of_the_last_frame_is_damage(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = TempDir::new().unwrap();
        let path = runtime.block_on(leave_behind(dir.path(), 5, Limits::default())).remove(0);
        let mut bytes = fs::read(&path).unwrap();
        let size = HEADER_BYTES + body(5).len();
        let at = bytes.len() - size + place.index(size);
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();

        let replayed = read_all(&mut open_in(dir.path(), SMALL).old[0]);
        prop_assert_eq!(offsets(&replayed), [1, 2, 3, 4]);
        prop_assert_eq!((replayed.damage.len(), replayed.unfinished), (1, None));
    }

    #[test]
    fn any_flipped_bit_costs_one_frame_at_most_and_never_in_silence(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = TempDir::new().unwrap();
        let paths = runtime.block_on(leave_behind(dir.path(), 30, SMALL));
        let sizes: Vec<usize> = paths.iter().map(|path| fs::metadata(path).unwrap().len() as usize).collect();
        let mut at = place.index(sizes[..sizes.len() - 1].iter().sum());
        let segment = sizes.iter().position(|size| if at < *size { true } else { at -= size; false }).unwrap();
        let mut bytes = fs::read(&paths[segment]).unwrap();
        bytes[at] ^= 1 << bit;
        fs::write(&paths[segment], bytes).unwrap();

        let replayed = read_all(&mut open_in(dir.path(), SMALL).old[0]);
        prop_assert_eq!(replayed.frames.len(), 29);
        prop_assert_eq!(replayed.damage.len(), 1);
        assert_intact(&replayed);
    }

    #[test]
    fn a_log_cut_anywhere_keeps_every_whole_frame(place in any::<prop::sample::Index>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = TempDir::new().unwrap();
        let path = runtime.block_on(leave_behind(dir.path(), 10, Limits::default())).remove(0);
        let cut = place.index(fs::metadata(&path).unwrap().len() as usize);
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut as u64).unwrap();
        let mut end = 0;
        let whole = (1..=10).take_while(|number| { end += HEADER_BYTES + body(*number).len(); end <= cut }).count();

        let mut old = open_in(dir.path(), SMALL).old;
        let replayed = old.first_mut().map(read_all).unwrap_or_default();
        prop_assert_eq!(replayed.frames.len(), whole);
        assert_intact(&replayed);
        prop_assert_eq!(replayed.damage, []);
    }
}

proptest! {
    #[test]
    fn whatever_happens_to_a_log_costs_only_the_frames_hit(recipe in prop::collection::vec(any::<u8>(), 0..400)) {
        recipe::check(&recipe);
    }
}

/// A disk that does as it is told: the nth write or sync fails.
#[derive(Clone, Default)]
struct FaultyDisk(Arc<Faults>);

#[derive(Default)]
struct Faults {
    /// Writes still to succeed before `write_error` strikes, once.
    write_error: Mutex<Option<io::ErrorKind>>,
    /// Of the system, at the next creation of a file, once.
    create_error: Mutex<Option<i32>>,
    sync_error: Mutex<bool>,
    truncate_error: Mutex<bool>,
    read_error: Mutex<bool>,
    writes: AtomicUsize,
}

struct FaultyFile(Box<dyn DiskFile>, Arc<Faults>);

impl Disk for FaultyDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if let Some(code) = self.0.create_error.lock().unwrap().take() {
            // As where it is there, and its folder could not be opened.
            fs::write(path, "")?;
            return Err(io::Error::from_raw_os_error(code));
        }
        Ok(Box::new(FaultyFile(
            RealDisk.create(path)?,
            Arc::clone(&self.0),
        )))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = RealDisk.open(path)?;
        Ok(Box::new(FaultyFile(file, Arc::clone(&self.0))))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list(path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&mut self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.writes.fetch_add(1, Ordering::Relaxed);
        match self.1.write_error.lock().unwrap().take() {
            Some(kind) => {
                // Half of it arrives, as on a real disk that fills up.
                self.0.write_at(position, &bytes[..bytes.len() / 2])?;
                Err(kind.into())
            }
            None => self.0.write_at(position, bytes),
        }
    }
    fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if *self.1.read_error.lock().unwrap() {
            return Err(io::Error::other("a bad sector"));
        }
        self.0.read_at(position, buffer)
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if *self.1.truncate_error.lock().unwrap() {
            Err(io::Error::other("no"))
        } else {
            self.0.truncate(length)
        }
    }
    fn sync(&mut self) -> io::Result<()> {
        if *self.1.sync_error.lock().unwrap() {
            Err(io::Error::other("the cable fell out"))
        } else {
            self.0.sync()
        }
    }
}

fn open_faulty(dir: &Path) -> (Opened, FaultyDisk) {
    let disk = FaultyDisk::default();
    (
        Wal::open(dir, Uuid::new_v4(), SMALL, Arc::new(disk.clone())).unwrap(),
        disk,
    )
}

#[tokio::test]
async fn a_full_disk_refuses_the_delivery_and_leaves_no_half_frame() {
    let dir = TempDir::new().unwrap();
    let (mut opened, disk) = open_faulty(dir.path());
    append_all(&opened.wal, 2).await;
    *disk.0.write_error.lock().unwrap() = Some(io::ErrorKind::StorageFull);
    assert_eq!(
        opened.wal.append(Bytes::from(body(3)), at(3)).await,
        Err(AppendError::NoSpace)
    );
    assert_eq!(opened.wal.check(), Err(AppendError::NoSpace));
    assert_eq!(opened.wal.append(Bytes::from(body(3)), at(3)).await, Ok(3));
    assert_eq!(opened.wal.check(), Ok(()));
    let replayed = read_all(&mut opened.reader);
    assert_eq!(
        (offsets(&replayed), replayed.damage.len()),
        (vec![1, 2, 3], 0)
    );
    assert_intact(&replayed);
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_is_named_with_what_to_do() {
    let dir = TempDir::new().unwrap();
    let segment = leave_behind(dir.path(), 4, Limits::default())
        .await
        .remove(0);
    let disk = FaultyDisk::default();
    *disk.0.read_error.lock().unwrap() = true;
    let open = || Wal::open(dir.path(), Uuid::new_v4(), SMALL, Arc::new(disk.clone()));
    let error = open().err().expect("an unreadable log").to_string();
    for words in [
        &*segment.display().to_string(),
        "a bad sector",
        "move the file out",
    ] {
        assert!(error.contains(words), "{error}");
    }
    fs::rename(&segment, dir.path().join("elsewhere")).unwrap();
    let left = open().expect("a log without the file").old;
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_want_of_file_handles_refuses_the_delivery_and_passes() {
    for code in [23, 24] {
        let dir = TempDir::new().unwrap();
        let (mut opened, disk) = open_faulty(dir.path());
        *disk.0.create_error.lock().unwrap() = Some(code);
        let append = || opened.wal.append(Bytes::from(body(1)), at(1));
        assert_eq!(append().await, Err(AppendError::NoHandle));
        assert_eq!(opened.wal.check(), Err(AppendError::NoHandle));
        assert_eq!(append().await, Ok(1));
        assert_eq!(opened.wal.check(), Ok(()));
        assert_eq!(offsets(&read_all(&mut opened.reader)), [1]);
    }
}

async fn check_failure_is_final(prepare: impl Fn(&Faults), reason: &str) {
    let dir = TempDir::new().unwrap();
    let (opened, disk) = open_faulty(dir.path());
    append_all(&opened.wal, 2).await;
    prepare(&disk.0);
    assert_eq!(
        opened.wal.append(Bytes::from(body(3)), at(3)).await,
        Err(AppendError::Failed)
    );
    let message = opened.wal.failed().await;
    assert!(message.contains(reason), "{message}");
    *disk.0.sync_error.lock().unwrap() = false;
    let writes = disk.0.writes.load(Ordering::Relaxed);
    assert_eq!(
        opened.wal.append(Bytes::from(body(3)), at(3)).await,
        Err(AppendError::Failed)
    );
    assert_eq!(opened.wal.check(), Err(AppendError::Failed));
    assert_eq!(
        disk.0.writes.load(Ordering::Relaxed),
        writes,
        "nothing is written after the failure"
    );
    opened.wal.close().await;
    drop(opened);
    let mut old = open_in(dir.path(), SMALL).old;
    assert_eq!(
        offsets(&read_all(&mut old[0]))[..2],
        [1, 2],
        "what was acknowledged is still there"
    );
}

#[tokio::test]
async fn a_failed_sync_ends_the_log() {
    check_failure_is_final(
        |faults| *faults.sync_error.lock().unwrap() = true,
        "the cable fell out",
    )
    .await;
}

#[tokio::test]
async fn a_failed_write_ends_the_log() {
    let broken =
        |faults: &Faults| *faults.write_error.lock().unwrap() = Some(io::ErrorKind::BrokenPipe);
    check_failure_is_final(broken, "writing to the log failed").await;
}

#[tokio::test]
async fn a_half_written_group_that_cannot_be_cut_off_ends_the_log() {
    let stuck = |faults: &Faults| {
        *faults.write_error.lock().unwrap() = Some(io::ErrorKind::StorageFull);
        *faults.truncate_error.lock().unwrap() = true;
    };
    check_failure_is_final(stuck, "cutting off an unfinished write failed").await;
}
