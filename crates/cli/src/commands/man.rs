//! `huggy-etl man`: the manual pages, made from what `--help` says and from the list of settings.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::{Args, Man};
use crate::config::KEYS;
use crate::exit::Failure;
use ::query::SavedQuery;

const PROGRAM: &str = "huggy-etl";
const SECTION: &str = "1";

/// What exit codes mean, of every command.
const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", "Done."),
    (
        "1",
        "The work failed: a query, an import, a transform; or there is a finding.",
    ),
    ("2", "Wrong usage."),
    ("3", "The lake or the settings cannot be used."),
    ("130", "Interrupted."),
];

const FILES: [(&str, &str); 5] = [
    ("./huggy-etl.toml", "Settings."),
    ("./lake", "The lake, unless a setting says where it is."),
    ("./wal", "The write-ahead log of serve."),
    (
        "./queries/*.sql",
        "Saved queries of your own; they go before the program's ones of the same name.",
    ),
    (
        "$XDG_STATE_HOME/huggy-etl/history",
        "What was typed in the shell; without the variable, below ~/.local/state.",
    ),
];

pub fn run(args: &Man) -> Result<(), Failure> {
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &args.dir else {
        let mut page = Vec::new();
        write_page(&program, &mut page)?;
        io::stdout().lock().write_all(&page)?;
        return Ok(());
    };
    std::fs::create_dir_all(folder)
        .map_err(anyhow::Error::from)
        .and_then(|()| write_pages(&program, folder))
        .with_context(|| format!("writing the manual pages to {}", folder.display()))
        .map_err(Failure::Work)
}

/// Those of the command and of all below it.
fn write_pages(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let mut page = Vec::new();
    write_page(command, &mut page)?;
    let mut file = File::create(folder.join(format!("{}.{SECTION}", title(command))))?;
    file.write_all(&page)?;
    // `help` is clap's own and says nothing more.
    let commands = command.get_subcommands();
    commands
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
        .try_for_each(|command| write_pages(command, folder))
}

fn title(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

fn write_page(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let is_program = command.get_name() == PROGRAM;
    let page = clap_mangen::Man::new(command.clone());
    // Not the library's, which leaves out an empty date and so takes the version for one.
    writeln!(
        out,
        ".TH {} {SECTION} \"\" \"huggy-etl {}\" \"huggy-etl manual\"",
        title(command).to_uppercase(),
        env!("CARGO_PKG_VERSION")
    )?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(out)?;
    }
    let mut rest = Roff::new();
    notes_and_examples(command, &mut rest);
    if is_program {
        saved_queries(&mut rest);
        settings(&mut rest);
        tagged("FILES", FILES, &mut rest);
    }
    tagged("EXIT STATUS", EXIT_STATUS, &mut rest);
    see_also(is_program, &mut rest);
    rest.to_writer(out)
}

/// The help's last part: what stands before `Example:` are notes.
fn notes_and_examples(command: &Command, page: &mut Roff) {
    let text = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let is_heading = |line: &&str| matches!(*line, "Example:" | "Examples:");
    let notes: Vec<&str> = text
        .lines()
        .take_while(|line| !is_heading(line))
        .filter(|line| !line.is_empty())
        .collect();
    if !notes.is_empty() {
        page.control("SH", ["NOTES"]);
        page.text([roman(notes.join("\n"))]);
    }
    let examples = text.lines().skip_while(|line| !is_heading(line)).skip(1);
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in examples {
        page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    page.control("fi", []);
}

fn saved_queries(page: &mut Roff) {
    let queries = SavedQuery::all();
    let named = queries
        .iter()
        .map(|query| (query.name.as_str(), query.question()));
    tagged("SAVED QUERIES", named, page);
}

fn settings(page: &mut Roff) {
    page.control("SH", ["SETTINGS"]);
    page.text([roman(
        "From the settings file, then the environment (HUGGY_ETL_ and the name in capitals), then flags; \
         the later wins. huggy-etl config prints the effective ones.",
    )]);
    for key in KEYS {
        let default = match key.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        tag(key.name, &format!("{}{default}", key.meaning), page);
    }
}

fn tagged<'a>(
    heading: &str,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    page: &mut Roff,
) {
    page.control("SH", [heading]);
    for (name, text) in entries {
        tag(name, text, page);
    }
}

fn tag(name: &str, text: &str, page: &mut Roff) {
    page.control("TP", [])
        .text([bold(name)])
        .text([roman(text)]);
}

fn see_also(is_program: bool, page: &mut Roff) {
    page.control("SH", ["SEE ALSO"]);
    if is_program {
        page.text([
            roman("Each command has a page of its own, such as "),
            bold("huggy-etl-query"),
            roman(format!("({SECTION}).")),
        ]);
    } else {
        page.text([bold("huggy-etl"), roman(format!("({SECTION})"))]);
    }
}
