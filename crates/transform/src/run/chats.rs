//! The facts of chats: the touched chats' chains, or all, read in order, derived, and written.

use arrow::record_batch::RecordBatch;
use datafusion::prelude::{Expr, col, lit};
use futures::future::try_join_all;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use lake::{LakeError, Prepared, Rewrite, Scope, Table};

use super::kept::{KeptSessions, Known};
use super::news::News;
use super::runs::{FLOW_RUNS, Runs};
use super::tables::SETTINGS;
use super::{READ_MEMORY_BYTES, Report, TransformError, date_value};
use crate::chain::{ChainInput, Chat, derive};
use crate::dimensions::Learned;
use crate::facts::{FactTable, of_chats};
use crate::read::{COLUMNS, Chains, ORDER, any_of};
use crate::settings::Settings;

/// Chats derived and written at a time.
const CHATS_AT_ONCE: usize = 1_000;
/// Tables that are prepared at a time: each holds what it compares and sorts.
const TABLES_AT_ONCE: usize = 4;

/// The facts of chats in the making.
pub(super) struct ChatFacts<'a> {
    facts: Vec<Box<dyn FactTable>>,
    rewrites: Vec<Rewrite<'a>>,
    settings: &'a Settings,
    kept: KeptSessions,
    /// Their runs of flows.
    pub runs: Runs,
    /// Of everything, what the events say; of news, it is known already.
    pub learned: Option<Learned>,
}

impl<'a> ChatFacts<'a> {
    pub async fn derive(
        events: &Table,
        tables: &'a mut [Table],
        news: Option<&News>,
        known: Known<'_>,
        settings: &'a Settings,
        report: &mut Report,
    ) -> Result<Self, TransformError> {
        let mut rewrites = Vec::new();
        for table in tables {
            rewrites.push(table.rewrite(scope(news))?);
        }
        let mut deriving = Self {
            facts: of_chats(),
            rewrites,
            settings,
            kept: KeptSessions::default(),
            runs: Runs::default(),
            learned: news.is_none().then(Learned::default),
        };
        deriving.read(events, news, known, report).await?;
        deriving.carry_over().await?;
        Ok(deriving)
    }

    async fn read(
        &mut self,
        events: &Table,
        news: Option<&News>,
        mut known: Known<'_>,
        report: &mut Report,
    ) -> Result<(), TransformError> {
        let Some(predicate) = predicate(news) else {
            return Ok(());
        };
        let wanted = news.map(|news| &news.chats);
        let mut stream = events
            .read_sorted(&COLUMNS, Some(predicate), &ORDER, READ_MEMORY_BYTES)
            .await?;
        let (mut chains, mut complete) = (Chains::default(), Vec::new());
        while let Some(batch) = stream.try_next().await? {
            chains.take(&batch, wanted, &mut complete)?;
            if complete.len() >= CHATS_AT_ONCE {
                self.write(std::mem::take(&mut complete), &mut known, report)
                    .await?;
            }
        }
        complete.extend(chains.finish());
        self.write(complete, &mut known, report).await?;
        self.kept.settle_rest(&mut known).await
    }

    /// What was derived from events that are gone stays.
    async fn carry_over(&mut self) -> Result<(), TransformError> {
        for (fact, rewrite) in self.facts.iter().zip(&mut self.rewrites) {
            let runs = &mut self.runs;
            let count = |rows: &RecordBatch| match fact.name() {
                FLOW_RUNS => runs.add(rows),
                _ => Ok(()),
            };
            self.kept.carry_over(fact.as_ref(), rewrite, count).await?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        mut chains: Vec<ChainInput>,
        known: &mut Known<'_>,
        report: &mut Report,
    ) -> Result<(), TransformError> {
        if chains.is_empty() {
            return Ok(());
        }
        for chat in chains.chunk_by_mut(|one, next| one.chat_id == next.chat_id) {
            self.kept.settle(chat, known).await?;
        }
        let events = chains.iter().flat_map(|chain| &chain.events);
        report.events += events.clone().count();
        if let Some(learned) = &mut self.learned {
            events.for_each(|stored| learned.take(&stored.event, stored.delivered_at));
        }
        let chats: Vec<Chat> = chains
            .into_iter()
            .map(|chain| derive(chain, self.settings))
            .collect();
        report.chats += chats.len();
        report.sessions += chats.iter().map(|chat| chat.sessions.len()).sum::<usize>();
        for (fact, rewrite) in self.facts.iter().zip(&mut self.rewrites) {
            let batch = fact.batch(&chats, self.settings);
            if fact.name() == FLOW_RUNS {
                self.runs.add(&batch)?;
            }
            rewrite.write(batch).await?;
        }
        Ok(())
    }

    /// Writes the files of all tables.
    pub async fn prepare(self) -> Result<PreparedFacts<'a>, LakeError> {
        let rewrites = self.rewrites.into_iter();
        let preparing: Vec<_> = rewrites.map(|rewrite| rewrite.prepare().boxed()).collect();
        let prepared = stream::iter(preparing).buffered(TABLES_AT_ONCE);
        Ok(PreparedFacts(prepared.try_collect().await?))
    }
}

/// What is written and only needs to be committed.
pub(super) struct PreparedFacts<'a>(Vec<Prepared<'a>>);

impl PreparedFacts<'_> {
    /// Commits the tables, `fact_chats` last and always. The others are committed where chats were touched, also
    /// without a change: the fence against a run that was paused and wakes up with older facts.
    pub async fn commit(
        mut self,
        settings: &Settings,
        txns: &[(&str, i64)],
        fenced: bool,
    ) -> Result<(), LakeError> {
        let chats = self.0.pop();
        let others = self.0.into_iter();
        try_join_all(others.map(|table| table.commit(txns, fenced))).await?;
        match chats {
            Some(chats) => {
                let chats = chats.with_property(SETTINGS, &settings.to_json())?;
                chats.commit(txns, true).await
            }
            None => Ok(()),
        }
    }
}

fn scope(news: Option<&News>) -> Scope {
    match news {
        Some(news) => Scope::Keys {
            column: "chat_id",
            keys: news.chats.clone(),
        },
        None => Scope::Everything,
    }
}

fn predicate(news: Option<&News>) -> Option<Expr> {
    let Some(news) = news else {
        return Some(col("chat_id").is_not_null());
    };
    let chats = any_of("chat_id", &news.chats)?;
    let since = news
        .chats_from
        .map(|date| col("event_date").gt_eq(lit(date_value(date))));
    Some(since.into_iter().fold(chats, Expr::and))
}
