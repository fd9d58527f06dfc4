//! SQL over the lake: a DataFusion session, its statements, and the formats of their results.
//!
//! Tables are opened when a statement names them, at their newest version or as they were, and read only.
//! Results can be kept as plain Parquet elsewhere. Never writes to the lake, and never knows what a table means: that is in the tables' own descriptions.
//!
//! An [`Engine`] gives [`Session`]s; a session prepares a script and executes its statements; an
//! [`Answer`] has a schema and batches, and prints itself in a [`Format`] to any `Write`.

mod admission;
mod advice;
mod answer;
mod as_of;
mod business;
mod catalog;
mod chains;
mod chart;
mod compared;
mod derivation;
mod describe;
mod distinct;
mod engine;
mod error;
mod excerpt;
mod export;
mod extremes;
mod files;
mod functions;
mod history;
mod json;
mod limits;
mod local;
mod memory;
mod mistake;
mod naming;
mod output;
mod own_table;
mod parameters;
mod saved;
mod service_level;
mod session;
mod stats;
mod syntax;
mod unheeded;
mod unit;
mod views;

pub use answer::Answer;
pub use as_of::AsOf;
pub use business::BusinessHours;
pub use chart::{CHART_ROW_LIMIT, Chart, ChartKind, ChartSpec, Sheet, UnknownChart};
pub use derivation::{BusinessClock, Derivation};
pub use describe::{ColumnInfo, TableDescription, TableInfo};
pub use engine::{Engine, EngineOptions, usual_memory_bytes};
pub use error::QueryError;
pub use excerpt::{Place, SqlMistake};
pub use export::{ExportError, Exported, Partition, Snapshot, UnknownPartition, Wanted};
pub use functions::{FUNCTIONS, FunctionInfo};
pub use history::TableHistory;
pub use mistake::did_you_mean;
pub use output::{
    Format, LeftOut, Printer, ResultSummary, Screen, Style, Summary, TABLE_ROW_LIMIT, UnknownFormat,
};
pub use parameters::{Declaration, Kind, Script, Undeclared, declarations};
pub use saved::SavedQuery;
pub use session::{Prepared, Session};
pub use stats::{Stats, Watch};
