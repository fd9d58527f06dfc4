//! Entering and leaving the queue.

use chrono::{DateTime, Duration, Utc};
use events::Kind;

use super::record::{EndReason, EnteredSource, Episode, Exit, LeftSource, Position};
use super::{DISPATCH_LAG, Walk};
use crate::chain::order::ChainEvent;

/// A leftQueue this soon after its agent came in tells of the same entry.
const ECHO: Duration = Duration::seconds(60);

impl Walk<'_> {
    /// The event shows the chat in the queue.
    pub(super) fn show_waiting(&mut self, position: Position) {
        if self.state.waiting.is_some() {
            return;
        }
        self.wait_since_pending_finish(position);
        if self.state.waiting.is_none() {
            let requeued = self.state.agent.is_some();
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
        if self.state.waiting.is_some() || self.state.agent.is_some() {
            return;
        }
        let Some(finish) = self.pending_finish.take() else {
            return;
        };
        let episode = self.entered(finish.at, EnteredSource::FlowFinished, seen);
        self.wait(episode);
        let waiting = self.state.waiting;
        for step in &mut self.out.steps[finish.step..] {
            step.state.waiting = waiting;
        }
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
        self.state.flow_running = false;
        self.pending_finish = None;
        self.seen_in_chat_at = None;
        self.out.episodes.push(episode);
    }

    pub(super) fn leave_queue(&mut self, event: &ChainEvent, position: Position) {
        let agent_id = event.event.agent.as_ref().and_then(|agent| agent.id);
        if self.state.waiting.is_none() && self.is_echo(agent_id, position.at) {
            return;
        }
        if self.state.waiting.is_none() && self.trails_seen_exit(position.at) {
            self.seen_in_chat_at = None;
        } else {
            self.wait_since_pending_finish(position);
            if self.state.waiting.is_none() {
                self.wait_unseen(position);
            }
            // By the close, which is still to come.
            if event.situation() == Some("finishing") {
                return;
            }
            self.answer(position, LeftSource::LeftQueue, agent_id);
        }
        if event.situation() == Some("in_chat") && agent_id.is_some() {
            self.start_segment(agent_id, position);
        }
    }

    fn is_echo(&self, agent_id: Option<i64>, at: DateTime<Utc>) -> bool {
        let segment = self.state.agent.map(|open| &self.out.segments[open]);
        segment.is_some_and(|segment| {
            agent_id.is_some() && segment.agent_id == agent_id && at - segment.started.at <= ECHO
        })
    }

    /// The exit was already seen by its `in_chat`; this only names it late.
    fn trails_seen_exit(&self, at: DateTime<Utc>) -> bool {
        self.state.agent.is_none() && self.seen_in_chat_at.is_some_and(|seen| at - seen <= ECHO)
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
        if let Some(episode) = self.leave(Exit::Answered, Some(position.at), source) {
            episode.agent_id = agent_id;
        }
        self.not_waiting_at = Some(position.at);
    }

    /// An answered episode whose leaving event named nobody is its next agent's.
    pub(super) fn answer_unnamed(&mut self, agent_id: Option<i64>) {
        if let Some(episode) = self.out.episodes.last_mut()
            && episode.exit == Exit::Answered
            && episode.agent_id.is_none()
        {
            episode.agent_id = agent_id;
        }
    }

    /// `in_chat` seen while waiting: answered, at an instant nobody told, unless the telling event is
    /// only just behind.
    pub(super) fn show_in_chat(&mut self, position: Position) {
        let told_soon = self.exit_is_told_soon(position);
        if told_soon {
            self.wait_since_pending_finish(position);
        }
        if self.state.waiting.is_some() && !told_soon {
            self.leave(Exit::Answered, None, LeftSource::SituationSeen);
            self.seen_in_chat_at = Some(position.at);
        }
        if self.state.waiting.is_none() {
            self.not_waiting_at = Some(position.at);
            self.state.in_chat = self.state.agent.is_none();
            // Whatever wait there was since the finish, it is over, at an instant nobody told.
            self.pending_finish = self
                .pending_finish
                .filter(|finish| position.at - finish.at <= DISPATCH_LAG);
        }
    }

    fn exit_is_told_soon(&self, position: Position) -> bool {
        self.events.iter().zip(&self.done).any(|(event, done)| {
            let tells = matches!(event.kind(), Kind::LeftQueue | Kind::AgentEntered);
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

    /// The chat was closed while waiting.
    pub(super) fn abandon(&mut self, closed_at: DateTime<Utc>) {
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
        episode.department_id = department_id;
        if episode.entered_source == EnteredSource::Bounded {
            episode.entered_latest = at;
        }
        self.wait_began = None;
        Some(episode)
    }
}
