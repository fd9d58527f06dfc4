//! What the headers of the saved queries promise, over lakes that make it hard to keep: two companies with
//! the same ids, and events that are not subscribed.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::saved_queries::{PARTS, TOTALS, answer, check_parts, sum};
use crate::support::{Desk, repository};

/// The company (empresa) of what is generated, and the other.
const ONE: &str = "15691";
const TWO: &str = "15692";

/// A day of chats of the company. Chats, agents and departments have the ids of the other company's, too.
fn traffic(desk: &Desk, seed: &str, company: &str) -> String {
    let day = ["--days", "1", "--first-day", "2024-03-01"];
    let lines = desk.ok(&[&["generate", "--chats", "60", "--seed", seed], &day[..]].concat());
    assert!(lines.contains(&format!("\"company\":{{\"id\":\"{ONE}\"}}")));
    lines.replace(ONE, company)
}

/// The deliveries without the events that `is_subscribed` refuses.
fn subscribed(lines: &str, is_subscribed: impl Fn(&str) -> bool) -> String {
    let mut left = Vec::new();
    for line in lines.lines() {
        let mut delivery: Value = serde_json::from_str(line).expect("a delivery");
        let messages = delivery["body"]["messages"].as_object_mut();
        let messages = messages.expect("the events of a delivery");
        messages.retain(|event, _| is_subscribed(event));
        if !messages.is_empty() {
            left.push(delivery.to_string());
        }
    }
    left.join("\n")
}

/// A lake of both companies, or of the deliveries given.
fn lake(deliveries: impl FnOnce(&Desk) -> String) -> Desk {
    let desk = Desk::new();
    desk.write("deliveries.ndjson", deliveries(&desk));
    desk.ok(&["import", "deliveries.ndjson"]);
    desk.ok(&["transform"]);
    desk
}

fn both(desk: &Desk) -> String {
    traffic(desk, "11", ONE) + &traffic(desk, "12", TWO)
}

/// Where only these events are subscribed.
fn lake_of(is_subscribed: impl Fn(&str) -> bool) -> Desk {
    lake(|desk| {
        let lines = both(desk);
        let mut names = BTreeSet::new();
        for line in lines.lines() {
            let delivery: Value = serde_json::from_str(line).expect("a delivery");
            let messages = delivery["body"]["messages"].as_object();
            names.extend(messages.expect("events").keys().cloned());
        }
        // The traffic holds an event that is not documented, which settings cannot name.
        names.retain(|name| is_subscribed(name) && name != "updatedLeadByAgent");
        let names = Vec::from_iter(names);
        desk.write("huggy-etl.toml", format!("subscribed_events = {names:?}\n"));
        subscribed(&lines, is_subscribed)
    })
}

fn saved_queries() -> Vec<(String, String)> {
    let files = fs::read_dir(repository().join("queries")).expect("the folder of queries");
    let mut queries: Vec<(String, String)> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read_to_string(&path).expect("SQL"))
        })
        .collect();
    queries.sort();
    queries
}

/// `whole = part + part` as the header says it.
fn stated(sql: &str) -> Vec<(String, BTreeSet<String>)> {
    let words: Vec<&str> = sql
        .lines()
        .map_while(|line| line.strip_prefix("--"))
        .flat_map(str::split_whitespace)
        .collect();
    let name = |place: usize| words[place].trim_end_matches([',', '.', ':']).to_owned();
    let mut identities = Vec::new();
    for place in (1..words.len()).filter(|place| words[*place] == "=") {
        let mut parts = BTreeSet::from([name(place + 1)]);
        let mut next = place + 2;
        while words.get(next) == Some(&"+") {
            parts.insert(name(next + 1));
            next += 2;
        }
        if parts.len() > 1 {
            identities.push((name(place - 1), parts));
        }
    }
    identities
}

#[test]
fn every_sum_that_a_header_states_is_checked() {
    // Headers leave out the unit of columns.
    let named = |column: &str| column.trim_end_matches("_seconds").to_owned();
    let mut found = 0;
    for (name, sql) in saved_queries() {
        for (whole, parts) in stated(&sql) {
            let is_checked = PARTS.iter().any(|(query, sum, columns)| {
                let columns: BTreeSet<String> = columns.iter().map(|part| named(part)).collect();
                *query == name && named(sum) == whole && columns == parts
            });
            assert!(is_checked, "{name}: {whole} = {parts:?}");
            found += 1;
        }
    }
    assert!(found >= 16, "only {found} sums are stated");
}

/// A chart weighs an average by the rows that it is of: by none where it is not known.
fn check_weights(name: &str, sql: &str, rows: &[Value]) {
    let chart = sql.lines().find(|line| line.starts_with("-- chart:"));
    for mean in chart.expect("a chart").split("mean(").skip(1) {
        let (terms, _) = mean.split_once(')').expect("the end of a mean");
        let (average, weight) = terms.split_once(',').expect("a weight");
        for row in rows {
            assert!(row.get(average).is_some(), "{name} has no {average}");
            let weight = row[weight].as_f64().unwrap_or_default();
            let is_of_none = row[average].is_null();
            assert!(!is_of_none || weight == 0.0, "{name}: {average} of {row}");
        }
    }
}

#[test]
fn sums_hold_of_each_company_and_whatever_is_subscribed() {
    let few = [
        "startedChat",
        "receivedMessage",
        "closedChat",
        "startedAutomationFlow",
        "finishedAutomationFlow",
    ];
    let all = lake_of(|_| true);
    let without_entries = lake(|desk| departed(&both(desk)));
    let without_finishes = lake_of(|event| event != "finishedAutomationFlow");
    let without_agents = lake_of(|event| few.contains(&event));
    for (desk, what) in [
        (&all, "all events"),
        (&without_finishes, "no finished flows"),
        (&without_agents, "no agents"),
        (&without_entries, "waits without an entry"),
    ] {
        let counts: Vec<String> = TOTALS
            .iter()
            .map(|total| {
                format!(
                    "(SELECT count(*) FROM {} WHERE {}) AS {}",
                    total.table, total.condition, total.query
                )
            })
            .collect();
        let counts = desk.rows(&format!("SELECT {}", counts.join(", ")));
        for (name, sql) in saved_queries() {
            let rows = answer(desk, &name, &[]);
            check_parts(&name, &rows);
            check_weights(&name, &sql, &rows);
            for (place, total) in TOTALS.iter().enumerate() {
                if total.query == name {
                    assert_eq!(
                        sum(&rows, total.column),
                        counts[0][place].as_i64().expect("a count"),
                        "{name} with {what}"
                    );
                }
            }
        }
    }
    // What the parts above are there for does happen.
    for (desk, query, column) in [
        (&without_finishes, "sessions_by_day", "outcome_unknown"),
        (&without_finishes, "chat_durations", "outcome_unknown"),
        (&without_finishes, "flow_completion", "outcome_unknown"),
        (&without_agents, "sessions_by_day", "outcome_unknown"),
    ] {
        assert!(sum(&answer(desk, query, &[]), column) > 0, "{query}");
    }
    let unknown = sum(&answer(&without_entries, "wait_times", &[]), "unknown");
    assert!(unknown > 0, "every wait is known");
    let responses = answer(&without_agents, "first_response", &[]);
    assert!(responses.iter().any(|row| row["response"] == "not known"));
    for (query, places) in [
        (
            "closing_reasons",
            &["company_id", "channel", "department_id"][..],
        ),
        ("transfers", &["company_id", "between"]),
    ] {
        let rows = answer(&all, query, &[]);
        let place = |row: &Value| -> Vec<String> {
            places
                .iter()
                .map(|column| row[column].to_string())
                .collect()
        };
        for one in &rows {
            let together = rows.iter().filter(|row| place(row) == place(one));
            let shares: Vec<f64> = together
                .map(|row| row["pct"].as_f64().expect("a share"))
                .collect();
            let off = (shares.iter().sum::<f64>() - 100.0).abs();
            assert!(
                off <= 0.05 * shares.len() as f64 + 1e-9,
                "{query}: {off} off beside {one}"
            );
        }
    }
}

#[test]
fn the_rows_of_a_company_are_those_of_a_lake_of_its_own() {
    let shared = lake(both);
    let own = lake(|desk| traffic(desk, "12", TWO));
    let with_ids =
        "SELECT (SELECT count(*) FROM (SELECT chat_id FROM fact_chats WHERE company_id = 15691
        INTERSECT SELECT chat_id FROM fact_chats WHERE company_id = 15692))";
    assert!(shared.number(with_ids) > 0, "no chat id is of both");
    let mut compared = 0;
    for (name, sql) in saved_queries() {
        // Open intervals end at the lake's last event, which may be the other company's.
        let as_of = sql
            .contains("-- $as_of ")
            .then(|| "as_of=2024-03-01T18:00:00Z".to_owned());
        let as_of: Vec<String> = as_of.into_iter().collect();
        let alone = answer(&own, &name, &as_of);
        let company = [as_of.clone(), vec![format!("company={TWO}")]].concat();
        assert_eq!(answer(&shared, &name, &company), alone, "{name}");
        compared += alone.len();
        if alone.iter().all(|row| row.get("company_id").is_some()) {
            let rows = answer(&shared, &name, &as_of).into_iter();
            let rows = rows.filter(|row| row["company_id"].as_u64() == TWO.parse().ok());
            assert_eq!(rows.collect::<Vec<_>>(), alone, "{name} of both");
        }
    }
    assert!(compared > 300, "only {compared} rows");
}

/// The deliveries with, for each departure from the queue, one of a chat of which nothing else is told.
fn departed(lines: &str) -> String {
    let mut all = lines.to_owned();
    for line in lines.lines().filter(|line| line.contains("leftQueue")) {
        let mut delivery: Value = serde_json::from_str(line).expect("a delivery");
        let messages = delivery["body"]["messages"].as_object_mut();
        let messages = messages.expect("the events of a delivery");
        messages.retain(|event, _| event == "leftQueue");
        let items = messages["leftQueue"].as_array_mut().expect("items");
        for item in items {
            let id = item["id"].as_i64().expect("a chat's id");
            item["id"] = (id + 1_000_000).into();
            // Apart from those whose waits are known.
            item["department"] = json!({"id": 99, "name": "Elsewhere"});
        }
        all = format!("{all}{delivery}\n");
    }
    all
}

/// Chats in which it is hard to tell whether a person was due, and whether one came.
fn hard_chats() -> String {
    let at = |second: i64, event: &str, item: Value| {
        let body =
            json!({"time": 1_709_298_000 + second, "messages": {event: [item]}, "token": "x"});
        json!({"received_at": "2024-03-03T00:00:00Z", "body": body}).to_string()
    };
    let company = json!({"id": 3526});
    let contact = json!({"id": 633, "name": "Maria"});
    let chat = |id: i64, situation: &str| {
        json!({
            "id": id, "situation": situation, "channel": "widget", "department": false, "customer": contact,
            "company": company, "agent": {"id": 11, "name": "Ana"},
        })
    };
    let message = |second: i64, id: i64, situation: &str, from: &str| {
        let event = if from == "agent" {
            "sentAllMessage"
        } else {
            "receivedAllMessage"
        };
        let item = json!({
            "id": 100 * id + second, "body": "Oi", "is_internal": false, "senderType": from,
            "sender": {"id": 633}, "customer": contact, "chat": chat(id, situation), "company": company,
        });
        at(second, event, item)
    };
    let enters = |second, id| at(second, "agentEntered", chat(id, "in_chat"));
    let closes = |second, id| at(second, "closedChat", chat(id, "finishing"));
    [
        // An agent opens the chat, and nobody writes: closed, and open.
        enters(0, 1),
        closes(90, 1),
        enters(0, 2),
        // The contact writes to an agent whom nothing names, in vain: closed, and open.
        message(0, 3, "in_chat", "widget"),
        closes(90, 3),
        message(0, 4, "in_chat", "widget"),
        // An agent answers out of the automation.
        message(0, 5, "auto", "widget"),
        message(50, 5, "auto", "agent"),
        closes(90, 5),
        // An agent takes the chat and does not write.
        message(0, 6, "wait_for_chat", "widget"),
        enters(10, 6),
        // The bot has the last word in the queue.
        message(0, 7, "wait_for_chat", "widget"),
        message(1, 7, "wait_for_chat", "virtual_agent"),
        // The company writes first, and does not answer.
        message(0, 8, "in_chat", "agent"),
        message(50, 8, "in_chat", "widget"),
        // Gone at once, and a departure that nothing came before.
        message(0, 9, "wait_for_chat", "widget"),
        closes(4, 9),
        at(0, "leftQueue", chat(10, "in_chat")),
        closes(90, 10),
    ]
    .map(|line| line + "\n")
    .concat()
}

/// What the query counts of each of its rows' values of the column.
fn counted(rows: &[Value], column: &str, value: &str) -> i64 {
    let rows: Vec<Value> = rows
        .iter()
        .filter(|row| row[column] == value)
        .cloned()
        .collect();
    sum(&rows, "sessions")
}

#[test]
fn queries_agree_on_who_waits_for_an_answer() {
    let everything = |desk: &Desk| hard_chats() + &both(desk);
    let of_agents = [
        "sentMessage",
        "sentAllMessage",
        "receivedAllMessage",
        "newInternalMessage",
    ];
    let all = lake(everything);
    let without_agents_messages = lake(|desk| {
        let names = [
            "startedChat",
            "receivedMessage",
            "agentEntered",
            "leftQueue",
            "closedChat",
        ];
        desk.write("huggy-etl.toml", format!("subscribed_events = {names:?}\n"));
        subscribed(&everything(desk), |event| !of_agents.contains(&event))
    });
    for (desk, is_known) in [(&all, true), (&without_agents_messages, false)] {
        let responses = answer(desk, "first_response", &[]);
        let response = |name: &str| counted(&responses, "response", name);
        let targets: Vec<Value> = answer(desk, "targets_missed", &[])
            .into_iter()
            .filter(|row| row["target"] == "first_response")
            .collect();
        assert_eq!(
            response("answered"),
            sum(&targets, "met") + sum(&targets, "late")
        );
        assert_eq!(response("never"), sum(&targets, "never"));
        assert_eq!(response("not yet"), sum(&targets, "still_open"));
        let unknown = response("time unknown") + response("not known");
        assert_eq!(unknown, sum(&targets, "unknown"));
        // Whoever has had no answer yet, and is due one, is on the list.
        let listed = answer(desk, "unanswered_now", &[]);
        let silent = desk.rows(
            "SELECT company_id, chat_id, session_no FROM fact_chats WHERE first_response_at IS NULL",
        );
        let silent = silent.as_array().expect("rows");
        let is_silent = |row: &&Value| {
            silent.contains(&json!([
                row["company_id"],
                row["chat_id"],
                row["session_no"]
            ]))
        };
        let listed = listed.iter().filter(is_silent).count();
        assert_eq!(response("not yet"), listed as i64);
        // Turns that nobody has answered are of sessions that say so.
        let replies = answer(desk, "reply_times", &[]);
        let of_the_silent = desk.number(
            "SELECT count(*) FROM fact_replies AS reply JOIN fact_chats AS chat USING (company_id, chat_id, session_no)
             WHERE reply.replied_at IS NULL AND chat.first_response_at IS NULL",
        );
        let unanswered = ["never", "not yet", "short_abandoned", "not known"];
        let unanswered: i64 = unanswered.into_iter().map(response).sum();
        assert!(
            (1..=unanswered).contains(&of_the_silent),
            "{of_the_silent} of {unanswered}"
        );
        if is_known {
            assert_eq!(sum(&replies, "reply_unknown"), 0);
            let told = [
                "answered",
                "never",
                "not yet",
                "outbound",
                "short_abandoned",
                "nobody due",
            ];
            assert!(
                told.into_iter().all(|name| response(name) > 0),
                "{responses:?}"
            );
        } else {
            assert_eq!(sum(&replies, "not_replied"), 0);
            assert_eq!(response("never") + response("not yet") + listed as i64, 0);
        }
    }
    // The hard chats by themselves.
    let hard = lake(|_| hard_chats());
    let responses = answer(&hard, "first_response", &[]);
    for (response, sessions) in [
        ("answered", 1),
        ("never", 2),
        ("nobody due", 2),
        ("not yet", 3),
        ("outbound", 1),
        ("short_abandoned", 1),
    ] {
        assert_eq!(
            counted(&responses, "response", response),
            sessions,
            "{response}"
        );
    }
    let mut listed: Vec<i64> = answer(&hard, "unanswered_now", &[])
        .iter()
        .map(|row| row["chat_id"].as_i64().expect("an id"))
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, [4, 6, 7, 8]);
}
