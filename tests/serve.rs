//! The service: its handshake, its answers, and its promise that an answered delivery is safe.

use std::thread;

use serde_json::{Value, json};

use crate::support::{Desk, KEPT_IN_THE_LOG, TOKEN, delivery, post, wait};

const FAST: [&str; 4] = ["--flush-interval", "200ms", "--transform-every", "200ms"];

fn handshake(token: &str) -> String {
    json!({ "token": token, "validToken": true }).to_string()
}

#[test]
fn the_handshake_is_answered_with_the_bare_token_if_it_is_ours() {
    let service = Desk::new().serve(&["--token", TOKEN]);
    assert_eq!(service.post(handshake(TOKEN)), (200, TOKEN.to_owned()));
    let (status, body) = service.post(handshake("somebody else's"));
    assert_eq!(status, 401);
    assert!(!body.contains("somebody"), "{body}");
}

#[test]
fn refused_deliveries_are_told_in_the_log_together_with_what_to_check() {
    let desk = Desk::new();
    let service = desk.serve(&["--token", TOKEN]);
    for _ in 0..20 {
        assert_eq!(service.post(handshake("somebody else's")).0, 401);
    }
    let told = |log: &str| -> Vec<Value> {
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines
            .filter(|line: &Value| line["message"] == "requests to the webhook were refused")
            .collect()
    };
    assert_eq!(told(&service.log())[0]["requests"], 1);
    assert_eq!(service.stop(), Some(0));
    let log = std::fs::read_to_string(desk.path("serve-1.log")).expect("the log");
    let told = told(&log);
    let requests = told.iter().filter_map(|line| line["requests"].as_u64());
    assert_eq!(requests.sum::<u64>(), 20, "{log}");
    assert!(told.len() <= 3, "{log}");
    for line in &told {
        assert_eq!(line["level"], "WARN", "{line}");
        assert_eq!(line["reason"], "the token is not one of ours", "{line}");
        let check = line["check"].as_str().unwrap_or_default();
        assert!(check.contains("`tokens`"), "{line}");
    }
    assert!(!log.contains("somebody"), "{log}");
}

#[test]
fn what_hinders_a_start_is_said_once() {
    let desk = Desk::new();
    let service = desk.serve(&[]);
    let taken = service.address();
    for (args, reason) in [
        (["--listen", taken], "Address already in use"),
        (["--wal", "/proc/wal"], "/proc/wal"),
    ] {
        let free = ["serve", "--admin-listen", "127.0.0.1:0"];
        let printed = desk.run(&[&free[..], &args].concat());
        assert_eq!(printed.code, Some(3), "{}", printed.stderr);
        let reasons = printed.stderr.matches(reason).count();
        assert_eq!(reasons, 1, "{}", printed.stderr);
        let errors = printed.stderr.matches("os error").count();
        assert_eq!(errors, 1, "{}", printed.stderr);
    }
}

#[test]
fn without_a_token_the_answer_says_how_to_configure_one() {
    let service = Desk::new().serve(&[]);
    let (status, body) = service.post(handshake(TOKEN));
    assert_eq!(status, 401);
    assert!(body.contains("token") && body.contains("--pair"), "{body}");
}

#[test]
fn pairing_keeps_the_first_token_across_restarts_and_closes() {
    let desk = Desk::new();
    let service = desk.serve(&["--pair"]);
    assert_eq!(service.post(handshake(TOKEN)), (200, TOKEN.to_owned()));
    assert_eq!(service.post(handshake("another")).0, 401);
    let log = service.log();
    assert!(!log.contains(TOKEN), "the log shows the token");
    assert_eq!(service.stop(), Some(0));
    let service = desk.serve(&[]);
    assert_eq!(service.post(handshake(TOKEN)).0, 200);
    assert_eq!(service.post(delivery(1, 1)).0, 200);
}

#[test]
fn each_refusal_says_what_was_wrong() {
    let desk = Desk::new();
    desk.write(
        "huggy-etl.toml",
        format!("tokens = [{TOKEN:?}]\nmax_body_bytes = \"2KiB\"\n"),
    );
    let service = desk.serve(&[]);
    let refused = |body: &str| {
        let (status, answer) = service.post(body);
        let answer: Value = serde_json::from_str(&answer).expect("a JSON answer");
        assert!(answer["error"].is_string(), "{answer}");
        status
    };
    assert_eq!(refused("{\"token\": "), 400);
    assert_eq!(refused(r#"{"from":"1","text":"sms","id":"7"}"#), 400);
    assert_eq!(refused(r#"{"token":"wrong","messages":{}}"#), 401);
    assert_eq!(
        refused(&format!(
            "{{\"token\":{TOKEN:?},\"x\":\"{}\"}}",
            "x".repeat(3000)
        )),
        413
    );
}

#[test]
fn whatever_a_valid_token_brings_is_stored_and_answered_200() {
    let desk = Desk::new();
    let service = desk.serve(&[&FAST[..], &["--token", TOKEN]].concat());
    let bodies = [
        json!({ "time": 1_709_298_000, "messages": [], "token": TOKEN }),
        json!({ "time": 1_709_298_000, "messages": { "someday": [{ "odd": true }] }, "token": TOKEN }),
        json!({ "time": 1_709_298_000, "messages": { "startedChat": ["a string"] }, "token": TOKEN }),
        json!({ "time": "soon", "messages": { "startedChat": { "id": "77" } }, "token": TOKEN }),
        json!({ "messages": 5, "token": TOKEN }),
    ];
    for body in &bodies {
        assert_eq!(service.post(body.to_string()).0, 200, "{body}");
    }
    assert_eq!(service.stop(), Some(0));
    assert_eq!(
        desk.rows("SELECT event_type, chat_id, parse_error IS NULL FROM events ORDER BY event_type, chat_id"),
        json!([["someday", null, true], ["startedChat", 77, false], ["startedChat", null, false], [null, null, false]])
    );
}

#[test]
fn facts_follow_the_deliveries_by_themselves() {
    let desk = Desk::new();
    let service = desk.serve(&[&FAST[..], &["--token", TOKEN]].concat());
    assert_eq!(service.post(delivery(1, 1)).0, 200);
    wait("the facts", || {
        desk.run(&[
            "query",
            "-c",
            "SELECT count(*) AS n FROM fact_chats",
            "--format",
            "csv",
        ])
        .stdout
            == "n\n1\n"
    });
    let (status, metrics) = service.get("/metrics");
    assert_eq!(status, 200);
    assert!(
        metrics.contains("huggy_etl_deliveries_total{result=\"stored\"} 1"),
        "{metrics}"
    );
    assert_eq!(service.get("/healthz").0, 200);
    assert_eq!(service.get("/readyz").0, 200);
    assert!(!metrics.contains(TOKEN));
}

#[test]
fn a_stop_flushes_what_was_accepted() {
    let desk = Desk::new();
    let service = desk.serve(&KEPT_IN_THE_LOG);
    for message in 1..=20 {
        assert_eq!(service.post(delivery(message % 3, message)).0, 200);
    }
    assert_eq!(service.stop(), Some(0));
    assert_eq!(desk.number("SELECT count(*) FROM events"), 20);
}

#[test]
fn redeliveries_are_counted_and_stored_once() {
    let desk = Desk::new();
    let service = desk.serve(&[
        "--token",
        TOKEN,
        "--flush-interval",
        "200ms",
        "--transform-every",
        "0",
    ]);
    for _ in 0..3 {
        assert_eq!(service.post(delivery(1, 1)).0, 200);
    }
    wait("the flush", || {
        service
            .get("/metrics")
            .1
            .contains("huggy_etl_duplicates_total 2")
    });
    assert_eq!(service.post(delivery(1, 1)).0, 200);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(desk.number("SELECT count(*) FROM events"), 1);
}

#[test]
fn kill_9_loses_nothing_acknowledged_and_doubles_nothing() {
    let desk = Desk::new();
    let mut acknowledged = 0;
    for round in 0..4_u64 {
        let service = desk.serve(&[
            "--token",
            TOKEN,
            "--flush-interval",
            "50ms",
            "--transform-every",
            "100ms",
        ]);
        acknowledged += thread::scope(|scope| {
            let posters: Vec<_> = (0..4_u64)
                .map(|poster| {
                    let url = service.webhook.clone();
                    scope.spawn(move || {
                        let first = (round * 4 + poster) * 10_000;
                        let safe = |message: &u64| {
                            matches!(
                                post(&url, delivery(poster, *message).as_bytes()),
                                Ok((200, _))
                            )
                        };
                        (first..first + 10_000).take_while(safe).count()
                    })
                })
                .collect();
            // Not before the service is in the middle of flushing and committing.
            wait("some flushes", || {
                desk.path("lake/events/_delta_log")
                    .read_dir()
                    .is_ok_and(|log| log.count() > 6)
            });
            thread::sleep(std::time::Duration::from_millis(100 + 130 * round));
            service.kill();
            posters
                .into_iter()
                .map(|poster| poster.join().expect("a poster"))
                .sum::<usize>()
        });
    }
    assert_eq!(
        desk.serve(&["--token", TOKEN, "--transform-every", "0"])
            .stop(),
        Some(0)
    );
    let stored = desk.rows("SELECT count(*), count(DISTINCT event_id) FROM events");
    let (rows, distinct) = (
        stored[0][0].as_u64().expect("a count"),
        stored[0][1].as_u64().expect("a count"),
    );
    assert_eq!(rows, distinct, "an event was stored twice");
    // A delivery may have been stored without its answer arriving, one a poster and kill; never the reverse.
    let most = acknowledged as u64 + 16;
    assert!(
        (acknowledged as u64..=most).contains(&rows),
        "{acknowledged} acknowledged, {rows} stored"
    );
    assert!(
        acknowledged > 100,
        "only {acknowledged} deliveries were acknowledged"
    );
}

#[test]
fn a_second_service_on_the_same_log_refuses_to_start() {
    let desk = Desk::new();
    let service = desk.serve(&["--token", TOKEN]);
    let second = desk.run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--token",
        TOKEN,
    ]);
    assert_eq!(second.code, Some(3), "{}", second.stderr);
    assert!(
        second.stderr.contains("belongs to process"),
        "{}",
        second.stderr
    );
    drop(service);
}
