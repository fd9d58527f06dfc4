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
    piece(&format!("{}\n", harmless(&line.to_string())));
}

/// What a name or a text from elsewhere tells a terminal to do is shown, and not done.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

/// As it is, such as a control sequence of a terminal.
pub fn piece(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(harmless("é\t\u{1b}[2J\r\n"), "é\t\\u{1b}[2J\\r\n");
    }
}
