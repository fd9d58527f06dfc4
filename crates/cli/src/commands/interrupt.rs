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
pub fn or_interrupted(
    runtime: &Runtime,
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<(), Failure> {
    let mut work = runtime.spawn(work);
    // A clock and signals of its own: all threads of the other may be busy computing.
    let waiting = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(error.into()))?;
    waiting.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| {
            Failure::Environment(anyhow!(error).context("listening for SIGTERM"))
        })?;
        let interrupted = async {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        };
        tokio::select! {
            done = &mut work => done.unwrap_or_else(|error| {
                Err(Failure::Work(anyhow!("this is a bug, please report it: {error}")))
            }),
            () = interrupted => {
                work.abort();
                let _ = tokio::time::timeout(PATIENCE, work).await;
                Err(Failure::Interrupted)
            }
        }
    })
}
