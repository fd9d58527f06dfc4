//! Agents: replies, transfers, and time, where chats run side by side and days end at midnight.

use super::*;

const LAST_EVENT: Rows<'static> = Rows {
    table: "events",
    columns: "delivered_at",
    values: "('2024-03-02T15:00:00Z')",
};

const ANA: Rows<'static> = Rows {
    table: "dim_agents",
    columns: "company_id, agent_id, name",
    values: "(1, 11, 'Ana')",
};

/// Ana: available from 08:00, paused 12:00 to 13:00, offline 23:00 to 01:00, then available with no end.
const STATUSES: Rows<'static> = Rows {
    table: "fact_agent_status",
    columns: "company_id, agent_id, started_at, ended_at, is_online, is_available, started_date",
    values: "(1, 11, '2024-03-01T11:00:00Z', '2024-03-01T15:00:00Z', true, true, '2024-03-01'),
        (1, 11, '2024-03-01T15:00:00Z', '2024-03-01T16:00:00Z', true, false, '2024-03-01'),
        (1, 11, '2024-03-01T16:00:00Z', '2024-03-02T02:00:00Z', true, true, '2024-03-01'),
        (1, 11, '2024-03-02T02:00:00Z', '2024-03-02T04:00:00Z', false, true, '2024-03-01'),
        (1, 11, '2024-03-02T04:00:00Z', NULL, true, true, '2024-03-02')",
};

#[tokio::test]
async fn a_reply_counts_for_who_wrote_it_and_a_turn_without_one_for_nobody() {
    let lake = lake_with(&[
        ANA,
        Rows {
            table: "fact_chats",
            columns: "company_id, chat_id, session_no, channel, agent_messages",
            values: "(1, 1, 1, 'widget', 2), (1, 2, 1, 'widget', NULL)",
        },
        Rows {
            table: "fact_replies",
            columns: "company_id, chat_id, session_no, turn_no, replied_at, agent_id, is_first, reply_seconds",
            values: "(1, 1, 1, 1, '2024-03-01T13:00:00Z', 11, true, 10), (1, 1, 1, 2, '2024-03-01T13:00:00Z', 11, false, 50),
                (1, 1, 1, 3, NULL, NULL, false, NULL), (1, 2, 1, 1, NULL, NULL, true, NULL)",
        },
    ])
    .await;
    let rows = answer(&lake, "reply_times", &[]).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({
            "agent_name": "Ana", "channel": "widget", "turns": 2, "replies": 2, "first_replies": 1,
            "not_replied": 0, "sessions": 1, "reply_avg_seconds": 30.0, "reply_avg_business_seconds": null,
        }),
    );
    check(
        &rows[1],
        json!({
            "agent_id": null, "turns": 2, "replies": 0, "not_replied": 1, "reply_unknown": 1, "reply_avg_seconds": null,
        }),
    );
}

#[tokio::test]
async fn the_unanswered_are_those_of_the_instant() {
    let lake = lake_with(&[
        LAST_EVENT,
        Rows {
            table: "fact_chats",
            columns: "company_id, chat_id, session_no, outcome, closed_at, contact_name, department_id, agent_messages, first_response_at",
            values: "(1, 1, 1, 'open', NULL, 'Maria', 7, 0, NULL),
                (1, 2, 1, 'handled', '2024-03-02T14:00:00Z', 'Jose', NULL, 0, NULL),
                (1, 3, 1, 'open', NULL, 'Rui', NULL, 2, '2024-03-02T13:25:00Z'),
                (1, 4, 1, 'open', NULL, 'whose agents are not subscribed', NULL, NULL, NULL),
                (1, 5, 1, 'open', NULL, 'who let the bot have the last word', NULL, 0, NULL)",
        },
        Rows {
            table: "fact_replies",
            columns: "company_id, chat_id, session_no, waiting_since, replied_at, is_first",
            values: "(1, 1, 1, '2024-03-02T14:59:00Z', NULL, true), (1, 2, 1, '2024-03-02T13:00:00Z', NULL, true),
                (1, 3, 1, '2024-03-02T13:30:00Z', '2024-03-02T14:50:00Z', false),
                (1, 4, 1, '2024-03-02T13:30:00Z', NULL, true)",
        },
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, agent_id, started_at, ended_at",
            values: "(1, 3, 1, 11, '2024-03-02T13:20:00Z', NULL)",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "company_id, chat_id, session_no, entered_at, left_at, exit",
            values: "(1, 1, 1, '2024-03-02T14:59:00Z', NULL, 'open'),
                (1, 2, 1, '2024-03-02T13:00:00Z', '2024-03-02T14:00:00Z', 'abandoned'),
                (1, 3, 1, '2024-03-02T13:10:00Z', '2024-03-02T13:20:00Z', 'answered'),
                (1, 4, 1, '2024-03-02T13:10:00Z', '2024-03-02T13:20:00Z', 'answered'),
                (1, 5, 1, '2024-03-02T14:58:20Z', NULL, 'open')",
        },
        ANA,
        Rows {
            table: "dim_departments",
            columns: "company_id, department_id, name",
            values: "(1, 7, 'Vendas'), (2, 7, 'of another company')",
        },
    ])
    .await;
    let rows = answer(&lake, "unanswered_now", &[]).await;
    assert_eq!(rows.len(), 2);
    // Waits, and has no turn.
    check(
        &rows[0],
        json!({"chat_id": 5, "place": "queue", "is_first": true, "waiting_seconds": 100}),
    );
    check(
        &rows[1],
        json!({
            "contact_name": "Maria", "place": "queue", "agent_id": null, "is_first": true, "department_name": "Vendas",
            "waiting_since_local": "2024-03-02T11:59:00", "waiting_seconds": 60,
        }),
    );
    let rows = answer(&lake, "unanswered_now", &[("as_of", "2024-03-02 10:45")]).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({"chat_id": 2, "place": "queue", "waiting_seconds": 2700}),
    );
    check(
        &rows[1],
        json!({"chat_id": 3, "place": "agent", "agent_name": "Ana", "waiting_seconds": 900}),
    );
}

#[tokio::test]
async fn whoever_was_seen_to_leave_the_queue_is_not_in_it() {
    // Seen waiting, then in chat with an agent whom no event names: when it was answered nothing tells.
    let lake = lake_with(&[
        LAST_EVENT,
        Rows {
            table: "fact_chats",
            columns: "chat_id, session_no, outcome, last_event_at, agent_messages",
            values: "(1, 1, 'open', '2024-03-02T14:30:00Z', 0)",
        },
        Rows {
            table: "fact_replies",
            columns: "chat_id, session_no, waiting_since",
            values: "(1, 1, '2024-03-02T13:00:00Z')",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "chat_id, session_no, entered_at, left_at, left_source, exit",
            values: "(1, 1, '2024-03-02T13:00:00Z', NULL, 'situation_seen', 'answered')",
        },
    ])
    .await;
    check(
        &answer(&lake, "unanswered_now", &[]).await[0],
        json!({"chat_id": 1, "place": null, "agent_id": null, "waiting_seconds": 7200}),
    );
    assert_eq!(answer(&lake, "queue_length", &[]).await.len(), 0);
    // Before the session's last event it may still have waited.
    let earlier = [("as_of", "2024-03-02T14:29:59Z")];
    check(
        &answer(&lake, "queue_length", &earlier).await[0],
        json!({"waiting": 0, "may_wait": 1}),
    );
}

#[tokio::test]
async fn transfers_are_between_agents_or_between_departments() {
    let lake = lake_with(&[
        ANA,
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, segment_no, agent_id, end_reason, handle_seconds",
            values: "(1, 1, 1, 1, 11, 'transferred', 60), (1, 1, 1, 2, 22, 'transferred', 20), (1, 1, 1, 3, 11, 'requeued', 5),
                (1, 1, 1, 4, 22, 'closed', 9), (1, 2, 1, 1, 11, 'transferred', 100), (1, 2, 1, 2, 22, 'open', NULL)",
        },
        Rows {
            table: "fact_department_changes",
            columns: "company_id, chat_id, session_no, from_department_id, to_department_id, was_waiting",
            values: "(1, 1, 1, NULL, 7, true), (1, 2, 1, 7, 8, false)",
        },
        Rows {
            table: "dim_departments",
            columns: "company_id, department_id, name",
            values: "(1, 7, 'Vendas')",
        },
    ])
    .await;
    let rows = answer(&lake, "transfers", &[]).await;
    assert_eq!(rows.len(), 4);
    check(
        &rows[0],
        json!({
            "between": "agents", "from_name": "Ana", "to_id": 22, "to_name": null, "to_label": "22", "transfers": 2,
            "pct": 66.7, "while_waiting": null, "before_median_seconds": 80.0,
        }),
    );
    check(
        &rows[1],
        json!({"from_id": 22, "to_name": "Ana", "transfers": 1, "pct": 33.3}),
    );
    check(
        &rows[2],
        json!({"between": "departments", "from_name": "Vendas", "to_id": 8, "transfers": 1, "while_waiting": 0}),
    );
    check(
        &rows[3],
        json!({"from_id": null, "from_label": "(none)", "to_label": "Vendas", "while_waiting": 1, "pct": 50.0}),
    );
}

#[tokio::test]
async fn a_status_is_cut_at_local_midnight_and_ends_at_the_last_event() {
    let lake = lake_with(&[LAST_EVENT, ANA, STATUSES]).await;
    let rows = answer(&lake, "agent_availability", &[]).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({
            "day": "2024-03-01", "agent_name": "Ana", "known_seconds": 16 * 3600, "available_seconds": 14 * 3600,
            "paused_seconds": 3600, "offline_seconds": 3600, "unknown_seconds": 0, "still_in_seconds": 0,
            "pauses": 1, "available_pct": 93.3, "first_online_local": "2024-03-01T08:00:00",
            "last_online_local": "2024-03-01T23:00:00",
        }),
    );
    check(
        &rows[1],
        json!({
            "day": "2024-03-02", "known_seconds": 12 * 3600, "available_seconds": 11 * 3600,
            "offline_seconds": 3600, "still_in_seconds": 11 * 3600, "pauses": 0,
        }),
    );
    // An interval that began before the period counts with what lies in it.
    let second = [("from", "2024-03-02"), ("to", "2024-03-02")];
    assert_eq!(
        answer(&lake, "agent_availability", &second).await,
        rows[1..]
    );
    let earlier = [("as_of", "2024-03-02 02:00")];
    check(
        &answer(&lake, "agent_availability", &earlier).await[1],
        json!({"available_seconds": 3600, "offline_seconds": 3600}),
    );
}

#[tokio::test]
async fn a_day_has_the_hours_its_clock_has() {
    let lake = lake_with(&[
        LAST_EVENT,
        Rows {
            table: "fact_agent_status",
            columns: "agent_id, started_at, ended_at, is_online, is_available, started_date",
            values: "(1, '2018-11-03T12:00:00Z', '2018-11-06T12:00:00Z', true, true, '2018-11-03'),
                (2, '2019-02-15T12:00:00Z', '2019-02-18T12:00:00Z', true, NULL, '2019-02-15')",
        },
    ])
    .await;
    let hours = |rows: Vec<Value>, column: &str| -> Vec<i64> {
        let seconds = rows.iter().map(|row| row[column].as_i64().unwrap());
        seconds.map(|seconds| seconds / 3600).collect()
    };
    let rows = answer(&lake, "agent_availability", &[("agent", "1")]).await;
    assert_eq!(hours(rows, "available_seconds"), [15, 23, 24, 10]);
    let rows = answer(&lake, "agent_availability", &[("agent", "2")]).await;
    assert_eq!(hours(rows, "unknown_seconds"), [14, 25, 24, 9]);
}

#[tokio::test]
async fn chats_side_by_side_fill_no_second_twice() {
    let lake = lake_with(&[
        LAST_EVENT,
        ANA,
        STATUSES,
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, agent_id, started_at, ended_at, ended_bounded, channel, started_date",
            values: "(1, 1, 1, 11, '2024-03-01T14:30:00Z', '2024-03-01T15:30:00Z', false, 'widget', '2024-03-01'),
                (1, 2, 1, 11, '2024-03-01T14:45:00Z', '2024-03-01T15:00:00Z', true, 'email', '2024-03-01'),
                (1, 3, 1, 11, '2024-03-01T15:00:00Z', '2024-03-01T15:15:00Z', false, 'email', '2024-03-01'),
                (1, 4, 1, 11, '2024-03-02T14:00:00Z', NULL, false, 'email', '2024-03-02'),
                (1, 5, 1, 99, '2024-03-02T14:00:00Z', '2024-03-02T14:01:00Z', false, 'email', '2024-03-02')",
        },
    ])
    .await;
    let rows = answer(&lake, "agent_occupancy", &[]).await;
    assert_eq!(rows.len(), 3);
    // Paused from 15:00 UTC: half an hour of the first chat is not available time.
    check(
        &rows[0],
        json!({
            "day": "2024-03-01", "agent_name": "Ana", "chat_seconds": 5400, "open_seconds": 0, "bounded_seconds": 900,
            "busy_seconds": 3600, "concurrency_avg": 1.5, "most_chats": 2, "available_seconds": 14 * 3600,
            "occupied_seconds": 1800, "idle_seconds": 14 * 3600 - 1800, "busy_not_available_seconds": 1800,
            "occupancy_pct": 3.6, "still_in_seconds": 0,
        }),
    );
    check(
        &rows[1],
        json!({
            "day": "2024-03-02", "agent_id": 11, "chat_seconds": 3600, "open_seconds": 3600,
            "available_seconds": 11 * 3600, "occupied_seconds": 3600, "occupancy_pct": 9.1,
            "still_in_seconds": 11 * 3600,
        }),
    );
    check(
        &rows[2],
        json!({
            "agent_id": 99, "busy_seconds": 60, "concurrency_avg": 1.0, "available_seconds": null,
            "idle_seconds": null, "occupancy_pct": null,
        }),
    );
    check(
        &answer(&lake, "agent_occupancy", &[("channel", "widget")]).await[0],
        json!({"chat_seconds": 3600, "busy_seconds": 3600, "most_chats": 1, "occupied_seconds": 1800}),
    );
}

/// Ana forgets two chats on the first; the lake goes on until the second. The third chat is alive.
#[tokio::test]
async fn a_chat_that_nobody_closed_fills_time_until_its_last_event_only() {
    let lake = lake_with(&[
        LAST_EVENT,
        ANA,
        STATUSES,
        Rows {
            table: "fact_chats",
            columns: "company_id, chat_id, session_no, last_event_at",
            values: "(1, 1, 1, '2024-03-01T12:30:00Z'), (1, 2, 1, '2024-03-01T13:00:00Z'), (1, 3, 1, '2024-03-02T14:30:00Z'),
                (2, 1, 1, '2024-03-02T15:00:00Z')",
        },
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, agent_id, started_at, ended_at, started_date",
            values: "(1, 1, 1, 11, '2024-03-01T12:00:00Z', NULL, '2024-03-01'),
                (1, 2, 1, 11, '2024-03-01T13:00:00Z', NULL, '2024-03-01'),
                (1, 3, 1, 11, '2024-03-02T14:00:00Z', NULL, '2024-03-02')",
        },
    ])
    .await;
    let rows = answer(&lake, "agent_occupancy", &[]).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({
            "day": "2024-03-01", "chat_seconds": 1800, "open_seconds": 1800, "stale_open": 2, "most_chats": 1,
            "occupied_seconds": 1800, "occupancy_pct": 3.6,
        }),
    );
    check(
        &rows[1],
        json!({"day": "2024-03-02", "chat_seconds": 3600, "stale_open": 0, "occupied_seconds": 3600}),
    );
    // Earlier nobody could know, and who allows for more has them until the end.
    let until = [("as_of", "2024-03-02T12:00:00Z")];
    let rows = answer(&lake, "agent_occupancy", &until).await;
    check(&rows[0], json!({"stale_open": 0, "most_chats": 2}));
    let patient = [("stale_hours", "48")];
    let rows = answer(&lake, "agent_occupancy", &patient).await;
    check(
        &rows[1],
        json!({"stale_open": 0, "busy_seconds": 12 * 3600, "most_chats": 3}),
    );
}

#[tokio::test]
async fn chats_per_hour_divide_what_was_taken_in_those_hours() {
    let lake = lake_with(&[
        LAST_EVENT,
        ANA,
        STATUSES,
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, segment_no, agent_id, started_at, started_date",
            values: "(1, 1, 1, 1, 11, '2024-03-01T14:30:00Z', '2024-03-01'), (1, 1, 1, 2, 11, '2024-03-01T15:45:00Z', '2024-03-01'),
                (1, 2, 1, 1, 11, '2024-03-01T15:00:00Z', '2024-03-01'), (1, 3, 1, 1, 11, '2024-03-01T10:00:00Z', '2024-03-01'),
                (1, 4, 1, 1, 99, '2024-03-01T10:00:00Z', '2024-03-01')",
        },
    ])
    .await;
    let rows = answer(&lake, "chats_per_available_hour", &[]).await;
    assert_eq!(rows.len(), 3);
    check(
        &rows[0],
        json!({
            "day": "2024-03-01", "agent_name": "Ana", "chats": 3, "taken_available": 1, "taken_paused": 1,
            "taken_unknown": 1, "available_hours": 14.0, "chats_per_available_hour": 0.07,
        }),
    );
    check(
        &rows[1],
        json!({"agent_id": 99, "chats": 1, "taken_unknown": 1, "available_hours": null, "chats_per_available_hour": null}),
    );
    check(
        &rows[2],
        json!({"day": "2024-03-02", "chats": 0, "available_hours": 11.0, "chats_per_available_hour": 0.0}),
    );
}

/// Charts tell agents apart by it.
#[tokio::test]
async fn two_agents_of_one_name_have_labels_of_their_own() {
    let lake = lake_with(&[
        Rows {
            table: "dim_agents",
            columns: "company_id, agent_id, name",
            values: "(1, 11, 'Ana'), (1, 12, 'Ana'), (1, 13, 'Rui'), (1, 14, NULL), (2, 21, 'Ana'), (2, 22, 'Rui')",
        },
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, segment_no, agent_id, end_reason, handle_seconds",
            values: "(1, 1, 1, 1, 11, 'transferred', 10), (1, 1, 1, 2, 12, 'transferred', 20), (1, 1, 1, 3, 13, 'transferred', 30),
                (1, 1, 1, 4, 14, 'transferred', 40), (1, 1, 1, 5, 15, 'closed', 50), (2, 1, 1, 1, 21, 'closed', 60)",
        },
        Rows {
            table: "fact_chats",
            columns: "company_id, chat_id, session_no",
            values: "(1, 1, 1), (2, 1, 1)",
        },
    ])
    .await;
    let labels = |rows: Vec<Value>, column: &str| -> Vec<String> {
        let labels = rows.iter().map(|row| row[column].as_str().unwrap());
        labels.map(str::to_owned).collect()
    };
    assert_eq!(
        labels(answer(&lake, "handle_times", &[]).await, "agent_label"),
        ["Ana 11", "Ana 12", "Rui", "14", "15", "Ana"]
    );
    assert_eq!(
        labels(answer(&lake, "transfers", &[]).await, "to_label"),
        ["Ana 12", "Rui", "14", "15"]
    );
}

#[tokio::test]
async fn a_chat_taken_at_the_lakes_last_event_is_taken_in_the_status_that_goes_on() {
    let lake = lake_with(&[
        LAST_EVENT,
        STATUSES,
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, segment_no, agent_id, started_at, started_date",
            values: "(1, 1, 1, 1, 11, '2024-03-02T15:00:00Z', '2024-03-02')",
        },
    ])
    .await;
    let rows = answer(&lake, "chats_per_available_hour", &[]).await;
    check(
        &rows[1],
        json!({"chats": 1, "taken_available": 1, "available_hours": 11.0, "still_in_hours": 11.0}),
    );
    check(
        &rows[0],
        json!({"chats": 0, "available_hours": 14.0, "still_in_hours": 0.0}),
    );
}
