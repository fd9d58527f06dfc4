//! Clients that do nothing keep nobody else from being served.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::serve::delivery;
use crate::support::{Desk, Service, TOKEN, post_for_answer};

const IDLE: u64 = 10_000;
/// Generous: the machine may be busy with other tests.
const LONGEST_ANSWER: Duration = Duration::from_secs(3);
const MOST_MEMORY: u64 = 512 << 20;

fn start(desk: &Desk) -> Service {
    desk.serve(&["--token", TOKEN, "--transform-every", "0"])
}

/// Posts as the platform does, each time by a new connection, while `others` go on; gives the longest wait.
fn served_meanwhile(service: &Service, others: impl FnOnce()) -> Duration {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let posting = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            let mut message = 0;
            while !ended.load(Ordering::Relaxed) || message < 50 {
                message += 1;
                let began = Instant::now();
                let answer = post_for_answer(&service.webhook, &delivery(1, message));
                assert_eq!(answer.status, 200, "of the well-behaved client");
                longest = longest.max(began.elapsed());
            }
            longest
        });
        {
            let _ending = Ending(&ended);
            others();
        }
        posting.join().expect("the well-behaved client")
    })
}

/// Set when dropped, also by a failed test, which would wait for the posts for ever.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn connect(service: &Service) -> TcpStream {
    let address = service.webhook.trim_start_matches("http://");
    let address = address.trim_end_matches("/webhook");
    TcpStream::connect(address).expect("a connection")
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_out() {
    let handles = rlimit::increase_nofile_limit(u64::MAX).expect("a limit of file handles");
    // As many as the test itself may hold.
    let count = IDLE.min(handles.saturating_sub(512));
    let desk = Desk::new();
    let service = start(&desk);
    let longest = served_meanwhile(&service, || {
        let idle: Vec<TcpStream> = (0..count).map(|_| connect(&service)).collect();
        thread::sleep(Duration::from_secs(1));
        drop(idle);
    });
    let peak = service.peak_memory();
    println!(
        "{count} idle connections: the longest answer took {longest:?}, peak memory {} MiB",
        peak >> 20
    );
    assert!(longest < LONGEST_ANSWER, "{longest:?}");
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
    assert_eq!(service.stop(), Some(0));
}
