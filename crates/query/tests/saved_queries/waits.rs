//! Waiting: every wait counts once, where it ended, and what is not known is counted and not averaged.

use super::*;

const WAITS: &str = "entered_date, channel, department_id, exit, wait_seconds";

#[tokio::test]
async fn a_wait_counts_once_where_it_ended() {
    let lake = lake_with(&[Rows {
        table: "fact_queue_waits",
        columns: WAITS,
        values: "('2024-03-01', 'whatsapp', 7, 'answered', 10),
            ('2024-03-01', 'whatsapp', 7, 'answered', 31),
            ('2024-03-01', 'whatsapp', 7, 'answered', NULL),
            ('2024-03-01', 'whatsapp', 7, 'abandoned', 100),
            ('2024-03-01', 'whatsapp', 7, 'short_abandoned', 3),
            ('2024-03-01', 'whatsapp', 7, 'open', NULL),
            ('2024-03-01', 'whatsapp', 7, 'department_changed', 50),
            ('2024-03-01', 'whatsapp', 8, 'answered', 5)",
    }])
    .await;
    let rows = answer(&lake, "wait_times", &[]).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({
            "day": "2024-03-01", "channel": "whatsapp", "department_id": 7,
            "waits": 6, "answered": 3, "abandoned": 1, "short_abandoned": 1, "still_open": 1,
            "unknown": 1, "moved_on": 1, "moved_on_avg_seconds": 50.0, "abandoned_pct": 25.0,
            "answered_known": 2, "answered_avg_seconds": 20.5, "answered_median_seconds": 20.5, "answered_p90_seconds": 28.9,
            "abandoned_avg_seconds": 100.0, "abandoned_p90_seconds": 100.0,
        }),
    );
    check(
        &rows[1],
        json!({
            "department_id": 8, "waits": 1, "answered": 1, "abandoned_pct": 0.0, "moved_on": 0,
            "abandoned_avg_seconds": null, "answered_avg_seconds": 5.0,
        }),
    );
}

#[tokio::test]
async fn a_wait_whose_end_nothing_could_tell_is_counted_and_in_no_rate() {
    let lake = lake_with(&[Rows {
        table: "fact_queue_waits",
        columns: "chat_id, entered_at, entered_date, left_at, exit, wait_seconds, wait_business_seconds",
        values:
            "(1, '2024-03-01T13:00:00Z', '2024-03-01', '2024-03-01T13:00:10Z', 'answered', 10, 10),
            (2, '2024-03-01T13:00:00Z', '2024-03-01', NULL, 'open', NULL, NULL),
            (3, '2024-03-01T13:00:00Z', '2024-03-01', NULL, NULL, NULL, NULL),
            (4, '2024-03-01T13:00:00Z', '2024-03-01', NULL, NULL, NULL, NULL)",
    }])
    .await;
    for (query, expected) in [
        (
            "wait_times",
            json!({"waits": 4, "answered": 1, "still_open": 1, "exit_unknown": 2, "unknown": 0, "abandoned_pct": 0.0}),
        ),
        (
            "abandonment",
            json!({"ended": 3, "answered": 1, "still_open": 1, "exit_unknown": 2, "with_short_pct": 0.0}),
        ),
        (
            "service_level",
            json!({"waits": 4, "answered_in_time": 1, "still_open": 1, "exit_unknown": 2, "service_level_pct": 100.0}),
        ),
        (
            "waits_outside_hours",
            json!({"waits": 3, "inside": 1, "unknown": 2, "still_open": 1, "outside_pct": 0.0}),
        ),
    ] {
        check(&answer(&lake, query, &[]).await[0], expected);
    }
    let trust = answer(&lake, "data_trust", &[]).await;
    check(
        &trust[3],
        json!({"measure": "queue_exit", "rows": 3, "sure": 1, "unknown": 2}),
    );
}

#[tokio::test]
async fn parameters_leave_the_days_channels_and_departments_asked_for() {
    let lake = lake_with(&[Rows {
        table: "fact_queue_waits",
        columns: WAITS,
        values: "('2024-02-29', 'widget', 7, 'answered', 1), ('2024-03-01', 'widget', 8, 'answered', 2),
            ('2024-03-02', 'whatsapp', 7, 'answered', 3), ('2024-03-03', NULL, NULL, 'answered', 4)",
    }])
    .await;
    for (values, expected) in [
        (vec![], vec![1.0, 2.0, 3.0, 4.0]),
        (vec![("from", "2024-03-01")], vec![2.0, 3.0, 4.0]),
        (vec![("to", "2024-03-01")], vec![1.0, 2.0]),
        (
            vec![("from", "2024-03-01"), ("to", "2024-03-02")],
            vec![2.0, 3.0],
        ),
        (vec![("channel", "widget")], vec![1.0, 2.0]),
        (vec![("department", "7")], vec![1.0, 3.0]),
        (vec![("from", "2030-01-01")], vec![]),
    ] {
        let rows = answer(&lake, "wait_times", &values).await;
        let found: Vec<f64> = rows
            .iter()
            .map(|row| row["answered_avg_seconds"].as_f64().unwrap())
            .collect();
        assert_eq!(found, expected, "{values:?}");
    }
}

#[tokio::test]
async fn the_service_level_is_of_the_answered_and_the_abandoned() {
    let lake = lake_with(&[Rows {
        table: "fact_queue_waits",
        columns: "entered_at, entered_date, exit, wait_seconds",
        values: "('2024-03-01T13:00:00Z', '2024-03-01', 'answered', 20),
            ('2024-03-01T13:29:59Z', '2024-03-01', 'answered', 21),
            ('2024-03-01T13:10:00Z', '2024-03-01', 'abandoned', 15),
            ('2024-03-01T13:10:00Z', '2024-03-01', 'short_abandoned', 5),
            ('2024-03-01T13:10:00Z', '2024-03-01', 'open', NULL),
            ('2024-03-01T13:10:00Z', '2024-03-01', 'department_changed', 7),
            ('2024-03-01T13:10:00Z', '2024-03-01', 'answered', NULL),
            ('2024-03-01T13:30:00Z', '2024-03-01', 'open', NULL),
            (NULL, '2024-03-01', 'answered', NULL)",
    }])
    .await;
    let rows = answer(&lake, "service_level", &[]).await;
    assert_eq!(rows.len(), 3);
    check(
        &rows[0],
        json!({
            "half_hour_local": "2024-03-01T10:00:00", "waits": 6, "answered_in_time": 1, "answered_late": 1,
            "answered_unknown": 1, "abandoned": 1, "abandoned_in_time": 1, "short_abandoned": 1,
            "still_open": 1, "rated": 3, "service_level_pct": 33.3, "is_met": false, "weekday_name": "Fri",
            "hour": 10.0,
        }),
    );
    check(
        &rows[1],
        json!({"half_hour_local": "2024-03-01T10:30:00", "hour": 10.5, "rated": 0, "service_level_pct": null, "is_met": null}),
    );
    check(
        &rows[2],
        json!({"half_hour_local": null, "waits": 1, "answered_unknown": 1}),
    );
    let easier = [("seconds", "21"), ("percent", "66.6")];
    check(
        &answer(&lake, "service_level", &easier).await[0],
        json!({"answered_in_time": 2, "service_level_pct": 66.7, "is_met": true}),
    );
}

#[tokio::test]
async fn the_half_hour_that_a_clock_repeats_holds_both() {
    let lake = lake_with(&[Rows {
        table: "fact_queue_waits",
        columns: "entered_at, entered_date, exit, wait_seconds",
        values: "('2019-02-17T01:40:00Z', '2019-02-16', 'answered', 20),
            ('2019-02-17T02:40:00Z', '2019-02-16', 'answered', 20)",
    }])
    .await;
    let rows = answer(&lake, "service_level", &[]).await;
    assert_eq!(rows.len(), 1);
    check(
        &rows[0],
        json!({"half_hour_local": "2019-02-16T23:30:00", "waits": 2}),
    );
}

#[tokio::test]
async fn the_times_to_abandon_add_up_to_the_abandoned() {
    let lake = lake_with(&[Rows {
        table: "fact_queue_waits",
        columns: WAITS,
        values: "('2024-03-01', 'widget', 7, 'abandoned', 30), ('2024-03-01', 'widget', 7, 'abandoned', 31),
            ('2024-03-01', 'widget', 7, 'abandoned', 180), ('2024-03-01', 'widget', 7, 'abandoned', 600),
            ('2024-03-01', 'widget', 7, 'abandoned', 601), ('2024-03-01', 'widget', 7, 'abandoned', NULL),
            ('2024-03-01', 'widget', 7, 'short_abandoned', 2), ('2024-03-01', 'widget', 7, 'answered', 9),
            ('2024-03-01', 'widget', 7, 'answered', 9), ('2024-03-01', 'widget', 7, 'open', NULL),
            ('2024-03-01', 'widget', 7, 'department_changed', 8)",
    }])
    .await;
    let rows = answer(&lake, "abandonment", &[]).await;
    check(
        &rows[0],
        json!({
            "ended": 9, "answered": 2, "abandoned": 6, "short_abandoned": 1, "still_open": 1,
            "abandoned_pct": 75.0, "with_short_pct": 77.8,
            "abandoned_within_30_seconds": 1, "abandoned_30_to_60_seconds": 1,
            "abandoned_60_to_180_seconds": 1, "abandoned_180_to_600_seconds": 1,
            "abandoned_after_600_seconds": 1, "abandoned_unknown": 1,
            "abandoned_avg_seconds": 288.4, "abandoned_median_seconds": 180.0,
        }),
    );
}

#[tokio::test]
async fn the_queue_holds_who_had_come_and_not_gone_at_the_instant() {
    let lake = lake_with(&[
        Rows {
            table: "fact_queue_waits",
            columns: "chat_id, session_no, channel, entered_at, entered_earliest, left_at, exit",
            values:
                "(1, 1, 'widget', '2024-03-01T13:00:00Z', NULL, '2024-03-01T13:10:00Z', 'answered'),
                (2, 1, 'widget', '2024-03-01T13:05:00Z', NULL, '2024-03-01T13:05:30Z', 'abandoned'),
                (3, 1, 'widget', '2024-03-01T13:04:00Z', NULL, NULL, 'open'),
                (4, 1, 'widget', NULL, '2024-03-01T13:01:00Z', '2024-03-01T13:06:00Z', 'answered'),
                (5, 1, 'widget', '2024-03-01T13:02:00Z', NULL, NULL, 'answered')",
        },
        Rows {
            table: "fact_chats",
            columns: "chat_id, session_no, outcome, closed_at",
            values: "(5, 1, 'handled', '2024-03-01T13:07:00Z'), (3, 1, 'open', NULL)",
        },
        Rows {
            table: "events",
            columns: "delivered_at",
            values: "('2024-03-01T14:00:00Z'), ('2024-03-01T13:00:00Z')",
        },
    ])
    .await;
    for (as_of, expected) in [
        (
            "2024-03-01 10:05:30",
            json!({"waiting": 2, "may_wait": 2, "waited_max_seconds": 330, "waited_avg_seconds": 210.0}),
        ),
        (
            "2024-03-01 10:00",
            json!({"waiting": 1, "may_wait": 0, "waited_max_seconds": 0}),
        ),
        (
            "2024-03-01 10:08",
            json!({"waiting": 2, "may_wait": 0, "entered_first_local": "2024-03-01T10:00:00"}),
        ),
        (
            "NULL",
            json!({"waiting": 1, "as_of_local": "2024-03-01T11:00:00", "waited_max_seconds": 3360}),
        ),
    ] {
        let rows = answer(&lake, "queue_length", &[("as_of", as_of)]).await;
        assert_eq!(rows.len(), 1, "{as_of}");
        check(&rows[0], expected);
    }
    let before = [("as_of", "2024-03-01T12:59:59Z")];
    assert_eq!(answer(&lake, "queue_length", &before).await.len(), 0);
}

#[tokio::test]
async fn a_wait_lies_inside_partly_or_outside_business_hours() {
    let lake = lake_with(&[Rows {
        table: "fact_queue_waits",
        columns: "entered_date, exit, wait_seconds, wait_business_seconds",
        values: "('2024-03-01', 'answered', 60, 60), ('2024-03-01', 'answered', 3600, 600),
            ('2024-03-01', 'abandoned', 40, 0), ('2024-03-01', 'answered', 0, 0),
            ('2024-03-01', 'answered', NULL, NULL), ('2024-03-01', 'answered', 9, NULL),
            ('2024-03-01', 'open', NULL, NULL), ('2024-03-01', 'department_changed', 5, 2)",
    }])
    .await;
    check(
        &answer(&lake, "waits_outside_hours", &[]).await[0],
        json!({
            "waits": 6, "inside": 1, "partly": 1, "outside": 1, "no_time": 1, "unknown": 1, "no_calendar": 1,
            "still_open": 1, "outside_pct": 66.7, "outside_abandoned": 1, "inside_abandoned": 0,
            "answered_avg_seconds": 1220.0, "answered_avg_business_seconds": 220.0,
            "moved_on": 1, "moved_on_avg_seconds": 5.0, "moved_on_avg_business_seconds": 2.0,
        }),
    );
}

#[tokio::test]
async fn a_requeue_is_followed_into_the_queue() {
    let lake = lake_with(&[
        Rows {
            table: "fact_agent_segments",
            columns: "chat_id, session_no, started_date, ended_at, end_reason, handle_seconds, ended_bounded",
            values: "(1, 1, '2024-03-01', '2024-03-01T13:00:00Z', 'requeued', 100, false),
                (1, 1, '2024-03-01', '2024-03-01T14:00:00Z', 'requeued', 300, false),
                (2, 1, '2024-03-01', '2024-03-01T13:00:00Z', 'requeued', 999, true),
                (3, 1, '2024-03-01', '2024-03-01T13:00:00Z', 'closed', 50, false),
                (4, 1, '2024-03-01', NULL, 'open', NULL, false)",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "chat_id, session_no, entered_at, entered_source, exit, wait_seconds",
            values: "(1, 1, '2024-03-01T13:00:00Z', 'requeue_seen', 'answered', 20),
                (1, 1, '2024-03-01T14:00:00Z', 'requeue_seen', 'abandoned', 500),
                (2, 1, NULL, 'bounded', 'answered', NULL)",
        },
    ])
    .await;
    check(
        &answer(&lake, "requeues", &[]).await[0],
        json!({
            "segments": 5, "still_open": 1, "requeued": 3, "requeued_pct": 75.0, "requeued_sessions": 2,
            "answered_again": 1, "abandoned_again": 1, "moved_on": 0, "waiting_again": 0, "wait_unknown": 1,
            "before_median_seconds": 200.0, "wait_avg_seconds": 20.0,
        }),
    );
}

#[tokio::test]
async fn the_fullest_queue_comes_first() {
    let lake = lake_with(&[
        Rows {
            table: "events",
            columns: "delivered_at",
            values: "('2024-03-01T14:00:00Z')",
        },
        Rows {
            table: "dim_departments",
            columns: "company_id, department_id, name",
            values: "(1, 8, 'Vendas')",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "company_id, chat_id, session_no, department_id, entered_at, exit",
            values: "(1, 1, 1, 7, '2024-03-01T13:00:00Z', 'open'), (1, 2, 1, 8, '2024-03-01T13:00:00Z', 'open'),
                (1, 3, 1, 8, '2024-03-01T13:00:00Z', 'open'), (1, 4, 1, NULL, '2024-03-01T13:00:00Z', 'open')",
        },
    ])
    .await;
    let rows = answer(&lake, "queue_length", &[]).await;
    let labels: Vec<&Value> = rows.iter().map(|row| &row["department_label"]).collect();
    assert_eq!(labels, ["Vendas", "7", "(none)"]);
}
