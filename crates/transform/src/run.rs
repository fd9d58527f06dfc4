//! One run of the transform: which chats are touched, their events, their facts, and the commits.
//!
//! The position (the version of `events` consumed) and the fingerprint of rules and settings lie in the
//! log of `fact_chats`, which is committed last: a run that dies between tables is simply run again.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use datafusion::prelude::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use lake::{AddedFile, Changes, Lake, LakeError, Lease, Rewrite, Scope, Table, TableSpec};

use crate::chain::{ChainInput, Chat, derive};
use crate::facts::{self, FactTable};
use crate::read::{COLUMNS, Chains, ORDER, plain};
use crate::settings::Settings;

const POSITION: &str = "transform";
const FINGERPRINT: &str = "transform-fingerprint";
const CHATS_TABLE: &str = "fact_chats";
const LEASE: &str = "transform";
/// A dead holder's lease expires soon; a living one renews it well before.
const LEASE_SECONDS: i64 = 20;
const RENEW_SECONDS: u64 = 5;
/// Longer than a dead holder's lease.
const WAIT_SECONDS: i64 = 25;
/// Chats derived and written at a time.
const CHATS_AT_ONCE: usize = 1_000;
/// Up to so many touched chats are looked up by value, more by range.
const LOOKED_UP: usize = 5_000;
/// More touched chats than this are too many to hold in memory: a rebuild streams.
const TOUCHED_AT_MOST: usize = 50_000;
/// For sorting events by chat; beyond it they spill to disk.
const SORT_MEMORY_BYTES: usize = 768 << 20;

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
    pub chats: usize,
    pub sessions: usize,
    pub events: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("the events table does not have the expected columns: {0}")]
    Events(#[from] arrow::error::ArrowError),
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
    let mut lease = acquire(lake, holder, clock).await?;
    let work = run_alone(lake, settings, mode);
    tokio::pin!(work);
    let mut renewals = tokio::time::interval(std::time::Duration::from_secs(RENEW_SECONDS));
    renewals.tick().await;
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = renewals.tick() => lease.renew(holder, Duration::seconds(LEASE_SECONDS), clock()).await?,
        }
    };
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, "the transform's lease was not released and will expire");
    }
    result
}

async fn acquire(
    lake: &Lake,
    holder: &str,
    clock: fn() -> DateTime<Utc>,
) -> Result<Lease, LakeError> {
    let give_up = clock() + Duration::seconds(WAIT_SECONDS);
    loop {
        match lake
            .lease(LEASE, holder, Duration::seconds(LEASE_SECONDS), clock())
            .await
        {
            Err(LakeError::Held { .. }) if clock() < give_up => {
                tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            }
            result => return result,
        }
    }
}

async fn run_alone(lake: &Lake, settings: &Settings, mode: Mode) -> Result<Report, TransformError> {
    let mut events = match lake.existing(events::TABLE).await {
        Ok(events) => events,
        Err(LakeError::NoSuchTable { .. }) => return Ok(Report::default()),
        Err(error) => return Err(error.into()),
    };
    let facts = facts::all();
    let mut tables = Vec::new();
    for fact in &facts {
        tables.push(lake.table(&spec(fact.as_ref())).await?);
    }
    // After the facts, so that their position cannot be ahead of it.
    events.refresh().await?;
    let plan = plan(&events, &tables, settings, mode).await?;
    let mut report = Report {
        events_version: events.version(),
        rebuilt_because: plan.rebuild_reason(),
        ..Report::default()
    };
    if plan == Plan::Nothing {
        return Ok(report);
    }
    let mut rewrites = Vec::new();
    for table in &mut tables {
        rewrites.push(table.rewrite(plan.scope())?);
    }
    derive_all(&events, &plan, &facts, &mut rewrites, settings, &mut report).await?;
    let version = i64::try_from(events.version()).unwrap_or(i64::MAX);
    let txns = [(POSITION, version), (FINGERPRINT, fingerprint(settings))];
    // Where chats were touched every table is committed, also one without news: the fence against a
    // run that was paused and wakes up with older facts.
    let fenced = report.chats > 0 || matches!(plan, Plan::Rebuild(_));
    for (rewrite, fact) in rewrites.into_iter().zip(&facts) {
        rewrite
            .commit(&txns, fenced || fact.name() == CHATS_TABLE)
            .await?;
    }
    Ok(report)
}

/// What a run has to do.
#[derive(Debug, PartialEq)]
enum Plan {
    Nothing,
    Rebuild(&'static str),
    /// These chats, whose events were delivered from that UTC date on.
    Touched {
        chats: BTreeSet<i64>,
        from: Option<NaiveDate>,
    },
}

impl Plan {
    fn bounded(self) -> Plan {
        match &self {
            Plan::Touched { chats, .. } if chats.len() > TOUCHED_AT_MOST => {
                Plan::Rebuild("very many chats have news")
            }
            _ => self,
        }
    }

    fn scope(&self) -> Scope {
        match self {
            Plan::Touched { chats, .. } => Scope::Keys {
                column: "chat_id",
                keys: chats.clone(),
            },
            _ => Scope::Everything,
        }
    }

    fn rebuild_reason(&self) -> Option<&'static str> {
        match self {
            Plan::Rebuild(reason) => Some(reason),
            _ => None,
        }
    }

    fn touched(&self) -> Option<&BTreeSet<i64>> {
        match self {
            Plan::Touched { chats, .. } => Some(chats),
            _ => None,
        }
    }
}

async fn plan(
    events: &Table,
    tables: &[Table],
    settings: &Settings,
    mode: Mode,
) -> Result<Plan, TransformError> {
    let Some(chats) = tables.iter().find(|table| table.name() == CHATS_TABLE) else {
        return Ok(Plan::Rebuild("there are no facts yet"));
    };
    let position = chats
        .committed(POSITION)
        .await?
        .and_then(|version| u64::try_from(version).ok());
    let Some(position) = position else {
        return Ok(Plan::Rebuild("there are no facts yet"));
    };
    if mode == Mode::Full {
        return Ok(Plan::Rebuild("a full rebuild was asked for"));
    }
    if chats.committed(FINGERPRINT).await? != Some(fingerprint(settings)) {
        return Ok(Plan::Rebuild("the rules or their settings have changed"));
    }
    if position == events.version() {
        return Ok(Plan::Nothing);
    }
    if position > events.version() {
        return Ok(Plan::Rebuild(
            "the events table was replaced by an older one",
        ));
    }
    match events.changes_since(position).await? {
        Changes::Unknown => Ok(Plan::Rebuild(
            "the log of events no longer reaches back to the last run",
        )),
        Changes::Added(files) => touched(events, chats, &files).await.map(Plan::bounded),
    }
}

/// The chats with new events, and since when they have any.
async fn touched(
    events: &Table,
    facts: &Table,
    files: &[AddedFile],
) -> Result<Plan, TransformError> {
    let mut chats = BTreeSet::new();
    let mut from = None;
    for file in files {
        let mut names_chats = false;
        for batch in events.read_file(file, &["chat_id"]).await? {
            let batch = batch?;
            let ids = plain(batch.column(0), &DataType::Int64)?;
            for id in ids.as_primitive::<Int64Type>().iter().flatten() {
                names_chats = true;
                chats.insert(id);
            }
        }
        let dates = file
            .partition_values
            .iter()
            .filter_map(|(_, date)| date.as_ref()?.parse().ok());
        if names_chats {
            from = dates.chain(from).min();
        }
    }
    if let (Some(low), Some(high)) = (chats.first(), chats.last()) {
        let predicate = chat_predicate(&chats, *low, *high);
        let mut known = facts
            .read_sorted(
                &["chat_id", "first_delivered_at"],
                Some(predicate),
                &[],
                SORT_MEMORY_BYTES,
            )
            .await?;
        while let Some(batch) = known.try_next().await? {
            let ids = plain(batch.column(0), &DataType::Int64)?;
            let instants = plain(
                batch.column(1),
                &DataType::Timestamp(TimeUnit::Microsecond, None),
            )?;
            let instants = instants.as_primitive::<TimestampMicrosecondType>();
            let rows = ids.as_primitive::<Int64Type>().iter().zip(instants.iter());
            let dates = rows.filter_map(|(id, micros)| {
                id.filter(|id| chats.contains(id))?;
                Some(DateTime::from_timestamp_micros(micros?)?.date_naive())
            });
            from = dates.chain(from).min();
        }
    }
    Ok(Plan::Touched { chats, from })
}

fn chat_predicate(chats: &BTreeSet<i64>, low: i64, high: i64) -> Expr {
    let range = col("chat_id")
        .gt_eq(lit(low))
        .and(col("chat_id").lt_eq(lit(high)));
    if chats.len() > LOOKED_UP {
        return range;
    }
    range.and(col("chat_id").in_list(chats.iter().map(|chat| lit(*chat)).collect(), false))
}

async fn derive_all(
    events: &Table,
    plan: &Plan,
    facts: &[Box<dyn FactTable>],
    rewrites: &mut [Rewrite<'_>],
    settings: &Settings,
    report: &mut Report,
) -> Result<(), TransformError> {
    let predicate = match plan {
        Plan::Touched { chats, from } => match (chats.first(), chats.last(), from) {
            (Some(low), Some(high), from) => {
                let since = from.map(|date| col("event_date").gt_eq(lit(date_value(date))));
                Some(
                    since
                        .into_iter()
                        .fold(chat_predicate(chats, *low, *high), Expr::and),
                )
            }
            _ => return Ok(()),
        },
        _ => Some(col("chat_id").is_not_null()),
    };
    let mut stream = events
        .read_sorted(&COLUMNS, predicate, &ORDER, SORT_MEMORY_BYTES)
        .await?;
    let (mut chains, mut complete) = (Chains::default(), Vec::new());
    while let Some(batch) = stream.try_next().await? {
        chains.take(&batch, plan.touched(), &mut complete)?;
        if complete.len() >= CHATS_AT_ONCE {
            write(
                std::mem::take(&mut complete),
                facts,
                rewrites,
                settings,
                report,
            )
            .await?;
        }
    }
    complete.extend(chains.finish());
    write(complete, facts, rewrites, settings, report).await
}

async fn write(
    chains: Vec<ChainInput>,
    facts: &[Box<dyn FactTable>],
    rewrites: &mut [Rewrite<'_>],
    settings: &Settings,
    report: &mut Report,
) -> Result<(), TransformError> {
    if chains.is_empty() {
        return Ok(());
    }
    report.events += chains.iter().map(|chain| chain.events.len()).sum::<usize>();
    let chats: Vec<Chat> = chains
        .into_iter()
        .map(|chain| derive(chain, settings))
        .collect();
    report.chats += chats.len();
    report.sessions += chats.iter().map(|chat| chat.sessions.len()).sum::<usize>();
    for (fact, rewrite) in facts.iter().zip(rewrites) {
        rewrite.write(fact.batch(&chats, settings)).await?;
    }
    Ok(())
}

fn date_value(date: NaiveDate) -> ScalarValue {
    ScalarValue::Date32(Some((date - NaiveDate::default()).num_days() as i32))
}

fn fingerprint(settings: &Settings) -> i64 {
    i64::from_str_radix(&settings.fingerprint()[1..], 16).unwrap_or_default()
}

/// Rows lie by date, then chat; files are found by both, and never by anything personal.
fn spec(fact: &dyn FactTable) -> TableSpec {
    let schema = fact.schema();
    let stats = schema
        .fields()
        .iter()
        .filter(|field| field.data_type() != &DataType::Utf8);
    TableSpec {
        name: fact.name().to_owned(),
        description: fact.description().to_owned(),
        stats_columns: stats.map(|field| field.name().clone()).collect(),
        schema,
        partition_columns: Vec::new(),
        sort_columns: vec![fact.date_column().to_owned(), "chat_id".to_owned()],
        bloom_filter_columns: vec!["chat_id".to_owned()],
        target_file_bytes: lake::FILE_BYTES,
    }
}
