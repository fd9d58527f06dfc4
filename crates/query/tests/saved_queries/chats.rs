//! Sessions: how many, whose, how they end, how long they take, and who comes back.

use super::*;

#[tokio::test]
async fn only_closed_sessions_have_durations_and_only_handled_ones_are_handled() {
    let lake = lake_with(&[Rows {
        table: "fact_chats",
        columns: "started_date, channel, department_id, closed_at, outcome, duration_seconds, handle_seconds",
        values: "('2024-03-01', 'whatsapp', 7, '2024-03-01T14:00:00Z', 'handled', 100, 60),
            ('2024-03-01', 'whatsapp', 7, '2024-03-01T14:00:00Z', 'contained', 50, 0),
            ('2024-03-01', 'whatsapp', 7, NULL, 'open', NULL, 9),
            ('2024-03-01', 'whatsapp', NULL, '2024-03-01T14:00:00Z', 'handled', NULL, 20)",
    }])
    .await;
    let rows = answer(&lake, "chat_durations", &[]).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({
            "sessions": 3, "closed": 2, "still_open": 1, "handled": 1, "unknown": 0, "duration_known": 2,
            "duration_avg_seconds": 75.0, "duration_p90_seconds": 95.0, "handle_avg_seconds": 60.0,
        }),
    );
    check(
        &rows[1],
        json!({
            "department_id": null, "unknown": 1, "duration_known": 0, "handle_known": 1, "duration_avg_seconds": null,
            "handle_avg_seconds": 20.0, "handle_median_seconds": 20.0,
        }),
    );
}

#[tokio::test]
async fn sessions_are_counted_and_a_contact_once_a_day() {
    let lake = lake_with(&[Rows {
        table: "fact_chats",
        columns: "chat_id, session_no, started_date, channel, outcome, contact_id, contact_messages, agent_messages",
        values: "(1, 1, '2024-03-01', 'widget', 'handled', 5, 3, NULL), (1, 2, '2024-03-01', 'widget', 'open', 5, 0, NULL),
            (2, 1, '2024-03-01', 'widget', 'unanswered', NULL, 4, NULL)",
    }])
    .await;
    check(
        &answer(&lake, "sessions_by_day", &[]).await[0],
        json!({
            "sessions": 3, "open": 1, "handled": 1, "unanswered": 1, "contained": 0, "reopened": 1,
            "contacts": 1, "contact_unknown": 1, "contact_messages": 7, "agent_messages": null,
        }),
    );
}

#[tokio::test]
async fn every_hour_of_the_week_is_divided_by_its_days() {
    // A Friday's 23:30 to the Friday after; hours are local, three behind. Of two sessions a sender's clock or a
    // flow says that they started in another year.
    let lake = lake_with(&[
        Rows {
            table: "events",
            columns: "received_at",
            values: "('2024-03-09T02:50:00Z')",
        },
        Rows {
            table: "fact_chats",
            columns: "started_at, started_date, channel, first_delivered_at, last_event_at",
            values: "('2024-03-02T02:30:00Z', '2024-03-01', 'widget', '2024-03-02T02:30:00Z', '2024-03-02T02:50:00Z'),
                ('2024-03-02T02:40:00Z', '2024-03-01', 'widget', '2024-03-02T02:40:00Z', '2024-03-02T02:50:00Z'),
                ('2024-03-09T02:30:00Z', '2024-03-08', 'widget', '2024-03-09T02:30:00Z', '2024-03-09T02:50:00Z'),
                ('2024-03-06T13:00:00Z', '2024-03-06', 'email', '2024-03-06T13:00:00Z', '2024-03-06T13:00:00Z'),
                ('2022-03-06T13:00:00Z', '2022-03-06', 'email', '2024-03-06T13:00:00Z', '2024-03-06T13:00:00Z'),
                ('2026-03-06T13:00:00Z', '2026-03-06', 'email', '2024-03-06T13:00:00Z', '2026-03-06T13:00:00Z')",
        },
    ])
    .await;
    let rows = answer(&lake, "sessions_by_hour", &[]).await;
    assert_eq!(rows.len(), 168);
    let hour = |weekday: usize, hour: usize| &rows[(weekday - 1) * 24 + hour];
    check(
        hour(5, 23),
        json!({"weekday": 5, "hour": 23, "sessions": 3, "days": 2, "sessions_per_day": 1.5}),
    );
    check(
        hour(3, 10),
        json!({"sessions": 1, "days": 1, "sessions_per_day": 1.0}),
    );
    check(
        hour(6, 2),
        json!({"sessions": 0, "days": 1, "sessions_per_day": 0.0}),
    );
    // The period ends with the lake's last session, not with the year.
    let march = [
        ("from", "2024-03-02"),
        ("to", "2024-12-31"),
        ("channel", "widget"),
    ];
    let rows = answer(&lake, "sessions_by_hour", &march).await;
    check(&rows[4 * 24 + 23], json!({"sessions": 1, "days": 1}));
    check(&rows[2 * 24 + 10], json!({"sessions": 0, "days": 1}));
    let next_year = [("from", "2025-01-01")];
    assert_eq!(answer(&lake, "sessions_by_hour", &next_year).await.len(), 0);
}

#[tokio::test]
async fn a_contact_is_new_on_the_day_of_the_lakes_first_session_only() {
    let lake = lake_with(&[Rows {
        table: "fact_chats",
        columns: "company_id, started_date, channel, contact_id",
        values: "(1, '2024-03-01', 'email', 5), (1, '2024-03-02', 'widget', 5), (1, '2024-03-02', 'widget', 6),
            (1, '2024-03-02', 'widget', 6), (2, '2024-03-02', 'widget', 5), (1, '2024-03-02', 'widget', NULL)",
    }])
    .await;
    // Contact 5 of company 2 is somebody else, and new.
    let rows = answer(
        &lake,
        "contacts_new_and_returning",
        &[("channel", "widget")],
    )
    .await;
    assert_eq!(rows.len(), 1);
    check(
        &rows[0],
        json!({"sessions": 5, "of_new": 3, "of_returning": 1, "contact_unknown": 1, "returning": 1}),
    );
}

#[tokio::test]
async fn direction_and_replies_that_are_not_known_are_in_no_share() {
    let lake = lake_with(&[Rows {
        table: "fact_chats",
        columns: "started_date, direction, outcome, contact_messages",
        values: "('2024-03-01', 'inbound', 'handled', 1), ('2024-03-01', 'inbound', 'open', 1),
            ('2024-03-01', 'outbound', 'handled', 0), ('2024-03-01', 'outbound', 'handled', 2),
            ('2024-03-01', 'outbound', 'handled', NULL), ('2024-03-01', 'unknown', 'handled', NULL)",
    }])
    .await;
    check(
        &answer(&lake, "inbound_and_outbound", &[]).await[0],
        json!({
            "sessions": 6, "inbound": 2, "outbound": 3, "direction_unknown": 1, "inbound_pct": 40.0,
            "inbound_handled": 1, "outbound_replied": 1, "outbound_silent": 1,
            "outbound_reply_unknown": 1, "outbound_replied_pct": 50.0,
        }),
    );
}

#[tokio::test]
async fn first_responses_are_spread_over_stretches_and_every_session_is_somewhere() {
    let lake = lake_with(&[Rows {
        table: "fact_chats",
        columns: "closed_at, direction, queue_episodes, agent_segments, agent_messages, first_response_at, first_response_seconds",
        values: "('2024-03-01T14:00:00Z', 'inbound', 1, 1, 1, '2024-03-01T13:00:00Z', 0),
            ('2024-03-01T14:00:00Z', 'inbound', 1, 1, 1, '2024-03-01T13:00:00Z', 15),
            (NULL, 'inbound', 1, 1, 1, '2024-03-01T13:00:00Z', 16),
            ('2024-03-01T14:00:00Z', 'inbound', 1, 1, 1, '2024-03-01T13:00:00Z', 90000),
            ('2024-03-01T14:00:00Z', 'inbound', 1, 1, 1, '2024-03-01T13:00:00Z', NULL),
            ('2024-03-01T14:00:00Z', 'outbound', 0, 1, 1, '2024-03-01T13:00:00Z', NULL),
            (NULL, 'inbound', 1, 0, 0, NULL, NULL),
            ('2024-03-01T14:00:00Z', 'inbound', 1, 0, 0, NULL, NULL),
            ('2024-03-01T14:00:00Z', 'inbound', 1, 1, 0, NULL, NULL),
            ('2024-03-01T14:00:00Z', 'inbound', 0, 0, 0, NULL, NULL),
            ('2024-03-01T14:00:00Z', 'outbound', 0, 1, 0, NULL, NULL),
            ('2024-03-01T14:00:00Z', 'inbound', 1, NULL, NULL, NULL, NULL),
            ('2024-03-01T14:00:00Z', 'inbound', 0, NULL, NULL, NULL, NULL)",
    }])
    .await;
    let rows = answer(&lake, "first_response", &[]).await;
    let expected = [
        json!({"response": "answered", "over_seconds": 0, "up_to_seconds": 15, "sessions": 2, "pct": 50.0, "cumulative_pct": 50.0}),
        json!({"response": "answered", "over_seconds": 15, "up_to_seconds": 30, "sessions": 1, "pct": 25.0, "cumulative_pct": 75.0}),
        json!({"response": "answered", "over_seconds": 86400, "up_to_seconds": null, "sessions": 1, "pct": 25.0, "cumulative_pct": 100.0}),
        json!({"response": "never", "over_seconds": null, "sessions": 2, "pct": null}),
        json!({"response": "nobody due", "sessions": 2}),
        json!({"response": "not known", "sessions": 2, "pct": null}),
        json!({"response": "not yet", "sessions": 1}),
        json!({"response": "outbound", "sessions": 1}),
        json!({"response": "time unknown", "sessions": 1, "cumulative_pct": null}),
    ];
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(expected) {
        check(row, expected);
    }
}

#[tokio::test]
async fn a_target_is_missed_by_the_late_and_by_those_who_never_got_it() {
    let lake = lake_with(&[
        Rows {
            table: "fact_chats",
            columns: "chat_id, session_no, closed_at, outcome, direction, queue_episodes, agent_segments,
                first_wait_seconds, agent_messages, first_response_at, first_response_seconds, duration_seconds",
            values: "(1, 1, '2024-03-01T14:00:00Z', 'handled', 'inbound', 1, 1, 60, 1, '2024-03-01T13:00:00Z', 121, 86400),
                (2, 1, '2024-03-01T14:00:00Z', 'handled', 'inbound', 1, 1, 61, 1, '2024-03-01T13:00:00Z', 100, 86401),
                (3, 1, '2024-03-01T14:00:00Z', 'handled', 'inbound', 1, 1, NULL, 1, '2024-03-01T13:00:00Z', NULL, 10),
                (4, 1, '2024-03-01T14:00:00Z', 'abandoned', 'inbound', 1, 0, 30, 0, NULL, NULL, 30),
                (5, 1, '2024-03-01T14:00:00Z', 'short_abandoned', 'inbound', 1, 0, 3, 0, NULL, NULL, 3),
                (6, 1, NULL, 'open', 'inbound', 1, 0, NULL, 0, NULL, NULL, NULL),
                (7, 1, '2024-03-01T14:00:00Z', 'handled', 'outbound', 0, 1, NULL, 1, '2024-03-01T13:00:00Z', NULL, 10),
                (8, 1, '2024-03-01T14:00:00Z', 'contained', 'inbound', 0, 0, NULL, 0, NULL, NULL, 10)",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "chat_id, session_no, episode_no, exit",
            values: "(1, 1, 1, 'answered'), (2, 1, 1, 'answered'), (3, 1, 1, 'answered'), (4, 1, 1, 'abandoned'),
                (5, 1, 1, 'short_abandoned'), (6, 1, 1, 'open')",
        },
    ])
    .await;
    let rows = answer(&lake, "targets_missed", &[]).await;
    assert_eq!(rows.len(), 3);
    check(
        &rows[0],
        json!({
            "target": "first_response", "target_seconds": 120, "sessions": 7, "met": 1, "late": 1, "never": 1,
            "excluded": 2, "unknown": 1, "still_open": 1, "missed_pct": 66.7, "worst_seconds": 121,
        }),
    );
    check(
        &rows[1],
        json!({
            "target": "first_wait", "target_seconds": 60, "sessions": 7, "met": 1, "late": 1, "never": 1,
            "excluded": 2, "unknown": 1, "still_open": 1, "missed_pct": 66.7, "worst_seconds": 61,
        }),
    );
    check(
        &rows[2],
        json!({
            "target": "resolution", "target_seconds": 86400, "sessions": 7, "met": 4, "late": 1, "never": 0,
            "excluded": 1, "unknown": 0, "still_open": 1, "missed_pct": 20.0, "worst_seconds": 86401,
        }),
    );
}

#[tokio::test]
async fn the_first_wait_is_judged_by_how_it_ended_whoever_was_in_the_chat() {
    // 1: an agent puts the chat back, the contact gives up. 2: answered by nobody named. 3: put back, still
    // waiting. 4: moved on, then answered. 5: moved on and gave up. 6: put back at once after an answer.
    // 7: closed, and agents are not subscribed.
    let lake = lake_with(&[
        Rows {
            table: "fact_chats",
            columns: "chat_id, session_no, closed_at, outcome, queue_episodes, agent_segments, first_wait_seconds",
            values: "(1, 1, '2024-03-01T14:00:00Z', 'handled', 1, 1, 30),
                (2, 1, '2024-03-01T14:00:00Z', 'unanswered', 1, 0, 20), (3, 1, NULL, 'open', 1, 1, NULL),
                (4, 1, '2024-03-01T14:00:00Z', 'handled', 2, 1, 70),
                (5, 1, '2024-03-01T14:00:00Z', 'abandoned', 2, 0, 50),
                (6, 1, '2024-03-01T14:00:00Z', 'handled', 2, 1, 40),
                (7, 1, '2024-03-01T14:00:00Z', NULL, 1, NULL, NULL)",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "chat_id, session_no, episode_no, exit",
            values: "(1, 1, 1, 'abandoned'), (2, 1, 1, 'answered'), (3, 1, 1, 'open'),
                (4, 1, 1, 'department_changed'), (4, 1, 2, 'answered'),
                (5, 1, 1, 'department_changed'), (5, 1, 2, 'abandoned'),
                (6, 1, 1, 'answered'), (6, 1, 2, 'abandoned'), (7, 1, 1, NULL)",
        },
    ])
    .await;
    let rows = answer(&lake, "targets_missed", &[]).await;
    check(
        &rows[1],
        json!({
            "target": "first_wait", "sessions": 7, "met": 2, "late": 1, "never": 2, "excluded": 0, "unknown": 1,
            "still_open": 1, "missed_pct": 60.0, "worst_seconds": 70,
        }),
    );
}

#[tokio::test]
async fn closed_sessions_whose_outcome_is_not_known_are_closed() {
    let lake = lake_with(&[
        Rows {
            table: "fact_chats",
            columns: "chat_id, session_no, started_date, channel, state, closed_at, closed_at_source, outcome,
                queue_episodes, agent_segments, duration_seconds, handle_seconds",
            values: "(1, 1, '2024-03-01', 'widget', 'closed', '2024-03-01T14:00:00Z', 'closed_at', NULL, 1, 0, 100, 0),
                (2, 1, '2024-03-01', 'widget', 'closed', '2024-03-01T14:00:00Z', 'time', NULL, 1, 0, 200, 0),
                (3, 1, '2024-03-01', 'widget', 'closed', '2024-03-01T14:00:00Z', 'closed_at', 'handled', 1, 1, 60, 50),
                (4, 1, '2024-03-01', 'widget', 'auto', NULL, NULL, 'open', 1, 0, NULL, NULL)",
        },
        Rows {
            table: "fact_flow_runs",
            columns: "chat_id, session_no, run_no, started_date, flow_id, role, outcome, finished_at",
            values: "(1, 1, 1, '2024-03-01', 3, 'entry', NULL, NULL), (2, 1, 1, '2024-03-01', 3, 'entry', 'dropped', NULL),
                (3, 1, 1, '2024-03-01', 3, 'entry', NULL, '2024-03-01T13:00:00Z'), (4, 1, 1, '2024-03-01', 3, 'entry', 'open', NULL)",
        },
    ])
    .await;
    for (query, place, expected) in [
        (
            "chat_durations",
            0,
            json!({
                "sessions": 4, "closed": 3, "still_open": 1, "handled": 1, "outcome_unknown": 2, "unknown": 0,
                "duration_avg_seconds": 120.0, "handle_avg_seconds": 50.0,
            }),
        ),
        (
            "closing_reasons",
            0,
            json!({"closed": 3, "pct": 100.0, "handled": 1, "outcome_unknown": 2}),
        ),
        (
            "data_trust",
            1,
            json!({"measure": "session_close", "rows": 3, "sure": 2, "inferred": 1}),
        ),
        (
            "sessions_by_day",
            0,
            json!({"sessions": 4, "open": 1, "handled": 1, "outcome_unknown": 2, "unanswered": 0}),
        ),
        (
            "flow_completion",
            0,
            json!({"runs": 4, "finished": 1, "dropped": 1, "open": 1, "outcome_unknown": 1, "finished_pct": 50.0}),
        ),
        (
            "flow_outcomes",
            0,
            json!({"entry_runs": 4, "sessions": 4, "ended": 1, "open": 1, "outcome_unknown": 2, "dropped_pct": 100.0}),
        ),
        (
            "targets_missed",
            2,
            json!({"target": "resolution", "sessions": 4, "met": 3, "still_open": 1, "worst_seconds": 200}),
        ),
        (
            "reopens_and_repeats",
            1,
            json!({"outcome": null, "closed": 2}),
        ),
    ] {
        check(&answer(&lake, query, &[]).await[place], expected);
    }
}

#[tokio::test]
async fn an_agents_part_of_a_session_is_one_however_many_segments() {
    let lake = lake_with(&[
        Rows {
            table: "fact_chats",
            columns: "company_id, chat_id, session_no, started_date, channel, tabulation_name",
            values: "(1, 1, 1, '2024-03-01', 'widget', 'Resolvido'), (1, 2, 1, '2024-03-01', 'widget', 'Resolvido'),
                (1, 3, 1, '2024-03-02', 'widget', 'Resolvido')",
        },
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, segment_no, agent_id, handle_seconds, ended_bounded",
            values: "(1, 1, 1, 1, 11, 100, false), (1, 1, 1, 2, 22, 50, false), (1, 1, 1, 3, 11, 200, false),
                (1, 2, 1, 1, 11, 900, true), (1, 3, 1, 1, 11, 1000, false), (1, 3, 1, 2, 11, NULL, false)",
        },
        Rows {
            table: "dim_agents",
            columns: "company_id, agent_id, name",
            values: "(1, 11, 'Ana'), (2, 22, 'of another company')",
        },
    ])
    .await;
    let rows = answer(&lake, "handle_times", &[]).await;
    assert_eq!(rows.len(), 2);
    check(
        &rows[0],
        json!({
            "agent_id": 11, "agent_name": "Ana", "tabulation_name": "Resolvido", "parts": 3, "known": 2,
            "bounded": 1, "still_open": 1, "handle_avg_seconds": 600.0, "handle_total_seconds": 1200,
        }),
    );
    check(
        &rows[1],
        json!({"agent_id": 22, "agent_name": null, "parts": 1, "handle_avg_seconds": 50.0}),
    );
    let first = [("to", "2024-03-01")];
    check(
        &answer(&lake, "handle_times", &first).await[0],
        json!({"parts": 2, "still_open": 0}),
    );
}

#[tokio::test]
async fn closed_sessions_without_a_reason_are_a_reason() {
    let lake = lake_with(&[Rows {
        table: "fact_chats",
        columns: "chat_id, session_no, channel, closed_at, outcome, tabulation_id, tabulation_name, handle_seconds, duration_seconds",
        values: "(1, 1, 'widget', '2024-03-01T14:00:00Z', 'handled', 9, 'Venda', 100, 300),
            (1, 2, 'widget', '2024-03-01T14:00:00Z', 'handled', 9, 'Venda', 200, 500),
            (2, 1, 'widget', '2024-03-01T14:00:00Z', 'contained', NULL, NULL, NULL, 30),
            (3, 1, 'widget', NULL, 'open', NULL, NULL, NULL, NULL),
            (4, 1, 'email', '2024-03-01T14:00:00Z', 'handled', 9, 'Venda', 50, 60)",
    }])
    .await;
    let rows = answer(&lake, "closing_reasons", &[]).await;
    assert_eq!(rows.len(), 3);
    check(
        &rows[0],
        json!({
            "channel": "widget", "tabulation_name": "Venda", "closed": 2, "pct": 66.7, "handled": 2,
            "handle_avg_seconds": 150.0, "duration_median_seconds": 400.0, "reopened": 1,
        }),
    );
    check(
        &rows[1],
        json!({"channel": "email", "tabulation_name": "Venda", "closed": 1, "pct": 100.0}),
    );
    check(
        &rows[2],
        json!({"tabulation_name": null, "closed": 1, "pct": 33.3, "handled": 0, "handle_avg_seconds": null}),
    );
}

#[tokio::test]
async fn coming_back_is_judged_only_when_the_days_are_over() {
    let lake = lake_with(&[
        Rows {
            table: "events",
            columns: "delivered_at",
            values: "('2024-03-31T00:00:00Z')",
        },
        Rows {
            table: "fact_chats",
            columns: "company_id, chat_id, session_no, contact_id, outcome, direction, started_at, closed_at",
            values: "(1, 1, 1, 5, 'handled', 'inbound', '2024-03-01T12:00:00Z', '2024-03-01T13:00:00Z'),
                (1, 1, 2, 5, 'handled', 'inbound', '2024-03-02T12:00:00Z', '2024-03-02T13:00:00Z'),
                (1, 2, 1, 5, 'handled', 'inbound', '2024-03-09T13:00:00Z', '2024-03-09T14:00:00Z'),
                (1, 3, 1, 5, 'handled', 'outbound', '2024-03-10T13:00:00Z', '2024-03-10T14:00:00Z'),
                (2, 4, 1, 5, 'handled', 'inbound', '2024-03-10T13:00:00Z', '2024-03-10T14:00:00Z'),
                (1, 6, 1, NULL, 'handled', 'inbound', '2024-03-10T13:00:00Z', '2024-03-10T14:00:00Z'),
                (1, 7, 1, 9, 'handled', 'inbound', '2024-03-28T13:00:00Z', '2024-03-28T14:00:00Z'),
                (1, 8, 1, 9, 'open', 'inbound', '2024-03-29T13:00:00Z', NULL)",
        },
    ])
    .await;
    // Within 7 days: session 1 of chat 1 was reopened, session 2 repeated in chat 2 exactly 7 days later.
    let rows = answer(&lake, "reopens_and_repeats", &[]).await;
    assert_eq!(rows.len(), 3);
    check(
        &rows[0],
        json!({
            "company_id": 1, "direction": "inbound", "closed": 5, "observed": 4, "too_recent": 1, "reopened": 1,
            "repeated": 1, "came_back": 2, "came_back_pct": 50.0, "resolved_pct": 50.0, "contact_unknown": 1,
        }),
    );
    // What the company began resolves nothing.
    check(
        &rows[1],
        json!({"company_id": 1, "direction": "outbound", "closed": 1, "observed": 1, "came_back": 0}),
    );
    // Contact 5 of company 2 is somebody else.
    check(
        &rows[2],
        json!({"company_id": 2, "closed": 1, "observed": 1, "came_back": 0}),
    );
    let rows = answer(&lake, "reopens_and_repeats", &[("days", "1")]).await;
    check(
        &rows[0],
        json!({"observed": 5, "reopened": 1, "repeated": 1, "came_back": 2}),
    );
}

#[tokio::test]
async fn trust_counts_what_is_inferred_and_what_is_not_known() {
    let lake = lake_with(&[
        Rows {
            table: "events",
            columns: "chat_id, event_type, occurred_at, occurred_at_source, delivered_at, parse_error, event_date",
            values: "(2, NULL, '2024-03-01T13:00:00Z', 'send_at', '2024-03-01T13:00:01Z', NULL, '2024-03-01'),
                (2, NULL, '2024-03-01T13:00:09Z', 'send_at', '2024-03-01T13:00:01Z', NULL, '2024-03-01'),
                (3, 'leftQueue', '2024-03-01T13:00:00Z', 'closed_at', '2024-03-01T15:00:00Z', 'bad id', '2024-03-01'),
                (3, NULL, '2024-03-02T01:00:00Z', 'time', '2024-03-02T01:00:00Z', NULL, '2024-03-02'),
                (3, NULL, NULL, NULL, '2024-03-02T09:00:00Z', NULL, '2024-03-02')",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "company_id, chat_id, episode_no, entered_date, entered_at, entered_source, entered_earliest, entered_latest, left_at,
                left_source, exit",
            values: "(1, 1, 1, '2024-03-01', '2024-03-01T13:00:00Z', 'flow_finished', NULL, NULL, '2024-03-01T13:00:00Z', 'leftQueue', 'answered'),
                (1, 2, 1, '2024-03-01', NULL, 'bounded', '2024-03-01T13:00:00Z', '2024-03-01T13:05:00Z', '2024-03-01T13:05:00Z', 'agentEntered', 'answered'),
                (1, 3, 1, '2024-03-01', '2024-03-01T13:00:00Z', 'situation_seen', NULL, NULL, '2024-03-01T15:00:00Z', 'agentEntered', 'answered'),
                (1, 4, 1, '2024-03-01', '2024-03-01T13:00:00Z', 'situation_seen', NULL, NULL, NULL, 'situation_seen', 'answered'),
                (1, 5, 1, '2024-03-01', '2024-03-01T13:00:00Z', 'situation_seen', NULL, NULL, NULL, NULL, 'open')",
        },
    ])
    .await;
    let rows = answer(
        &lake,
        "data_trust",
        &[("from", "2024-03-01"), ("to", "2024-03-01")],
    )
    .await;
    let measure = |name: &str| rows.iter().find(|row| row["measure"] == name).unwrap();
    check(
        measure("queue_entry"),
        json!({"rows": 5, "sure": 3, "inferred": 1, "unknown": 1, "inferred_pct": 20.0, "worst_seconds": 300}),
    );
    // A leftQueue came with the agentEntered of chat 3, none with that of chat 2.
    check(
        measure("queue_exit"),
        json!({"rows": 4, "sure": 2, "inferred": 1, "unknown": 1}),
    );
    // 01:00 UTC of the second is 22:00 of the first.
    check(
        measure("event_content"),
        json!({"rows": 4, "unknown": 1, "unknown_pct": 25.0}),
    );
    check(
        measure("event_clock"),
        json!({"rows": 3, "inferred": 1, "worst_seconds": 8}),
    );
    check(
        measure("event_delay"),
        json!({"rows": 3, "inferred": 1, "worst_seconds": 7200}),
    );
    // The last of the gaps reaches into the next day, and is of both.
    check(
        measure("delivery_gap"),
        json!({"rows": 3, "inferred": 3, "worst_seconds": 36000}),
    );
    let next = [("from", "2024-03-02"), ("to", "2024-03-02")];
    let next = answer(&lake, "data_trust", &next).await;
    check(
        &next[10],
        json!({"measure": "delivery_gap", "rows": 1, "inferred": 1, "worst_seconds": 28800}),
    );
    check(
        measure("session_close"),
        json!({"rows": 0, "inferred_pct": null}),
    );
}

#[tokio::test]
async fn trust_can_be_that_of_a_channel_or_a_department() {
    let lake = lake_with(&[
        Rows {
            table: "events",
            columns: "channel, department_id, occurred_at, occurred_at_source, delivered_at, event_date",
            values: "('widget', 7, '2024-03-01T13:00:00Z', 'send_at', '2024-03-01T13:00:01Z', '2024-03-01'),
                ('email', 8, '2024-03-01T13:00:09Z', 'send_at', '2024-03-01T13:00:01Z', '2024-03-01'),
                (NULL, NULL, '2024-03-01T15:00:00Z', 'send_at', '2024-03-01T15:00:00Z', '2024-03-01')",
        },
        Rows {
            table: "fact_messages",
            columns: "channel, department_id, sent_at_source",
            values: "('widget', 7, 'time'), ('email', 8, 'send_at')",
        },
        Rows {
            table: "fact_chats",
            columns: "chat_id, session_no, channel, department_id, started_at_source",
            values: "(1, 1, 'widget', 7, 'first_event'), (2, 1, 'email', 8, 'startedChat')",
        },
        Rows {
            table: "fact_flow_runs",
            columns: "chat_id, session_no, finished_at, duration_seconds",
            values: "(1, 1, '2024-03-01T13:00:00Z', NULL), (2, 1, '2024-03-01T13:00:00Z', 5)",
        },
    ])
    .await;
    for values in [("channel", "widget"), ("department", "7")] {
        let rows = answer(&lake, "data_trust", &[values]).await;
        for (measure, expected) in [
            ("session_start", json!({"rows": 1, "inferred": 1})),
            ("message_sent", json!({"rows": 1, "inferred": 1})),
            ("flow_duration", json!({"rows": 1, "unknown": 1})),
            ("event_clock", json!({"rows": 1, "inferred": 0})),
            // Of all channels.
            ("delivery_gap", json!({"rows": 1, "inferred": 1})),
        ] {
            let row = rows.iter().find(|row| row["measure"] == measure).unwrap();
            check(row, expected);
        }
    }
}
