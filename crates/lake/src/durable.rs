//! The local file system as an object store that keeps its word across power loss.
//!
//! `object_store`'s own local store is atomic but does not fsync. Here an object is visible only once
//! its bytes are on disk, and acknowledged only once its directory is: staged, fsynced, linked into
//! place, directory fsynced. Everything that only reads is passed through.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::{Path, PathPart};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};

/// An extension of a put: the object need not outlive a power cut. It is whole if it does not, or cannot be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unsynced;

#[derive(Debug, Clone)]
pub(crate) struct DurableLocal {
    inner: LocalFileSystem,
    directories: Arc<Directories>,
}

impl DurableLocal {
    pub fn new() -> Self {
        Self {
            inner: LocalFileSystem::new(),
            directories: Arc::default(),
        }
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("DurableLocal")
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let path = self.inner.path_to_filesystem(location)?;
        let directories = self.directories.clone();
        let is_synced = options.extensions.get::<Unsynced>().is_none();
        blocking(move || {
            directories.create(&path)?;
            let staged = || stage(&path, &payload, is_synced);
            match options.mode {
                PutMode::Overwrite => staged().and_then(|staged| fs::rename(staged, &path)),
                PutMode::Create => staged().and_then(|staged| link_new(&staged, &path)),
                PutMode::Update(_) => Err(io::Error::new(
                    ErrorKind::Unsupported,
                    "no conditional update on a local disk",
                )),
            }
            .and_then(|()| match is_synced {
                true => directories.sync(&path),
                false => Ok(()),
            })
            .map_err(|error| failed(&path, error))?;
            failpoint!("object-put");
            Ok(PutResult {
                e_tag: None,
                version: None,
            })
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let upload = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(DurableUpload {
            upload,
            path,
            directories: self.directories.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
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

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.sync(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        self.sync(to).await
    }
}

impl DurableLocal {
    /// What a folder lists by now survives a power cut once this returns. Its entries may be another process's, which
    /// died before it could sync them, or ours, where the sync failed.
    pub async fn sync_folder(&self, location: &Path) -> Result<()> {
        let path = self.inner.path_to_filesystem(location)?;
        let directories = self.directories.clone();
        blocking(move || {
            // Of a name in it, the folder is the first to be synced.
            let entry = path.join("_");
            directories
                .sync(&entry)
                .map_err(|error| failed(&path, error))
        })
        .await
    }

    /// What lies staged below a folder, which listings skip: of writers that are at work, or were killed.
    pub async fn staged(&self, folder: &Path) -> Result<Vec<ObjectMeta>> {
        let root = self.inner.path_to_filesystem(folder)?;
        let folder = folder.clone();
        blocking(move || staged_below(&root, &folder).map_err(|error| failed(&root, error))).await
    }

    /// Deletes what was staged, as [`staged`](Self::staged) lists it. What is gone already is no failure.
    pub async fn delete_staged(&self, location: &Path) -> Result<()> {
        // A staged file's own name is none of an object.
        let parts: Vec<_> = location.parts().collect();
        let Some((name, folder)) = parts.split_last() else {
            return Ok(());
        };
        let folder = Path::from_iter(folder.iter().cloned());
        let path = self.inner.path_to_filesystem(&folder)?.join(name.as_ref());
        blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&path, error)),
            _ => Ok(()),
        })
        .await
    }

    async fn sync(&self, location: &Path) -> Result<()> {
        let path = self.inner.path_to_filesystem(location)?;
        sync_file(path, self.directories.clone()).await
    }
}

/// A multipart upload that is fsynced when it completes.
#[derive(Debug)]
struct DurableUpload {
    upload: Box<dyn MultipartUpload>,
    path: PathBuf,
    directories: Arc<Directories>,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        sync_file(self.path.clone(), self.directories.clone()).await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

/// Which directories are known to be linked into their parents durably.
#[derive(Debug, Default)]
struct Directories(Mutex<HashSet<PathBuf>>);

impl Directories {
    fn create(&self, path: &FilePath) -> Result<()> {
        match path.parent() {
            Some(parent) => fs::create_dir_all(parent).map_err(|error| failed(parent, error)),
            None => Ok(()),
        }
    }

    /// Fsyncs the directory of `path`, and above it every directory that has got a new one in it.
    fn sync(&self, path: &FilePath) -> io::Result<()> {
        let mut synced = Vec::new();
        for (depth, directory) in path.ancestors().skip(1).enumerate() {
            match File::open(directory).and_then(|file| file.sync_all()) {
                // Ancestors above the lake may not be ours to open.
                Err(error) if depth > 0 && error.kind() == ErrorKind::PermissionDenied => break,
                result => result?,
            }
            // Known: its own entry in its parent is durable already.
            if self.lock().contains(directory) {
                break;
            }
            synced.push(directory.to_owned());
        }
        // Not before all above them are synced, or a failure up there would be forgotten.
        self.lock().extend(synced);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Writes the bytes beside their destination, under a name that listings skip, and fsyncs them if they are to be.
fn stage(path: &FilePath, payload: &PutPayload, is_synced: bool) -> io::Result<PathBuf> {
    for attempt in 1..=u32::MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{attempt}"));
        let staged = PathBuf::from(name);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&staged)
        {
            Ok(mut file) => {
                let written = payload
                    .iter()
                    .try_for_each(|part| file.write_all(part))
                    .and_then(|()| match is_synced {
                        true => file.sync_all(),
                        false => Ok(()),
                    });
                if let Err(error) = written {
                    let _ = fs::remove_file(&staged);
                    return Err(error);
                }
                return Ok(staged);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from(ErrorKind::AlreadyExists))
}

/// As [`stage`] names them, and the inner store its uploads.
fn is_staged(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn staged_below(folder: &FilePath, location: &Path) -> io::Result<Vec<ObjectMeta>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_folder = entry.file_type()?.is_dir();
        if !is_folder && !is_staged(name) {
            continue;
        }
        let Ok(part) = PathPart::parse(name) else {
            continue;
        };
        let below = location.clone().join(part);
        if is_folder {
            found.extend(staged_below(&entry.path(), &below)?);
        } else if let Ok(metadata) = entry.metadata() {
            found.push(ObjectMeta {
                location: below,
                last_modified: metadata.modified()?.into(),
                size: metadata.len(),
                e_tag: None,
                version: None,
            });
        }
    }
    Ok(found)
}

fn link_new(staged: &FilePath, path: &FilePath) -> io::Result<()> {
    failpoint!("object-staged");
    let linked = fs::hard_link(staged, path);
    failpoint!("object-linked");
    let _ = fs::remove_file(staged);
    linked
}

async fn sync_file(path: PathBuf, directories: Arc<Directories>) -> Result<()> {
    blocking(move || {
        File::open(&path)
            .and_then(|file| file.sync_all())
            .and_then(|()| directories.sync(&path))
            .map_err(|error| failed(&path, error))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(Error::JoinError { source }),
    }
}

fn failed(path: &FilePath, error: io::Error) -> Error {
    let path = path.display().to_string();
    match error.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists {
            path,
            source: error.into(),
        },
        ErrorKind::NotFound => Error::NotFound {
            path,
            source: error.into(),
        },
        ErrorKind::PermissionDenied => Error::PermissionDenied {
            path,
            source: error.into(),
        },
        ErrorKind::Unsupported => Error::NotImplemented {
            operation: error.to_string(),
            implementer: "DurableLocal".to_owned(),
        },
        _ => Error::Generic {
            store: "DurableLocal",
            source: format!("{path}: {error}").into(),
        },
    }
}
