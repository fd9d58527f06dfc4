//! What is exported, at one version of its tables: its rows, and how they are divided into objects.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{DataFrame, ident};
use futures::TryStreamExt;

use super::fingerprint::{Fingerprint, RowBytes};
use super::manifest::Manifest;
use super::partition::{Division, Key, Partition};
use super::types::{plain_schema, to_plain};
use super::{ExportError, Wanted};
use crate::engine::Engine;
use crate::error::QueryError;
use crate::parameters::{Script, Undeclared};
use crate::session::Session;

/// Raised when objects are written otherwise than before, so that all are written again.
const WRITTEN_AS: u32 = 1;
/// How a table's rows lie within an object, by those of these columns that it has: what belongs
/// together is found and compressed together.
const ORDER: [&str; 5] = [
    "chat_id",
    "agent_id",
    "session_no",
    "started_at",
    "delivered_at",
];

pub(super) struct Source {
    frame: DataFrame,
    /// In plain types.
    pub schema: SchemaRef,
    pub division: Division,
    order: Vec<&'static str>,
    /// What its manifest says but the objects.
    pub manifest: Manifest,
}

impl Source {
    pub async fn open(
        engine: &Engine,
        session: &Session,
        wanted: &Wanted,
        partition: Option<Partition>,
        now: DateTime<Utc>,
    ) -> Result<Source, ExportError> {
        let ((frame, tables), sql) = match wanted {
            Wanted::Table(name) => {
                let sql = format!("SELECT * FROM \"{}\"", name.replace('"', "\"\""));
                (session.frame(sql.as_str().into()).await?, None)
            }
            Wanted::Query {
                sql,
                values,
                is_saved,
                ..
            } => {
                let undeclared = if *is_saved {
                    Undeclared::Refused
                } else {
                    Undeclared::TypedByUse
                };
                let script = Script {
                    sql,
                    values,
                    undeclared,
                };
                (
                    session.frame(script).await?,
                    Some(format!("{sql} {values:?}")),
                )
            }
        };
        let schema = plain_schema(frame.schema().as_arrow())?;
        let division = division(&schema, wanted, partition)?;
        let order = match wanted {
            Wanted::Table(_) => ORDER
                .into_iter()
                .filter(|name| schema.column_with_name(name).is_some())
                .collect(),
            Wanted::Query { .. } => Vec::new(),
        };
        let mut commits = BTreeMap::new();
        for table in &tables {
            let commit = table.commit_id().await.map_err(QueryError::from)?;
            commits.insert(table.name().to_owned(), commit);
        }
        let manifest = Manifest {
            name: wanted.name().to_owned(),
            lake: engine.lake().url().to_owned(),
            versions: tables
                .iter()
                .map(|table| (table.name().to_owned(), table.version()))
                .collect(),
            commits,
            made_of: made_of(&schema, sql.as_deref()),
            partition: division.partition().to_string(),
            exported_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            ..Manifest::default()
        };
        Ok(Source {
            frame,
            schema,
            division,
            order,
            manifest,
        })
    }

    /// Of every object, what its rows are: one pass over all rows, in no order and little memory.
    pub async fn fingerprints(&self) -> Result<BTreeMap<Key, Fingerprint>, ExportError> {
        let mut found = BTreeMap::new();
        if self.division == Division::Whole {
            found.insert(None, Fingerprint::default());
        }
        let bytes = RowBytes::of(&self.schema)?;
        let mut stream = stream(self.frame.clone()).await?;
        while let Some(batch) = stream.try_next().await.map_err(QueryError::from)? {
            let batch = to_plain(&batch, &self.schema)?;
            let rows = bytes.rows(batch.columns())?;
            for (row, key) in rows.iter().zip(self.division.keys(&batch)?) {
                found
                    .entry(key)
                    .or_insert_with(Fingerprint::default)
                    .add(row.as_ref());
            }
        }
        Ok(found)
    }

    /// The rows of these objects, or of all, one object's after the other's, and perhaps those of others;
    /// in the query's own order where they go to one object.
    pub async fn rows(
        &self,
        keys: Option<&BTreeSet<Key>>,
    ) -> Result<SendableRecordBatchStream, ExportError> {
        let failed = |error| ExportError::from(QueryError::from(error));
        let mut frame = self.frame.clone();
        if let Some(predicate) = keys.and_then(|keys| self.division.rows_of(keys)) {
            frame = frame.filter(predicate).map_err(failed)?;
        }
        let order: Vec<_> = self
            .division
            .column()
            .into_iter()
            .chain(self.order.iter().copied())
            .map(|column| ident(column).sort(true, true))
            .collect();
        if !order.is_empty() {
            frame = frame.sort(order).map_err(failed)?;
        }
        stream(frame).await
    }

    /// The rows without the column that their folder carries.
    pub fn as_written(&self, batch: &RecordBatch) -> Result<RecordBatch, ExportError> {
        let mut batch = batch.clone();
        if let Some(column) = self.division.left_out()
            && let Ok(place) = batch.schema().index_of(column)
        {
            batch.remove_column(place);
        }
        Ok(batch)
    }

    /// The name of a key's object, below the export's folder.
    pub fn object(&self, key: Key) -> String {
        format!("{}/{}", self.manifest.name, self.division.object(key))
    }
}

fn division(
    schema: &SchemaRef,
    wanted: &Wanted,
    partition: Option<Partition>,
) -> Result<Division, ExportError> {
    let by_default = match wanted {
        Wanted::Table(_) => Partition::Day,
        Wanted::Query { .. } => Partition::None,
    };
    let partition = partition.unwrap_or(by_default);
    match (Division::of(schema, partition)?, wanted) {
        (Some(division), _) => Ok(division),
        (None, Wanted::Query { name, .. }) if partition != Partition::None => {
            Err(ExportError::Refused(format!(
                "the result of {name} has no column of type DATE named date or *_date to divide it by; \
                 name one so, or leave --partition out"
            )))
        }
        (None, _) => Ok(Division::Whole),
    }
}

/// A text that differs whenever the same rows become other objects.
fn made_of(schema: &SchemaRef, sql: Option<&str>) -> String {
    let columns = schema.fields().iter().map(|field| {
        let metadata: BTreeMap<_, _> = field.metadata().iter().collect();
        format!("{} {} {metadata:?}\n", field.name(), field.data_type())
    });
    let text: String = columns.collect();
    let text = format!("{WRITTEN_AS}\n{text}{}", sql.unwrap_or_default());
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

async fn stream(frame: DataFrame) -> Result<SendableRecordBatchStream, ExportError> {
    let stream = frame.execute_stream().await;
    Ok(stream.map_err(QueryError::from)?)
}
