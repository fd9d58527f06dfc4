//! What flows do: start, ask, change the department, finish.

use std::sync::Arc;

use rand::RngExt;

use crate::cast::{self, Flow};
use crate::event::{Answer, Event, FlowCall, FlowToken, What};
use crate::ledger::Run;
use crate::phrases;
use crate::script::{Listener, Script};

/// Where in its session a flow runs. The scenario knows, since it decides what comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Entry,
    Mid,
    Exit,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Entry => "entry",
            Role::Mid => "mid",
            Role::Exit => "exit",
        }
    }
}

impl Script<'_> {
    /// Begins a run in a delivery of `time`.
    pub(super) fn flow_starts(&mut self, flow: &'static Flow, role: Role, time: i64) -> Event {
        let token = match self.between(0, 9) {
            0 => FlowToken::Absent,
            1 => FlowToken::Other(self.random.random_range(1..9_999)),
            _ => FlowToken::Uuid(self.random.random()),
        };
        let session = self.session();
        session.flow_runs += 1;
        let session = session.no;
        self.ledger.runs.push(Run {
            session,
            flow,
            token,
            role: role.name(),
            started_at: time,
            finished_at: None,
            outcome: "open",
            answers: Arc::from([]),
        });
        let created_at = self.shown_creation();
        self.event(What::StartedFlow(FlowCall {
            flow,
            token,
            answers: Arc::from([]),
            created_at,
            agent: None,
        }))
    }

    /// Ends the latest run in a delivery of `time`.
    pub(super) fn flow_finishes(
        &mut self,
        answers: Vec<(&'static str, Answer)>,
        outcome: &'static str,
        time: i64,
    ) -> Event {
        let answers: Arc<[_]> = answers.into();
        let run = self
            .ledger
            .runs
            .last_mut()
            .expect("a scenario finishes only a flow it started");
        run.finished_at = Some(time);
        run.outcome = outcome;
        run.answers = answers.clone();
        let (flow, token) = (run.flow, run.token);
        let created_at = self.shown_creation();
        self.event(What::FinishedFlow(FlowCall {
            flow,
            token,
            answers,
            created_at,
            agent: self.agent,
        }))
    }

    /// A flow without end: what becomes of it is the scenario's to say.
    pub fn run_ends_as(&mut self, outcome: &'static str) {
        self.ledger
            .runs
            .last_mut()
            .expect("a scenario speaks of a flow it started")
            .outcome = outcome;
    }

    /// The bot greets, asks, and listens a few times. It has the last word.
    pub fn bot_interviews(&mut self) {
        self.pass(1, 4);
        let text = self.say(&phrases::MENUS);
        self.bot_writes(text);
        for _ in 0..self.between(0, 2) {
            self.pass(4, 60);
            let text = self.say(&phrases::CHOICES);
            self.contact_writes(text, Listener::Flow);
            self.pass(1, 4);
            let text = self.say(&phrases::BOT_ANSWERS);
            self.bot_writes(text);
        }
    }

    /// The contact's last choice, to which the bot says nothing more.
    pub fn contact_chooses(&mut self) {
        self.pass(4, 60);
        let text = self.say(&phrases::CHOICES);
        self.contact_writes(text, Listener::Flow);
    }

    /// The flow's menu sets the department, well before the flow finishes.
    pub fn flow_sets_department(&mut self) {
        self.tag("department_by_flow");
        self.pass(1, 3);
        let department = self.other_department();
        self.change_department(Some(department));
        self.pass(1, 3);
    }

    /// The entry flow finishes; `outcome` says what follows. Returns the instant the finish shows.
    pub fn entry_flow_finishes(&mut self, outcome: &'static str) -> i64 {
        self.pass(1, 6);
        let time = self.dispatch_time();
        let answers = self.interview_answers();
        let finished = self.flow_finishes(answers, outcome, time);
        self.tell(time, vec![finished]);
        self.now = time;
        time
    }

    /// A second entry flow takes over from the first, in a delivery of its own.
    pub fn next_entry_flow(&mut self) {
        self.pass(1, 3);
        let time = self.dispatch_time();
        let started = self.flow_starts(&cast::SECOND_MENU, Role::Entry, time);
        self.tell(time, vec![started]);
        self.now = time;
    }

    /// The agent sends the contact a form, which runs while the agent stays, and goes on writing afterwards.
    pub fn agent_runs_form(&mut self) {
        self.tag("mid_flow");
        self.pass(5, 60);
        let time = self.dispatch_time();
        let started = self.flow_starts(&cast::FORM, Role::Mid, time);
        self.tell(time, vec![started]);
        self.now = time;
        self.pass(1, 3);
        let text = self.say(&phrases::BOT_ANSWERS);
        self.bot_writes(text);
        self.pass(2, 20);
        let time = self.dispatch_time();
        let finished = self.flow_finishes(
            vec![("formulario.enviado", Answer::Text("sim"))],
            "completed",
            time,
        );
        self.tell(time, vec![finished]);
        self.now = time;
        self.pass(3, 60);
        let text = self.say(&phrases::REPLIES);
        self.agent_writes(text);
    }

    /// Some flows show when the chat was created. Only in its first session, which that date tells the start of.
    fn shown_creation(&mut self) -> Option<i64> {
        let shows = self.chance(0.4) && self.session().no == 1;
        if shows && self.session().started_source == "first_event" {
            self.session().started_source = "chat_created_date";
        }
        shows.then_some(self.created_at)
    }

    fn interview_answers(&mut self) -> Vec<(&'static str, Answer)> {
        let mut answers = vec![(
            "menu.opcao",
            Answer::Text(self.choose(&["1", "2", "Suporte técnico", "Não sei \"qual\""])),
        )];
        if self.chance(0.5) {
            answers.push((
                "cadastro.pedido",
                Answer::Number(self.between(1_000, 99_999)),
            ));
        }
        if self.chance(0.2) {
            answers.push(("hash_fluxo.observação", Answer::Nothing));
        }
        answers
    }
}
