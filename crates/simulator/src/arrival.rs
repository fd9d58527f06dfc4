//! How deliveries travel: most arrive within a second, some late, and some twice; and how all chats' deliveries become one stream in
//! order of arrival.
//!
//! Memory. Chats are written in the order of their starts, and no delivery arrives before its chat starts. So once the next chat
//! starts after the earliest arrival in the heap, that arrival can be given out. The heap therefore holds only what is on its way:
//! the deliveries of chats that have started and not all arrived, as small entries that point into the chat's script. The JSON is
//! written when a delivery leaves. What is in flight grows with the chats an hour, not with the chats in all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use chrono::DateTime;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::cast::Cast;
use crate::company;
use crate::event::Dispatch;
use crate::scenarios;
use crate::script::Script;
use crate::shapes;
use crate::world::World;
use crate::{Delivery, Options};

/// A few percent of deliveries arrive late; one in a hundred arrives again.
const LATE_SHARE: f64 = 0.03;
const AGAIN_SHARE: f64 = 0.01;

/// The deliveries of a simulation, in order of arrival.
pub struct Simulation {
    world: World,
    on_the_way: BinaryHeap<Reverse<Travelling>>,
    /// The next chat's index and its script, whose start says what can be given out before it.
    next_chat: Option<(u64, Arc<Written>)>,
    next_day: u32,
    sequence: u64,
}

/// What is left of a script once its truth is set aside.
struct Written {
    start: i64,
    cast: Cast,
    dispatches: Vec<Dispatch>,
}

/// Ordered by arrival; the sequence number makes the order of equals certain.
struct Travelling {
    received_at_ms: i64,
    sequence: u64,
    load: Load,
}

enum Load {
    OfChat { chat: Arc<Written>, dispatch: usize },
    OfCompany(Arc<str>),
}

impl Simulation {
    pub(crate) fn new(options: &Options) -> Self {
        let mut simulation = Simulation {
            world: World::new(options),
            on_the_way: BinaryHeap::new(),
            next_chat: None,
            next_day: 0,
            sequence: 0,
        };
        simulation.write_chat(0);
        simulation
    }

    /// How many deliveries are on their way.
    pub fn in_flight(&self) -> usize {
        self.on_the_way.len()
    }

    fn write_chat(&mut self, index: u64) {
        self.next_chat = (index < self.world.options.chats).then(|| {
            let mut script = Script::new(&self.world, index);
            let start = script.now();
            scenarios::play(&mut script);
            (
                index,
                Arc::new(Written {
                    start,
                    cast: script.cast,
                    dispatches: script.dispatches,
                }),
            )
        });
    }

    /// The earliest instant at which something not yet sent may arrive.
    fn next_start(&self) -> Option<i64> {
        let day = (self.next_day < self.world.options.days)
            .then(|| company::day_start(&self.world, self.next_day));
        let chat = self.next_chat.as_ref().map(|(_, chat)| chat.start);
        day.into_iter().chain(chat).min()
    }

    /// Sends whatever starts next: a day of the company, or a chat.
    fn send_next(&mut self) {
        let day_starts = company::day_start(&self.world, self.next_day);
        let chat_is_first = self
            .next_chat
            .as_ref()
            .is_some_and(|(_, chat)| chat.start < day_starts);
        if self.next_day < self.world.options.days && !chat_is_first {
            self.send_day();
        } else if let Some((index, chat)) = self.next_chat.take() {
            self.send_chat(index, chat);
            self.write_chat(index + 1);
        }
    }

    fn send_day(&mut self) {
        let mut stream = self.world.company_stream(self.next_day);
        for notice in company::day(&self.world, self.next_day, &mut stream) {
            let body: Arc<str> = notice.body.into();
            self.send(notice.time, &mut stream, || Load::OfCompany(body.clone()));
        }
        self.next_day += 1;
    }

    fn send_chat(&mut self, index: u64, chat: Arc<Written>) {
        let mut stream = self.world.arrival_stream(index);
        for (number, dispatch) in chat.dispatches.iter().enumerate() {
            self.send(dispatch.time, &mut stream, || Load::OfChat {
                chat: chat.clone(),
                dispatch: number,
            });
        }
    }

    fn send(&mut self, time: i64, stream: &mut ChaCha8Rng, load: impl Fn() -> Load) {
        let arrival = time * 1_000 + travel_ms(stream);
        self.arrive(arrival, load());
        if stream.random_bool(AGAIN_SHARE) {
            let again = arrival + stream.random_range(1_000..7_200_000);
            self.arrive(again, load());
        }
    }

    fn arrive(&mut self, received_at_ms: i64, load: Load) {
        self.sequence += 1;
        self.on_the_way.push(Reverse(Travelling {
            received_at_ms,
            sequence: self.sequence,
            load,
        }));
    }
}

/// From the dispatch to our server: half a second or so, or, when the platform has to try again, seconds to hours.
fn travel_ms(stream: &mut ChaCha8Rng) -> i64 {
    if !stream.random_bool(LATE_SHARE) {
        return stream.random_range(40..900);
    }
    match stream.random_range(0..10) {
        0..6 => stream.random_range(1_000..20_000),
        6..9 => stream.random_range(20_000..900_000),
        _ => stream.random_range(900_000..14_400_000),
    }
}

impl Iterator for Simulation {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        while let Some(start) = self.next_start() {
            let earliest = self
                .on_the_way
                .peek()
                .map(|Reverse(travelling)| travelling.received_at_ms);
            if earliest.is_some_and(|earliest| earliest < start * 1_000) {
                break;
            }
            self.send_next();
        }
        let Reverse(arrived) = self.on_the_way.pop()?;
        let body = match arrived.load {
            Load::OfChat { chat, dispatch } => shapes::envelope(
                &chat.dispatches[dispatch],
                &chat.cast,
                &self.world.options.token,
            ),
            Load::OfCompany(body) => body.to_string(),
        };
        let received_at =
            DateTime::from_timestamp_millis(arrived.received_at_ms).unwrap_or_default();
        Some(Delivery { received_at, body })
    }
}

impl Ord for Travelling {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.received_at_ms, self.sequence).cmp(&(other.received_at_ms, other.sequence))
    }
}

impl PartialOrd for Travelling {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Travelling {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Travelling {}
