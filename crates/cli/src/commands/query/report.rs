//! What is said about results on stderr, and failures by their exit code.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};

use crate::args::Query;
use crate::exit::Failure;
use ::query::{QueryError, ResultSummary, Watch};

pub fn failure(error: QueryError) -> Failure {
    match error {
        QueryError::Lake(error) => Failure::Environment(error.into()),
        error @ (QueryError::NoTables(_) | QueryError::FileGone(_)) => {
            Failure::Environment(error.into())
        }
        QueryError::Output(error) => error.into(),
        error @ QueryError::Parameter(_) => Failure::Usage(error.into()),
        error => Failure::Work(error.into()),
    }
}

/// That there is nothing to see, at a terminal.
pub(super) fn nothing(summary: &ResultSummary) -> Option<String> {
    let is_seen = summary.rows == 0 && std::io::stderr().is_terminal();
    is_seen.then(|| "0 rows".to_owned())
}

/// What was left out, always; what it took, if asked for.
pub(super) fn about(
    args: &Query,
    summary: &ResultSummary,
    took: Duration,
    watch: &Watch,
) -> Vec<String> {
    let mut lines = left_out(summary, ["--max-rows 0, or another format,", "--width 0"]);
    if args.timing {
        lines.push(format!(
            "{} row{} in {:.3} s",
            HumanCount(summary.rows as u64),
            if summary.rows == 1 { "" } else { "s" },
            took.as_secs_f64()
        ));
    }
    if args.stats {
        lines.extend(stats(summary, watch));
    }
    lines
}

/// What was left out: of the rows, and for the width; `wholes` are what shows all of each.
pub fn left_out(summary: &ResultSummary, wholes: [&str; 2]) -> Vec<String> {
    let [all_rows, all_width] = wholes;
    let mut lines = Vec::new();
    if summary.truncated {
        let shown = HumanCount(summary.rows as u64);
        lines.push(format!(
            "only the first {shown} rows are shown; {all_rows} shows all"
        ));
    }
    let left_out = &summary.left_out;
    if left_out.cut_values > 0 {
        let cut = HumanCount(left_out.cut_values as u64);
        lines.push(format!(
            "values cut to fit the width: {cut}; {all_width} shows them whole"
        ));
    }
    if !left_out.columns.is_empty() {
        let columns = named(&left_out.columns);
        lines.push(format!(
            "columns not shown, since they do not fit the width: {columns}; {all_width} shows all"
        ));
    }
    lines
}

/// The first of them, and how many more there are.
fn named(columns: &[String]) -> String {
    const MOST: usize = 5;
    if columns.len() <= MOST + 1 {
        return columns.join(", ");
    }
    let first = columns[..MOST].join(", ");
    format!(
        "{first} and {} more, {} in all",
        columns.len() - MOST,
        columns.len()
    )
}

fn stats(summary: &ResultSummary, watch: &Watch) -> [String; 5] {
    let stats = watch.stats();
    let resident =
        peak_resident_bytes().map_or("unknown".to_owned(), |bytes| HumanBytes(bytes).to_string());
    [
        format!(
            "rows:   {} scanned, {} given",
            stats.rows_scanned, summary.rows
        ),
        format!(
            "files:  {} read, {} skipped",
            stats.files_read, stats.files_skipped
        ),
        format!(
            "bytes:  {} read, {} skipped ({} and {})",
            stats.bytes_read,
            stats.bytes_skipped,
            HumanBytes(stats.bytes_read),
            HumanBytes(stats.bytes_skipped)
        ),
        format!(
            "groups: {} skipped of the files read",
            stats.row_groups_skipped
        ),
        format!(
            "memory: {} reserved at most, {resident} resident at most, {} spilled",
            HumanBytes(stats.peak_reserved_bytes),
            HumanBytes(stats.spilled_bytes)
        ),
    ]
}

/// The most memory that this process has had, where the system tells.
fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
