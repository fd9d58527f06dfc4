//! The platform as a client: every delivery is sent until it is acknowledged, through restarts and refusals.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::host::Process;
use crate::record::{Record, body};
use crate::support::wait;

const PAUSE: Duration = Duration::from_millis(10);
/// Traffic comes in bursts, so that logs are drained now and then.
const BURST_MS: u128 = 300;

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
    accepted: Mutex<Vec<u64>>,
    refused: AtomicU64,
}

impl Load {
    pub fn start() -> Load {
        Load::padded(200)
    }

    /// Deliveries larger by so many bytes.
    pub fn padded(padding: usize) -> Load {
        let shared = Arc::new(Shared {
            url: Mutex::new(None),
            stop: AtomicBool::new(false),
            began: Instant::now(),
            padding,
            accepted: Mutex::default(),
            refused: AtomicU64::new(0),
        });
        static STARTED: AtomicU64 = AtomicU64::new(1);
        let sender = |_| {
            let first = STARTED.fetch_add(1, Ordering::Relaxed) * 10_000_000;
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.send(first))
        };
        Load {
            senders: (0..4).map(sender).collect(),
            shared,
        }
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
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        for delivery in first.. {
            let body = body(delivery, self.padding);
            while !self.is_accepted(&agent, &body) {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(PAUSE);
            }
            self.accepted
                .lock()
                .expect("a sender does not panic")
                .push(delivery);
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
