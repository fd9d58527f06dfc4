//! SQL over a small lake: results, names, refusals, errors an analyst can act on.

mod support;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use query::{ColumnInfo, Engine, EngineOptions, Format, QueryError};
use support::{TestLake, days, instants, longs, texts};

/// Chats of two channels, partitioned by day, one of them without an end.
async fn lake_with_chats() -> TestLake {
    let lake = TestLake::new();
    let columns = vec![
        ("chat_id", longs([Some(1), Some(2), Some(3)])),
        ("channel", texts([Some("whatsapp"), Some("widget"), None])),
        (
            "started_at",
            instants([
                Some(1_704_067_200_000_000),
                Some(1_704_067_201_250_000),
                None,
            ]),
        ),
        (
            "started_date",
            days([Some(19_723), Some(19_723), Some(19_724)]),
        ),
        ("duration_seconds", longs([Some(10), Some(21), None])),
    ];
    lake.add("fact_chats", Some("started_date"), columns).await;
    lake
}

/// Expects the result as NDJSON.
async fn check(lake: &TestLake, sql: &str, expected: &str) {
    let (text, _) = lake
        .run(sql, Format::Ndjson)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(text.trim_end(), expected, "{sql}");
}

/// Expects the SQL to be at fault, and to be told so in these words.
async fn check_mistake(lake: &TestLake, sql: &str, expected: &str) {
    match lake.run(sql, Format::Ndjson).await {
        Err(QueryError::Sql(mistake)) => assert_eq!(mistake.to_string(), expected, "{sql}"),
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test]
async fn rows_come_as_selected_with_partition_columns_and_nulls() {
    let lake = lake_with_chats().await;
    check(
        &lake,
        "SELECT started_date, channel, started_at, chat_id FROM fact_chats ORDER BY chat_id",
        concat!(
            r#"{"started_date":"2024-01-01","channel":"whatsapp","started_at":"2024-01-01T00:00:00Z","chat_id":1}"#,
            "\n",
            r#"{"started_date":"2024-01-01","channel":"widget","started_at":"2024-01-01T00:00:01.250Z","chat_id":2}"#,
            "\n",
            r#"{"started_date":"2024-01-02","channel":null,"started_at":null,"chat_id":3}"#,
        ),
    )
    .await;
}

#[tokio::test]
async fn names_are_case_insensitive_and_may_be_qualified() {
    let lake = lake_with_chats().await;
    for table in [
        "FACT_CHATS",
        "\"Fact_Chats\"",
        "public.fact_chats",
        "lake.public.fact_chats",
    ] {
        check(
            &lake,
            &format!("SELECT count(*) AS n FROM {table}"),
            r#"{"n":3}"#,
        )
        .await;
    }
}

#[tokio::test]
async fn columns_of_one_name_are_all_kept() {
    let lake = lake_with_chats().await;
    let sql = "SELECT a.chat_id, b.chat_id FROM fact_chats a JOIN fact_chats b ON a.chat_id = b.chat_id - 2";
    let (text, _) = lake.run(sql, Format::Csv).await.unwrap();
    assert_eq!(text, "chat_id,chat_id\n1,3\n");
}

#[tokio::test]
async fn what_analysts_reach_for_is_there() {
    let lake = lake_with_chats().await;
    check(
        &lake,
        "SELECT date_part('epoch', started_at) AS s FROM fact_chats WHERE chat_id = 2",
        r#"{"s":1704067201.25}"#,
    )
    .await;
    check(
        &lake,
        "SELECT CAST(started_date AS VARCHAR) AS d FROM fact_chats WHERE chat_id = 3",
        r#"{"d":"2024-01-02"}"#,
    )
    .await;
    check(
        &lake,
        "SELECT median(duration_seconds) AS m, percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_seconds) AS p,
            approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_seconds) AS a FROM fact_chats",
        r#"{"m":15.5,"p":19.9,"a":15.5}"#,
    )
    .await;
    check(
        &lake,
        "SELECT date_trunc('hour', started_at) AS h, started_at AT TIME ZONE 'America/Sao_Paulo' AS local
            FROM fact_chats WHERE chat_id = 1",
        r#"{"h":"2024-01-01T00:00:00Z","local":"2023-12-31T21:00:00-03:00"}"#,
    )
    .await;
    check(
        &lake,
        "SELECT arrow_typeof(now()) AS t",
        r#"{"t":"Timestamp(ns, \"UTC\")"}"#,
    )
    .await;
}

#[tokio::test]
async fn statements_run_in_order_and_results_stand_apart() {
    let lake = lake_with_chats().await;
    let sql =
        "-- two\nSELECT 1 AS a; ; SELECT chat_id FROM fact_chats WHERE chat_id > 1 ORDER BY 1;";
    let (text, summary) = lake.run(sql, Format::Csv).await.unwrap();
    assert_eq!(text, "a\n1\n\nchat_id\n2\n3\n");
    assert_eq!(
        summary
            .results
            .iter()
            .map(|result| result.rows)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let (text, _) = lake
        .run("SELECT 1 AS a; SELECT 2 AS b WHERE false", Format::Json)
        .await
        .unwrap();
    assert_eq!(text, "[{\"a\":1}]\n[]\n");
}

#[tokio::test]
async fn a_failing_statement_ends_the_run_after_those_before_it() {
    let lake = lake_with_chats().await;
    let mut out = Vec::new();
    let sql = "SELECT 1 AS a; SELECT CAST('x' AS INT); SELECT 3 AS c";
    let error = lake
        .engine()
        .run(sql, Format::Ndjson, &mut out)
        .await
        .unwrap_err();
    assert!(matches!(error, QueryError::Sql(_)), "{error:?}");
    assert_eq!(String::from_utf8(out).unwrap(), "{\"a\":1}\n");
}

#[tokio::test]
async fn tables_can_be_discovered_in_sql() {
    let lake = lake_with_chats().await;
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    check(&lake, sql, r#"{"table_name":"fact_chats"}"#).await;
    let (text, _) = lake.run("DESCRIBE fact_chats", Format::Csv).await.unwrap();
    assert!(text.contains("duration_seconds,BIGINT"), "{text}");
    for sql in [
        "SHOW TABLES",
        "SHOW COLUMNS FROM fact_chats",
        "EXPLAIN SELECT * FROM fact_chats",
    ] {
        assert!(
            lake.run(sql, Format::Table)
                .await
                .unwrap()
                .0
                .contains("fact_chats"),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn a_table_truncates_aloud() {
    let lake = TestLake::new();
    let (text, summary) = lake
        .run("SELECT value FROM generate_series(1, 10001)", Format::Table)
        .await
        .unwrap();
    assert_eq!(
        (summary.results[0].rows, summary.results[0].truncated),
        (10_000, true)
    );
    assert_eq!(text.lines().count(), 10_000 + 4);
}

/// Every file of the lake.
fn files(lake: &TestLake) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![lake.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn whatever_would_write_is_refused_and_writes_nothing() {
    let lake = lake_with_chats().await;
    let before = files(&lake);
    for sql in [
        "INSERT INTO fact_chats VALUES (1)",
        "DELETE FROM fact_chats",
        "UPDATE fact_chats SET chat_id = 1",
        "DROP TABLE fact_chats",
        "ALTER TABLE fact_chats ADD COLUMN x INT",
        "TRUNCATE TABLE fact_chats",
        "CREATE TABLE t",
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1); INSERT INTO fact_chats VALUES (1)",
        "CREATE TABLE t (a INT); UPDATE t SET a = 2",
        "INSERT OVERWRITE fact_chats VALUES (1)",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY fact_chats TO '/tmp/out.csv'",
        "EXPLAIN ANALYZE INSERT INTO fact_chats SELECT * FROM fact_chats",
        "SELECT * INTO t FROM fact_chats",
        "SET datafusion.runtime.memory_limit = '100G'",
        "SELECT 1; DROP TABLE fact_chats",
    ] {
        match lake.run(sql, Format::Ndjson).await {
            Err(QueryError::Sql(mistake)) => {
                assert!(
                    mistake.message.contains("is refused: queries only read"),
                    "{sql}: {mistake}"
                )
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(files(&lake), before);
}

#[tokio::test]
async fn nothing_outside_the_lake_can_be_named() {
    let lake = lake_with_chats().await;
    for name in [
        "../lake/fact_chats",
        "fact_chats/",
        "/etc/passwd",
        "file:///etc/passwd",
        "s3://other/table",
        "",
    ] {
        let error = lake
            .run(format!("SELECT * FROM \"{name}\"").as_str(), Format::Json)
            .await
            .unwrap_err();
        assert!(matches!(error, QueryError::Sql(_)), "{name}: {error:?}");
        assert!(lake.engine().describe(name).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn mistakes_are_told_with_the_likely_name_and_the_place() {
    let lake = lake_with_chats().await;
    let check = async |sql, expected| check_mistake(&lake, sql, expected).await;
    check(
        "SELECT 1 FROM fact_chat",
        "table fact_chat does not exist in the lake; did you mean fact_chats? (line 1, column 15)",
    )
    .await;
    check(
        "SELECT 1 FROM chats",
        "table chats does not exist in the lake; did you mean fact_chats? (line 1, column 15)",
    )
    .await;
    check(
        "SELECT 1 FROM zzz",
        "table zzz does not exist in the lake; `huggy-etl tables` lists those that do (line 1, column 15)",
    )
    .await;
    check(
        "SELECT 1 FROM Fact_Messages",
        "table fact_messages does not exist in the lake; run `huggy-etl transform` first (line 1, column 15)",
    )
    .await;
    check(
        "SELECT\n  chanel FROM fact_chats",
        "there is no column chanel; did you mean channel? (line 2, column 3)",
    )
    .await;
    check(
        "SELECT c.zzz FROM fact_chats c",
        "there is no column c.zzz; `huggy-etl describe TABLE` lists a table's columns (line 1, column 8)",
    )
    .await;
    check(
        "SELECT fact_chat.channel FROM fact_chats",
        "column fact_chat.channel: the statement names no such table; did you mean fact_chats? (line 1, column 8)",
    )
    .await;
    check(
        "SELECT lenght(channel) FROM fact_chats",
        "there is no function lenght; did you mean length? (line 1, column 8)",
    )
    .await;
    check(
        "SELECT 1 / 0",
        "division by zero; x / NULLIF(y, 0) is NULL where y is 0, and not an error (line 1, column 10)",
    )
    .await;
    check("", "there is no statement to run").await;
    check("-- nothing\n;", "there is no statement to run").await;
    check(
        "SELEC 1",
        "syntax error: Expected: an SQL statement, found: SELEC; did you mean SELECT? (line 1, column 1)",
    )
    .await;
}

#[tokio::test]
async fn misfit_arguments_are_told_without_internals() {
    let lake = lake_with_chats().await;
    let error = lake
        .run("SELECT sum(channel) FROM fact_chats", Format::Json)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("function sum takes no (TEXT); there are sum("),
        "{error}"
    );
    assert!(!error.contains("bug"), "{error}");
}

#[tokio::test]
async fn a_query_beyond_its_memory_is_told_apart() {
    let lake = TestLake::new();
    let engine = Engine::new(
        lake.lake.clone(),
        EngineOptions::new(4 << 20, chrono_tz::UTC),
    );
    let sql = "SELECT median(value) FROM generate_series(1, 2000000)";
    let error = engine
        .run(sql, Format::Json, &mut io::sink())
        .await
        .unwrap_err();
    assert!(matches!(error, QueryError::Memory(_)), "{error:?}");
}

#[tokio::test]
async fn an_empty_lake_says_so() {
    let lake = TestLake::new();
    let asked = lake
        .engine()
        .run("SELECT 1 FROM events", Format::Json, &mut io::sink())
        .await;
    assert!(matches!(asked, Err(QueryError::NoTables(_))), "{asked:?}");
    assert_eq!(lake.engine().tables().await.unwrap(), []);
}

#[tokio::test]
async fn the_lake_describes_itself() {
    let lake = lake_with_chats().await;
    let tables = lake.engine().tables().await.unwrap();
    assert_eq!(tables.len(), 1);
    let table = &tables[0];
    assert_eq!(
        (table.name.as_str(), table.rows, table.files),
        ("fact_chats", 3, 2)
    );
    assert_eq!(table.description.as_deref(), Some("what fact_chats holds"));
    assert!(table.bytes > 0);

    let described = lake.engine().describe("Fact_Chats").await.unwrap();
    let column = |name: &str, sql_type: &str| ColumnInfo {
        name: name.to_owned(),
        sql_type: sql_type.to_owned(),
        description: Some(format!("the {name} of a row")),
    };
    assert_eq!(
        described.description.as_deref(),
        Some("what fact_chats holds")
    );
    let mut columns = described.columns;
    columns.sort_by(|one, other| one.name.cmp(&other.name));
    let expected = [
        column("channel", "TEXT"),
        column("chat_id", "BIGINT"),
        column("duration_seconds", "BIGINT"),
        column("started_at", "TIMESTAMP WITH TIME ZONE"),
        column("started_date", "DATE"),
    ];
    assert_eq!(columns, expected);

    let error = lake.engine().describe("fact_messages").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "table fact_messages does not exist in the lake; run `huggy-etl transform` first"
    );
}

#[tokio::test]
async fn a_run_sees_what_was_committed_before_it_and_the_next_sees_more() {
    let lake = lake_with_chats().await;
    let engine = lake.engine();
    let count = async || {
        let mut out = Vec::new();
        engine
            .run(
                "SELECT count(*) AS n FROM fact_chats",
                Format::Ndjson,
                &mut out,
            )
            .await
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(count().await, "{\"n\":3}\n");
    let columns = vec![
        ("chat_id", longs([Some(4)])),
        ("channel", texts([None])),
        ("started_at", instants([None])),
        ("started_date", days([None])),
        ("duration_seconds", longs([None])),
    ];
    lake.add("fact_chats", Some("started_date"), columns).await;
    assert_eq!(count().await, "{\"n\":4}\n");
}

#[tokio::test]
async fn a_closed_pipe_is_told_apart() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lake = TestLake::new();
    for format in Format::ALL {
        let error = lake
            .engine()
            .run("SELECT 1", format, &mut Closed)
            .await
            .unwrap_err();
        assert!(error.is_closed_pipe(), "{format}: {error:?}");
    }
}

#[tokio::test]
async fn runs_can_be_spawned_and_write_to_any_output() {
    let lake = lake_with_chats().await;
    let engine = lake.engine();
    let run = tokio::spawn(async move {
        let mut out: Box<dyn Write + Send> = Box::new(io::sink());
        engine
            .run("SELECT * FROM fact_chats", Format::Json, &mut out)
            .await
            .map(|summary| summary.results.len())
    });
    assert_eq!(run.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn what_statements_make_is_there_for_those_that_follow_and_goes_with_the_session() {
    let lake = lake_with_chats().await;
    let before = files(&lake);
    let sql = "CREATE VIEW long AS SELECT * FROM fact_chats WHERE duration_seconds > 10;
        CREATE TEMP TABLE kept AS SELECT chat_id FROM long;
        CREATE OR REPLACE VIEW long AS SELECT 1;
        SELECT chat_id FROM kept; DROP TABLE kept; DROP VIEW long";
    check(&lake, sql, r#"{"chat_id":2}"#).await;
    assert_eq!(files(&lake), before);
    check_mistake(
        &lake,
        "CREATE OR REPLACE VIEW fact_chats AS SELECT 1",
        "fact_chats is a table of the lake, which queries only read",
    )
    .await;
    check_mistake(
        &lake,
        "CREATE VIEW fact_chats AS SELECT 1",
        "Table 'fact_chats' already exists",
    )
    .await;
    check_mistake(
        &lake,
        "SELECT * FROM kept",
        "table kept does not exist in the lake; `huggy-etl tables` lists those that do (line 1, column 15)",
    )
    .await;
}

#[tokio::test]
async fn a_session_keeps_its_versions_until_it_is_told_to_look_again() {
    let lake = lake_with_chats().await;
    let session = lake.engine().session();
    let count = async || {
        let statements = session.prepare("SELECT count(*) FROM fact_chats").unwrap();
        let mut answer = session.execute(&statements[0]).await.unwrap();
        let batch = answer.next().await.unwrap().unwrap();
        assert!(answer.next().await.is_none());
        batch.column(0).as_primitive::<Int64Type>().value(0)
    };
    assert_eq!(count().await, 3);
    let columns = vec![
        ("chat_id", longs([Some(4)])),
        ("channel", texts([None])),
        ("started_at", instants([None])),
        ("started_date", days([None])),
        ("duration_seconds", longs([None])),
    ];
    lake.add("fact_chats", Some("started_date"), columns).await;
    assert_eq!(count().await, 3);
    session.refresh().await;
    assert_eq!(count().await, 4);
}
