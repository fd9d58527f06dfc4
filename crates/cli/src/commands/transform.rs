//! `huggy-etl transform`: bring the facts up to date, or rebuild them.

use std::time::Instant;

use ::transform::{Mode, Report, TransformError};
use chrono::Utc;

use crate::args::Transform;
use crate::config::Config;
use crate::exit::Failure;

pub async fn run(args: &Transform, config: &Config) -> Result<(), Failure> {
    let lake = config.existing_lake().await?;
    let mode = if args.full {
        Mode::Full
    } else {
        Mode::Incremental
    };
    let began = Instant::now();
    let report = ::transform::run(&lake, &config.rules, mode, &super::holder(), Utc::now)
        .await
        .map_err(failure)?;
    tell!(
        "{} ({:.1} s)",
        summary(&report),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn summary(report: &Report) -> String {
    let Report {
        news,
        events,
        chats,
        sessions,
        agents,
        ..
    } = report;
    let mut done = format!("{events} events of {chats} chats became {sessions} sessions");
    if *agents > 0 {
        done.push_str(&format!(", and the status of {agents} agents was derived"));
    }
    match report.rebuilt_because {
        Some(reason) => format!("rebuilt all facts, because {reason}: {done}"),
        None if *news == 0 => "the facts are up to date: there are no new events".to_owned(),
        None => format!("took in {news} new events: {done}"),
    }
}

pub fn failure(error: TransformError) -> Failure {
    match error {
        TransformError::Lake(error) => error.into(),
        error => Failure::Work(error.into()),
    }
}
