//! What a run has to do: nothing, everything anew, or to take in the news.

use std::collections::BTreeSet;

use lake::{Changes, Lake, LakeError, Table};

use super::news::News;
use super::tables::{CHATS, Tables, derived_tables, is_of, position};
use super::{Mode, TransformError};
use crate::settings::Settings;

#[derive(Debug)]
pub(super) enum Plan {
    Nothing,
    Rebuild(&'static str),
    TakeIn(Box<News>),
}

impl Plan {
    /// The news to take in; everything is taken in where there are none.
    pub fn news(&self) -> Option<&News> {
        match self {
            Plan::TakeIn(news) => Some(news),
            Plan::Nothing | Plan::Rebuild(_) => None,
        }
    }

    pub fn rebuild_reason(&self) -> Option<&'static str> {
        match self {
            Plan::Rebuild(reason) => Some(reason),
            Plan::Nothing | Plan::TakeIn(_) => None,
        }
    }
}

/// What is to do by the positions alone.
pub(super) enum Standing {
    UpToDate,
    Rebuild(&'static str),
    /// The facts reflect this version of `events`, and there is a newer one.
    Behind(u64),
}

pub(super) async fn standing(
    events: &Table,
    chats: &Table,
    settings: &Settings,
    mode: Mode,
) -> Result<Standing, TransformError> {
    let Some(position) = position(chats).await? else {
        return Ok(Standing::Rebuild(if chats.version() == 0 {
            "there are no facts yet"
        } else {
            "it is not known which events the facts reflect"
        }));
    };
    if mode == Mode::Full {
        return Ok(Standing::Rebuild("a full rebuild was asked for"));
    }
    if !is_of(chats, settings).await? {
        return Ok(Standing::Rebuild(
            "the rules or their settings have changed",
        ));
    }
    Ok(match position.cmp(&events.version()) {
        std::cmp::Ordering::Equal => Standing::UpToDate,
        std::cmp::Ordering::Less => Standing::Behind(position),
        std::cmp::Ordering::Greater => {
            Standing::Rebuild("the events table was replaced by an older one")
        }
    })
}

/// How far the facts are behind the events.
pub(crate) struct Lag {
    /// Commits that added events and that they do not reflect, or all since where the log no longer tells them apart;
    /// `None` if there are no facts.
    pub commits: Option<u64>,
    /// Whether they were derived with other rules or settings.
    pub is_outdated: bool,
}

/// Asks without making any table.
pub(crate) async fn lag(
    lake: &Lake,
    events: &Table,
    settings: &Settings,
) -> Result<Lag, TransformError> {
    let chats = match lake.existing(CHATS).await {
        Ok(chats) => chats,
        Err(LakeError::NoSuchTable { .. }) => {
            return Ok(Lag {
                commits: None,
                is_outdated: false,
            });
        }
        Err(error) => return Err(error.into()),
    };
    let position = position(&chats).await?;
    let commits = match position {
        Some(position) => Some(commits_since(events, position).await?),
        None => None,
    };
    Ok(Lag {
        commits,
        is_outdated: position.is_some() && !is_of(&chats, settings).await?,
    })
}

/// Without those of maintenance, which change no rows.
async fn commits_since(events: &Table, position: u64) -> Result<u64, TransformError> {
    Ok(match events.changes_since(position).await? {
        Changes::Added(files) => {
            let versions: BTreeSet<u64> = files.iter().map(|file| file.version).collect();
            versions.len() as u64
        }
        Changes::Unknown => events.version().saturating_sub(position),
    })
}

/// Whether a derived table is not there, by one look at the lake's folder.
pub(super) async fn is_any_gone(lake: &Lake) -> Result<bool, LakeError> {
    let folders = lake.folders().await?;
    let is_there = |name: &&str| folders.iter().any(|folder| folder == name);
    Ok(!derived_tables().iter().all(is_there))
}

pub(super) async fn plan(
    events: &Table,
    tables: &Tables,
    settings: &Settings,
    mode: Mode,
) -> Result<Plan, TransformError> {
    let position = match standing(events, tables.chats(), settings, mode).await? {
        Standing::UpToDate => return Ok(Plan::Nothing),
        Standing::Rebuild(reason) => return Ok(Plan::Rebuild(reason)),
        Standing::Behind(position) => position,
    };
    if tables.any_is_new() {
        return Ok(Plan::Rebuild("there is a new table"));
    }
    let Changes::Added(files) = events.changes_since(position).await? else {
        return Ok(Plan::Rebuild(
            "the log of events no longer reaches back to the last run",
        ));
    };
    match News::read(events, tables, position, &files).await? {
        Some(news) => Ok(Plan::TakeIn(Box::new(news))),
        None => Ok(Plan::Rebuild("very many chats have news")),
    }
}
