//! The derived tables as the lake keeps them.

use arrow::datatypes::{DataType, SchemaRef};
use futures::future::try_join_all;
use futures::try_join;
use lake::{Consumer, Lake, LakeError, Layout, Table, TableSpec};

use super::LEASE;
use super::runs::FLOW_RUNS;
use crate::dimensions::{self, Dimension};
use crate::facts::{self, FactTable};
use crate::{coverage, settings::Settings};

/// The application id under which a table's log carries the version of `events` that it reflects.
pub(super) const POSITION: &str = "transform";
const FINGERPRINT: &str = "transform-fingerprint";
/// The property of `fact_chats` that holds the settings themselves.
pub(super) const SETTINGS: &str = "huggy-etl.settings";

/// The table that is committed last.
pub(super) const CHATS: &str = "fact_chats";
const MESSAGES: &str = "fact_messages";
/// Where single rows all over a table are replaced, files are small: each of these rows costs writing the file anew
/// that it lies in. Their statistics find those rows well enough, without bloom filters.
const DIMENSION_FILE_BYTES: u64 = 1 << 20;
/// Of a fact, news of an old chat replace a row or two.
const FACT_FILE_BYTES: u64 = 2 << 20;
/// But of those of which nearly all rows stay as they are for good.
const SETTLED_FILE_BYTES: u64 = 8 << 20;
/// Of a row group that loses rows, what stays is encoded anew; a scan pays for each row group.
const ROW_GROUP_ROWS: usize = 16 * 1024;
const DIMENSION_ROW_GROUP_ROWS: usize = 2 * 1024;
/// Of a row that is looked up, the pages are read that it lies in.
const PAGE_ROWS: usize = 4 * 1024;

pub(super) struct Tables {
    pub coverage: Table,
    /// In the order of [`dimensions::ALL`].
    pub dimensions: Vec<Table>,
    pub agent_status: Table,
    /// In the order of [`facts::of_chats`].
    pub chat_facts: Vec<Table>,
}

impl Tables {
    /// Opens the others beside `fact_chats`, all at once: on an object store each takes its time.
    pub async fn open(lake: &Lake, chats: Table) -> Result<Self, LakeError> {
        let facts = facts::of_chats();
        let others = facts.iter().filter(|fact| fact.name() != CHATS);
        let (coverage, dimensions, agent_status, mut chat_facts) = try_join!(
            open(lake, coverage_spec()),
            try_join_all(dimensions::ALL.map(|dimension| open(lake, dimension_spec(dimension)))),
            open(lake, agent_status_spec()),
            try_join_all(others.map(|fact| open(lake, fact_spec(fact.as_ref())))),
        )?;
        chat_facts.push(chats);
        Ok(Self {
            coverage,
            dimensions,
            agent_status,
            chat_facts,
        })
    }

    /// `fact_chats`, which is committed last and so tells what all tables reflect.
    pub fn chats(&self) -> &Table {
        self.chat_facts
            .last()
            .expect("fact_chats is the last of the facts")
    }

    pub fn chats_mut(&mut self) -> &mut Table {
        self.chat_facts
            .last_mut()
            .expect("fact_chats is the last of the facts")
    }

    pub fn chat_fact(&self, name: &str) -> Option<&Table> {
        self.chat_facts.iter().find(|table| table.name() == name)
    }

    /// Whether a table was never committed to.
    pub fn any_is_new(&self) -> bool {
        let one = [&self.coverage, &self.agent_status];
        let many = self.dimensions.iter().chain(&self.chat_facts);
        one.into_iter()
            .chain(many)
            .any(|table| table.version() == 0)
    }
}

/// The facts whose rows may be removed by age: nothing is counted from them, and nothing goes on after them, as it does
/// from the sessions of `fact_chats`, the runs of `fact_flow_runs` and the last status of an agent.
pub fn aging_tables() -> Vec<&'static str> {
    let facts = facts::of_chats();
    let names = facts.iter().map(|fact| fact.name());
    names
        .filter(|name| *name != CHATS && *name != FLOW_RUNS)
        .collect()
}

/// The names of all derived tables, `fact_chats` last, as runs commit it.
pub fn derived_tables() -> Vec<&'static str> {
    let mut names = vec![coverage::NAME];
    names.extend(dimensions::ALL.map(|dimension| dimension.name));
    names.push(facts::of_agents().name());
    names.extend(facts::of_chats().iter().map(|fact| fact.name()));
    names
}

/// What the derived tables are, in the order of [`derived_tables`].
pub fn derived_specs() -> Vec<TableSpec> {
    let mut specs = vec![coverage_spec()];
    specs.extend(dimensions::ALL.map(dimension_spec));
    specs.push(agent_status_spec());
    specs.extend(
        facts::of_chats()
            .iter()
            .map(|fact| fact_spec(fact.as_ref())),
    );
    specs
}

/// How a run of the transform shows to those who maintain the lake.
pub const CONSUMER: Consumer = Consumer {
    lease: LEASE,
    table: CHATS,
    app_id: POSITION,
};

/// Opens `fact_chats` alone, to ask whether there is anything to do.
pub(super) async fn open_chats(lake: &Lake) -> Result<Table, LakeError> {
    let facts = facts::of_chats();
    let chats = facts.last().expect("fact_chats is the last of the facts");
    lake.table(&fact_spec(chats.as_ref())).await
}

async fn open(lake: &Lake, spec: TableSpec) -> Result<Table, LakeError> {
    lake.table(&spec).await
}

/// The version of `events` that a table reflects, if it is known.
pub(super) async fn position(table: &Table) -> Result<Option<u64>, LakeError> {
    let position = table.committed(POSITION).await?;
    Ok(position.and_then(|version| u64::try_from(version).ok()))
}

/// Whether the table was derived with these rules and settings.
pub(super) async fn is_of(table: &Table, settings: &Settings) -> Result<bool, LakeError> {
    Ok(table.committed(FINGERPRINT).await? == Some(fingerprint(settings)))
}

/// Where [`settings_in`] finds what the facts were derived with.
pub const SETTINGS_TABLE: &str = CHATS;

/// The settings that the facts were derived with, as [`SETTINGS_TABLE`] says; nothing where an earlier version made it.
///
/// # Errors
/// [`LakeError::Delta`].
pub fn settings_in(table: &Table) -> Result<Option<Settings>, LakeError> {
    let text = table.property(SETTINGS)?;
    Ok(text.and_then(|text| Settings::from_json(&text)))
}

/// What every commit records.
pub(super) fn txns(events_version: u64, settings: &Settings) -> [(&'static str, i64); 2] {
    let version = i64::try_from(events_version).unwrap_or(i64::MAX);
    [(POSITION, version), (FINGERPRINT, fingerprint(settings))]
}

/// What `fact_chats` records while everything is derived anew: matches no settings, so that after a crash in between the
/// next run rebuilds too, whatever its settings.
pub(super) const REBUILDING: [(&str, i64); 1] = [(FINGERPRINT, -1)];

fn fingerprint(settings: &Settings) -> i64 {
    i64::from_str_radix(&settings.fingerprint()[1..], 16).unwrap_or_default()
}

/// Rows lie by date, then chat; files are found by both.
fn fact_spec<Of>(fact: &dyn FactTable<Of>) -> TableSpec {
    let mut layout = layout(&[fact.date_column(), fact.key_column()], fact.key_column());
    layout.target_file_bytes = match fact.name() {
        MESSAGES => SETTLED_FILE_BYTES,
        _ => FACT_FILE_BYTES,
    };
    layout.aging_column = aging_tables()
        .contains(&fact.name())
        .then(|| fact.date_column().to_owned());
    spec(fact.name(), fact.description(), fact.schema(), layout)
}

fn agent_status_spec() -> TableSpec {
    let mut spec = fact_spec(facts::of_agents().as_ref());
    spec.layout.bloom_filter_columns.clear();
    spec.layout.target_file_bytes = SETTLED_FILE_BYTES;
    spec
}

fn dimension_spec(dimension: &Dimension) -> TableSpec {
    let (name, description) = (dimension.name, dimension.description);
    let layout = Layout {
        sort_columns: vec![dimension.id.0.to_owned()],
        target_file_bytes: DIMENSION_FILE_BYTES,
        row_group_rows: DIMENSION_ROW_GROUP_ROWS,
        ..Layout::default()
    };
    spec(name, description, dimension.schema(), layout)
}

fn coverage_spec() -> TableSpec {
    let (name, description) = (coverage::NAME, coverage::DESCRIPTION);
    spec(name, description, coverage::schema(), Layout::default())
}

fn layout(order: &[&str], key: &str) -> Layout {
    Layout {
        sort_columns: order.iter().map(|column| (*column).to_owned()).collect(),
        bloom_filter_columns: vec![key.to_owned()],
        row_group_rows: ROW_GROUP_ROWS,
        page_rows: PAGE_ROWS,
        ..Layout::default()
    }
}

/// Files are found by ids, instants and numbers, never by text, which may be personal.
fn spec(name: &str, description: &str, schema: SchemaRef, layout: Layout) -> TableSpec {
    let stats = schema
        .fields()
        .iter()
        .filter(|field| field.data_type() != &DataType::Utf8);
    TableSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        stats_columns: stats.map(|field| field.name().clone()).collect(),
        schema,
        partition_columns: Vec::new(),
        layout,
    }
}
