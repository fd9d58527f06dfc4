//! Measures the product's work on this machine, each figure against a named reference in the same run.
//!
//! `cargo bench` builds the release binary and runs this. `BENCH_SECONDS` sets how long the
//! long run under load takes (60), `BENCH_CHATS` how much is imported (50,000 chats).

mod batch;
mod load;
mod process;
mod reference;
mod service;
mod serving;
mod setting;

use std::error::Error;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(reference::ARGUMENT) {
        return reference::serve();
    }
    let folder = tempfile::tempdir()?;
    serving::measure(folder.path())?;
    batch::measure(folder.path())
}
