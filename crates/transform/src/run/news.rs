//! The new events: whose they are, since when, and what they say of things. Read file by file and batch
//! by batch; payloads are not kept.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::Array;
use chrono::{DateTime, NaiveDate, Utc};
use events::Kind;
use lake::{AddedFile, Table};

use super::TransformError;
use super::kept::{KnownChats, read_known};
use super::tables::{Tables, position};
use crate::chain::StoredEvent;
use crate::coverage::Coverage;
use crate::dimensions::Learned;
use crate::read::{COLUMNS, EventRows, any_of, longs};

/// More touched chats than this are too many to hold in memory: a rebuild streams.
const TOUCHED_AT_MOST: usize = 50_000;
/// And more events of them, new and old.
const EVENTS_AT_MOST: usize = 500_000;

/// What is new of an agent's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AgentNews {
    /// The earliest new change.
    pub since: DateTime<Utc>,
    /// Whom the new changes name; `None` where one names no company.
    pub companies: BTreeSet<Option<i64>>,
}

#[derive(Debug, Default)]
pub(super) struct News {
    /// The version of `events` up to which the facts know.
    pub since: u64,
    pub events: usize,
    pub chats: BTreeSet<i64>,
    /// The UTC date from which on events of those chats were delivered.
    pub chats_from: Option<NaiveDate>,
    /// What is known of those chats.
    pub known: KnownChats,
    /// Agents whose status changed.
    pub agents: BTreeMap<i64, AgentNews>,
    pub learned: Learned,
    /// Events that `coverage` has not counted yet; `None` where it must count all.
    pub uncounted: Option<Coverage>,
}

impl News {
    /// Reads the files that were added since a version; `None` if they touch too many chats.
    pub async fn read(
        events: &Table,
        tables: &Tables,
        since: u64,
        files: &[AddedFile],
    ) -> Result<Option<News>, TransformError> {
        // Counts cannot tell what of them is gone.
        let has_lost_rows = events.has_lost_rows_since(since).await?;
        let counted = position(&tables.coverage)
            .await?
            .filter(|counted| *counted >= since && *counted <= events.version() && !has_lost_rows);
        let mut news = News {
            since,
            uncounted: counted.map(|_| Coverage::default()),
            ..News::default()
        };
        for file in files {
            let is_counted = counted.is_none_or(|counted| file.version <= counted);
            news.read_file(events, file, is_counted).await?;
            if news.chats.len() > TOUCHED_AT_MOST || news.events > EVENTS_AT_MOST {
                return Ok(None);
            }
        }
        news.look_back(tables.chats()).await?;
        let known = news.known.values().flatten().map(|session| session.events);
        let events = news.events as i64 + known.sum::<i64>();
        Ok((events <= EVENTS_AT_MOST as i64).then_some(news))
    }

    async fn read_file(
        &mut self,
        events: &Table,
        file: &AddedFile,
        is_counted: bool,
    ) -> Result<(), TransformError> {
        let mut names_chats = false;
        for batch in events.read_file(file, &COLUMNS).await? {
            let batch = batch?;
            self.events += batch.num_rows();
            let chats = longs(&batch, "chat_id")?;
            names_chats |= chats.null_count() < chats.len();
            self.chats.extend(chats.iter().flatten());
            if let (Some(uncounted), false) = (&mut self.uncounted, is_counted) {
                uncounted.count(&batch)?;
            }
            for event in EventRows::new(&batch)?.events() {
                self.take(&event);
            }
        }
        if names_chats {
            let dates = file.partition_values.iter();
            let dates = dates.filter_map(|(_, date)| date.as_ref()?.parse().ok());
            self.chats_from = dates.chain(self.chats_from).min();
        }
        Ok(())
    }

    fn take(&mut self, stored: &StoredEvent) {
        let (event, at) = (&stored.event, stored.delivered_at);
        self.learned.take(event, at);
        let agent = event.agent.as_ref().and_then(|agent| agent.id);
        if let (Kind::AgentChangedStatus, Some(agent)) = (event.kind, agent) {
            let news = self.agents.entry(agent).or_insert_with(|| AgentNews {
                since: at,
                companies: BTreeSet::new(),
            });
            news.since = at.min(news.since);
            news.companies.insert(event.company_id);
        }
    }

    /// Chats that are known began earlier.
    async fn look_back(&mut self, facts: &Table) -> Result<(), TransformError> {
        let Some(predicate) = any_of("chat_id", &self.chats) else {
            return Ok(());
        };
        let mut known = read_known(facts, Some(predicate)).await?;
        while let Some(chat) = known.key().await? {
            let sessions = known.next().await?;
            if self.chats.contains(&chat) {
                let began = sessions.iter().map(|session| session.first_delivered_at);
                let dates = began.map(|instant| instant.date_naive());
                self.chats_from = dates.chain(self.chats_from).min();
                self.known.insert(chat, sessions);
            }
        }
        Ok(())
    }
}
