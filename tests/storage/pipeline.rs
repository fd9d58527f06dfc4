//! Everything from webhook to answer, on each object store.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;

use crate::comparison::{all_rows, compare};
use crate::servers::{Azurite, Reach, Seaweed, desk};
use crate::support::{Desk, TOKEN, bodies};
use crate::traffic::deliver;

#[test]
fn everything_from_webhook_to_answer_works_on_s3() {
    let server = Seaweed::start();
    check_pipeline(&server.reach());
}

#[test]
fn everything_from_webhook_to_answer_works_on_azure() {
    let server = Azurite::start();
    check_pipeline(&server.reach());
}

fn check_pipeline(reach: &Reach) {
    let desk = desk(reach);
    let traffic = ["--chats", "120", "--days", "2", "--seed", "11"];
    let traffic = [&traffic[..], &["--truth", "truth.ndjson"]].concat();
    let path = desk.generate("traffic.ndjson", &traffic);

    serve(&desk, &path);
    desk.ok(&["transform"]);
    let compared = compare(&desk);
    assert!(compared > 10_000, "only {compared} values were compared");

    let tables = desk.ok(&["tables"]);
    for table in ["events", "fact_chats", "dim_agents", "coverage"] {
        assert!(tables.contains(table), "{tables}");
    }
    let waits = desk.ok(&["query", "wait_times", "--format", "csv"]);
    assert!(waits.lines().count() > 5, "{waits}");

    let events = "SELECT count(*) FROM events";
    let stored = desk.number(events);
    let again = desk.run(&["import", "traffic.ndjson"]);
    assert!(again.stderr.contains(" 0 events added"), "{}", again.stderr);
    assert_eq!(desk.number(events), stored);

    check_lease(&desk);
    check_import(&desk, reach);
}

/// Posts the traffic while facts are derived in the background, and stops with everything stored.
fn serve(desk: &Desk, traffic: &Path) {
    let service = desk.serve(&[
        "--token",
        TOKEN,
        "--flush-interval",
        "300ms",
        "--transform-every",
        "1s",
    ]);
    let lines = fs::read_to_string(traffic).expect("the traffic");
    deliver(&service.webhook, &bodies(&lines));
    assert_eq!(service.get("/readyz").0, 200);
    let log = service.log();
    assert_eq!(service.stop(), Some(0));
    assert!(!log.contains("\"ERROR\""), "{log}");
}

/// Of two transforms at once one waits for the other, and a killed one holds nobody up for long.
fn check_lease(desk: &Desk) {
    let rows = all_rows(desk);
    let start = || {
        let mut command = desk.command(&["transform", "--full"]);
        command.stderr(Stdio::null()).spawn().expect("a transform")
    };
    let end = |mut child: Child| child.wait().expect("a transform").success();
    thread::scope(|scope| {
        let both = [scope.spawn(|| end(start())), scope.spawn(|| end(start()))];
        for one in both {
            assert!(one.join().expect("a transform"), "a transform failed");
        }
    });
    let mut killed = start();
    thread::sleep(std::time::Duration::from_millis(500));
    killed.kill().expect("killing a transform");
    assert!(!end(killed), "the transform was done before it was killed");
    desk.ok(&["transform"]);
    assert_eq!(rows, all_rows(desk), "rows differ after a rebuild");
}

/// An import makes the same lake as the service.
fn check_import(desk: &Desk, (lake, environment): &Reach) {
    let other = Desk::on(&format!("{lake}-imported"), environment);
    other.ok(&["import", &desk.path("traffic.ndjson").display().to_string()]);
    other.ok(&["transform"]);
    assert_eq!(
        all_rows(desk),
        all_rows(&other),
        "an import gives other rows"
    );
}
