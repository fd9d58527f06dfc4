//! How often each flow ran. Counting does not merge as other knowledge of flows does: what is known is
//! corrected by the touched chats' rows before and after, if it reflects the same events as the facts
//! do; else all runs are counted again.

use std::collections::BTreeMap;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::prelude::{Expr, col};
use futures::TryStreamExt;
use lake::Table;

use super::news::News;
use super::tables::position;
use super::{READ_MEMORY_BYTES, TransformError};
use crate::dimensions::{self, Things};
use crate::read::{any_of, long, longs};

pub(super) const FLOW_RUNS: &str = "fact_flow_runs";
const FLOWS: &str = "dim_flows";
const COLUMNS: [&str; 3] = ["company_id", "chat_id", "flow_id"];

/// Runs by flow and company.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs(BTreeMap<(i64, Option<i64>), i64>);

impl Runs {
    /// Adds rows of `fact_flow_runs`.
    pub fn add(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        self.count(rows, 1, |_| true)
    }

    pub fn add_all(&mut self, other: &Runs) {
        for (flow, runs) in &other.0 {
            *self.0.entry(*flow).or_default() += runs;
        }
    }

    pub fn of(&self, flow: (i64, Option<i64>)) -> i64 {
        self.0.get(&flow).copied().unwrap_or_default()
    }

    /// The runs in chats that have no news; none where all are derived anew.
    pub async fn of_others(
        dimensions: &[Table],
        facts: Option<Table>,
        news: Option<&News>,
    ) -> Result<Runs, TransformError> {
        let (Some(facts), Some(news), Some(place)) = (
            facts,
            news,
            dimensions::ALL.iter().position(|of| of.name == FLOWS),
        ) else {
            return Ok(Runs::default());
        };
        let flows = &dimensions[place];
        let known = super::dimensions::read(flows, dimensions::ALL[place], None).await?;
        // Runs of a flow without a row yet were counted nowhere.
        let mut told = news.learned.things()[place].keys();
        if position(flows).await? != Some(news.since) || told.any(|flow| !known.contains_key(flow))
        {
            return Runs::default().count_all(&facts, news).await;
        }
        Runs::known(&known).take_back(&facts, news).await
    }

    fn known(flows: &Things) -> Runs {
        Runs(
            flows
                .iter()
                .map(|(flow, known)| (*flow, known.runs))
                .collect(),
        )
    }

    async fn count_all(mut self, facts: &Table, news: &News) -> Result<Runs, TransformError> {
        let is_other = |chat: i64| !news.chats.contains(&chat);
        self.read(facts, None, 1, is_other).await?;
        Ok(self)
    }

    async fn take_back(mut self, facts: &Table, news: &News) -> Result<Runs, TransformError> {
        if let Some(touched) = any_of("chat_id", &news.chats) {
            let is_touched = |chat: i64| news.chats.contains(&chat);
            self.read(facts, Some(touched), -1, is_touched).await?;
        }
        Ok(self)
    }

    async fn read(
        &mut self,
        facts: &Table,
        predicate: Option<Expr>,
        each: i64,
        of: impl Fn(i64) -> bool,
    ) -> Result<(), TransformError> {
        let has_flow = col("flow_id").is_not_null();
        let predicate = predicate.into_iter().fold(has_flow, Expr::and);
        let mut rows = facts
            .read_sorted(&COLUMNS, Some(predicate), &[], READ_MEMORY_BYTES)
            .await?;
        while let Some(batch) = rows.try_next().await? {
            self.count(&batch, each, &of)?;
        }
        Ok(())
    }

    fn count(
        &mut self,
        rows: &RecordBatch,
        each: i64,
        of: impl Fn(i64) -> bool,
    ) -> Result<(), ArrowError> {
        let (companies, chats) = (longs(rows, "company_id")?, longs(rows, "chat_id")?);
        let flows = longs(rows, "flow_id")?;
        for row in 0..rows.num_rows() {
            if let Some(flow) = long(&flows, row)
                && of(chats.value(row))
            {
                *self.0.entry((flow, long(&companies, row))).or_default() += each;
            }
        }
        Ok(())
    }
}
