//! Entering and leaving the queue.

use chrono::{DateTime, Utc};
use events::Kind;

use super::record::{EndReason, EnteredSource, Episode, Exit, LeftSource, Position};
use super::{DISPATCH_LAG, ECHO, SeenInChat, Walk};
use crate::chain::order::ChainEvent;
use crate::settings::AGENTS;

impl Walk<'_> {
    /// The event shows the chat in the queue.
    pub(super) fn show_waiting(&mut self, position: Position) {
        if self.state.waiting.is_some() {
            return;
        }
        let requeued = self.state.agent.is_some();
        if requeued {
            // It proves nothing of a wait before that agent.
            self.pending_finish = None;
        } else {
            self.wait_since_pending_finish(position);
        }
        if self.state.waiting.is_none() {
            let source = if requeued {
                EnteredSource::RequeueSeen
            } else {
                EnteredSource::SituationSeen
            };
            self.end_segment(position.at, EndReason::Requeued);
            let episode = Episode {
                entered_earliest: self.not_waiting_at,
                ..self.entered(position.at, source, position)
            };
            self.wait(episode);
        }
    }

    /// Where a flow finished with no agent in and now the queue shows, the wait began at the finish.
    pub(super) fn wait_since_pending_finish(&mut self, seen: Position) {
        self.waited_until_seen_in_chat(seen);
        if self.state.waiting.is_some() || self.state.agent.is_some() {
            return;
        }
        let Some(finish) = self.pending_finish.take() else {
            return;
        };
        let finish = finish.position;
        let episode = self.entered(finish.at, EnteredSource::FlowFinished, seen);
        self.wait(episode);
        self.wait_from(finish.step);
        // As if the wait had been known when its department changed.
        let now = self.department_id;
        for (number, position) in std::mem::take(&mut self.changed_since_finish) {
            if position.step > finish.step {
                let change = &mut self.out.department_changes[number];
                change.was_waiting = true;
                let to = change.to;
                self.department_id = change.from;
                self.change_queue(to, position);
                self.wait_from(position.step);
            }
        }
        self.department_id = now;
    }

    fn wait_from(&mut self, step: usize) {
        let waiting = self.state.waiting;
        for step in &mut self.out.steps[step..] {
            step.state.waiting = waiting;
        }
    }

    /// Likewise, where the chat was seen with an agent before: that wait is over already, as if it had
    /// been known all along. Whether there was one.
    fn waited_until_seen_in_chat(&mut self, seen: Position) -> bool {
        let pending = self.pending_finish;
        let Some((finish, in_chat)) =
            pending.and_then(|pending| Some((pending.position, pending.in_chat?)))
        else {
            return false;
        };
        self.pending_finish = None;
        let over = in_chat.position;
        let mut since = self.out.segments.iter();
        let agent_id = since
            .find(|segment| segment.started.step >= over.step)
            .and_then(|segment| segment.agent_id);
        let known = self.out.episodes.len();
        self.out.episodes.push(Episode {
            left_source: Some(LeftSource::SituationSeen),
            exit: Exit::Answered,
            agent_id,
            department_id: in_chat.department_id,
            ..self.entered(finish.at, EnteredSource::FlowFinished, seen)
        });
        for step in &mut self.out.steps[finish.step..over.step] {
            step.state.waiting = Some(known);
        }
        self.exit_seen = Some((over.at, None));
        self.unnamed_answer = agent_id.is_none().then_some(known);
        true
    }

    fn entered(&self, at: DateTime<Utc>, source: EnteredSource, seen: Position) -> Episode {
        Episode {
            entered_at: Some(at),
            entered_source: source,
            entered_earliest: Some(at),
            entered_latest: Some(at),
            seen,
            left_at: None,
            left_source: None,
            exit: Exit::Open,
            agent_id: None,
            department_id: self.department_id,
        }
    }

    fn wait(&mut self, episode: Episode) {
        self.wait_began = episode.entered_at;
        self.state.in_chat = false;
        self.state.waiting = Some(self.out.episodes.len());
        self.interrupt_runs();
        self.pending_finish = None;
        self.exit_seen = None;
        self.unnamed_answer = None;
        self.department_settled = false;
        self.out.episodes.push(episode);
    }

    pub(super) fn leave_queue(&mut self, event: &ChainEvent, position: Position) {
        let agent_id = event.event.agent.as_ref().and_then(|agent| agent.id);
        let served = self.state.waiting.is_none() && self.state.agent.is_some();
        // By the close, which is still to come; it ends the agent's part.
        if served && event.leaves_by_close() {
            return;
        }
        if served && self.tells_the_same_entry(agent_id, position.at) {
            self.name_agent(agent_id);
            return;
        }
        let is_explained = self.waited_until_seen_in_chat(position);
        if self.state.waiting.is_none()
            && (is_explained || self.trails_seen_exit(agent_id, position.at))
        {
            self.credit_answer(agent_id);
        } else {
            self.wait_since_pending_finish(position);
            if self.state.waiting.is_none() {
                self.wait_unseen(position);
            }
            if event.leaves_by_close() {
                return;
            }
            self.answer(position, LeftSource::LeftQueue, agent_id);
            self.exit_seen = Some((position.at, agent_id));
        }
        if event.situation() == Some("in_chat") && agent_id.is_some() {
            self.start_segment(agent_id, position);
        }
    }

    /// The exit was seen already, by its `in_chat` or another `leftQueue`; this only tells it again, or names it late.
    fn trails_seen_exit(&self, agent_id: Option<i64>, at: DateTime<Utc>) -> bool {
        let (None, Some((seen, agent))) = (self.state.agent, self.exit_seen) else {
            return false;
        };
        let may_be_one = agent_id.is_none() || agent.is_none_or(|agent| Some(agent) == agent_id);
        may_be_one && at - seen <= ECHO
    }

    /// Somebody left a queue that nobody was seen to enter.
    fn wait_unseen(&mut self, position: Position) {
        if let Some(open) = self.state.agent {
            self.out.segments[open].ended_bounded = true;
            self.end_segment(position.at, EndReason::Requeued);
        }
        let mut episode = self.entered(position.at, EnteredSource::Bounded, position);
        (episode.entered_at, episode.entered_earliest) = (None, self.not_waiting_at);
        self.wait(episode);
    }

    pub(super) fn answer(&mut self, position: Position, source: LeftSource, agent_id: Option<i64>) {
        let agent_in = self.state.agent.map(|open| &self.out.segments[open]);
        let agent_id = agent_id.or_else(|| agent_in?.agent_id);
        self.leave_with(agent_id, Some(position.at), source);
        self.not_waiting_at = Some(position.at);
    }

    /// Answered; where nobody is named, the next agent to come in took it.
    fn leave_with(&mut self, agent_id: Option<i64>, at: Option<DateTime<Utc>>, source: LeftSource) {
        let waiting = self.state.waiting;
        self.unnamed_answer = waiting.filter(|_| agent_id.is_none());
        if let Some(episode) = self.leave(Exit::Answered, at, source) {
            episode.agent_id = agent_id;
        }
    }

    /// Who took the chat, where its exit named nobody.
    pub(super) fn credit_answer(&mut self, agent_id: Option<i64>) {
        if let Some(episode) = self.unnamed_answer.filter(|_| agent_id.is_some()) {
            self.out.episodes[episode].agent_id = agent_id;
            self.unnamed_answer = None;
        }
    }

    /// `in_chat` seen while waiting: answered, at an instant nobody told, unless the telling event is
    /// only just behind.
    pub(super) fn show_in_chat(&mut self, by_agent: bool, position: Position) {
        let told_soon = self.exit_is_told_soon(position);
        if told_soon {
            self.wait_since_pending_finish(position);
        }
        if self.state.waiting.is_some() && !told_soon {
            self.leave_with(None, None, LeftSource::SituationSeen);
            self.exit_seen = Some((position.at, None));
        }
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
            self.state.in_chat = self.state.agent.is_none();
            self.note_seen_in_chat(by_agent, position);
        }
    }

    /// Whatever wait there was since a flow's finish, it is over, at an instant nobody told. What comes
    /// with the finish may tell the state before it, unless an agent says it.
    fn note_seen_in_chat(&mut self, by_agent: bool, position: Position) {
        let department_id = self.department_id;
        if let Some(pending) = &mut self.pending_finish
            && (by_agent || position.at - pending.position.at > DISPATCH_LAG)
        {
            pending.in_chat.get_or_insert(SeenInChat {
                position,
                department_id,
            });
        }
    }

    fn exit_is_told_soon(&self, position: Position) -> bool {
        self.events.iter().zip(&self.done).any(|(event, done)| {
            let tells = match event.kind() {
                Kind::LeftQueue => !event.leaves_by_close(),
                kind => kind == Kind::AgentEntered,
            };
            !done && tells && event.at - position.at <= DISPATCH_LAG
        })
    }

    /// A change of department while waiting: another episode, the same wait.
    pub(super) fn change_queue(&mut self, to: Option<i64>, position: Position) {
        let began = self.wait_began;
        self.leave(
            Exit::DepartmentChanged,
            Some(position.at),
            LeftSource::UpdatedChatDepartment,
        );
        let episode = self.entered(position.at, EnteredSource::DepartmentChanged, position);
        self.wait(Episode {
            department_id: to,
            ..episode
        });
        self.wait_began = began;
    }

    /// The chat was closed while waiting; where no event shows agents, perhaps after one had come.
    pub(super) fn abandon(&mut self, closed_at: DateTime<Utc>) {
        if !self.settings.expects(&AGENTS) {
            if let Some(episode) = self.leave(Exit::Unknown, None, LeftSource::ClosedChat) {
                episode.left_source = None;
            }
            return;
        }
        let waited = self
            .wait_began
            .map(|began| (closed_at - began).num_seconds().max(0));
        let short = waited.is_some_and(|waited| waited < self.settings.short_abandon_seconds);
        let exit = if short {
            Exit::ShortAbandoned
        } else {
            Exit::Abandoned
        };
        self.leave(exit, Some(closed_at), LeftSource::ClosedChat);
    }

    fn leave(
        &mut self,
        exit: Exit,
        at: Option<DateTime<Utc>>,
        source: LeftSource,
    ) -> Option<&mut Episode> {
        let department_id = self.department_id;
        let episode = &mut self.out.episodes[self.state.waiting.take()?];
        (episode.exit, episode.left_at, episode.left_source) = (exit, at, Some(source));
        if !self.department_settled {
            episode.department_id = department_id;
        }
        if episode.entered_source == EnteredSource::Bounded {
            episode.entered_latest = at;
        }
        self.wait_began = None;
        Some(episode)
    }
}
