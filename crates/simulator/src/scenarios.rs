//! What can happen in a chat: one function for each scenario, which reads as the story.
//!
//! The weights give about 15 events a chat. A scenario never relies on a rule that has two readings; where the platform would do so,
//! the scenario emits what makes the readings agree.

use crate::clock::DAY;
use crate::ledger::ResponseClock;
use crate::phrases;
use crate::script::{Listener, Opening, Queued, Script};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    Contained,
    ContainedByTwoFlows,
    BotDropped,
    HandedOff,
    QueuedAtOnce,
    Outbound,
    PickedUp,
    FlowInterrupted,
    Unanswered,
    QueueNeverSeen,
    ClosedOnEntry,
    OpenWithBot,
    OpenInQueue,
    OpenWithAgent,
}

impl Scenario {
    /// Every scenario, and in how many chats of a thousand it is played.
    pub const WEIGHTS: [(Scenario, u32); 14] = [
        (Scenario::Contained, 190),
        (Scenario::ContainedByTwoFlows, 20),
        (Scenario::BotDropped, 50),
        (Scenario::HandedOff, 430),
        (Scenario::QueuedAtOnce, 130),
        (Scenario::Outbound, 70),
        (Scenario::PickedUp, 25),
        (Scenario::FlowInterrupted, 15),
        (Scenario::Unanswered, 20),
        (Scenario::QueueNeverSeen, 10),
        (Scenario::ClosedOnEntry, 15),
        (Scenario::OpenWithBot, 8),
        (Scenario::OpenInQueue, 8),
        (Scenario::OpenWithAgent, 9),
    ];

    /// What happens to a chat that is opened again.
    const AGAIN: [Scenario; 7] = [
        Scenario::Contained,
        Scenario::HandedOff,
        Scenario::HandedOff,
        Scenario::QueuedAtOnce,
        Scenario::QueuedAtOnce,
        Scenario::PickedUp,
        Scenario::Unanswered,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Scenario::Contained => "contained",
            Scenario::ContainedByTwoFlows => "contained_by_two_flows",
            Scenario::BotDropped => "bot_dropped",
            Scenario::HandedOff => "handed_off",
            Scenario::QueuedAtOnce => "queued_at_once",
            Scenario::Outbound => "outbound",
            Scenario::PickedUp => "picked_up",
            Scenario::FlowInterrupted => "flow_interrupted",
            Scenario::Unanswered => "unanswered",
            Scenario::QueueNeverSeen => "queue_never_seen",
            Scenario::ClosedOnEntry => "closed_on_entry",
            Scenario::OpenWithBot => "open_with_bot",
            Scenario::OpenInQueue => "open_in_queue",
            Scenario::OpenWithAgent => "open_with_agent",
        }
    }
}

/// Writes a whole chat: its first session, and those that follow when it is reopened.
pub fn play(script: &mut Script) {
    let scenario = draw(script);
    session(script, scenario, Opening::NewChat);
    while script.is_closed() && script.ledger.sessions.len() < 4 && script.chance(0.06) {
        script.pass(600, 2 * DAY);
        let by_chat = script.chance(0.5);
        script.tag(if by_chat {
            "reopened_by_chat"
        } else {
            "reopened_by_message"
        });
        let scenario = script.choose(&Scenario::AGAIN);
        session(
            script,
            scenario,
            if by_chat {
                Opening::ReopenedByChat
            } else {
                Opening::ReopenedByMessage
            },
        );
    }
}

/// Chats that start shortly before the end of the simulated days are often still open.
fn draw(script: &mut Script) -> Scenario {
    let late = script.now() > script.world.calendar.end() - 3 * 3_600;
    if late && script.chance(0.25) {
        return script.choose(&[
            Scenario::OpenWithBot,
            Scenario::OpenInQueue,
            Scenario::OpenWithAgent,
        ]);
    }
    let total: u32 = Scenario::WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut drawn = script.between(0, i64::from(total) - 1) as u32;
    for (scenario, weight) in Scenario::WEIGHTS {
        if drawn < weight {
            return scenario;
        }
        drawn -= weight;
    }
    Scenario::Contained
}

fn session(script: &mut Script, scenario: Scenario, opening: Opening) {
    script.tag(scenario.name());
    match scenario {
        Scenario::Contained => contained(script, opening),
        Scenario::ContainedByTwoFlows => contained_by_two_flows(script, opening),
        Scenario::BotDropped => bot_dropped(script, opening),
        Scenario::HandedOff => handed_off(script, opening),
        Scenario::QueuedAtOnce => queued_at_once(script, opening),
        Scenario::Outbound => outbound(script),
        Scenario::PickedUp => picked_up(script, opening),
        Scenario::FlowInterrupted => flow_interrupted(script, opening),
        Scenario::Unanswered => unanswered(script, opening),
        Scenario::QueueNeverSeen => queue_never_seen(script, opening),
        Scenario::ClosedOnEntry => closed_on_entry(script, opening),
        Scenario::OpenWithBot => open_with_bot(script, opening),
        Scenario::OpenInQueue => open_in_queue(script, opening),
        Scenario::OpenWithAgent => open_with_agent(script, opening),
    }
}

/// The flow serves the contact, who needs nobody else.
fn contained(script: &mut Script, opening: Opening) {
    script.contact_opens_flow(opening);
    script.bot_interviews();
    script.entry_flow_finishes("contained");
    if script.chance(0.3) {
        script.pass(3, 60);
        let text = script.say(&phrases::THANKS);
        script.contact_writes(text, Listener::Nobody);
    }
    script.pass(1, 600);
    script.close("contained", Vec::new());
}

fn contained_by_two_flows(script: &mut Script, opening: Opening) {
    script.contact_opens_flow(opening);
    script.bot_interviews();
    script.entry_flow_finishes("contained");
    script.next_entry_flow();
    script.bot_interviews();
    script.entry_flow_finishes("contained");
    script.pass(1, 300);
    script.close("contained", Vec::new());
}

/// The contact stops answering the bot, and the chat is closed under the running flow.
fn bot_dropped(script: &mut Script, opening: Opening) {
    script.contact_opens_flow(opening);
    script.bot_interviews();
    script.run_ends_as("dropped");
    script.pass(900, 7_200);
    script.close("bot_dropped", Vec::new());
}

/// The flow finishes into the queue.
fn handed_off(script: &mut Script, opening: Opening) {
    flow_into_queue(script, opening);
    wait_and_be_served(script);
}

fn flow_into_queue(script: &mut Script, opening: Opening) {
    script.contact_opens_flow(opening);
    script.bot_interviews();
    if script.chance(0.07) {
        script.tag("handed_off_by_two_flows");
        script.entry_flow_finishes("handed_off");
        script.next_entry_flow();
        script.bot_interviews();
    }
    if script.chance(0.5) {
        script.contact_chooses();
    }
    if script.chance(0.3) {
        script.flow_sets_department();
    }
    let finished_at = script.entry_flow_finishes("handed_off");
    script.queue_after_flow(finished_at);
}

fn queued_at_once(script: &mut Script, opening: Opening) {
    script.contact_opens_queue(opening);
    wait_and_be_served(script);
}

fn wait_and_be_served(script: &mut Script) {
    match script.wait_in_queue() {
        Queued::Gone => script.gives_up(),
        Queued::Answered => {
            let rounds = script.between(0, 3);
            script.converse(rounds);
            served(script);
        }
    }
}

/// The agent's work, with what may happen on the way.
fn served(script: &mut Script) {
    if script.chance(0.1) {
        script.change_step();
    }
    if script.chance(0.05) {
        script.contact_is_updated();
    }
    if script.chance(0.04) {
        script.agent_runs_form();
    }
    if script.chance(0.03) {
        script.agent_changes_department();
    }
    if script.chance(0.12) {
        script.transfer();
        let rounds = script.between(0, 2);
        script.converse(rounds);
    }
    if script.chance(0.02) {
        script.tag("requeue_never_seen");
        script.pass(75, 400);
        let agent = script.another_agent();
        script.leaves_unseen_queue(agent);
        script.converse(1);
    }
    if script.chance(0.07) {
        script.requeue();
        if script.wait_in_queue() == Queued::Gone {
            script.gives_up_after_requeue();
            return;
        }
        script.converse(1);
    }
    script.handled_session_ends();
}

/// An agent writes first; the contact may answer.
fn outbound(script: &mut Script) {
    let agent = script.another_agent();
    script.agent_opens(agent);
    let rounds = script.between(0, 3);
    script.exchange(rounds);
    script.handled_session_ends();
}

/// An agent takes a chat that is in automation, though no flow ran: there was no queue.
fn picked_up(script: &mut Script, opening: Opening) {
    script.contact_opens_unattended(opening);
    let first_message = script.session_start();
    script.pass(10, 600);
    let agent = script.another_agent();
    script.agent_picks_up(agent, |_| ResponseClock::Since(first_message));
    let rounds = script.between(0, 3);
    script.converse(rounds);
    script.handled_session_ends();
}

/// An agent enters while the flow still runs. The contact says nothing more, since nobody could tell to whom.
fn flow_interrupted(script: &mut Script, opening: Opening) {
    script.contact_opens_flow(opening);
    script.bot_interviews();
    script.run_ends_as("interrupted");
    script.pass(5, 120);
    let agent = script.another_agent();
    script.agent_picks_up(agent, ResponseClock::Since);
    script.converse(0);
    script.pass(30, 600);
    script.close("handled", Vec::new());
}

/// Nobody ever reacts.
fn unanswered(script: &mut Script, opening: Opening) {
    script.contact_opens_unattended(opening);
    if script.chance(0.4) {
        script.pass(30, 900);
        let text = script.say(&phrases::IMPATIENCE);
        script.contact_writes(text, Listener::Nobody);
    }
    script.pass(1_800, 10_800);
    script.close("unanswered", Vec::new());
}

/// The chat was in the queue, but the first that is seen of it is how it left.
fn queue_never_seen(script: &mut Script, opening: Opening) {
    script.contact_opens_unattended(opening);
    script.pass(20, 400);
    let agent = script.another_agent();
    script.leaves_unseen_queue(agent);
    let rounds = script.between(0, 2);
    script.converse(rounds);
    script.handled_session_ends();
}

fn closed_on_entry(script: &mut Script, opening: Opening) {
    script.contact_opens_queue(opening);
    script.pass(15, 900);
    script.closed_on_entry();
}

fn open_with_bot(script: &mut Script, opening: Opening) {
    script.contact_opens_flow(opening);
    script.bot_interviews();
    script.stays_open();
}

fn open_in_queue(script: &mut Script, opening: Opening) {
    flow_into_queue(script, opening);
    script.queue_is_announced();
    script.stays_open();
}

fn open_with_agent(script: &mut Script, opening: Opening) {
    script.contact_opens_queue(opening);
    if script.wait_in_queue() == Queued::Gone {
        script.gives_up();
        return;
    }
    let rounds = script.between(0, 3);
    script.converse(rounds);
    if script.chance(0.5) {
        script.pass(5, 60);
        let text = script.say(&phrases::QUESTIONS);
        script.contact_writes(text, Listener::Human);
    }
    script.stays_open();
}
