//! The object store fails in every way that stores and networks do, again and again, while deliveries come
//! in and facts are derived: nothing acknowledged is missing afterwards, and nothing is there twice. `FAULT_SEED`
//! reproduces which requests fail.

use std::thread;
use std::time::Duration;

use crate::proxy::{Fault, Proxy};
use crate::servers::{Reach, Seaweed, desk};
use crate::support::{Desk, Service, TOKEN, setting, wait};
use crate::traffic::{Load, Tally};

/// Of a hundred requests so many fail; of those that take their time, fewer.
const PERCENT: u64 = 20;
const SLOW_PERCENT: u64 = 8;

#[test]
fn cut_connections_lose_and_double_nothing() {
    check_fault("cut connections", Fault::Cut, PERCENT);
}

#[test]
fn requests_that_hang_lose_and_double_nothing() {
    check_fault("hanging requests", Fault::Hang, SLOW_PERCENT);
}

#[test]
fn status_500_loses_and_doubles_nothing() {
    check_fault("status 500", Fault::Status(500), PERCENT);
}

#[test]
fn status_503_loses_and_doubles_nothing() {
    check_fault("status 503", Fault::Status(503), PERCENT);
}

#[test]
fn answers_that_are_lost_lose_and_double_nothing() {
    check_fault("lost answers", Fault::LoseAnswer, PERCENT);
}

#[test]
fn answers_that_time_out_lose_and_double_nothing() {
    check_fault("withheld answers", Fault::WithholdAnswer, SLOW_PERCENT);
}

#[test]
fn status_500_for_what_was_done_loses_and_doubles_nothing() {
    check_fault("status 500 though done", Fault::WrongAnswer(500), PERCENT);
}

fn check_fault(name: &str, fault: Fault, percent: u64) {
    let seed = setting("FAULT_SEED", 1);
    let store = Seaweed::start();
    let proxy = Proxy::before(store.port());
    let desk = desk(&impatient(store.reach_through(proxy.port())));
    proxy.fail(fault, percent, seed);
    let service = serve(&desk);
    let load = Load::default();
    thread::scope(|scope| {
        let _ending = load.ending();
        load.run(scope, &service.webhook);
        wait("faults to meet commits, of a load worth the name", || {
            proxy.failed_commits() >= 3 && load.acknowledged().len() > 100
        });
    });
    proxy.mend();
    assert_eq!(service.stop(), Some(0));
    let tally = settle(&desk, &load);
    println!("{name}, seed {seed}: {tally}; {}", proxy.summary());
    tally.check();
}

#[test]
fn a_store_that_stands_still_loses_and_doubles_nothing() {
    check_outage("SIGSTOP and SIGCONT", |store| {
        store.pause();
        thread::sleep(Duration::from_secs(3));
        store.go_on();
    });
}

#[test]
fn a_store_that_is_killed_and_started_again_loses_and_doubles_nothing() {
    check_outage("kill -9 and start", |store| {
        store.kill();
        thread::sleep(Duration::from_secs(2));
        store.start_again();
    });
}

fn check_outage(name: &str, outage: impl Fn(&mut Seaweed)) {
    let mut store = Seaweed::start();
    let desk = desk(&impatient(store.reach()));
    let service = serve(&desk);
    let load = Load::default();
    thread::scope(|scope| {
        let _ending = load.ending();
        load.run(scope, &service.webhook);
        for _ in 0..2 {
            thread::sleep(Duration::from_secs(2));
            outage(&mut store);
        }
    });
    assert_eq!(service.stop(), Some(0));
    let tally = settle(&desk, &load);
    println!("{name}: {tally}");
    tally.check();
}

/// Nobody wants to wait half a minute for each request that hangs.
fn impatient((lake, mut environment): Reach) -> Reach {
    environment.push(("AWS_TIMEOUT".to_owned(), "1s".to_owned()));
    (lake, environment)
}

fn serve(desk: &Desk) -> Service {
    desk.serve(&[
        "--token",
        TOKEN,
        "--flush-interval",
        "100ms",
        "--transform-every",
        "500ms",
    ])
}

/// What a stop had no time for, the next start stores; then lake and facts are compared with the load.
fn settle(desk: &Desk, load: &Load) -> Tally {
    let service = desk.serve(&["--token", TOKEN, "--transform-every", "0"]);
    assert_eq!(service.stop(), Some(0));
    desk.ok(&["transform"]);
    load.tally(desk)
}
