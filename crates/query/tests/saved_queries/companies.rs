//! Two companies (empresas) with the same ids: agent 11, department 5, chat 1 are somebody else's in each.

use super::*;

async fn lake() -> TestLake {
    lake_with(&[
        Rows {
            table: "events",
            columns: "company_id, delivered_at, event_date",
            values: "(1, '2024-03-01T13:00:00Z', '2024-03-01'), (2, '2024-03-01T20:00:00Z', '2024-03-01'),
                (NULL, '2024-03-01T21:00:00Z', '2024-03-01')",
        },
        Rows {
            table: "dim_agents",
            columns: "company_id, agent_id, name",
            values: "(1, 11, 'Ana'), (2, 11, 'Ana'), (1, 22, 'Rui'), (2, 22, 'Bia')",
        },
        Rows {
            table: "fact_chats",
            columns: "company_id, chat_id, session_no, state, outcome, channel, department_id, tabulation_id, started_at,
                started_date, closed_at, contact_id, duration_seconds, queue_episodes, agent_segments, first_delivered_at,
                last_event_at",
            values: "(1, 1, 1, 'closed', 'handled', 'widget', 5, 9, '2024-03-01T13:00:00Z', '2024-03-01', '2024-03-01T14:00:00Z', 7, 100, 1, 2, '2024-03-01T13:00:00Z', '2024-03-01T14:00:00Z'),
                (2, 1, 1, 'closed', 'handled', 'widget', 5, 9, '2024-03-02T16:00:00Z', '2024-03-02', '2024-03-02T17:00:00Z', 7, 300, 1, 2, '2024-03-02T16:00:00Z', '2024-03-02T17:00:00Z')",
        },
        Rows {
            table: "fact_queue_waits",
            columns: "company_id, chat_id, session_no, episode_no, channel, department_id, entered_at, entered_date, exit, wait_seconds",
            values: "(1, 1, 1, 1, 'widget', 5, '2024-03-01T13:00:00Z', '2024-03-01', 'answered', 10),
                (2, 1, 1, 1, 'widget', 5, '2024-03-01T13:00:00Z', '2024-03-01', 'answered', 30)",
        },
        Rows {
            table: "fact_agent_segments",
            columns: "company_id, chat_id, session_no, segment_no, agent_id, channel, started_at, ended_at, started_date, end_reason, handle_seconds",
            values: "(1, 1, 1, 1, 11, 'widget', '2024-03-01T13:00:00Z', '2024-03-01T13:01:00Z', '2024-03-01', 'transferred', 60),
                (1, 1, 1, 2, 22, 'widget', '2024-03-01T13:01:00Z', '2024-03-01T13:02:00Z', '2024-03-01', 'closed', 60),
                (2, 1, 1, 1, 11, 'widget', '2024-03-01T13:00:00Z', '2024-03-01T13:03:00Z', '2024-03-01', 'transferred', 180),
                (2, 1, 1, 2, 22, 'widget', '2024-03-01T13:03:00Z', '2024-03-01T13:04:00Z', '2024-03-01', 'closed', 60)",
        },
        Rows {
            table: "fact_agent_status",
            columns: "company_id, agent_id, started_at, ended_at, is_online, is_available, started_date",
            values: "(1, 11, '2024-03-01T10:00:00Z', '2024-03-01T20:00:00Z', true, true, '2024-03-01'),
                (2, 11, '2024-03-01T10:00:00Z', '2024-03-01T15:00:00Z', true, true, '2024-03-01')",
        },
    ])
    .await
}

#[tokio::test]
async fn what_is_of_one_company_is_in_its_rows_only() {
    let lake = lake().await;
    // The column, and its value in each company's only or first row.
    for (query, column, of_one, of_two) in [
        (
            "agent_availability",
            "available_seconds",
            json!(36000),
            json!(18000),
        ),
        ("agent_occupancy", "busy_seconds", json!(60), json!(180)),
        (
            "chats_per_available_hour",
            "available_hours",
            json!(10.0),
            json!(5.0),
        ),
        (
            "handle_times",
            "handle_avg_seconds",
            json!(60.0),
            json!(180.0),
        ),
        (
            "wait_times",
            "answered_avg_seconds",
            json!(10.0),
            json!(30.0),
        ),
        ("closing_reasons", "pct", json!(100.0), json!(100.0)),
        ("transfers", "to_name", json!("Rui"), json!("Bia")),
        ("transfers", "pct", json!(100.0), json!(100.0)),
        ("targets_missed", "sessions", json!(1), json!(1)),
    ] {
        let both = answer(&lake, query, &[]).await;
        for (company, expected) in [("1", of_one), ("2", of_two)] {
            let alone = answer(&lake, query, &[("company", company)]).await;
            let id: i64 = company.parse().unwrap();
            let of_company = both.iter().filter(|row| row["company_id"] == id);
            assert_eq!(
                of_company.cloned().collect::<Vec<_>>(),
                alone,
                "{query} of {company}"
            );
            assert_eq!(alone[0][column], expected, "{query}: {column} of {company}");
        }
    }
}

#[tokio::test]
async fn counts_without_ids_are_of_all_companies_or_of_the_one_asked_for() {
    let lake = lake().await;
    for (query, column, of_all, of_two) in [
        ("sessions_by_day", "sessions", 2, 1),
        ("sessions_by_day", "contacts", 2, 1),
        ("contacts_new_and_returning", "new", 2, 1),
        ("service_level", "answered_late", 1, 1),
        ("service_level", "waits", 2, 1),
        ("first_response", "sessions", 2, 1),
        ("sessions_by_hour", "sessions", 2, 1),
    ] {
        let sum = |rows: Vec<Value>| -> i64 {
            rows.iter().map(|row| row[column].as_i64().unwrap()).sum()
        };
        assert_eq!(sum(answer(&lake, query, &[]).await), of_all, "{query}");
        let two = [("company", "2")];
        assert_eq!(sum(answer(&lake, query, &two).await), of_two, "{query}");
    }
    // The hours are those of the company's own days: its only session came on a Saturday.
    let hours = answer(&lake, "sessions_by_hour", &[("company", "2")]).await;
    assert_eq!(hours.len(), 24);
    check(&hours[13], json!({"weekday": 6, "sessions": 1, "days": 1}));
    let trust = answer(&lake, "data_trust", &[("company", "2")]).await;
    check(&trust[1], json!({"measure": "session_close", "rows": 1}));
    check(&trust[7], json!({"measure": "event_content", "rows": 1}));
}
