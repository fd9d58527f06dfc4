//! The threads that commands and queries run on.

use tokio::runtime::Builder;

/// Long expressions are planned by functions that call themselves. Only what is used of it takes memory.
const STACK_BYTES: usize = 16 << 20;

/// What builds a runtime of several threads.
pub fn builder() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(STACK_BYTES);
    builder
}

/// Leaves a runtime, or threads by their handles, to end with the process, whatever they are at. Dropped, they would be
/// detached while they end, and glibc's `pthread_detach` may look at what such a thread has freed: of some thousands of
/// processes one crashed with its work done.
pub fn leave<Of>(threads: Of) {
    std::mem::forget(threads);
}
