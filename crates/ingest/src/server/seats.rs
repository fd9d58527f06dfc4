//! Who is connected, up to a limit; and when all seats are taken, who leaves for a newcomer: whoever has
//! waited longest for its own next request, else whoever has been longest about sending one. So clients that
//! do nothing, or next to nothing, keep nobody out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// A body that takes longer may have to make room.
const PATIENCE: Duration = Duration::from_secs(1);
/// When room is made, it is made for this part of all, so that looking for it stays cheap.
const CLEARED_PART: usize = 16;

/// The seats of one listener.
#[derive(Debug)]
pub(super) struct Seats {
    limit: usize,
    taken: Mutex<Taken>,
    began: Instant,
}

#[derive(Debug, Default)]
struct Taken {
    places: HashMap<u64, Arc<Place>>,
    next: u64,
}

/// A taken seat; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    pub place: Arc<Place>,
}

/// What the connection on a seat is about.
#[derive(Debug)]
pub(super) struct Place {
    began: Instant,
    /// Milliseconds since `began`, times four, plus the stage.
    state: AtomicU64,
    leave: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Between requests, or still sending headers.
    Waiting = 0,
    /// Sending a body.
    Sending = 1,
    /// All of the request is here, and is being answered.
    Answered = 2,
}

impl Seats {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            taken: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// A seat; `None` if all are taken by requests that are worth waiting for.
    pub fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.lock();
        if taken.places.len() >= self.limit {
            self.make_room(&mut taken.places);
        }
        if taken.places.len() >= self.limit {
            return None;
        }
        taken.next += 1;
        let number = taken.next;
        let place = Arc::new(Place {
            began: self.began,
            state: AtomicU64::new(0),
            leave: Notify::new(),
        });
        place.enter(Stage::Waiting);
        taken.places.insert(number, Arc::clone(&place));
        Some(Seat {
            seats: Arc::clone(self),
            number,
            place,
        })
    }

    /// The seats of those who are asked to leave count as free at once.
    fn make_room(&self, places: &mut HashMap<u64, Arc<Place>>) {
        let impatient = self.began.elapsed().saturating_sub(PATIENCE);
        let mut idle: Vec<_> = places
            .iter()
            .map(|(number, place)| (place.stage_since(), *number))
            .filter(|((stage, since), _)| match stage {
                Stage::Waiting => true,
                Stage::Sending => *since < impatient,
                Stage::Answered => false,
            })
            .collect();
        let most = idle.len().min(self.limit.div_ceil(CLEARED_PART));
        if most == 0 {
            return;
        }
        idle.select_nth_unstable_by_key(most - 1, |((stage, since), _)| (*stage, *since));
        for (_, number) in &idle[..most] {
            if let Some(place) = places.remove(number) {
                place.leave.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().places.remove(&self.number);
    }
}

impl Place {
    /// Headers are here.
    pub fn request_began(&self) {
        self.enter(Stage::Sending);
    }

    /// The whole body is here.
    pub fn request_is_here(&self) {
        self.enter(Stage::Answered);
    }

    pub fn request_ended(&self) {
        self.enter(Stage::Waiting);
    }

    /// Resolves when the seat has gone to somebody else.
    pub async fn leave(&self) {
        self.leave.notified().await;
    }

    fn enter(&self, stage: Stage) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.state
            .store(since << 2 | stage as u64, Ordering::Relaxed);
    }

    fn stage_since(&self) -> (Stage, Duration) {
        let state = self.state.load(Ordering::Relaxed);
        let stage = match state & 3 {
            0 => Stage::Waiting,
            1 => Stage::Sending,
            _ => Stage::Answered,
        };
        (stage, Duration::from_millis(state >> 2))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn is_asked_to_leave(seat: &Seat) -> bool {
        seat.place.leave().now_or_never().is_some()
    }

    #[test]
    fn whoever_waits_longest_leaves_for_a_newcomer() {
        let seats = Seats::new(2);
        let first = seats.take().unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let second = seats.take().unwrap();
        let third = seats.take().unwrap();
        assert!(is_asked_to_leave(&first));
        assert!(!is_asked_to_leave(&second) && !is_asked_to_leave(&third));
        // That the first is gone frees no seat: it had none any more.
        drop(first);
        third.place.request_began();
        second.place.request_is_here();
        assert!(seats.take().is_none());
        drop(second);
        assert!(seats.take().is_some());
    }

    #[test]
    fn a_body_that_dribbles_leaves_when_nobody_waits() {
        let seats = Seats::new(2);
        let [slow, busy] = [(); 2].map(|()| seats.take().unwrap());
        slow.place.request_began();
        busy.place.request_is_here();
        assert!(seats.take().is_none());
        std::thread::sleep(PATIENCE + Duration::from_millis(20));
        assert!(seats.take().is_some());
        assert!(is_asked_to_leave(&slow) && !is_asked_to_leave(&busy));
    }
}
