//! What the WAL asks of a disk, so that tests can hand it one that fails. Holds no knowledge of frames.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// The file operations of the WAL. Everything a method reports as done survives a power cut, except what was
/// written to a [`DiskFile`] and not yet synced.
pub trait Disk: Send + Sync + 'static {
    /// Creates the directory and its parents where missing.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Creates an empty file, replacing an older one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// What a directory holds.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send {
    /// Writes all the bytes from this position on.
    fn write_at(&mut self, position: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads what there is from this position on; fewer bytes than asked only at the end of the file.
    fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Returns when the written bytes are on stable storage.
    fn sync(&mut self) -> io::Result<()>;
}

/// One name in a directory.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: String,
    pub is_dir: bool,
    pub bytes: u64,
}

/// The disk of this machine. What it creates is for the service's user only: deliveries hold tokens and what people
/// wrote.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            self.create_dir(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => sync_parent(path),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.sync_all()?;
        sync_parent(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // A name that is not UTF-8 was not written by us; shown with replacements it matches nothing.
            let name = entry.file_name().to_string_lossy().into_owned();
            entries.push(Entry {
                name,
                is_dir: metadata.is_dir(),
                bytes: metadata.len(),
            });
        }
        Ok(entries)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        sync_parent(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)?;
        sync_parent(path)
    }
}

impl DiskFile for File {
    fn write_at(&mut self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, position)
    }

    fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A created or removed name is durable only once its directory is synced.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
