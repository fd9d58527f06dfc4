//! Ctrl-C, or SIGTERM: the work is given up, and the exit code says so.

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;

/// How long work may take to stop; it does so at its next pause.
const PATIENCE: Duration = Duration::from_secs(2);

/// Does the work on the runtime, unless the user interrupts it. Work without a pause is left to end with
/// the process.
pub fn or_interrupted<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    unless(
        [SignalKind::interrupt(), SignalKind::terminate()],
        runtime,
        work,
    )
}

/// As [`or_interrupted`], of what leaves the terminal to another program: Ctrl-C is that one's.
pub fn or_terminated(
    runtime: &Runtime,
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<(), Failure> {
    unless([SignalKind::terminate(); 2], runtime, work)
}

fn unless<T: Send + 'static>(
    signals: [SignalKind; 2],
    runtime: &Runtime,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let mut work = runtime.spawn(work);
    // A clock and signals of its own: all threads of the other may be busy computing.
    let waiting = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(error.into()))?;
    waiting.block_on(async {
        let deaf = |error: std::io::Error| {
            Failure::Environment(anyhow!(error).context("listening for signals"))
        };
        let [first, second] = signals.map(signal);
        let (mut first, mut second) = (first.map_err(deaf)?, second.map_err(deaf)?);
        tokio::select! {
            done = &mut work => return done.unwrap_or_else(|error| {
                Err(Failure::Work(anyhow!("this is a bug, please report it: {error}")))
            }),
            _ = first.recv() => {}
            _ = second.recv() => {}
        }
        work.abort();
        let _ = tokio::time::timeout(PATIENCE, work).await;
        Err(Failure::Interrupted)
    })
}
