//! `.output FILE`: results go into a file, which has each of them whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::commands::query::{Destination, Drawing};
use crate::exit::Failure;
use ::query::{ChartSpec, Format, QueryError};

/// The file that was named, and how many results it has.
pub struct Output {
    pub path: PathBuf,
    results: usize,
}

impl Output {
    pub fn to(path: &str) -> Result<Output, Failure> {
        let path = PathBuf::from(path);
        if Format::of_file(&path).is_none() && !Drawing::is_picture(&path) {
            return Err(Failure::Usage(anyhow!(
                "the ending of {} names no format",
                path.display()
            )));
        }
        Ok(Output { path, results: 0 })
    }

    /// By the file's ending, and whether charts are wanted.
    pub fn chart(&self, wanted: Option<&ChartSpec>, sql: &str) -> Result<Option<Drawing>, Failure> {
        Drawing::into_file(wanted.cloned(), &self.path, sql)
    }

    pub fn format(&self) -> Format {
        Format::of_file(&self.path).unwrap_or_default()
    }

    /// To add results to what is there.
    pub fn open(&self, holds_one: bool) -> Result<OutputFile, Failure> {
        let place = match self.results {
            0 => Place::New(Destination::file(&self.path).map_err(Failure::Work)?),
            _ => Place::There(Addition::to(&self.path)?),
        };
        Ok(OutputFile {
            path: self.path.clone(),
            place,
            results: self.results,
            holds_one,
        })
    }

    pub fn keep(&mut self, file: OutputFile) -> Result<(), Failure> {
        self.results = file.results;
        match file.place {
            Place::New(_) if file.results == 0 => Ok(()),
            Place::New(destination) => destination.finish(false).map(drop),
            Place::There(addition) => Ok(addition.keep()?),
        }
    }
}

/// Open for the results of one input. Dropped, it leaves the file as it was.
pub struct OutputFile {
    path: PathBuf,
    place: Place,
    results: usize,
    holds_one: bool,
}

enum Place {
    New(Destination),
    There(Addition),
}

impl OutputFile {
    pub fn begin_result(&mut self, separator: &[u8]) -> Result<(), QueryError> {
        if self.results > 0 && self.holds_one {
            return Err(QueryError::Parameter(format!(
                "{} has a result already, and such a file holds one; .output FILE names another",
                self.path.display()
            )));
        }
        if self.results > 0 {
            self.write_all(separator)?;
        }
        self.results += 1;
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.place {
            Place::New(destination) => destination.write(bytes),
            Place::There(addition) => addition.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::New(destination) => destination.flush(),
            Place::There(addition) => addition.file.flush(),
        }
    }
}

/// What is written behind the results that a file has.
struct Addition {
    file: BufWriter<File>,
    /// Up to where the file stays, unless what is added is kept.
    length: Option<u64>,
}

impl Addition {
    fn to(path: &Path) -> io::Result<Addition> {
        let mut file = File::options().write(true).open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Addition {
            file: BufWriter::new(file),
            length: Some(length),
        })
    }

    fn keep(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.length = None;
        Ok(())
    }
}

impl Drop for Addition {
    fn drop(&mut self) {
        if let Some(length) = self.length {
            let _ = self.file.flush();
            let _ = self.file.get_ref().set_len(length);
        }
    }
}
