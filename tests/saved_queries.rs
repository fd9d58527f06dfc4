//! The saved queries over simulated chats: what they print, and what must hold whatever they print.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::Desk;

/// A column that counts every row of a table once.
pub struct Total {
    pub query: &'static str,
    pub column: &'static str,
    pub table: &'static str,
    date: &'static str,
    pub condition: &'static str,
}

const fn total(
    query: &'static str,
    column: &'static str,
    table: &'static str,
    date: &'static str,
    condition: &'static str,
) -> Total {
    Total {
        query,
        column,
        table,
        date,
        condition,
    }
}

const CHATS: &str = "fact_chats";
const WAITS: &str = "fact_queue_waits";
const ENDED_OR_OPEN: &str = "coalesce(exit, '') <> 'department_changed'";
const ENDED: &str = "coalesce(exit, '') NOT IN ('department_changed', 'open')";

pub const TOTALS: [Total; 15] = [
    total("sessions_by_day", "sessions", CHATS, "started_date", "true"),
    total(
        "sessions_by_hour",
        "sessions",
        CHATS,
        "started_date",
        "true",
    ),
    total(
        "contacts_new_and_returning",
        "sessions",
        CHATS,
        "started_date",
        "true",
    ),
    total(
        "inbound_and_outbound",
        "sessions",
        CHATS,
        "started_date",
        "true",
    ),
    total("first_response", "sessions", CHATS, "started_date", "true"),
    total("chat_durations", "sessions", CHATS, "started_date", "true"),
    total(
        "closing_reasons",
        "closed",
        CHATS,
        "started_date",
        "closed_at IS NOT NULL",
    ),
    total(
        "reopens_and_repeats",
        "closed",
        CHATS,
        "started_date",
        "closed_at IS NOT NULL",
    ),
    total("wait_times", "waits", WAITS, "entered_date", ENDED_OR_OPEN),
    total(
        "service_level",
        "waits",
        WAITS,
        "entered_date",
        ENDED_OR_OPEN,
    ),
    total("abandonment", "ended", WAITS, "entered_date", ENDED),
    total("waits_outside_hours", "waits", WAITS, "entered_date", ENDED),
    total(
        "requeues",
        "segments",
        "fact_agent_segments",
        "started_date",
        "true",
    ),
    total(
        "flow_outcomes",
        "runs",
        "fact_flow_runs",
        "started_date",
        "true",
    ),
    total(
        "flow_completion",
        "runs",
        "fact_flow_runs",
        "started_date",
        "true",
    ),
];

/// In each row of a query the parts add up to the whole.
pub const PARTS: [(&str, &str, &[&str]); 26] = [
    (
        "agent_availability",
        "known_seconds",
        &[
            "available_seconds",
            "paused_seconds",
            "offline_seconds",
            "unknown_seconds",
        ],
    ),
    (
        "agent_occupancy",
        "available_seconds",
        &["occupied_seconds", "idle_seconds"],
    ),
    (
        "agent_occupancy",
        "busy_seconds",
        &["occupied_seconds", "busy_not_available_seconds"],
    ),
    (
        "chats_per_available_hour",
        "chats",
        &["taken_available", "taken_paused", "taken_unknown"],
    ),
    ("handle_times", "parts", &["known", "still_open"]),
    (
        "reply_times",
        "turns",
        &["replies", "not_replied", "reply_unknown"],
    ),
    (
        "sessions_by_day",
        "sessions",
        &[
            "open",
            "handled",
            "abandoned",
            "short_abandoned",
            "contained",
            "bot_dropped",
            "unanswered",
            "outcome_unknown",
        ],
    ),
    (
        "contacts_new_and_returning",
        "contacts",
        &["new", "returning"],
    ),
    (
        "contacts_new_and_returning",
        "sessions",
        &["of_new", "of_returning", "contact_unknown"],
    ),
    (
        "inbound_and_outbound",
        "sessions",
        &["inbound", "outbound", "direction_unknown"],
    ),
    (
        "wait_times",
        "waits",
        &[
            "answered",
            "abandoned",
            "short_abandoned",
            "exit_unknown",
            "still_open",
        ],
    ),
    (
        "service_level",
        "waits",
        &[
            "answered_in_time",
            "answered_late",
            "answered_unknown",
            "abandoned",
            "short_abandoned",
            "exit_unknown",
            "still_open",
        ],
    ),
    (
        "abandonment",
        "ended",
        &["answered", "abandoned", "short_abandoned", "exit_unknown"],
    ),
    (
        "abandonment",
        "abandoned",
        &[
            "abandoned_within_30_seconds",
            "abandoned_30_to_60_seconds",
            "abandoned_60_to_180_seconds",
            "abandoned_180_to_600_seconds",
            "abandoned_after_600_seconds",
            "abandoned_unknown",
        ],
    ),
    (
        "waits_outside_hours",
        "waits",
        &[
            "inside",
            "partly",
            "outside",
            "no_time",
            "unknown",
            "no_calendar",
        ],
    ),
    (
        "requeues",
        "requeued",
        &[
            "answered_again",
            "abandoned_again",
            "moved_on",
            "waiting_again",
            "wait_unknown",
        ],
    ),
    (
        "flow_completion",
        "runs",
        &[
            "finished",
            "interrupted",
            "dropped",
            "open",
            "outcome_unknown",
        ],
    ),
    (
        "flow_outcomes",
        "runs",
        &["entry_runs", "mid_runs", "exit_runs"],
    ),
    (
        "flow_outcomes",
        "sessions",
        &["ended", "open", "outcome_unknown"],
    ),
    (
        "flow_outcomes",
        "ended",
        &["contained", "handed_off", "interrupted", "dropped"],
    ),
    ("chat_durations", "sessions", &["closed", "still_open"]),
    ("chat_durations", "closed", &["duration_known", "unknown"]),
    (
        "service_level",
        "rated",
        &["answered_in_time", "answered_late", "abandoned"],
    ),
    ("reopens_and_repeats", "closed", &["observed", "too_recent"]),
    (
        "targets_missed",
        "sessions",
        &["met", "late", "never", "excluded", "unknown", "still_open"],
    ),
    ("data_trust", "rows", &["sure", "inferred", "unknown"]),
];

/// Averages, and the rows each must be the plain mean of.
const AVERAGES: [(&str, &str, &str); 4] = [
    (
        "wait_times",
        "answered_avg_seconds",
        "SELECT avg(CASE WHEN exit = 'answered' THEN wait_seconds END) FROM fact_queue_waits
         GROUP BY company_id, entered_date, channel, department_id
         ORDER BY company_id, entered_date, channel, department_id",
    ),
    (
        "chat_durations",
        "handle_avg_seconds",
        "SELECT avg(CASE WHEN outcome = 'handled' THEN handle_seconds END) FROM fact_chats
         GROUP BY company_id, started_date, channel, department_id
         ORDER BY company_id, started_date, channel, department_id",
    ),
    (
        "closing_reasons",
        "handle_avg_seconds",
        "SELECT avg(CASE WHEN outcome = 'handled' THEN handle_seconds END) FROM fact_chats
         WHERE closed_at IS NOT NULL GROUP BY company_id, channel, department_id, tabulation_id
         ORDER BY company_id, sum(count(*)) OVER (PARTITION BY company_id, tabulation_id) DESC, tabulation_id,
             count(*) DESC, channel, department_id",
    ),
    (
        "flow_completion",
        "duration_avg_seconds",
        "SELECT avg(duration_seconds) FROM fact_flow_runs
         GROUP BY company_id, flow_id, role ORDER BY company_id, flow_id, role",
    ),
];

fn lake() -> Desk {
    lake_of("11")
}

/// In which chats wait, and agents have forgotten some, when it ends.
fn lake_with_open_chats() -> Desk {
    lake_of("1")
}

fn lake_of(seed: &str) -> Desk {
    let desk = Desk::new();
    let hours = "[business_hours]\nfri = [\"08:00-18:00\"]\nsat = [\"08:00-12:00\"]\n";
    desk.write("huggy-etl.toml", hours);
    let traffic = [
        "--chats",
        "90",
        "--days",
        "2",
        "--seed",
        seed,
        "--first-day",
        "2024-03-01",
    ];
    desk.generate("traffic.ndjson", &traffic);
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    desk
}

/// The names of the saved queries that the lake has the tables for.
fn names(desk: &Desk) -> Vec<String> {
    let listed = desk.ok(&["queries"]);
    let names = listed
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

pub fn answer(desk: &Desk, query: &str, parameters: &[String]) -> Vec<Value> {
    let mut args = vec!["query", query, "--format", "ndjson"];
    for parameter in parameters {
        args.extend(["--param", parameter]);
    }
    let lines = desk.ok(&args);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

pub fn sum(rows: &[Value], column: &str) -> i64 {
    let numbers = rows.iter().map(|row| {
        row[column]
            .as_i64()
            .unwrap_or_else(|| panic!("{column} of {row}"))
    });
    numbers.sum()
}

/// In each of the query's rows its parts must add up to the whole.
pub fn check_parts(query: &str, rows: &[Value]) {
    for (_, whole, parts) in PARTS.iter().filter(|(name, ..)| *name == query) {
        for row in rows {
            // What is not known as a whole, such as the time of an agent without a status, has no parts.
            if row[whole].is_null() || parts.iter().any(|part| row[part].is_null()) {
                continue;
            }
            let row = std::slice::from_ref(row);
            let together: i64 = parts.iter().map(|part| sum(row, part)).sum();
            assert_eq!(sum(row, whole), together, "{query}: {whole} of {row:?}");
        }
    }
}

#[test]
fn the_saved_queries_print_what_they_printed() {
    let desk = lake();
    let names = names(&desk);
    assert_eq!(names.len(), 25, "{names:?}");
    for name in names {
        let csv = desk.ok(&["query", &name, "--format", "csv"]);
        insta::assert_snapshot!(name, csv);
    }
}

/// What the last events of a short time do not show.
#[test]
fn the_saved_queries_print_what_they_printed_of_a_busy_instant() {
    let desk = lake();
    let busiest = "SELECT CAST(wait.entered_at AS TEXT) FROM fact_queue_waits AS wait
        JOIN fact_queue_waits AS other ON other.entered_at <= wait.entered_at AND other.left_at > wait.entered_at
        GROUP BY wait.entered_at ORDER BY count(*) DESC, wait.entered_at LIMIT 1";
    let busiest = desk.rows(busiest);
    let as_of = format!("as_of={}", busiest[0][0].as_str().expect("an instant"));
    for (name, parameter) in [
        ("queue_length", as_of.as_str()),
        ("unanswered_now", &as_of),
        ("reopens_and_repeats", "days=1"),
    ] {
        let csv = desk.ok(&["query", name, parameter, "--format", "csv"]);
        assert!(csv.lines().count() > 1, "{name} has no row");
        insta::assert_snapshot!(format!("{name}_of_a_busy_instant"), csv);
    }
    let observed = sum(
        &answer(&desk, "reopens_and_repeats", &["days=1".to_owned()]),
        "observed",
    );
    assert!(observed > 0);
}

#[test]
fn all_days_are_one_row_where_that_is_asked_for() {
    let desk = lake();
    let names = names(&desk).into_iter();
    let by_period: Vec<String> = names
        .filter(|name| {
            desk.ok(&["queries", name])
                .contains("-- $by_day BOOLEAN = true ")
        })
        .collect();
    assert_eq!(
        by_period,
        [
            "abandonment",
            "chat_durations",
            "flow_outcomes",
            "inbound_and_outbound",
            "requeues",
            "wait_times",
            "waits_outside_hours",
        ]
    );
    for query in &by_period {
        let days = answer(&desk, query, &[]);
        let whole = answer(&desk, query, &["by_day=false".to_owned()]);
        assert!(whole.len() < days.len(), "{query}");
        assert!(whole.iter().all(|row| row["day"].is_null()), "{query}");
        check_parts(query, &whole);
        let totals = TOTALS.iter().filter(|total| total.query == *query);
        for total in totals {
            assert_eq!(
                sum(&whole, total.column),
                sum(&days, total.column),
                "{query}"
            );
        }
    }
    // Of all days anew, not of the days' medians.
    let channel = "company_id, channel, department_id";
    let medians = desk.rows(&format!(
        "SELECT median(duration_seconds) FROM fact_chats WHERE closed_at IS NOT NULL GROUP BY {channel} ORDER BY {channel}"
    ));
    let whole = answer(&desk, "chat_durations", &["by_day=false".to_owned()]);
    let found: Vec<f64> = whole
        .iter()
        .filter_map(|row| row["duration_median_seconds"].as_f64())
        .collect();
    let medians: Vec<f64> = medians
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row[0].as_f64())
        .collect();
    assert_eq!(found, medians);
}

#[test]
fn shares_lie_between_0_and_100_and_parts_add_up() {
    let desk = lake();
    for name in names(&desk) {
        let rows = answer(&desk, &name, &[]);
        check_parts(&name, &rows);
        for row in rows {
            for (column, value) in row.as_object().expect("an object") {
                if column.ends_with("pct") && !value.is_null() {
                    let share = value.as_f64().expect("a share");
                    assert!((0.0..=100.0).contains(&share), "{name}: {column} of {row}");
                }
            }
        }
    }
}

#[test]
fn totals_are_the_rows_of_the_facts_whatever_the_parameters() {
    let desk = lake();
    let department = desk.number("SELECT max(department_id) FROM fact_chats");
    for total in TOTALS {
        let Total {
            query,
            column,
            table,
            date,
            condition,
        } = total;
        // A run's channel and department are those of its session.
        let source = if table == "fact_flow_runs" {
            "(SELECT run.*, channel, department_id FROM fact_flow_runs AS run
              LEFT JOIN fact_chats AS chat USING (company_id, chat_id, session_no))"
        } else {
            table
        };
        for (parameters, restriction) in [
            (vec![], "true".to_owned()),
            (
                vec!["from=2024-03-02".to_owned()],
                format!("{date} >= '2024-03-02'"),
            ),
            (
                vec!["from=2024-03-01".to_owned(), "to=2024-03-01".to_owned()],
                format!("{date} = '2024-03-01'"),
            ),
            (
                vec!["channel=widget".to_owned()],
                "channel = 'widget'".to_owned(),
            ),
            (
                vec![format!("department={department}")],
                format!("department_id = {department}"),
            ),
        ] {
            let sql = format!("SELECT count(*) FROM {source} WHERE {condition} AND {restriction}");
            let expected = desk.number(&sql);
            assert!(expected > 0, "{sql} says nothing");
            let found = sum(&answer(&desk, query, &parameters), column);
            assert_eq!(found, expected, "{query} with {parameters:?}");
        }
    }
}

#[test]
fn the_time_of_agents_is_that_of_their_chats_and_statuses() {
    let desk = lake_with_open_chats();
    let occupancy = answer(&desk, "agent_occupancy", &[]);
    let availability = answer(&desk, "agent_availability", &[]);
    // A chat without an end lasts until the lake's last event, or its own if that is a day before. Clocks of two
    // machines may put an end before its start.
    let chats = "FROM fact_agent_segments AS segment JOIN fact_chats AS chat USING (company_id, chat_id, session_no)
        CROSS JOIN (SELECT max(delivered_at) AS at FROM events)";
    let stale = "ended_at IS NULL AND last_event_at < at - INTERVAL '24 hours'";
    let seconds = desk.number(&format!(
        "SELECT CAST(sum(greatest(0, date_part('epoch',
            CASE WHEN {stale} THEN last_event_at ELSE coalesce(ended_at, at) END - segment.started_at))) AS BIGINT) {chats}"
    ));
    assert_eq!(sum(&occupancy, "chat_seconds"), seconds);
    let stale = desk.number(&format!("SELECT count(*) {chats} WHERE {stale}"));
    assert!(stale > 0, "nobody forgets a chat");
    assert_eq!(sum(&occupancy, "stale_open"), stale);
    let statuses = desk.number(
        "SELECT CAST(sum(date_part('epoch', coalesce(ended_at, at) - started_at)) AS BIGINT)
         FROM fact_agent_status CROSS JOIN (SELECT max(delivered_at) AS at FROM events)",
    );
    assert_eq!(sum(&availability, "known_seconds"), statuses);
    let known = occupancy
        .iter()
        .filter(|row| !row["available_seconds"].is_null());
    let known: Vec<Value> = known.cloned().collect();
    let available = sum(&availability, "available_seconds");
    assert_eq!(sum(&known, "available_seconds"), available);
    let taken = sum(&answer(&desk, "chats_per_available_hour", &[]), "chats");
    let sql = "SELECT count(DISTINCT struct(agent_id, started_date, company_id, chat_id, session_no)) FROM fact_agent_segments";
    assert_eq!(taken, desk.number(sql));
    let transfers = answer(&desk, "transfers", &[]);
    let sql = "SELECT (SELECT sum(transfers) FROM fact_chats) + (SELECT count(*) FROM fact_department_changes)";
    assert_eq!(sum(&transfers, "transfers"), desk.number(sql));
    let turns = sum(&answer(&desk, "reply_times", &[]), "turns");
    assert_eq!(turns, desk.number("SELECT count(*) FROM fact_replies"));
    let parts = sum(&answer(&desk, "handle_times", &[]), "parts");
    let sql = "SELECT count(DISTINCT struct(agent_id, company_id, chat_id, session_no)) FROM fact_agent_segments";
    assert_eq!(parts, desk.number(sql));
}

/// Else all that has no end would seem to last until then.
#[test]
fn the_last_event_is_no_later_than_it_was_received_whatever_the_senders_clock() {
    let desk = lake_with_open_chats();
    let seconds = || {
        let of = |query, column| sum(&answer(&desk, query, &[]), column);
        [
            of("agent_availability", "known_seconds"),
            of("agent_occupancy", "chat_seconds"),
        ]
    };
    let before = seconds();
    let received_at = &desk.rows("SELECT max(received_at) FROM events")[0][0];
    let ahead = "2099-01-01T00:00:00Z".parse::<DateTime<Utc>>();
    let time = ahead.expect("an instant").timestamp();
    let body = json!({ "time": time, "messages": { "somethingNew": [{}] } });
    let line = json!({ "received_at": received_at, "body": body }).to_string();
    desk.write("ahead.ndjson", &line);
    desk.ok(&["import", "ahead.ndjson"]);
    desk.ok(&["transform"]);
    let is_ahead = "SELECT count(*) FROM events WHERE delivered_at = '2099-01-01T00:00:00Z'";
    assert_eq!(desk.number(is_ahead), 1);
    for (before, after) in before.into_iter().zip(seconds()) {
        // Deliveries take less than a second, and this lake has eight agents.
        assert!((before..before + 100).contains(&after), "{before} {after}");
    }
    for query in ["queue_length", "unanswered_now"] {
        let rows = answer(&desk, query, &[]);
        let rows = serde_json::to_string(&rows).expect("rows");
        assert!(rows.contains("2024-03-0"), "{query}: {rows}");
        assert!(!rows.contains("2099"), "{query}: {rows}");
    }
}

#[test]
fn averages_are_means_of_single_rows() {
    let desk = lake();
    for (name, column, sql) in AVERAGES {
        let means = desk.rows(sql);
        let means = means.as_array().expect("rows");
        let rows = answer(&desk, name, &[]);
        assert_eq!(rows.len(), means.len(), "{name}");
        for (row, mean) in rows.iter().zip(means) {
            match (row[column].as_f64(), mean[0].as_f64()) {
                (None, None) => {}
                (Some(found), Some(mean)) => {
                    assert!(
                        (found - mean).abs() <= 0.05 + 1e-9,
                        "{name}: {mean} of {row}"
                    );
                }
                _ => panic!("{name}: {mean} of {row}"),
            }
        }
    }
}

#[test]
fn a_period_without_rows_gives_the_header() {
    let desk = lake();
    for name in names(&desk) {
        let text = desk.ok(&["queries", &name]);
        if !text.contains("-- $from ") || name == "data_trust" {
            continue;
        }
        let full = desk.ok(&["query", &name, "--format", "csv"]);
        let period = ["--param", "from=2031-01-01", "--param", "to=2031-01-31"];
        let empty = desk.ok(&[&["query", name.as_str(), "--format", "csv"], &period[..]].concat());
        assert_eq!(empty.lines().count(), 1, "{name}: {empty}");
        assert_eq!(empty.lines().next(), full.lines().next(), "{name}");
    }
}

#[test]
fn a_query_that_cannot_be_run_is_listed_as_such_beside_all_others() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("queries/folder.sql")).expect("a folder");
    desk.write("queries/bytes.sql", b"-- Which?\nSELECT '\xff\xfe'\n");
    desk.write("queries/words.sql", "-- Who?\nSELEC 1\n");
    desk.write(
        "queries/kind.sql",
        "-- Since?\n-- $n NUMBER = 1\nSELECT $n\n",
    );
    desk.write("queries/good.sql", "-- Good?\nSELECT 1 AS one\n");
    let listed = desk.ok(&["queries"]);
    for (name, told) in [
        ("folder", "cannot be run: Is a directory"),
        ("bytes", "cannot be run: stream did not contain valid UTF-8"),
        ("words", "cannot be run: syntax error"),
        ("kind", "cannot be run: "),
        ("good", "Good?"),
        ("wait_times", "How long"),
    ] {
        let mut lines = listed
            .lines()
            .skip_while(|line| !line.starts_with(&format!("{name} ")));
        let lines = [lines.next(), lines.next()].into_iter().flatten();
        let lines = lines.collect::<Vec<_>>().join("\n");
        assert!(lines.contains(told), "{name}: {listed}");
    }
    for (name, code, told) in [
        ("folder", 2, "reading queries/folder.sql: Is a directory"),
        (
            "bytes",
            2,
            "reading queries/bytes.sql: stream did not contain valid UTF-8",
        ),
        ("words", 1, "syntax error"),
    ] {
        let printed = desk.run(&["query", name]);
        assert_eq!(printed.code, Some(code), "{name}: {}", printed.stderr);
        assert!(printed.stderr.contains(told), "{name}: {}", printed.stderr);
    }
    assert_eq!(desk.ok(&["query", "good", "--format", "csv"]), "one\n1\n");
}

#[test]
fn a_query_is_found_by_name_in_the_folder_first_then_in_the_binary_then_as_a_file() {
    let desk = lake();
    let own = "-- What is one?\n-- $n INT = 1  which\nSELECT $n AS n;\n";
    std::fs::create_dir(desk.path("queries")).expect("a folder");
    desk.write("queries/one.sql", own);
    desk.write("queries/wait_times.sql", own);
    desk.write("elsewhere.sql", own);
    for query in ["one", "wait_times", "elsewhere.sql", "queries/one.sql"] {
        assert_eq!(
            desk.ok(&["query", query, "--format", "csv"]),
            "n\n1\n",
            "{query}"
        );
    }
    let two = desk.ok(&["query", "one", "--param", "n=2", "--format", "csv"]);
    assert_eq!(desk.ok(&["query", "one", "n=2", "--format", "csv"]), two);
    assert_eq!(two, "n\n2\n");
    assert_eq!(desk.ok(&["queries", "one"]), own);
    let listed = desk.ok(&["queries"]);
    assert!(listed.contains("What is one?\n"), "{listed}");
    assert!(listed.contains("n INT = 1\n"), "{listed}");
    assert!(listed.contains("abandonment "), "{listed}");
    for (args, code, expected) in [
        (
            &["query", "on"][..],
            2,
            "no saved query on; did you mean one?",
        ),
        (&["queries", "abandonmen"], 2, "did you mean abandonment?"),
        (&["query", "nowhere.sql"], 2, "reading nowhere.sql"),
        (&["query", "one", "--param", "n"], 2, "NAME=VALUE"),
        (&["query", "one", "2"], 2, "NAME=VALUE"),
        (&["query", "one", "m=2"], 2, "no parameter $m"),
        (
            &["query", "one", "--param", "m=1"],
            2,
            "no parameter $m; the query takes $n",
        ),
        (
            &["query", "one", "--param", "n=one"],
            2,
            "parameter $n (which): \"one\" is no INT",
        ),
        (
            &["query", "-c", "SELECT $x"],
            2,
            "parameter $x has no value",
        ),
    ] {
        let printed = desk.run(args);
        assert_eq!(printed.code, Some(code), "{args:?}: {}", printed.stderr);
        assert!(
            printed.stderr.contains(expected),
            "{args:?}: {}",
            printed.stderr
        );
        assert_eq!(printed.stdout, "");
    }
    desk.write("undeclared.sql", "-- What?\nSELECT $x");
    let printed = desk.run(&["query", "undeclared.sql"]);
    assert_eq!(printed.code, Some(1), "{}", printed.stderr);
}
