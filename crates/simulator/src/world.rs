//! What all chats of one simulation share: the options, the calendar, the size of the staff, and the random streams.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Options;
use crate::clock::Calendar;

pub struct World {
    pub options: Options,
    pub calendar: Calendar,
    /// How many agents the company has.
    pub agents: u32,
}

impl World {
    pub fn new(options: &Options) -> Self {
        let per_day = options.chats / u64::from(options.days.max(1));
        World {
            options: options.clone(),
            calendar: Calendar::new(options.first_day, options.days),
            agents: (per_day / 60).clamp(8, 2_000) as u32,
        }
    }

    /// What happens in a chat is drawn from this stream.
    pub fn script_stream(&self, chat: u64) -> ChaCha8Rng {
        self.stream(chat * 2)
    }

    /// How a chat's deliveries travel is drawn from this stream, so that the truth needs no travelling.
    pub fn arrival_stream(&self, chat: u64) -> ChaCha8Rng {
        self.stream(chat * 2 + 1)
    }

    /// What happens in the company on a day, apart from chats, and how the news of it travels.
    pub fn company_stream(&self, day: u32) -> ChaCha8Rng {
        self.stream(u64::MAX - u64::from(day))
    }

    /// When a chat starts: never before the chat of the index below it.
    pub fn chat_start(&self, chat: u64, stream: &mut ChaCha8Rng) -> i64 {
        let within: f64 = stream.random();
        self.calendar
            .instant((chat as f64 + within) / self.options.chats.max(1) as f64)
    }

    fn stream(&self, number: u64) -> ChaCha8Rng {
        let mut stream = ChaCha8Rng::seed_from_u64(self.options.seed);
        stream.set_stream(number);
        stream
    }
}
