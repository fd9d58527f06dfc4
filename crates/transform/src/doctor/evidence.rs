//! What is measured: counts by type, errors, clocks, gaps, and whether the facts are behind.

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Duration, Utc};
use datafusion::prelude::SessionContext;
use events::{Tz, occurred};
use futures::TryStreamExt;
use lake::{Lake, LakeError};

use crate::read::{COLUMNS, EventRows, instant, instants, longs, text, texts};
use crate::run::{TransformError, lag};
use crate::settings::Settings;

const MEMORY_BYTES: usize = 1 << 30;
/// What is told apart by words: more kinds of errors help nobody.
const ERRORS_SHOWN: usize = 10;

/// What the events of some days say. Seconds are rounded down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    pub types: Vec<TypeSeen>,
    /// By type and reason, the most frequent first.
    pub errors: Vec<ErrorSeen>,
    /// Of events with an instant of their own.
    pub clock: Clock,
    /// Of events that this system received itself.
    pub arrival: Clock,
    /// Stretches without any delivery, the longest first.
    pub gaps: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Commits that added events and that the facts do not reflect; `None` if there are no facts.
    pub facts_behind: Option<u64>,
    /// Whether the facts were derived with other rules or settings.
    pub facts_outdated: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TypeSeen {
    pub event_type: Option<String>,
    pub events: u64,
    pub last_delivered_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ErrorSeen {
    pub event_type: Option<String>,
    pub reason: String,
    pub events: u64,
    /// The id of one of them.
    pub event_id: String,
}

/// How much later one clock is than another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clock {
    pub events: u64,
    pub median_seconds: Option<i64>,
    /// More than 5 seconds the wrong way round.
    pub early: u64,
    /// More than 5 minutes later.
    pub late: u64,
    pub latest_seconds: Option<i64>,
}

impl Clock {
    fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_unstable_by(f64::total_cmp);
        let count =
            |is_it: fn(f64) -> bool| seconds.iter().filter(|one| is_it(**one)).count() as u64;
        Self {
            events: seconds.len() as u64,
            median_seconds: seconds.get(seconds.len() / 2).map(|median| *median as i64),
            early: count(|seconds| seconds < -5.0),
            late: count(|seconds| seconds > 300.0),
            latest_seconds: seconds.last().map(|latest| *latest as i64),
        }
    }
}

impl Evidence {
    pub fn events(&self) -> u64 {
        self.types.iter().map(|seen| seen.events).sum()
    }

    pub(super) async fn gather(
        lake: &Lake,
        settings: &Settings,
        days: u32,
    ) -> Result<Self, TransformError> {
        let events = match lake.existing(events::TABLE).await {
            Ok(events) => events,
            Err(LakeError::NoSuchTable { .. }) => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let lag = lag(lake, &events, settings).await?;
        let context = lake::session(MEMORY_BYTES);
        let desk = Desk {
            context: &context,
            days,
        };
        context.register_table(events::TABLE, events.provider().await?)?;
        Ok(Self {
            types: desk.types().await?,
            errors: desk.errors().await?,
            clock: desk.clock(settings.zone).await?,
            arrival: desk.arrival().await?,
            gaps: desk.gaps().await?,
            facts_behind: lag.commits,
            facts_outdated: lag.is_outdated,
        })
    }
}

/// Asks the events of the last days.
struct Desk<'a> {
    context: &'a SessionContext,
    days: u32,
}

impl Desk<'_> {
    async fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, TransformError> {
        Ok(self
            .context
            .sql(&self.of_recent(sql))
            .await?
            .collect()
            .await?)
    }

    fn of_recent(&self, sql: &str) -> String {
        format!(
            "WITH recent AS (SELECT * FROM events WHERE event_date > \
             (SELECT max(event_date) FROM events) - INTERVAL '{} days') {sql}",
            self.days
        )
    }

    async fn types(&self) -> Result<Vec<TypeSeen>, TransformError> {
        let sql = "SELECT event_type, count(*) AS events, max(delivered_at) AS last_at \
                   FROM recent GROUP BY event_type ORDER BY event_type";
        let mut types = Vec::new();
        for batch in self.ask(sql).await? {
            let (names, counts) = (texts(&batch, "event_type")?, longs(&batch, "events")?);
            let last = instants(&batch, "last_at")?;
            types.extend((0..batch.num_rows()).map(|row| TypeSeen {
                event_type: text(&names, row).map(str::to_owned),
                events: counts.value(row).unsigned_abs(),
                last_delivered_at: instant(last.value(row)),
            }));
        }
        Ok(types)
    }

    async fn errors(&self) -> Result<Vec<ErrorSeen>, TransformError> {
        let sql = format!(
            "SELECT event_type, parse_error, count(*) AS events, min(event_id) AS event_id FROM recent \
             WHERE parse_error IS NOT NULL GROUP BY event_type, parse_error \
             ORDER BY events DESC, event_type, parse_error LIMIT {ERRORS_SHOWN}"
        );
        let mut errors = Vec::new();
        for batch in self.ask(&sql).await? {
            let (names, reasons) = (texts(&batch, "event_type")?, texts(&batch, "parse_error")?);
            let (counts, ids) = (longs(&batch, "events")?, texts(&batch, "event_id")?);
            errors.extend((0..batch.num_rows()).map(|row| ErrorSeen {
                event_type: text(&names, row).map(str::to_owned),
                reason: reasons.value(row).to_owned(),
                events: counts.value(row).unsigned_abs(),
                event_id: ids.value(row).to_owned(),
            }));
        }
        Ok(errors)
    }

    /// How much later the platform delivered than it says things happened, by the zone that is set now: what is stored
    /// was read by that of its time.
    async fn clock(&self, zone: Tz) -> Result<Clock, TransformError> {
        let sql = format!(
            "SELECT {} FROM recent WHERE occurred_at_source IN ('send_at', 'closed_at')",
            COLUMNS.join(", ")
        );
        let frame = self.context.sql(&self.of_recent(&sql)).await?;
        let mut rows = frame.execute_stream().await?;
        let mut seconds = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            seconds.extend(EventRows::new(&batch)?.events().map(|stored| {
                let (occurred_at, ..) = occurred(&stored.event, stored.delivered_at, zone);
                (stored.delivered_at - occurred_at).num_seconds() as f64
            }));
        }
        Ok(Clock::of(seconds))
    }

    /// How much later this system received than the platform says it delivered. Imported lines without a time of their
    /// own say nothing.
    async fn arrival(&self) -> Result<Clock, TransformError> {
        let sql = "SELECT date_part('epoch', received_at) - date_part('epoch', delivered_at) AS seconds \
                   FROM recent WHERE received_at <> delivered_at";
        let mut seconds = Vec::new();
        for batch in self.ask(sql).await? {
            seconds.extend(batch.column(0).as_primitive::<Float64Type>().values());
        }
        Ok(Clock::of(seconds))
    }

    async fn gaps(&self) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>, TransformError> {
        let sql = "SELECT before, minute AS after FROM (SELECT minute, lag(minute) OVER (ORDER BY minute) AS before \
                   FROM (SELECT DISTINCT date_trunc('minute', delivered_at) AS minute FROM recent)) \
                   WHERE before IS NOT NULL ORDER BY minute - before DESC, minute LIMIT 3";
        let mut gaps = Vec::new();
        for batch in self.ask(sql).await? {
            let (before, after) = (instants(&batch, "before")?, instants(&batch, "after")?);
            // The minute in which the last delivery came is no part of the gap.
            let rows = (0..batch.num_rows()).map(|row| {
                let began = instant(before.value(row)) + Duration::minutes(1);
                (began, instant(after.value(row)))
            });
            gaps.extend(rows);
        }
        Ok(gaps)
    }
}
