//! A mistake in SQL with its place, and the line it stands on with a caret below.

use std::fmt;

/// What is wrong with the SQL, and where, if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlMistake {
    pub message: String,
    pub place: Option<Place>,
}

/// A stretch of one line, counted in characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    /// How many characters it is long; 0 where only its beginning is known.
    pub width: usize,
}

/// Of a line so many characters are shown.
const LINE_AT_MOST: usize = 160;

impl SqlMistake {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
        }
    }

    pub(crate) fn at(message: impl Into<String>, place: Option<Place>) -> Self {
        Self {
            message: message.into(),
            place,
        }
    }

    /// The line of `sql` that the mistake is on, under a heading of where that is, the mistake
    /// underlined:
    ///
    /// ```text
    ///  --> report.sql:2:10
    ///   |
    /// 2 |   SELECT chanel FROM fact_chats
    ///   |          ^^^^^^
    /// ```
    ///
    /// `above` are the lines that stand above `sql` in its source.
    pub fn excerpt(&self, sql: &str, source: Option<&str>, above: usize) -> Option<String> {
        let Place {
            line,
            column,
            width,
        } = self.place?;
        let text = sql.lines().nth(line.checked_sub(1)?)?;
        // Each as one character, so that the caret stays below what it points at.
        let shown = |character: char| match character {
            '\u{feff}' => ' ',
            '\t' => '\t',
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        };
        let (text, before) = stretch(text.chars().map(shown).collect(), column.checked_sub(1)?);
        // Tabs keep their width, so that the caret stands below what it points at.
        let indent: String = text
            .chars()
            .map(|character| if character == '\t' { '\t' } else { ' ' })
            .chain(std::iter::repeat(' '))
            .take(before)
            .collect();
        let rest: Vec<char> = text.chars().skip(before).collect();
        let width = match width {
            0 => rest.iter().take_while(|c| is_word(**c)).count(),
            known => known.min(rest.len()),
        };
        let carets = "^".repeat(width.max(1));
        let line = line + above;
        let margin = " ".repeat(line.to_string().len());
        let place = match source {
            Some(source) => format!("{source}:{line}:{column}"),
            None => format!("line {line}, column {column}"),
        };
        Some(format!(
            "{margin}--> {place}\n{margin} |\n{line} | {text}\n{margin} | {indent}{carets}"
        ))
    }
}

/// Of a long line what is around that many characters, and how many of them are left before it.
fn stretch(mut line: Vec<char>, before: usize) -> (String, usize) {
    let from = match line.len() > LINE_AT_MOST {
        true => before.saturating_sub(LINE_AT_MOST / 2).min(line.len()),
        false => 0,
    };
    line.drain(..from);
    if let (true, Some(first)) = (from > 0, line.first_mut()) {
        *first = '…';
    }
    if line.len() > LINE_AT_MOST {
        line.truncate(LINE_AT_MOST - 1);
        line.push('…');
    }
    (line.into_iter().collect(), before - from)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

impl fmt::Display for SqlMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match self.place {
            Some(Place { line, column, .. }) => {
                write!(formatter, " (line {line}, column {column})")
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, line: usize, column: usize, width: usize, expected: &str) {
        let place = Some(Place {
            line,
            column,
            width,
        });
        let excerpt = SqlMistake::at("wrong", place).excerpt(sql, None, 0);
        assert_eq!(excerpt.as_deref(), Some(expected));
    }

    #[test]
    fn the_caret_stands_below_what_is_wrong() {
        check(
            "SELECT\n\té, chanel FROM t",
            2,
            5,
            0,
            " --> line 2, column 5\n  |\n2 | \té, chanel FROM t\n  | \t   ^^^^^^",
        );
        check(
            "SELECT a b c",
            1,
            8,
            3,
            " --> line 1, column 8\n  |\n1 | SELECT a b c\n  |        ^^^",
        );
        check(
            "SELECT \u{1b}[2J, a",
            1,
            14,
            0,
            " --> line 1, column 14\n  |\n1 | SELECT \u{fffd}[2J, a\n  |              ^",
        );
        check(
            "SELECT (",
            1,
            9,
            0,
            " --> line 1, column 9\n  |\n1 | SELECT (\n  |         ^",
        );
    }

    #[test]
    fn of_a_long_line_is_shown_what_is_around_the_place() {
        let sql = format!("SELECT {}chanel{}", "a, ".repeat(100), ", b".repeat(100));
        let place = Some(Place {
            line: 1,
            column: 308,
            width: 0,
        });
        let excerpt = SqlMistake::at("wrong", place).excerpt(&sql, None, 0);
        let excerpt = excerpt.unwrap_or_default();
        let lines: Vec<Vec<char>> = excerpt.lines().map(|line| line.chars().collect()).collect();
        let [_, _, text, carets] = lines.as_slice() else {
            panic!("{excerpt}");
        };
        assert_eq!(text.len(), "1 | ".len() + LINE_AT_MOST);
        assert_eq!([text[4], text[text.len() - 1]], ['…', '…']);
        let marked = text.iter().zip(carets).filter(|(_, mark)| **mark == '^');
        assert_eq!(marked.map(|(shown, _)| shown).collect::<String>(), "chanel");
        // Of a short line all is shown.
        assert_eq!(
            stretch("a".repeat(LINE_AT_MOST).chars().collect(), 159),
            ("a".repeat(LINE_AT_MOST), 159)
        );
    }

    #[test]
    fn a_place_beyond_the_text_gives_none() {
        let place = Some(Place {
            line: 3,
            column: 1,
            width: 0,
        });
        assert_eq!(
            SqlMistake::at("wrong", place).excerpt("SELECT 1", None, 0),
            None
        );
    }
}
