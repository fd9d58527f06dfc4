//! Whether the facts of chats are what their events become: derived anew from all events of a chat at
//! once, and compared row by row. Changes nothing.
//!
//! Chats with events that no run has taken in yet are left out. Facts whose events are gone stay as they were derived, and are exempt.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::Array;
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use datafusion::prelude::col;
use futures::TryStreamExt;
use lake::{Changes, Lake, LakeError, Table, without_older};

use super::kept::{KeptSessions, Known, KnownChats, read_known};
use super::tables::{CHATS, is_of, position};
use super::{READ_MEMORY_BYTES, TransformError};
use crate::chain::{Chat, derive};
use crate::facts::{FactTable, of_chats};
use crate::read::{COLUMNS, Chains, ORDER, any_of, longs, names, texts};
use crate::settings::Settings;

/// Chats derived and compared at a time.
const CHATS_AT_ONCE: usize = 2_000;
/// More differences than this are only counted.
const DIFFERENCES_TOLD: usize = 20;
/// The columns that tell a fact's rows apart, of those that it has.
const KEY: [&str; 9] = [
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

/// Which chats are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many, from all times.
    Sample(usize),
    All,
}

/// What was found of the facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactsCheck {
    pub state: FactsState,
    /// Chats that were derived anew, and the rows they gave.
    pub chats: usize,
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
    /// Such as `chat_id 7, session_no 1`.
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
    let (Some(events), Some(chats)) = (
        existing(lake, events::TABLE).await?,
        existing(lake, CHATS).await?,
    ) else {
        return Ok(check);
    };
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
    let Some((behind, touched)) = news(&events, reflected).await? else {
        // The next run derives everything anew.
        check.state = FactsState::Outdated;
        return Ok(check);
    };
    check.state = FactsState::Behind(behind);
    let mut ids = chat_ids(&events).await?;
    ids.retain(|id| !touched.contains(id));
    let ids = sampled(ids, extent);
    for ids in ids.chunks(CHATS_AT_ONCE) {
        let wanted = ids.iter().copied().collect();
        facts
            .compare(&events, &wanted, settings, &mut check)
            .await?;
    }
    Ok(check)
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

/// How many commits have brought events that the facts do not reflect, and of which chats; `None` where
/// the log no longer tells.
async fn news(
    events: &Table,
    reflected: u64,
) -> Result<Option<(u64, BTreeSet<i64>)>, TransformError> {
    let Changes::Added(files) = events.changes_since(reflected).await? else {
        return Ok(None);
    };
    let commits: BTreeSet<u64> = files.iter().map(|file| file.version).collect();
    let mut touched = BTreeSet::new();
    for file in &files {
        for batch in events.read_file(file, &["chat_id"]).await? {
            touched.extend(longs(&batch?, "chat_id")?.iter().flatten());
        }
    }
    Ok(Some((commits.len() as u64, touched)))
}

/// All of them, in order.
async fn chat_ids(events: &Table) -> Result<Vec<i64>, TransformError> {
    let of_chats = col("chat_id").is_not_null();
    let mut rows = events
        .read_sorted(&["chat_id"], Some(of_chats), &[], READ_MEMORY_BYTES)
        .await?;
    let mut ids = BTreeSet::new();
    while let Some(batch) = rows.try_next().await? {
        ids.extend(longs(&batch, "chat_id")?.iter().flatten());
    }
    Ok(ids.into_iter().collect())
}

fn sampled(ids: Vec<i64>, extent: Extent) -> Vec<i64> {
    match extent {
        Extent::Sample(most) => {
            let each = ids.len().div_ceil(most.max(1)).max(1);
            // The latest are always among them.
            ids.into_iter().rev().step_by(each).collect()
        }
        Extent::All => ids,
    }
}

struct Facts {
    facts: Vec<Box<dyn FactTable>>,
    /// In the order of `facts`.
    tables: Vec<Table>,
}

impl Facts {
    /// `None` where the tables do not belong together.
    async fn open(lake: &Lake, reflected: u64) -> Result<Option<Facts>, TransformError> {
        let facts = of_chats();
        let mut tables = Vec::new();
        for fact in &facts {
            let Some(table) = existing(lake, fact.name()).await? else {
                return Ok(None);
            };
            if position(&table)
                .await?
                .is_some_and(|of_table| of_table > reflected)
            {
                return Ok(None);
            }
            tables.push(table);
        }
        // It is committed last, and opened last: where it stands as before, nothing was between.
        let is_same = match tables.last() {
            Some(chats) => position(chats).await? == Some(reflected),
            None => false,
        };
        Ok(is_same.then_some(Facts { facts, tables }))
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
            for difference in differences(fact.name(), &derived, &stored)? {
                check.different += 1;
                if check.differences.len() < DIFFERENCES_TOLD {
                    check.differences.push(difference);
                }
            }
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
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()));
        let batch = RecordBatch::try_new(schema.clone(), columns.collect::<Result<Vec<_>, _>>()?)?;
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

/// Rows are compared whole, as multisets; those left on both sides are paired by their keys.
fn differences(
    table: &'static str,
    derived: &RecordBatch,
    stored: &RecordBatch,
) -> Result<Vec<FactDifference>, ArrowError> {
    let schema = derived.schema();
    let fields = schema.fields().iter();
    let fields = fields.map(|field| SortField::new(field.data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let derived_rows = converter.convert_columns(derived.columns())?;
    let stored_rows = converter.convert_columns(stored.columns())?;
    let mut unmatched: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (number, row) in derived_rows.iter().enumerate() {
        unmatched.entry(row.data()).or_default().push(number);
    }
    let mut surplus = Vec::new();
    for (number, row) in stored_rows.iter().enumerate() {
        let found = unmatched.get_mut(row.data()).and_then(Vec::pop);
        if found.is_none() {
            surplus.push(number);
        }
    }
    let mut missing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for number in unmatched.into_values().flatten() {
        missing
            .entry(key(derived, number)?)
            .or_default()
            .push(number);
    }
    let mut found = Vec::new();
    for number in surplus {
        let key = key(stored, number)?;
        let kind = match missing.get_mut(&key).and_then(Vec::pop) {
            Some(other) => DifferenceKind::Columns(differing(derived, other, stored, number)?),
            None => DifferenceKind::Surplus,
        };
        found.push(FactDifference { table, key, kind });
    }
    for (key, numbers) in missing {
        found.extend(numbers.iter().map(|_| FactDifference {
            table,
            key: key.clone(),
            kind: DifferenceKind::Missing,
        }));
    }
    Ok(found)
}

fn key(rows: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let mut parts = Vec::new();
    for name in KEY {
        if let Some(column) = rows
            .column_by_name(name)
            .filter(|column| column.is_valid(row))
        {
            parts.push(format!("{name} {}", array_value_to_string(column, row)?));
        }
    }
    Ok(parts.join(", "))
}

fn differing(
    one: &RecordBatch,
    one_row: usize,
    other: &RecordBatch,
    other_row: usize,
) -> Result<Vec<String>, ArrowError> {
    let mut names = Vec::new();
    for ((field, mine), theirs) in one
        .schema()
        .fields()
        .iter()
        .zip(one.columns())
        .zip(other.columns())
    {
        if mine.slice(one_row, 1).to_data() != theirs.slice(other_row, 1).to_data() {
            names.push(field.name().clone());
        }
    }
    Ok(names)
}
