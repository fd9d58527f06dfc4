//! Where tables live and how they change: a root on any object store, Delta tables below it.
//!
//! Opens, creates, appends once, rewrites by key, reads, leases, and maintains. The only user of `deltalake`.
//! Never knows what an event or a fact is: schemas, keys and predicates come from the caller.

/// A place at which a test may end the process; nothing without the feature.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        crate::failpoints::reached($name);
    };
}

mod alone;
mod changes;
mod checkpoint;
mod conditions;
mod cut;
mod difference;
mod durable;
mod error;
#[cfg(feature = "failpoints")]
pub mod failpoints;
mod folder;
mod folding;
mod history;
mod landed;
mod lease;
mod location;
mod maintain;
mod metadata;
mod plain;
mod ranges;
mod rewrite;
mod scope;
mod session;
mod stats;
mod table;
mod verify;
mod write;

pub use alone::Claim;
pub use changes::{AddedFile, Changes};
pub use error::LakeError;
pub use folder::{Folder, FolderError, Stored, Upload};
pub use history::{Commit, History};
pub use lease::Lease;
pub use location::Lake;
pub use maintain::{
    Compacted, Consumer, Effort, Freed, Maintenance, Role, Size, TableReport, Upkeep, without_older,
};
pub use ranges::near_any_of;
pub use rewrite::{Prepared, Rewrite};
pub use scope::Scope;
pub use session::{BatchStream, session};
pub use table::{Appended, Layout, Table, TableSpec};
pub use verify::{Depth, Flaw, Hole, LogCheck, TableCheck};
