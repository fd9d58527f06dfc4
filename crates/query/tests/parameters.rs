//! Parameters of scripts: bound by type, refused with the reason, and pruning as literals do.

mod support;

use query::{Format, QueryError, Script, Undeclared};
use support::{TestLake, days, instants, longs, texts};

const DECLARED: &str = "\
-- Which chats?
-- $from DATE = NULL  first day
-- $channel TEXT = NULL  only this channel
-- $until TIMESTAMP = NULL  started before
-- $most BIGINT = 10
SELECT chat_id FROM fact_chats
WHERE ($from IS NULL OR started_date >= $from)
    AND ($channel IS NULL OR channel = $channel)
    AND ($until IS NULL OR started_at < $until)
ORDER BY chat_id LIMIT $most";

/// Three chats at 00:00 UTC of the first three days of 2024: the local day before.
async fn lake_with_chats() -> TestLake {
    let lake = TestLake::new();
    let day = 86_400_000_000;
    let first = 1_704_067_200_000_000;
    let columns = vec![
        ("chat_id", longs([Some(1), Some(2), Some(3)])),
        ("channel", texts([Some("whatsapp"), Some("widget"), None])),
        (
            "started_at",
            instants([Some(first), Some(first + day), Some(first + 2 * day)]),
        ),
        (
            "started_date",
            days([Some(19_722), Some(19_723), Some(19_724)]),
        ),
    ];
    lake.add("fact_chats", None, columns).await;
    lake
}

fn named(values: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    values.iter().map(owned).collect()
}

async fn run(
    lake: &TestLake,
    sql: &str,
    values: &[(&str, &str)],
    undeclared: Undeclared,
) -> Result<String, QueryError> {
    let script = Script {
        sql,
        values: &named(values),
        undeclared,
    };
    Ok(lake.run(script, Format::Csv).await?.0)
}

async fn check(lake: &TestLake, sql: &str, values: &[(&str, &str)], expected: &str) {
    let found = run(lake, sql, values, Undeclared::TypedByUse).await;
    let found = found.unwrap_or_else(|error| panic!("{sql} with {values:?}: {error}"));
    assert_eq!(found.replace('\n', " ").trim(), expected, "{values:?}");
}

#[tokio::test]
async fn declared_parameters_restrict_and_null_does_not() {
    let lake = lake_with_chats().await;
    check(&lake, DECLARED, &[], "chat_id 1 2 3").await;
    check(&lake, DECLARED, &[("from", "2024-01-01")], "chat_id 2 3").await;
    check(&lake, DECLARED, &[("from", "NULL")], "chat_id 1 2 3").await;
    check(&lake, DECLARED, &[("channel", "widget")], "chat_id 2").await;
    check(&lake, DECLARED, &[("most", "2")], "chat_id 1 2").await;
    check(
        &lake,
        DECLARED,
        &[("most", "2"), ("most", "1")],
        "chat_id 1",
    )
    .await;
}

#[tokio::test]
async fn an_instant_without_offset_is_local() {
    let lake = lake_with_chats().await;
    let until = |text| [("until", text)];
    check(&lake, DECLARED, &until("2024-01-02T00:00:00Z"), "chat_id 1").await;
    check(&lake, DECLARED, &until("2024-01-01 21:00:00"), "chat_id 1").await;
    check(&lake, DECLARED, &until("2024-01-01 21:01"), "chat_id 1 2").await;
    check(
        &lake,
        DECLARED,
        &until("2024-01-02 00:00:01+00:00"),
        "chat_id 1 2",
    )
    .await;
    check(&lake, DECLARED, &until("2024-01-02"), "chat_id 1 2").await;
}

#[tokio::test]
async fn a_value_is_never_sql() {
    let lake = lake_with_chats().await;
    let hostile = "widget' OR 'x' = 'x";
    check(&lake, DECLARED, &[("channel", hostile)], "chat_id").await;
    let sql = "SELECT $text AS text, '$text' AS quoted";
    check(&lake, sql, &[("text", "it's")], "text,quoted it's,$text").await;
}

#[tokio::test]
async fn what_is_not_declared_is_typed_by_its_use() {
    let lake = lake_with_chats().await;
    for (condition, value) in [
        ("chat_id = $x", "2"),
        ("channel = $x", "widget"),
        ("started_date = $x", "2024-01-01"),
        ("started_at = $x", "2024-01-02T00:00:00Z"),
        ("local_date(started_at) = $x", "2024-01-01"),
        ("$x IN (channel, 'other')", "widget"),
    ] {
        let sql = format!("SELECT chat_id FROM fact_chats WHERE {condition}");
        check(&lake, &sql, &[("x", value)], "chat_id 2").await;
    }
}

#[tokio::test]
async fn bound_values_prune_as_literals_do() {
    let lake = lake_with_chats().await;
    let sql = format!(
        "{} ",
        DECLARED.replace("SELECT chat_id", "EXPLAIN SELECT chat_id")
    );
    let plan = |values: &'static [(&str, &str)]| run(&lake, &sql, values, Undeclared::Refused);
    let restricted = plan(&[
        ("from", "2024-01-01"),
        ("channel", "widget"),
        ("until", "2024-02-01"),
    ])
    .await
    .unwrap();
    for part in [
        "started_date_max@0 >= 2024-01-01",
        "required_guarantees=[channel in (widget)]",
        "started_at_min@6 < 1706756400000000",
        "fetch=10",
    ] {
        assert!(restricted.contains(part), "{part} is not in {restricted}");
    }
    let free = plan(&[]).await.unwrap();
    assert!(
        !free.contains("Filter: ") && !free.contains("started_"),
        "{free}"
    );
}

#[tokio::test]
async fn every_statement_of_a_script_has_the_parameters() {
    let lake = lake_with_chats().await;
    let sql = "-- $a INT\n-- $b DOUBLE = 0.5\nSELECT $a + 1 AS a; WITH x AS (SELECT $b * $a AS b) SELECT b FROM x";
    check(&lake, sql, &[("a", "3")], "a 4  b 1.5").await;
}

#[tokio::test]
async fn a_value_that_does_not_fit_says_which_and_what_fits() {
    let lake = lake_with_chats().await;
    let sql = format!("-- $needed INT  how many\n{DECLARED} -- and $needed");
    for (values, expected) in [
        (
            vec![],
            "parameter $needed (how many) has no value; give an INT as --param needed=VALUE",
        ),
        (
            vec![("needed", "1.5")],
            "parameter $needed (how many): \"1.5\" is no INT; write 20, or NULL",
        ),
        (
            vec![("needed", "1"), ("from", "2024-02-30")],
            "parameter $from (first day): \"2024-02-30\" is no DATE; write 2024-03-01, or NULL",
        ),
        (
            vec![("needed", "1"), ("until", "noon")],
            "parameter $until (started before): \"noon\" is no TIMESTAMP; write 2024-03-01T18:00:00Z, or without offset in the business time zone, or NULL",
        ),
        (
            vec![("chanel", "x")],
            "the query has no parameter $chanel; did you mean channel?",
        ),
        (
            vec![("zzz", "x")],
            "the query has no parameter $zzz; the query takes $channel, $from, $most, $needed, $until",
        ),
    ] {
        match run(&lake, &sql, &values, Undeclared::Refused).await {
            Err(QueryError::Parameter(message)) => assert_eq!(message, expected),
            other => panic!("{values:?}: {other:?}"),
        }
    }
    for (sql, values, expected) in [
        (
            "SELECT $x",
            vec![],
            "parameter $x has no value; give it as --param x=VALUE",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE chat_id = $x",
            vec![("x", "one")],
            "parameter $x: \"one\" is no BIGINT; write 20, or NULL",
        ),
        (
            "SELECT 1",
            vec![("x", "one")],
            "the query has no parameter $x; the query takes none",
        ),
    ] {
        match run(&lake, sql, &values, Undeclared::TypedByUse).await {
            Err(QueryError::Parameter(message)) => assert_eq!(message, expected),
            other => panic!("{values:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_script_must_declare_what_it_uses() {
    let lake = lake_with_chats().await;
    for (sql, expected) in [
        (
            "-- $from DATE = NULL\nSELECT $form",
            "$form is used but not declared; did you mean from?",
        ),
        (
            "SELECT $x",
            "$x is used but not declared; add a leading comment such as `-- $x TEXT = NULL  description`",
        ),
        (
            "-- $from DATE = 'soon'\nSELECT $from",
            "the default of parameter $from: \"soon\" is no DATE; write 2024-03-01, or NULL",
        ),
        (
            "SELECT ?",
            "a parameter needs a name: write $name instead of ?",
        ),
    ] {
        match run(&lake, sql, &[], Undeclared::Refused).await {
            Err(QueryError::Sql(mistake)) => assert_eq!(mistake.to_string(), expected),
            other => panic!("{sql}: {other:?}"),
        }
    }
}
