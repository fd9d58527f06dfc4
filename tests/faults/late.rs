//! Whoever is held up for long, and is overtaken meanwhile.

use std::time::Duration;

use crate::disk::start_injected;
use crate::host::Host;
use crate::load::Load;
use crate::support::wait;

/// Between looking where the log's next entry belongs and putting it there, the service is held up; meanwhile others
/// commit, and the log is cleaned.
#[test]
fn a_commit_that_finds_the_log_cleaned_meanwhile_is_made_again() {
    let host = Host::new();
    let entry = |version: u64| {
        host.lake
            .join(format!("events/_delta_log/{version:020}.json"))
    };
    let held_up = entry(3);
    let held_up = held_up.to_str().expect("a path in UTF-8");
    let delay = format!(
        "inject=linkat:delay_enter={}",
        Duration::from_secs(10).as_micros()
    );
    let service = start_injected(&host, &["-P", held_up, "-e", "trace=linkat", "-e", &delay]);
    let load = Load::start();
    load.to(&service);
    wait("the commit before", || entry(2).exists());
    load.wait_accepted(100);
    let other = host.beside();
    let overtaking = other.start();
    let others_load = Load::start();
    others_load.to(&overtaking);
    wait("commits after it", || entry(16).exists());
    others_load.pause();
    overtaking.stop_drained(&other);
    host.run(&["maintain", "--vacuum-older-than", "0s"]);
    assert!(!entry(3).exists(), "the log was not cleaned in time");
    wait("the late commit", || {
        service.log().contains("has come so late")
    });
    load.pause();
    service.stop_drained(&host);
    assert!(!entry(3).exists());
    let record = load.finish().and(others_load.finish());
    record.check(
        "a commit overtaken by others and by the cleaning of the log",
        &host,
    );
}
