//! `huggy-etl maintain`: keep the lake in shape, or say what that would do.

use std::io::Write;
use std::time::Instant;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use lake::{Effort, Maintenance, Role, Size, TableReport, Upkeep};

use crate::args::Maintain;
use crate::config::Config;
use crate::exit::Failure;

pub async fn run(args: &Maintain, config: &Config) -> Result<(), Failure> {
    let lake = config.existing_lake().await?;
    let maintenance = Maintenance {
        is_trial: args.dry_run,
        ..maintenance(config, Effort::Whole, Utc::now())
    };
    let began = Instant::now();
    let mut out = std::io::stdout();
    let mut told = Ok(());
    let tell = |report: &TableReport| {
        if told.is_ok() && !report.is_idle() {
            told = lines(report, args.dry_run)
                .iter()
                .try_for_each(|line| writeln!(out, "{line}"));
        }
    };
    let reports = lake
        .maintain(&maintenance, &super::holder(), Utc::now, tell)
        .await?;
    told?;
    tell!(
        "{} ({:.1} s)",
        summary(&reports, args.dry_run),
        began.elapsed().as_secs_f64()
    );
    if let Some(date) = reports.iter().find_map(|report| report.ages_from) {
        tell!("{}", about_ages(date));
    }
    let of = |is_it: fn(&TableReport) -> bool| {
        let tables = reports.iter().filter(|report| is_it(report));
        let names: Vec<&str> = tables.map(|report| report.table.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let advice = match (
        of(|report| report.failed.is_some()),
        of(|report| report.left.is_some()),
    ) {
        (Some(failed), _) => {
            format!("not all could be done for {failed}; `huggy-etl verify` tells what is wrong")
        }
        (None, Some(left)) => format!("not all was done for {left}; run it again"),
        (None, None) => return Ok(()),
    };
    Err(Failure::Work(anyhow::anyhow!(advice)))
}

/// Why rows stay that the clock says are too old.
pub fn about_ages(date: NaiveDate) -> String {
    format!(
        "ages of rows were counted from {date}, the date of the newest events: nothing newer has come, or the clock is ahead"
    )
}

/// Why old rows stay that no facts were derived from.
pub fn about_unread(report: &TableReport) -> Option<String> {
    let Size { rows, files, bytes } = report.unread;
    (files > 0).then(|| {
        format!(
            "{rows} rows in {files} files, {}, are too old, but stay until facts were derived from them: \
             run `huggy-etl transform`",
            self::bytes(bytes)
        )
    })
}

/// What there is to maintain.
pub fn maintenance(config: &Config, effort: Effort, now: DateTime<Utc>) -> Maintenance {
    let kept_for = |table: &str| TimeDelta::from_std(*config.retain.get(table)?).ok();
    let events = Upkeep {
        spec: ingest::events_table(),
        role: Role::Appended {
            filling: now.date_naive(),
            kept_for: kept_for(events::TABLE),
        },
    };
    let derived = ::transform::derived_specs().into_iter();
    let derived = derived.map(|spec| Upkeep {
        role: Role::Rewritten {
            kept_for: kept_for(&spec.name),
        },
        spec,
    });
    Maintenance {
        tables: std::iter::once(events).chain(derived).collect(),
        consumer: ::transform::CONSUMER,
        effort,
        removed_stay: TimeDelta::from_std(config.vacuum_after).unwrap_or(TimeDelta::MAX),
        is_trial: false,
    }
}

/// What was done to a table, or would be, a line each.
fn lines(report: &TableReport, is_trial: bool) -> Vec<String> {
    let TableReport {
        table,
        expired,
        compacted,
        ..
    } = report;
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(format!("{table:24} {line}"));
    let would = if is_trial { "would " } else { "" };
    let done = |verb: &str| match (is_trial, verb) {
        (true, verb) => format!("{would}{verb}"),
        (false, "write") => "wrote".to_owned(),
        (false, "sum up") => "summed up".to_owned(),
        (false, verb) => format!("{verb}d"),
    };
    if expired.files > 0 {
        say(format!(
            "{} {} rows in {} files, {}, which are too old",
            done("remove"),
            expired.rows,
            expired.files,
            bytes(expired.bytes)
        ));
    }
    if let Some(unread) = about_unread(report) {
        say(unread);
    }
    if compacted.groups > 0 {
        let about = if is_trial { "about " } else { "" };
        let out = match is_trial {
            true => String::new(),
            false => format!(", {}", bytes(compacted.bytes_out)),
        };
        let copies = match compacted.copies {
            0 => String::new(),
            copies => format!("; {copies} copies of events were dropped"),
        };
        say(format!(
            "{} {} files, {}, as {about}{}{out}{copies}",
            done("write"),
            compacted.files_in,
            bytes(compacted.bytes_in),
            compacted.files_out
        ));
    }
    if let Some(version) = report.checkpoint {
        say(format!(
            "{} the log in a checkpoint at version {version}",
            done("sum up")
        ));
    }
    let freed = [
        (report.log, "entries of the log"),
        (report.data, "files that are no part of the table any more"),
    ];
    for (freed, what) in freed.into_iter().filter(|(freed, _)| freed.files > 0) {
        let (verb, files, bytes) = (done("delete"), freed.files, bytes(freed.bytes));
        say(format!("{verb} {files} {what}, {bytes}"));
    }
    for why in report.failed.iter().chain(&report.left) {
        say(format!("not all was done: {why}"));
    }
    lines
}

fn summary(reports: &[TableReport], is_trial: bool) -> String {
    let sum = |of: fn(&TableReport) -> u64| reports.iter().map(of).sum::<u64>();
    let live = sum(|report| report.after.bytes);
    let files = sum(|report| report.after.files);
    let freed = sum(|report| report.log.bytes + report.data.bytes);
    let staying = sum(|report| report.staying.bytes);
    let awaited = sum(|report| report.awaited.bytes);
    let verb = if is_trial { "would free" } else { "freed" };
    let mut text = format!(
        "{} tables, {files} files, {}; {verb} {}",
        reports.len(),
        bytes(live),
        bytes(freed)
    );
    if staying > 0 {
        text.push_str(&format!(
            "; {} stay until they are older than vacuum_after",
            bytes(staying)
        ));
    }
    if awaited > 0 {
        text.push_str(&format!("; {} wait for the transform", bytes(awaited)));
    }
    text
}

fn bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
