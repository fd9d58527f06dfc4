//! `coverage`: adds the events that it has not counted yet, or counts all anew. Exactly once, whatever
//! crashes: the commit that adds them also says up to which version of `events` was counted.

use futures::TryStreamExt;
use lake::{Scope, Table};

use super::news::News;
use super::{READ_MEMORY_BYTES, TransformError};
use crate::coverage::{COUNTED, Coverage, schema};
use crate::read::names;
use crate::settings::Settings;

pub(super) async fn bring_up_to_date(
    table: &mut Table,
    events: &Table,
    news: Option<&News>,
    settings: &Settings,
    txns: &[(&str, i64)],
) -> Result<(), TransformError> {
    let total = match news.and_then(|news| news.uncounted.as_ref()) {
        Some(uncounted) => add(table, uncounted.clone()).await?,
        None => count_all(events).await?,
    };
    let mut rewrite = table.rewrite(Scope::Everything)?;
    let rows = total.batch(&settings.subscribed_events);
    rewrite.write(rows).await?;
    Ok(rewrite.commit(txns, true).await?)
}

async fn add(table: &Table, mut total: Coverage) -> Result<Coverage, TransformError> {
    let schema = schema();
    let mut rows = table.read(&names(&schema), None).await?;
    while let Some(batch) = rows.try_next().await? {
        total.add_rows(&batch)?;
    }
    Ok(total)
}

async fn count_all(events: &Table) -> Result<Coverage, TransformError> {
    let mut total = Coverage::default();
    let mut rows = events
        .read_sorted(&COUNTED, None, &[], READ_MEMORY_BYTES)
        .await?;
    while let Some(batch) = rows.try_next().await? {
        total.count(&batch)?;
    }
    Ok(total)
}
