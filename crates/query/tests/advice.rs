//! What is advised where something is not there: it works as it is told.

mod support;

use query::{Engine, EngineOptions, Format};
use support::{TestLake, days, instants, longs, texts};

async fn lake() -> TestLake {
    let lake = TestLake::new();
    let columns = vec![
        ("n", longs([Some(1), Some(2), Some(3)])),
        ("x", texts([Some("b"), Some("a"), Some("b")])),
        ("j", texts([Some("{\"key\": \"v\"}"), None, None])),
        (
            "t",
            // 2024-03-02, a Saturday in São Paulo, and a Sunday in UTC for the last.
            instants([
                Some(1_709_384_400_000_000),
                Some(1_709_384_400_000_000),
                Some(1_709_431_200_000_000),
            ]),
        ),
        ("d", days([Some(19_784), Some(19_784), Some(19_784)])),
    ];
    lake.add("fact_chats", None, columns).await;
    lake
}

async fn run(lake: &TestLake, sql: &str) -> Result<String, String> {
    let options = EngineOptions {
        reads_files: true,
        ..EngineOptions::new(64 << 20, chrono_tz::America::Sao_Paulo)
    };
    let mut out = Vec::new();
    let engine = Engine::new(lake.lake.clone(), options);
    match engine.run(sql, Format::Csv, &mut out).await {
        Ok(_) => Ok(String::from_utf8(out).expect("text")),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn functions_of_other_databases_have_an_equivalent_that_works() {
    let lake = lake().await;
    for (theirs, told, ours, expected) in [
        ("len(x)", "length(x)", "min(length(x))", "1"),
        (
            "isnull(j, '')",
            "coalesce(x, y)",
            "min(coalesce(j, 'none'))",
            "none",
        ),
        (
            "quantile(n, 0.9)",
            "percentile_cont(0.9) WITHIN GROUP (ORDER BY x)",
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY n)",
            "2.0",
        ),
        (
            "json_extract(j, '$.key')",
            "payload ->> 'key'",
            "min(j ->> 'key')",
            "v",
        ),
        (
            "strptime(x, '%d/%m/%Y')",
            "to_date(x, '%d/%m/%Y')",
            "min(to_date('02/03/2024', '%d/%m/%Y'))",
            "2024-03-02",
        ),
        (
            "strptime(x, '%d/%m/%Y')",
            "to_timestamp(x, '%d/%m/%Y %H:%M:%S')",
            "min(date_part('hour', to_timestamp('02/03/2024 10:20:30', '%d/%m/%Y %H:%M:%S')))",
            "10",
        ),
        (
            "countif(n > 1)",
            "count(*) FILTER (WHERE ...)",
            "count(*) FILTER (WHERE n > 1)",
            "2",
        ),
        (
            "dayofweek(t)",
            "date_part('dow', local_time(t))",
            "max(date_part('dow', local_time(t)))",
            "6",
        ),
        (
            "weekday(d)",
            "date_part('dow', d)",
            "max(date_part('dow', d))",
            "6",
        ),
        (
            "epoch(t)",
            "date_part('epoch', t)",
            "min(date_part('epoch', t))",
            "1709384400.0",
        ),
        (
            "age(t, t)",
            "date_part('epoch', b - a)",
            "max(date_part('epoch', t - t))",
            "0.0",
        ),
        (
            "iif(n > 1, 1, 2)",
            "CASE WHEN ... THEN ... ELSE ... END",
            "max(CASE WHEN n > 1 THEN 1 ELSE 2 END)",
            "2",
        ),
        (
            "arg_max(x, n)",
            "first_value(x ORDER BY y DESC)",
            "first_value(x ORDER BY n DESC)",
            "b",
        ),
        (
            "arg_min(n, x)",
            "first_value(x ORDER BY y)",
            "first_value(n ORDER BY x)",
            "2",
        ),
        (
            "charindex('a', x)",
            "strpos(x, 'part')",
            "max(strpos(x, 'a'))",
            "1",
        ),
    ] {
        let error = run(&lake, &format!("SELECT {theirs} FROM fact_chats")).await;
        let error = error.expect_err(theirs);
        assert!(error.contains(told), "{theirs}: {error}");
        let answer = run(&lake, &format!("SELECT {ours} AS v FROM fact_chats")).await;
        assert_eq!(answer, Ok(format!("v\n{expected}\n")), "{ours}");
    }
    let mode = "SELECT x FROM fact_chats GROUP BY x ORDER BY count(*) DESC LIMIT 1";
    assert_eq!(run(&lake, mode).await, Ok("x\nb\n".to_owned()));
}

#[tokio::test]
async fn what_is_meant_is_told_where_a_name_is_unknown() {
    let lake = lake().await;
    for (sql, expected) in [
        (
            "SELECT lag(n) FROM fact_chats",
            "write lag(...) OVER (ORDER BY ...)",
        ),
        (
            "SELECT n FROM fact_chats WHERE x = email",
            "single quotes: 'email'",
        ),
        (
            "SELECT n FROM fact_chats WHERE email.x = x",
            "names no such table",
        ),
        (
            "SELECT n AS total FROM fact_chats WHERE total > 1",
            "the output of that name",
        ),
        ("SELECT 1 FROM wait_times", "`huggy-etl query wait_times`"),
        ("DESCRIBE wait_times", "`huggy-etl query wait_times`"),
        ("SELECT 1 FROM 'x.xlsx'", "save the sheet as CSV"),
        ("SELECT 1 FROM 'u.csv.gz'", "unpack it first"),
        ("SELECT 1 FROM read_csv('x.csv')", "FROM 'targets.csv'"),
        ("SELECT 1 FROM '~/x.csv'", "~ stands for no folder"),
    ] {
        let error = run(&lake, sql).await.expect_err(sql);
        assert!(error.contains(expected), "{sql}: {error}");
    }
    let described = "DESCRIBE SELECT x, count(*) AS n FROM fact_chats GROUP BY 1";
    let columns = "column,type,description\nx,TEXT,the x of a row\nn,BIGINT,\n";
    assert_eq!(run(&lake, described).await, Ok(columns.to_owned()));
}
