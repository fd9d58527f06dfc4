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
use std::os::unix::fs::FileExt;
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
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let directories = self.directories.clone();
        let upload = blocking(move || {
            directories.create(&path)?;
            let staged = open_staged(&path).map_err(|error| failed(&path, error))?;
            Ok(DurableUpload {
                file: Arc::new(staged.0),
                staged: Some(staged.1),
                bytes: 0,
                path,
                directories,
            })
        });
        Ok(Box::new(upload.await?))
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

/// An object in parts, which is in its place once all of them are on disk.
#[derive(Debug)]
struct DurableUpload {
    file: Arc<File>,
    /// Where the parts are until then.
    staged: Option<PathBuf>,
    /// Of the parts so far.
    bytes: u64,
    path: PathBuf,
    directories: Arc<Directories>,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut at = self.bytes;
        self.bytes += data.content_length() as u64;
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        Box::pin(blocking(move || {
            for bytes in &data {
                let written = file.write_all_at(bytes, at);
                written.map_err(|error| failed(&path, error))?;
                at += bytes.len() as u64;
            }
            Ok(())
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let Some(staged) = self.staged.take() else {
            return Err(failed(&self.path, io::Error::other("it is over already")));
        };
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        let directories = self.directories.clone();
        blocking(move || {
            let placed = file
                .sync_all()
                .and_then(|()| fs::rename(&staged, &path))
                .inspect_err(|_| drop(fs::remove_file(&staged)));
            placed
                .and_then(|()| directories.sync(&path))
                .map_err(|error| failed(&path, error))?;
            Ok(PutResult {
                e_tag: None,
                version: None,
            })
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        let Some(staged) = self.staged.take() else {
            return Ok(());
        };
        blocking(move || fs::remove_file(&staged).map_err(|error| failed(&staged, error))).await
    }
}

impl Drop for DurableUpload {
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take() {
            let _ = fs::remove_file(staged);
        }
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
    let (mut file, staged) = open_staged(path)?;
    let written = payload
        .iter()
        .try_for_each(|part| file.write_all(part))
        .and_then(|()| match is_synced {
            true => file.sync_all(),
            false => Ok(()),
        });
    match written {
        Ok(()) => Ok(staged),
        Err(error) => {
            let _ = fs::remove_file(&staged);
            Err(error)
        }
    }
}

/// A new file beside its destination.
fn open_staged(path: &FilePath) -> io::Result<(File, PathBuf)> {
    for attempt in 1..=u32::MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{attempt}"));
        let staged = PathBuf::from(name);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&staged)
        {
            Ok(file) => return Ok((file, staged)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from(ErrorKind::AlreadyExists))
}

/// As [`open_staged`] names them.
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

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn an_object_in_parts_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("below/object");
        let location = Path::from_absolute_path(&path).expect("a path");
        let store = DurableLocal::new();
        let begin = || store.put_multipart(&location);
        let names = || {
            let entries = fs::read_dir(folder.path().join("below")).expect("the folder");
            entries.count()
        };

        let mut upload = begin().await.expect("an upload");
        let parts = [
            upload.put_part("one ".into()),
            upload.put_part("two".into()),
        ];
        // In whatever order they are written.
        for part in parts.into_iter().rev() {
            part.await.expect("a part");
        }
        assert!(!path.exists());
        upload.complete().await.expect("completing");
        assert_eq!(fs::read(&path).expect("the object"), b"one two");
        assert!(upload.complete().await.is_err());

        for is_aborted in [true, false] {
            let mut upload = begin().await.expect("an upload");
            upload.put_part("other".into()).await.expect("a part");
            assert_eq!(names(), 2);
            if is_aborted {
                upload.abort().await.expect("aborting");
            }
            drop(upload);
            assert_eq!(names(), 1);
            assert_eq!(fs::read(&path).expect("the object"), b"one two");
        }

        // What cannot be synced is not put in its place: a pipe is no file that could be.
        let (_, pipe) = io::pipe().expect("a pipe");
        let staged = folder.path().join("below/object#1");
        fs::write(&staged, "other").expect("a staged file");
        let mut unsynced = DurableUpload {
            file: Arc::new(File::from(std::os::fd::OwnedFd::from(pipe))),
            staged: Some(staged.clone()),
            bytes: 0,
            path: path.clone(),
            directories: Arc::default(),
        };
        assert!(unsynced.complete().await.is_err());
        assert_eq!(fs::read(&path).expect("the object"), b"one two");
        assert!(!staged.exists());
    }
}
