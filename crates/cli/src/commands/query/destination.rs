//! Where results go: stdout, a screen that may need a pager, or a file that is there whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write, stdout};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use tempfile::NamedTempFile;
use terminal_size::{Height, Width, terminal_size};

use crate::args::Query;
use crate::exit::Failure;
use crate::pager::Pager;
use ::query::{Format, Screen, Style};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

pub enum Destination {
    Stdout(BufWriter<Stdout>),
    /// Tables for people at a terminal: collected, since they may be larger than the screen.
    Screen {
        text: Vec<u8>,
        pager: Pager,
        size: (usize, usize),
    },
    /// A new file, which takes its name when it is complete.
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
    /// What is there and is no file, such as a pipe, or what a process has open.
    Device(BufWriter<File>),
}

impl Destination {
    pub fn open(args: &Query, format: Format) -> Result<Destination, Failure> {
        match &args.output {
            Some(path) => Destination::file(path).map_err(Failure::Work),
            None if format == Format::Table && stdout().is_terminal() => Ok(Destination::screen()),
            None => Ok(Destination::Stdout(BufWriter::new(stdout()))),
        }
    }

    pub fn file(path: &Path) -> anyhow::Result<Destination> {
        let writing = || format!("writing {}", path.display());
        let path = &followed(path).with_context(writing)?;
        let descriptors = descriptors(path);
        if let Some(folder) = &descriptors {
            if *folder == own_descriptors() && path.ends_with("1") {
                return Ok(Destination::Stdout(BufWriter::new(stdout())));
            }
            // Opened anew it is written from a place of its own, and whoever has it open writes over that.
            if path.is_file() {
                bail!(
                    "{} is a file that is open already: write to stdout, and redirect that",
                    path.display()
                );
            }
        }
        if descriptors.is_some() || path.exists() && !path.is_file() {
            let device = File::options().write(true).open(path);
            return Ok(Destination::Device(BufWriter::new(
                device.with_context(writing)?,
            )));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            return Err(anyhow!("there is no folder {}", folder.display())).with_context(writing);
        }
        let name = path
            .file_name()
            .ok_or_else(|| anyhow!("{} is no name of a file", path.display()))?;
        let file = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.to_string_lossy()))
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .with_context(writing)?;
        if let Ok(replaced) = path.metadata() {
            let permissions = replaced.permissions();
            file.as_file()
                .set_permissions(permissions)
                .with_context(writing)?;
        }
        Ok(Destination::File {
            file: BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    fn screen() -> Destination {
        let size = terminal_size().map_or((80, 24), |(Width(width), Height(height))| {
            (width.into(), height.into())
        });
        Destination::Screen {
            text: Vec::new(),
            pager: Pager::of_environment(),
            size,
        }
    }

    /// How results look here.
    pub fn style(&self, args: &Query) -> Style {
        let at_terminal = match self {
            Destination::Screen { pager, size, .. } => Some(Screen {
                width: size.0,
                height: pager.is_wanted().then_some(size.1),
            }),
            _ => None,
        };
        let screen = match args.width {
            None => at_terminal,
            Some(0) => None,
            Some(width) => Some(Screen {
                width,
                height: None,
            }),
        };
        Style {
            null: args.null.clone(),
            human: args.human,
            row_limit: match args.max_rows {
                0 => usize::MAX,
                limit => limit,
            },
            screen,
        }
    }

    /// Whether what is written shows at once, where a progress bar would be in its way.
    pub fn writes_to_terminal(&self) -> bool {
        match self {
            Destination::Stdout(_) => stdout().is_terminal(),
            Destination::Device(_) => true,
            Destination::Screen { .. } | Destination::File { .. } => false,
        }
    }

    /// Whether nothing is seen of what is written before all of it is.
    pub fn shows_at_the_end(&self) -> bool {
        matches!(self, Destination::Screen { .. })
    }

    /// The file that is there until all is done.
    pub fn unfinished(&self) -> Option<PathBuf> {
        match self {
            Destination::File { file, .. } => Some(file.get_ref().path().to_owned()),
            _ => None,
        }
    }

    /// All results are written. What exceeds the screen is yet to be paged.
    pub fn finish(self, exceeds_screen: bool) -> Result<Option<Paged>, Failure> {
        match self {
            Destination::Stdout(mut out) => out.flush()?,
            Destination::Device(mut out) => out.flush()?,
            Destination::Screen { text, pager, .. } if exceeds_screen => {
                return Ok(Some(Paged { text, pager }));
            }
            Destination::Screen { text, .. } => stdout().write_all(&text)?,
            Destination::File { file, path } => keep(file, &path).map_err(Failure::Work)?,
        }
        Ok(None)
    }

    /// The run failed: what was written for people to see is shown, an unfinished file goes.
    pub fn give_up(self) -> Result<(), Failure> {
        match self {
            Destination::File { .. } => Ok(()),
            shown => shown.finish(false).map(drop),
        }
    }
}

/// Results larger than the screen.
pub struct Paged {
    text: Vec<u8>,
    pager: Pager,
}

impl Paged {
    pub fn show(&self) -> Result<(), Failure> {
        Ok(self.pager.page(&self.text)?)
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Destination::Stdout(out) => out.write(bytes),
            Destination::Device(out) => out.write(bytes),
            Destination::Screen { text, .. } => text.write(bytes),
            Destination::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Destination::Stdout(out) => out.flush(),
            Destination::Device(out) => out.flush(),
            Destination::Screen { .. } => Ok(()),
            Destination::File { file, .. } => file.flush(),
        }
    }
}

/// Where a link leads, also to what is not there yet: a link stays one. What a process has open is no link, though it
/// looks like one: a file that was put in the place of what it leads to would not be written by that process.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if descriptors(&path).is_some() {
            return Ok(path);
        }
        match path.read_link() {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// The folder of what a process has open, if the path is in one, by whichever of its names.
fn descriptors(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?.canonicalize().ok()?;
    let is_one = (folder.starts_with("/proc") && folder.ends_with("fd")) || folder == *"/dev/fd";
    is_one.then_some(folder)
}

fn own_descriptors() -> PathBuf {
    let folder = Path::new("/dev/fd");
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

fn keep(file: BufWriter<NamedTempFile>, path: &Path) -> anyhow::Result<()> {
    let writing = || format!("writing {}", path.display());
    let file = file
        .into_inner()
        .map_err(|error| error.into_error())
        .with_context(writing)?;
    file.as_file().sync_all().with_context(writing)?;
    file.persist(path).with_context(writing)?;
    Ok(())
}
