//! The dimensions: what the news say merged with what is known, written where it changes a row.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use datafusion::prelude::Expr;
use futures::TryStreamExt;
use futures::future::try_join_all;
use lake::{Scope, Table};

use super::runs::Runs;
use super::{READ_MEMORY_BYTES, TransformError};
use crate::dimensions::{ALL, Dimension, Known, Learned, Things, merge};
use crate::read::{any_of, names};

/// Rows written at a time.
const ROWS_AT_ONCE: usize = 8_192;

/// Replaces all rows by what was learned of everything. What was learned from events before `since`, which are gone,
/// stays.
pub(super) async fn replace_all(
    tables: &mut [Table],
    learned: Learned,
    since: Option<NaiveDate>,
    runs: &Runs,
    txns: &[(&str, i64)],
) -> Result<(), TransformError> {
    for ((table, dimension), mut things) in tables.iter_mut().zip(ALL).zip(learned.into_things()) {
        keep(table, dimension, &mut things, since).await?;
        set_runs(dimension, &mut things, runs);
        let things: Vec<Known> = things.into_values().collect();
        let mut rewrite = table.rewrite(Scope::Everything)?;
        for rows in things.chunks(ROWS_AT_ONCE) {
            rewrite.write(dimension.batch(rows)).await?;
        }
        rewrite.commit(txns, true).await?;
    }
    Ok(())
}

async fn keep(
    table: &Table,
    dimension: &Dimension,
    things: &mut Things,
    since: Option<NaiveDate>,
) -> Result<(), TransformError> {
    let mut rows = table
        .read_sorted(&names(&dimension.schema()), None, &[], READ_MEMORY_BYTES)
        .await?;
    while let Some(batch) = rows.try_next().await? {
        for known in dimension.read(&batch)? {
            if since.is_none_or(|since| known.first_seen_at.date_naive() < since) {
                merge(things, known);
            }
        }
    }
    Ok(())
}

/// Merges what was learned from news. Counted runs must add up next time: their table is committed
/// always, so that its position tells what they reflect.
pub(super) async fn merge_all(
    tables: &mut [Table],
    learned: &Learned,
    runs: &Runs,
    txns: &[(&str, i64)],
) -> Result<(), TransformError> {
    let tables = tables.iter_mut().zip(ALL).zip(learned.things());
    let merging =
        tables.map(|((table, dimension), news)| merge_news(table, dimension, news, runs, txns));
    try_join_all(merging).await?;
    Ok(())
}

async fn merge_news(
    table: &mut Table,
    dimension: &Dimension,
    news: &Things,
    runs: &Runs,
    txns: &[(&str, i64)],
) -> Result<(), TransformError> {
    let has_counts = dimension.has_counts();
    let known = if has_counts {
        read(table, dimension, None).await?
    } else {
        let ids = news.keys().map(|(id, _)| *id).collect();
        read(table, dimension, Some(&ids)).await?
    };
    let mut merged = known.clone();
    for thing in news.values() {
        merge(&mut merged, thing.clone());
    }
    set_runs(dimension, &mut merged, runs);
    let rows = changed(&known, merged);
    let scope = Scope::Keys {
        column: dimension.id.0,
        keys: rows.iter().map(|row| row.id).collect(),
    };
    let mut rewrite = table.rewrite(scope)?;
    rewrite.write(dimension.batch(&rows)).await?;
    Ok(rewrite.commit(txns, has_counts).await?)
}

/// The rows of the ids that have any changed row: an id is replaced in all companies at once.
fn changed(known: &Things, merged: Things) -> Vec<Known> {
    let ids: BTreeSet<i64> = merged
        .iter()
        .filter(|(key, thing)| known.get(key) != Some(thing))
        .map(|((id, _), _)| *id)
        .collect();
    merged
        .into_values()
        .filter(|thing| ids.contains(&thing.id))
        .collect()
}

fn set_runs(dimension: &Dimension, things: &mut Things, runs: &Runs) {
    if dimension.has_counts() {
        for (flow, thing) in things {
            thing.runs = runs.of(*flow);
        }
    }
}

/// The rows of the ids, or all.
pub(super) async fn read(
    table: &Table,
    dimension: &Dimension,
    ids: Option<&BTreeSet<i64>>,
) -> Result<Things, TransformError> {
    let predicate: Option<Expr> = match ids {
        None => None,
        Some(ids) => match any_of(dimension.id.0, ids) {
            None => return Ok(Things::new()),
            predicate => predicate,
        },
    };
    let schema = dimension.schema();
    let mut rows = table
        .read_sorted(&names(&schema), predicate, &[], READ_MEMORY_BYTES)
        .await?;
    let mut things = Things::new();
    while let Some(batch) = rows.try_next().await? {
        let read = dimension.read(&batch)?.into_iter();
        let wanted = read.filter(|thing| ids.is_none_or(|ids| ids.contains(&thing.id)));
        things.extend(wanted.map(|thing| ((thing.id, thing.company_id), thing)));
    }
    Ok(things)
}
