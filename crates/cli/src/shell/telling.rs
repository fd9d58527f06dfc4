//! How far a long query is, told while it runs and never after: work that could not be stopped tells nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::commands::query::Progress;
use ::query::Watch;

#[derive(Clone, Default)]
pub struct Telling(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    progress: Option<Progress>,
    is_over: bool,
}

impl Telling {
    pub fn begin(&self, watch: Watch) {
        let mut told = self.told();
        if !told.is_over {
            told.progress = Some(Progress::of(watch));
        }
    }

    pub fn end(&self) {
        self.told().progress = None;
    }

    /// For good. Whether there was something to see.
    pub fn stop(&self) -> bool {
        let mut told = self.told();
        told.is_over = true;
        told.progress.take().is_some_and(|shown| shown.is_shown())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
