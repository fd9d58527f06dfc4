//! How a session ends.

use crate::cast::{self, TABULATIONS};
use crate::event::{Answer, Event, Situation, What};
use crate::ledger::Reply;
use crate::phrases;
use crate::script::{Listener, Role, Script};

impl Script<'_> {
    /// The chat is closed, in one delivery after the events of `lead`.
    pub fn close(&mut self, outcome: &'static str, lead: Vec<Event>) {
        let time = self.dispatch_time();
        self.close_in(time, outcome, lead);
    }

    /// Closed in a delivery of `time`, which the events of `lead` may already name.
    fn close_in(&mut self, time: i64, outcome: &'static str, lead: Vec<Event>) {
        let (closed_at, turn) = (self.now, self.turn.take());
        self.enter_situation(Situation::Finishing);
        let tabulation = self
            .chance(0.6)
            .then(|| &TABULATIONS[self.between(0, TABULATIONS.len() as i64 - 1) as usize]);
        let session = self.session();
        session.outcome = outcome;
        session.closed_at = Some(closed_at);
        session.tabulation = tabulation;
        if let Some(waiting_since) = turn {
            session.replies.push(Reply {
                waiting_since,
                answer: None,
            });
        }
        if session
            .segments
            .last()
            .is_some_and(|segment| segment.end.is_none())
        {
            self.end_segment(closed_at, "closed", false);
        }
        let mut events = lead;
        events.push(self.event(What::ClosedChat {
            closed_at,
            tabulation,
        }));
        self.tell(time, events);
        self.now = time;
        self.agent = None;
        if self.chance(0.04) {
            self.bot_says_goodbye();
        }
    }

    /// The simulation ends before the session does: a question still open stays open.
    pub fn stays_open(&mut self) {
        if let Some(waiting_since) = self.turn.take() {
            self.session().replies.push(Reply {
                waiting_since,
                answer: None,
            });
        }
    }

    /// The agent has done the work: thanks, a survey, a farewell, or nothing but the close.
    pub fn handled_session_ends(&mut self) {
        if self.chance(0.3) {
            self.pass(3, 90);
            let text = self.say(&phrases::THANKS);
            self.contact_writes(text, Listener::Human);
        }
        self.pass(3, 120);
        match self.between(0, 9) {
            0..=1 => self.survey_without_answer(),
            2..=3 => self.survey_with_answer(),
            4 => self.survey_ignored(),
            5..=7 => {
                let text = self.say(&phrases::FAREWELLS);
                let farewell = self.agent_message_event(text);
                self.close("handled", vec![farewell]);
            }
            _ => self.close("handled", Vec::new()),
        }
    }

    /// An agent takes the chat from the queue and closes it, in one delivery.
    pub fn closed_on_entry(&mut self) {
        let agent = self.another_agent();
        let time = self.dispatch_time();
        self.enter_situation(Situation::InChat);
        let entered = self.event(What::AgentEntered(agent));
        self.answered_at(time, "agentEntered", agent);
        self.close_in(time, "handled", vec![entered]);
    }

    /// The exit flow says its word and the chat is closed, all in one delivery.
    fn survey_without_answer(&mut self) {
        self.tag("exit_flow_at_once");
        let time = self.dispatch_time();
        self.enter_situation(Situation::Auto);
        let started = self.flow_starts(&cast::SURVEY, Role::Exit, time);
        let finished = self.flow_finishes(Vec::new(), "completed", time);
        self.close_in(time, "handled", vec![started, finished]);
    }

    /// The contact rates the service, the flow finishes, the chat is closed.
    fn survey_with_answer(&mut self) {
        self.tag("exit_flow_answered");
        self.survey_asks();
        self.pass(5, 200);
        let text = self.say(&["10", "9", "8 🙂", "0", "⭐⭐⭐⭐"]);
        self.contact_writes(text, Listener::Flow);
        self.pass(1, 2);
        let text = self.say(&phrases::GOODBYES);
        self.bot_writes(text);
        self.pass(1, 3);
        let score = Answer::Number(self.between(0, 10));
        let time = self.dispatch_time();
        let finished = self.flow_finishes(
            vec![
                ("csat.nota", score),
                ("csat.comentário", Answer::Text("ótimo \\o/")),
            ],
            "completed",
            time,
        );
        if self.chance(0.5) {
            self.close_in(time, "handled", vec![finished]);
        } else {
            self.tell(time, vec![finished]);
            self.now = time;
            self.pass(1, 4);
            self.close("handled", Vec::new());
        }
    }

    /// The contact never rates, and the chat is closed under the running flow.
    fn survey_ignored(&mut self) {
        self.tag("exit_flow_dropped");
        self.survey_asks();
        self.run_ends_as("dropped");
        self.pass(600, 3_600);
        self.close("handled", Vec::new());
    }

    fn survey_asks(&mut self) {
        let time = self.dispatch_time();
        self.enter_situation(Situation::Auto);
        let started = self.flow_starts(&cast::SURVEY, Role::Exit, time);
        self.tell(time, vec![started]);
        self.now = time;
        self.pass(1, 2);
        let text = self.say(&phrases::SURVEYS);
        self.bot_writes(text);
    }
}
