//! What every simulation must hold to, whatever the seed.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::scenarios::{self, Scenario};
use crate::script::Script;
use crate::world::World;
use crate::{Options, generate, truth};

fn options(chats: u64, seed: u64) -> Options {
    Options {
        chats,
        seed,
        ..Options::default()
    }
}

fn bodies(options: &Options) -> Vec<Value> {
    generate(options)
        .map(|delivery| serde_json::from_str(&delivery.body).expect("every body is JSON"))
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let lines = |seed| {
        generate(&options(200, seed))
            .map(|delivery| delivery.to_ndjson())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(7), lines(7));
    assert_ne!(lines(7), lines(8));
    let rows = |seed| {
        truth(&options(200, seed))
            .map(|row| row.to_ndjson())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(7), rows(7));
    assert_ne!(rows(7), rows(8));
}

#[test]
fn every_delivery_is_an_envelope_with_time_messages_and_token() {
    let options = options(500, 3);
    for body in bodies(&options) {
        assert!(body["time"].is_i64(), "{body}");
        assert_eq!(body["token"], Value::from(options.token.as_str()));
        let messages = body["messages"].as_object().expect("messages is an object");
        assert!(!messages.is_empty(), "{body}");
        assert!(
            messages
                .values()
                .all(|items| items.as_array().is_some_and(|items| !items.is_empty())),
            "{body}"
        );
    }
}

#[test]
fn a_line_for_import_holds_the_body_as_json() {
    for delivery in generate(&options(50, 5)) {
        let line: Value = serde_json::from_str(&delivery.to_ndjson()).expect("a line is JSON");
        assert_eq!(
            line["body"],
            serde_json::from_str::<Value>(&delivery.body).expect("a body is JSON")
        );
        assert!(
            line["received_at"]
                .as_str()
                .is_some_and(|at| at.ends_with('Z'))
        );
    }
}

#[test]
fn deliveries_come_in_order_of_arrival_and_never_before_their_time() {
    let mut last = None;
    for delivery in generate(&options(3_000, 11)) {
        assert!(last <= Some(delivery.received_at));
        last = Some(delivery.received_at);
        let body: Value = serde_json::from_str(&delivery.body).expect("every body is JSON");
        assert!(
            body["time"]
                .as_i64()
                .is_some_and(|time| delivery.received_at.timestamp() >= time)
        );
    }
}

#[test]
fn some_deliveries_come_late_and_some_come_again() {
    let (mut late, mut again, mut all) = (0, 0, 0);
    let mut seen = HashSet::new();
    for delivery in generate(&options(2_000, 13)) {
        let body: Value = serde_json::from_str(&delivery.body).expect("every body is JSON");
        let time = body["time"].as_i64().expect("time is a number");
        all += 1;
        if !seen.insert(delivery.body) {
            again += 1;
        } else if delivery.received_at.timestamp() - time > 2 {
            late += 1;
        }
    }
    let percent = |part: i32| f64::from(part) * 100.0 / f64::from(all);
    assert!((1.0..6.0).contains(&percent(late)), "{late} of {all} late");
    assert!(
        (0.5..2.0).contains(&percent(again)),
        "{again} of {all} again"
    );
}

#[test]
fn truth_has_a_session_for_every_chat_in_order_and_counts_what_was_sent() {
    let options = options(1_500, 17);
    let mut sent: BTreeMap<i64, HashSet<(String, i64, String)>> = BTreeMap::new();
    for body in bodies(&options) {
        let time = body["time"].as_i64().expect("time is a number");
        for (name, items) in body["messages"].as_object().expect("messages is an object") {
            for item in items.as_array().expect("items are a list") {
                if let Some(chat) = chat_of(name, item) {
                    sent.entry(chat)
                        .or_default()
                        .insert((name.clone(), time, item.to_string()));
                }
            }
        }
    }
    let mut told: BTreeMap<i64, u64> = BTreeMap::new();
    let mut last = 0;
    for row in truth(&options).filter(|row| row.table == "fact_chats") {
        let chat = row.key["chat_id"].as_i64().expect("a chat has an id");
        assert!(chat >= last);
        last = chat;
        *told.entry(chat).or_default() +=
            row.row["event_count"].as_u64().expect("events are counted");
    }
    assert_eq!(told.len() as u64, options.chats);
    for (chat, events) in told {
        assert_eq!(sent[&chat].len() as u64, events, "chat {chat}");
    }
}

fn chat_of(name: &str, item: &Value) -> Option<i64> {
    let id = match name {
        "createdCustomer" | "updatedCustomer" | "agentChangedStatus" | "asyncExportData"
        | "updatedLeadByAgent" => return None,
        "startedAutomationFlow" | "finishedAutomationFlow" => &item["chatID"],
        "startedChat" | "agentEntered" | "leftQueue" | "closedChat" => &item["id"],
        _ => &item["chat"]["id"],
    };
    id.as_i64().or_else(|| id.as_str()?.parse().ok())
}

#[test]
fn keys_of_the_truth_are_unique() {
    let mut keys = HashSet::new();
    for row in truth(&options(3_000, 19)) {
        let key = format!("{} {}", row.table, Value::Object(row.key));
        assert!(keys.insert(key.clone()), "{key}");
    }
}

#[test]
fn no_measure_of_time_is_negative() {
    for row in truth(&options(3_000, 23)) {
        for (column, value) in &row.row {
            if column.ends_with("_seconds") {
                assert!(
                    value.as_i64().is_none_or(|seconds| seconds >= 0),
                    "{}",
                    row.to_ndjson()
                );
            }
        }
    }
}

#[test]
fn every_scenario_and_every_happening_occurs_in_two_thousand_chats() {
    let happenings = [
        "abandoned",
        "short_abandoned",
        "transferred",
        "requeued",
        "gone_after_requeue",
        "requeue_never_seen",
        "department_by_flow",
        "department_changed_in_chat",
        "department_changed_while_waiting",
        "handed_off_by_two_flows",
        "mid_flow",
        "exit_flow_at_once",
        "exit_flow_answered",
        "exit_flow_dropped",
        "internal_message",
        "workflow_step",
        "contact_updated",
        "reopened_by_chat",
        "reopened_by_message",
        "left_queue_echo",
        "agent_entered_again",
        "agent_seen_by_message",
        "message_after_close",
        "late_dispatch",
    ];
    let options = options(2_000, 29);
    let world = World::new(&options);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for chat in 0..options.chats {
        let mut script = Script::new(&world, chat);
        scenarios::play(&mut script);
        for tag in script.ledger.tags {
            *counts.entry(tag).or_default() += 1;
        }
    }
    let scenarios = Scenario::WEIGHTS.map(|(scenario, _)| scenario.name());
    for expected in scenarios.iter().chain(&happenings) {
        assert!(
            counts.contains_key(expected),
            "no {expected} among {counts:?}"
        );
    }
}

#[test]
fn a_chat_has_about_fifteen_events() {
    let options = options(4_000, 31);
    let events: u64 = truth(&options)
        .filter_map(|row| row.row.get("event_count")?.as_u64())
        .sum();
    let mean = events as f64 / options.chats as f64;
    assert!((12.0..18.0).contains(&mean), "{mean} events a chat");
}

#[test]
fn the_rush_hour_is_busier_and_its_waits_are_longer() {
    let (mut busy, mut quiet) = (Vec::new(), Vec::new());
    for row in truth(&options(8_000, 37)).filter(|row| row.table == "fact_queue_waits") {
        let (Some(entered), Some(wait)) = (
            row.row["entered_at"].as_str(),
            row.row["wait_seconds"].as_i64(),
        ) else {
            continue;
        };
        match entered.get(11..13) {
            Some("13" | "14") => busy.push(wait),
            Some("16" | "20") => quiet.push(wait),
            _ => {}
        }
    }
    let mean = |waits: &[i64]| waits.iter().sum::<i64>() as f64 / waits.len() as f64;
    assert!(busy.len() > quiet.len());
    assert!(mean(&busy) > mean(&quiet));
}

#[test]
fn what_is_in_flight_does_not_grow_with_the_number_of_days() {
    // The same chats a day, for two days and for twenty: twenty thousand chats may be under way at most as two thousand are, give or
    // take the busiest hour.
    let most = |days: u32| {
        let mut simulation = generate(&Options {
            chats: u64::from(days) * 1_000,
            days,
            ..options(0, 41)
        });
        let mut most = 0;
        while simulation.next().is_some() {
            most = most.max(simulation.in_flight());
        }
        most
    };
    let (short, long) = (most(2), most(20));
    assert!(long < 2_500, "{long} deliveries in flight");
    assert!(long < short * 2, "{long} after {short}");
}
