//! The saved queries over facts with every kind of row, each number checked by hand.

mod support;

use query::Format;
use serde_json::{Value, json};
use support::{TestLake, days, instants, longs, texts};

const MARCH_1: i32 = 19_783;
const WHATSAPP: Option<&str> = Some("whatsapp");

async fn rows(lake: &TestLake, sql: &str) -> Vec<Value> {
    let (text, _) = lake.run(sql, Format::Json).await.unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Expects the row to hold these values, among others.
fn check(row: &Value, expected: Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name} of {row}");
    }
}

#[tokio::test]
async fn a_wait_counts_once_where_it_ended() {
    let lake = TestLake::new();
    let exits = [
        Some("answered"),
        Some("answered"),
        Some("answered"),
        Some("abandoned"),
        Some("short_abandoned"),
        Some("open"),
        Some("department_changed"),
        Some("answered"),
    ];
    let seconds = [
        Some(10),
        Some(31),
        None,
        Some(100),
        Some(3),
        None,
        Some(50),
        Some(5),
    ];
    let department = Some(7);
    let columns = vec![
        ("entered_date", days([Some(MARCH_1); 8])),
        ("channel", texts([WHATSAPP; 8])),
        (
            "department_id",
            longs([
                department,
                department,
                department,
                department,
                department,
                department,
                department,
                Some(8),
            ]),
        ),
        ("exit", texts(exits)),
        ("wait_seconds", longs(seconds)),
    ];
    lake.add("fact_queue_waits", Some("entered_date"), columns)
        .await;
    let rows = rows(&lake, include_str!("../../../queries/wait_times.sql")).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({"day": "2024-03-01", "channel": "whatsapp", "department_id": 7}),
    );
    check(
        &rows[0],
        json!({"waits": 6, "answered": 3, "abandoned": 1, "short_abandoned": 1, "still_open": 1}),
    );
    check(
        &rows[0],
        json!({"unknown": 1, "moved_on": 1, "moved_on_avg_seconds": 50.0, "abandoned_pct": 25.0}),
    );
    check(
        &rows[0],
        json!({"answered_avg_seconds": 20.5, "answered_median_seconds": 20.5, "answered_p90_seconds": 28.9}),
    );
    check(
        &rows[0],
        json!({"abandoned_avg_seconds": 100.0, "abandoned_p90_seconds": 100.0}),
    );
    check(
        &rows[1],
        json!({"department_id": 8, "waits": 1, "answered": 1, "abandoned_pct": 0.0, "moved_on": 0}),
    );
    check(
        &rows[1],
        json!({"abandoned_avg_seconds": null, "answered_avg_seconds": 5.0}),
    );
}

#[tokio::test]
async fn only_closed_sessions_have_durations_and_only_handled_ones_are_handled() {
    let lake = TestLake::new();
    let columns = vec![
        ("started_date", days([Some(MARCH_1); 4])),
        ("channel", texts([WHATSAPP; 4])),
        ("department_id", longs([Some(7), Some(7), Some(7), None])),
        (
            "outcome",
            texts([
                Some("handled"),
                Some("contained"),
                Some("open"),
                Some("handled"),
            ]),
        ),
        ("duration_seconds", longs([Some(100), Some(50), None, None])),
        (
            "handle_seconds",
            longs([Some(60), Some(0), Some(9), Some(20)]),
        ),
    ];
    lake.add("fact_chats", Some("started_date"), columns).await;
    let rows = rows(&lake, include_str!("../../../queries/chat_durations.sql")).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({"sessions": 3, "closed": 2, "still_open": 1, "handled": 1, "unknown": 0}),
    );
    check(
        &rows[0],
        json!({"duration_avg_seconds": 75.0, "duration_p90_seconds": 95.0, "handle_avg_seconds": 60.0}),
    );
    check(
        &rows[1],
        json!({"department_id": null, "unknown": 1, "duration_avg_seconds": null}),
    );
    check(
        &rows[1],
        json!({"handle_avg_seconds": 20.0, "handle_median_seconds": 20.0}),
    );
}

#[tokio::test]
async fn shares_are_of_ended_entry_runs() {
    let lake = TestLake::new();
    let chats = vec![
        ("company_id", longs([Some(1), Some(1), Some(2)])),
        ("chat_id", longs([Some(1), Some(2), Some(1)])),
        ("session_no", longs([Some(1), Some(1), Some(1)])),
        ("channel", texts([WHATSAPP, WHATSAPP, Some("widget")])),
        ("department_id", longs([Some(7), Some(7), None])),
    ];
    lake.add("fact_chats", None, chats).await;
    let runs = vec![
        (
            "company_id",
            longs([Some(1), Some(1), Some(1), Some(1), Some(2)]),
        ),
        (
            "chat_id",
            longs([Some(1), Some(1), Some(2), Some(2), Some(1)]),
        ),
        (
            "session_no",
            longs([Some(1), Some(1), Some(1), Some(1), Some(1)]),
        ),
        ("started_date", days([Some(MARCH_1); 5])),
        (
            "role",
            texts([
                Some("entry"),
                Some("exit"),
                Some("entry"),
                Some("entry"),
                Some("entry"),
            ]),
        ),
        (
            "outcome",
            texts([
                Some("handed_off"),
                Some("completed"),
                Some("contained"),
                Some("open"),
                Some("dropped"),
            ]),
        ),
        (
            "finished_at",
            instants([Some(1), Some(1), Some(1), None, None]),
        ),
        (
            "duration_seconds",
            longs([Some(40), Some(400), Some(20), None, None]),
        ),
    ];
    lake.add("fact_flow_runs", Some("started_date"), runs).await;
    let rows = rows(&lake, include_str!("../../../queries/flow_outcomes.sql")).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({"channel": "whatsapp", "runs": 4, "entry_runs": 3, "exit_runs": 1, "completed": 1}),
    );
    check(
        &rows[0],
        json!({"entry_ended": 2, "entry_open": 1, "contained_pct": 50.0, "handed_off_pct": 50.0}),
    );
    check(
        &rows[0],
        json!({"entry_avg_seconds": 30.0, "entry_median_seconds": 30.0, "entry_p90_seconds": 38.0}),
    );
    check(
        &rows[1],
        json!({"channel": "widget", "entry_ended": 1, "dropped_pct": 100.0, "entry_avg_seconds": null}),
    );
}
