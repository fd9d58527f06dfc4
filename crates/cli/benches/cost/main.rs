//! What keeping a lake costs: a full rebuild in capped memory, one run over news on a small and on a large lake, the bytes
//! written by a day of short runs, and a day of short flushes.
//!
//! `cargo bench --bench cost -- lakes`, `-- day` or `-- flushes` runs one part. `BENCH_LARGE_CHATS` sets the size of the
//! large lake (1,000,000 chats over five years), `BENCH_DAY_CHATS` that of the day of runs (1,000 chats), `BENCH_FLUSHES`
//! the number of flushes (17,280).

mod day;
mod desk;
mod flushes;
#[path = "../pipeline/load.rs"]
mod load;
mod news;
#[path = "../pipeline/process.rs"]
mod process;
#[path = "../pipeline/service.rs"]
mod service;
#[path = "../pipeline/setting.rs"]
mod setting;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use desk::Desk;
use setting::setting;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 3;
/// Of the large lake.
const CHATS_A_DAY: u64 = 500;
/// A run over news may take so many times longer on the large lake.
const NEWS_RATIO_AT_MOST: f64 = 1.5;

fn main() -> Result<()> {
    // Cargo itself passes `--bench`.
    let parts: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let folder = tempfile::tempdir()?;
    if is_wanted("day") {
        day::measure(folder.path())?;
    }
    if is_wanted("flushes") {
        flushes::measure(folder.path())?;
    }
    if is_wanted("lakes") {
        measure_lakes(folder.path())?;
    }
    Ok(())
}

/// What a rebuild and a run over news cost, on a small lake and on a large one.
fn measure_lakes(folder: &Path) -> Result<()> {
    let small = Desk::new(folder.join("small"))?;
    small.fill(setting("BENCH_SMALL_CHATS", 6_000), 40)?;
    small.rebuild()?;
    let small_news = median_news(&small)?;

    let large = Desk::new(folder.join("large"))?;
    let chats = setting("BENCH_LARGE_CHATS", 1_000_000);
    large.fill(chats, chats.div_ceil(CHATS_A_DAY))?;
    large.rebuild()?;
    let large_news = median_news(&large)?;
    let ratio = large_news.as_secs_f64() / small_news.as_secs_f64();
    println!("news on the large lake over news on the small one: ratio {ratio:.2}");
    hold("that ratio", ratio, NEWS_RATIO_AT_MOST)
}

/// Says that a measure is within its bound, or fails.
pub fn hold(what: &str, measured: f64, at_most: f64) -> Result<()> {
    // What is no number is beyond it, too.
    if measured <= at_most {
        println!("  within the bound of {at_most}");
        return Ok(());
    }
    Err(format!("{what} is {measured:.2}, beyond the bound of {at_most}").into())
}

/// The median time of several runs, each over news of other chats.
fn median_news(desk: &Desk) -> Result<Duration> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        times.push(news::measure(desk, round)?);
    }
    times.sort();
    let median = times[ROUNDS / 2];
    println!(
        "  one run over {} new events of {} chats: {:.0} ms, median of {ROUNDS}",
        news::EVENTS,
        news::CHATS,
        median.as_secs_f64() * 1e3
    );
    Ok(median)
}
