//! The threads that commands and queries run on.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// Long expressions are planned by functions that call themselves. Only what is used of it takes memory.
const STACK_BYTES: usize = 16 << 20;
/// What is at work once all is done, such as a read that cannot be called back, is waited for so long.
const GRACE: Duration = Duration::from_millis(250);

/// What builds a runtime of several threads.
pub fn builder() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(STACK_BYTES);
    builder
}

/// Does the work on a thread of its own, whose stack is ours to say.
pub fn deep<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let thread = thread::Builder::new()
        .name("main".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .map_err(|error| Failure::Environment(error.into()))?;
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Waits until tasks are given up, with what they spilled, and threads have ended. Not waited for, threads would be detached
/// while they end, and glibc's `pthread_detach` may look at what such a thread has freed: of some thousands of processes
/// one crashed with its work done.
pub fn end(runtime: Runtime) {
    runtime.shutdown_timeout(GRACE);
}
