//! The threads that queries run on: not those that listen for Ctrl-C, and given up with a query that does
//! not heed it.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::threads;

/// How long a stopped query may take to notice. A join of much with much can compute for minutes between
/// two looks around.
const NOTICE: Duration = Duration::from_millis(500);

pub struct Threads(Option<Runtime>);

impl Threads {
    pub fn new() -> io::Result<Threads> {
        Ok(Threads(Some(threads::builder().build()?)))
    }

    /// What the work gives; nothing if Ctrl-C stopped it.
    pub async fn run<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<Option<T>> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        if self.0.is_none() {
            self.0 = Some(threads::builder().build()?);
        }
        let Some(runtime) = &self.0 else {
            return Err(io::Error::other("there are no threads to run queries"));
        };
        let mut running = runtime.spawn(work);
        tokio::select! {
            ended = &mut running => Ok(Some(ended?)),
            _ = interrupt.recv() => {
                running.abort();
                if timeout(NOTICE, running).await.is_err() {
                    self.abandon();
                }
                Ok(None)
            }
        }
    }

    /// The threads end when their work next looks around, or with the process.
    fn abandon(&mut self) {
        if let Some(runtime) = self.0.take() {
            tokio::task::spawn_blocking(move || drop(runtime));
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.abandon();
    }
}
