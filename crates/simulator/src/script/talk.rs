//! Who writes to whom.

use crate::event::{Author, Event, Message, Situation, What};
use crate::ledger::{Reply, Sent};
use crate::phrases::{self, Text};
use crate::script::Script;

/// Whom the contact's message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Nobody is there yet.
    Nobody,
    Flow,
    /// The contact waits in the queue or an agent is in: a human has to answer.
    Human,
}

impl Script<'_> {
    pub fn contact_writes(&mut self, text: Text, listener: Listener) {
        let message = self.contact_message(text);
        self.note_contact_message(message, listener);
        let mut copies = self.message_copies(message);
        let time = self.dispatch_time();
        if copies.len() == 2 && self.chance(0.15) {
            // The two subscribed events of one message come in a delivery each.
            let copy = copies.split_off(1);
            self.tell(time, copies);
            let time = self.dispatch_time();
            self.tell(time, copy);
        } else if copies.len() == 1 && self.chance(0.005) {
            self.tag("late_dispatch");
            let time = time + self.between(300, 1_500);
            self.tell(time, copies);
        } else {
            self.tell(time, copies);
        }
    }

    pub fn bot_writes(&mut self, text: Text) {
        let message = self.message(Author::Bot, text);
        self.session().bot_messages += 1;
        self.unanswered = false;
        self.note(message);
        self.tell_message(What::ReceivedAllMessage(message));
    }

    /// The agent who is in the chat writes to the contact, which answers whatever was open.
    pub fn agent_writes(&mut self, text: Text) {
        let event = self.agent_message_event(text);
        let copy = match &event.what {
            What::SentAllMessage(message) if self.random_copy() => {
                Some(What::ReceivedAllMessage(*message))
            }
            _ => None,
        };
        let mut events = vec![event];
        if let Some(copy) = copy {
            let copy = self.event(copy);
            events.push(copy);
        }
        let time = self.dispatch_time();
        self.tell(time, events);
    }

    /// The agent's message as an event, for a delivery that carries more.
    pub(super) fn agent_message_event(&mut self, text: Text) -> Event {
        let agent = self
            .agent
            .expect("a scenario lets an agent write only after one came in");
        let message = self.message(Author::Agent(agent), text);
        let (turn, department) = (self.turn.take(), self.department);
        let session = self.session();
        session.agent_messages += 1;
        session.first_agent_message.get_or_insert(message.sent_at);
        if let Some(waiting_since) = turn {
            session.replies.push(Reply {
                waiting_since,
                answer: Some((message.sent_at, agent, department)),
            });
        }
        self.unanswered = false;
        self.note(message);
        self.event(What::SentAllMessage(message))
    }

    /// A note among agents, which answers nobody.
    pub fn agent_notes(&mut self) {
        let agent = self
            .agent
            .expect("a scenario lets an agent write only after one came in");
        self.tag("internal_message");
        self.pass(2, 30);
        let text = self.say(&phrases::NOTES);
        let mut message = self.message(Author::Agent(agent), text);
        message.is_internal = true;
        message.has_file = false;
        self.session().internal_messages += 1;
        self.note(message);
        self.tell_message(What::NewInternalMessage(message));
    }

    /// The agent greets, and then contact and agent write in turns.
    pub fn converse(&mut self, rounds: i64) {
        self.pass(2, 45);
        let text = self.say(&phrases::GREETINGS);
        self.agent_writes(text);
        self.exchange(rounds);
    }

    /// Contact and agent write in turns; the agent has the last word.
    pub fn exchange(&mut self, rounds: i64) {
        for _ in 0..rounds {
            self.pass(5, 240);
            let text = self.say(&phrases::QUESTIONS);
            self.contact_writes(text, Listener::Human);
            if self.chance(0.25) {
                self.pass(2, 20);
                let text = self.say(&phrases::IMPATIENCE);
                self.contact_writes(text, Listener::Human);
            }
            if self.chance(0.08) {
                self.agent_notes();
            }
            self.pass(5, 150);
            let text = self.say(&phrases::REPLIES);
            self.agent_writes(text);
            if self.chance(0.2) {
                self.pass(2, 25);
                let text = self.say(&phrases::REPLIES);
                self.agent_writes(text);
            }
        }
    }

    pub(super) fn contact_message(&mut self, text: Text) -> Message {
        self.message(Author::Contact, text)
    }

    pub(super) fn note_contact_message(&mut self, message: Message, listener: Listener) {
        self.session().contact_messages += 1;
        self.unanswered = true;
        if listener == Listener::Human {
            self.turn.get_or_insert(message.sent_at);
        }
        self.note(message);
    }

    /// The events that carry a contact's message: both subscribed ones while no agent is in, otherwise receivedAllMessage.
    pub(super) fn message_copies(&mut self, message: Message) -> Vec<Event> {
        let all = self.event(What::ReceivedAllMessage(message));
        if self.situation == Situation::InChat {
            return vec![all];
        }
        match self.between(0, 9) {
            0 => vec![all],
            _ => vec![self.event(What::ReceivedMessage(message)), all],
        }
    }

    pub(super) fn message(&mut self, author: Author, text: Text) -> Message {
        let id = self.next_message;
        self.next_message += 1;
        let has_file = author != Author::Bot && self.chance(0.04);
        Message {
            id,
            author,
            agent_in: self.agent,
            text,
            has_file,
            is_internal: false,
            sent_at: self.now,
        }
    }

    fn note(&mut self, message: Message) {
        let (session, department) = (self.session().no, self.department);
        self.ledger.messages.push(Sent {
            session,
            message,
            department,
        });
    }

    fn tell_message(&mut self, what: What) {
        let event = self.event(what);
        let time = self.dispatch_time();
        self.tell(time, vec![event]);
    }

    fn random_copy(&mut self) -> bool {
        self.chance(0.1)
    }

    /// After the close the platform may still send a word; it belongs to the closed session.
    pub(super) fn bot_says_goodbye(&mut self) {
        self.tag("message_after_close");
        self.pass(1, 3);
        let text = self.say(&phrases::FAREWELLS);
        self.bot_writes(text);
    }
}
