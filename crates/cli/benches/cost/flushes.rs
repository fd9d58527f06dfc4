//! A day of flushes every five seconds, as fast as they go, maintained as often among them as the service does: how many
//! files a partition comes to, and whether commits take longer in the end than in the beginning.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::desk::Desk;
use crate::load::requests_per_second;
use crate::process::peak;
use crate::service::{Service, get, metric, start};
use crate::setting::setting;

const A_DAY: u64 = 24 * 60 * 60 / 5;
/// In a service with its defaults, five minutes.
const FLUSHES_BETWEEN_MAINTENANCE: f64 = 60.0;
/// Long enough to tell how long a flush takes.
const FIRST_ROUND: Duration = Duration::from_secs(5);
/// More messages than a round brings.
const MESSAGES_A_ROUND: u64 = 1_000_000;
/// Of all rounds, the first and the last so many are compared.
const PART: usize = 10;
/// Fewer than 24 below 16 KiB, 16 in each of three classes of size above, and what is flushed between two runs of
/// maintenance: what `lake/src/folding.rs` leaves.
const FILES_AT_MOST: u64 = 24 + 3 * 16 + 60;
/// On a local disk, where one after the other is committed without a pause.
const COMMIT_MS_AT_MOST: f64 = 250.0;
const MAINTAINED: &str = "huggy_etl_maintenance_duration_seconds_count";

struct Look {
    flushes: f64,
    commit_seconds: f64,
    /// Runs of maintenance so far.
    maintained: f64,
    files: u64,
}

pub fn measure(folder: &Path) -> Result<()> {
    let wanted = setting("BENCH_FLUSHES", A_DAY) as f64;
    let desk = Desk::new(folder.join("flushes"))?;
    // How long a flush takes here says how often maintenance is due.
    let a_flush = {
        let service = serve(folder, "0")?;
        let began = Instant::now();
        requests_per_second(&service.webhook, FIRST_ROUND, 0, 1)?;
        began.elapsed().as_secs_f64() / look(&desk, &service)?.flushes
    };
    let round = Duration::from_secs_f64(a_flush * FLUSHES_BETWEEN_MAINTENANCE);
    let service = serve(folder, &format!("{}ms", round.as_millis()))?;
    let began = Instant::now();
    let mut looks = vec![look(&desk, &service)?];
    let is_done = |looks: &[Look]| looks.last().is_some_and(|look| look.flushes >= wanted);
    while !is_done(&looks) {
        let first = looks.len() as u64 * MESSAGES_A_ROUND;
        requests_per_second(&service.webhook, round, first, 1)?;
        looks.push(look(&desk, &service)?);
        // A run takes as long as many of these flushes, though not of those that are five seconds apart.
        await_maintenance(&service, &looks)?;
    }
    let Some(last) = looks.last() else {
        return Ok(());
    };
    let most_files = looks.iter().map(|look| look.files).max();
    let most_files = most_files.unwrap_or_default();
    println!(
        "{:.0} flushes of {} events in {:.0} s, {:.0} runs of maintenance among them: at most {most_files} files of events, {} in the end",
        last.flushes,
        desk.number("SELECT count(*) FROM events")?,
        began.elapsed().as_secs_f64(),
        last.maintained,
        last.files,
    );
    let part = (looks.len() / PART).max(1);
    let (first, last) = (
        commit_ms(&looks[..=part]),
        commit_ms(&looks[looks.len() - 1 - part..]),
    );
    println!(
        "  a commit takes {first:.0} ms in the first tenth, {last:.0} ms in the last: ratio {:.2}; peak memory {:.0} MB",
        last / first,
        peak(&service.process.0) as f64 / 1e6
    );
    let bounds = format!("{FILES_AT_MOST} files and {COMMIT_MS_AT_MOST} ms a commit");
    if most_files > FILES_AT_MOST || last > COMMIT_MS_AT_MOST {
        return Err(format!("beyond the bounds of {bounds}").into());
    }
    println!("  within the bounds of {bounds}");
    Ok(())
}

fn serve(folder: &Path, maintain_every: &str) -> Result<Service> {
    let args = [
        "--flush-interval",
        "1ms",
        "--transform-every",
        "0",
        "--maintain-every",
        maintain_every,
    ];
    start(folder, "flushes", &args)
}

fn look(desk: &Desk, service: &Service) -> Result<Look> {
    let metrics = get(&service.admin, "/metrics")?;
    let of_commits = |what| {
        metric(
            &metrics,
            &format!("huggy_etl_commit_duration_seconds_{what}"),
        )
    };
    Ok(Look {
        flushes: of_commits("count"),
        commit_seconds: of_commits("sum"),
        maintained: metric(&metrics, MAINTAINED),
        files: files_of_events(desk)?,
    })
}

/// Until maintenance has run once more than when the lake was looked at last.
fn await_maintenance(service: &Service, looks: &[Look]) -> Result<()> {
    let before = looks.last().map_or(0.0, |look| look.maintained);
    while metric(&get(&service.admin, "/metrics")?, MAINTAINED) <= before {
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// All lie in the partition of the day, or two where midnight passes.
fn files_of_events(desk: &Desk) -> Result<u64> {
    let tables = desk.tables()?;
    let events = tables.iter().find(|table| table.name == "events");
    Ok(events.map_or(0, |events| events.files))
}

/// The mean between the first look and the last.
fn commit_ms(looks: &[Look]) -> f64 {
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else {
        return f64::NAN;
    };
    (last.commit_seconds - first.commit_seconds) / (last.flushes - first.flushes) * 1e3
}
