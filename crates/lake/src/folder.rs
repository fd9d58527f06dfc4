//! A folder on any object store that is no lake: whole objects by name, each replaced in one step.
//!
//! A reader that lists the folder meets an object as it was or as it is, never a part of one: where a
//! put is not that by itself, on a disk, objects are written under `_staging`, which readers of data
//! folders pass over, and moved into place.

use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::error::LakeError;
use crate::location::Lake;

/// Objects beyond this go in parts, of which only this much is in memory; every store takes parts of it.
const PART_BYTES: usize = 8 << 20;
const STAGING: &str = "_staging";
/// Longer than any upload takes: what is older was left by a process that died.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Folder(Lake);

/// An object as the store names this state of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Below the folder, with slashes.
    pub name: String,
    pub bytes: u64,
    /// Differs whenever the object was written again. `None` where the store does not tell.
    pub e_tag: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Correct the location.
    #[error("the location {location:?} cannot be used: {reason}")]
    Location { location: String, reason: String },
    /// Try again later.
    #[error("the storage failed while {doing}: {source}")]
    Storage {
        doing: String,
        source: object_store::Error,
    },
}

impl FolderError {
    fn storage(doing: String) -> impl FnOnce(object_store::Error) -> FolderError {
        move |source| FolderError::Storage { doing, source }
    }
}

impl Folder {
    /// As [`Lake::open`]: a path, or a `file://`, `s3://`, `az://`, `gs://` URL; a local folder is created.
    ///
    /// # Errors
    /// [`FolderError::Location`].
    pub fn open(
        location: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Folder, FolderError> {
        let unusable = |reason: String| FolderError::Location {
            location: location.to_owned(),
            reason,
        };
        let place = Lake::open(location, options).map_err(|error| match error {
            LakeError::Location { reason, .. } => unusable(reason),
            error => unusable(error.to_string()),
        })?;
        Ok(Folder(place))
    }

    /// As a URL without credentials.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// A folder below this one.
    pub fn below(&self, name: &str) -> Folder {
        let mut place = self.0.clone();
        place.prefix = self.path(name);
        place
            .root
            .set_path(&format!("{}{name}/", self.0.root.path()));
        Folder(place)
    }

    /// Whether the folder is the lake's own, or lies within it.
    pub fn is_within(&self, lake: &Lake) -> bool {
        let (mine, lakes) = (&self.0.root, &lake.root);
        family(mine.scheme()) == family(lakes.scheme())
            && mine.host_str() == lakes.host_str()
            && self.0.prefix.prefix_matches(&lake.prefix)
    }

    /// The object's bytes; `None` if there is no such object.
    ///
    /// # Errors
    /// [`FolderError::Storage`].
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        match self.0.get(&self.path(name)).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(FolderError::storage(format!("reading {name}"))(error)),
        }
    }

    /// Writes the object in place of an older one.
    ///
    /// # Errors
    /// [`FolderError::Storage`]: the object is as it was, or as it was to be.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<Stored, FolderError> {
        let mut upload = self.upload(name);
        upload.write(&bytes).await?;
        upload.finish().await
    }

    /// Writes the object if there is none of that name; says whether it did.
    ///
    /// # Errors
    /// [`FolderError::Storage`].
    pub async fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, FolderError> {
        match self.0.put_new(&self.path(name), bytes).await {
            Ok(()) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(error) => Err(FolderError::storage(format!("writing {name}"))(error)),
        }
    }

    /// Begins an object of any size, which takes the place of an older one when it is finished.
    pub fn upload(&self, name: &str) -> Upload {
        let target = self.path(name);
        let written_to = if self.is_local() {
            self.path(STAGING).join(Uuid::new_v4().to_string())
        } else {
            target.clone()
        };
        Upload {
            folder: self.clone(),
            name: name.to_owned(),
            target,
            written_to,
            parts: None,
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    /// The objects whose names begin with the folder `below`, by name.
    ///
    /// # Errors
    /// [`FolderError::Storage`].
    pub async fn list(&self, below: &str) -> Result<Vec<Stored>, FolderError> {
        let objects = self.0.store.list(Some(&self.path(below)));
        let objects: Vec<_> = objects
            .try_collect()
            .await
            .map_err(FolderError::storage(format!("listing {below}")))?;
        let named = |object: object_store::ObjectMeta| {
            let parts = object.location.prefix_match(&self.0.prefix)?;
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some(Stored {
                name: parts.join("/"),
                bytes: object.size,
                e_tag: object.e_tag.as_deref().map(plain),
            })
        };
        let mut stored: Vec<Stored> = objects.into_iter().filter_map(named).collect();
        stored.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(stored)
    }

    /// Removes the object, if there is one.
    ///
    /// # Errors
    /// [`FolderError::Storage`].
    pub async fn delete(&self, name: &str) -> Result<(), FolderError> {
        match self.0.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(FolderError::storage(format!("removing {name}"))(error)),
        }
    }

    fn is_local(&self) -> bool {
        self.0.root.scheme() == "file"
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.0.prefix.clone(), Path::join)
    }

    /// Removes from a disk what died with the process that wrote it, by the names that uploads have: others may keep
    /// files of theirs there. Only for folders that are known to be ours. Clutter, so failing is no failure.
    pub fn tidy(&self) {
        let staging = self.0.root.to_file_path().map(|path| path.join(STAGING));
        let Some(entries) = staging
            .ok()
            .filter(|_| self.is_local())
            .and_then(|path| std::fs::read_dir(path).ok())
        else {
            return;
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let is_ours = metadata.is_file() && entry.file_name().to_str().is_some_and(is_upload);
            let written = metadata.modified().ok();
            let age = written.and_then(|at| SystemTime::now().duration_since(at).ok());
            if is_ours && age.is_some_and(|age| age > STALE) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// An object in the making. Dropped unfinished, it leaves the older one as it is.
pub struct Upload {
    folder: Folder,
    name: String,
    target: Path,
    written_to: Path,
    parts: Option<Box<dyn MultipartUpload>>,
    waiting: Vec<u8>,
    bytes: u64,
}

impl Upload {
    /// # Errors
    /// [`FolderError::Storage`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), FolderError> {
        self.bytes += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        // All parts but the last are of one size, and there is always a last one.
        while self.waiting.len() > PART_BYTES {
            let rest = self.waiting.split_off(PART_BYTES);
            let part = std::mem::replace(&mut self.waiting, rest);
            let sent = self.send(part).await;
            sent.map_err(FolderError::storage(format!("writing {}", self.name)))?;
        }
        Ok(())
    }

    /// Puts the object in its place.
    ///
    /// # Errors
    /// [`FolderError::Storage`]: the object is as it was, or as it was to be.
    pub async fn finish(mut self) -> Result<Stored, FolderError> {
        let e_tag = self.complete().await;
        let e_tag = e_tag.map_err(FolderError::storage(format!("writing {}", self.name)))?;
        Ok(Stored {
            name: self.name.clone(),
            bytes: self.bytes,
            e_tag: e_tag.as_deref().map(plain),
        })
    }

    async fn send(&mut self, part: Vec<u8>) -> object_store::Result<()> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(
                self.folder
                    .0
                    .store
                    .put_multipart_opts(&self.written_to, Default::default())
                    .await?,
            ),
        };
        parts.put_part(part.into()).await
    }

    async fn complete(&mut self) -> object_store::Result<Option<String>> {
        let last = std::mem::take(&mut self.waiting);
        let store = self.folder.0.store.clone();
        let put = match &mut self.parts {
            None => store.put(&self.written_to, last.into()).await?,
            Some(parts) => {
                parts.put_part(last.into()).await?;
                parts.complete().await?
            }
        };
        self.parts = None;
        if self.written_to == self.target {
            return Ok(put.e_tag);
        }
        // A move keeps what the tag is made of.
        let e_tag = store.head(&self.written_to).await?.e_tag;
        store.rename(&self.written_to, &self.target).await?;
        Ok(e_tag)
    }
}

impl Drop for Upload {
    /// Parts of an unfinished object are not to stay behind.
    fn drop(&mut self) {
        if let (Some(mut parts), Ok(runtime)) = (self.parts.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let _ = parts.abort().await;
            });
        }
    }
}

/// As [`Folder::upload`] names what it writes, or as the disk does until that is whole.
fn is_upload(name: &str) -> bool {
    let name = match name.split_once('#') {
        Some((_, number)) if number.parse::<u32>().is_err() => return false,
        Some((name, _)) => name,
        None => name,
    };
    Uuid::try_parse(name).is_ok_and(|id| id.to_string() == name)
}

/// Schemes that lead to the same place.
fn family(scheme: &str) -> &str {
    match scheme {
        "s3a" => "s3",
        "abfs" | "abfss" => "az",
        scheme => scheme,
    }
}

/// Stores quote tags in some answers and not in others.
fn plain(e_tag: &str) -> String {
    e_tag.trim_start_matches("W/").trim_matches('"').to_owned()
}
