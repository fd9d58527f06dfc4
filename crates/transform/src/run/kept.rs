//! What was derived from events that are gone: found among the sessions that `fact_chats` knows, and carried over from
//! each table's rows to its new ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::prelude::Expr;
use futures::TryStreamExt;
use lake::{Rewrite, Table};

use super::by_key::ByKey;
use super::news::News;
use super::{READ_MEMORY_BYTES, TransformError};
use crate::chain::{ChainInput, Kept, KnownSession};
use crate::facts::FactTable;
use crate::read::{any_of, instant, instants, long, longs, names};

const COLUMNS: [&str; 9] = [
    "company_id",
    "chat_id",
    "session_no",
    "first_delivered_at",
    "last_event_at",
    "closed_at",
    "department_id",
    "flow_runs",
    "event_count",
];

/// Sessions that `fact_chats` knows, by chat.
pub(super) type KnownChats = BTreeMap<i64, Vec<KnownSession>>;

/// Where the sessions that are known come from.
pub(super) enum Known<'a> {
    /// Of the touched chats, read already.
    OfNews(&'a KnownChats),
    /// Of all chats, read alongside their events.
    OfAll(Box<ByKey<KnownSession>>, Option<(i64, Vec<KnownSession>)>),
}

impl<'a> Known<'a> {
    pub async fn of(chats: &Table, news: Option<&'a News>) -> Result<Self, TransformError> {
        Ok(match news {
            Some(news) => Self::OfNews(&news.known),
            None => Self::OfAll(Box::new(read_known(chats, None).await?), None),
        })
    }
}

/// The sessions that stay as they are, by chat and company: all up to a number.
#[derive(Debug, Default)]
pub(super) struct KeptSessions(BTreeMap<(i64, Option<i64>), i32>);

impl KeptSessions {
    /// Decides what of a chat id stays, whose chains these are: one for each company. Chat ids must come in ascending
    /// order; those passed over have no events at all and stay whole.
    pub async fn settle(
        &mut self,
        chains: &mut [ChainInput],
        known: &mut Known<'_>,
    ) -> Result<(), TransformError> {
        let Some(chat_id) = chains.first().map(|chain| chain.chat_id) else {
            return Ok(());
        };
        let sessions = match known {
            Known::OfNews(chats) => chats.get(&chat_id),
            Known::OfAll(rows, current) => {
                while let Some(chat) = rows.key().await?.filter(|chat| *chat <= chat_id) {
                    let sessions = rows.next().await?;
                    if chat < chat_id {
                        self.keep_whole(chat, &sessions);
                    }
                    *current = Some((chat, sessions));
                }
                let same = |current: &&(i64, Vec<KnownSession>)| current.0 == chat_id;
                current.as_ref().filter(same).map(|(_, sessions)| sessions)
            }
        };
        let Some(sessions) = sessions else {
            return Ok(());
        };
        // An event may have been of another company's chain before: what counts is that it is there.
        let events = chains.iter().flat_map(|chain| &chain.events);
        let delivered = events.map(|event| event.delivered_at).collect();
        let companies: BTreeSet<_> = sessions.iter().map(|session| session.company_id).collect();
        for company_id in companies {
            let of_company = sessions
                .iter()
                .filter(|session| session.company_id == company_id);
            let kept = Kept::of(of_company, &delivered);
            if kept.sessions > 0 {
                self.0.insert((chat_id, company_id), kept.sessions);
            }
            let mut chains = chains.iter_mut();
            if let Some(chain) = chains.find(|chain| chain.company_id == company_id) {
                chain.kept = kept;
            }
        }
        Ok(())
    }

    /// After the last chat with events.
    pub async fn settle_rest(&mut self, known: &mut Known<'_>) -> Result<(), TransformError> {
        if let Known::OfAll(rows, _) = known {
            while let Some(chat) = rows.key().await? {
                let sessions = rows.next().await?;
                self.keep_whole(chat, &sessions);
            }
        }
        Ok(())
    }

    fn keep_whole(&mut self, chat_id: i64, sessions: &[KnownSession]) {
        for session in sessions {
            let last = self.0.entry((chat_id, session.company_id)).or_default();
            *last = session.no.max(*last);
        }
    }

    /// Writes the rows of those sessions again; `each` sees them too.
    pub async fn carry_over(
        &self,
        fact: &dyn FactTable,
        rewrite: &mut Rewrite<'_>,
        mut each: impl FnMut(&RecordBatch) -> Result<(), ArrowError>,
    ) -> Result<(), TransformError> {
        let chats: BTreeSet<i64> = self.0.keys().map(|(chat, _)| *chat).collect();
        let Some(predicate) = any_of("chat_id", &chats) else {
            return Ok(());
        };
        let schema = fact.schema();
        let mut rows = rewrite
            .table()
            .read_sorted(&names(&schema), Some(predicate), &[], READ_MEMORY_BYTES)
            .await?;
        while let Some(batch) = rows.try_next().await? {
            let is_kept = self.is_kept(&batch)?;
            if is_kept.true_count() == 0 {
                continue;
            }
            let plain = batch.columns().iter().zip(schema.fields());
            let plain = plain.map(|(column, field)| cast(column, field.data_type()));
            let batch =
                RecordBatch::try_new(Arc::clone(&schema), plain.collect::<Result<Vec<_>, _>>()?)?;
            let batch = filter_record_batch(&batch, &is_kept)?;
            each(&batch)?;
            rewrite.write(batch).await?;
        }
        Ok(())
    }

    /// Of rows of a fact, which stay as they are.
    pub fn is_kept(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let (companies, chats) = (longs(batch, "company_id")?, longs(batch, "chat_id")?);
        let sessions = longs(batch, "session_no")?;
        let is_kept = |row: usize| {
            let chat = (chats.value(row), long(&companies, row));
            self.0
                .get(&chat)
                .is_some_and(|last| sessions.value(row) <= i64::from(*last))
        };
        Ok((0..batch.num_rows())
            .map(|row| Some(is_kept(row)))
            .collect())
    }
}

/// The sessions of chats, by chat and in order.
pub(super) async fn read_known(
    chats: &Table,
    predicate: Option<Expr>,
) -> Result<ByKey<KnownSession>, TransformError> {
    ByKey::of(
        chats,
        &COLUMNS,
        predicate,
        &["chat_id", "session_no"],
        known,
    )
    .await
}

fn known(batch: &RecordBatch) -> Result<Vec<(i64, KnownSession)>, ArrowError> {
    let (companies, chats) = (longs(batch, "company_id")?, longs(batch, "chat_id")?);
    let (numbers, runs) = (longs(batch, "session_no")?, longs(batch, "flow_runs")?);
    let (events, departments) = (longs(batch, "event_count")?, longs(batch, "department_id")?);
    let began = instants(batch, "first_delivered_at")?;
    let ended = instants(batch, "last_event_at")?;
    let closed = instants(batch, "closed_at")?;
    let int = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    let row = |row: usize| {
        let session = KnownSession {
            company_id: long(&companies, row),
            no: int(numbers.value(row)),
            first_delivered_at: instant(began.value(row)),
            last_event_at: instant(ended.value(row)),
            closed_at: closed.is_valid(row).then(|| instant(closed.value(row))),
            department_id: long(&departments, row),
            flow_runs: int(long(&runs, row).unwrap_or_default()),
            events: events.value(row),
        };
        (chats.value(row), session)
    };
    Ok((0..batch.num_rows())
        .filter(|index| chats.is_valid(*index))
        .map(row)
        .collect())
}
