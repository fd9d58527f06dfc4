//! Whether facts are what their events become: derived anew from all events of a chat, or of an agent, at
//! once, and compared row by row. Changes nothing.
//!
//! Chats and agents with events that no run has taken in yet are left out. Facts whose events are gone stay as they were
//! derived, and are exempt.

mod agents;
mod differences;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::Array;
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::prelude::{Expr, col};
use futures::TryStreamExt;
use lake::{Changes, Lake, LakeError, Table, without_older};

use super::kept::{KeptSessions, Known, KnownChats, read_known};
use super::tables::{CHATS, derived_tables, is_of, position};
use super::{READ_MEMORY_BYTES, TransformError};
use crate::chain::{Chat, derive};
use crate::facts::{FactTable, of_agents, of_chats};
use crate::read::{COLUMNS, Chains, ORDER, any_of, longs, names, texts};
use crate::settings::Settings;
use differences::differences;

/// Chats derived and compared at a time.
const CHATS_AT_ONCE: usize = 2_000;
/// More differences than this are only counted.
const DIFFERENCES_TOLD: usize = 20;
/// The columns that tell the rows of a fact of chats apart, of those that it has.
const CHAT_KEY: [&str; 9] = [
    "company_id",
    "chat_id",
    "session_no",
    "episode_no",
    "segment_no",
    "turn_no",
    "run_no",
    "message_id",
    "changed_at",
];

/// Which chats and agents are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many of either, from all times.
    Sample(usize),
    All,
}

/// What was found of the facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactsCheck {
    pub state: FactsState,
    /// Chats and agents that were derived anew, and the rows they gave.
    pub chats: usize,
    pub agents: usize,
    pub rows: usize,
    /// The first of them.
    pub differences: Vec<FactDifference>,
    /// How many there are in all.
    pub different: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FactsState {
    /// There are no facts yet.
    #[default]
    Absent,
    /// They reflect all but so many commits of `events`.
    Behind(u64),
    /// They were derived with other rules or settings, and the next run derives them anew.
    Outdated,
    /// A run is at work, or died, so that the tables reflect different events.
    Unfinished,
    /// They reflect a version of `events` that is not there yet, or not any more.
    Ahead,
}

/// A row that is not what its events become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactDifference {
    pub table: &'static str,
    /// Such as `company_id 1, chat_id 7, session_no 1`.
    pub key: String,
    pub kind: DifferenceKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The events become a row that is not there.
    Missing,
    /// There is a row that no event becomes.
    Surplus,
    /// These columns have other values.
    Columns(Vec<String>),
}

impl FactsCheck {
    fn tell(&mut self, differences: Vec<FactDifference>) {
        self.different += differences.len();
        let room = DIFFERENCES_TOLD.saturating_sub(self.differences.len());
        self.differences.extend(differences.into_iter().take(room));
    }
}

/// Derives facts anew and compares them.
///
/// # Errors
/// As the tables give them when they are read.
pub async fn verify_facts(
    lake: &Lake,
    settings: &Settings,
    extent: Extent,
) -> Result<FactsCheck, TransformError> {
    let mut check = FactsCheck::default();
    let Some(chats) = existing(lake, CHATS).await? else {
        return Ok(check);
    };
    // After the facts, so that what these reflect beside a service at work is there.
    let Some(events) = existing(lake, events::TABLE).await? else {
        return Ok(check);
    };
    // As the transform reads them.
    let events = events.without_expired().await?;
    let Some(reflected) = position(&chats).await? else {
        return Ok(check);
    };
    if reflected > events.version() {
        check.state = FactsState::Ahead;
        return Ok(check);
    }
    if !is_of(&chats, settings).await? {
        check.state = FactsState::Outdated;
        return Ok(check);
    }
    let Some(facts) = Facts::open(lake, reflected).await? else {
        check.state = FactsState::Unfinished;
        return Ok(check);
    };
    let Some(news) = Untaken::since(&events, reflected).await? else {
        // The next run derives everything anew.
        check.state = FactsState::Outdated;
        return Ok(check);
    };
    check.state = FactsState::Behind(news.commits);
    let ids = ids(&events, "chat_id", col("chat_id").is_not_null()).await?;
    let ids = sampled(ids, &news.chats, extent);
    for ids in ids.chunks(CHATS_AT_ONCE) {
        let wanted = ids.iter().copied().collect();
        facts
            .compare(&events, &wanted, settings, &mut check)
            .await?;
    }
    let status = &facts.agent_status;
    agents::compare(status, &events, &news.agents, settings, extent, &mut check).await?;
    Ok(check)
}

/// The tables that must be there, because facts were derived, and are not.
///
/// # Errors
/// As the tables give them when they are opened.
pub async fn missing_tables(
    lake: &Lake,
    settings: &Settings,
) -> Result<Vec<&'static str>, TransformError> {
    let Some(chats) = existing(lake, CHATS).await? else {
        return Ok(Vec::new());
    };
    if position(&chats).await?.is_none() {
        return Ok(Vec::new());
    }
    // Under other rules there may have been other tables, and the next run makes all anew.
    let derived = if is_of(&chats, settings).await? {
        derived_tables()
    } else {
        Vec::new()
    };
    let tables = lake.tables().await?;
    let all = std::iter::once(events::TABLE).chain(derived);
    Ok(all
        .filter(|name| !tables.iter().any(|table| table == name))
        .collect())
}

/// How many rows of `events` repeat an event that is stored already, and the id of one.
///
/// # Errors
/// As the table gives them when it is read.
pub async fn repeated_events(events: &Table) -> Result<(u64, Option<String>), TransformError> {
    let mut rows = events
        .read_sorted(&["event_id"], None, &["event_id"], READ_MEMORY_BYTES)
        .await?;
    let (mut repeated, mut one, mut last) = (0, None, None::<String>);
    while let Some(batch) = rows.try_next().await? {
        for id in texts(&batch, "event_id")?.iter().flatten() {
            if last.as_deref() == Some(id) {
                repeated += 1;
                one.get_or_insert_with(|| id.to_owned());
            } else {
                last = Some(id.to_owned());
            }
        }
    }
    Ok((repeated, one))
}

async fn existing(lake: &Lake, name: &str) -> Result<Option<Table>, LakeError> {
    match lake.existing(name).await {
        Ok(table) => Ok(Some(table)),
        Err(LakeError::NoSuchTable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Events that no run has taken in.
struct Untaken {
    commits: u64,
    chats: BTreeSet<i64>,
    agents: BTreeSet<i64>,
}

impl Untaken {
    /// `None` where the log no longer tells.
    async fn since(events: &Table, reflected: u64) -> Result<Option<Self>, TransformError> {
        let Changes::Added(files) = events.changes_since(reflected).await? else {
            return Ok(None);
        };
        let commits: BTreeSet<u64> = files.iter().map(|file| file.version).collect();
        let (mut chats, mut agents) = (BTreeSet::new(), BTreeSet::new());
        for file in &files {
            for batch in events.read_file(file, &["chat_id", "agent_id"]).await? {
                let batch = batch?;
                chats.extend(longs(&batch, "chat_id")?.iter().flatten());
                agents.extend(longs(&batch, "agent_id")?.iter().flatten());
            }
        }
        Ok(Some(Self {
            commits: commits.len() as u64,
            chats,
            agents,
        }))
    }
}

/// All of a column that the events have, in order.
async fn ids(events: &Table, column: &str, of: Expr) -> Result<Vec<i64>, TransformError> {
    let mut rows = events
        .read_sorted(&[column], Some(of), &[], READ_MEMORY_BYTES)
        .await?;
    let mut ids = BTreeSet::new();
    while let Some(batch) = rows.try_next().await? {
        ids.extend(longs(&batch, column)?.iter().flatten());
    }
    Ok(ids.into_iter().collect())
}

fn sampled(mut ids: Vec<i64>, left_out: &BTreeSet<i64>, extent: Extent) -> Vec<i64> {
    ids.retain(|id| !left_out.contains(id));
    match extent {
        Extent::Sample(most) => {
            let each = ids.len().div_ceil(most.max(1)).max(1);
            // The latest are always among them.
            ids.into_iter().rev().step_by(each).collect()
        }
        Extent::All => ids,
    }
}

/// A table, unless it is not there or reflects later events.
async fn reflecting(
    lake: &Lake,
    name: &str,
    reflected: u64,
) -> Result<Option<Table>, TransformError> {
    let Some(table) = existing(lake, name).await? else {
        return Ok(None);
    };
    let is_later = position(&table).await?.is_some_and(|of| of > reflected);
    Ok((!is_later).then_some(table))
}

struct Facts {
    facts: Vec<Box<dyn FactTable>>,
    /// In the order of `facts`.
    tables: Vec<Table>,
    agent_status: Table,
}

impl Facts {
    /// `None` where the tables do not belong together.
    async fn open(lake: &Lake, reflected: u64) -> Result<Option<Facts>, TransformError> {
        let Some(agent_status) = reflecting(lake, of_agents().name(), reflected).await? else {
            return Ok(None);
        };
        let facts = of_chats();
        let mut tables = Vec::new();
        for fact in &facts {
            let Some(table) = reflecting(lake, fact.name(), reflected).await? else {
                return Ok(None);
            };
            tables.push(table);
        }
        // It is committed last, and opened last: where it stands as before, nothing was between.
        let is_same = match tables.last() {
            Some(chats) => position(chats).await? == Some(reflected),
            None => false,
        };
        Ok(is_same.then_some(Facts {
            facts,
            tables,
            agent_status,
        }))
    }

    fn chats(&self) -> &Table {
        self.tables
            .last()
            .expect("fact_chats is the last of the facts")
    }

    async fn compare(
        &self,
        events: &Table,
        wanted: &BTreeSet<i64>,
        settings: &Settings,
        check: &mut FactsCheck,
    ) -> Result<(), TransformError> {
        let (chats, kept) = self.derive(events, wanted, settings).await?;
        check.chats += chats.len();
        for (fact, table) in self.facts.iter().zip(&self.tables) {
            let derived = fact.batch(&chats, settings);
            let derived = without_older(derived, fact.date_column(), table.kept_from().await?)?;
            check.rows += derived.num_rows();
            let stored = stored(fact.as_ref(), table, wanted, &kept).await?;
            check.tell(differences(fact.name(), &CHAT_KEY, &derived, &stored)?);
        }
        Ok(())
    }

    async fn derive(
        &self,
        events: &Table,
        wanted: &BTreeSet<i64>,
        settings: &Settings,
    ) -> Result<(Vec<Chat>, KeptSessions), TransformError> {
        let mut known = KnownChats::new();
        let mut sessions = read_known(self.chats(), any_of("chat_id", wanted)).await?;
        while let Some(chat) = sessions.key().await? {
            let of_chat = sessions.next().await?;
            if wanted.contains(&chat) {
                known.insert(chat, of_chat);
            }
        }
        let mut rows = events
            .read_sorted(
                &COLUMNS,
                any_of("chat_id", wanted),
                &ORDER,
                READ_MEMORY_BYTES,
            )
            .await?;
        let (mut chains, mut complete) = (Chains::default(), Vec::new());
        while let Some(batch) = rows.try_next().await? {
            chains.take(&batch, Some(wanted), &mut complete)?;
        }
        complete.extend(chains.finish());
        let (mut kept, mut known) = (KeptSessions::default(), Known::OfNews(&known));
        for chat in complete.chunk_by_mut(|one, next| one.chat_id == next.chat_id) {
            kept.settle(chat, &mut known).await?;
        }
        let chats = complete.into_iter().map(|chain| derive(chain, settings));
        Ok((chats.collect(), kept))
    }
}

/// The rows of the chats, but those whose events are gone.
async fn stored(
    fact: &dyn FactTable,
    table: &Table,
    wanted: &BTreeSet<i64>,
    kept: &KeptSessions,
) -> Result<RecordBatch, TransformError> {
    let schema = fact.schema();
    let mut rows = table
        .read_sorted(
            &names(&schema),
            any_of("chat_id", wanted),
            &[],
            READ_MEMORY_BYTES,
        )
        .await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        let batch = plain(&batch, &schema)?;
        let (chats, is_kept) = (longs(&batch, "chat_id")?, kept.is_kept(&batch)?);
        let counts = |row: usize| {
            let is_wanted = chats.is_valid(row) && wanted.contains(&chats.value(row));
            Some(is_wanted && !is_kept.value(row))
        };
        let counting = (0..batch.num_rows()).map(counts).collect();
        batches.push(filter_record_batch(&batch, &counting)?);
    }
    Ok(concat_batches(&schema, &batches)?)
}

/// Scans may give views and dictionaries.
fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run between the two would look as if the facts reflected what is not there. Where there are no facts, events
    /// that do not open show which of them is opened first.
    #[tokio::test]
    async fn facts_are_opened_before_the_events_that_they_reflect() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("events/_delta_log");
        std::fs::create_dir_all(&log).expect("a log");
        std::fs::write(log.join(format!("{:020}.json", 0)), "{}").expect("an entry");
        let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
        assert!(existing(&lake, events::TABLE).await.is_err());
        let check = verify_facts(&lake, &Settings::default(), Extent::All).await;
        assert_eq!(check.expect("no facts").state, FactsState::Absent);
    }
}
