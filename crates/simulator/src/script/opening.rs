//! How a session begins.

use crate::cast::{self, Agent};
use crate::event::{Event, Situation, What};
use crate::ledger::{ResponseClock, Session};
use crate::phrases;
use crate::script::{Listener, Role, Script};

/// What opens a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    NewChat,
    /// A closed chat, opened again with a startedChat.
    ReopenedByChat,
    /// A closed chat, opened again by nothing but the contact's message.
    ReopenedByMessage,
}

impl Script<'_> {
    /// The contact writes, and that creates the chat, in front of a flow.
    pub fn contact_opens_flow(&mut self, opening: Opening) {
        self.contact_opens(opening, Situation::Auto, true);
    }

    /// The contact writes, and that creates the chat, without a flow and in no queue.
    pub fn contact_opens_unattended(&mut self, opening: Opening) {
        self.contact_opens(opening, Situation::Auto, false);
    }

    /// The contact writes, and that puts the chat into the queue at once: entered as soon as the message shows it.
    pub fn contact_opens_queue(&mut self, opening: Opening) {
        self.contact_opens(opening, Situation::WaitForChat, false);
        let since = self.session_start();
        self.turn = Some(since);
        self.session().response_clock = ResponseClock::Since(since);
        self.enter_queue(since, "situation_seen");
    }

    /// An agent opens the chat and writes first.
    pub fn agent_opens(&mut self, agent: Agent) {
        let time = self.dispatch_time();
        self.created_at = time;
        self.begin_session(time);
        self.enter_situation(Situation::InChat);
        self.session().started_source = "startedChat";
        self.session().direction = "outbound";
        let started = self.event(What::StartedChat);
        let enters_at_once = self.chance(0.6);
        if enters_at_once {
            let entered = self.event(What::AgentEntered(agent));
            self.tell(time, vec![started, entered]);
            self.now = time;
            self.begin_segment(agent, time);
        } else {
            self.tell(time, vec![started]);
            self.now = time;
        }
        let enters_unseen = !enters_at_once && self.chance(0.3);
        if !enters_at_once && !enters_unseen {
            self.pass(1, 5);
            let time = self.tell_now(What::AgentEntered(agent));
            self.begin_segment(agent, time);
        }
        self.pass(2, 40);
        if enters_unseen {
            self.tag("agent_seen_by_message");
            self.begin_segment(agent, self.now);
        }
        let text = self.say(&phrases::CAMPAIGNS);
        self.agent_writes(text);
    }

    fn contact_opens(&mut self, opening: Opening, situation: Situation, with_flow: bool) {
        let new_contact = self.cast.contact.is_new && opening == Opening::NewChat;
        if new_contact {
            self.tell_about_contact(What::CreatedCustomer);
        }
        self.begin_session(self.now);
        self.enter_situation(situation);
        let time = self.dispatch_time();
        let text = self.say(&phrases::OPENINGS);
        let message = self.contact_message(text);
        self.note_contact_message(message, Listener::Nobody);
        let mut events = Vec::with_capacity(4);
        if opening != Opening::ReopenedByMessage {
            let started = self.started_chat(time);
            events.push(started);
            if time == self.now {
                self.session().started_source = "startedChat";
            } else if self.chance(0.2) {
                // The chat's creation and its first message often come apart.
                let started = std::mem::take(&mut events);
                self.tell(time, started);
            }
        }
        let copies = self.message_copies(message);
        events.extend(copies);
        if with_flow {
            let started = self.flow_starts(&cast::MENU, Role::Entry, time);
            events.push(started);
        }
        self.tell(time, events);
        self.now = time;
    }

    /// A startedChat of a queue may still say `auto`, but only where it is sure to be read before the message that shows the queue.
    fn started_chat(&mut self, time: i64) -> Event {
        let mut started = self.event(What::StartedChat);
        if self.situation == Situation::WaitForChat && time == self.now && self.chance(0.3) {
            started.situation = Situation::Auto;
        }
        started
    }

    fn begin_session(&mut self, started_at: i64) {
        let no = self.ledger.sessions.len() as u32 + 1;
        self.ledger
            .sessions
            .push(Session::new(no, started_at, self.department));
        self.agent = None;
        self.unanswered = false;
        self.turn = None;
    }

    /// When the session began; that is when the contact wrote, if the contact opened it.
    pub fn session_start(&mut self) -> i64 {
        self.session().started_at
    }
}
