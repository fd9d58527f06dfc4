//! From evidence to words: what is missing, late, unparsable or skewed, how much, and what to do. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use events::DOCUMENTED;

use super::evidence::{Clock, Evidence};
use crate::settings::Settings;

/// Something the reader should know, and act upon if it is a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub what: String,
    /// What it does to the numbers.
    pub effect: String,
    /// What to do about it.
    pub advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Problem,
    Note,
}

/// What rests on an event. Others are good to have, and no measure needs them.
const NEEDED: [(&str, &str); 13] = [
    (
        "startedChat",
        "starts of chats are taken from their first other event",
    ),
    (
        "receivedAllMessage",
        "messages, replies and first responses are incomplete",
    ),
    (
        "receivedMessage",
        "what contacts write in the queue or to a bot comes with receivedAllMessage only",
    ),
    (
        "sentAllMessage",
        "what agents write comes with receivedAllMessage only",
    ),
    (
        "agentEntered",
        "who took a chat, and when, is known by leftQueue and messages only",
    ),
    (
        "leftQueue",
        "waits end with agentEntered, later than they did",
    ),
    (
        "closedChat",
        "no chat ends: durations and outcomes stay open",
    ),
    (
        "startedAutomationFlow",
        "there are no flow runs, and no chat is contained by a bot",
    ),
    (
        "finishedAutomationFlow",
        "no flow run ends, and hand-offs to the queue are seen late",
    ),
    (
        "updatedChatDepartment",
        "waits that move between departments count for one of them",
    ),
    (
        "agentChangedStatus",
        "availability, pauses and occupancy of agents are unknown",
    ),
    ("updatedWorkflowStep", "steps of workflows are unknown"),
    ("newInternalMessage", "internal notes are not counted"),
];
/// Unless a median differs by more, clocks agree.
const SKEW_SECONDS: i64 = 30;
/// A difference so near to whole hours is a matter of zones.
const ZONE_SECONDS: i64 = 120;
const HOUR: i64 = 3_600;
/// A business that is open so long without any delivery most likely missed some.
const OPEN_GAP_SECONDS: i64 = 4 * HOUR;
const GAP_SECONDS: i64 = 36 * HOUR;
const SILENCE_SECONDS: i64 = 24 * HOUR;
/// Of all events: fewer late ones are a hiccup.
const LATE_SHARE: f64 = 0.01;

pub(super) fn judge(evidence: &Evidence, settings: &Settings, now: DateTime<Utc>) -> Vec<Finding> {
    if evidence.types.is_empty() {
        return vec![Finding {
            severity: Severity::Problem,
            what: "The lake holds no events.".to_owned(),
            effect: "There is nothing to derive facts from.".to_owned(),
            advice: "Start `huggy-etl serve` and enter its address in Huggy's webhook settings, or import files."
                .to_owned(),
        }];
    }
    let mut findings = Vec::new();
    missing(evidence, settings, &mut findings);
    unexpected(evidence, settings, &mut findings);
    errors(evidence, &mut findings);
    zone(&evidence.clock, settings, &mut findings);
    platform_clock(&evidence.clock, &mut findings);
    own_clock(&evidence.arrival, &mut findings);
    gaps(evidence, settings, &mut findings);
    silence(evidence, now, &mut findings);
    facts(evidence, &mut findings);
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn missing(evidence: &Evidence, settings: &Settings, findings: &mut Vec<Finding>) {
    let seen: BTreeSet<&str> = evidence
        .types
        .iter()
        .filter_map(|seen| seen.event_type.as_deref())
        .collect();
    let effects = BTreeMap::from(NEEDED);
    let missing = settings
        .subscribed_events
        .iter()
        .filter(|event| !seen.contains(event.as_str()));
    let (needed, other): (Vec<&String>, Vec<&String>) =
        missing.partition(|event| effects.contains_key(event.as_str()));
    for event in needed {
        findings.push(Finding {
            severity: Severity::Problem,
            what: format!(
                "{event} is expected and never arrives: 0 of {} events.",
                evidence.events()
            ),
            effect: format!("If it is not sent, {}.", effects[event.as_str()]),
            advice: format!(
                "Tick it in Huggy's webhook settings; or list in `subscribed_events` what is ticked, without {event}, \
                 so that measures rest on other evidence or are NULL."
            ),
        });
    }
    if !other.is_empty() {
        findings.push(Finding {
            severity: Severity::Note,
            what: format!("Expected, but not seen: {}.", list(&other)),
            effect: "No measure rests on them.".to_owned(),
            advice: "Nothing, if nothing of the kind happened.".to_owned(),
        });
    }
}

fn unexpected(evidence: &Evidence, settings: &Settings, findings: &mut Vec<Finding>) {
    for seen in &evidence.types {
        let Some(event) = seen.event_type.as_deref() else {
            findings.push(Finding {
                severity: Severity::Note,
                what: format!("{} parts of deliveries are no events.", seen.events),
                effect: "They are kept in `events` and count nowhere else.".to_owned(),
                advice:
                    "Look at their payload: SELECT payload FROM events WHERE event_type IS NULL."
                        .to_owned(),
            });
            continue;
        };
        if !DOCUMENTED.contains(&event) {
            findings.push(Finding {
                severity: Severity::Note,
                what: format!(
                    "{} is unknown to this version: {} events.",
                    named(event),
                    seen.events
                ),
                effect: "They are kept in `events`, and no fact uses them.".to_owned(),
                advice: "See whether a newer huggy-etl knows them; they are derived anew then."
                    .to_owned(),
            });
        } else if !settings.subscribed_events.contains(event) {
            findings.push(Finding {
                severity: Severity::Problem,
                what: format!(
                    "{event} arrives, {} events, but `subscribed_events` does not list it.",
                    seen.events
                ),
                effect: "Measures that need it are NULL although they could be known.".to_owned(),
                advice: format!(
                    "Add \"{event}\" to `subscribed_events`; the facts are then rebuilt."
                ),
            });
        }
    }
}

fn errors(evidence: &Evidence, findings: &mut Vec<Finding>) {
    for error in &evidence.errors {
        let event = error.event_type.as_deref().map_or("(no event)", named);
        findings.push(Finding {
            severity: Severity::Problem,
            what: format!("{} {event} could not be read whole: {}.", error.events, error.reason),
            effect: "The columns concerned are NULL; the payload is kept.".to_owned(),
            advice: format!(
                "Look at one: SELECT payload FROM events WHERE event_id = '{}'. If the platform changed its form, \
                 report it.",
                error.event_id
            ),
        });
    }
}

/// Local strings that are read in the wrong zone are off by whole hours, all of them.
fn zone(clock: &Clock, settings: &Settings, findings: &mut Vec<Finding>) {
    let Some(median) = clock.median_seconds else {
        return;
    };
    let hours = (median as f64 / HOUR as f64).round() as i64;
    if hours == 0 || (median - hours * HOUR).abs() > ZONE_SECONDS {
        return;
    }
    findings.push(Finding {
        severity: Severity::Problem,
        what: format!(
            "Half of {} local times lie {hours:+} h from their delivery: `timezone` ({}) is probably not the zone in \
             which Huggy writes them.",
            clock.events, settings.zone
        ),
        effect: "Messages and closes are dated hours off, and waits and responses with them.".to_owned(),
        advice: "Set `timezone` to the zone of the Huggy account; the facts are then rebuilt.".to_owned(),
    });
}

fn platform_clock(clock: &Clock, findings: &mut Vec<Finding>) {
    if clock.early > 0 {
        findings.push(Finding {
            severity: if share(clock.early, clock.events) > LATE_SHARE { Severity::Problem } else { Severity::Note },
            what: format!(
                "{} of {} events say they happened more than 5 s after they were delivered.",
                clock.early, clock.events
            ),
            effect: "Their order within a chat may be wrong; negative times count as 0.".to_owned(),
            advice: "If there are many, the platform's clocks disagree: report it to Huggy with examples.".to_owned(),
        });
    }
    if share(clock.late, clock.events) > LATE_SHARE {
        findings.push(Finding {
            severity: Severity::Note,
            what: format!(
                "{} of {} events were delivered more than 5 min after they happened, the latest {} later.",
                clock.late,
                clock.events,
                duration(clock.latest_seconds.unwrap_or_default())
            ),
            effect: "The numbers of recent days rise when they arrive.".to_owned(),
            advice: "Give reports a day before they are read, or ask Huggy why deliveries are late.".to_owned(),
        });
    }
}

fn own_clock(arrival: &Clock, findings: &mut Vec<Finding>) {
    let Some(median) = arrival.median_seconds else {
        return;
    };
    if median < -SKEW_SECONDS {
        findings.push(Finding {
            severity: Severity::Problem,
            what: format!(
                "Deliveries are received {} before they are sent, by the clocks of this machine and of Huggy.",
                duration(-median)
            ),
            effect: "No fact rests on the time of receipt, but logs and retention do.".to_owned(),
            advice: "Synchronise the clock of the machine that runs `serve` (NTP).".to_owned(),
        });
    } else if median > SKEW_SECONDS {
        findings.push(Finding {
            severity: Severity::Note,
            what: format!(
                "Half of the {} deliveries are received more than {} after they are sent.",
                arrival.events,
                duration(median)
            ),
            effect: "Facts are as much behind; their times are not affected.".to_owned(),
            advice: "Check the clock of the machine that runs `serve` (NTP), and its connection."
                .to_owned(),
        });
    }
}

fn gaps(evidence: &Evidence, settings: &Settings, findings: &mut Vec<Finding>) {
    for (from, to) in &evidence.gaps {
        let length = (*to - *from).num_seconds();
        let open = settings
            .calendars
            .of(None)
            .map(|calendar| calendar.business_seconds(*from, *to, settings.zone));
        let (is_odd, opened) = match open {
            Some(open) => (
                open > OPEN_GAP_SECONDS,
                format!(", {} of them in business hours", duration(open)),
            ),
            None => (length > GAP_SECONDS, String::new()),
        };
        if is_odd {
            let local = |instant: &DateTime<Utc>| {
                instant
                    .with_timezone(&settings.zone)
                    .format("%Y-%m-%d %H:%M")
            };
            findings.push(Finding {
                severity: if open.is_some() {
                    Severity::Problem
                } else {
                    Severity::Note
                },
                what: format!(
                    "Nothing was delivered for {}{opened}: from {} to {} local time.",
                    duration(length),
                    local(from),
                    local(to)
                ),
                effect:
                    "If chats went on, their events are missing; Huggy does not send them again."
                        .to_owned(),
                advice: "See whether `serve` was down or the webhook switched off then.".to_owned(),
            });
        }
    }
}

fn silence(evidence: &Evidence, now: DateTime<Utc>, findings: &mut Vec<Finding>) {
    let last = evidence
        .types
        .iter()
        .map(|seen| seen.last_delivered_at)
        .max();
    let Some(last) = last else { return };
    let silent = (now - last).num_seconds();
    if silent > SILENCE_SECONDS {
        findings.push(Finding {
            severity: Severity::Note,
            what: format!("The latest delivery is {} old.", duration(silent)),
            effect: "What has happened since is not in the numbers.".to_owned(),
            advice: "If this lake should be live, check `serve` and the webhook in Huggy."
                .to_owned(),
        });
    }
}

fn facts(evidence: &Evidence, findings: &mut Vec<Finding>) {
    let (what, advice) = match evidence.facts_behind {
        None => (
            "There are no facts yet.".to_owned(),
            "Run `huggy-etl transform`.",
        ),
        Some(_) if evidence.facts_outdated => (
            "The facts were derived with other rules or settings.".to_owned(),
            "Run `huggy-etl transform`: it rebuilds them.",
        ),
        Some(0) => return,
        Some(commits) => (
            format!("The facts lag {commits} commits of events behind."),
            "Run `huggy-etl transform`, or see why `serve` does not (`transform_every`).",
        ),
    };
    findings.push(Finding {
        severity: Severity::Problem,
        what,
        effect: "Queries over facts do not show all events.".to_owned(),
        advice: advice.to_owned(),
    });
}

/// The name of an event; where anything else stands there, it may be private.
fn named(event: &str) -> &str {
    let is_name = event.len() <= 64 && event.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_name { event } else { "(an odd name)" }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn list(names: &[&String]) -> String {
    names
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Readable, and no more exact than is useful.
fn duration(seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{:.1} h", seconds as f64 / 3_600.0),
        _ => format!("{:.1} days", seconds as f64 / 86_400.0),
    }
}
