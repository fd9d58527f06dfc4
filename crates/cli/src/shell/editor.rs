//! The line editor: prompt, highlighting, completion, and the history in the user's state directory.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Config, Context, Editor, Helper};

use super::complete::candidates;
use super::keywords::is_keyword;
use super::names::Names;
use super::scan::{Kind, is_command, is_complete, tokens};

const PROMPT: &str = "huggy> ";
const STYLED_PROMPT: &str = "\x1b[1;36mhuggy>\x1b[0m ";
const HISTORY_ENTRIES: usize = 10_000;

pub struct LineEditor {
    editor: Editor<Typist, FileHistory>,
    history: Option<PathBuf>,
}

/// What one typed.
pub enum Typed {
    Input(String),
    /// Ctrl-C: the line is given up.
    GivenUp,
    /// Ctrl-D: the shell ends.
    End,
}

impl LineEditor {
    /// Without a file for the history it is kept for this run only.
    pub fn new(
        names: Names,
        history: Option<PathBuf>,
        colors: bool,
    ) -> rustyline::Result<LineEditor> {
        let config = Config::builder()
            .max_history_size(HISTORY_ENTRIES)?
            .history_ignore_dups(true)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .color_mode(if colors {
                ColorMode::Enabled
            } else {
                ColorMode::Disabled
            })
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Typist { names, colors }));
        let history = history.filter(|path| prepare(path));
        if let Some(path) = history.as_ref().filter(|path| path.exists())
            && let Err(error) = editor.load_history(path)
        {
            tell!("the history {} cannot be read: {error}", path.display());
        }
        Ok(LineEditor { editor, history })
    }

    pub fn read(&mut self) -> rustyline::Result<Typed> {
        let input = match self.editor.readline(&(PROMPT, STYLED_PROMPT)) {
            Ok(input) => input,
            Err(ReadlineError::Interrupted) => return Ok(Typed::GivenUp),
            Err(ReadlineError::Eof) => return Ok(Typed::End),
            Err(error) => return Err(error),
        };
        if !input.trim().is_empty() {
            self.editor.add_history_entry(input.trim_end())?;
            self.keep_history();
        }
        Ok(Typed::Input(input))
    }

    /// At once, so that a shell that is killed has lost nothing, and another one's entries stay.
    fn keep_history(&mut self) {
        if let Some(path) = &self.history
            && let Err(error) = self.editor.append_history(path)
        {
            tell!("the history {} cannot be written: {error}", path.display());
            self.history = None;
        }
    }
}

/// Makes the folder of the history; without it there is none.
fn prepare(path: &Path) -> bool {
    let Some(folder) = path.parent() else {
        return false;
    };
    let made = std::fs::create_dir_all(folder);
    if let Err(error) = &made {
        tell!("no history is kept: {}: {error}", folder.display());
    }
    made.is_ok()
}

struct Typist {
    names: Names,
    colors: bool,
}

impl Helper for Typist {}

/// Stands where a statement may go on: an empty line without a prompt looks as if nothing happened.
const GOES_ON: &str = "   ... ; ends the statement";

impl Hinter for Typist {
    type Hint = GoesOn;

    fn hint(&self, line: &str, cursor: usize, _context: &Context<'_>) -> Option<GoesOn> {
        (cursor == line.len() && line.ends_with('\n')).then_some(GoesOn)
    }
}

struct GoesOn;

impl Hint for GoesOn {
    fn display(&self) -> &str {
        GOES_ON
    }

    /// It is nothing to be typed.
    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Validator for Typist {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if is_complete(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Completer for Typist {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, found) = candidates(line, cursor, &self.names.known());
        let pair = |name: String| Pair {
            display: name.clone(),
            replacement: name,
        };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

impl Highlighter for Typist {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.colors {
            Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
        } else {
            Cow::Borrowed(hint)
        }
    }

    fn highlight<'l>(&self, line: &'l str, _cursor: usize) -> Cow<'l, str> {
        if self.colors {
            Cow::Owned(highlighted(line, &self.names))
        } else {
            Cow::Borrowed(line)
        }
    }

    fn highlight_char(&self, _line: &str, _cursor: usize, kind: CmdKind) -> bool {
        self.colors && kind != CmdKind::MoveCursor
    }
}

fn highlighted(line: &str, names: &Names) -> String {
    if is_command(line) {
        let end = line.trim_end().find(' ').unwrap_or(line.len());
        return format!("\x1b[36m{}\x1b[0m{}", &line[..end], &line[end..]);
    }
    let known = names.known();
    let mut colored = String::with_capacity(line.len() * 2);
    let mut end = 0;
    for token in tokens(line) {
        colored += &line[end..token.place.start];
        let text = token.text(line);
        let color = match token.kind {
            Kind::Word if is_keyword(text) => "1;34",
            Kind::Word if known.functions.contains(&text.to_lowercase()) => "33",
            Kind::Text => "32",
            Kind::Number => "35",
            Kind::Parameter => "1;35",
            Kind::Comment => "2",
            _ => "",
        };
        if color.is_empty() {
            colored += text;
        } else {
            colored += &format!("\x1b[{color}m{text}\x1b[0m");
        }
        end = token.place.end;
    }
    colored + &line[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highlighting_changes_no_character() {
        let names = Names::default();
        names.learn(|known| {
            known.functions.insert("count".into());
        });
        for line in [
            "SELECT count(*), 'não' FROM t WHERE x = $y -- c\n AND z > 1.5;",
            ".run wait_times from=2024-03-01",
            "SELECT 'open",
        ] {
            let colored = highlighted(line, &names);
            assert!(colored.contains("\x1b["), "{colored:?}");
            let mut plain = String::new();
            let mut parts = colored.split("\x1b[");
            plain += parts.next().unwrap_or_default();
            for part in parts {
                plain += part.split_once('m').map_or("", |(_, text)| text);
            }
            assert_eq!(plain, line);
        }
    }
}
