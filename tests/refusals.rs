//! The limit of refused requests: it holds off whoever has no token, and nobody who has one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Desk, TOKEN, exchange};

fn post(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn delivery(token: &str, number: usize) -> Vec<u8> {
    post(&json!({ "time": number, "messages": {}, "token": token }).to_string())
}

#[test]
fn refused_requests_are_limited_and_valid_ones_from_the_same_address_are_not() {
    let desk = Desk::new();
    desk.write("huggy-etl.toml", "max_refusals_per_minute = 5\n");
    let service = desk.serve(&["--token", TOKEN]);
    let address = service.address();
    let wrong = [delivery("wrong", 0), post("nonsense"), post("[]")];
    let refused: Vec<String> = (0..40)
        .map(|number| exchange(address, &wrong[number % wrong.len()], false))
        .collect();
    let limited = |answer: &String| answer.starts_with("HTTP/1.1 429");
    assert!(!refused[..5].iter().any(limited), "{refused:?}");
    // An allowance comes back every 12 seconds.
    let passed = refused[5..].iter().filter(|answer| !limited(answer));
    assert!(passed.count() <= 5, "{refused:?}");
    let answer = refused.iter().rfind(|answer| limited(answer)).expect("429");
    let head = answer.to_ascii_lowercase();
    for header in ["retry-after: ", "connection: close"] {
        assert!(head.contains(header), "{header} is not in {answer}");
    }
    for number in 0..20 {
        let answer = exchange(address, &delivery(TOKEN, number), false);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // What is decided without a body costs nothing and is not counted.
    let lost = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(exchange(address, lost, false).starts_with("HTTP/1.1 404"));
    let metrics = service.get("/metrics").1;
    let of = |result: &str| format!("huggy_etl_deliveries_total{{result=\"{result}\"}} ");
    let count = |result: &str| {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(&of(result)));
        line.and_then(|count| count.parse::<usize>().ok())
            .expect("a count")
    };
    assert_eq!(count("stored"), 20, "{metrics}");
    let answered = refused.iter().filter(|answer| limited(answer)).count();
    assert_eq!(count("limited"), answered, "{metrics}");
}

#[test]
fn while_refused_requests_flood_it_every_valid_delivery_is_stored() {
    let desk = Desk::new();
    let service = desk.serve(&["--token", TOKEN, "--transform-every", "0"]);
    let address = service.address();
    let done = AtomicBool::new(false);
    let flood = thread::scope(|scope| {
        let flooders: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let wrong = post(&format!(
                        "{{\"token\":\"x\",\"messages\":\"{}\"}}",
                        "x".repeat(20_000)
                    ));
                    let mut sent = 0;
                    while !done.load(Ordering::Relaxed) {
                        exchange(address, &wrong, false);
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        for number in 0..300 {
            let answer = exchange(address, &delivery(TOKEN, number), false);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        done.store(true, Ordering::Relaxed);
        flooders
            .into_iter()
            .map(|flooder| flooder.join().expect("a flooder"))
            .sum::<usize>()
    });
    assert!(
        flood > 60,
        "only {flood} refused requests: the limit was not reached"
    );
    assert!(
        !service
            .get("/metrics")
            .1
            .contains("{result=\"limited\"} 0\n")
    );
}

#[test]
fn by_default_it_listens_on_loopback_only() {
    let config = Desk::new().ok(&["config"]);
    for line in [
        "listen = \"127.0.0.1:8080\"",
        "admin_listen = \"127.0.0.1:9090\"",
    ] {
        assert!(
            config.lines().any(|shown| shown == line),
            "{line} is not in {config}"
        );
    }
}

#[test]
fn a_body_that_does_not_come_is_waited_for_as_long_as_is_set() {
    let desk = Desk::new();
    desk.write("huggy-etl.toml", "body_timeout = \"200ms\"\n");
    let service = desk.serve(&["--token", TOKEN]);
    let mut half = delivery(TOKEN, 1);
    half.pop();
    let began = Instant::now();
    let answer = exchange(service.address(), &half, false);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let waited = began.elapsed();
    assert!(
        (Duration::from_millis(200)..Duration::from_secs(20)).contains(&waited),
        "{waited:?}"
    );
}
