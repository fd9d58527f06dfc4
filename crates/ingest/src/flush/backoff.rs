//! How long to wait before the next attempt. Decides nothing else.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double up to half a minute, each shortened by a random part so that replicas do not march in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    random: u64,
}

impl Backoff {
    /// `seed` decides the random parts.
    pub fn new(seed: u64) -> Self {
        Self {
            next: FIRST,
            random: seed | 1,
        }
    }

    pub fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Between half and all of the current wait.
    pub fn wait(&mut self) -> Duration {
        // Xorshift: never zero, and as random as this needs.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let fraction = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        let wait = self.next.mul_f64(0.5 + fraction / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_start_anew_after_success() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<Duration> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST, "{waits:?}");
        assert!(
            waits[10..]
                .iter()
                .all(|wait| *wait >= LONGEST / 2 && *wait <= LONGEST),
            "{waits:?}"
        );
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }
}
