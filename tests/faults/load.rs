//! The platform as a client: every delivery is sent until it is acknowledged, through restarts and refusals.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::host::Process;
use crate::record::{Record, body};
use crate::support::wait;

const PAUSE: Duration = Duration::from_millis(10);
/// Traffic comes in bursts, so that logs are drained now and then.
const BURST_MS: u128 = 300;
/// Of so many deliveries of a mixed load one is followed by an earlier one, sent again.
const REPEATED: u64 = 8;

/// Senders at work.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Where to send; nowhere while nobody listens.
    url: Mutex<Option<String>>,
    stop: AtomicBool,
    began: Instant,
    padding: usize,
    repeats: bool,
    accepted: Mutex<Vec<u64>>,
    /// How much of the traffic given.
    posted: AtomicUsize,
    refused: AtomicU64,
}

impl Load {
    pub fn start() -> Load {
        Load::of(200, false, Vec::new())
    }

    /// Deliveries larger by so many bytes.
    pub fn padded(padding: usize) -> Load {
        Load::of(padding, false, Vec::new())
    }

    /// Some deliveries come again later; and a company's own traffic comes beside, in its order.
    pub fn mixed(traffic: Vec<String>) -> Load {
        Load::of(200, true, traffic)
    }

    fn of(padding: usize, repeats: bool, traffic: Vec<String>) -> Load {
        let shared = Arc::new(Shared {
            url: Mutex::new(None),
            stop: AtomicBool::new(false),
            began: Instant::now(),
            padding,
            repeats,
            accepted: Mutex::default(),
            posted: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        });
        static STARTED: AtomicU64 = AtomicU64::new(1);
        let sender = |_| {
            let first = STARTED.fetch_add(1, Ordering::Relaxed) * 10_000_000;
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.send(first))
        };
        let mut senders: Vec<_> = (0..4).map(sender).collect();
        if !traffic.is_empty() {
            let shared = Arc::clone(&shared);
            senders.push(thread::spawn(move || shared.post(&traffic)));
        }
        Load { senders, shared }
    }

    /// Sends to this service from now on.
    pub fn to(&self, service: &Process) {
        self.to_url(service.webhook());
    }

    pub fn to_url(&self, url: String) {
        *self
            .shared
            .url
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(url);
    }

    /// Sends nowhere.
    pub fn pause(&self) {
        *self
            .shared
            .url
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many deliveries of the traffic given are acknowledged.
    pub fn posted(&self) -> usize {
        self.shared.posted.load(Ordering::Relaxed)
    }

    pub fn padding(&self) -> usize {
        self.shared.padding
    }

    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// What is acknowledged by now.
    pub fn record(&self) -> Record {
        let accepted = self
            .shared
            .accepted
            .lock()
            .expect("a sender does not panic");
        Record::of(&accepted, self.shared.padding)
    }

    pub fn accepted(&self) -> usize {
        self.shared
            .accepted
            .lock()
            .expect("a sender does not panic")
            .len()
    }

    /// Waits until so many more are acknowledged.
    pub fn wait_accepted(&self, more: usize) {
        let enough = self.accepted() + more;
        wait("acknowledged deliveries", || self.accepted() >= enough);
    }

    /// Stops sending. What is under way is answered or given up; the record of all that was acknowledged.
    pub fn finish(self) -> Record {
        self.shared.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.join().expect("a sender");
        }
        let accepted = self
            .shared
            .accepted
            .lock()
            .expect("a sender does not panic");
        Record::of(&accepted, self.shared.padding)
    }
}

impl Shared {
    fn send(&self, first: u64) {
        let agent = agent();
        for delivery in first.. {
            while !self.is_accepted(&agent, &body(delivery, self.padding)) {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(PAUSE);
            }
            self.accepted
                .lock()
                .expect("a sender does not panic")
                .push(delivery);
            if self.repeats && delivery.is_multiple_of(REPEATED) {
                let earlier = first + delivery.wrapping_mul(7919) % (delivery - first + 1);
                self.is_accepted(&agent, &body(earlier, self.padding));
            }
        }
    }

    /// Posts the traffic, each delivery once the one before is acknowledged.
    fn post(&self, traffic: &[String]) {
        let agent = agent();
        for body in traffic {
            while !self.is_accepted(&agent, body) {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(PAUSE);
            }
            self.posted.fetch_add(1, Ordering::Relaxed);
            thread::sleep(2 * PAUSE);
        }
    }

    fn is_accepted(&self, agent: &ureq::Agent, body: &str) -> bool {
        let is_burst = (self.began.elapsed().as_millis() / BURST_MS).is_multiple_of(2);
        let url = self
            .url
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(url) = url.filter(|_| is_burst && !self.stop.load(Ordering::Relaxed)) else {
            return false;
        };
        match agent
            .post(&url)
            .header("Content-Type", "application/json")
            .send(body)
        {
            Ok(answer) if answer.status() == 200 => true,
            Ok(answer) => {
                assert_eq!(answer.status(), 503, "neither accepted nor refused");
                self.refused.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(_) => false,
        }
    }
}

/// Tells whoever works beside a test to end: set when dropped, also by a failed test, which would wait for ever.
pub struct Ending<'a>(pub &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into()
}
