//! Reading inputs line by line into batches of rows, on a thread of its own. Keeps every line it cannot use, byte for
//! byte, beside the input. Never holds more than one batch and one line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use events::EventRow;
use flate2::bufread::MultiGzDecoder;
use tokio::sync::mpsc::Sender;

use super::{Fallback, ImportError, ImportSettings, Input, line};

const BUFFER_BYTES: usize = 256 * 1024;
/// Lines between two reports of progress.
const REPORT_LINES: u64 = 2000;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the reader has to say, in order.
pub(super) enum Step {
    Began { name: String, bytes: Option<u64> },
    Read { bytes: u64 },
    Rejected { line: u64, reason: String },
    Batch(Vec<EventRow>),
}

/// Over all inputs.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub lines: u64,
    pub rejected: u64,
}

/// Nobody listens any more.
struct Gone;

pub(super) struct Reader {
    settings: ImportSettings,
    steps: Sender<Step>,
    counts: Counts,
    batch: Vec<EventRow>,
    batch_bytes: usize,
}

impl Reader {
    pub fn new(settings: ImportSettings, steps: Sender<Step>) -> Self {
        Self {
            settings,
            steps,
            counts: Counts::default(),
            batch: Vec::new(),
            batch_bytes: 0,
        }
    }

    /// All inputs in order. After a failure the rows read so far are still handed over.
    pub fn read_all(mut self, inputs: &[Input]) -> Result<Counts, ImportError> {
        for input in inputs {
            match self.read_input(input) {
                Ok(Ok(())) => {}
                Ok(Err(Gone)) => return Ok(self.counts),
                Err(error) => {
                    // The failure matters more than whether anybody still wants the rows.
                    let _ = self.hand_over();
                    return Err(error);
                }
            }
        }
        let _ = self.hand_over();
        Ok(self.counts)
    }

    fn read_input(&mut self, input: &Input) -> Result<Result<(), Gone>, ImportError> {
        let failed = |line| {
            move |source| ImportError::Read {
                input: input.name(),
                line,
                source,
            }
        };
        let mut source = Source::open(input).map_err(failed(0))?;
        let mut rejects = Rejects::new(input.rejected_path())?;
        if self
            .send(Step::Began {
                name: input.name(),
                bytes: source.bytes,
            })
            .is_err()
        {
            return Ok(Err(Gone));
        }
        let mut text = Vec::new();
        for number in 1_u64.. {
            let limit = self.settings.max_line_bytes;
            let end = next_line(&mut source.lines, limit, &mut text).map_err(failed(number - 1))?;
            let reason = match end {
                LineEnd::EndOfInput => break,
                LineEnd::Complete => match self.take_line(&text, number, source.fallback) {
                    Ok(reason) => reason,
                    Err(Gone) => return Ok(Err(Gone)),
                },
                LineEnd::TooLong => {
                    self.counts.lines += 1;
                    Some(format!("longer than {limit} bytes"))
                }
            };
            if let Some(reason) = reason {
                self.counts.rejected += 1;
                rejects.keep(&text)?;
                let mut end = end;
                while end == LineEnd::TooLong {
                    end = next_line(&mut source.lines, limit, &mut text).map_err(failed(number))?;
                    rejects.keep(&text)?;
                }
                if self
                    .send(Step::Rejected {
                        line: number,
                        reason,
                    })
                    .is_err()
                {
                    return Ok(Err(Gone));
                }
            }
            let is_full = self.batch.len() >= self.settings.batch_events
                || self.batch_bytes >= self.settings.batch_bytes;
            let bytes = source.position.load(Ordering::Relaxed);
            if (number % REPORT_LINES == 0 && self.send(Step::Read { bytes }).is_err())
                || (is_full && self.hand_over().is_err())
            {
                return Ok(Err(Gone));
            }
        }
        rejects.finish()?;
        Ok(self.send(Step::Read {
            bytes: source.position.load(Ordering::Relaxed),
        }))
    }

    /// Takes the line's rows into the batch, or tells why not. Blank lines are nothing; a line of very many rows is
    /// handed over in parts.
    fn take_line(
        &mut self,
        text: &[u8],
        number: u64,
        fallback: Fallback,
    ) -> Result<Option<String>, Gone> {
        let text = text
            .strip_prefix(BYTE_ORDER_MARK)
            .filter(|_| number == 1)
            .unwrap_or(text)
            .trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        self.counts.lines += 1;
        self.batch_bytes += text.len();
        let ImportSettings {
            zone, batch_events, ..
        } = self.settings;
        let mut handed_over = Ok(());
        let read = line::each_row(text, fallback, zone, |row| {
            self.batch.push(row);
            if self.batch.len() >= batch_events {
                handed_over = self.hand_over();
            }
        });
        handed_over?;
        Ok(read.err())
    }

    fn hand_over(&mut self) -> Result<(), Gone> {
        self.batch_bytes = 0;
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.send(Step::Batch(batch))
    }

    fn send(&self, step: Step) -> Result<(), Gone> {
        self.steps.blocking_send(step).map_err(|_| Gone)
    }
}

/// An open input.
struct Source {
    lines: Box<dyn BufRead>,
    /// Size on disk, of a file.
    bytes: Option<u64>,
    /// Bytes read, as they are on disk.
    position: Arc<AtomicU64>,
    fallback: Fallback,
}

impl Source {
    fn open(input: &Input) -> io::Result<Self> {
        let position = Arc::new(AtomicU64::new(0));
        let Input::File(path) = input else {
            let stdin = Counted {
                inner: io::stdin(),
                position: Arc::clone(&position),
            };
            let lines = Box::new(BufReader::with_capacity(BUFFER_BYTES, stdin));
            return Ok(Self {
                lines,
                bytes: None,
                position,
                fallback: None,
            });
        };
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let fallback = metadata.modified().ok().map(DateTime::<Utc>::from);
        let raw = BufReader::with_capacity(
            BUFFER_BYTES,
            Counted {
                inner: file,
                position: Arc::clone(&position),
            },
        );
        let lines = unpacked(path, raw, metadata.len())?;
        Ok(Self {
            lines,
            bytes: Some(metadata.len()),
            position,
            fallback,
        })
    }
}

fn unpacked(path: &Path, raw: impl BufRead + 'static, bytes: u64) -> io::Result<Box<dyn BufRead>> {
    let extension = path
        .extension()
        .map(|extension| extension.to_ascii_lowercase());
    let unpacked: Box<dyn Read> = match extension.as_ref().and_then(|extension| extension.to_str())
    {
        Some("gz" | "zst") if bytes == 0 => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is empty, so it is not compressed",
            ));
        }
        Some("gz") => Box::new(MultiGzDecoder::new(raw)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::with_buffer(raw)?),
        _ => return Ok(Box::new(raw)),
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked)))
}

/// Counts what is read through it.
struct Counted<R> {
    inner: R,
    position: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Complete,
    /// The limit came before the line's end; the rest follows.
    TooLong,
    EndOfInput,
}

/// The next line with its end into `text`.
fn next_line(lines: &mut dyn BufRead, limit: usize, text: &mut Vec<u8>) -> io::Result<LineEnd> {
    text.clear();
    let read = lines.take(limit as u64).read_until(b'\n', text)?;
    Ok(match read {
        0 => LineEnd::EndOfInput,
        _ if read < limit || text.ends_with(b"\n") => LineEnd::Complete,
        _ => LineEnd::TooLong,
    })
}

/// The lines of one input that could not be used. There is no file without such a line.
struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    /// Forgets what an earlier import kept.
    fn new(path: PathBuf) -> Result<Self, ImportError> {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(ImportError::Rejected { path, source })
            }
            _ => Ok(Self { path, file: None }),
        }
    }

    fn keep(&mut self, text: &[u8]) -> Result<(), ImportError> {
        let path = &self.path;
        let failed = |source| ImportError::Rejected {
            path: path.clone(),
            source,
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                // As private as what it holds.
                let mut options = OpenOptions::new();
                options.write(true).create_new(true).mode(0o600);
                none.insert(BufWriter::new(options.open(path).map_err(failed)?))
            }
        };
        file.write_all(text).map_err(failed)
    }

    fn finish(self) -> Result<(), ImportError> {
        let Some(mut file) = self.file else {
            return Ok(());
        };
        file.flush().map_err(|source| ImportError::Rejected {
            path: self.path,
            source,
        })
    }
}
