//! A day in the company, apart from its chats: agents come and go, data is exported, and something unheard of is sent.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::cast::{Agent, COMPANY_ID, PHOTO};
use crate::clock::{DAY, is_weekend, start_of_day};
use crate::shapes::Json;
use crate::world::World;

/// A delivery of the company's own: when it is dispatched, and its body.
pub struct Notice {
    pub time: i64,
    pub body: String,
}

/// An agent tells a status; sometimes the one that was told already.
#[derive(Clone, Copy)]
pub struct Telling {
    pub agent: Agent,
    pub at: i64,
    pub status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Available,
    Paused,
    Offline,
}

impl Status {
    pub fn is_online(self) -> bool {
        self != Status::Offline
    }

    pub fn is_available(self) -> bool {
        self == Status::Available
    }

    /// Of the company's own list.
    pub fn id(self) -> Option<i64> {
        (self == Status::Paused).then_some(12)
    }
}

/// The instant before which a day's notices are not needed.
pub fn day_start(world: &World, day: u32) -> i64 {
    world.calendar.start() + i64::from(day) * DAY
}

/// All notices of a day, in no order.
pub fn day(world: &World, day: u32, stream: &mut ChaCha8Rng) -> Vec<Notice> {
    let midnight = midnight(world, day);
    let tellings = tellings(world, day, stream).into_iter();
    let mut notices: Vec<Notice> = tellings.map(|telling| status(world, telling)).collect();
    notices.push(export(
        world,
        midnight + 9 * 3_600 + stream.random_range(0..600),
    ));
    let chats_a_day = world.options.chats / u64::from(world.options.days.max(1));
    for _ in 0..=chats_a_day / 500 {
        let at = midnight + stream.random_range(0..DAY);
        notices.push(unheard_of(world, at, stream.random_range(1..999_999)));
    }
    notices
}

fn midnight(world: &World, day: u32) -> i64 {
    start_of_day(world.options.first_day + chrono::Days::new(u64::from(day)))
}

/// What the agents tell on a day, agent by agent in order of time. Drawn before all else of the day.
pub fn tellings(world: &World, day: u32, stream: &mut ChaCha8Rng) -> Vec<Telling> {
    let midnight = midnight(world, day);
    let mut tellings = Vec::new();
    for number in 0..world.agents {
        if is_weekend(midnight) && !stream.random_bool(0.25) {
            continue;
        }
        let mut tell = |at, status| {
            tellings.push(Telling {
                agent: Agent(number),
                at,
                status,
            });
        };
        let mut at = midnight + 8 * 3_600 + stream.random_range(-1_800..1_800);
        tell(at, Status::Available);
        for _ in 0..stream.random_range(1..4) {
            at += stream.random_range(1_800..9_000);
            tell(at, Status::Paused);
            if stream.random_bool(0.2) {
                tell(at + stream.random_range(1..300), Status::Paused);
            }
            at += stream.random_range(300..4_200);
            tell(at, Status::Available);
        }
        at = at.max(midnight + 17 * 3_600) + stream.random_range(60..5_400);
        tell(at, Status::Offline);
    }
    tellings
}

fn status(world: &World, telling: Telling) -> Notice {
    let Telling { agent, at, status } = telling;
    let word = |flag| if flag { "true" } else { "false" };
    let mut json = Json::new(false);
    json.raw(r#"{"id":"#)
        .int(agent.id())
        .raw(r#","name":"#)
        .text(&agent.name())
        .raw(r#","mobile":"75999999999","phone":"7533333333","email":"#);
    json.text(&agent.email())
        .raw(r#","photo":"#)
        .text(PHOTO)
        .raw(r#","isActive":true,"isOnline":"#)
        .raw(word(status.is_online()));
    json.raw(r#","isAvailable":"#)
        .raw(word(status.is_available()))
        .raw(r#","statusID":"#);
    match status.id() {
        Some(id) => json.int(id),
        None => json.raw("null"),
    };
    json.raw(r#","origin":"manually","#);
    json.raw(r#""company":{"id":"#).int(COMPANY_ID).raw("}}");
    notice(world, at, "agentChangedStatus", &json.finish())
}

fn export(world: &World, time: i64) -> Notice {
    let item = format!(
        r#"{{"fileUrl":"https://storage.example/exports/{time}.csv?X-Amz-Expires=3600","company":{{"id":{COMPANY_ID}}}}}"#
    );
    notice(world, time, "asyncExportData", &item)
}

/// An event that no documentation names, and that names no chat.
fn unheard_of(world: &World, time: i64, number: u32) -> Notice {
    let item = format!(
        r#"{{"leadNumber":{number},"odd":["é",null,{{"depth":1.5}}],"company":{{"id":"{COMPANY_ID}"}}}}"#
    );
    notice(world, time, "updatedLeadByAgent", &item)
}

fn notice(world: &World, time: i64, name: &str, item: &str) -> Notice {
    let mut json = Json::new(false);
    json.raw(r#"{"time":"#)
        .int(time)
        .raw(r#","messages":{""#)
        .raw(name)
        .raw("\":[")
        .raw(item)
        .raw(r#"]},"token":"#);
    json.text(&world.options.token).raw("}");
    Notice {
        time,
        body: json.finish(),
    }
}
