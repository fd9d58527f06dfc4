//! Lists: at a terminal the text at the end of a line goes on below its own beginning.

use std::io::{self, IsTerminal, Write};

/// Of a line less than this is left for the text: it goes on near the left then.
const LEAST_TEXT: usize = 30;
const NEAR_THE_LEFT: usize = 4;

/// Shows a list on stdout, fitted to it where it is a terminal.
pub fn show(text: &[u8]) -> io::Result<()> {
    let size = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal());
    let mut out = io::stdout().lock();
    match size {
        Some((width, _)) => {
            out.write_all(wrapped(&String::from_utf8_lossy(text), width.0.into()).as_bytes())
        }
        None => out.write_all(text),
    }
}

/// No line wider than `width`, unless a word is.
pub fn wrapped(text: &str, width: usize) -> String {
    let column = text_column(text);
    let column = if column + LEAST_TEXT <= width {
        column
    } else {
        NEAR_THE_LEFT
    };
    let mut shown = String::new();
    for line in text.lines() {
        if line.chars().count() <= width {
            shown += line;
        } else {
            wrap_line(line, width, column, &mut shown);
        }
        shown.push('\n');
    }
    shown
}

/// Where the last column begins: named by a header, or what stands below each other behind two blanks.
fn text_column(text: &str) -> usize {
    let first = text.lines().next().unwrap_or_default();
    if let Some(place) = first.find("  description") {
        return place + 2;
    }
    let ends = text.lines().filter_map(|line| {
        let blank = line.find("  ")?;
        let rest = line[blank..].trim_start();
        (!rest.is_empty()).then(|| line.chars().count() - rest.chars().count())
    });
    ends.max().unwrap_or_default()
}

fn wrap_line(line: &str, width: usize, column: usize, shown: &mut String) {
    // The columns before the text keep their blanks.
    let start = line
        .char_indices()
        .nth(column)
        .map_or(0, |(place, _)| place);
    let is_start = start > 0 && line[..start].ends_with(' ');
    let (before, text) = line.split_at(if is_start { start } else { 0 });
    *shown += before;
    let mut used = before.chars().count();
    let mut is_first = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if is_first {
            is_first = false;
        } else if used + 1 + length > width {
            shown.truncate(shown.trim_end_matches(' ').len());
            shown.push('\n');
            *shown += &" ".repeat(column);
            used = column;
            if word.is_empty() {
                is_first = true;
                continue;
            }
        } else {
            shown.push(' ');
            used += 1;
        }
        *shown += word;
        used += length;
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn the_last_column_goes_on_below_itself() {
        let check = |text: &str, width: usize, expected: &str| {
            assert_eq!(wrapped(text, width), expected, "{width}");
        };
        let list = "first   one that says a lot about what it is\nsecond  little\n";
        check(list, 80, list);
        check(
            list,
            40,
            "first   one that says a lot about what\n        it is\nsecond  little\n",
        );
        // Where little is left it goes on near the left.
        check(
            list,
            30,
            "first   one that says a lot\n    about what it is\nsecond  little\n",
        );
        let table = "table   rows  description\nevents     7  what came, as it came, and when it did come\n";
        check(
            table,
            50,
            "table   rows  description\nevents     7  what came, as it came, and when it\n              did come\n",
        );
    }
}
