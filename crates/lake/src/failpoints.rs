//! Places at which a test may end the process, as if its power went. Compiled only with the feature `failpoints`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Armed {
    name: String,
    passes_left: AtomicU64,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// The process ends when it comes to the place of that name for the `nth` time. Counts once a process.
pub fn arm(name: &str, nth: u64) {
    let armed = Armed {
        name: name.to_owned(),
        passes_left: AtomicU64::new(nth),
    };
    // A second call would be a mistake of the test, which then waits in vain.
    let _ = ARMED.set(armed);
}

/// Ends the process on the spot, without destructors and without any flush, if this place is armed and due.
pub fn reached(name: &str) {
    let due = ARMED
        .get()
        .filter(|armed| armed.name == name)
        .is_some_and(|armed| armed.passes_left.fetch_sub(1, Ordering::SeqCst) == 1);
    if due {
        std::process::abort();
    }
}
