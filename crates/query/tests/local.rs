//! The functions of the business time zone, here America/Sao_Paulo, across its changes of the clock.

mod support;

use query::Format;
use support::{TestLake, instants, longs};

async fn check(lake: &TestLake, sql: &str, expected: &str) {
    let (text, _) = lake.run(sql, Format::Csv).await.unwrap();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(rows.join("; "), expected, "{sql}");
}

#[tokio::test]
async fn instants_are_read_on_the_local_clock_on_both_sides_of_a_change() {
    let lake = TestLake::new();
    // Summer time began on 2018-11-04, when 00:00 became 01:00, and ended on 2019-02-17, 00:00 becoming 23:00.
    for (instant, expected) in [
        ("2018-11-04T02:59:59Z", "2018-11-03T23:59:59,2018-11-03"),
        ("2018-11-04T03:00:00Z", "2018-11-04T01:00:00,2018-11-04"),
        ("2019-02-17T01:30:00Z", "2019-02-16T23:30:00,2019-02-16"),
        ("2019-02-17T02:30:00Z", "2019-02-16T23:30:00,2019-02-16"),
        ("2019-02-17T03:00:00Z", "2019-02-17T00:00:00,2019-02-17"),
        ("2024-03-01T02:59:59Z", "2024-02-29T23:59:59,2024-02-29"),
    ] {
        let sql = format!(
            "SELECT local_time(t) AS t, local_date(t) AS d FROM (SELECT to_timestamp('{instant}') AS t)"
        );
        check(&lake, &sql, expected).await;
    }
}

#[tokio::test]
async fn columns_and_nulls_are_read_like_literals() {
    let lake = TestLake::new();
    let columns = vec![
        ("n", longs([Some(1), Some(2), Some(3)])),
        (
            "at",
            instants([
                Some(1_541_300_399_000_000),
                None,
                Some(1_541_300_400_000_000),
            ]),
        ),
    ];
    lake.add("t", None, columns).await;
    check(
        &lake,
        "SELECT local_time(at) AS l, local_date(at) AS d, date_bin(INTERVAL '30 minutes', local_time(at)) AS h FROM t ORDER BY n",
        "2018-11-03T23:59:59,2018-11-03,2018-11-03T23:30:00; ,,; 2018-11-04T01:00:00,2018-11-04,2018-11-04T01:00:00",
    )
    .await;
    check(
        &lake,
        "SELECT local_time(NULL) AS l, date_start(NULL) AS s",
        ",",
    )
    .await;
}

#[tokio::test]
async fn the_advice_for_functions_of_other_databases_reads_the_local_clock() {
    let lake = TestLake::new();
    let columns = "(SELECT to_timestamp('2024-03-01T02:30:00Z') AS t, DATE '2024-03-01' AS d,
        to_timestamp('2024-03-01T02:30:00Z') AS a, to_timestamp('2024-03-01T02:31:30Z') AS b)";
    for (theirs, ours, expected) in [
        ("hour(t)", "date_part('hour', local_time(t))", "23"),
        ("day(t)", "date_part('day', local_time(t))", "29"),
        ("day(t)", "date_part('day', d)", "1"),
        ("month(t)", "date_part('month', local_time(t))", "2"),
        ("year(t)", "date_part('year', local_time(t))", "2024"),
        (
            "strftime(t, '%H:%M')",
            "to_char(local_time(t), '%H:%M')",
            "23:30",
        ),
        (
            "strftime(d, '%d/%m')",
            "to_char(d, '%d/%m/%Y')",
            "01/03/2024",
        ),
        ("datediff(a, b)", "date_part('epoch', b - a)", "90.0"),
    ] {
        let sql = format!("SELECT {theirs} FROM {columns}");
        let error = lake
            .run(sql.as_str(), Format::Csv)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(ours), "{error}");
        check(
            &lake,
            &format!("SELECT {ours} AS x FROM {columns}"),
            expected,
        )
        .await;
    }
    let asked = lake.run(
        "SELECT datediff(DATE '2024-02-28', DATE '2024-03-01')",
        Format::Csv,
    );
    let error = asked.await.unwrap_err().to_string();
    assert!(error.contains("b - a, in days, of dates"), "{error}");
    let dates = "SELECT b - a AS x FROM (SELECT DATE '2024-02-28' AS a, DATE '2024-03-01' AS b)";
    check(&lake, dates, "2").await;
}

#[tokio::test]
async fn days_begin_where_the_clock_says_and_may_have_23_or_25_hours() {
    let lake = TestLake::new();
    for (date, expected) in [
        ("2018-11-03", "2018-11-03T03:00:00Z,24.0"),
        ("2018-11-04", "2018-11-04T03:00:00Z,23.0"),
        ("2019-02-16", "2019-02-16T02:00:00Z,25.0"),
        ("2019-02-17", "2019-02-17T03:00:00Z,24.0"),
    ] {
        let sql = format!(
            "SELECT date_start(d) AS s, date_part('epoch', date_start(d + INTERVAL '1 day') - date_start(d)) / 3600 AS hours
            FROM (SELECT DATE '{date}' AS d)"
        );
        check(&lake, &sql, expected).await;
        check(
            &lake,
            &format!("SELECT local_date(date_start(DATE '{date}')) AS d"),
            date,
        )
        .await;
    }
}
