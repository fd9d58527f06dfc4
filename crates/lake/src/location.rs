//! The lake's root: from a path or URL to an object store; one arm a backend.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use chrono::{DateTime, Utc};
use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use deltalake::{DeltaResult, DeltaTableBuilder};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use crate::durable::DurableLocal;
use crate::error::LakeError;
use crate::session::spawned;
use crate::table::{Table, TableSpec};

/// A root under which tables live. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lake {
    pub(crate) root: Url,
    /// The store at the root of its bucket or disk.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The same, if it is a local disk.
    disk: Option<DurableLocal>,
    /// Where the lake lies in the store.
    pub(crate) prefix: Path,
}

/// The folder of a table's log, in that of the table.
pub(crate) const LOG: &str = "_delta_log";
const CLOUD_SCHEMES: [&str; 7] = ["s3", "s3a", "az", "abfs", "abfss", "gs", "memory"];

impl Lake {
    /// Opens the lake at `location`: a path, or a `file://`, `s3://`, `az://`, `gs://` URL.
    /// `options` are the providers' usual variables, such as `AWS_ACCESS_KEY_ID`; unknown ones are
    /// ignored. A local folder is created; nothing else is touched.
    ///
    /// # Errors
    /// [`LakeError::Location`] if it is no usable location.
    pub fn open(
        location: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Lake, LakeError> {
        Lake::at(location, options, Absent::Created)
    }

    /// As [`open`](Self::open), for those who only read: a local folder that is not there is a lake without
    /// tables, and is not created.
    ///
    /// # Errors
    /// [`LakeError::Location`] if it is no usable location.
    pub fn open_to_read(
        location: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Lake, LakeError> {
        Lake::at(location, options, Absent::Left)
    }

    fn at(
        location: &str,
        options: impl IntoIterator<Item = (String, String)>,
        absent: Absent,
    ) -> Result<Lake, LakeError> {
        let unusable = |reason: String| LakeError::Location {
            location: without_secrets(location),
            reason,
        };
        register_log_stores();
        let local = |path: &std::path::Path| {
            let path = folder(path, absent).map_err(|error| unusable(error.to_string()))?;
            let root = Url::from_directory_path(&path)
                .map_err(|()| unusable("not an absolute path".to_owned()))?;
            let prefix =
                Path::from_absolute_path(&path).map_err(|error| unusable(error.to_string()))?;
            let disk = DurableLocal::new();
            Ok(Lake {
                root,
                store: Arc::new(disk.clone()),
                disk: Some(disk),
                prefix,
            })
        };
        match Url::parse(location) {
            Ok(url) if url.scheme() == "file" => {
                let path = url
                    .to_file_path()
                    .map_err(|()| unusable("file:// URLs need an absolute path".to_owned()))?;
                local(&path)
            }
            Ok(url)
                if location.contains("://")
                    && (url.query().is_some() || url.password().is_some()) =>
            {
                Err(unusable(
                    "a lake's URL is shown in messages, so it must hold no signature and no password; give the provider's \
                     credentials in the environment"
                        .to_owned(),
                ))
            }
            Ok(mut url) if CLOUD_SCHEMES.contains(&url.scheme()) => {
                let options = options
                    .into_iter()
                    .map(|(key, value)| (key.to_ascii_lowercase(), value));
                let (store, prefix) =
                    object_store::parse_url_opts(&url, options).map_err(|error| {
                        unusable(format!(
                            "{error}; are the provider's credentials in the environment?"
                        ))
                    })?;
                let path = format!("{}/", url.path().trim_end_matches('/'));
                url.set_path(&path);
                Ok(Lake {
                    root: url,
                    store: Arc::from(store),
                    disk: None,
                    prefix,
                })
            }
            Ok(url) if location.contains("://") => Err(unusable(format!(
                "unknown scheme {:?}; use a path, file://, s3://, az:// or gs://",
                url.scheme()
            ))),
            _ => local(std::path::Path::new(location)),
        }
    }

    /// The root as a URL without credentials.
    pub fn url(&self) -> &str {
        self.root.as_str()
    }

    /// Whether there is one: on a disk its folder, in a store anything below its prefix.
    ///
    /// # Errors
    /// [`LakeError::Storage`].
    pub async fn exists(&self) -> Result<bool, LakeError> {
        if let Some(is_there) = self.folder_is_there() {
            return Ok(is_there);
        }
        let mut below = self.store.list(Some(&self.prefix));
        let first = below.try_next().await;
        Ok(first
            .map_err(LakeError::storage("listing the lake"))?
            .is_some())
    }

    /// `None` unless it is on a disk.
    fn folder_is_there(&self) -> Option<bool> {
        self.disk.as_ref()?;
        Some(self.root.to_file_path().is_ok_and(|path| path.is_dir()))
    }

    /// Whether the storage answers.
    ///
    /// # Errors
    /// [`LakeError::Storage`] if it does not, [`LakeError::Gone`].
    pub async fn ping(&self) -> Result<(), LakeError> {
        if self.folder_is_there() == Some(false) {
            return Err(LakeError::Gone {
                lake: self.url().to_owned(),
            });
        }
        self.store
            .list_with_delimiter(Some(&self.prefix))
            .await
            .map_err(LakeError::storage("listing the lake"))?;
        Ok(())
    }

    /// The names of the tables that exist, sorted.
    ///
    /// # Errors
    /// [`LakeError::Storage`].
    pub async fn tables(&self) -> Result<Vec<String>, LakeError> {
        let doing = || LakeError::storage("listing the lake's tables");
        let mut names = Vec::new();
        for folder in self.folder_paths().await? {
            let mut log = self.store.list(Some(&folder.clone().join(LOG)));
            if log.try_next().await.map_err(doing())?.is_some() {
                names.extend(folder.filename().map(str::to_owned));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The names of the folders in the lake, tables or not, by one request.
    ///
    /// # Errors
    /// [`LakeError::Storage`].
    pub async fn folders(&self) -> Result<Vec<String>, LakeError> {
        let folders = self.folder_paths().await?;
        let names = folders.iter().filter_map(Path::filename);
        Ok(names.map(str::to_owned).collect())
    }

    async fn folder_paths(&self) -> Result<Vec<Path>, LakeError> {
        let listing = self.store.list_with_delimiter(Some(&self.prefix)).await;
        let listing = listing.map_err(LakeError::storage("listing the lake's folders"))?;
        Ok(listing.common_prefixes)
    }

    /// The names of folders that hold a table's files but no log, so that nothing reads them; sorted.
    ///
    /// # Errors
    /// [`LakeError::Storage`].
    pub async fn folders_without_log(&self) -> Result<Vec<String>, LakeError> {
        let doing = || LakeError::storage("listing the lake's folders");
        let folders = self.folder_paths().await?;
        let tables = self.tables().await?;
        let mut names = Vec::new();
        for folder in folders {
            let name = folder.filename().unwrap_or_default().to_owned();
            if name.starts_with('_') || tables.contains(&name) {
                continue;
            }
            let mut objects = self.store.list(Some(&folder));
            while let Some(object) = objects.try_next().await.map_err(doing())? {
                if object.location.extension() == Some("parquet") {
                    names.push(name);
                    break;
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// The table of that specification, created if it does not exist.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn table(&self, spec: &TableSpec) -> Result<Table, LakeError> {
        let (lake, opened) = (self.clone(), spec.clone());
        let opening = async move { Table::open_or_create(&lake, &opened).await };
        spawned(&spec.name, opening).await
    }

    /// The existing table of that name, at its newest version.
    ///
    /// # Errors
    /// [`LakeError::NoSuchTable`], [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn existing(&self, name: &str) -> Result<Table, LakeError> {
        Table::open(self, name).await
    }

    /// The existing table of that name, at one of its versions.
    ///
    /// # Errors
    /// [`LakeError::NoSuchTable`], [`LakeError::NoSuchVersion`], [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn existing_at(&self, name: &str, version: u64) -> Result<Table, LakeError> {
        Table::open_at(self, name, version).await
    }

    /// The existing table of that name, with what had been committed by `instant`.
    ///
    /// # Errors
    /// [`LakeError::NoSuchTable`], [`LakeError::NoSuchVersion`] if that is before what is kept of the
    /// table's log, [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn existing_as_of(
        &self,
        name: &str,
        instant: DateTime<Utc>,
    ) -> Result<Table, LakeError> {
        Table::open_as_of(self, name, instant).await
    }

    pub(crate) fn builder(&self, name: &str) -> Result<DeltaTableBuilder, LakeError> {
        let url = self.root.join(name).map_err(|error| LakeError::Location {
            location: self.root.to_string(),
            reason: error.to_string(),
        })?;
        let builder = DeltaTableBuilder::from_url(url.clone()).map_err(LakeError::delta(name))?;
        Ok(builder.with_storage_backend(self.store.clone(), url))
    }

    /// Returns once all commits of the table that can be read are durable. Object stores show no others.
    pub(crate) async fn sync_commits(&self, table: &str) -> object_store::Result<()> {
        match &self.disk {
            Some(disk) => disk.sync_folder(&self.log_folder(table)).await,
            None => Ok(()),
        }
    }

    /// Where the log of a table lies.
    pub(crate) fn log_folder(&self, table: &str) -> Path {
        self.prefix.clone().join(table).join(LOG)
    }

    /// What writers left staged below a folder. Object stores have nothing of the kind.
    pub(crate) async fn staged(&self, folder: &Path) -> object_store::Result<Vec<ObjectMeta>> {
        match &self.disk {
            Some(disk) => disk.staged(folder).await,
            None => Ok(Vec::new()),
        }
    }

    pub(crate) async fn delete_staged(&self, location: &Path) -> object_store::Result<()> {
        match &self.disk {
            Some(disk) => disk.delete_staged(location).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn put_new(&self, path: &Path, bytes: Vec<u8>) -> object_store::Result<()> {
        self.store
            .put_opts(path, bytes.into(), object_store::PutMode::Create.into())
            .await
            .map(drop)
    }

    pub(crate) async fn get(&self, path: &Path) -> object_store::Result<Vec<u8>> {
        Ok(self.store.get(path).await?.bytes().await?.to_vec())
    }
}

/// A location as it may be shown.
fn without_secrets(location: &str) -> String {
    match Url::parse(location) {
        Ok(mut url) if location.contains("://") => {
            url.set_query(None);
            // Of a URL that can have none, there is none to take.
            let _ = url.set_password(None);
            url.into()
        }
        _ => location.to_owned(),
    }
}

/// What happens where a local folder is not there.
#[derive(Clone, Copy)]
enum Absent {
    Created,
    Left,
}

/// The folder's own path, without links and dots.
fn folder(path: &std::path::Path, absent: Absent) -> io::Result<PathBuf> {
    match absent {
        Absent::Created => std::fs::create_dir_all(path)?,
        Absent::Left if path.exists() && !path.is_dir() => {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Absent::Left if !path.exists() => return absent_folder(path),
        Absent::Left => {}
    }
    path.canonicalize()
}

/// What the path would be: that of the folder above which is there, and the rest by its names.
fn absent_folder(path: &std::path::Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let is_there = |folder: &&std::path::Path| folder.exists();
    let above = path.ancestors().find(is_there).unwrap_or(&path);
    let mut folder = above.canonicalize()?;
    for part in path.strip_prefix(above).into_iter().flatten() {
        if part == ".." {
            folder.pop();
        } else {
            folder.push(part);
        }
    }
    Ok(folder)
}

/// Every backend commits by conditional put, so `deltalake`'s plain log store serves them all and its
/// provider crates with their lock tables are not needed.
fn register_log_stores() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for scheme in CLOUD_SCHEMES {
            if let Ok(url) = Url::parse(&format!("{scheme}://")) {
                logstore_factories().insert(url, Arc::new(PlainLogStore));
            }
        }
    });
}

struct PlainLogStore;

impl LogStoreFactory for PlainLogStore {
    fn with_options(
        &self,
        prefixed_store: ObjectStoreRef,
        root_store: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(
            prefixed_store,
            root_store,
            location,
            options,
        ))
    }
}
