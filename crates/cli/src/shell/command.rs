//! The shell's own commands, which begin with a dot: their names, their help, and what was meant.

use ::query::{ChartSpec, Format, did_you_mean};

/// What each command takes, and what it does.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    (
        ".tables",
        "[PART]",
        "the lake's tables and the session's own, or those whose name has that part",
    ),
    (
        ".schema",
        "[TABLE]",
        "names and types of the columns, of all tables or of one",
    ),
    (
        ".describe",
        "TABLE",
        "a table's columns with types and meaning",
    ),
    (
        ".queries",
        "[NAME]",
        "the saved queries with their parameters, or the text of one",
    ),
    (".run", "NAME [PARAMETER=VALUE]...", "run a saved query"),
    (
        ".param",
        "[PARAMETER=VALUE]...",
        "values of parameters in statements, as in WHERE channel = $channel, and in .run; a name alone takes its \
         value back, and nothing at all shows those that are set",
    ),
    (
        ".read",
        "FILE",
        "run the statements and commands of a file, up to the first error",
    ),
    (
        ".output",
        "[FILE]",
        "results go into that file, in the format of its ending; without one to the screen again",
    ),
    (".format", "[FORMAT]", "show or set the format of results"),
    (
        ".chart",
        "[CHART|off]",
        "draw results: line, bar, heatmap, histogram or auto, as --chart of query; off prints them again",
    ),
    (
        ".human",
        "[on|off]",
        "whether durations are shown as 1h 02m 03s",
    ),
    (
        ".null",
        "[TEXT]",
        "what stands for NULL; without a text what stood for it at first",
    ),
    (
        ".timing",
        "[on|off]",
        "whether the time that each statement took is told",
    ),
    (
        ".explain",
        "[SQL]",
        "how a statement would be run; the last one if none is given",
    ),
    (".help", "", "this"),
    (".quit", "", "end the shell, as Ctrl-D does"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Tables(Option<String>),
    Schema(Option<String>),
    Describe(String),
    Queries(Option<String>),
    Run {
        name: String,
        values: Vec<(String, String)>,
    },
    /// None to show those that are set; a name without a value takes it back.
    Param(Vec<(String, Option<String>)>),
    Read(String),
    /// Nothing for the screen.
    Output(Option<String>),
    Format(Option<Format>),
    /// Nothing for none at all.
    Chart(Option<ChartSpec>),
    /// Nothing to turn it over.
    Human(Option<bool>),
    Null(Option<String>),
    Timing(Option<bool>),
    Explain(Option<String>),
    Help,
    Quit,
}

/// # Errors
/// What is wrong with the line, and what it should be.
pub fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    // A semicolon is a habit, and ends nothing here.
    let (name, rest) = (
        name.trim_end_matches(';'),
        rest.trim_end_matches(';').trim(),
    );
    let one = || (!rest.is_empty()).then(|| rest.to_owned());
    Ok(match name.to_ascii_lowercase().as_str() {
        ".tables" => Command::Tables(one()),
        ".schema" => Command::Schema(one()),
        ".describe" => Command::Describe(one().ok_or("name a table: .describe TABLE")?),
        ".queries" => Command::Queries(one()),
        ".run" => run(rest)?,
        ".param" => Command::Param(
            words(rest)?
                .into_iter()
                .map(value_or_name)
                .collect::<Result<_, _>>()?,
        ),
        ".read" => Command::Read(text(rest)?.ok_or("name a file: .read FILE")?),
        ".output" => Command::Output(text(rest)?),
        ".format" if rest.is_empty() => Command::Format(None),
        ".format" => Command::Format(Some(rest.parse().map_err(|error| format!("{error}"))?)),
        ".chart" => Command::Chart(chart(rest)?),
        ".human" => Command::Human(switch(rest)?),
        ".null" => Command::Null(text(rest)?),
        ".timing" => Command::Timing(switch(rest)?),
        ".explain" => Command::Explain(one()),
        ".help" | "help" => Command::Help,
        ".quit" | ".exit" | "quit" | "exit" => Command::Quit,
        unknown => {
            let names = COMMANDS.iter().map(|(name, ..)| *name);
            let advice =
                did_you_mean(unknown, names).unwrap_or_else(|| "; .help lists them".into());
            return Err(format!("there is no command {unknown}{advice}"));
        }
    })
}

fn run(rest: &str) -> Result<Command, String> {
    let mut words = words(rest)?.into_iter();
    let name = words
        .next()
        .ok_or("name a saved query: .run NAME [PARAMETER=VALUE]...; .queries lists them")?;
    Ok(Command::Run {
        name,
        values: words.map(value).collect::<Result<_, _>>()?,
    })
}

fn value(word: String) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok((name.trim_start_matches('$').to_owned(), value.to_owned()))
        }
        _ => Err(format!("write {word} as PARAMETER=VALUE")),
    }
}

fn value_or_name(word: String) -> Result<(String, Option<String>), String> {
    if word.contains('=') {
        return value(word).map(|(name, value)| (name, Some(value)));
    }
    Ok((word.trim_start_matches('$').to_owned(), None))
}

/// One that says nothing is the query's own, else what fits its columns.
fn chart(text: &str) -> Result<Option<ChartSpec>, String> {
    match text {
        "" => Ok(Some(ChartSpec::default())),
        "off" => Ok(None),
        chart => match chart.parse() {
            Ok(chart) => Ok(Some(chart)),
            Err(error) => Err(format!("{error}; or .chart off")),
        },
    }
}

/// One word, in quotes if it has blanks; two quotes are no text.
fn text(rest: &str) -> Result<Option<String>, String> {
    let mut words = words(rest)?.into_iter();
    match (words.next(), words.next()) {
        (text, None) => Ok(text),
        (_, Some(_)) => Err(format!("put {rest} in quotes")),
    }
}

fn switch(text: &str) -> Result<Option<bool>, String> {
    match text.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        other => Err(format!("{other} is neither on nor off")),
    }
}

/// Words; single or double quotes hold one together, as in `as_of='2024-03-01 15:00'`.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    if let Some(quote) = quote {
        return Err(format!("the quote {quote} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

pub fn help() -> String {
    let usage =
        |(name, takes, _): &(&str, &str, &str)| format!("{name} {takes}").trim_end().to_owned();
    let width = COMMANDS.iter().map(usage).map(|usage| usage.len()).max();
    let width = width.unwrap_or_default();
    let mut help = String::new();
    for command in COMMANDS {
        help += &format!("{:width$}  {}\n", usage(command), command.2);
    }
    help + "\nAnything else is SQL and ends with a semicolon. Tab completes, Ctrl-C stops what runs, Ctrl-D ends.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_what_they_take() {
        let check = |line: &str, expected: Command| assert_eq!(parse(line), Ok(expected), "{line}");
        check(".tables", Command::Tables(None));
        check(".tables;", Command::Tables(None));
        check("exit", Command::Quit);
        check("quit ;", Command::Quit);
        check(
            " .describe fact_chats ;",
            Command::Describe("fact_chats".into()),
        );
        check(".format CSV", Command::Format(Some(Format::Csv)));
        check(".timing off", Command::Timing(Some(false)));
        check(".human", Command::Human(None));
        check(
            ".null '(not known)'",
            Command::Null(Some("(not known)".into())),
        );
        check(".null ''", Command::Null(Some(String::new())));
        check(".null", Command::Null(None));
        check(".chart", Command::Chart(Some(ChartSpec::default())));
        check(
            ".chart bar x=day",
            Command::Chart(Some("bar x=day".parse().expect("a chart"))),
        );
        check(".chart off;", Command::Chart(None));
        check(
            ".run queue_length as_of='2024-03-01 15:00' $channel=whatsapp",
            Command::Run {
                name: "queue_length".into(),
                values: vec![
                    ("as_of".into(), "2024-03-01 15:00".into()),
                    ("channel".into(), "whatsapp".into()),
                ],
            },
        );
        check(
            ".param channel=whatsapp $day='2024-03-01' $most",
            Command::Param(vec![
                ("channel".into(), Some("whatsapp".into())),
                ("day".into(), Some("2024-03-01".into())),
                ("most".into(), None),
            ]),
        );
        check(".read 'my file.sql'", Command::Read("my file.sql".into()));
        check(".output a.csv", Command::Output(Some("a.csv".into())));
        check(".output", Command::Output(None));
        check("help", Command::Help);
        check(
            ".explain SELECT 1;",
            Command::Explain(Some("SELECT 1".into())),
        );
    }

    #[test]
    fn what_cannot_be_read_says_what_is_expected() {
        let check = |line: &str, expected: &str| {
            let error = parse(line).expect_err(line);
            assert!(error.contains(expected), "{line}: {error}");
        };
        check(".table", "did you mean .tables?");
        check(".nothing", ".help lists them");
        check(".describe", ".describe TABLE");
        check(".run", "name a saved query");
        check(".run wait_times from", "PARAMETER=VALUE");
        check(".run wait_times from='2024", "not closed");
        check(".timing maybe", "neither on nor off");
        check(".chart pie", "no kind of chart");
        check(".null not known", "in quotes");
        check(".format xls", "unknown format");
    }
}
