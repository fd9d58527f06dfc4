//! What could stand where the cursor is: of a command its words, of SQL tables behind FROM, else columns of
//! the tables that the statement names, functions, keywords.

use std::path::Path;

use ::query::Format;

use super::command::COMMANDS;
use super::keywords::KEYWORDS;
use super::names::Known;
use super::scan::{Kind, Token, is_command, tokens};

const CHARTS: [&str; 6] = ["line", "bar", "heatmap", "histogram", "auto", "off"];

/// Where the word under the cursor starts, and what could stand for it.
pub fn candidates(input: &str, cursor: usize, known: &Known) -> (usize, Vec<String>) {
    let before = &input[..cursor];
    if is_command(before) && !starts_sql(before) {
        return of_command(before, known);
    }
    let start = before
        .rfind(|character: char| !(character.is_alphanumeric() || character == '_'))
        .map_or(0, |end| {
            end + before[end..].chars().next().map_or(1, char::len_utf8)
        });
    let word = &before[start..];
    let earlier = tokens(&before[..start]);
    if earlier
        .last()
        .is_some_and(|token| !token.is_closed || is_open_comment(token, before))
    {
        return (start, Vec::new());
    }
    let found = match behind(&earlier, before) {
        Behind::Table => fitting(word, known.tables.keys()),
        Behind::Dot(name) => fitting(word, columns_of(name, input, known)),
        Behind::Else => anything(word, input, known),
    };
    (start, found)
}

/// `.explain SELECT ...` is completed as SQL.
fn starts_sql(before: &str) -> bool {
    before.trim_start().starts_with(".explain ")
}

fn is_open_comment(token: &Token, before: &str) -> bool {
    token.kind == Kind::Comment
        && token.text(before).starts_with("--")
        && !before[token.place.start..].contains('\n')
}

enum Behind<'a> {
    /// FROM, JOIN and the like.
    Table,
    /// A name and a dot.
    Dot(&'a str),
    Else,
}

fn behind<'a>(earlier: &[Token], before: &'a str) -> Behind<'a> {
    let text = |back: usize| {
        let token = earlier
            .len()
            .checked_sub(back)
            .and_then(|index| earlier.get(index));
        token.map_or("", |token| token.text(before))
    };
    if text(1) == "." {
        return Behind::Dot(text(2).trim_matches('"'));
    }
    let names_table = ["FROM", "JOIN", "DESCRIBE", "TABLE", "INTO"];
    if names_table
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text(1)))
    {
        return Behind::Table;
    }
    // The next of several tables: FROM a, |
    let since_from = earlier.iter().rev().map(|token| token.text(before));
    let mut between = since_from.take_while(|word| !word.eq_ignore_ascii_case("FROM"));
    let is_list = text(1) == ","
        && earlier
            .iter()
            .any(|token| token.text(before).eq_ignore_ascii_case("FROM"));
    if is_list
        && between
            .all(|word| !KEYWORDS.contains(&word.to_ascii_uppercase().as_str()) && word != "(")
    {
        return Behind::Table;
    }
    Behind::Else
}

/// The columns of a table, by its name or by its alias in the statement.
fn columns_of<'a>(name: &str, input: &str, known: &'a Known) -> Vec<&'a String> {
    let words: Vec<&str> = tokens(input)
        .iter()
        .filter(|token| matches!(token.kind, Kind::Word | Kind::Name))
        .map(|token| token.text(input))
        .collect();
    let is_alias = |table: &str| {
        words.windows(3).any(|three| {
            three[0].eq_ignore_ascii_case(table)
                && (three[1] == name || three[1].eq_ignore_ascii_case("AS") && three[2] == name)
        }) || words.ends_with(&[table, name])
    };
    let tables = known
        .tables
        .iter()
        .filter(|(table, _)| table.eq_ignore_ascii_case(name) || is_alias(table));
    tables.flat_map(|(_, columns)| columns).collect()
}

fn anything(word: &str, input: &str, known: &Known) -> Vec<String> {
    if word.is_empty() {
        return Vec::new();
    }
    let tokens = tokens(input);
    let named = |table: &str| {
        tokens
            .iter()
            .any(|token| token.text(input).eq_ignore_ascii_case(table))
    };
    // Who begins with the columns has not said yet of which table.
    let is_said = known.tables.keys().any(|table| named(table));
    let columns = known
        .tables
        .iter()
        .filter(|(table, _)| !is_said || named(table))
        .flat_map(|(_, columns)| columns);
    let mut found = fitting(word, columns);
    found.extend(fitting(word, known.tables.keys()));
    // As one began to type it.
    let as_typed = |name: String| match word.chars().any(char::is_uppercase) {
        true => name.to_uppercase(),
        false => name.to_lowercase(),
    };
    let functions = fitting(word, known.functions.iter()).into_iter();
    found.extend(functions.map(|name| as_typed(name) + "("));
    found.extend(fitting(word, KEYWORDS.iter()).into_iter().map(as_typed));
    let mut seen = std::collections::HashSet::new();
    found.retain(|name| seen.insert(name.clone()));
    found
}

fn of_command(before: &str, known: &Known) -> (usize, Vec<String>) {
    let start = before.rfind(char::is_whitespace).map_or(0, |end| end + 1);
    let word = &before[start..];
    let mut earlier = before[..start].split_whitespace();
    let Some(command) = earlier.next() else {
        let names = COMMANDS.iter().map(|(name, ..)| *name);
        return (start, fitting(word, names));
    };
    let found = match (command, earlier.next()) {
        (".schema" | ".describe" | ".tables", None) => fitting(word, known.tables.keys()),
        (".queries" | ".run", None) => fitting(word, known.saved.keys()),
        (".run", Some(name)) => {
            let parameters = known.saved.get(name).into_iter().flatten();
            fitting(word, parameters)
                .into_iter()
                .map(|name| format!("{name}="))
                .collect()
        }
        (".param", _) => {
            let mut names: Vec<&String> = known.saved.values().flatten().collect();
            names.sort();
            names.dedup();
            fitting(word, names)
                .into_iter()
                .map(|name| format!("{name}="))
                .collect()
        }
        (".read", None) => files(word, |path| {
            path.extension().is_some_and(|ending| ending == "sql")
        }),
        (".output", None) => files(word, |_| true),
        (".format", None) => fitting(word, Format::ALL.iter().map(|format| format.name())),
        (".timing" | ".human", None) => fitting(word, ["on", "off"].iter()),
        (".chart", None) => fitting(word, CHARTS.iter()),
        _ => Vec::new(),
    };
    (start, found)
}

/// Folders, and the files that fit.
fn files(word: &str, fits: impl Fn(&Path) -> bool) -> Vec<String> {
    let (folder, start) = match word.rfind('/') {
        Some(end) => word.split_at(end + 1),
        None => ("", word),
    };
    let entries = std::fs::read_dir(if folder.is_empty() { "." } else { folder });
    let mut found: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.to_owned();
            let end = if path.is_dir() { "/" } else { "" };
            let is_hidden = name.starts_with('.') && !start.starts_with('.');
            (!is_hidden && name.starts_with(start) && (path.is_dir() || fits(&path)))
                .then(|| format!("{folder}{name}{end}"))
        })
        .collect();
    found.sort();
    found
}

fn fitting<N: AsRef<str>>(word: &str, names: impl IntoIterator<Item = N>) -> Vec<String> {
    let word = word.to_lowercase();
    let fits = |name: &N| name.as_ref().to_lowercase().starts_with(&word);
    names
        .into_iter()
        .filter(fits)
        .map(|name| name.as_ref().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Known {
            tables: [
                (
                    "fact_chats".to_owned(),
                    columns(&["channel", "chat_id", "outcome"]),
                ),
                (
                    "fact_replies".to_owned(),
                    columns(&["chat_id", "reply_seconds"]),
                ),
            ]
            .into(),
            functions: ["count".to_owned(), "char_length".to_owned()].into(),
            saved: [(
                "wait_times".to_owned(),
                vec!["from".to_owned(), "to".to_owned()],
            )]
            .into(),
        }
    }

    /// The cursor is at the `|`.
    fn check(input: &str, expected: &[&str]) {
        let cursor = input.find('|').expect("a cursor");
        let input = input.replace('|', "");
        let (_, found) = candidates(&input, cursor, &known());
        assert_eq!(found, expected, "{input}");
    }

    #[test]
    fn behind_from_stand_tables() {
        check("SELECT * FROM |", &["fact_chats", "fact_replies"]);
        check("select * from fact_c|", &["fact_chats"]);
        check("SELECT * FROM fact_chats JOIN FACT_R|", &["fact_replies"]);
        check("SELECT * FROM fact_chats, fact_r|", &["fact_replies"]);
        check("DESCRIBE fact_c|", &["fact_chats"]);
    }

    #[test]
    fn elsewhere_stand_columns_of_the_named_tables_functions_and_keywords() {
        check(
            "SELECT ch| FROM fact_chats",
            &["channel", "chat_id", "char_length("],
        );
        check(
            "SELECT repl| FROM fact_replies",
            &["reply_seconds", "replace"],
        );
        check("SELECT outc|", &["outcome"]);
        check("SELECT chat|", &["chat_id"]);
        check("SELECT outc| FROM fact_replies", &[]);
        check("SELECT COU|", &["COUNT("]);
        check("SELECT 1 GRO|", &["GROUP"]);
        check("select 1 gro|", &["group"]);
        check("SELECT |", &[]);
    }

    #[test]
    fn behind_a_dot_stand_the_columns_of_that_table_or_alias() {
        check("SELECT c.c| FROM fact_chats AS c", &["channel", "chat_id"]);
        check(
            "SELECT r.| FROM fact_replies r",
            &["chat_id", "reply_seconds"],
        );
        check("SELECT fact_chats.o| FROM fact_chats", &["outcome"]);
        check("SELECT x.c| FROM fact_chats", &[]);
    }

    #[test]
    fn nothing_is_offered_in_texts_and_comments() {
        check("SELECT 'fact_c|", &[]);
        check("SELECT 1 -- sel|", &[]);
    }

    #[test]
    fn commands_are_completed_with_what_they_take() {
        check(".t|", &[".tables", ".timing"]);
        check(".run wa|", &["wait_times"]);
        check(".run wait_times f|", &["from="]);
        check(".describe fact_r|", &["fact_replies"]);
        check(".format nd|", &["ndjson"]);
        check(".chart h|", &["heatmap", "histogram"]);
        check(".human o|", &["on", "off"]);
        check(".explain SELECT * FROM fact_c|", &["fact_chats"]);
    }
}
