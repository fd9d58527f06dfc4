//! Clocks that step, processes that are stopped and go on, and stops in good order under load.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::host::Host;
use crate::load::Load;
use crate::record::body;
use crate::support::{post, wait};

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// Gives the command a clock that [`set_clock`] sets, also while it runs.
pub fn with_clock(command: &mut Command, host: &Host) {
    assert!(
        fs::exists(FAKETIME).unwrap_or(false),
        "install faketime: {FAKETIME} is missing"
    );
    command
        .env("LD_PRELOAD", FAKETIME)
        .env("FAKETIME_TIMESTAMP_FILE", host.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// So far from the true time.
pub fn set_clock(host: &Host, offset: &str) {
    fs::write(host.path("clock"), offset).expect("setting the clock");
}

#[test]
fn a_clock_that_steps_back_loses_nothing_and_doubles_nothing() {
    let host = Host::new();
    let start = || {
        let mut command = host.command(&[]);
        with_clock(&mut command, &host);
        host.start_with(command)
    };
    let load = Load::start();
    set_clock(&host, "+0");
    let service = start();
    load.to(&service);
    load.wait_accepted(50);
    set_clock(&host, "-3h");
    load.wait_accepted(50);
    load.pause();
    wait("all to be flushed", || {
        service.metric("huggy_etl_flushed_rows_total ") as usize >= load.accepted()
    });
    service.kill();

    // What came before the step is of the future now, and known all the same when it is sent again.
    let service = start();
    for delivery in load.record().deliveries() {
        let answer = post(
            &service.webhook(),
            body(delivery, load.padding()).as_bytes(),
        );
        assert_eq!(answer.expect("an answer").0, 200);
    }
    load.to(&service);
    load.wait_accepted(20);
    load.pause();
    service.stop_drained(&host);
    load.finish().check("clock stepped back by 3 hours", &host);
}

#[test]
fn a_stop_under_load_stores_all_that_was_accepted() {
    let host = Host::new();
    let load = Load::start();
    for _ in 0..3 {
        let service = host.start();
        load.to(&service);
        load.wait_accepted(50);
        // Still under load: nothing is paused before the signal.
        service.stop_drained(&host);
        load.record().check("SIGTERM under load", &host);
    }
    load.finish();
}

#[test]
fn a_process_that_was_stopped_goes_on_where_it_was() {
    let host = Host::new();
    let load = Load::start();
    let service = host.start();
    load.to(&service);
    for _ in 0..4 {
        load.wait_accepted(20);
        service.signal("-STOP");
        thread::sleep(Duration::from_millis(400));
        service.signal("-CONT");
    }
    load.wait_accepted(20);
    load.pause();
    service.stop_drained(&host);
    load.finish().check("SIGSTOP and SIGCONT under load", &host);
}
