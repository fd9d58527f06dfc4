//! Results that exceed the terminal, through `$PAGER`, else `less`, else as they are.

use std::io::{self, ErrorKind, Write};
use std::process::{Command, Stdio};

/// Wide lines are cut and can be scrolled to, colors stay, and what fits the screen is only printed.
const LESS_OPTIONS: &str = "FRSX";
const USUAL: &str = "less";

pub struct Pager {
    command: String,
}

impl Pager {
    /// `command` is a shell's, as in the variable; empty for none at all.
    pub fn new(command: Option<String>) -> Pager {
        Pager {
            command: command.unwrap_or_else(|| USUAL.to_owned()),
        }
    }

    pub fn show(&self, text: &[u8]) -> io::Result<()> {
        if self.command.trim().is_empty() || fits_screen(text) || !self.paged(text)? {
            let mut out = io::stdout().lock();
            out.write_all(text)?;
            out.flush()?;
        }
        Ok(())
    }

    /// Whether there is such a pager, and it showed the text.
    fn paged(&self, text: &[u8]) -> io::Result<bool> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {}", self.command)]);
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS_OPTIONS);
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
}

fn fits_screen(text: &[u8]) -> bool {
    let Some((width, height)) = terminal_size::terminal_size() else {
        return true;
    };
    let text = String::from_utf8_lossy(text);
    let mut rows = 0;
    for line in text.lines() {
        rows += 1;
        // Wide characters are rare enough; a pager too many does no harm.
        if rows >= usize::from(height.0) || line.chars().count() > usize::from(width.0) {
            return false;
        }
    }
    true
}
