//! What is said beside the data, on stderr. That nobody can hear it never ends the work.

use std::fmt;
use std::io::Write;

/// Says a line on stderr, as `eprintln!`, which panics where stderr is closed.
macro_rules! tell {
    ($($line:tt)*) => {
        $crate::narration::line(format_args!($($line)*))
    };
}

pub fn line(line: fmt::Arguments) {
    // In one piece, so that the lines of threads do not mix.
    piece(&format!("{line}\n"));
}

/// As it is, such as a control sequence of a terminal.
pub fn piece(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
