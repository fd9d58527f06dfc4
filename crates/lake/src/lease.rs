//! A lease on a piece of work, held in the object store, with expiry.
//!
//! Each holder writes the next number under `_leases/<what>/`, by a put that fails if it exists; the
//! highest number counts. This needs no conditional update, which a local disk does not have. A lease
//! keeps two workers from wasting each other's time; what keeps them from harm is the commit's fence.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::LakeError;
use crate::location::Lake;

/// A held lease. Release it when done; if the process dies it expires.
#[derive(Debug)]
pub struct Lease {
    lake: Lake,
    what: String,
    number: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    holder: String,
    expires_at: DateTime<Utc>,
}

impl Lake {
    /// Takes the lease on `what` for `duration`, or says who holds it.
    ///
    /// # Errors
    /// [`LakeError::Held`] while another holder's lease runs; [`LakeError::Storage`].
    pub async fn lease(
        &self,
        what: &str,
        holder: &str,
        duration: Duration,
        now: DateTime<Utc>,
    ) -> Result<Lease, LakeError> {
        let folder = self.lease_folder(what);
        let storage = || LakeError::storage(format!("taking the lease on {what}"));
        let current = self.newest(&folder).await.map_err(storage())?;
        if let Some((_, record)) = &current
            && record.expires_at > now
        {
            return Err(held(what, record));
        }
        let number = current.map_or(1, |(number, _)| number + 1);
        let record = Record {
            holder: holder.to_owned(),
            expires_at: now + duration,
        };
        match self.put_record(&lease_path(&folder, number), &record).await {
            Ok(()) => self.check_newest(what, &folder, number).await?,
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                return Err(match self.newest(&folder).await.map_err(storage())? {
                    Some((_, record)) => held(what, &record),
                    None => LakeError::Conflict {
                        table: what.to_owned(),
                    },
                });
            }
            Err(error) => return Err(storage()(error)),
        }
        if number > 1 {
            // Forgotten numbers are only clutter.
            let _ = self.store.delete(&lease_path(&folder, number - 1)).await;
        }
        Ok(Lease {
            lake: self.clone(),
            what: what.to_owned(),
            number,
        })
    }

    /// Puts a record where there is none. If that fails and yet exactly this record is there, only the answer was lost: no
    /// other holder writes the same instant.
    async fn put_record(&self, path: &Path, record: &Record) -> object_store::Result<()> {
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        let put = self.put_new(path, bytes.clone()).await;
        if put.is_err() && self.get(path).await.is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        put
    }

    /// Numbers are deleted once they are passed, so that a free number may be an old one: whoever took
    /// one looks whether a higher one stands, and yields to it.
    async fn check_newest(&self, what: &str, folder: &Path, number: u64) -> Result<(), LakeError> {
        let newest = self
            .newest(folder)
            .await
            .map_err(LakeError::storage(format!("checking the lease on {what}")))?;
        match newest {
            Some((newest, record)) if newest > number => {
                let _ = self.store.delete(&lease_path(folder, number)).await;
                Err(held(what, &record))
            }
            _ => Ok(()),
        }
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
    /// [`LakeError::Held`] if it has expired and passed to another; [`LakeError::Storage`].
    pub async fn renew(
        &mut self,
        holder: &str,
        duration: Duration,
        now: DateTime<Utc>,
    ) -> Result<(), LakeError> {
        let folder = self.lake.lease_folder(&self.what);
        let record = Record {
            holder: holder.to_owned(),
            expires_at: now + duration,
        };
        match self
            .lake
            .put_record(&lease_path(&folder, self.number + 1), &record)
            .await
        {
            Ok(()) => {
                let _ = self
                    .lake
                    .store
                    .delete(&lease_path(&folder, self.number))
                    .await;
                self.number += 1;
                // The number may have been free because it was passed long ago.
                let checked = self
                    .lake
                    .check_newest(&self.what, &folder, self.number)
                    .await;
                checked.map_err(|error| match error {
                    LakeError::Held { .. } => passed_on(&self.what, now),
                    error => error,
                })
            }
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Err(passed_on(&self.what, now)),
            Err(error) => Err(LakeError::storage(format!(
                "renewing the lease on {}",
                self.what
            ))(error)),
        }
    }

    /// Gives the lease back, unless it has expired and passed to another.
    ///
    /// # Errors
    /// [`LakeError::Storage`]: it then expires by itself.
    pub async fn release(self) -> Result<(), LakeError> {
        let folder = self.lake.lease_folder(&self.what);
        match self
            .lake
            .put_record(&lease_path(&folder, self.number + 1), &expired())
            .await
        {
            Ok(()) => {
                let _ = self
                    .lake
                    .store
                    .delete(&lease_path(&folder, self.number))
                    .await;
                Ok(())
            }
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(()),
            Err(error) => Err(LakeError::storage(format!(
                "releasing the lease on {}",
                self.what
            ))(error)),
        }
    }
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

fn held(what: &str, record: &Record) -> LakeError {
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
mod tests {
    use std::fmt;
    use std::sync::Arc;

    use async_trait::async_trait;
    use futures::stream::BoxStream;
    use object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
        ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };

    use super::*;

    /// A store that does what it is asked to, but whose answers to puts are lost.
    #[derive(Debug)]
    struct Unheard(Arc<dyn ObjectStore>);

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
            self.0.put_opts(location, payload, options).await?;
            Err(Error::Generic {
                store: "Unheard",
                source: "no answer".into(),
            })
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.0.put_multipart_opts(location, options).await
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
            self.0.get_opts(location, options).await
        }

        fn delete_stream(
            &self,
            locations: BoxStream<'static, Result<Path>>,
        ) -> BoxStream<'static, Result<Path>> {
            self.0.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.0.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.0.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.0.copy_opts(from, to, options).await
        }
    }

    #[tokio::test]
    async fn a_holder_who_hears_no_answer_knows_his_own_lease() {
        let mut lake = Lake::open("memory:///lake", []).expect("a lake");
        lake.store = Arc::new(Unheard(Arc::clone(&lake.store)));
        let start = DateTime::UNIX_EPOCH + Duration::days(20_000);
        let at = |seconds| start + Duration::seconds(seconds);
        let take = |holder: &'static str, seconds| {
            let lake = lake.clone();
            async move {
                lake.lease("work", holder, Duration::seconds(20), at(seconds))
                    .await
            }
        };
        let mut lease = take("one", 0).await.expect("his own lease");
        let renewed = lease.renew("one", Duration::seconds(20), at(15)).await;
        renewed.expect("renewed");
        let held = take("another", 30).await;
        assert!(
            matches!(&held, Err(LakeError::Held { holder, .. }) if holder == "one"),
            "{held:?}"
        );
        lease.release().await.expect("released");
        take("another", 30).await.expect("a free lease");
    }
}
