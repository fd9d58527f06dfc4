//! Several services fill one lake, each with a log of its own. One loses its disk, one is killed and comes
//! again: what the others and the restarted one acknowledged is there, once. What is sent to all of them counts once.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::comparison::all_rows;
use crate::servers::{Seaweed, desk};
use crate::support::{Desk, Service, TOKEN, bodies};
use crate::traffic::{APART, Load, Tally, deliver};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn of_several_services_only_one_that_loses_its_disk_loses_anything_and_only_its_end() {
    let store = Seaweed::start();
    let desks = [0, 1, 2].map(|_| desk(&store.reach()));
    let loads = [0, 100, 200].map(Load::from);
    let [steady, disk_lost, killed] = &desks;
    thread::scope(|scope| {
        let services = desks.each_ref().map(serve);
        let _endings = loads.each_ref().map(Load::ending);
        for (load, service) in loads.iter().zip(&services) {
            load.run(scope, &service.webhook);
        }
        let [steady_service, disk_lost_service, killed_service] = services;
        thread::sleep(3 * SECOND);
        disk_lost_service.kill();
        loads[1].end();
        fs::remove_dir_all(disk_lost.path("wal")).expect("losing a disk");
        killed_service.kill();
        loads[2].end();
        thread::sleep(SECOND);
        let again = serve(killed);
        loads[2].go_on();
        loads[2].run(scope, &again.webhook);
        thread::sleep(3 * SECOND);
        loads.iter().for_each(Load::end);
        // The clients' last requests are answered before anybody stops.
        thread::sleep(SECOND);
        assert_eq!(steady_service.stop(), Some(0));
        assert_eq!(again.stop(), Some(0));
    });
    steady.ok(&["transform"]);
    for (name, load) in ["steady", "killed and restarted"]
        .iter()
        .zip([&loads[0], &loads[2]])
    {
        let tally = load.tally(steady);
        println!("{name} of three services: {tally} of all");
        tally.check();
    }
    let tally = loads[1].tally(steady);
    println!("the one without its disk: {tally} of all");
    assert!(tally.acknowledged > 100, "hardly anything was accepted");
    check_only_ends_are_lost(&tally);
}

/// As a platform does that got no answer from one, and asks the next.
#[test]
fn what_is_delivered_to_several_services_is_counted_once() {
    let store = Seaweed::start();
    let desks = [0, 1, 2].map(|_| desk(&store.reach()));
    let lake = &desks[0];
    let path = lake.generate("traffic.ndjson", &["--chats", "60", "--days", "2"]);
    let bodies = bodies(&fs::read_to_string(&path).expect("the traffic"));
    let services = desks.each_ref().map(serve);
    thread::scope(|scope| {
        for service in &services {
            scope.spawn(|| deliver(&service.webhook, &bodies));
        }
    });
    for service in services {
        assert_eq!(service.stop(), Some(0));
    }
    lake.ok(&["transform"]);

    let once = Desk::new();
    once.ok(&["import", &path.display().to_string()]);
    once.ok(&["transform"]);
    let expected = all_rows(&once);
    let facts = |rows: &[String]| {
        let rows = rows.iter().filter(|row| !row.starts_with("coverage "));
        rows.cloned().collect::<Vec<_>>()
    };
    assert!(
        facts(&all_rows(lake)) == facts(&expected),
        "a fact counts a copy"
    );

    let counts = || {
        let counts = lake.rows("SELECT count(*), count(DISTINCT event_id) FROM events");
        [0, 1].map(|column| counts[0][column].as_u64().expect("a count"))
    };
    let [rows, events] = counts();
    let copies = rows - events;
    assert!(copies > 0, "no service stored what another had");
    let told = format!("{copies} rows repeat an event");
    let verified = lake.ok(&["verify"]);
    assert!(verified.contains(&told), "{verified}");
    let maintained = lake.ok(&["maintain"]);
    let dropped = format!("{copies} copies of events were dropped");
    assert!(maintained.contains(&dropped), "{maintained}");
    lake.ok(&["transform"]);
    let [rows, _] = counts();
    assert!(all_rows(lake) == expected, "a row differs");
    let accepted = once.number("SELECT count(*) FROM events") as u64;
    println!(
        "delivered to three services: accepted {accepted}, in the lake {events}, lost {}, doubled {}; {copies} copies \
         were told and dropped",
        accepted - events,
        rows - events
    );
    assert_eq!((events, rows), (accepted, accepted));
}

fn serve(desk: &Desk) -> Service {
    desk.serve(&[
        "--token",
        TOKEN,
        "--flush-interval",
        "200ms",
        "--transform-every",
        "0",
    ])
}

/// Each client's messages are stored in its order: whatever is lost is newer than all that is stored.
fn check_only_ends_are_lost(tally: &Tally) {
    for lost in &tally.lost {
        let client = lost / APART;
        let later = tally.stored.range(lost..&((client + 1) * APART)).next();
        assert_eq!(later, None, "{lost} is lost, but a later one is stored");
    }
    let per_client = tally.lost.len() as u64 / 4;
    assert!(per_client < 400, "lost more than what was not flushed yet");
}
