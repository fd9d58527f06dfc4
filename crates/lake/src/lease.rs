//! A lease on a piece of work, held in the object store, with expiry.
//!
//! Each holder writes the next number under `_leases/<what>/`, by a put that fails if it exists; the
//! highest number counts. This needs no conditional update, which a local disk does not have. A lease
//! keeps two workers from wasting each other's time; what keeps them from harm is the commit's fence.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use crate::durable::Unsynced;
use crate::error::LakeError;
use crate::location::Lake;

/// A lease that ran out more recently may be that of a living holder whose clock is behind: only whether he renews it
/// tells.
const CLOCKS_APART: Duration = Duration::minutes(10);
/// So many others may come first, one after the other, before this is no accident.
const ATTEMPTS: u32 = 10;

/// A held lease. Release it when done; if the process dies it expires.
#[derive(Debug)]
pub struct Lease {
    lake: Lake,
    what: String,
    number: u64,
    /// What was put under the next number without hearing an answer: it may stand there, or come to.
    unanswered: Option<Record>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub holder: String,
    pub expires_at: DateTime<Utc>,
}

impl Record {
    /// Whether it may be that of a living holder.
    pub fn may_run(&self, now: DateTime<Utc>) -> bool {
        self.expires_at + CLOCKS_APART > now
    }
}

/// What became of an attempt to take a lease.
pub(crate) enum Attempt {
    Taken(Lease),
    /// Another's record stands under this number.
    Held(u64, Record),
}

impl Lake {
    /// Takes the lease on `what` for `duration`, or says who holds it.
    ///
    /// # Errors
    /// [`LakeError::Held`] while another holder may live; [`LakeError::Storage`].
    pub async fn lease(
        &self,
        what: &str,
        holder: &str,
        duration: Duration,
        now: DateTime<Utc>,
    ) -> Result<Lease, LakeError> {
        match self.try_lease(what, holder, duration, now, None).await? {
            Attempt::Taken(lease) => Ok(lease),
            Attempt::Held(_, record) => Err(held(what, &record)),
        }
    }

    /// As [`lease`](Self::lease). The record of the number `dead` counts as expired, whatever it says.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Conflict`] if others come first again and again.
    pub(crate) async fn try_lease(
        &self,
        what: &str,
        holder: &str,
        duration: Duration,
        now: DateTime<Utc>,
        dead: Option<u64>,
    ) -> Result<Attempt, LakeError> {
        let folder = self.lease_folder(what);
        let storage = || LakeError::storage(format!("taking the lease on {what}"));
        let record = Record {
            holder: holder.to_owned(),
            expires_at: now + duration,
        };
        for _ in 0..ATTEMPTS {
            let newest = self.newest(&folder).await.map_err(storage())?;
            let number = match newest {
                Some((number, record)) if record.may_run(now) && dead != Some(number) => {
                    return Ok(Attempt::Held(number, record));
                }
                Some((number, _)) => number + 1,
                None => 1,
            };
            match self.put_record(&lease_path(&folder, number), &record).await {
                Ok(()) if self.is_passed(what, &folder, number).await? => continue,
                Ok(()) => {}
                Err(error) if is_taken(&error) => continue,
                Err(error) => return Err(storage()(error)),
            }
            if number > 1 {
                // Forgotten numbers are only clutter.
                let _ = self.store.delete(&lease_path(&folder, number - 1)).await;
            }
            return Ok(Attempt::Taken(Lease {
                lake: self.clone(),
                what: what.to_owned(),
                number,
                unanswered: None,
            }));
        }
        Err(LakeError::Conflict {
            table: what.to_owned(),
        })
    }

    /// When the newest record was written, by the storage's clock.
    pub(crate) async fn leased_at(&self, what: &str) -> Result<Option<DateTime<Utc>>, LakeError> {
        let objects = self.store.list(Some(&self.lease_folder(what)));
        let objects: Vec<_> = objects
            .try_collect()
            .await
            .map_err(LakeError::storage(format!("reading the lease on {what}")))?;
        let newest = objects.iter().max_by_key(|object| &object.location);
        Ok(newest.map(|object| object.last_modified))
    }

    /// Puts a record where there is none. If that fails and yet exactly this record is there, only the answer was lost: no
    /// other holder writes the same instant. A power cut ends the lease anyway, and a disk that is busy must not.
    async fn put_record(&self, path: &Path, record: &Record) -> object_store::Result<()> {
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        let mut options = PutOptions::from(PutMode::Create);
        options.extensions.insert(Unsynced);
        let put = self.store.put_opts(path, bytes.clone().into(), options);
        let Err(refused) = put.await else {
            return Ok(());
        };
        match self.get(path).await {
            Ok(found) if found == bytes => Ok(()),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Err(refused),
            // What is there may be this record.
            Err(unknown) => Err(unknown),
        }
    }

    /// Numbers are deleted once they are passed, so that a free number may be an old one: whoever took
    /// one looks whether a higher one stands, and yields to it.
    async fn is_passed(&self, what: &str, folder: &Path, number: u64) -> Result<bool, LakeError> {
        let newest = self.newest(folder).await;
        let newest = newest.map_err(LakeError::storage(format!("checking the lease on {what}")))?;
        let is_passed = newest.is_some_and(|(newest, _)| newest > number);
        if is_passed {
            let _ = self.store.delete(&lease_path(folder, number)).await;
        }
        Ok(is_passed)
    }

    fn lease_folder(&self, what: &str) -> Path {
        self.prefix.clone().join("_leases").join(what)
    }

    async fn newest(&self, folder: &Path) -> object_store::Result<Option<(u64, Record)>> {
        let objects: Vec<_> = self.store.list(Some(folder)).try_collect().await?;
        let numbers = objects.iter().filter_map(|object| {
            object
                .location
                .filename()?
                .strip_suffix(".json")?
                .parse()
                .ok()
        });
        let Some(number) = numbers.max() else {
            return Ok(None);
        };
        let path = lease_path(folder, number);
        match self.get(&path).await {
            // A lease that cannot be read was never acknowledged: it counts as expired.
            Ok(bytes) => Ok(Some((
                number,
                serde_json::from_slice(&bytes).unwrap_or_else(|_| expired()),
            ))),
            Err(object_store::Error::NotFound { .. }) => Ok(Some((number, expired()))),
            Err(error) => Err(error),
        }
    }
}

impl Lease {
    /// Extends the lease to `duration` from `now`.
    ///
    /// # Errors
    /// [`LakeError::Held`] if it has expired and passed to another; [`LakeError::Storage`]: it runs as before, and
    /// another attempt may extend it.
    pub async fn renew(
        &mut self,
        holder: &str,
        duration: Duration,
        now: DateTime<Utc>,
    ) -> Result<(), LakeError> {
        let record = Record {
            holder: holder.to_owned(),
            expires_at: now + duration,
        };
        let storage = LakeError::storage(format!("renewing the lease on {}", self.what));
        match self.put_next(record).await {
            Ok(()) => {}
            Err(error) if is_taken(&error) => return Err(passed_on(&self.what, now)),
            Err(error) => return Err(storage(error)),
        }
        // The number may have been free because it was passed long ago.
        let folder = self.lake.lease_folder(&self.what);
        if self
            .lake
            .is_passed(&self.what, &folder, self.number)
            .await?
        {
            return Err(passed_on(&self.what, now));
        }
        Ok(())
    }

    /// Gives the lease back, unless it has expired and passed to another.
    ///
    /// # Errors
    /// [`LakeError::Storage`]: it then expires by itself.
    pub async fn release(mut self) -> Result<(), LakeError> {
        match self.put_next(expired()).await {
            Err(error) if !is_taken(&error) => Err(LakeError::storage(format!(
                "releasing the lease on {}",
                self.what
            ))(error)),
            _ => Ok(()),
        }
    }

    /// Puts a record under the next number, after the one that may stand there since an answer was not heard. Who stops
    /// waiting for this has not heard it either.
    async fn put_next(&mut self, record: Record) -> object_store::Result<()> {
        for record in self.unanswered.clone().into_iter().chain([record]) {
            let folder = self.lake.lease_folder(&self.what);
            let next = lease_path(&folder, self.number + 1);
            self.unanswered = Some(record.clone());
            let put = self.lake.put_record(&next, &record).await;
            if put.as_ref().err().is_none_or(is_taken) {
                self.unanswered = None;
            }
            put?;
            let passed = lease_path(&folder, self.number);
            self.number += 1;
            let _ = self.lake.store.delete(&passed).await;
        }
        Ok(())
    }
}

/// Whether there was an object where one was to be put.
fn is_taken(error: &object_store::Error) -> bool {
    matches!(
        error,
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }
    )
}

fn expired() -> Record {
    Record {
        holder: "nobody".to_owned(),
        expires_at: DateTime::UNIX_EPOCH,
    }
}

/// The lease ran out and somebody else took it, whether or not he has finished by now.
fn passed_on(what: &str, now: DateTime<Utc>) -> LakeError {
    let other = Record {
        holder: "another process, since this one was stopped for longer than its lease,".to_owned(),
        expires_at: now,
    };
    held(what, &other)
}

pub(crate) fn held(what: &str, record: &Record) -> LakeError {
    LakeError::Held {
        what: what.to_owned(),
        holder: record.holder.clone(),
        until: record.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

fn lease_path(folder: &Path, number: u64) -> Path {
    folder.clone().join(format!("{number:012}.json"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use futures::stream::BoxStream;
    use object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
        ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };

    use super::*;

    /// A store that does what it is asked to, but whose answers to puts are lost, and those to gets while it is silent.
    #[derive(Debug)]
    struct Unheard {
        inner: Arc<dyn ObjectStore>,
        is_silent: Arc<AtomicBool>,
        /// Whether puts are not even done.
        hangs: Arc<AtomicBool>,
    }

    fn no_answer() -> Error {
        Error::Generic {
            store: "Unheard",
            source: "no answer".into(),
        }
    }

    impl fmt::Display for Unheard {
        fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("Unheard")
        }
    }

    #[async_trait]
    impl ObjectStore for Unheard {
        async fn put_opts(
            &self,
            location: &Path,
            payload: PutPayload,
            options: PutOptions,
        ) -> Result<PutResult> {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            self.inner.put_opts(location, payload, options).await?;
            Err(no_answer())
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.inner.put_multipart_opts(location, options).await
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
            if self.is_silent.load(Ordering::SeqCst) {
                return Err(no_answer());
            }
            self.inner.get_opts(location, options).await
        }

        fn delete_stream(
            &self,
            locations: BoxStream<'static, Result<Path>>,
        ) -> BoxStream<'static, Result<Path>> {
            self.inner.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.inner.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }

    /// A lake on such a store, whether that is silent, and whether it hangs.
    fn on_bad_store() -> (Lake, Arc<AtomicBool>, Arc<AtomicBool>) {
        let mut lake = Lake::open("memory:///lake", []).expect("a lake");
        let (is_silent, hangs) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        lake.store = Arc::new(Unheard {
            inner: Arc::clone(&lake.store),
            is_silent: Arc::clone(&is_silent),
            hangs: Arc::clone(&hangs),
        });
        (lake, is_silent, hangs)
    }

    fn unheard() -> (Lake, Arc<AtomicBool>) {
        let (lake, is_silent, _) = on_bad_store();
        (lake, is_silent)
    }

    pub(crate) fn hanging() -> (Lake, Arc<AtomicBool>) {
        let (lake, _, hangs) = on_bad_store();
        (lake, hangs)
    }

    const TERM: Duration = Duration::seconds(20);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::seconds(seconds)
    }

    #[track_caller]
    fn check_held_by<T: fmt::Debug>(expected: &str, result: std::result::Result<T, LakeError>) {
        assert!(
            matches!(&result, Err(LakeError::Held { holder, .. }) if holder.starts_with(expected)),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn a_holder_who_hears_no_answer_knows_his_own_lease() {
        let (lake, _) = unheard();
        let take = |holder: &'static str, seconds| lake.lease("work", holder, TERM, at(seconds));
        let mut lease = take("one", 0).await.expect("his own lease");
        lease.renew("one", TERM, at(15)).await.expect("renewed");
        check_held_by("one", take("another", 30).await);
        lease.release().await.expect("released");
        take("another", 30).await.expect("a free lease");
    }

    #[tokio::test]
    async fn a_holder_who_could_not_even_look_knows_his_own_lease_later() {
        let (lake, is_silent) = unheard();
        let take = |holder: &'static str, seconds| lake.lease("work", holder, TERM, at(seconds));
        let mut lease = take("one", 0).await.expect("his own lease");
        for (seconds, silent_for) in [(5, 1), (15, 3)] {
            is_silent.store(true, Ordering::SeqCst);
            for second in 0..silent_for {
                let unknown = lease.renew("one", TERM, at(seconds + second)).await;
                assert!(
                    matches!(unknown, Err(LakeError::Storage { .. })),
                    "{unknown:?}"
                );
            }
            is_silent.store(false, Ordering::SeqCst);
            let renewed = lease.renew("one", TERM, at(seconds + silent_for));
            renewed.await.expect("it is his own");
        }
        check_held_by("one", take("another", 37).await);
        is_silent.store(true, Ordering::SeqCst);
        let unknown = lease.renew("one", TERM, at(20)).await;
        assert!(unknown.is_err(), "{unknown:?}");
        is_silent.store(false, Ordering::SeqCst);
        lease.release().await.expect("released");
        take("another", 21).await.expect("a free lease");
    }

    #[tokio::test]
    async fn a_holder_who_heard_no_answer_yields_to_one_who_came_after() {
        let (lake, is_silent) = unheard();
        let take = |holder: &'static str, seconds| lake.lease("work", holder, TERM, at(seconds));
        let mut lease = take("one", 0).await.expect("his own lease");
        is_silent.store(true, Ordering::SeqCst);
        let unknown = lease.renew("one", TERM, at(5)).await;
        assert!(unknown.is_err(), "{unknown:?}");
        is_silent.store(false, Ordering::SeqCst);
        let _another = take("another", 700).await.expect("an expired lease");
        check_held_by("another process", lease.renew("one", TERM, at(701)).await);
        check_held_by("another", take("third", 702).await);
    }
}
