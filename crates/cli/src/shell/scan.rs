//! What a text of SQL consists of, also while it is being typed: words, texts, comments, and where its
//! statements end.
//!
//! Not the engine's parser: that one refuses what is unfinished, and this one never does.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword, without quotes.
    Word,
    /// `$name`.
    Parameter,
    Number,
    /// In single quotes.
    Text,
    /// In double quotes.
    Name,
    Comment,
    /// The end of a statement.
    Semicolon,
    /// Any other character.
    Sign,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub place: Range<usize>,
    /// Whether its closing quote or comment sign is there.
    pub is_closed: bool,
}

impl Token {
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.place.clone()]
    }

    fn says_something(&self) -> bool {
        !matches!(self.kind, Kind::Comment | Kind::Semicolon)
    }
}

/// All but white space.
pub fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = sql[start..].chars().next() {
        let rest = &sql[start..];
        if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        }
        let (kind, length, is_closed) = token(first, rest);
        let place = start..start + length;
        start = place.end;
        tokens.push(Token {
            kind,
            place,
            is_closed,
        });
    }
    tokens
}

/// The token at the start of a text: its kind, its length, and whether it is closed.
fn token(first: char, rest: &str) -> (Kind, usize, bool) {
    let run = |wanted: fn(char) -> bool| rest.find(|other| !wanted(other)).unwrap_or(rest.len());
    match first {
        '\'' => quoted(rest, '\'', Kind::Text),
        '"' => quoted(rest, '"', Kind::Name),
        '-' if rest.starts_with("--") => {
            (Kind::Comment, rest.find('\n').unwrap_or(rest.len()), true)
        }
        '/' if rest.starts_with("/*") => match rest.find("*/") {
            Some(end) => (Kind::Comment, end + 2, true),
            None => (Kind::Comment, rest.len(), false),
        },
        ';' => (Kind::Semicolon, 1, true),
        '$' => {
            let name = rest[1..]
                .find(|other: char| !is_word(other))
                .unwrap_or(rest.len() - 1);
            (Kind::Parameter, 1 + name, true)
        }
        first if first.is_ascii_digit() => (
            Kind::Number,
            run(|other| is_word(other) || other == '.'),
            true,
        ),
        first if is_word(first) => (Kind::Word, run(is_word), true),
        other => (Kind::Sign, other.len_utf8(), true),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// A quote that is doubled is part of what is quoted.
fn quoted(rest: &str, quote: char, kind: Kind) -> (Kind, usize, bool) {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        if character != quote {
            continue;
        }
        match characters.peek() {
            Some((_, next)) if *next == quote => {
                characters.next();
            }
            _ => return (kind, place + 1, true),
        }
    }
    (kind, rest.len(), false)
}

/// Whether Enter ends the input: a command, nothing at all, or statements of which the last has its
/// semicolon.
pub fn is_complete(input: &str) -> bool {
    if is_command(input) {
        return true;
    }
    let tokens = tokens(input);
    let mut last = None;
    for token in &tokens {
        if !token.is_closed {
            return false;
        }
        if token.kind != Kind::Comment {
            last = Some(token.kind);
        }
    }
    last.is_none_or(|kind| kind == Kind::Semicolon)
}

/// Whether there is more than comments.
pub fn says_something(input: &str) -> bool {
    let tokens = tokens(input);
    tokens.iter().any(Token::says_something)
}

/// Those above the first word, empty or of comments.
pub fn lines_before_words(input: &str) -> usize {
    let tokens = tokens(input);
    let first = tokens.iter().find(|token| token.says_something());
    first.map_or(0, |first| input[..first.place.start].matches('\n').count())
}

/// What begins with a dot, and the words by which other shells are left or asked.
pub fn is_command(input: &str) -> bool {
    let input = input.trim();
    let word = input.trim_end_matches(';').trim_end();
    input.starts_with('.')
        || ["exit", "quit", "help"]
            .iter()
            .any(|other| word.eq_ignore_ascii_case(other))
}

/// The statements without their semicolons, and whether the last one has its own.
pub fn statements(sql: &str) -> (Vec<&str>, bool) {
    let mut statements = Vec::new();
    let (mut start, mut says_something) = (0, false);
    for token in tokens(sql) {
        if token.kind == Kind::Semicolon {
            if says_something {
                statements.push(sql[start..token.place.start].trim());
            }
            (start, says_something) = (token.place.end, false);
        } else {
            says_something |= token.says_something();
        }
    }
    if says_something {
        statements.push(sql[start..].trim());
    }
    (statements, !says_something)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_ends_what_has_its_semicolon() {
        let check =
            |input: &str, expected: bool| assert_eq!(is_complete(input), expected, "{input}");
        check("", true);
        check("  \n", true);
        check("SELECT 1", false);
        check("SELECT 1;", true);
        check("SELECT 1; -- done", true);
        check("SELECT 1 -- not done;", false);
        check("SELECT 1 /* nor here; */", false);
        check("SELECT ';", false);
        check("SELECT 'it''s;", false);
        check("SELECT 'it''s';", true);
        check("SELECT \"a;b\"", false);
        check("SELECT 1; /* open", false);
        check(".tables", true);
        check(" .describe fact_chats", true);
        check("SELECT 1; SELECT", false);
    }

    #[test]
    fn statements_end_at_semicolons_outside_quotes_and_comments() {
        let check = |sql: &str, expected: &[&str], is_ended: bool| {
            assert_eq!(statements(sql), (expected.to_vec(), is_ended), "{sql}");
        };
        check("SELECT ';'; SELECT 2", &["SELECT ';'", "SELECT 2"], false);
        check("SELECT 1;; -- no statement;\n;", &["SELECT 1"], true);
        check("-- ação;\nSELECT 'é' ;", &["-- ação;\nSELECT 'é'"], true);
        check("", &[], true);
    }

    #[test]
    fn tokens_cover_all_but_white_space() {
        let sql = "SELECT $a, 'é' FROM t -- c\nWHERE x>=1.5;";
        let kinds: Vec<(Kind, &str)> = tokens(sql)
            .iter()
            .map(|token| (token.kind, token.text(sql)))
            .collect();
        assert_eq!(
            kinds,
            [
                (Kind::Word, "SELECT"),
                (Kind::Parameter, "$a"),
                (Kind::Sign, ","),
                (Kind::Text, "'é'"),
                (Kind::Word, "FROM"),
                (Kind::Word, "t"),
                (Kind::Comment, "-- c"),
                (Kind::Word, "WHERE"),
                (Kind::Word, "x"),
                (Kind::Sign, ">"),
                (Kind::Sign, "="),
                (Kind::Number, "1.5"),
                (Kind::Semicolon, ";"),
            ]
        );
    }
}
