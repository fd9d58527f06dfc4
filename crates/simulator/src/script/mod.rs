//! A chat's script while it is being written: the clock, what the events show, and the two things every step does, which is
//! emitting events (`tell`) and noting what happened (`ledger`). The steps are in the submodules.
//!
//! Two habits keep the truth beyond doubt. A fact that only an event shows has the event's envelope `time`, which is the fact's
//! own instant plus the dispatch lag; a message has its `send_at`. And the clock moves past the last envelope before the next
//! fact, so that instants order the events as the script does.

mod ending;
mod flow;
mod opening;
mod queue;
mod talk;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub use flow::Role;
pub use opening::Opening;
pub use queue::Queued;
pub use talk::Listener;

use crate::cast::{Agent, Cast, DEPARTMENTS, Department, Step};
use crate::event::{Dispatch, Event, Situation, What};
use crate::ledger::{Ledger, Session};
use crate::phrases::Text;
use crate::world::World;

/// More messages than any script sends, so that message ids never meet.
const MESSAGES_PER_CHAT: i64 = 1_000;

pub struct Script<'a> {
    pub world: &'a World,
    pub cast: Cast,
    pub dispatches: Vec<Dispatch>,
    pub ledger: Ledger,
    random: ChaCha8Rng,
    /// The last instant that anything happened.
    now: i64,
    situation: Situation,
    department: Option<&'static Department>,
    step: Option<&'static Step>,
    agent: Option<Agent>,
    next_message: i64,
    created_at: i64,
    /// The contact wrote and neither bot nor agent has answered; only read when a human becomes due.
    unanswered: bool,
    /// Since when the contact waits for a human's answer.
    turn: Option<i64>,
}

impl<'a> Script<'a> {
    pub fn new(world: &'a World, chat: u64) -> Self {
        let mut random = world.script_stream(chat);
        let now = world.chat_start(chat, &mut random);
        let department = random
            .random_bool(0.4)
            .then(|| &DEPARTMENTS[random.random_range(0..DEPARTMENTS.len())]);
        Script {
            world,
            cast: Cast::draw(chat, world.options.chats, &mut random),
            dispatches: Vec::with_capacity(16),
            ledger: Ledger::default(),
            random,
            now,
            situation: Situation::Auto,
            department,
            step: None,
            agent: None,
            next_message: 420_000_000 + chat as i64 * MESSAGES_PER_CHAT,
            created_at: now,
            unanswered: false,
            turn: None,
        }
    }

    pub fn now(&self) -> i64 {
        self.now
    }

    pub fn tag(&mut self, name: &'static str) {
        self.ledger.tags.push(name);
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        self.random.random_range(least..=most.max(least))
    }

    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.random_range(0..choices.len())]
    }

    pub fn say(&mut self, templates: &[&'static str]) -> Text {
        Text {
            template: self.choose(templates),
            number: self.random.random_range(2..99_999),
        }
    }

    /// Lets time pass: always more than the clock's second, so that no two steps share an instant.
    pub fn pass(&mut self, least: i64, most: i64) {
        self.now += self.between(least.max(1), most);
    }

    /// An agent other than the one who is in the chat.
    pub fn another_agent(&mut self) -> Agent {
        let number = self.random.random_range(0..self.world.agents);
        match self.agent {
            Some(agent) if agent.0 == number => Agent((number + 1) % self.world.agents),
            _ => Agent(number),
        }
    }

    fn other_department(&mut self) -> &'static Department {
        let number = self.random.random_range(0..DEPARTMENTS.len());
        match self.department {
            Some(department) if department.id == DEPARTMENTS[number].id => {
                &DEPARTMENTS[(number + 1) % DEPARTMENTS.len()]
            }
            _ => &DEPARTMENTS[number],
        }
    }

    fn session(&mut self) -> &mut Session {
        self.ledger
            .sessions
            .last_mut()
            .expect("every scenario opens a session first")
    }

    /// An event that shows the chat as it is now.
    fn event(&mut self, what: What) -> Event {
        Event {
            what,
            situation: self.situation,
            department: self.department,
            step: self.step,
            spelling: self.random.random(),
        }
    }

    /// The envelope's time for something that happens now: 0 to 2 s later.
    fn dispatch_time(&mut self) -> i64 {
        self.now + self.choose(&[0, 0, 0, 1, 1, 2])
    }

    /// Sends events of this chat in one delivery and counts them for the session.
    fn tell(&mut self, time: i64, events: Vec<Event>) {
        let session = self.session();
        session.events += events.len() as u32;
        for event in &events {
            let at = event.what.occurred_at().unwrap_or(time);
            let (first, last) = session.told.unwrap_or((at, at));
            session.told = Some((first.min(at), last.max(at.min(time))));
            session.shows_channel |= matches!(event.what, What::StartedChat | What::LeftQueue(_));
        }
        self.dispatches.push(Dispatch { time, events });
    }

    /// Sends one event now, and moves the clock to its envelope time, which is returned.
    fn tell_now(&mut self, what: What) -> i64 {
        let event = self.event(what);
        let time = self.dispatch_time();
        self.tell(time, vec![event]);
        self.now = time;
        time
    }

    /// Sends an event about the contact, which belongs to no chat.
    fn tell_about_contact(&mut self, what: What) {
        let event = self.event(what);
        let time = self.dispatch_time();
        self.dispatches.push(Dispatch {
            time,
            events: vec![event],
        });
    }

    /// Somebody corrects the contact's record.
    pub fn contact_is_updated(&mut self) {
        self.tag("contact_updated");
        self.tell_about_contact(What::UpdatedCustomer);
    }

    pub fn is_closed(&self) -> bool {
        self.ledger
            .sessions
            .last()
            .is_some_and(|session| session.closed_at.is_some())
    }

    fn enter_situation(&mut self, situation: Situation) {
        self.situation = situation;
        self.session().state = if situation == Situation::Finishing {
            "closed"
        } else {
            situation.name()
        };
    }

    /// From `at` a human owes the contact an answer; what is still unanswered begins the turn.
    fn human_is_due(&mut self, at: i64) {
        if self.unanswered {
            self.turn.get_or_insert(at);
        }
    }
}
