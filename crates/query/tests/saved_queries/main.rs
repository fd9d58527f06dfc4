//! The saved queries over facts with every kind of row, each number checked by hand.

mod agents;
mod chats;
mod companies;
mod flows;
#[path = "../support/mod.rs"]
mod support;
mod waits;

use query::{Format, QueryError, SavedQuery, Script, Undeclared};
use serde_json::{Value, json};
use support::{Rows, TestLake};

/// The lake's tables with the columns that the queries use.
const TABLES: [(&str, &str); 12] = [
    (
        "events",
        "company_id BIGINT, chat_id BIGINT, channel TEXT, department_id BIGINT, event_type TEXT, occurred_at TIMESTAMP, occurred_at_source TEXT, delivered_at TIMESTAMP, received_at TIMESTAMP, parse_error TEXT,
        event_date DATE",
    ),
    (
        "fact_chats",
        "company_id BIGINT, chat_id BIGINT, session_no INT, state TEXT, outcome TEXT, direction TEXT, channel TEXT,
        contact_id BIGINT, contact_name TEXT, department_id BIGINT, agent_id BIGINT, tabulation_id BIGINT,
        tabulation_name TEXT, started_at TIMESTAMP, started_at_source TEXT, first_response_at TIMESTAMP,
        closed_at TIMESTAMP, closed_at_source TEXT, last_event_at TIMESTAMP, first_delivered_at TIMESTAMP, started_date DATE, first_wait_seconds BIGINT,
        first_response_seconds BIGINT, handle_seconds BIGINT, duration_seconds BIGINT, queue_episodes INT,
        agent_segments INT, contact_messages INT, agent_messages INT, bot_messages INT",
    ),
    (
        "fact_queue_waits",
        "company_id BIGINT, chat_id BIGINT, session_no INT, episode_no INT, department_id BIGINT, channel TEXT,
        entered_at TIMESTAMP, entered_source TEXT, entered_earliest TIMESTAMP, entered_latest TIMESTAMP,
        left_at TIMESTAMP, left_source TEXT, exit TEXT, wait_seconds BIGINT, wait_business_seconds BIGINT,
        entered_date DATE",
    ),
    (
        "fact_agent_segments",
        "company_id BIGINT, chat_id BIGINT, session_no INT, segment_no INT, agent_id BIGINT, department_id BIGINT,
        channel TEXT, started_at TIMESTAMP, ended_at TIMESTAMP, end_reason TEXT, handle_seconds BIGINT,
        ended_bounded BOOLEAN, started_date DATE",
    ),
    (
        "fact_replies",
        "company_id BIGINT, chat_id BIGINT, session_no INT, turn_no INT, waiting_since TIMESTAMP,
        replied_at TIMESTAMP, agent_id BIGINT, department_id BIGINT, is_first BOOLEAN, reply_seconds BIGINT,
        reply_business_seconds BIGINT, waiting_date DATE",
    ),
    (
        "fact_flow_runs",
        "company_id BIGINT, chat_id BIGINT, run_no INT, session_no INT, flow_id BIGINT, role TEXT,
        started_at TIMESTAMP, finished_at TIMESTAMP, outcome TEXT, duration_seconds BIGINT, answers TEXT,
        started_date DATE",
    ),
    (
        "fact_messages",
        "company_id BIGINT, channel TEXT, department_id BIGINT, sent_at_source TEXT, sent_date DATE",
    ),
    (
        "fact_department_changes",
        "company_id BIGINT, chat_id BIGINT, session_no INT, changed_at TIMESTAMP, from_department_id BIGINT,
        to_department_id BIGINT, was_waiting BOOLEAN, changed_date DATE",
    ),
    (
        "fact_agent_status",
        "company_id BIGINT, agent_id BIGINT, started_at TIMESTAMP, ended_at TIMESTAMP, is_online BOOLEAN,
        is_available BOOLEAN, is_active BOOLEAN, status_id BIGINT, origin TEXT, duration_seconds BIGINT,
        started_date DATE",
    ),
    ("dim_agents", "company_id BIGINT, agent_id BIGINT, name TEXT"),
    ("dim_departments", "company_id BIGINT, department_id BIGINT, name TEXT"),
    ("dim_channels", "company_id BIGINT, channel_id BIGINT, name TEXT"),
];

/// A lake with all tables, and these rows.
async fn lake_with(rows: &[Rows<'_>]) -> TestLake {
    let lake = TestLake::new();
    lake.fill(&TABLES, rows).await;
    lake
}

fn saved(name: &str) -> SavedQuery {
    SavedQuery::all()
        .into_iter()
        .find(|query| query.name == name)
        .unwrap_or_else(|| panic!("there is no saved query {name}"))
}

async fn run(
    lake: &TestLake,
    name: &str,
    values: &[(&str, &str)],
    format: Format,
) -> Result<String, QueryError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let script = Script {
        sql: &saved(name).sql,
        values: &values.iter().map(owned).collect::<Vec<_>>(),
        undeclared: Undeclared::Refused,
    };
    Ok(lake.run(script, format).await?.0)
}

/// The rows that the saved query answers.
async fn answer(lake: &TestLake, name: &str, values: &[(&str, &str)]) -> Vec<Value> {
    let text = run(lake, name, values, Format::Json).await;
    let text = text.unwrap_or_else(|error| panic!("{name} with {values:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Expects the row to hold these values, among others.
fn check(row: &Value, expected: Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name} of {row}");
    }
}

/// Columns that say what a row is about are those of the facts.
fn names_something(column: &str) -> bool {
    ["_id", "_name", "session_no"]
        .iter()
        .any(|end| column.ends_with(end))
}

/// Whether the text above the SQL has the column: as it is named, without its unit, or as one of a family
/// such as `waited_*_seconds`, or by what is averaged or has a share.
fn is_explained(column: &str, sql: &str) -> bool {
    let comments = sql.lines().filter_map(|line| line.strip_prefix("--"));
    let comments =
        comments.filter(|line| !line.trim().starts_with(['$']) && !line.contains("chart:"));
    let text: Vec<&str> = comments.collect();
    let text = text.join(" ");
    let average = ["_median_seconds", "_p90_seconds"]
        .iter()
        .find_map(|end| Some(format!("{}_avg_seconds", column.strip_suffix(end)?)));
    let is_word = |character: char| character.is_alphanumeric() || "_*".contains(character);
    let mut words = text.split(|character| !is_word(character));
    let mut names = vec![column];
    names.extend(column.strip_suffix("_seconds"));
    for end in ["_avg", "_median", "_p90", "_pct"] {
        names.extend(
            names
                .clone()
                .iter()
                .filter_map(|name| name.strip_suffix(end)),
        );
    }
    names.extend(average.as_deref());
    words.any(|word| {
        names.contains(&word)
            || word.split_once('*').is_some_and(|(start, end)| {
                word.len() > 1 && column.starts_with(start) && column.ends_with(end)
            })
    })
}

#[tokio::test]
async fn a_lake_without_rows_gives_headers_and_headers_are_explained() {
    let lake = lake_with(&[]).await;
    for query in SavedQuery::all() {
        let text = run(&lake, &query.name, &[], Format::Csv).await;
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", query.name));
        let rows = text.lines().count() - 1;
        // Each measure of trust has its row, with a count of 0.
        let expected = if query.name == "data_trust" { 11 } else { 0 };
        assert_eq!(rows, expected, "{}: {text}", query.name);
        let columns = text.lines().next().unwrap().split(',');
        for column in columns.filter(|column| !names_something(column)) {
            assert!(is_explained(column, &query.sql), "{}: {column}", query.name);
        }
        // An id is one thing's within its company only.
        let mut columns = text.lines().next().unwrap().split(',');
        if columns.clone().any(|column| column.ends_with("_id")) {
            assert_eq!(columns.next(), Some("company_id"), "{}", query.name);
        }
        // Whoever reads it knows names, not ids.
        let columns: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        for id in ["department", "agent", "tabulation", "from", "to"] {
            let is_shown = columns.contains(&format!("{id}_id").as_str());
            let is_named = columns.contains(&format!("{id}_name").as_str());
            assert!(is_named || !is_shown, "{}: {id}", query.name);
        }
    }
}

#[test]
fn every_query_opens_with_its_question_and_uses_what_it_declares() {
    for query in SavedQuery::all() {
        let name = &query.name;
        assert!(query.question().contains('?'), "{name}");
        let body = query
            .sql
            .lines()
            .filter(|line| !line.starts_with("--"))
            .collect::<Vec<_>>()
            .join("\n");
        let parameters = query.parameters().unwrap();
        for parameter in &parameters {
            assert!(
                body.contains(&format!("${}", parameter.name)),
                "{name} does not use ${}",
                parameter.name
            );
            assert!(!parameter.description.is_empty(), "{name}: {parameter:?}");
            assert!(parameter.default.is_some(), "{name}: {parameter:?}");
        }
        let declares = |name: &str| parameters.iter().any(|parameter| parameter.name == name);
        assert!(declares("company"), "{name}");
        // An agent's status is of no channel and no department.
        let is_of_a_queue = name != "agent_availability";
        for parameter in ["channel", "department"] {
            assert_eq!(declares(parameter), is_of_a_queue, "{name}: ${parameter}");
        }
        assert!(
            declares("from") && declares("to") || declares("as_of"),
            "{name}"
        );
    }
}

#[test]
fn every_file_of_the_folder_is_brought_along() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../queries");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    files.sort();
    let names: Vec<String> = SavedQuery::all()
        .into_iter()
        .map(|query| query.name)
        .collect();
    assert_eq!(names, files);
}
