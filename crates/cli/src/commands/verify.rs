//! `huggy-etl verify`: whether the lake is whole, what is wrong, where, and what to do.

use std::io::Write;
use std::path::{Path, PathBuf};

use ::transform::{
    DifferenceKind, Extent, FactDifference, FactsCheck, FactsState, TransformError, derived_tables,
    missing_tables, repeated_events, verify_facts,
};
use anyhow::anyhow;
use lake::{Depth, Flaw, Hole, Lake, LakeError, TableCheck};
use serde_json::json;

use crate::args::{Verify, VerifyFormat};
use crate::config::Config;
use crate::exit::Failure;

/// Chats and agents whose facts are derived anew unless all are asked for.
const SAMPLED: usize = 1_000;
/// As many flaws of one table as are told; the others are counted.
const FLAWS_TOLD: usize = 20;

/// As many commits a service makes in an hour at most by default: facts further behind wait for a run
/// that does not come.
const COMMITS_BEHIND: u64 = 360;

const RESTORE: &str = "restore the lake's folder of this table from a backup; no command brings back what only it held";
const REBUILD: &str = "remove the lake's folder of this table and run `huggy-etl transform`, which derives it anew; \
                       facts whose events retention has removed come back from a backup only";

const AGAIN: &str = "import the deliveries of that time again, which adds what is missing; until then copy the file elsewhere, as \
                     `huggy-etl maintain` deletes what is no part of a table after a day";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Problem,
    Note,
}

struct Finding {
    severity: Severity,
    /// The table, or `wal`.
    place: String,
    what: String,
    advice: &'static str,
}

pub async fn run(args: &Verify, config: &Config) -> Result<(), Failure> {
    let lake = config.existing_lake().await?;
    let mut findings = Findings::default();
    let tables = lake.tables().await?;
    if tables.is_empty() {
        let advice = "`huggy-etl serve` or `huggy-etl import` fill it";
        findings.note("lake", "there are no tables yet".to_owned(), advice);
    }
    for table in &tables {
        findings.table(&lake, table, args.full).await?;
    }
    let is_complete = findings.absent(&lake, config).await?;
    // Of what does not open the rows cannot be looked at.
    if findings.problems() == 0 || (args.full && is_complete) {
        findings.rows(&lake, config, args.full).await?;
    } else {
        let what = "repeated events and facts were not looked at, since files are damaged or gone";
        findings.note("lake", what.to_owned(), "mend the files, then verify again");
    }
    if let Some(wal) = wal(args, config) {
        findings.wal(&wal, config).await?;
    }
    findings.print(args.format)?;
    match findings.problems() {
        0 => {
            tell!("the lake is whole");
            Ok(())
        }
        problems => Err(Failure::Work(anyhow!("{problems} problems, see above"))),
    }
}

/// The log that is asked for, or that of the settings where there is one.
fn wal(args: &Verify, config: &Config) -> Option<PathBuf> {
    let of_settings = || config.wal.is_dir().then(|| config.wal.clone());
    args.wal.clone().or_else(of_settings)
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn problem(&mut self, place: &str, what: String, advice: &'static str) {
        self.add(Severity::Problem, place, what, advice);
    }

    fn note(&mut self, place: &str, what: String, advice: &'static str) {
        self.add(Severity::Note, place, what, advice);
    }

    fn add(&mut self, severity: Severity, place: &str, what: String, advice: &'static str) {
        self.0.push(Finding {
            severity,
            place: place.to_owned(),
            what,
            advice,
        });
    }

    fn problems(&self) -> usize {
        let problems = self.0.iter();
        problems
            .filter(|finding| finding.severity == Severity::Problem)
            .count()
    }

    /// Log and files of one table.
    async fn table(&mut self, lake: &Lake, name: &str, full: bool) -> Result<(), Failure> {
        let advice = mending(name);
        let log = lake.verify_log(name).await?;
        if let Some(Hole {
            commits,
            first,
            checkpoint,
        }) = log.hole
        {
            let what = format!(
                "commits are missing from the midst of its log, {commits} in all, the first of them {first}; the table is whole, but versions before \
                 {checkpoint} may not be read any more"
            );
            let advice = "nothing, unless `query --at` is to go back so far: then restore the table's _delta_log from a backup";
            self.note(name, what, advice);
        }
        if !log.flaws.is_empty() {
            self.flaws(name, &log.flaws, advice);
            return Ok(());
        }
        let depth = if full { Depth::Whole } else { Depth::Described };
        let check = match lake.existing(name).await {
            Ok(table) => match table.verify(depth).await {
                Ok(check) => table.passed_over(log).await.map(|over| (check, over)),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match check {
            Ok((check, passed_over)) => {
                tell!("{name}: {}", summary(&check));
                self.flaws(name, &check.flaws, advice);
                let again = if advice == REBUILD { REBUILD } else { AGAIN };
                self.flaws(name, &passed_over, again);
                let (files, bytes) = check.unreferenced;
                if files > 0 {
                    let what =
                        format!("{files} files with {bytes} bytes are not part of the table");
                    let advice =
                        "nothing: replaced files stay until `huggy-etl maintain` removes them";
                    self.note(name, what, advice);
                }
            }
            Err(error @ (LakeError::Storage { .. } | LakeError::Location { .. })) => {
                return Err(error.into());
            }
            Err(error) => self.problem(name, format!("it cannot be opened: {error}"), advice),
        }
        Ok(())
    }

    /// Tables that are gone, or their logs; whether none is.
    async fn absent(&mut self, lake: &Lake, config: &Config) -> Result<bool, Failure> {
        let before = self.problems();
        let without_log = lake.folders_without_log().await?;
        for name in &without_log {
            let what = "its folder holds files but no log, so that nothing reads them".to_owned();
            self.problem(name, what, mending(name));
        }
        let missing = match missing_tables(lake, &config.rules).await {
            Ok(missing) => missing,
            // A table that does not open has been told.
            Err(_) if before > 0 => Vec::new(),
            Err(error) => {
                self.unread("facts", error, REBUILD)?;
                Vec::new()
            }
        };
        for name in missing {
            if !without_log.iter().any(|folder| folder == name) {
                let what = "it is gone, while the facts say that it was there".to_owned();
                self.problem(name, what, mending(name));
            }
        }
        Ok(self.problems() == before)
    }

    fn flaws(&mut self, table: &str, flaws: &[Flaw], advice: &'static str) {
        for flaw in flaws.iter().take(FLAWS_TOLD) {
            self.problem(table, flaw.to_string(), advice);
        }
        if flaws.len() > FLAWS_TOLD {
            let more = format!("{} more of the kind", flaws.len() - FLAWS_TOLD);
            self.problem(table, more, advice);
        }
    }

    /// What the rows say: repeated events, and facts that are not what their events become.
    async fn rows(&mut self, lake: &Lake, config: &Config, full: bool) -> Result<(), Failure> {
        match self.repeated(lake).await {
            Ok(()) => {}
            Err(error) => self.unread("events", error, RESTORE)?,
        }
        let extent = if full {
            Extent::All
        } else {
            Extent::Sample(SAMPLED)
        };
        match verify_facts(lake, &config.rules, extent).await {
            Ok(check) => {
                self.facts(&check);
                Ok(())
            }
            Err(error) => self.unread("facts", error, REBUILD),
        }
    }

    async fn repeated(&mut self, lake: &Lake) -> Result<(), TransformError> {
        let events = match lake.existing(&ingest::events_table().name).await {
            Err(LakeError::NoSuchTable { .. }) => return Ok(()),
            events => events?,
        };
        if let (repeated, Some(one)) = repeated_events(&events).await? {
            let what =
                format!("{repeated} rows repeat an event that is stored already, such as {one}");
            let advice =
                "nothing: facts count each event once, and `huggy-etl maintain` removes the copies";
            self.note("events", what, advice);
        }
        Ok(())
    }

    /// A file whose pages are damaged shows when it is read.
    fn unread(
        &mut self,
        place: &str,
        error: TransformError,
        advice: &'static str,
    ) -> Result<(), Failure> {
        match error {
            TransformError::Lake(
                error @ (LakeError::Storage { .. } | LakeError::Location { .. }),
            ) => Err(error.into()),
            error => {
                let what = format!("rows cannot be read: {error}");
                self.problem(place, what, advice);
                Ok(())
            }
        }
    }

    fn facts(&mut self, check: &FactsCheck) {
        let run = "run `huggy-etl transform`";
        match check.state {
            FactsState::Absent => self.note("facts", "there are no facts yet".to_owned(), run),
            FactsState::Behind(0) => {}
            FactsState::Behind(commits) => {
                let severity = if commits > COMMITS_BEHIND {
                    Severity::Problem
                } else {
                    Severity::Note
                };
                let what = format!("the facts do not reflect the last {commits} commits of events");
                let advice =
                    "nothing if `serve` transforms or `huggy-etl transform` runs soon; else run it";
                self.add(severity, "facts", what, advice);
            }
            FactsState::Outdated => {
                let what =
                    "the facts were derived with other rules or settings, and were not compared";
                self.note("facts", what.to_owned(), run);
            }
            FactsState::Unfinished => {
                let what = "a transform is at work, or died, so that facts were not compared";
                self.note(
                    "facts",
                    what.to_owned(),
                    "run `huggy-etl transform`, then verify again",
                );
            }
            FactsState::Ahead => {
                let what = "the facts reflect events that are not in the lake";
                let advice = "restore the newer events, or run `huggy-etl transform --full` to go by those that are there";
                self.problem("facts", what.to_owned(), advice);
            }
        }
        if let FactsState::Behind(_) = check.state {
            tell!(
                "facts: {} rows of {} chats and {} agents were derived anew and compared",
                check.rows,
                check.chats,
                check.agents
            );
        }
        let advice = "run `huggy-etl transform --full`, which derives every fact anew";
        for difference in &check.differences {
            self.problem(difference.table, told(difference), advice);
        }
        let told = check.differences.len();
        if check.different > told {
            let more = format!(
                "{} more rows are not what their events become",
                check.different - told
            );
            self.problem("facts", more, advice);
        }
    }

    async fn wal(&mut self, dir: &Path, config: &Config) -> Result<(), Failure> {
        let inspection = super::wal::read(dir, config).await?;
        if let Some(lost) = super::wal::about_set_aside(&dir.join("damaged"), &inspection) {
            let advice = "check the disk of the log; what the files still show of a delivery can be imported; \
                          then move them elsewhere";
            self.problem("wal", lost, advice);
        }
        for log in &inspection.logs {
            for damage in &log.damage {
                let what = format!(
                    "log {}, segment {:020}: {} bytes from byte {} on are no delivery",
                    log.id, damage.segment, damage.length, damage.byte_offset
                );
                let advice =
                    "start the service: it sets them aside under damaged, and reads on behind them";
                self.problem("wal", what, advice);
            }
            if log.unflushed() > 0 {
                let what = format!(
                    "log {}: {} deliveries are not in the lake yet",
                    log.id,
                    log.unflushed()
                );
                let advice =
                    "nothing while the service runs; else start it, and it brings them there";
                self.note("wal", what, advice);
            }
        }
        Ok(())
    }

    fn print(&self, format: VerifyFormat) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let severity = |finding: &Finding| match finding.severity {
            Severity::Problem => "problem",
            Severity::Note => "note",
        };
        for finding in &self.0 {
            let Finding {
                place,
                what,
                advice,
                ..
            } = finding;
            match format {
                VerifyFormat::Text => {
                    let severity = match finding.severity {
                        Severity::Problem => "PROBLEM",
                        Severity::Note => "note",
                    };
                    writeln!(out, "{severity:<8} {place}: {what}")?;
                    writeln!(out, "         To do: {advice}")?;
                }
                VerifyFormat::Ndjson => {
                    let line = json!({ "severity": severity(finding), "place": place, "what": what, "to_do": advice });
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok(())
    }
}

fn mending(table: &str) -> &'static str {
    if derived_tables().contains(&table) {
        REBUILD
    } else {
        RESTORE
    }
}

fn summary(check: &TableCheck) -> String {
    format!(
        "version {}, {} files with {} rows and {} bytes, {} flaws",
        check.version,
        check.files,
        check.rows,
        check.bytes,
        check.flaws.len()
    )
}

fn told(difference: &FactDifference) -> String {
    let key = &difference.key;
    match &difference.kind {
        DifferenceKind::Missing => {
            format!("the row of {key} is missing, by what its events become")
        }
        DifferenceKind::Surplus => format!("no event becomes the row of {key}"),
        DifferenceKind::Columns(columns) => format!(
            "the row of {key} is not what its events become in {}",
            columns.join(", ")
        ),
    }
}
