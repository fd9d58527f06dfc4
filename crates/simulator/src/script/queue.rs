//! The queue and the agents: entering, waiting, giving up, being answered, handed on, and sent back.

use rand::RngExt;

use crate::cast::{self, Agent, Department};
use crate::clock;
use crate::event::{Event, Situation, What};
use crate::ledger::{DepartmentChange, Left, ResponseClock, Segment, StepChange, Wait};
use crate::phrases;
use crate::script::{Listener, Script};

/// `short_abandon_seconds` of a lake with default settings.
const SHORT_ABANDON_SECONDS: i64 = 10;

/// How a wait in the queue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// An agent took the chat.
    Answered,
    /// The contact gave up and the chat was closed.
    Gone,
}

impl Script<'_> {
    /// The finished flow left the chat in the queue, from `finished_at` on.
    pub fn queue_after_flow(&mut self, finished_at: i64) {
        self.enter_situation(Situation::WaitForChat);
        self.session().response_clock = ResponseClock::Since(finished_at);
        self.human_is_due(finished_at);
        self.enter_queue(finished_at, "flow_finished");
    }

    /// Waits, as long as the load of the hour makes it or as the contact's patience lasts.
    pub fn wait_in_queue(&mut self) -> Queued {
        let begun = self.session().unbroken_since().unwrap_or(self.now);
        let (wait, patience) = self.draw_wait();
        let gives_up = patience < wait;
        let until = begun + wait.min(patience);
        if gives_up || self.chance(0.5) {
            // A chat that leaves no trace of its wait but the close would not be seen to have waited.
            self.queue_is_announced();
        }
        while until - self.now > 40 && self.chance(0.3) {
            self.pass(10, (until - self.now) / 2);
            let text = self.say(&phrases::IMPATIENCE);
            self.contact_writes(text, Listener::Human);
        }
        if until - self.now > 20 && self.department.is_some() && self.chance(0.08) {
            self.tag("department_changed_while_waiting");
            self.pass(3, (until - self.now) / 2);
            let department = self.other_department();
            self.change_department(Some(department));
        }
        self.now = (self.now + 1).max(until);
        if gives_up {
            return Queued::Gone;
        }
        let agent = self.another_agent();
        self.agent_answers(agent);
        Queued::Answered
    }

    /// The bot tells the contact to wait: the first the events show of the queue.
    pub fn queue_is_announced(&mut self) {
        self.pass(1, 1);
        let text = self.say(&phrases::QUEUE_NOTICES);
        self.bot_writes(text);
    }

    /// The contact gives up before any agent came, and the chat is closed while waiting.
    pub fn gives_up(&mut self) {
        self.closed_in_queue(None);
    }

    /// The contact was served, sent back to the queue, and gives up there.
    pub fn gives_up_after_requeue(&mut self) {
        self.tag("gone_after_requeue");
        self.closed_in_queue(Some("handled"));
    }

    fn closed_in_queue(&mut self, outcome: Option<&'static str>) {
        let begun = self.session().unbroken_since().unwrap_or(self.now);
        let short = self.now - begun < SHORT_ABANDON_SECONDS;
        let exit = if short {
            "short_abandoned"
        } else {
            "abandoned"
        };
        self.tag(exit);
        self.leave_queue(self.now, "closedChat", exit, None);
        let mut lead = Vec::new();
        if self.chance(0.3) {
            let mut left = self.event(What::LeftQueue(None));
            left.situation = Situation::Finishing;
            lead.push(left);
        }
        self.close(outcome.unwrap_or(exit), lead);
    }

    /// An agent takes the chat out of the queue.
    pub fn agent_answers(&mut self, agent: Agent) {
        self.enter_situation(Situation::InChat);
        let (left, entered) = (What::LeftQueue(Some(agent)), What::AgentEntered(agent));
        match self.between(0, 19) {
            0..=1 => {
                let time = self.tell_now(entered);
                self.answered_at(time, "agentEntered", agent);
                self.pass(1, 2);
                self.tag("left_queue_echo");
                self.tell_now(left);
            }
            2..=3 => {
                let time = self.tell_now(left);
                self.answered_at(time, "leftQueue", agent);
                self.pass(1, 2);
                self.tell_now(entered);
            }
            4 => {
                let time = self.tell_now(entered.clone());
                self.answered_at(time, "agentEntered", agent);
                self.pass(4, 9);
                self.tag("agent_entered_again");
                self.tell_now(entered);
            }
            5 => {
                let time = self.tell_now(entered);
                self.answered_at(time, "agentEntered", agent);
            }
            _ => {
                let time = self.tell_leaving(agent);
                self.answered_at(time, "leftQueue", agent);
            }
        }
    }

    /// An agent takes a chat that is in no queue, by entering it: nothing was waited for.
    pub fn agent_picks_up(&mut self, agent: Agent, response_clock: impl Fn(i64) -> ResponseClock) {
        self.enter_situation(Situation::InChat);
        let time = self.tell_now(What::AgentEntered(agent));
        self.session().response_clock = response_clock(time);
        self.human_is_due(time);
        self.begin_segment(agent, time);
    }

    /// The chat leaves a queue that it was never seen to enter. An agent who was in has lost it before, nobody knows when.
    pub fn leaves_unseen_queue(&mut self, agent: Agent) {
        self.enter_situation(Situation::InChat);
        let time = self.tell_leaving(agent);
        if self.agent.is_some() {
            self.end_segment(time, "requeued", true);
        } else {
            self.session().response_clock = ResponseClock::Unknown;
        }
        self.human_is_due(time);
        let department = self.department;
        self.session().waits.push(Wait {
            department,
            entered_at: None,
            entered_source: "bounded",
            left: None,
        });
        self.leave_queue(time, "leftQueue", "answered", Some(agent));
        self.begin_segment(agent, time);
    }

    /// Another agent takes over, without the queue.
    pub fn transfer(&mut self) {
        self.tag("transferred");
        self.pass(5, 60);
        let agent = self.another_agent();
        let time = self.tell_now(What::AgentEntered(agent));
        self.end_segment(time, "transferred", false);
        self.session().transfers += 1;
        self.begin_segment(agent, time);
    }

    /// The agent sends the chat back to the queue, which the next message shows.
    pub fn requeue(&mut self) {
        self.tag("requeued");
        self.pass(5, 90);
        self.enter_situation(Situation::WaitForChat);
        let since = self.now;
        self.end_segment(since, "requeued", false);
        self.agent = None;
        self.enter_queue(since, "requeue_seen");
        if self.chance(0.5) {
            let text = self.say(&phrases::QUEUE_NOTICES);
            self.bot_writes(text);
        } else {
            let text = self.say(&phrases::QUESTIONS);
            self.contact_writes(text, Listener::Human);
        }
    }

    pub(super) fn change_department(&mut self, to: Option<&'static Department>) {
        let from = self.department;
        let was_waiting = self.situation == Situation::WaitForChat;
        self.department = to;
        let time = self.tell_now(What::UpdatedDepartment { previous: from });
        if was_waiting {
            self.leave_queue(time, "updatedChatDepartment", "department_changed", None);
            self.enter_queue(time, "department_changed");
        }
        let session = self.session();
        session.department = to;
        session.department_changes.push(DepartmentChange {
            at: time,
            from,
            to,
            was_waiting,
        });
    }

    /// The agent moves the chat to another department, or, now and then, to none.
    pub fn agent_changes_department(&mut self) {
        self.tag("department_changed_in_chat");
        self.pass(5, 60);
        let to_none = self.department.is_some() && self.chance(0.3);
        let department = (!to_none).then(|| self.other_department());
        self.change_department(department);
    }

    /// The chat moves on the company's board.
    pub fn change_step(&mut self) {
        self.tag("workflow_step");
        self.pass(2, 40);
        let agent = self
            .agent
            .expect("a scenario moves the chat only while an agent is in");
        let previous = self.step;
        let next = &cast::STEPS[self.random.random_range(0..cast::STEPS.len())];
        if previous.is_some_and(|step| step.id == next.id) {
            return;
        }
        self.step = Some(next);
        self.session().step = Some(next);
        let at = self.tell_now(What::UpdatedStep { agent, previous });
        self.session().step_changes.push(StepChange {
            at,
            agent,
            from: previous,
            to: next,
        });
    }

    pub(super) fn enter_queue(&mut self, at: i64, source: &'static str) {
        let department = self.department;
        self.session().waits.push(Wait {
            department,
            entered_at: Some(at),
            entered_source: source,
            left: None,
        });
    }

    pub(super) fn leave_queue(
        &mut self,
        at: i64,
        source: &'static str,
        exit: &'static str,
        agent: Option<Agent>,
    ) {
        let wait = self
            .session()
            .waits
            .last_mut()
            .expect("a scenario leaves only a queue it entered");
        wait.left = Some(Left {
            at,
            source,
            exit,
            agent,
        });
    }

    pub(super) fn begin_segment(&mut self, agent: Agent, at: i64) {
        self.agent = Some(agent);
        let department = self.department;
        self.session().segments.push(Segment {
            agent,
            started_at: at,
            end: None,
            ended_bounded: false,
            department,
        });
    }

    pub(super) fn end_segment(&mut self, at: i64, reason: &'static str, bounded: bool) {
        if let Some(segment) = self.session().segments.last_mut() {
            segment.end = Some((at, reason));
            segment.ended_bounded = bounded;
        }
    }

    pub(super) fn answered_at(&mut self, time: i64, source: &'static str, agent: Agent) {
        self.leave_queue(time, source, "answered", Some(agent));
        self.begin_segment(agent, time);
    }

    /// leftQueue and agentEntered in one delivery.
    fn tell_leaving(&mut self, agent: Agent) -> i64 {
        let events: Vec<Event> = [What::LeftQueue(Some(agent)), What::AgentEntered(agent)]
            .map(|what| self.event(what))
            .into();
        let time = self.dispatch_time();
        self.tell(time, events);
        self.now = time;
        time
    }

    /// How long the queue is, and how long this contact would stay in it. Both have a long tail.
    fn draw_wait(&mut self) -> (i64, i64) {
        let load = clock::load(self.now).min(0.97);
        let mean_wait = 14.0 / (1.0 - load);
        let wait = (self.exponential(mean_wait) as i64).clamp(4, 7_200);
        if self.chance(0.02) {
            return (wait.max(9), self.between(4, 7));
        }
        let patience = self.exponential(900.0) as i64 + 20;
        (wait, patience)
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        let share: f64 = self.random.random();
        -mean * (1.0 - share).ln()
    }
}
