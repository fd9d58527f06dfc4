//! Flows: what they contained, handed off and lost.

use super::*;

fn chats() -> Rows<'static> {
    Rows {
        table: "fact_chats",
        columns: "company_id, chat_id, session_no, channel, department_id",
        values: "(1, 1, 1, 'whatsapp', 7), (1, 2, 1, 'whatsapp', 7), (1, 3, 1, 'widget', NULL)",
    }
}

#[tokio::test]
async fn shares_are_of_sessions_by_their_last_entry_run() {
    let lake = lake_with(&[
        chats(),
        Rows {
            table: "fact_flow_runs",
            columns: "company_id, chat_id, session_no, run_no, started_date, role, outcome, finished_at, duration_seconds",
            values: "(1, 1, 1, 1, '2024-03-01', 'entry', 'handed_off', '2024-03-01T13:00:00Z', 40),
                (1, 1, 1, 2, '2024-03-01', 'exit', 'completed', '2024-03-01T13:00:00Z', 400),
                (1, 2, 1, 1, '2024-03-01', 'entry', 'contained', '2024-03-01T13:00:00Z', 20),
                (1, 2, 1, 2, '2024-03-01', 'entry', 'open', NULL, NULL),
                (1, 3, 1, 1, '2024-03-01', 'entry', 'contained', '2024-03-01T13:00:00Z', NULL),
                (1, 3, 1, 2, '2024-03-02', 'entry', 'dropped', NULL, NULL)",
        },
    ])
    .await;
    let rows = answer(&lake, "flow_outcomes", &[]).await;
    assert_eq!(rows.len(), 3);
    check(
        &rows[0],
        json!({
            "channel": "whatsapp", "runs": 4, "entry_runs": 3, "exit_runs": 1, "completed": 1, "sessions": 2,
            "ended": 1, "open": 1, "contained_pct": 0.0, "handed_off_pct": 100.0,
            "entry_avg_seconds": 30.0, "entry_median_seconds": 30.0, "entry_p90_seconds": 38.0,
        }),
    );
    // The menu went on to a flow that was left on the next day: there the session counts, as dropped.
    check(
        &rows[1],
        json!({"channel": "widget", "day": "2024-03-01", "entry_runs": 1, "sessions": 0, "contained_pct": null}),
    );
    let dropped =
        json!({"channel": "widget", "day": "2024-03-02", "sessions": 1, "dropped_pct": 100.0});
    check(&rows[2], dropped);
    // The period's end makes no run the last.
    let first = [("to", "2024-03-01"), ("channel", "widget")];
    let rows = answer(&lake, "flow_outcomes", &first).await;
    check(&rows[0], json!({"runs": 1, "sessions": 0, "contained": 0}));
}

#[tokio::test]
async fn a_flow_is_completed_by_the_runs_that_went_to_its_end() {
    let lake = lake_with(&[
        chats(),
        Rows {
            table: "fact_flow_runs",
            columns: "company_id, chat_id, session_no, flow_id, role, outcome, finished_at, duration_seconds, answers",
            values: r#"(1, 1, 1, 3, 'entry', 'handed_off', '2024-03-01T13:00:00Z', 40, '{"nome":"Ana, \"x\":null","nota":null}'),
                (1, 1, 1, 3, 'entry', 'contained', '2024-03-01T13:00:00Z', NULL, '{"nota":null,"texto":""}'),
                (1, 2, 1, 3, 'entry', 'open', '2024-03-01T13:00:00Z', 20, '{}'),
                (1, 2, 1, 3, 'entry', 'open', NULL, NULL, NULL),
                (1, 3, 1, 3, 'entry', 'dropped', NULL, NULL, NULL),
                (1, 3, 1, 3, 'entry', 'interrupted', NULL, NULL, NULL)"#,
        },
    ])
    .await;
    check(
        &answer(&lake, "flow_completion", &[]).await[0],
        json!({
            "flow_id": 3, "role": "entry", "runs": 6, "finished": 3, "interrupted": 1, "dropped": 1, "open": 1,
            "finished_pct": 60.0, "sessions": 3, "answered": 1, "duration_avg_seconds": 30.0,
            "duration_unknown": 1,
        }),
    );
    let widget = [("channel", "widget")];
    check(
        &answer(&lake, "flow_completion", &widget).await[0],
        json!({"runs": 2, "finished": 0, "finished_pct": 0.0}),
    );
}
