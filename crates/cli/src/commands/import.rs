//! `huggy-etl import`: files of deliveries into the lake. Rejected lines are told and kept beside their
//! file; they are no failure of the import.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use ingest::{ImportError, ImportReport, ImportSettings, Input, Progress};

use crate::args::Import;
use crate::config::Config;
use crate::exit::Failure;

/// More rejected lines than this are only counted on stderr; all are kept.
const TOLD_LINES: u64 = 20;

pub async fn run(args: &Import, config: &Config) -> Result<(), Failure> {
    let inputs: Vec<Input> = args.files.iter().map(Input::new).collect();
    let missing = |path: &&std::path::PathBuf| path.as_os_str() != "-" && !path.is_file();
    if let Some(path) = args.files.iter().find(missing) {
        let error = anyhow::anyhow!("{} is not a file that can be read", path.display());
        return Err(Failure::Usage(error));
    }
    let mut table = config.open_lake()?.table(&ingest::events_table()).await?;
    let mut narrator = Narrator::new();
    let settings = ImportSettings::new(config.rules.zone);
    let result = ingest::import(inputs, &mut table, settings, &mut |progress| {
        narrator.tell(progress)
    })
    .await;
    narrator.bar.finish_and_clear();
    let report = result.map_err(failure)?;
    tell!("{}", summary(&report));
    Ok(())
}

struct Narrator {
    bar: ProgressBar,
    rejected: u64,
}

impl Narrator {
    fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::no_length()
        } else {
            ProgressBar::hidden()
        };
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, rejected: 0 }
    }

    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Began { input, bytes } => {
                self.bar.set_message(input.to_owned());
                self.bar.set_position(0);
                if let Some(bytes) = bytes {
                    self.bar.set_length(bytes);
                }
            }
            Progress::Read { bytes } => self.bar.set_position(bytes),
            Progress::Rejected {
                input,
                line,
                reason,
            } => {
                self.rejected += 1;
                if self.rejected <= TOLD_LINES {
                    self.bar
                        .suspend(|| tell!("{input}:{line}: rejected: {reason}"));
                }
            }
            Progress::Committed { .. } => {}
        }
    }
}

fn summary(report: &ImportReport) -> String {
    let ImportReport {
        files,
        deliveries,
        added,
        duplicates,
        rejected,
        parse_errors,
        ..
    } = report;
    let mut text = format!(
        "{files} file(s), {deliveries} deliveries: {added} events added, {duplicates} were there already or came twice"
    );
    if *parse_errors > 0 {
        text.push_str(&format!(", {parse_errors} with a parse_error"));
    }
    if *rejected > 0 {
        text.push_str(&format!(
            "; {rejected} line(s) rejected, kept beside their file in .rejected.ndjson"
        ));
    }
    text
}

fn failure(error: ImportError) -> Failure {
    match error {
        ImportError::Lake(_) => Failure::Environment(error.into()),
        error => Failure::Work(error.into()),
    }
}
