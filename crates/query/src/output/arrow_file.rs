//! The file format of Arrow IPC, batch by batch.

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;

use super::columns::widely_known;
use super::{LeftOut, ResultWriter};

#[derive(Default)]
pub(super) struct ArrowFileWriter {
    writer: Option<FileWriter<Vec<u8>>>,
}

impl ResultWriter for ArrowFileWriter {
    fn start(&mut self, schema: &Schema, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let none = widely_known(&RecordBatch::new_empty(schema.clone().into()))?;
        self.writer = Some(FileWriter::try_new(Vec::new(), &none.schema())?);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        writer.write(&widely_known(batch)?)?;
        // It counts what it has written; what lies in the buffer may leave.
        text.append(writer.get_mut());
        Ok(())
    }

    fn finish(&mut self, text: &mut Vec<u8>) -> Result<LeftOut, ArrowError> {
        if let Some(mut writer) = self.writer.take() {
            writer.finish()?;
            text.append(writer.get_mut());
        }
        Ok(LeftOut::default())
    }
}
