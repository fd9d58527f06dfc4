//! Rows to the objects they belong to, each a Parquet file that takes the older one's place when it is
//! whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use lake::{Folder, Stored, Upload};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tokio::task::JoinSet;

use super::ExportError;
use super::fingerprint::{Fingerprint, RowBytes};
use super::manifest::Object;
use super::partition::{Division, Key};
use super::source::Source;
use super::types::to_plain;
use crate::error::QueryError;

const ROW_GROUP_ROWS: usize = 256 * 1024;
/// Long texts fill the memory with fewer rows.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// On their way to the store at a time: each takes its time and little memory.
const UPLOADS_AT_ONCE: usize = 8;

/// Writes the objects of these keys, or all, anew; gives those that have rows.
pub(super) async fn write_objects(
    source: &Source,
    keys: Option<&BTreeSet<Key>>,
    folder: &Folder,
) -> Result<Vec<Object>, ExportError> {
    let mut writing = Writing {
        source,
        folder,
        bytes: RowBytes::of(&source.schema)?,
        file_schema: file_schema(source)?,
        current: None,
        uploads: JoinSet::new(),
        objects: Vec::new(),
    };
    if source.division == Division::Whole {
        // Also without a row.
        writing.begin(None)?;
    }
    let mut stream = source.rows(keys).await?;
    while let Some(batch) = stream.try_next().await.map_err(QueryError::from)? {
        let batch = to_plain(&batch, &source.schema)?;
        let of_rows = source.division.keys(&batch)?;
        let mut from = 0;
        for run in of_rows.chunk_by(|one, next| one == next) {
            if keys.is_none_or(|keys| keys.contains(&run[0])) {
                writing.take(run[0], &batch.slice(from, run.len())).await?;
            }
            from += run.len();
        }
    }
    writing.finish().await
}

struct Writing<'a> {
    source: &'a Source,
    folder: &'a Folder,
    bytes: RowBytes,
    file_schema: SchemaRef,
    current: Option<(Key, ObjectWriter)>,
    uploads: JoinSet<Result<Object, ExportError>>,
    objects: Vec<Object>,
}

impl Writing<'_> {
    fn begin(&mut self, key: Key) -> Result<&mut ObjectWriter, ExportError> {
        let name = self.source.object(key);
        let writer = ObjectWriter::new(self.folder.upload(&name), self.file_schema.clone())?;
        Ok(&mut self.current.insert((key, writer)).1)
    }

    async fn take(&mut self, key: Key, rows: &RecordBatch) -> Result<(), ExportError> {
        if self
            .current
            .as_ref()
            .is_some_and(|(current, _)| *current != key)
        {
            self.end().await?;
        }
        let bytes = self.bytes.rows(rows.columns())?;
        let written = self.source.as_written(rows)?;
        let writer = match &mut self.current {
            Some((_, writer)) => writer,
            None => self.begin(key)?,
        };
        bytes
            .iter()
            .for_each(|row| writer.fingerprint.add(row.as_ref()));
        writer.write(&written).await
    }

    /// Lets the current object go to the store while the next one is written.
    async fn end(&mut self) -> Result<(), ExportError> {
        if let Some((_, writer)) = self.current.take() {
            if self.uploads.len() >= UPLOADS_AT_ONCE {
                self.next_uploaded().await?;
            }
            let seed = self.source.manifest.made_of.clone();
            self.uploads.spawn(writer.finish(seed));
        }
        Ok(())
    }

    async fn next_uploaded(&mut self) -> Result<bool, ExportError> {
        match self.uploads.join_next().await {
            None => Ok(false),
            Some(Ok(object)) => {
                self.objects.push(object?);
                Ok(true)
            }
            Some(Err(error)) => Err(ExportError::Broken(error.to_string())),
        }
    }

    async fn finish(mut self) -> Result<Vec<Object>, ExportError> {
        self.end().await?;
        while self.next_uploaded().await? {}
        Ok(self.objects)
    }
}

fn file_schema(source: &Source) -> Result<SchemaRef, ExportError> {
    let empty = RecordBatch::new_empty(source.schema.clone());
    let written: &Schema = &source.as_written(&empty)?.schema();
    Ok(Arc::new(written.clone()))
}

struct ObjectWriter {
    upload: Upload,
    writer: ArrowWriter<Vec<u8>>,
    fingerprint: Fingerprint,
}

impl ObjectWriter {
    fn new(upload: Upload, schema: SchemaRef) -> Result<Self, ExportError> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("huggy-etl ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        Ok(Self {
            upload,
            writer: ArrowWriter::try_new(Vec::new(), schema, Some(properties))?,
            fingerprint: Fingerprint::default(),
        })
    }

    async fn write(&mut self, rows: &RecordBatch) -> Result<(), ExportError> {
        self.writer.write(rows)?;
        if self.writer.in_progress_size() > ROW_GROUP_BYTES {
            self.writer.flush()?;
        }
        let encoded = std::mem::take(self.writer.inner_mut());
        Ok(self.upload.write(&encoded).await?)
    }

    async fn finish(mut self, seed: String) -> Result<Object, ExportError> {
        let encoded = self.writer.into_inner()?;
        self.upload.write(&encoded).await?;
        let Stored { name, bytes, e_tag } = self.upload.finish().await?;
        Ok(Object {
            name,
            rows: self.fingerprint.rows,
            bytes,
            fingerprint: self.fingerprint.text(&seed),
            e_tag,
        })
    }
}
