//! Each format over one result with every kind of column, over nothing, and beyond the limit.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, ListArray, StringArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int16Type, Int64Type};
use arrow::ipc::reader::FileReader;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

const NEW_YEAR_2024: i64 = 1_704_067_200_000_000;

fn every_kind() -> RecordBatch {
    let dictionary = DictionaryArray::<Int16Type>::try_new(
        vec![Some(0), Some(1)].into(),
        Arc::new(StringArray::from(vec![Some("whatsapp"), None])),
    );
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "n",
            Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None])),
        ),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(NEW_YEAR_2024), None])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "exact",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(NEW_YEAR_2024 + 1_500), None])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "local",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(NEW_YEAR_2024), None])
                    .with_timezone("-03:00"),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![Some(19_723), None]))),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![Some(1_250), None])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        (
            "share",
            Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN)])),
        ),
        ("channel", Arc::new(dictionary.unwrap())),
        (
            "said",
            Arc::new(StringViewArray::from(vec![
                Some("olá, \"Zé\"\u{1b}[2J"),
                None,
            ])),
        ),
        (
            "ids",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
                Some(vec![Some(1), None]),
                None,
            ])),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

fn numbers(rows: i64) -> RecordBatch {
    RecordBatch::try_from_iter([(
        "n",
        Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef,
    )])
    .unwrap()
}

/// Written as the format does, a table with at most so many rows.
async fn write(batches: &[RecordBatch], format: Format, limit: usize) -> (String, ResultSummary) {
    let batches = batches.to_vec();
    let schema = batches[0].schema();
    let stream = RecordBatchStreamAdapter::new(schema, stream::iter(batches.into_iter().map(Ok)));
    let mut out = Vec::new();
    let style = Style {
        row_limit: limit,
        ..Style::default()
    };
    let summary = write_result(Box::pin(stream), format, &style, &mut out)
        .await
        .unwrap();
    (String::from_utf8(out).unwrap(), summary)
}

async fn check(batches: &[RecordBatch], format: Format, expected: &str) {
    let (text, _) = write(batches, format, usize::MAX).await;
    assert_eq!(text, expected, "as {format}");
}

const OBJECT: &str = concat!(
    r#"{"n":9007199254740993,"ok":true,"at":"2024-01-01T00:00:00Z","exact":"2024-01-01T00:00:00.001500Z","#,
    r#""local":"2023-12-31T21:00:00-03:00","day":"2024-01-01","price":12.50,"share":0.5,"channel":"whatsapp","#,
    r#""said":"olá, \"Zé\"\u001b[2J","ids":[1,null]}"#,
);
const NULLS: &str = concat!(
    r#"{"n":null,"ok":null,"at":null,"exact":null,"local":null,"day":null,"price":null,"share":null,"#,
    r#""channel":null,"said":null,"ids":null}"#,
);

#[tokio::test]
async fn json_keeps_order_nulls_and_numbers() {
    check(
        &[every_kind()],
        Format::Json,
        &format!("[{OBJECT},{NULLS}]\n"),
    )
    .await;
    check(
        &[every_kind()],
        Format::Ndjson,
        &format!("{OBJECT}\n{NULLS}\n"),
    )
    .await;
}

#[tokio::test]
async fn json_of_several_batches_is_one_array() {
    check(
        &[numbers(1), numbers(0), numbers(2)],
        Format::Json,
        "[{\"n\":0},{\"n\":0},{\"n\":1}]\n",
    )
    .await;
}

#[tokio::test]
async fn csv_has_one_header_and_leaves_null_empty() {
    let header = "n,ok,at,exact,local,day,price,share,channel,said,ids\n";
    let first = concat!(
        "9007199254740993,true,2024-01-01T00:00:00Z,2024-01-01T00:00:00.001500Z,2023-12-31T21:00:00-03:00,2024-01-01,",
        "12.50,0.5,whatsapp,\"olá, \"\"Zé\"\"\u{1b}[2J\",\"[1,null]\"\n",
    );
    let second = ",,,,,,,NaN,,,\n";
    check(
        &[every_kind()],
        Format::Csv,
        &format!("{header}{first}{second}"),
    )
    .await;
    check(&[numbers(1), numbers(1)], Format::Csv, "n\n0\n0\n").await;
}

#[tokio::test]
async fn a_table_aligns_numbers_and_spells_out_what_it_cannot_show() {
    let columns = every_kind().project(&[0, 2, 3, 4, 8, 9]).unwrap();
    let (text, _) = write(&[columns], Format::Table, usize::MAX).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        "|                n | at                   | exact                       | local                     | channel  | said               |"
    );
    assert_eq!(
        lines[3],
        "| 9007199254740993 | 2024-01-01 00:00:00Z | 2024-01-01 00:00:00.001500Z | 2023-12-31 21:00:00-03:00 | whatsapp | olá, \"Zé\"\\u{1b}[2J |"
    );
    assert_eq!(
        lines[4],
        "|             NULL | NULL                 | NULL                        | NULL                      | NULL     | NULL               |"
    );
}

#[tokio::test]
async fn nothing_is_still_well_formed() {
    check(&[numbers(0)], Format::Json, "[]\n").await;
    check(&[numbers(0)], Format::Ndjson, "").await;
    check(&[numbers(0)], Format::Csv, "n\n").await;
    check(&[numbers(0)], Format::Table, "+---+\n| n |\n+---+\n+---+\n").await;
}

#[tokio::test]
async fn the_limit_cuts_and_says_so() {
    let check = async |batches: &[RecordBatch], rows, truncated| {
        let (text, summary) = write(batches, Format::Table, 3).await;
        assert_eq!((summary.rows, summary.truncated), (rows, truncated));
        assert_eq!(text.lines().count(), rows + 4);
    };
    check(&[numbers(2)], 2, false).await;
    check(&[numbers(2), numbers(1)], 3, false).await;
    check(&[numbers(2), numbers(2)], 3, true).await;
    check(&[numbers(3), numbers(0), numbers(1)], 3, true).await;
}

#[test]
fn formats_are_known_by_name() {
    for format in Format::ALL {
        assert_eq!(format.name().to_uppercase().parse(), Ok(format));
    }
    let error = "xml".parse::<Format>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown format \"xml\"; there are table, csv, tsv, json, ndjson, markdown, html, parquet and arrow"
    );
}

async fn bytes(batches: &[RecordBatch], format: Format) -> Vec<u8> {
    let batches = batches.to_vec();
    let schema = batches[0].schema();
    let stream = RecordBatchStreamAdapter::new(schema, stream::iter(batches.into_iter().map(Ok)));
    let mut out = Vec::new();
    write_result(Box::pin(stream), format, &Style::default(), &mut out)
        .await
        .unwrap();
    out
}

/// What the files must hold: columns as they are read back, in widely known types.
fn expected_of_files() -> Vec<RecordBatch> {
    let batch = columns::plain(&every_kind()).unwrap();
    vec![columns::widely_known(&batch).unwrap()]
}

#[tokio::test]
async fn parquet_and_arrow_are_read_back_with_every_type() {
    let parquet = bytes(&[every_kind()], Format::Parquet).await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(parquet)).unwrap();
    let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read, expected_of_files());
    let arrow = bytes(&[every_kind()], Format::Arrow).await;
    let reader = FileReader::try_new(Cursor::new(arrow), None).unwrap();
    let read: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    assert_eq!(read, expected_of_files());
}

#[tokio::test]
async fn files_of_many_batches_and_of_none_are_whole() {
    for batches in [vec![numbers(0)], vec![numbers(2), numbers(0), numbers(3)]] {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let parquet = bytes(&batches, Format::Parquet).await;
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(parquet)).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), rows as i64);
        let arrow = bytes(&batches, Format::Arrow).await;
        let reader = FileReader::try_new(Cursor::new(arrow), None).unwrap();
        let read: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(read, rows);
    }
}

#[tokio::test]
async fn markup_escapes_what_customers_write() {
    let said = StringArray::from(vec![Some("<b>|\n*x*\u{7}"), None]);
    let batch = RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("a|b", Arc::new(said)),
    ])
    .unwrap();
    check(
        std::slice::from_ref(&batch),
        Format::Markdown,
        "| n | a\\|b |\n| ---: | --- |\n| 1 | &lt;b>\\|<br>\\*x\\*\\u{7} |\n| 2 |  |\n",
    )
    .await;
    let (html, _) = write(&[batch], Format::Html, 9).await;
    assert!(
        html.contains("<tr><td class=\"n\">1</td><td>&lt;b&gt;|\n*x*\\u{7}</td></tr>"),
        "{html}"
    );
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
}

#[tokio::test]
async fn null_and_durations_are_written_as_wished() {
    let seconds = Int64Array::from(vec![Some(3_723), None]);
    let batch =
        RecordBatch::try_from_iter([("wait_seconds", Arc::new(seconds) as ArrayRef)]).unwrap();
    let written = async |format| {
        let style = Style {
            null: Some("-".to_owned()),
            human: true,
            ..Style::default()
        };
        let rows = stream::iter([Ok(batch.clone())]);
        let rows = RecordBatchStreamAdapter::new(batch.schema(), rows);
        let mut out = Vec::new();
        write_result(Box::pin(rows), format, &style, &mut out)
            .await
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(Format::Csv).await, "wait_seconds\n3723\n-\n");
    assert_eq!(
        written(Format::Markdown).await,
        "| wait_seconds |\n| ---: |\n| 1h 02m 03s |\n| - |\n"
    );
    assert!(written(Format::Table).await.contains("|            - |"));
}
