//! What exceeds the terminal goes through `$PAGER`, else `less`, else is shown as it is.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::process::{Command, Stdio};

/// Wide lines are cut and can be scrolled to, colors stay, and what was read stays on the screen.
const LESS_OPTIONS: &str = "RSX";
const OPTIONS_FOR_TEXT: &str = "RX";
const USUAL: &str = "less";
/// What pagers are not: there is nothing to page with.
const NO_PAGER: [&str; 2] = ["", "cat"];

pub struct Pager {
    /// One of the system's shell, as in the variable.
    command: Option<String>,
}

impl Pager {
    pub fn of_environment() -> Pager {
        let command = env::var("PAGER").unwrap_or_else(|_| USUAL.to_owned());
        Pager {
            command: (!NO_PAGER.contains(&command.trim())).then_some(command),
        }
    }

    pub fn is_wanted(&self) -> bool {
        self.command.is_some()
    }

    /// Through the pager if it is larger than the terminal.
    pub fn show(&self, text: &[u8]) -> io::Result<()> {
        if fits_screen(text) {
            plain(text)
        } else {
            self.page(text)
        }
    }

    /// As [`show`](Self::show), of what is read and not scrolled to: wide lines go on in the next row.
    pub fn show_text(&self, text: &[u8]) -> io::Result<()> {
        match &self.command {
            Some(command) if is_longer(text) && paged(command, text, OPTIONS_FOR_TEXT)? => Ok(()),
            _ => plain(text),
        }
    }

    /// Through the pager; without one that works, plainly.
    pub fn page(&self, text: &[u8]) -> io::Result<()> {
        match &self.command {
            Some(command) if paged(command, text, LESS_OPTIONS)? => Ok(()),
            _ => plain(text),
        }
    }
}

fn plain(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

/// Whether there is such a pager, and it showed the text.
fn paged(pager: &str, text: &[u8], options: &str) -> io::Result<bool> {
    let mut command = Command::new("sh");
    command.args(["-c", pager]);
    if env::var_os("LESS").is_none() {
        command.env("LESS", options);
    }
    let Ok(mut pager) = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        return Ok(false);
    };
    let written = match pager.stdin.take() {
        Some(mut stdin) => stdin.write_all(text),
        None => Ok(()),
    };
    // 127: the shell has not found it.
    let found = pager.wait()?.code() != Some(127);
    match written {
        // Whoever has seen enough leaves before the end.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(found),
    }
}

/// Without colors. Wide characters are rare enough; a pager too many does no harm.
fn characters(line: &str) -> usize {
    let mut parts = line.split("\x1b[");
    let plain = parts.next().map_or(0, |text| text.chars().count());
    let colored = parts.filter_map(|part| part.split_once('m'));
    plain + colored.map(|(_, text)| text.chars().count()).sum::<usize>()
}

/// Whether it has more rows than the terminal.
fn is_longer(text: &[u8]) -> bool {
    let Some((width, height)) = terminal_size::terminal_size() else {
        return false;
    };
    let width = usize::from(width.0).max(1);
    let text = String::from_utf8_lossy(text);
    let rows = text
        .lines()
        .map(|line| characters(line).max(1).div_ceil(width));
    rows.sum::<usize>() >= usize::from(height.0)
}

fn fits_screen(text: &[u8]) -> bool {
    let Some((width, height)) = terminal_size::terminal_size() else {
        return true;
    };
    let text = String::from_utf8_lossy(text);
    let mut rows = 0;
    for line in text.lines() {
        rows += 1;
        if rows >= usize::from(height.0) || characters(line) > usize::from(width.0) {
            return false;
        }
    }
    true
}
