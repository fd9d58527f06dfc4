//! One run of the transform: what is new, what it touches, and the commits.
//!
//! The position (the version of `events` consumed), the fingerprint of rules and settings, and the settings
//! themselves lie in the log of `fact_chats`, which is committed last: a run that dies between tables is simply run again.
//! What is added up (`coverage`, the runs of flows) also heeds its own table's position, and comes
//! before what it is added up from.

mod agents;
mod by_key;
mod chats;
mod coverage;
mod dimensions;
mod kept;
mod news;
mod plan;
mod runs;
mod tables;
mod verify;

use std::collections::BTreeSet;

use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::error::DataFusionError;
use datafusion::prelude::col;
use datafusion::scalar::ScalarValue;
use futures::{TryStreamExt, try_join};
use lake::{Claim, Lake, LakeError, Scope, Table};

use crate::dimensions::Learned;
use crate::read::{COLUMNS, EventRows};
use crate::settings::Settings;
use chats::ChatFacts;
use kept::Known;
use news::News;
pub(crate) use plan::lag;
use plan::{Plan, Standing, is_any_gone, plan, standing};
use runs::{FLOW_RUNS, Runs};
pub use tables::{
    CONSUMER, SETTINGS_TABLE, aging_tables, derived_specs, derived_tables, settings_in,
};
use tables::{REBUILDING, Tables, open_chats, position, txns};
pub use verify::{
    DifferenceKind, Extent, FactDifference, FactsCheck, FactsState, missing_tables,
    repeated_events, verify_facts,
};

const LEASE: &str = "transform";
/// How often a run is made before a conflict is an error.
const ATTEMPTS: u32 = 3;
/// For sorting events; beyond it they spill to disk.
const READ_MEMORY_BYTES: usize = 384 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only what has news, unless rules or settings changed.
    Incremental,
    /// Everything anew.
    Full,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Why everything was derived anew, if it was.
    pub rebuilt_because: Option<&'static str>,
    /// The version of `events` that the facts now reflect.
    pub events_version: u64,
    /// New events, where there was no need to derive everything anew.
    pub news: usize,
    /// Of the touched chats, or of all.
    pub chats: usize,
    pub sessions: usize,
    pub events: usize,
    /// Agents whose status changed, or all.
    pub agents: usize,
}

impl Report {
    fn up_to(events: &Table) -> Self {
        Self {
            events_version: events.version(),
            ..Self::default()
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("a table does not have the expected columns: {0}")]
    Events(#[from] ArrowError),
    #[error("the events could not be read: {0}")]
    Read(#[from] DataFusionError),
}

/// Brings the facts up to date with `events`. `holder` names this process to others; `clock` tells
/// the time, which no fact depends on.
///
/// # Errors
/// [`LakeError::Held`] if another transform works on this lake and does not finish soon; others as
/// storage gives them. A failed run changes nothing that running again does not mend.
pub async fn run(
    lake: &Lake,
    settings: &Settings,
    mode: Mode,
    holder: &str,
    clock: fn() -> DateTime<Utc>,
) -> Result<Report, TransformError> {
    let claim = Claim {
        what: LEASE,
        holder,
        wait: Claim::UNTIL_EXPIRED,
        clock,
    };
    // On the heap, as all that a run holds would be part of whatever waits for it.
    let work = Box::pin(run_undisturbed(lake, settings, mode));
    lake.alone(claim, work).await
}

/// Whoever else changes a derived table meanwhile, as only a process that had lost its lease can, changes none of its
/// rows: the run is made once more.
async fn run_undisturbed(
    lake: &Lake,
    settings: &Settings,
    mode: Mode,
) -> Result<Report, TransformError> {
    for _ in 1..ATTEMPTS {
        match Box::pin(run_alone(lake, settings, mode)).await {
            Err(TransformError::Lake(LakeError::Conflict { table })) => {
                tracing::info!(
                    table,
                    "a table was changed during the run, which is made again"
                );
            }
            result => return result,
        }
    }
    Box::pin(run_alone(lake, settings, mode)).await
}

async fn run_alone(lake: &Lake, settings: &Settings, mode: Mode) -> Result<Report, TransformError> {
    let mut events = match lake.existing(events::TABLE).await {
        Ok(events) => events,
        Err(LakeError::NoSuchTable { .. }) => return Ok(Report::default()),
        Err(error) => return Err(error.into()),
    };
    let mut chats = open_chats(lake).await?;
    let mut is_mended = false;
    if let Standing::UpToDate = standing(&events, &chats, settings, mode).await? {
        if !is_any_gone(lake).await? {
            return Ok(Report::up_to(&events));
        }
        // Before it is there again, and empty.
        begin_rebuild(&mut chats).await?;
        is_mended = true;
    }
    let mut tables = Tables::open(lake, chats).await?;
    // After the facts, so that their position cannot be ahead of it.
    events.refresh().await?;
    let events = events.without_expired().await?;
    let plan = match is_mended {
        true => Plan::Rebuild("a table is gone"),
        false => plan(&events, &tables, settings, mode).await?,
    };
    let mut report = Report {
        rebuilt_because: plan.rebuild_reason(),
        ..Report::up_to(&events)
    };
    if !matches!(plan, Plan::Nothing) {
        let work = bring_up_to_date(&mut tables, &events, &plan, settings, &mut report);
        Box::pin(work).await?;
    }
    Ok(report)
}

/// Derives and commits: what is counted of everything, then the facts of chats. What does not wait for each other goes
/// side by side, since on an object store each table takes its time.
async fn bring_up_to_date(
    tables: &mut Tables,
    events: &Table,
    plan: &Plan,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), TransformError> {
    let news = plan.news();
    let txns = txns(events.version(), settings);
    if news.is_none() && position(tables.chats()).await?.is_some() {
        begin_rebuild(tables.chats_mut()).await?;
    }
    report.news = news.map_or(0, |news| news.events);
    let known = Known::of(tables.chats(), news).await?;
    let flow_runs = tables.chat_fact(FLOW_RUNS).cloned();
    let (mut runs, mut chat_facts) = try_join!(
        Runs::of_others(&tables.dimensions, flow_runs, news),
        ChatFacts::derive(
            events,
            &mut tables.chat_facts,
            news,
            known,
            settings,
            report
        ),
    )?;
    runs.add_all(&chat_facts.runs);
    let learned = chat_facts.learned.take();
    let fenced = report.chats > 0 || news.is_none();

    let dimensions = &mut tables.dimensions;
    let agent_status = &mut tables.agent_status;
    let (facts, ..) = try_join!(
        async { Ok(chat_facts.prepare().await?) },
        coverage::bring_up_to_date(&mut tables.coverage, events, news, settings, &txns),
        bring_dimensions_up_to_date(dimensions, events, news, learned, &runs, &txns),
        agents::bring_up_to_date(agent_status, events, news, settings, &txns, report),
    )?;
    Ok(facts.commit(settings, &txns, fenced).await?)
}

async fn bring_dimensions_up_to_date(
    tables: &mut [Table],
    events: &Table,
    news: Option<&News>,
    learned: Option<Learned>,
    runs: &Runs,
    txns: &[(&str, i64)],
) -> Result<(), TransformError> {
    if let Some(news) = news {
        return dimensions::merge_all(tables, &news.learned, runs, txns).await;
    }
    let mut learned = learned.unwrap_or_default();
    learn_from_others(events, &mut learned).await?;
    let since = events.earliest_partition()?;
    let since = since.and_then(|date| date.parse::<NaiveDate>().ok());
    dimensions::replace_all(tables, learned, since, runs, txns).await
}

/// From here on a run that dies is followed by one that derives everything anew.
async fn begin_rebuild(chats: &mut Table) -> Result<(), LakeError> {
    let nothing = Scope::Keys {
        column: "chat_id",
        keys: BTreeSet::new(),
    };
    chats.rewrite(nothing)?.commit(&REBUILDING, true).await
}

/// What the events say that belong to no chat.
async fn learn_from_others(events: &Table, learned: &mut Learned) -> Result<(), TransformError> {
    let others = col("chat_id").is_null();
    let mut stream = events
        .read_sorted(&COLUMNS, Some(others), &[], READ_MEMORY_BYTES)
        .await?;
    while let Some(batch) = stream.try_next().await? {
        for stored in EventRows::new(&batch)?.events() {
            learned.take(&stored.event, stored.delivered_at);
        }
    }
    Ok(())
}

fn date_value(date: NaiveDate) -> ScalarValue {
    ScalarValue::Date32(Some((date - NaiveDate::default()).num_days() as i32))
}
