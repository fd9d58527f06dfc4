//! SQL over the lake: a DataFusion session, its statements, and the formats of their results.
//!
//! Tables are opened when a statement names them, at their newest version, and read only. Never writes
//! to the lake, and never knows what a table means: that is in the tables' own descriptions.

mod catalog;
mod describe;
mod engine;
mod error;
mod local;
mod mistake;
mod output;
mod parameters;
mod saved;
mod session;

pub use describe::{ColumnInfo, TableDescription, TableInfo};
pub use engine::{Engine, EngineOptions};
pub use error::QueryError;
pub use mistake::did_you_mean;
pub use output::{Format, ResultSummary, Summary, TABLE_ROW_LIMIT, UnknownFormat};
pub use parameters::{Declaration, Kind, Script, Undeclared, declarations};
pub use saved::SavedQuery;
